"""`Table`: named float columns in memory, or read block by block on every pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any

from symgd._locks import cached_property
from symgd._numpy import np
from symgd.data.csv import CsvSource
from symgd.data.dates import Dates, Origin, is_date
from symgd.data.detect_format import open_source
from symgd.data.labels import Labels
from symgd.data.parse_cell import BadCell, parse_text
from symgd.data.select_columns import select_columns
from symgd.data.source import Array, Block, SelectedColumn, TableSource
from symgd.data.written_numbers import WrittenNumbers, has_decimal_comma, is_written_number
from symgd.errors import ArgumentError, DataError

#: Bytes of columns up to which a file is kept in memory; a larger one is read on every pass.
IN_MEMORY = 1 << 28

_BLOCK = 1 << 24  # bytes of its blocks, unless block_rows is given
_FEWEST_ROWS = 1 << 10  # rows of a block
_MARGIN = 1.02  # of the estimated rows
_TOLERANCE = 2  # times IN_MEMORY, if the estimate was too low

Progress = Callable[[float], None]


def column_names(source: Any) -> tuple[str, ...]:
    """The names of all columns of a source; columns without a name are left out."""
    return tuple(name for name in open_source(source).names if name)


def read_table(
    source: Any,
    columns: Sequence[str] | None = None,
    *,
    drop_missing: bool = False,
    block_rows: int | None = None,
    progress: Progress | None = None,
    categories: Sequence[Collection[str]] = (),
    labels: Mapping[str, Sequence[str]] | None = None,
    origins: Mapping[str, Origin] | None = None,
    names: Sequence[str] | None = None,
) -> Table:
    """The columns of a table as floats, each number exactly as written.

    source: the path of a CSV, Parquet, Arrow or ORC file, "-" for standard input, an open file, a
    mapping of 1-D arrays, a 2-D or structured array, a pandas or polars frame, an Arrow table, or
    an `open_source`. names: of the columns of a text file or a 2-D array, x1, x2, ... without them.
    columns: the names to read, all by default; other columns may contain anything.
    drop_missing: drop and count the rows in which a cell is empty, NA, or not finite.
    block_rows: rows of a block; a file is then read again on every pass, as it is without it when
    its columns take more than `IN_MEMORY` bytes.
    progress: called with the fraction read, 0 to 1, on every pass over a file.
    categories: columns that may hold texts, which are then numbered from 1 in sorted order
    (`Table.labels`); those of one group share their numbers. labels: all texts of columns that
    hold texts, in the order of their numbers. Dates and times become days or seconds since the
    first one (`Table.origins`), or since that of `origins`. `Table.remarks` says how cells that
    are no plain numbers were read.

    DataError: the location of the first invalid cell, row or name.

    >>> table = read_table({"x": [1, 2, 3], "name": ["a", "b", "c"]}, ["x"])
    >>> table.rows, table.columns["x"]
    (3, array([1., 2., 3.]))
    >>> table = read_table({"site": ["b", "a", "b"]}, categories=[["site"]])
    >>> table.columns["site"], table.labels["site"]
    (array([2., 1., 2.]), ('a', 'b'))
    """
    if block_rows is not None and block_rows < 1:
        raise ArgumentError(f"block_rows is {block_rows}; it must be 1 or more")
    opened = open_source(source, names)
    selected = select_columns(columns, opened.names, opened.label)
    if not selected:
        raise DataError("no column of the table is used", source=opened.label)
    for name, texts in (labels or {}).items():
        known = Labels(texts)
        selected = [replace(c, labels=known) if c.name == name else c for c in selected]
    while True:
        try:
            return _read(opened, selected, drop_missing, block_rows, progress)
        except DataError as error:  # read texts where there are some
            commas = _with_decimal_commas(error, opened)
            if commas is not None:
                with suppress(DataError):
                    return _read(commas, selected, drop_missing, block_rows, progress)
            found = _texts_at(error, opened, selected, categories, origins or {})
            if found is None:
                raise
            group, shared = found
            selected = [replace(c, labels=shared) if c.name in group else c for c in selected]


def _with_decimal_commas(error: DataError, opened: TableSource) -> TableSource | None:
    """The source read with decimal commas, where the refused cell has one and it can be."""
    if isinstance(opened, CsvSource) and has_decimal_comma(error.cell or "", opened.decimal_comma):
        return opened.with_decimal_commas()
    return None


def _texts_at(
    error: DataError,
    opened: TableSource,
    selected: Sequence[SelectedColumn],
    categories: Sequence[Collection[str]],
    origins: Mapping[str, Origin],
) -> tuple[Collection[str], Labels] | None:
    """The columns of the cell that was refused, and how to read their texts; None if unknown."""
    if error.cell is None or isinstance(parse_text(error.cell), BadCell):
        return None
    numeric = {c.name: opened.names[c.index] for c in selected if c.labels is None}
    for name in (name for name, other in numeric.items() if other == error.column):
        if group := next((group for group in categories if name in group), None):
            return group, Labels()
        if is_date(error.cell):
            return [name], Dates(name, origins.get(name))
        if is_written_number(error.cell) and not opened.in_memory:
            return list(numeric), WrittenNumbers(opened.label, opened.decimal_comma)
    return None


def _read(
    opened: TableSource,
    selected: Sequence[SelectedColumn],
    drop_missing: bool,
    block_rows: int | None,
    progress: Progress | None,
) -> Table:
    """The selected columns of a source as a Table."""

    def scan() -> Iterator[Block]:
        for block in opened.blocks(selected, drop_missing):
            if progress is not None:
                progress(block.progress)
            yield block

    arrays, rows, dropped = None, opened.estimated_rows(), 0
    fits = block_rows is None and 8 * len(selected) * rows <= IN_MEMORY
    if opened.in_memory or fits:
        limit = math.inf if opened.in_memory else _TOLERANCE * IN_MEMORY
        arrays, dropped = _concatenate(scan(), len(selected), rows, limit)
    if arrays is not None:
        rows = len(arrays[0])
    else:  # it is read once to check and count its rows
        block_rows = block_rows or _block_rows(len(selected))
        rows = 0
        for block in scan():
            rows += len(block.arrays[0])
            dropped += block.dropped
    if rows == 0:
        sentence = "the table has no rows"
        if dropped:
            sentence = f"all {dropped:,} rows have a missing cell in a column that is used"
        raise DataError(sentence, source=opened.label)
    names = tuple(column.name for column in selected)
    try:
        final = _settled(selected, arrays if dropped else None)
    except DataError as error:
        error.source = opened.label
        raise
    if arrays is not None:
        arrays = [
            array if c.labels is None else final[c.labels][array.astype(np.intp)]
            for array, c in zip(arrays, selected, strict=True)
        ]
    read = {c.name: c.labels for c in selected if c.labels is not None}
    texts = {name: labels.texts for name, labels in read.items() if labels.categories}
    of_labels = [labels.remark(name) for name, labels in read.items()]
    remarks = tuple(filter(None, dict.fromkeys([*opened.remarks, *of_labels])))
    found = {name: labels.origin for name, labels in read.items() if isinstance(labels, Dates)}
    origins = {name: origin for name, origin in found.items() if origin is not None}
    return Table(
        names, rows, dropped, opened.label, remarks, scan, block_rows, arrays, texts, origins
    )


def _settled(
    selected: Sequence[SelectedColumn], arrays: Sequence[Array] | None
) -> dict[Labels, Array]:
    """The final numbers of all labels. arrays: the columns, if labels may be in no row of them."""
    used: dict[Labels, set[float] | None] = {}
    for k, column in enumerate(selected):
        if column.labels is not None:
            found = None if arrays is None else set(np.unique(arrays[k]).tolist())
            used[column.labels] = found and found | (used.get(column.labels) or set())
    return {labels: labels.settle(found) for labels, found in used.items()}


@dataclass(eq=False, repr=False)
class Table:
    """Named columns of finite floats.

    names: of the columns, as requested. rows: their number. dropped: rows left out because of a
    missing cell. source: its name in messages. remarks: warnings for the user. labels: the texts
    of each column of categories, in the order of their numbers 1, 2, ... origins: what columns of
    dates count from.
    """

    names: tuple[str, ...]
    rows: int
    dropped: int
    source: str
    remarks: tuple[str, ...]
    _scan: Callable[[], Iterator[Block]]
    _block_rows: int | None
    _arrays: Sequence[Array] | None
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def streamed(self) -> bool:
        """Whether every pass reads the file again."""
        return self._arrays is None

    def __repr__(self) -> str:
        where = "read in blocks" if self.streamed else "in memory"
        return f"<Table of {self.rows:,} rows x {len(self.names)} columns, {where}>"

    def __reduce__(self) -> tuple[Callable[..., Table], tuple[Any, ...]]:
        columns = dict(self.columns)  # not the file
        return _unpickle, (columns, list(self.names), self.labels, self.origins, self.remarks)

    @cached_property
    def columns(self) -> Mapping[str, Array]:
        """The whole columns by name: (rows,) float64, or float32 if the source is.

        They may be the arrays of the source. A streamed table is loaded into memory.
        """
        arrays = self._arrays
        if arrays is None:
            arrays, _ = _concatenate(self._scan_again(), len(self.names), self.rows)
            assert arrays is not None
        return dict(zip(self.names, arrays, strict=True))

    def blocks(self) -> Iterator[Mapping[str, Array]]:
        """All rows in order, as columns of `block_rows` rows each, the last ones possibly fewer.

        In memory they are views, and a single block unless block_rows was given.
        """
        whole, step = self._arrays, self._block_rows or self.rows
        if whole is None:
            parts = _regroup((block.arrays for block in self._scan_again()), step)
        else:
            starts = range(0, self.rows, step)
            parts = ([array[start : start + step] for array in whole] for start in starts)
        for arrays in parts:
            yield dict(zip(self.names, arrays, strict=True))

    def _scan_again(self) -> Iterator[Block]:
        """The blocks of another pass; DataError if the number of rows has changed."""
        rows = 0
        for block in self._scan():
            rows += len(block.arrays[0])
            yield block
        if rows != self.rows:
            sentence = f"it held {self.rows:,} rows at first and {rows:,} now"
            hint = "let nothing write to it while it is used"
            raise DataError(sentence, source=self.source, hint=hint)


def _unpickle(columns: Mapping[str, Array], names: list[str], *more: Any) -> Table:
    labels, origins, remarks = more
    table = read_table(columns, names)
    return replace(table, labels=labels, origins=origins, remarks=remarks)


def _block_rows(columns: int) -> int:
    """The default rows of a block: a power of two, so that sums split evenly."""
    return int(max(_FEWEST_ROWS, 1 << (_BLOCK // (8 * columns)).bit_length() - 1))


def _concatenate(
    blocks: Iterator[Block], width: int, estimated_rows: int, limit: float = math.inf
) -> tuple[Sequence[Array] | None, int]:
    """(the blocks as whole columns, the number of dropped rows); (None, 0) above `limit` bytes.

    A single block is not copied. Of many, only the columns and one block are in memory.
    """
    first = next(blocks, None)
    if first is None:
        return [np.empty(0) for _ in range(width)], 0
    second = next(blocks, None)
    if second is None:
        return first.arrays, first.dropped
    # grown by realloc, which moves pages instead of copying
    columns = [np.empty(int(estimated_rows * _MARGIN) + 1, a.dtype) for a in first.arrays]
    row_bytes = sum(column.itemsize for column in columns)
    rows = dropped = 0
    for block in chain((first, second), blocks):
        stop = rows + len(block.arrays[0])
        if stop * row_bytes > limit:
            return None, 0
        if stop > len(columns[0]):
            _resize(columns, max(stop, rows + rows // 4))
        for column, array in zip(columns, block.arrays, strict=True):
            column[rows:stop] = array
        rows = stop
        dropped += block.dropped
    _resize(columns, rows)
    return columns, dropped


def _resize(columns: Sequence[Array], rows: int) -> None:
    for column in columns:
        column.resize(rows, refcheck=False)


def _regroup(blocks: Iterator[Sequence[Array]], rows: int) -> Iterator[list[Array]]:
    """The rows in blocks of exactly `rows`, the last one possibly shorter, as new arrays."""
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
