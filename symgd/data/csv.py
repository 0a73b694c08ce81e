"""CSV files: Arrow, where it is installed, reads what it can, the standard library the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.util import find_spec

from symgd.data.csv_exact import Reader
from symgd.data.csv_fast import Pieces
from symgd.data.files import File
from symgd.data.header import read_header
from symgd.data.source import Block, Pick
from symgd.errors import DataError

_PIECE = 1 << 20


class CsvSource:
    """A text file whose first line names its columns."""

    in_memory = False

    def __init__(self, file: File) -> None:
        self._file = file
        self._header = read_header(file)
        self.label = file.label
        self.names = self._header.names

    @property
    def remarks(self) -> tuple[str, ...]:
        if self._file.ends_line:
            return ()
        return (f"{self.label} does not end with the end of a line: its last cell may be cut off",)

    def about(self) -> int:
        return int((self._file.size - self._header.offset) / self._header.row_bytes) + 1

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        rows = 0
        for block in self._blocks(picks, drop):
            rows += len(block.arrays[0]) + block.dropped if picks else 0
            yield block
        self._file.confirm()
        if picks and not rows:
            line = self._header.lines + 1
            hint = "each line below the header is a row"
            raise DataError(
                "there are no rows below the header", None, None, line, self.label, None, hint
            )

    def _blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        offset = self._header.offset
        if picks and find_spec("pyarrow") is not None:
            from symgd.data import csv_arrow

            with self._file.open() as stream:
                stream.seek(offset)
                pieces = Pieces(stream, self._header, self._file.size)
                yield from pieces.blocks(csv_arrow.parser(self._header, picks, drop))
                offset = pieces.offset
                if pieces.ended:
                    return
        yield from self._exactly(offset, picks, drop)

    def _exactly(self, offset: int, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        first = self._header.lines + 1 + self._lines(self._header.offset, offset)
        with self._file.open() as stream:
            stream.seek(offset)
            reader = Reader(stream, self._header, self.label, first, self._file.size)
            yield from reader.blocks(picks, drop)

    def _lines(self, start: int, stop: int) -> int:
        """How many lines end in the bytes from `start` to `stop`, which is the end of a line."""
        count, after_return = 0, False
        with self._file.open() as stream:
            stream.seek(start)
            while start < stop:
                piece = stream.read(min(_PIECE, stop - start))
                if not piece:
                    raise self._file.changed()
                start += len(piece)
                count += piece.count(b"\n") + piece.count(b"\r") - piece.count(b"\r\n")
                count -= after_return and piece.startswith(b"\n")
                after_return = piece.endswith(b"\r")
        return count
