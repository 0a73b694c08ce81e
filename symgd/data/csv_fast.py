"""CSV in pieces, parsed at once: takes only what the exact reader would read to the same bits.

A piece that the parser refuses, or that holds anything on which the two might differ, is left to
the exact reader (`symgd.data.csv_exact`), with all that follows.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from symgd.data.header import Header
from symgd.data.source import Array, Block

PIECE = 1 << 22  # bytes of a piece, at most

Parsed = list[tuple[list[Array], int]]  # (columns, rows dropped) of some rows
Piece = tuple[bytearray, int]  # a buffer, and how many bytes of it are whole lines


@dataclass(frozen=True)
class Parser:
    """parse: what a piece holds, or None where the exact reader has to look.

    size: bytes of a piece, at most. threads: how many parse a piece each.
    """

    parse: Callable[[bytearray, int], Parsed | None]
    size: int
    threads: int


class Pieces:
    """The rows of a text file. stream: at the first row.

    offset: the place up to which all rows have been given. ended: whether all have.
    """

    def __init__(self, stream: io.RawIOBase, header: Header, size: int) -> None:
        self._stream = stream
        self._size = max(1, size)
        self._spare: list[bytearray] = []
        self._at_end = False
        self.offset = header.offset
        self.ended = False

    def blocks(self, parser: Parser) -> Iterator[Block]:
        """The wanted columns in blocks, up to the first piece that is not the parser's to read."""
        pieces = self._pieces(min(PIECE, parser.size, self._size), parser.threads)
        for (buffer, length), batches in _parsed(pieces, parser):
            if batches is None:
                return
            self._spare.append(buffer)
            self.offset += length
            done = min(1.0, self.offset / self._size)
            for arrays, dropped in batches:
                yield Block(arrays, dropped, done)
        self.ended = self._at_end

    def _pieces(self, size: int, threads: int) -> Iterator[Piece]:
        """Pieces of at most `size` bytes, in buffers of one byte more."""
        left = self._size
        carried = b""  # the beginning of a line whose rest is in the next piece
        while True:
            buffer = self._spare.pop() if self._spare else bytearray(size + 1)
            # smaller ones in the end, so that all threads are done at about the same time
            room = max(min(size, left // threads), size // 8) + 1
            buffer[: len(carried)] = carried
            read = _fill(self._stream, memoryview(buffer)[len(carried) : room])
            left -= read
            stop = len(carried) + read
            ended = stop < room
            cut = stop if ended else buffer.rfind(b"\n", 0, stop) + 1
            self._at_end = ended
            if cut == 0:
                return  # at the end of the file, or in a line as long as the piece
            carried = bytes(memoryview(buffer)[cut:stop])
            yield buffer, cut
            if ended:
                return


def _parsed(pieces: Iterator[Piece], parser: Parser) -> Iterator[tuple[Piece, Parsed | None]]:
    """Each piece with what it holds, in order; no more of them ahead than there are threads.

    Where no thread can be had, the rest is left to the exact reader, which needs none.
    """
    if parser.threads == 1:
        for piece in pieces:
            yield piece, parser.parse(*piece)
        return
    coming: deque[tuple[Piece, Future[Parsed | None]]] = deque()
    workers = ThreadPoolExecutor(parser.threads)
    try:
        for piece in pieces:
            try:
                coming.append((piece, workers.submit(parser.parse, *piece)))
            except RuntimeError:  # can't start new thread
                left: Future[Parsed | None] = Future()
                left.set_result(None)
                coming.append((piece, left))
                break
            if len(coming) > parser.threads:
                done, found = coming.popleft()
                yield done, found.result()
        for done, found in coming:
            yield done, found.result()
    finally:
        workers.shutdown(cancel_futures=True)


def _fill(stream: io.RawIOBase, view: memoryview) -> int:
    """How many bytes were read into `view`: all of it, unless the file ends."""
    filled = 0
    while filled < len(view):
        read = stream.readinto(view[filled:])
        if not read:
            break
        filled += read
    return filled


_WINDOW = 1 << 16  # with an end of a line in every window, no line is longer than two


def has_long_lines(buffer: bytearray, stop: int) -> bool:
    """Whether a line of the piece may be too long for the exact reader."""
    last = max(0, stop - _WINDOW)
    if any(buffer.find(b"\n", k, k + _WINDOW) < 0 for k in range(0, last, _WINDOW)):
        return True
    return stop > _WINDOW and buffer.find(b"\n", last, stop) < 0
