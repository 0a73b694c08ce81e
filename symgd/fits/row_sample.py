"""Random samples of the rows of a table."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

from symgd._numpy import NDArray, np
from symgd.data import Table
from symgd.model.data_binding import RowData

SEED = 0x73796D6764  # unlikely to be the seed that made the data


class MemoryRows:
    """Columns in memory, with the interface of a Table that a pass over rows uses."""

    def __init__(self, columns: Mapping[str, NDArray[Any]]) -> None:
        self.columns = columns
        self.names = tuple(columns)
        self.rows = len(next(iter(columns.values()), ()))

    def blocks(self) -> list[Mapping[str, NDArray[Any]]]:
        return [self.columns]


def sample_rows(rows: RowData, count: int) -> RowData:
    """About `count` rows, no row twice; all of them where there are no more."""
    share = count / rows.table.rows
    generator = np.random.default_rng(SEED)  # evenly spaced rows may all be alike
    parts: dict[str, list[Any]] = {name: [] for name in rows.table.names}
    for block in rows.table.blocks():
        length = len(next(iter(block.values())))
        chosen: Any = slice(None)
        if share < 1:
            wanted = math.ceil(share * length)
            chosen = np.sort(generator.choice(length, wanted, replace=False, shuffle=False))
        for name, column in block.items():
            parts[name].append(column[chosen])
    return with_columns(rows, {name: np.concatenate(part) for name, part in parts.items()})


def with_columns(rows: RowData, columns: Mapping[str, NDArray[Any]]) -> RowData:
    """`rows` with other columns; sums over the whole table stay known."""
    table = cast("Table", MemoryRows(columns))
    other = RowData(rows.graph, table, backend=rows.backend, threads=rows.threads)
    other.values.update({k: v for k, v in rows.values.items() if k not in other.values})
    return other
