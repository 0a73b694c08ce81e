"""CSV files: read by Arrow where it is installed and safe, else by the standard library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symgd._locks import cached_property
from symgd.data.csv_exact import ExactCsvReader
from symgd.data.csv_fast import ChunkedCsvReader
from symgd.data.files import File
from symgd.data.header import read_header
from symgd.data.source import Block, SelectedColumn
from symgd.errors import DataError, import_problem

_CHUNK = 1 << 20


class CsvSource:
    """A CSV file as a table source."""

    in_memory = False

    def __init__(self, file: File) -> None:
        self._file = file
        self._header = read_header(file)
        self.label = file.label
        self.names = self._header.names

    @property
    def remarks(self) -> tuple[str, ...]:
        found = []
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
        offset = self._header.offset
        if selected and not self._arrow_problem:
            from symgd.data import csv_arrow

            with self._file.open() as stream:
                stream.seek(offset)
                reader = ChunkedCsvReader(stream, self._header, self._file.size)
                yield from reader.blocks(csv_arrow.parser(self._header, selected, drop_missing))
                offset = reader.offset
                if reader.at_end:
                    return
        yield from self._read_exactly(offset, selected, drop_missing)

    def _read_exactly(
        self, offset: int, selected: Sequence[SelectedColumn], drop_missing: bool
    ) -> Iterator[Block]:
        first = self._header.lines + 1 + self._count_lines(self._header.offset, offset)
        with self._file.open() as stream:
            stream.seek(offset)
            reader = ExactCsvReader(stream, self._header, self.label, first, self._file.size)
            yield from reader.blocks(selected, drop_missing)

    def _count_lines(self, start: int, stop: int) -> int:
        """The number of lines that end in the bytes from `start` to `stop`, the end of a line."""
        count, after_return = 0, False
        with self._file.open() as stream:
            stream.seek(start)
            while start < stop:
                chunk = stream.read(min(_CHUNK, stop - start))
                if not chunk:
                    raise self._file.change_error()
                start += len(chunk)
                count += chunk.count(b"\n") + chunk.count(b"\r") - chunk.count(b"\r\n")
                count -= after_return and chunk.startswith(b"\n")
                after_return = chunk.endswith(b"\r")
        return count
