"""A sum over rows as an objective function: value, gradient and Hessian."""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd.calculus.gradient import gradient, hessian
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node
from symgd.model.data_binding import RowData
from symgd.solvers.objectives import Vector


class RowObjective:
    """`factor` times a node of `graph` over the parameters `leaves`."""

    def __init__(
        self, graph: Graph, rows: RowData, leaves: Sequence[Name], root: Node, factor: float = 1.0
    ) -> None:
        atoms = [graph.atom(leaf) for leaf in leaves]
        self.count = len(atoms)
        self.factor = factor
        self.rows = rows.table.rows
        derivatives = gradient(graph, root, atoms)
        second_derivatives = hessian(graph, root, atoms)
        gradient_outputs = {"value": root} | {f"d{k}": g for k, g in enumerate(derivatives)}
        lower = [(i, j) for i in range(self.count) for j in range(i + 1)]
        hessian_outputs = {f"{i},{j}": second_derivatives[i][j] for i, j in lower}
        self._value = rows.compile(rows.program(leaves, {"value": root}))
        self._value_and_gradient = rows.compile(rows.program(leaves, gradient_outputs))
        self._hessian = rows.compile(rows.program(leaves, hessian_outputs))

    def value(self, x: Vector) -> float:
        """The value; inf where it is not finite."""
        found = self.unchecked_value(x)
        return found if math.isfinite(found) else math.inf

    def unchecked_value(self, x: Vector) -> float:
        """The value, -inf, inf and nan included."""
        return self.factor * self._value(*x.tolist())[0]

    def gradient(self, x: Sequence[float]) -> tuple[float, list[float]]:
        """Value and gradient."""
        value, *derivatives = [self.factor * v for v in self._value_and_gradient(*x)]
        return value, derivatives

    def hessian(self, x: Sequence[float]) -> list[list[float]]:
        """The (P, P) Hessian."""
        out = [[0.0] * self.count for _ in range(self.count)]
        entries = iter(self._hessian(*x))
        for i in range(self.count):
            for j in range(i + 1):
                out[i][j] = out[j][i] = self.factor * next(entries)
        return out
