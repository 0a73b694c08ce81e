"""A stand-in until the module of the data sources is merged: dicts of arrays and plain csv."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from symgd.errors import DataError


@dataclass(frozen=True)
class Table:
    """Named columns of one length."""

    columns: Mapping[str, np.ndarray[Any, Any]]
    dropped: int = 0
    source: str = "data"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns."""
        return tuple(self.columns)

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return len(next(iter(self.columns.values())))

    def blocks(self) -> Iterable[Mapping[str, np.ndarray[Any, Any]]]:
        """The rows in pieces."""
        yield self.columns


@dataclass(frozen=True)
class Opened:
    """A source whose names are known."""

    data: Any
    names: tuple[str, ...]


def open_source(source: Any) -> Opened:
    """The source with the names of its columns."""
    if isinstance(source, (str, Path)):
        try:
            with open(source, newline="", encoding="utf-8") as file:
                return Opened(source, tuple(next(csv.reader(file))))
        except (OSError, StopIteration) as error:
            raise DataError(f"cannot read {source}: {error}") from None
    if isinstance(source, Mapping):
        return Opened(source, tuple(map(str, source)))
    return Opened(source, tuple(map(str, source.columns)))


def read_table(
    source: Any,
    columns: Sequence[str] | None = None,
    *,
    drop_missing: bool = False,
    block_rows: int | None = None,
) -> Table:
    """The table of these columns of a source."""
    opened = source if isinstance(source, Opened) else open_source(source)
    source = opened.data
    if isinstance(source, (str, Path)):
        with open(source, newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            rows = list(reader)
        data: Any = {n: [float(r[n] or "nan") for r in rows] for n in columns or opened.names}
    else:
        data = source
    wanted = columns if columns is not None else opened.names
    arrays = {n: np.ascontiguousarray(data[n]) for n in wanted}
    arrays = {
        n: a if a.dtype in (np.float32, np.float64) else a.astype(float) for n, a in arrays.items()
    }
    if len({len(a) for a in arrays.values()}) > 1:
        raise DataError("the columns have different lengths")
    keep = np.ones(len(next(iter(arrays.values()))), dtype=bool)
    for array in arrays.values():
        keep &= np.isfinite(array)
    if not keep.all() and not drop_missing:
        raise DataError("there are missing values; --drop-missing skips them")
    if not keep.all():
        arrays = {n: a[keep] for n, a in arrays.items()}
    return Table(arrays, int((~keep).sum()), str(source)[:80])
