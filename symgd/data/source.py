"""The interface of a table source: the names of its columns, and blocks of its rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from symgd._numpy import NDArray, np
from symgd.data.labels import Labels

#: A column or a part of one: (rows,) float64 or float32, finite, contiguous.
Array: TypeAlias = "NDArray[np.floating[Any]]"


@dataclass(frozen=True)
class SelectedColumn:
    """A selected column. index: in the source. name: as it was requested.

    labels: of a column of texts, which is read as their numbers (dates, decimal commas, ...);
    None: it holds plain numbers.
    """

    index: int
    name: str
    labels: Labels | None = None


@dataclass(frozen=True)
class Block:
    """Some rows of the selected columns, in the order of the selection.

    dropped: rows left out because of a missing cell. progress: the fraction of the source read.
    """

    arrays: Sequence[Array]
    dropped: int
    progress: float


class TableSource(Protocol):
    """The origin of a table.

    label: its name in messages. names: of all columns. in_memory: whether its blocks are views.
    """

    @property
    def label(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def in_memory(self) -> bool: ...
    @property
    def decimal_comma(self) -> bool | None:
        """How 1,234 is read where no other number tells: 1.234, 1234, or not at all."""

    @property
    def remarks(self) -> tuple[str, ...]:
        """Warnings for the user."""

    def estimated_rows(self) -> int:
        """An estimate of the number of rows."""

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        """All rows in order, in blocks of any length; DataError at the first invalid cell.

        drop_missing: leave out rows with a missing cell.
        """
