"""Parsing of CSV chunks by Arrow."""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

import numpy as np

from symgd._threads import default_threads
from symgd.data import parse_cell
from symgd.data.arrow import null_mask, numpy_values
from symgd.data.csv_fast import ChunkParser, ParsedBlocks, has_long_lines
from symgd.data.header import Header
from symgd.data.source import Array, SelectedColumn

_CHUNK = 1 << 22  # bytes: a call of Arrow costs 0.4 ms
_IN_PROGRESS = 1 << 23  # bytes that all threads parse at once; the results take as much again
_MOST_THREADS = 8
_WINDOW = 1 << 16
_LONG = re.compile(rb"([+-]?[0-9]{16,308})(?![0-9.eE])")  # 2**53 has 16 digits
_AFTER_A_CELL = re.compile(rb"[^0-9.eE+-]" + _LONG.pattern)


def parser(header: Header, selected: Sequence[SelectedColumn], drop_missing: bool) -> ChunkParser:
    """The parser; each thread parses a chunk of its own.

    Arrow's threads would wait for each other at the end of every chunk.
    """
    threads = min(_MOST_THREADS, default_threads())
    size = min(_CHUNK, _IN_PROGRESS // threads)
    all_selected = len({column.index for column in selected}) == len(header.names)
    options = _options(header, selected, size + 2, drop_missing)
    options["memory_pool"] = _pool(threads)
    return ChunkParser(partial(_parse_chunk, options, all_selected, drop_missing), size, threads)


def _pool(threads: int) -> Any:
    """Arrow's memory pool: its default is the fastest, but keeps 9 MB for every thread."""
    import pyarrow as pa

    return pa.default_memory_pool() if threads <= 2 else pa.system_memory_pool()


def _options(
    header: Header, selected: Sequence[SelectedColumn], size: int, drop_missing: bool
) -> dict[str, Any]:
    import pyarrow as pa
    from pyarrow import csv

    names = [str(index) for index in range(len(header.names))]
    wanted = [names[column.index] for column in selected]
    single = len(names) == 1
    missing = (
        [marker for marker in parse_cell.MISSING if marker or not single] if drop_missing else []
    )
    return {
        "read_options": csv.ReadOptions(column_names=names, use_threads=False, block_size=size),
        "parse_options": csv.ParseOptions(
            delimiter=header.delimiter,
            quote_char=False,  # a quoted number is then an error, and left to the exact reader
            ignore_empty_lines=not single,
        ),
        "convert_options": csv.ConvertOptions(
            column_types=dict.fromkeys(wanted, pa.float64()),
            include_columns=wanted,
            null_values=missing,
        ),
    }


def _parse_chunk(
    options: dict[str, Any], all_selected: bool, drop_missing: bool, buffer: bytearray, end: int
) -> ParsedBlocks | None:
    """The rows in the first `end` bytes of the buffer; None: leave them to the exact reader.

    all_selected: all columns are selected, so that Arrow parses every cell as a number.
    """
    import pyarrow as pa
    from pyarrow import csv

    if buffer.startswith(codecs.BOM_UTF8):
        return None  # Arrow would skip it as the start of a file
    if has_long_lines(buffer, end) or not (all_selected or _is_plain_text(buffer, end)):
        return None
    try:
        table = csv.read_csv(pa.py_buffer(memoryview(buffer)[:end]), **options)
    except pa.ArrowInvalid:
        return None
    blocks = [_finite_columns(batch, drop_missing) for batch in table.to_batches()]
    if any(batch and _is_large(batch[0]) for batch in blocks) and _rounds_integers(buffer, end):
        return None
    if any(batch and batch[1] for batch in blocks) and buffer.find(b"(", 0, end) >= 0:
        return None  # nan(1) is a number for Arrow and text for Python
    return [batch for batch in blocks if batch is not None] if all(blocks) else None


def _finite_columns(batch: Any, drop_missing: bool) -> tuple[list[Array], int] | None:
    """(columns, rows dropped) of a RecordBatch; None if a cell must be refused."""
    arrays = [numpy_values(column) for column in batch.columns]
    missing = [mask for mask in map(null_mask, batch.columns) if mask is not None]
    if not missing and all(np.isfinite(array).all() for array in arrays):
        return arrays, 0
    if not drop_missing:
        return None
    invalid = np.logical_or.reduce([*(~np.isfinite(array) for array in arrays), *missing])
    return [array[~invalid] for array in arrays], int(invalid.sum())


def _is_large(arrays: list[Array]) -> bool:
    """Whether a number is so large that it may be a rounded integer."""
    limit = parse_cell.LARGEST_EXACT
    return any(len(a) and not -limit < a.min() <= a.max() < limit for a in arrays)


def _rounds_integers(buffer: bytearray, end: int) -> bool:
    """Whether a cell of any column is an integer that float64 does not hold."""
    first = _LONG.match(buffer, 0, end)
    later = _AFTER_A_CELL.finditer(buffer, 0, end)
    cells = (found[1] for found in chain([first] if first else [], later))
    return any(int(float(cell)) != int(cell) for cell in cells)


def _is_plain_text(buffer: bytearray, end: int) -> bool:
    """Whether the exact reader would read the same rows and refuse no cell that is not selected."""
    if buffer.find(b'"', 0, end) >= 0 or buffer.find(b"\0", 0, end) >= 0:
        return False
    windows = (buffer[k : min(end, k + _WINDOW)] for k in range(0, end, _WINDOW))
    if all(window.isascii() for window in windows):
        return True
    try:
        buffer[:end].decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
