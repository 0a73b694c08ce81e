"""CSV by Arrow, in pieces: takes only what the exact reader would read to the same bits.

A piece that Arrow refuses, or that holds anything on which the two might differ, is left to the
exact reader (`symgd.data.csv_exact`), with all that follows.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from symgd.data import cells
from symgd.data.arrow import missing_in, values_of
from symgd.data.header import Header
from symgd.data.source import Array, Block, Pick
from symgd.threads import default_threads

PIECE = 1 << 22  # bytes that a thread parses at once, at most: a call of Arrow's costs 0.4 ms
_AT_ONCE = 1 << 23  # bytes that all threads do; what they are parsed to takes as much again
_MOST_THREADS = 8

Parsed = list[tuple[list[Array], int]]  # (columns, rows dropped) of some rows

_WINDOW = 1 << 16  # with an end of a line in every window, no line is longer than two


class Pieces:
    """The rows of a text file by Arrow. stream: at the first row.

    offset: the place up to which all rows have been given; the end of the file when all were.
    """

    def __init__(self, stream: io.FileIO, header: Header, size: int) -> None:
        self._stream = stream
        self._header = header
        self._size = max(1, size)
        self.offset = header.offset

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        """The wanted columns in blocks, up to the first piece that is not Arrow's to read.

        Each thread parses a piece of its own, from end to end: Arrow's own threads would wait
        for each other at the end of every piece.
        """
        threads = min(_MOST_THREADS, default_threads())
        size = min(PIECE, _AT_ONCE // threads, self._size)
        options = _options(self._header, picks, size, drop)
        everything = len({pick.index for pick in picks}) == len(self._header.names)
        coming: deque[tuple[bytearray, int, Future[Parsed | None]]] = deque()
        spare: list[bytearray] = []
        workers = ThreadPoolExecutor(threads)
        try:
            for buffer, cut in self._cut(size, threads, spare):
                found = workers.submit(_parse, buffer, cut, options, everything, drop)
                coming.append((buffer, cut, found))
                if len(coming) > threads:
                    yield from self._give(coming.popleft(), spare)
            while coming:
                yield from self._give(coming.popleft(), spare)
        except _NotArrowsError:
            return
        finally:
            workers.shutdown(cancel_futures=True)

    def _give(
        self, piece: tuple[bytearray, int, Future[Parsed | None]], spare: list[bytearray]
    ) -> Iterator[Block]:
        """The blocks of a piece, whose buffer may be used again from now on."""
        buffer, length, found = piece
        batches = found.result()
        if batches is None:
            raise _NotArrowsError
        spare.append(buffer)
        self.offset += length
        done = min(1.0, self.offset / self._size)
        for arrays, dropped in batches:
            yield Block(arrays, dropped, done)

    def _cut(
        self, size: int, threads: int, spare: list[bytearray]
    ) -> Iterator[tuple[bytearray, int]]:
        """(buffer, bytes of it that are whole lines) for pieces of at most that size."""
        left = self._size
        carried = b""  # the beginning of a line whose rest is in the next piece
        while True:
            buffer = spare.pop() if spare else bytearray(size + 1)
            # smaller ones in the end, so that all threads are done at about the same time
            room = max(min(size, left // threads), size // 8) + 1
            buffer[: len(carried)] = carried
            read = _fill(self._stream, memoryview(buffer)[len(carried) : room])
            left -= read
            stop = len(carried) + read
            ended = stop < room
            cut = stop if ended else buffer.rfind(b"\n", 0, stop) + 1
            if cut == 0:
                return  # at the end of the file, or in a line as long as the piece
            carried = bytes(memoryview(buffer)[cut:stop])
            yield buffer, cut
            if ended:
                return


class _NotArrowsError(Exception):
    """A piece is left to the exact reader."""


def _fill(stream: io.FileIO, view: memoryview) -> int:
    """How many bytes were read into `view`: all of it, unless the file ends."""
    filled = 0
    while filled < len(view):
        read = stream.readinto(view[filled:])
        if not read:
            break
        filled += read
    return filled


def _is_plain(buffer: bytearray, stop: int, everything: bool) -> bool:
    """Whether the exact reader would see the same rows, and nothing to refuse outside the numbers.

    everything: all columns are wanted, so that Arrow sees every character as part of a number.
    """
    last = max(0, stop - _WINDOW)
    if any(buffer.find(b"\n", k, k + _WINDOW) < 0 for k in range(0, last, _WINDOW)):
        return False
    if stop > _WINDOW and buffer.find(b"\n", last, stop) < 0:
        return False
    if everything:
        return True
    if buffer.find(b'"', 0, stop) >= 0 or buffer.find(b"\0", 0, stop) >= 0:
        return False
    windows = (buffer[k : min(stop, k + _WINDOW)] for k in range(0, stop, _WINDOW))
    if all(window.isascii() for window in windows):
        return True
    try:
        buffer[:stop].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _options(header: Header, picks: Sequence[Pick], size: int, drop: bool) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(index) for index in range(len(header.names))]
    wanted = [names[pick.index] for pick in picks]
    alone = len(names) == 1
    missing = [word for word in cells.MISSING if word or not alone] if drop else []
    return {
        "read_options": csv.ReadOptions(column_names=names, use_threads=False, block_size=size + 2),
        "parse_options": csv.ParseOptions(
            delimiter=header.delimiter,
            quote_char=False,  # a quote in a number is then an error, and the exact reader's
            ignore_empty_lines=not alone,
        ),
        "convert_options": csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.float64()),
            include_columns=wanted,
            null_values=missing,
        ),
    }


def _parse(
    buffer: bytearray, stop: int, options: dict[str, Any], everything: bool, drop: bool
) -> Parsed | None:
    """What the piece, the first bytes of the buffer, holds; None: the exact reader has to look."""
    import pyarrow as pa
    from pyarrow import csv

    if not _is_plain(buffer, stop, everything):
        return None
    try:
        table = csv.read_csv(pa.py_buffer(memoryview(buffer)[:stop]), **options)
    except pa.ArrowInvalid:
        return None
    found = [_settle(batch, drop) for batch in table.to_batches()]
    return [part for part in found if part is not None] if all(found) else None


def _settle(batch: Any, drop: bool) -> tuple[list[Array], int] | None:
    """(columns, rows dropped) of a RecordBatch; None where a cell is to be refused."""
    arrays = [values_of(column) for column in batch.columns]
    missing = [mask for mask in map(missing_in, batch.columns) if mask is not None]
    if not missing and all(np.isfinite(array).all() for array in arrays):
        return arrays, 0
    if not drop:
        return None
    bad = np.logical_or.reduce([*(~np.isfinite(array) for array in arrays), *missing])
    return [array[~bad] for array in arrays], int(bad.sum())
