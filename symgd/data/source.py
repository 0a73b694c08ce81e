"""What every kind of source gives to a table: its names, and its columns block by block."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

#: One column, or a piece of one: (rows,) float64 or float32, finite, contiguous.
Array = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class Pick:
    """A column that is wanted. index: its place in the source, name: what it is asked for as."""

    index: int
    name: str


@dataclass(frozen=True)
class Block:
    """Some rows of the wanted columns, in the order in which they are wanted.

    dropped: rows left out of it for a missing cell. done: how much of the source is read, 0 to 1.
    """

    arrays: Sequence[Array]
    dropped: int
    done: float


class Source(Protocol):
    """Something that holds a table.

    label: how messages call it. names: of all its columns. in_memory: its blocks cost no copy.
    """

    @property
    def label(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def in_memory(self) -> bool: ...
    @property
    def remarks(self) -> tuple[str, ...]:
        """Sentences about what a person may want to check."""

    def about(self) -> int:
        """About how many rows there are."""

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        """All rows from the first on, in blocks of any length; DataError at the first bad cell.

        drop: leave out rows with a missing cell rather than refuse them.
        """
