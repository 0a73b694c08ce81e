"""Nodes of one row as a compiled NumPy function of the parameters and a block of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from functools import cache, partial
from typing import Any

from symgd._numpy import np
from symgd.backends.compiler import compile_per_row
from symgd.backends.lambdified import compile_array
from symgd.backends.numpy_rows import BLOCK, pieces
from symgd.formula.nodes import Name, Node
from symgd.model.data_binding import RowData, columns_below
from symgd.solvers.objectives import Matrix, Vector


class PerRowFunction:
    """`outputs`, nodes of one row, as a function of the parameters `leaves` and a block of rows."""

    def __init__(self, rows: RowData, leaves: Sequence[Name], outputs: Sequence[Node]) -> None:
        columns = columns_below(outputs)
        self._constants = rows.inputs(outputs)
        named = {str(k): node for k, node in enumerate(outputs)}
        inputs = [*columns, *leaves, *self._constants]
        # compiled at the first call: for a long table there is none
        self._compiled = cache(partial(compile_array, compile_per_row(inputs, named)))
        self._count = len(outputs)
        self.columns = [c.text for c in columns]
        self.rows = rows

    def on(self, rows: RowData) -> PerRowFunction:
        """The same compiled function over other rows of the same columns."""
        other = copy(self)
        other.rows = rows
        return other

    def blocks(self, theta: Sequence[float], most: int = BLOCK) -> Iterator[tuple[int, list[Any]]]:
        """(rows, values by output) for each block of rows; a constant value is a single number."""
        for count, arrays in self._blocks(most):
            with np.errstate(all="ignore"):
                values = self._compiled()(*arrays, *np.asarray(theta), *self._numbers())
            yield count, values

    def all_rows(self, theta: Sequence[float]) -> list[Vector]:
        """The values of each output over all rows: (N,) float64 each."""
        parts: list[list[Vector]] = [[] for _ in range(self._count)]
        for count, values in self.blocks(theta):
            for part, value in zip(parts, values, strict=True):
                part.append(np.broadcast_to(np.asarray(value, dtype=np.float64), count))
        return [np.concatenate(part) for part in parts]

    def at_points(self, points: Matrix) -> list[Matrix]:
        """The values of each output at many points, (T, P), over rows in memory: (T, N) each."""
        rows = self.rows.table.rows
        arrays = [np.asarray(self.rows.table.columns[c], dtype=np.float64) for c in self.columns]
        with np.errstate(all="ignore"):
            values = self._compiled()(*arrays, *points.T[:, :, None], *self._numbers())
        return [np.broadcast_to(np.asarray(v, np.float64), (len(points), rows)) for v in values]

    def extended_precision(self, theta: Sequence[float]) -> Iterator[list[Any]]:
        """The values block by block in np.longdouble (80 bits on x86)."""
        parameters = [np.longdouble(v) for v in theta]
        constants = [np.longdouble(v) for v in self._numbers()]
        for count, arrays in self._blocks():
            with np.errstate(all="ignore"):
                columns = [a.astype(np.longdouble) for a in arrays]
                values = self._compiled()(*columns, *parameters, *constants)
            yield [np.broadcast_to(v, count) for v in values]

    def _blocks(self, most: int = BLOCK) -> Iterator[tuple[int, list[Any]]]:
        read = self.columns or list(self.rows.table.names[:1])  # a constant still has rows
        for arrays in pieces(self.rows.table, read, most):
            yield len(arrays[0]), arrays if self.columns else []

    def _numbers(self) -> list[float]:
        return [self.rows.values[name] for name in self._constants]
