"""CSV by the standard library: slower than Arrow, and the one that says what is wrong and where."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence

import numpy as np

from symgd.data import parse_cell
from symgd.data.header import MOST_LINE, Header, check_line, column_at, why_unreadable
from symgd.data.source import Array, Block, Pick
from symgd.errors import DataError, excerpt

_ROWS = 1 << 12  # rows of a block

Rows = list[list[str]]


class Reader:
    """The rows of a text file, from a place at the beginning of a line.

    stream: at that place, and owned by the reader. first: the 1-based number of that line.
    size: bytes of the whole file.
    """

    def __init__(
        self, stream: io.RawIOBase, header: Header, label: str, first: int, size: int
    ) -> None:
        self._stream = stream
        self._text = io.TextIOWrapper(
            io.BufferedReader(stream, 1 << 16), encoding="utf-8", errors="surrogateescape"
        )
        self._header = header
        self._label = label
        self._first = first
        self._begun = ""  # the first line of the row that is being read
        self._size = max(1, size)

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        """The wanted columns, block by block; DataError at the first bad line or cell."""
        rows: Rows = []
        lines: list[int] = []
        with self._text:
            try:
                for line, row in self._records():
                    rows.append(row)
                    lines.append(line)
                    if len(rows) == _ROWS:
                        yield self._block(rows, lines, picks, drop)
                        rows, lines = [], []
            except DataError:
                self._block(rows, lines, picks, drop)  # what comes first in the file, first
                raise
            if rows:
                yield self._block(rows, lines, picks, drop)

    def _records(self) -> Iterator[tuple[int, list[str]]]:
        """(its first line, its cells) of every row; blank lines are no rows (see `symgd.data`)."""
        width = len(self._header.names)
        reader = csv.reader(self._checked_lines(), delimiter=self._header.delimiter, strict=True)
        line = self._first
        blank: list[int] = []  # lines that are blank unless a row follows: files of one column
        try:
            for row in reader:
                if len(row) == width and (width > 1 or row[0].strip()):
                    while blank:
                        yield blank.pop(0), [""]
                    yield line, row
                elif len(row) > 1 or (row and row[0].strip()):
                    raise self._ragged(row, line)
                elif width == 1:
                    blank.append(line)
                line = self._first + reader.line_num
                self._begun = ""
        except csv.Error as error:
            several = self._first + reader.line_num > line + 1
            raise self._unreadable(str(error), line, several) from None

    def _checked_lines(self) -> Iterator[str]:
        """The lines, each ending in LF, looked at."""
        number = self._first
        while line := self._text.readline(MOST_LINE):
            if not line.isascii() or "\0" in line or len(line) >= MOST_LINE:
                check_line(line, self._label, number, self._header)
            self._begun = self._begun or line
            yield line
            number += 1

    def _ragged(self, row: list[str], line: int) -> DataError:
        names = self._header.names
        many = f"{len(row)} cells" if len(row) > 1 else "1 cell"
        sentence = f"the row has {many}, the header has {len(names)}"
        if len(row) < len(names):
            column, cell = names[len(row)], None
            hint = f"'{excerpt(column)}' is missing: the row is cut off, or lacks a separator"
        else:
            column, cell = "", row[len(names)]
            hint = f"the first cell too many, number {len(names) + 1}, is '{excerpt(cell)}'"
            if self._header.delimiter == "," and _doubled(row, len(names)):
                hint += "; are these decimal commas? write points"
        place = column or names[-1] or None
        return DataError(sentence, None, place, line, self._label, cell, hint)

    def _unreadable(self, error: str, line: int, several_lines: bool) -> DataError:
        """The error for what csv says about the row that begins at `line`."""
        sentence, hint = why_unreadable(error, several_lines)
        longest = csv.field_size_limit()
        runs = (found for found in re.finditer(r"[^,;\t]+", self._begun))
        place = next((r.start() for r in runs if len(r.group()) > longest), len(self._begun))
        column = column_at(self._begun, place, self._header)
        return DataError(sentence, None, column, line, self._label, None, hint)

    def _block(self, rows: Rows, lines: list[int], picks: Sequence[Pick], drop: bool) -> Block:
        done = min(1.0, self._stream.tell() / self._size)
        arrays = [_quickly([row[pick.index] for row in rows]) for pick in picks]
        whole = [array for array in arrays if array is not None]
        if len(whole) == len(arrays):
            return Block(whole, 0, done)
        return self._carefully(rows, lines, picks, drop, done)

    def _carefully(
        self, rows: Rows, lines: list[int], picks: Sequence[Pick], drop: bool, done: float
    ) -> Block:
        """The same cell by cell, so that the first bad one is found or its row left out."""
        kept: list[list[float]] = []
        for row, line in zip(rows, lines, strict=True):
            values = self._row(row, line, picks, drop)
            if values is not None:
                kept.append(values)
        columns = np.array(kept).reshape(len(kept), len(picks)).T
        arrays = [np.ascontiguousarray(column) for column in columns]
        return Block(arrays, len(rows) - len(kept), done)

    def _row(
        self, row: list[str], line: int, picks: Sequence[Pick], drop: bool
    ) -> list[float] | None:
        """The numbers of a row; None when it is dropped."""
        values: list[float] = []
        skip = False
        for pick in picks:
            value = parse_cell.read(row[pick.index])
            if isinstance(value, float):
                values.append(value)
            elif drop and value.missing:
                skip = True
            else:
                cell, name = row[pick.index], self._header.names[pick.index]
                raise DataError(value.sentence, None, name, line, self._label, cell, value.hint)
        return None if skip else values


def _quickly(column: list[str]) -> Array | None:
    """The numbers of a column, or None when one of its cells is not a finite number."""
    if parse_cell.FOREIGN.search("".join(column)):
        return None
    try:
        values = np.fromiter(map(float, column), np.float64, len(column))
    except ValueError:
        return None
    return values if np.isfinite(values).all() else None


def _doubled(row: list[str], width: int) -> bool:
    """Whether a row with decimal commas would fall into that many cells."""
    return len(row) == 2 * width and all(cell.strip().lstrip("+-").isdigit() for cell in row)
