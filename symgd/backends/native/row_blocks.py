"""Run loops over rows in machine code: as loop nests, for one piece of the table after the other.

As in `symgd.backends.numpy_rows`, each nest computes the sums of every block of rows, which are
added exactly (math.fsum), so the result depends neither on the threads nor on the pieces.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgd.backends.native.nests.nest_machine import BoundNests, NativeNests
from symgd.backends.nests import row_nest
from symgd.backends.numpy_rows import RowFunction, Source, compile_rows, join
from symgd.backends.program import Nest, Program, names_read
from symgd.formula.nodes import ROWS, Column

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDE, _NARROW = np.dtype(np.float64), np.dtype(np.float32)
_PIECE = 1 << 20  # rows after which machine code returns: the caller may be interrupted
_COPIED = 1 << 16  # rows of columns in another layout that are copied at a time
_KEPT = 4  # lengths of pieces for which sizes are remembered


def compile_native(program: Program, threads: int | None = None) -> RowFunction:
    """`symgd.backends.numpy_rows.compile_rows` in machine code.

    threads: how many, at most; None: $SYMGD_THREADS, or as many as this process may use.
    """
    return compile_rows(program, lambda nest, columns: NativeRowNest(nest, columns, threads))


class NativeRowNest:
    """A nest over rows, compiled for columns of doubles and, when they come, of single floats."""

    def __init__(self, nest: Nest, columns: Sequence[Column], threads: int | None = None) -> None:
        self.columns, self.join, self.threads = columns, join(nest), threads
        self.inputs = names_read(nest)
        self.results = [store.target for store in nest.stores]
        self.program = row_nest(nest, columns)
        self._bound: dict[tuple[int, frozenset[str]], BoundNests] = {}
        NativeNests(self.program)  # raises here if it cannot be compiled

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        """The sums over all rows."""
        x = np.array([*values, 0.0])
        found = [self._sums(columns, x) for columns in self._pieces(source)]
        return map(self.join, np.concatenate(found).T.tolist())

    def _pieces(self, source: Source) -> Iterator[dict[str, NDArray[Any]]]:
        """The columns by identifier, contiguous, of a number of rows each."""
        for rows in source.blocks():
            columns = {c.name: rows[c.text] for c in self.columns}
            step = _PIECE if all(map(_is_plain, columns.values())) else _COPIED
            for first in range(0, len(next(iter(columns.values()))), step):
                yield {n: _plain(cells[first : first + step]) for n, cells in columns.items()}

    def _sums(self, columns: dict[str, NDArray[Any]], x: NDArray[np.float64]) -> Any:
        """(blocks, sums)."""
        count = len(next(iter(columns.values())))
        narrow = frozenset(n for n, cells in columns.items() if cells.itemsize == 4)
        bound = self._bound.get((count, narrow))
        if bound is None:
            offsets = {scalar.name: k for k, scalar in enumerate(self.program.scalars)}
            places = {name: k for k, name in enumerate(self.results)}
            extents, none = dict.fromkeys(columns, (count,)), dict.fromkeys(columns, np.empty(0))
            bound = NativeNests(self.program, narrow).bind(
                {ROWS: count}, extents, none, offsets, places, self.threads
            )
            self._bound[count, narrow] = bound
            while len(self._bound) > _KEPT:
                self._bound.pop(next(iter(self._bound)), None)
        return bound.chunk_sums(x, columns)


def _plain(cells: NDArray[Any]) -> NDArray[Any]:
    """The cells as a contiguous array of a type that machine code reads; a view if possible."""
    if _is_plain(cells):
        return cells
    return np.require(cells, _NARROW if cells.dtype == _NARROW else _WIDE, ["C", "A"])


def _is_plain(cells: NDArray[Any]) -> bool:
    flags = cells.flags
    return cells.dtype in (_WIDE, _NARROW) and flags.c_contiguous and flags.aligned
