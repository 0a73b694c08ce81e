"""CSV by Arrow, in pieces: takes only what the exact reader would read to the same bits.

A piece that Arrow refuses, or that holds anything on which the two might differ, is left to the
exact reader (`symgd.data.csv_exact`), with all that follows.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from symgd.data import cells
from symgd.data.arrow import missing_in, values_of
from symgd.data.header import Header
from symgd.data.source import Array, Block, Pick

PIECE = 1 << 22  # bytes that are parsed at once, in parallel

Parsed = list[tuple[list[Array], int]]  # (columns, rows dropped) of some rows
Piece = tuple[int, Parsed]  # bytes, and what they hold

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
        """The wanted columns in blocks, up to the first piece that is not Arrow's to read."""
        for length, batches in _ahead(self._pieces(picks, drop)):
            self.offset += length
            done = min(1.0, self.offset / self._size)
            for arrays, dropped in batches:
                yield Block(arrays, dropped, done)

    def _pieces(self, picks: Sequence[Pick], drop: bool) -> Iterator[Piece]:
        buffer = bytearray(min(PIECE, self._size) + 1)
        options = _options(self._header, picks, drop)
        everything = len({pick.index for pick in picks}) == len(self._header.names)
        carried = 0  # bytes at the beginning of the buffer that were read before
        while True:
            stop = carried + _fill(self._stream, memoryview(buffer)[carried:])
            ended = stop < len(buffer)
            cut = stop if ended else buffer.rfind(b"\n", 0, stop) + 1
            if cut == 0 or not _is_plain(buffer, cut, everything):
                return  # at the end of the file, cut is 0, too
            batches = _parse(memoryview(buffer)[:cut], options, drop)
            if batches is None:
                return
            yield cut, batches
            if ended:
                return
            carried = stop - cut
            buffer[:carried] = buffer[cut:stop]


def _ahead(items: Iterator[Piece]) -> Iterator[Piece]:
    """The same items, each worked out while the one before is in use."""
    with ThreadPoolExecutor(1) as worker:
        coming = worker.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = worker.submit(next, items, None)
            yield item


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


def _options(header: Header, picks: Sequence[Pick], drop: bool) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(index) for index in range(len(header.names))]
    wanted = [names[pick.index] for pick in picks]
    alone = len(names) == 1
    missing = [word for word in cells.MISSING if word or not alone] if drop else []
    return {
        "read_options": csv.ReadOptions(column_names=names),
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


def _parse(piece: memoryview, options: dict[str, Any], drop: bool) -> Parsed | None:
    """What the piece holds; None where the exact reader has to look."""
    import pyarrow as pa
    from pyarrow import csv

    try:
        table = csv.read_csv(pa.py_buffer(piece), **options)
    except pa.ArrowInvalid:
        return None
    found: Parsed = []
    for batch in table.to_batches():
        arrays = [values_of(column) for column in batch.columns]
        missing = [mask for mask in map(missing_in, batch.columns) if mask is not None]
        if not missing and all(np.isfinite(array).all() for array in arrays):
            found.append((arrays, 0))
        elif drop:
            bad = np.logical_or.reduce([*(~np.isfinite(array) for array in arrays), *missing])
            found.append(([array[~bad] for array in arrays], int(bad.sum())))
        else:
            return None
    return found
