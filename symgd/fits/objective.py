"""A sum over rows to be minimized: its value, gradient and Hessian at numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from symgd.calculus.gradient import gradient, hessian
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node
from symgd.model.data_binding import RowData
from symgd.solvers.objectives import Matrix, Vector


class Objective:
    """`factor` times a node of `graph` over the parameters `leaves`."""

    def __init__(
        self, graph: Graph, rows: RowData, leaves: Sequence[Name], root: Node, factor: float = 1.0
    ) -> None:
        atoms = [graph.atom(leaf) for leaf in leaves]
        self.count = len(atoms)
        self.factor = factor
        self.rows = rows.table.rows
        slopes = gradient(graph, root, atoms)
        curves = hessian(graph, root, atoms)
        first = {"value": root} | {f"d{k}": g for k, g in enumerate(slopes)}
        second = {f"{i},{j}": curves[i][j] for i in range(self.count) for j in range(i + 1)}
        self._value = rows.compile(rows.program(leaves, {"value": root}))
        self._first = rows.compile(rows.program(leaves, first))
        self._second = rows.compile(rows.program(leaves, second))

    def value(self, x: Vector) -> float:
        """The value; inf where it is not finite."""
        found = self.raw(x)
        return found if math.isfinite(found) else math.inf

    def raw(self, x: Vector) -> float:
        """The value, -inf, inf and nan included."""
        return self.factor * self._value(*x.tolist())[0]

    def gradient(self, x: Vector) -> tuple[float, Vector]:
        """Value and gradient."""
        value, *slopes = self._first(*x.tolist())
        return self.factor * value, self.factor * np.array(slopes)

    def hessian(self, x: Vector) -> Matrix:
        """The (P, P) Hessian."""
        out = np.empty((self.count, self.count))
        entries = iter(self._second(*x.tolist()))
        for i in range(self.count):
            for j in range(i + 1):
                out[i, j] = out[j, i] = self.factor * next(entries)
        return out
