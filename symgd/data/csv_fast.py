"""CSV in chunks, parsed in parallel, wherever the exact reader would give the same bits.

A chunk that the parser refuses, or on which the two readers might differ, is left to the exact
reader (`symgd.data.csv_exact`), with all that follows.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from symgd.data.header import Header
from symgd.data.source import Array, Block

CHUNK = 1 << 22  # bytes of a chunk, at most

ParsedBlocks = list[tuple[list[Array], int]]  # (columns, rows dropped) of some rows
Chunk = tuple[bytearray, int]  # a buffer, and the number of its bytes that are whole lines


@dataclass(frozen=True)
class ChunkParser:
    """parse: (buffer, length) -> its rows, or None to leave them to the exact reader.

    size: bytes of a chunk, at most. threads: the number of chunks that are parsed at once.
    """

    parse: Callable[[bytearray, int], ParsedBlocks | None]
    size: int
    threads: int


class ChunkedCsvReader:
    """A reader of the rows of a CSV file. stream: at the first row.

    offset: the position up to which rows were returned. at_end: whether all were.
    """

    def __init__(self, stream: io.RawIOBase, header: Header, size: int) -> None:
        self._stream = stream
        self._size = max(1, size)
        self._spare: list[bytearray] = []
        self._reached_end = False
        self.offset = header.offset
        self.at_end = False

    def blocks(self, parser: ChunkParser) -> Iterator[Block]:
        """The selected columns in blocks, up to the first chunk that the parser leaves."""
        chunks = self._chunks(min(CHUNK, parser.size, self._size), parser.threads)
        for (buffer, length), batches in _parse_in_threads(chunks, parser):
            if batches is None:
                return
            self._spare.append(buffer)
            self.offset += length
            progress = min(1.0, self.offset / self._size)
            for arrays, dropped in batches:
                yield Block(arrays, dropped, progress)
        self.at_end = self._reached_end

    def _chunks(self, size: int, threads: int) -> Iterator[Chunk]:
        """Chunks of at most `size` bytes, in buffers of one byte more."""
        unread = self._size
        partial_line = b""  # the beginning of a line that ends in the next chunk
        while True:
            buffer = self._spare.pop() if self._spare else bytearray(size + 1)
            # smaller ones at the end, so that all threads finish at about the same time
            stop = max(min(size, unread // threads), size // 8) + 1
            buffer[: len(partial_line)] = partial_line
            read = _fill(self._stream, memoryview(buffer)[len(partial_line) : stop])
            unread -= read
            end = len(partial_line) + read
            at_end = end < stop
            end_of_lines = end if at_end else buffer.rfind(b"\n", 0, end) + 1
            self._reached_end = at_end
            if end_of_lines == 0:
                return  # the end of the file, or a line as long as the chunk
            partial_line = bytes(memoryview(buffer)[end_of_lines:end])
            yield buffer, end_of_lines
            if at_end:
                return


def _parse_in_threads(
    chunks: Iterator[Chunk], parser: ChunkParser
) -> Iterator[tuple[Chunk, ParsedBlocks | None]]:
    """Each chunk with its rows, in order; at most `threads` chunks are parsed ahead.

    If no thread can be started, the rest is left to the exact reader.
    """
    if parser.threads == 1:
        for chunk in chunks:
            yield chunk, parser.parse(*chunk)
        return
    pending: deque[tuple[Chunk, Future[ParsedBlocks | None]]] = deque()
    workers = ThreadPoolExecutor(parser.threads)
    try:
        for chunk in chunks:
            try:
                pending.append((chunk, workers.submit(parser.parse, *chunk)))
            except RuntimeError:  # can't start new thread
                unparsed: Future[ParsedBlocks | None] = Future()
                unparsed.set_result(None)
                pending.append((chunk, unparsed))
                break
            if len(pending) > parser.threads:
                parsed_chunk, future = pending.popleft()
                yield parsed_chunk, future.result()
        for parsed_chunk, future in pending:
            yield parsed_chunk, future.result()
    finally:
        workers.shutdown(cancel_futures=True)


def _fill(stream: io.RawIOBase, view: memoryview) -> int:
    """The number of bytes read into `view`: all of it, unless the file ends."""
    filled = 0
    while filled < len(view):
        read = stream.readinto(view[filled:])
        if not read:
            break
        filled += read
    return filled


_WINDOW = 1 << 16  # bytes: with a line end in every window, no line is longer than two windows


def has_long_lines(buffer: bytearray, end: int) -> bool:
    """Whether a line of the chunk may be too long for the exact reader."""
    last = max(0, end - _WINDOW)
    if any(buffer.find(b"\n", k, k + _WINDOW) < 0 for k in range(0, last, _WINDOW)):
        return True
    return end > _WINDOW and buffer.find(b"\n", last, end) < 0
