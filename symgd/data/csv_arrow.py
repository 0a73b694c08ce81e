"""CSV in chunks, parsed by Arrow in threads, wherever the exact reader would give the same bits.

A chunk that Arrow refuses, or on which the two readers might differ, is left to the exact reader
(`symgd.data.csv_exact`), with all that follows.
"""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import chain
from typing import Any, BinaryIO

from symgd._numpy import np
from symgd._threads import default_threads
from symgd.data import parse_cell
from symgd.data.arrow import null_mask, numpy_values, text_numbers
from symgd.data.header import Header
from symgd.data.labels import Labels
from symgd.data.layout import SPACES
from symgd.data.source import Array, Block, SelectedColumn
from symgd.errors import DataError

CHUNK = 1 << 20  # bytes of a chunk, at most; a call of Arrow costs 0.4 ms

_MOST_THREADS = 8
_WINDOW = 1 << 16  # bytes: with a line end in every window, no line is longer than two windows
_LONG = re.compile(rb"([+-]?[0-9]{16,308})(?![0-9.eE])")  # 2**53 has 16 digits
_COMMENT = re.compile(rb"(?m)^[ \t]*(?:#|%|//)")
_SPACES = re.compile(rb"[ \t]+")
_SPACES_AROUND = re.compile(rb"(?m)^ | (?=\r?$)")
_AFTER_A_CELL = re.compile(rb"[^0-9.eE+-]" + _LONG.pattern)

ParsedBlocks = list[tuple[list[Array], int]]  # (columns, rows dropped) of some rows


class ArrowCsvReader:
    """A reader of the rows of a CSV file. stream: at the first row. size: bytes of the file.

    decimal: the decimal mark.
    offset: the bytes up to which rows were returned. at_end: whether all were.
    """

    def __init__(self, stream: BinaryIO, header: Header, size: int, decimal: str = ".") -> None:
        self._stream = stream
        self._header = header
        self._decimal = decimal
        self._size = max(1, size)
        self._reached_end = False
        self.offset = header.offset
        self.at_end = False

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        """The selected columns in blocks, up to the first chunk that is left.

        Each thread parses a chunk of its own: Arrow's threads would wait for each other at the end
        of every chunk.
        """
        threads = min(_MOST_THREADS, default_threads())
        size = min(CHUNK, self._size)
        options = _options(self._header, selected, drop_missing, threads, self._decimal)
        numbers = {column.index for column in selected if column.labels is None}
        all_numbers = len(numbers) == len(self._header.names)
        labels = [column.labels for column in selected]
        parse = partial(_parse_chunk, options, labels, all_numbers, drop_missing)
        for chunk, batches in _parse_in_threads(parse, self._chunks(size, threads), threads):
            if batches is None:
                return
            self.offset += len(chunk)
            for arrays, dropped in batches:
                yield Block(arrays, dropped, min(1.0, self.offset / self._size))
        self.at_end = self._reached_end

    def _chunks(self, size: int, threads: int) -> Iterator[bytes]:
        """The rows in chunks of whole lines, of about `size` bytes."""
        unread = self._size
        # smaller ones at the end, so that all threads finish at about the same time
        while chunk := self._stream.read(max(min(size, unread // threads), size // 8, 1)):
            rest_of_line = self._stream.readline(size)
            if len(rest_of_line) == size:
                return  # a line as long as a chunk
            yield chunk + rest_of_line
            unread -= len(chunk)
        self._reached_end = True


def _parse_in_threads(
    parse: Callable[[bytes], ParsedBlocks | None], chunks: Iterator[bytes], threads: int
) -> Iterator[tuple[bytes, ParsedBlocks | None]]:
    """Each chunk with its rows, in order; at most `threads` chunks are parsed ahead."""
    pending: deque[tuple[bytes, Callable[[], ParsedBlocks | None]]] = deque()
    workers = ThreadPoolExecutor(threads)
    try:
        for chunk in chunks:
            try:
                pending.append((chunk, workers.submit(parse, chunk).result))
            except RuntimeError:  # can't start new thread
                pending.append((chunk, partial(parse, chunk)))
            if len(pending) > threads:
                first, result = pending.popleft()
                yield first, result()
        for first, result in pending:
            yield first, result()
    finally:
        workers.shutdown(cancel_futures=True)


def _options(
    header: Header,
    selected: Sequence[SelectedColumn],
    drop_missing: bool,
    threads: int,
    decimal: str,
) -> dict[str, Any]:
    """The arguments of pyarrow.csv.read_csv for a chunk."""
    import pyarrow as pa
    from pyarrow import csv

    names = [str(index) for index in range(len(header.names))]
    texts = pa.dictionary(pa.int32(), pa.string())
    wanted = {names[c.index]: texts if c.labels else pa.float64() for c in selected}
    single = len(names) == 1
    missing = [text for text in parse_cell.MISSING if text or not single] if drop_missing else []
    return {
        "read_options": csv.ReadOptions(
            column_names=names, use_threads=False, block_size=2 * CHUNK + 2
        ),
        "parse_options": csv.ParseOptions(
            delimiter=header.delimiter,
            quote_char=False,  # a quoted number is then an error, and left to the exact reader
            ignore_empty_lines=not single,
        ),
        "convert_options": csv.ConvertOptions(
            column_types=wanted,
            decimal_point=decimal,
            include_columns=[names[column.index] for column in selected],
            null_values=missing,
        ),
        # the default pool is the fastest, but keeps 9 MB for every thread
        "memory_pool": pa.default_memory_pool() if threads <= 2 else pa.system_memory_pool(),
    }


def _parse_chunk(
    options: dict[str, Any],
    labels: Sequence[Labels | None],
    all_numbers: bool,
    drop_missing: bool,
    data: bytes,
) -> ParsedBlocks | None:
    """The rows in a chunk; None: leave them to the exact reader.

    labels: of each selected column. all_numbers: Arrow parses every cell as a number.
    """
    import pyarrow as pa
    from pyarrow import csv

    spaces = options["parse_options"].delimiter == SPACES
    if options["parse_options"].ignore_empty_lines and not data.strip():
        return []
    if data.startswith(codecs.BOM_UTF8):
        return None  # Arrow would skip it as the start of a file
    if (b"#" in data or b"%" in data or b"//" in data) and (spaces or _COMMENT.search(data)):
        return None
    if spaces:
        data = _SPACES_AROUND.sub(b"", _SPACES.sub(b" ", data))
    if _has_long_lines(data) or not (all_numbers or _is_plain_text(data)):
        return None
    try:
        table = csv.read_csv(pa.py_buffer(data), **options)
        blocks = [_finite_columns(batch, labels, drop_missing) for batch in table.to_batches()]
    except (pa.ArrowInvalid, DataError):
        return None
    if any(batch and _is_large(batch[0]) for batch in blocks) and _rounds_integers(data):
        return None
    if any(batch and batch[1] for batch in blocks) and b"(" in data:
        return None  # nan(1) is a number for Arrow and text for Python
    return [batch for batch in blocks if batch is not None] if all(blocks) else None


def _finite_columns(
    batch: Any, labels: Sequence[Labels | None], drop_missing: bool
) -> tuple[list[Array], int] | None:
    """(columns, rows dropped) of a RecordBatch; None if a cell must be refused."""
    found = [
        (numpy_values(column), null_mask(column)) if own is None else text_numbers(column, own)
        for column, own in zip(batch.columns, labels, strict=True)
    ]
    arrays = [array for array, _ in found]
    missing = [mask for _, mask in found if mask is not None]
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


def _rounds_integers(data: bytes) -> bool:
    """Whether a cell of any column is an integer that float64 does not hold."""
    first = _LONG.match(data)
    later = _AFTER_A_CELL.finditer(data)
    cells = (found[1] for found in chain([first] if first else [], later))
    return any(int(float(cell)) != int(cell) for cell in cells)


def _has_long_lines(data: bytes) -> bool:
    """Whether a line of the chunk may be too long for the exact reader."""
    windows = range(0, len(data) - _WINDOW, _WINDOW)
    return any(data.find(b"\n", k, k + _WINDOW) < 0 for k in windows)


def _is_plain_text(data: bytes) -> bool:
    """Whether the exact reader would read the same rows and refuse no cell that is not selected."""
    if b'"' in data or b"\0" in data:
        return False
    try:
        return data.isascii() or bool(data.decode("utf-8"))
    except UnicodeDecodeError:
        return False
