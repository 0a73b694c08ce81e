"""Pieces of CSV by Arrow."""

from __future__ import annotations

import codecs
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from symgd._threads import default_threads
from symgd.data import parse_cell
from symgd.data.arrow import missing_in, values_of
from symgd.data.csv_fast import Parsed, Parser, has_long_lines
from symgd.data.header import Header
from symgd.data.source import Array, Pick

_PIECE = 1 << 22  # a call of Arrow's costs 0.4 ms
_AT_ONCE = 1 << 23  # bytes that all threads parse; what they are parsed to takes as much again
_MOST_THREADS = 8
_WINDOW = 1 << 16


def parser(header: Header, picks: Sequence[Pick], drop: bool) -> Parser:
    """Each thread parses a piece of its own, from end to end.

    Arrow's own threads would wait for each other at the end of every piece.
    """
    threads = min(_MOST_THREADS, default_threads())
    size = min(_PIECE, _AT_ONCE // threads)
    everything = len({pick.index for pick in picks}) == len(header.names)
    options = _options(header, picks, size + 2, drop)
    options["memory_pool"] = _pool(threads)
    return Parser(partial(_parse, options, everything, drop), size, threads)


def _pool(threads: int) -> Any:
    """Where Arrow's arrays lie: its own pool is the fastest, and keeps 9 MB for every thread."""
    import pyarrow as pa

    return pa.default_memory_pool() if threads <= 2 else pa.system_memory_pool()


def _options(header: Header, picks: Sequence[Pick], size: int, drop: bool) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(index) for index in range(len(header.names))]
    wanted = [names[pick.index] for pick in picks]
    alone = len(names) == 1
    missing = [word for word in parse_cell.MISSING if word or not alone] if drop else []
    return {
        "read_options": csv.ReadOptions(column_names=names, use_threads=False, block_size=size),
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
    options: dict[str, Any], everything: bool, drop: bool, buffer: bytearray, stop: int
) -> Parsed | None:
    """What the piece, the first bytes of the buffer, holds; None: the exact reader has to look.

    everything: all columns are wanted, so that Arrow sees every character as part of a number.
    """
    import pyarrow as pa
    from pyarrow import csv

    if buffer.startswith(codecs.BOM_UTF8):
        return None  # Arrow would pass over it, as if a file began here
    if has_long_lines(buffer, stop) or not (everything or _is_plain(buffer, stop)):
        return None
    try:
        table = csv.read_csv(pa.py_buffer(memoryview(buffer)[:stop]), **options)
    except pa.ArrowInvalid:
        return None
    found = [_settle(batch, drop) for batch in table.to_batches()]
    if any(part and part[1] for part in found) and buffer.find(b"(", 0, stop) >= 0:
        return None  # nan(1) is a number to Arrow, and text to Python
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


def _is_plain(buffer: bytearray, stop: int) -> bool:
    """Whether the exact reader would see the same rows, and nothing to refuse in any cell."""
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
