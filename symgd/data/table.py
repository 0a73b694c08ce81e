"""`Table`: named columns of floats in memory, or read again block by block on every pass."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgd._locks import cached_property
from symgd.data.detect_format import open_path
from symgd.data.select_columns import bind
from symgd.data.source import Array, Block, Pick, Source
from symgd.errors import ArgumentError, DataError

#: Bytes of columns. A file that holds more is read again on every pass.
IN_MEMORY = 1 << 28

_BLOCK = 1 << 24  # bytes of the blocks of such a file, unless block_rows says otherwise
_FEWEST = 1 << 10  # rows of a block: a power of two, as every default is
_MARGIN = 1.02  # rows of a text file are estimated
_SURPRISE = 2  # as many times IN_MEMORY are taken where the estimate was too low, and no more

Progress = Callable[[float], None]


def open_source(source: Any) -> Source:
    """Where a table comes from: its `names` are known, its columns not yet read.

    source: as for `read_table`, which takes the answer, too.
    """
    if hasattr(source, "blocks") and hasattr(source, "about"):
        opened: Source = source
        return opened
    if not isinstance(source, (str, os.PathLike)):
        from symgd.data.in_memory import open_object

        return open_object(source)
    return open_path(source)


def column_names(source: Any) -> tuple[str, ...]:
    """The names of all columns of a source that have one. Its rows are not read."""
    return tuple(name for name in open_source(source).names if name)


def read_table(
    source: Any,
    columns: Sequence[str] | None = None,
    *,
    drop_missing: bool = False,
    block_rows: int | None = None,
    progress: Progress | None = None,
) -> Table:
    """The columns of a table as floats, each number exactly as it is written.

    source: the path of a CSV, Parquet, Arrow or ORC file, "-" for standard input, a mapping of 1-D
    arrays, a structured array, a pandas or polars frame, an Arrow table, or an `open_source`.
    columns: the names that are wanted, all by default; the others may hold anything.
    drop_missing: leave out, and count, the rows in which a wanted cell is empty, NA, or not finite.
    block_rows: rows of a block; with it a file is read again on every pass, as it is without it
    when its columns take more than `IN_MEMORY` bytes.
    progress: called with the part that is read, 0 to 1, on every pass over a file.

    DataError: the first cell, row or name that is not as it should be, by its place.

    >>> table = read_table({"x": [1, 2, 3], "name": ["a", "b", "c"]}, ["x"])
    >>> table.rows, table.columns["x"]
    (3, array([1., 2., 3.]))
    """
    if block_rows is not None and block_rows < 1:
        raise ArgumentError(f"block_rows is {block_rows}; it must be 1 or more")
    opened = open_source(source)
    picks = bind(columns, opened.names, opened.label)
    if not picks:
        raise DataError("no column of the table is used", source=opened.label)
    reading = _Reading(opened, picks, drop_missing, progress)
    bytes_wanted = 8 * len(picks) * opened.about()
    gathered = None
    if opened.in_memory:
        gathered = _gather(reading.blocks(), len(picks), opened.about())
    elif block_rows is None and bytes_wanted <= IN_MEMORY:
        most = _SURPRISE * IN_MEMORY
        gathered = _gather(reading.blocks(), len(picks), opened.about(), most)
    if gathered is None:
        return _streamed(reading, block_rows or _block_rows(len(picks)))
    arrays, dropped = gathered
    return _checked(Table(reading, len(arrays[0]), dropped, block_rows, arrays))


@dataclass(frozen=True)
class _Reading:
    """What is read from where, and how."""

    source: Source
    picks: Sequence[Pick]
    drop: bool
    progress: Progress | None

    def blocks(self) -> Iterator[Block]:
        """One pass over the source."""
        for block in self.source.blocks(self.picks, self.drop):
            if self.progress is not None:
                self.progress(block.done)
            yield block


class Table:
    """Named columns of finite floats.

    names: of the columns, as they were asked for. rows: how many. dropped: rows left out for a
    missing cell. source: how messages call where it comes from. remarks: sentences about what a
    person may want to check. streamed: whether every pass reads the file again.
    """

    def __init__(
        self,
        reading: _Reading,
        rows: int,
        dropped: int,
        block_rows: int | None,
        arrays: Sequence[Array] | None,
    ) -> None:
        self.names = tuple(pick.name for pick in reading.picks)
        self.rows = rows
        self.dropped = dropped
        self.source = reading.source.label
        self.remarks = reading.source.remarks
        self.streamed = arrays is None
        self._reading = reading
        self._block_rows = block_rows
        self._arrays = arrays

    def __repr__(self) -> str:
        where = "read in blocks" if self.streamed else "in memory"
        return f"<Table of {self.rows:,} rows x {len(self.names)} columns, {where}>"

    def __reduce__(self) -> tuple[Callable[..., Table], tuple[dict[str, Array], list[str]]]:
        return read_table, (dict(self.columns), list(self.names))  # its numbers, not its file

    @cached_property
    def columns(self) -> Mapping[str, Array]:
        """Each column as a whole, by name: (rows,) float64, or float32 where the source was.

        They may be the very arrays of the source. A streamed table is loaded into memory.
        """
        arrays = self._arrays
        if arrays is None:
            gathered = _gather(self._pass(), len(self.names), self.rows)
            assert gathered is not None
            arrays, _ = gathered
        return dict(zip(self.names, arrays, strict=True))

    def blocks(self) -> Iterator[Mapping[str, Array]]:
        """All rows in order, as columns of `block_rows` rows each, the last ones maybe fewer.

        In memory they are views, and one block unless block_rows was given.
        """
        if self._arrays is None:
            assert self._block_rows is not None
            blocks = (block.arrays for block in self._pass())
            for arrays in _regroup(blocks, self._block_rows):
                yield dict(zip(self.names, arrays, strict=True))
            return
        step = self._block_rows or self.rows
        if step >= self.rows:
            yield dict(zip(self.names, self._arrays, strict=True))
            return
        for start in range(0, self.rows, step):
            parts = [array[start : start + step] for array in self._arrays]
            yield dict(zip(self.names, parts, strict=True))

    def _pass(self) -> Iterator[Block]:
        """The blocks of the source once more, which must be the same rows again."""
        rows = 0
        for block in self._reading.blocks():
            rows += len(block.arrays[0])
            yield block
        if rows != self.rows:
            sentence = f"it held {self.rows:,} rows at first and {rows:,} now"
            hint = "let nothing write to it while it is used"
            raise DataError(sentence, source=self.source, hint=hint)


def _streamed(reading: _Reading, block_rows: int) -> Table:
    """A table whose rows are read once, to check and count them, and then forgotten."""
    rows = dropped = 0
    for block in reading.blocks():
        rows += len(block.arrays[0])
        dropped += block.dropped
    return _checked(Table(reading, rows, dropped, block_rows, None))


def _checked(table: Table) -> Table:
    if table.rows == 0:
        sentence = "the table has no rows"
        if table.dropped:
            sentence = f"all {table.dropped:,} rows have a missing cell in a column that is used"
        raise DataError(sentence, source=table.source)
    return table


def _block_rows(columns: int) -> int:
    """The default length of blocks: a power of two, so that sums can be split evenly."""
    return int(max(_FEWEST, 1 << (_BLOCK // (8 * columns)).bit_length() - 1))


def _gather(
    blocks: Iterator[Block], width: int, about: int, most: float = math.inf
) -> tuple[Sequence[Array], int] | None:
    """The blocks as whole columns, and how many rows were dropped; None for more bytes than `most`.

    A single block is not copied. Of many, no more is in memory than the columns and one block.
    """
    first = next(blocks, None)
    if first is None:
        return [np.empty(0) for _ in range(width)], 0
    second = next(blocks, None)
    if second is None:
        return first.arrays, first.dropped
    columns = _Columns(first.arrays, int(about * _MARGIN))
    dropped = 0
    block: Block | None = first
    rest = _chain(second, blocks)
    while block is not None:
        columns.append(block.arrays)
        if columns.bytes > most:
            return None
        dropped += block.dropped
        block = next(rest, None)
    return columns.finish(), dropped


def _chain(block: Block, blocks: Iterator[Block]) -> Iterator[Block]:
    yield block
    yield from blocks


class _Columns:
    """Columns that grow in place: realloc moves pages where it can, and copies nothing."""

    def __init__(self, like: Sequence[Array], about: int) -> None:
        self._rows = 0
        self._room = max(about, 1)
        self._arrays = [np.empty(self._room, array.dtype) for array in like]

    @property
    def bytes(self) -> int:
        """Of the rows so far."""
        return self._rows * sum(array.itemsize for array in self._arrays)

    def append(self, arrays: Sequence[Array]) -> None:
        """Add the rows of a block."""
        stop = self._rows + len(arrays[0])
        if stop > self._room:
            self._resize(max(stop, self._room + self._room // 4))
        for column, array in zip(self._arrays, arrays, strict=True):
            column[self._rows : stop] = array
        self._rows = stop

    def finish(self) -> list[Array]:
        """The columns, no longer than their rows."""
        self._resize(self._rows)
        return self._arrays

    def _resize(self, room: int) -> None:
        for array in self._arrays:
            array.resize(room, refcheck=False)
        self._room = room


def _regroup(blocks: Iterator[Sequence[Array]], rows: int) -> Iterator[list[Array]]:
    """The same rows in blocks of exactly `rows`, the last one maybe shorter, each a new array."""
    out: list[Array] = []
    filled = 0
    for arrays in blocks:
        used, length = 0, len(arrays[0])
        while used < length:
            if not out:
                out = [np.empty(rows, array.dtype) for array in arrays]
            take = min(rows - filled, length - used)
            for target, array in zip(out, arrays, strict=True):
                target[filled : filled + take] = array[used : used + take]
            used += take
            filled += take
            if filled == rows:
                yield out
                out, filled = [], 0
    if filled:
        yield [array[:filled] for array in out]
