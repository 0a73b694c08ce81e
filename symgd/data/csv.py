"""CSV files: read by Arrow where it is installed and safe, else by the standard library."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from symgd._locks import cached_property
from symgd.data.csv_exact import ExactCsvReader
from symgd.data.files import File
from symgd.data.header import count_line_ends, read_header
from symgd.data.source import Block, SelectedColumn
from symgd.data.written_numbers import Style
from symgd.errors import DataError, import_problem
from symgd.names import counted

_CHUNK = 1 << 20  # bytes that are read at a time to count lines


class CsvSource:
    """A CSV file as a table source."""

    in_memory = False

    def __init__(self, file: File, names: Sequence[str] | None = None) -> None:
        self._file = file
        self._header = read_header(file, names)
        self._comments = 0
        self._commas = False
        self.label = file.label
        #: where semicolons separate cells, the comma is a decimal comma
        self.decimal_comma = True if self._header.delimiter == ";" else None
        self.names = self._header.names

    def with_decimal_commas(self) -> CsvSource | None:
        """The file where every number is plain but for a decimal comma, None if Arrow is needed.

        A DataError, without a place, says that it is not so.
        """
        if self._arrow_problem or self._header.delimiter == ",":
            return None
        other = copy.copy(self)
        other._commas = True
        return other

    @property
    def remarks(self) -> tuple[str, ...]:
        found = [f"{self.label}: {self._header.remark}"] if self._header.remark else []
        if self._commas:
            found.append(f"{self.label}: numbers have {Style(',', '')}")
        if self._comments:
            found.append(f"{self.label}: {counted(self._comments, 'comment')} skipped")
        if "cannot" in self._arrow_problem:  # not one that is not installed
            found.append(f"{self.label} is read slowly, without pyarrow{self._arrow_problem}")
        if not self._file.ends_line:
            found.append(
                f"{self.label} does not end with the end of a line: its last cell may be cut off"
            )
        return tuple(found)

    @cached_property
    def _arrow_problem(self) -> str:
        return import_problem("pyarrow.csv", '"symgd[data]"')

    def estimated_rows(self) -> int:
        return int((self._file.size - self._header.offset) / self._header.row_bytes) + 1

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        rows = 0
        for block in self._blocks(selected, drop_missing):
            rows += len(block.arrays[0]) + block.dropped if selected else 0
            yield block
        self._file.check_unchanged()
        if selected and not rows:
            line = self._header.lines + 1
            hint = "each line below the header is a row"
            raise DataError(
                "there are no rows below the header", None, None, line, self.label, None, hint
            )

    def _blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        header, size, offset = self._header, self._file.size, self._header.offset
        if selected and not self._arrow_problem:
            from symgd.data.csv_arrow import ArrowCsvReader

            with self._open_at(offset) as stream, io.BufferedReader(stream) as buffered:
                reader = ArrowCsvReader(buffered, header, size, "," if self._commas else ".")
                yield from reader.blocks(selected, drop_missing)
                offset = reader.offset
                if reader.at_end:
                    return
        if self._commas:
            raise DataError("not all numbers are plain but for a decimal comma")
        first_line = header.lines + self._count_lines(header.offset, offset) + 1
        with self._open_at(offset) as stream:
            exact = ExactCsvReader(stream, header, self.label, first_line, size)
            yield from exact.blocks(selected, drop_missing)
            self._comments = exact.comments

    @contextmanager
    def _open_at(self, offset: int) -> Iterator[io.RawIOBase]:
        with self._file.open() as stream:
            stream.seek(offset)
            yield stream

    def _count_lines(self, start: int, stop: int) -> int:
        """The number of lines that end in the bytes from `start` to `stop`, the end of a line."""
        count, last = 0, b""
        with self._open_at(start) as stream:
            while start < stop:
                chunk = stream.read(min(_CHUNK, stop - start))
                if not chunk:
                    raise self._file.change_error()
                start += len(chunk)
                count += count_line_ends(last + chunk) - count_line_ends(last)
                last = chunk[-1:]
        return count
