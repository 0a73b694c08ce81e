"""CSV by the standard library: slower than Arrow, with exact locations of errors."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress

from symgd._numpy import np
from symgd.data import parse_cell
from symgd.data.header import (
    MOST_LINE,
    Header,
    column_of_character,
    csv_error_message,
    refuse_damaged_line,
)
from symgd.data.labels import Labels
from symgd.data.layout import COMMENT, SPACES, spaced, without_comment
from symgd.data.parse_cell import BadCell
from symgd.data.source import Array, Block, SelectedColumn
from symgd.errors import DataError, excerpt

_BLOCK_ROWS = 1 << 12  # rows of a block

Record = tuple[int, list[str]]  # the number of its first line, its cells


class ExactCsvReader:
    """A reader of the rows of a CSV file from the beginning of a line.

    stream: at that line, closed by the reader. first_line: its 1-based number. size: bytes of the
    whole file.
    """

    def __init__(
        self, stream: io.RawIOBase, header: Header, label: str, first_line: int, size: int
    ) -> None:
        self._stream = stream
        self._text = io.TextIOWrapper(
            io.BufferedReader(stream, 1 << 16), encoding="utf-8", errors="surrogateescape"
        )
        self._header = header
        self._label = label
        self._row_text = ""  # the first line of the row that is being read
        self._row_line = self._line = first_line - 1  # the numbers of that, and of the last line
        self.comments = 0  # lines that were skipped
        self._size = max(1, size)

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        """The selected columns, block by block; DataError at the first invalid line or cell."""
        records: list[Record] = []
        with self._text:
            try:
                for record in self._records():
                    records.append(record)
                    if len(records) == _BLOCK_ROWS:
                        yield self._block(records, selected, drop_missing)
                        records = []
            except DataError:
                self._block(records, selected, drop_missing)  # may raise an earlier error
                raise
            if records:
                yield self._block(records, selected, drop_missing)

    def _records(self) -> Iterator[Record]:
        """(first line, cells) of every row; blank lines are ignored (see `symgd.data`)."""
        width = len(self._header.names)
        delimiter = self._header.delimiter
        reader = csv.reader(
            self._checked_lines(),
            delimiter=delimiter,
            strict=True,
            skipinitialspace=delimiter == SPACES,
        )
        first_blank = blanks = 0  # in a file of one column, empty cells if a row follows
        try:
            for row in reader:
                line = self._row_line
                if len(row) == width and (width > 1 or row[0].strip()):
                    yield from ((first_blank + k, [""]) for k in range(blanks))
                    blanks = 0
                    yield line, row
                elif len(row) > 1 or (row and row[0].strip()):
                    raise self._wrong_width(row, line)
                elif width == 1:
                    first_blank = first_blank if blanks else line
                    blanks += 1
                self._row_text = ""
        except csv.Error as error:
            several = self._line > self._row_line
            raise self._csv_error(str(error), self._row_line, several) from None

    def _checked_lines(self) -> Iterator[str]:
        """The lines, each ending in LF, without comments, or DataError."""
        delimiter = self._header.delimiter
        while line := self._text.readline(MOST_LINE):
            self._line += 1
            if not line.isascii() or "\0" in line or len(line) >= MOST_LINE:
                refuse_damaged_line(line, self._label, self._line, self._header)
            if not self._row_text:
                if COMMENT.match(line):
                    self.comments += 1
                    continue
                self._row_text, self._row_line = line, self._line
            yield spaced(without_comment(line, delimiter), delimiter)

    def _wrong_width(self, row: list[str], line: int) -> DataError:
        names = self._header.names
        cells = f"{len(row)} cells" if len(row) > 1 else "1 cell"
        sentence = f"the row has {cells}, the header has {len(names)}"
        if len(row) < len(names):
            column, cell = names[len(row)], None
            hint = f"'{excerpt(column)}' is missing: the row is cut off, or lacks a separator"
        else:
            column, cell = "", row[len(names)]
            hint = f"the first cell too many, number {len(names) + 1}, is '{excerpt(cell)}'"
            if self._header.delimiter == "," and _has_decimal_commas(row, len(names)):
                hint += "; are these decimal commas? write points"
        position = column or names[-1] or None
        return DataError(sentence, None, position, line, self._label, cell, hint)

    def _csv_error(self, error: str, line: int, several_lines: bool) -> DataError:
        """The DataError for an error of the csv module about the row that begins at `line`."""
        sentence, hint = csv_error_message(error, several_lines)
        longest = csv.field_size_limit()
        cells = re.finditer(r"[^,;\t]+", self._row_text)
        long_cells = (cell.start() for cell in cells if len(cell.group()) > longest)
        position = next(long_cells, len(self._row_text))
        column = column_of_character(self._row_text, position, self._header)
        return DataError(sentence, None, column, line, self._label, None, hint)

    def _block(
        self, records: list[Record], selected: Sequence[SelectedColumn], drop_missing: bool
    ) -> Block:
        progress = min(1.0, self._stream.tell() / self._size)
        arrays = [_parse_column([row[c.index] for _, row in records], c.labels) for c in selected]
        complete = [array for array in arrays if array is not None]
        if len(complete) == len(arrays):
            return Block(complete, 0, progress)
        # cell by cell: raises for the first invalid one or drops its row
        parsed = [self._parse_row(row, line, selected, drop_missing) for line, row in records]
        kept = [values for values in parsed if values is not None]
        columns = np.array(kept).reshape(len(kept), len(selected)).T
        dropped = len(records) - len(kept)
        return Block([np.ascontiguousarray(column) for column in columns], dropped, progress)

    def _parse_row(
        self, row: list[str], line: int, selected: Sequence[SelectedColumn], drop_missing: bool
    ) -> list[float] | None:
        """The numbers of a row; None if it is dropped."""
        values: list[float] = []
        is_missing = False
        for column in selected:
            value = _parse(row[column.index], column.labels)
            if isinstance(value, float):
                values.append(value)
            elif drop_missing and value.missing:
                is_missing = True
            else:
                cell, name = row[column.index], self._header.names[column.index]
                raise DataError(value.sentence, None, name, line, self._label, cell, value.hint)
        return None if is_missing else values


def _parse(cell: str, labels: Labels | None) -> float | BadCell:
    """The number in a cell, or that of the text in it."""
    if labels is None:
        return parse_cell.parse(cell)
    text = parse_cell.parse_text(cell)
    try:
        return float(labels.numbers([text])[0]) if isinstance(text, str) else text
    except DataError as error:
        return BadCell(error.message, error.hint)


def _parse_column(column: list[str], labels: Labels | None) -> Array | None:
    """The numbers of a column; None if a cell is not finite, or may be a rounded integer."""
    if labels is not None:
        texts = [cell.strip(" \t") for cell in column]
        with suppress(DataError):
            return None if any(map(parse_cell.is_missing, texts)) else labels.numbers(texts)
        return None
    if parse_cell.FOREIGN.search("".join(column)):
        return None
    try:
        values = np.fromiter(map(float, column), np.float64, len(column))
    except ValueError:
        return None
    return values if (np.abs(values) < parse_cell.LARGEST_EXACT).all() else None


def _has_decimal_commas(row: list[str], width: int) -> bool:
    """Whether the cells look like numbers that decimal commas have split in two."""
    return len(row) == 2 * width and all(cell.strip().lstrip("+-").isdigit() for cell in row)
