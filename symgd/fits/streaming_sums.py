"""The sums over rows for the normal equations of a long table, in one pass each."""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.compiler import compile_program
from symgd.backends.dispatch import choose_rows
from symgd.backends.numpy_rows import RowFunction
from symgd.backends.program import Program
from symgd.calculus.row_sums import lower
from symgd.formula.nodes import Name, Node, RowSum
from symgd.model.data_binding import PASSES, RowData


class StreamingSums:
    """The sums over rows of r**2, and of r**2, J'J and J'r, as programs of one pass each.

    The rows are an argument of each call, so that one compilation serves many tables.
    """

    def __init__(
        self, rows: RowData, leaves: Sequence[Name], residual: Node, derivatives: Sequence[Node]
    ) -> None:
        self._graph, self._leaves = rows.graph, leaves
        self._residual, self._derivatives = residual, derivatives
        self._compiled: dict[tuple[bool, int], tuple[Program, RowFunction]] = {}

    def rss(self, rows: RowData, theta: Sequence[float], magnitude: int) -> float:
        """The sum of squares. magnitude: log2 of the rows that the backend is chosen for."""
        return self._call(rows, False, theta, magnitude)[0]

    def gram(self, rows: RowData, theta: Sequence[float], magnitude: int) -> list[float]:
        """The sum of squares, the lower triangle of J'J, J'r."""
        return self._call(rows, True, theta, magnitude)

    def _call(
        self, rows: RowData, products: bool, theta: Sequence[float], magnitude: int
    ) -> list[float]:
        key = products, magnitude
        if key not in self._compiled:
            program = self._program(rows, products)
            function = choose_rows(rows.backend, program, 1 << magnitude, PASSES, rows.threads)
            self._compiled[key] = program, function
        program, function = self._compiled[key]
        return function((*theta, *rows.more(program)), rows.table)

    def _program(self, rows: RowData, products: bool) -> Program:
        graph, derivatives, r = self._graph, self._derivatives, self._residual
        terms = [graph.pow(r, 2)]
        if products:
            pairs = ((a, b) for i, a in enumerate(derivatives) for b in derivatives[: i + 1])
            terms += [graph.mul(a, b) for a, b in pairs]
            terms += [graph.mul(derivative, r) for derivative in derivatives]
        sums = lower(graph, [graph.node(RowSum, term) for term in terms])
        named = {str(k): node for k, node in enumerate(sums)}
        return compile_program([*self._leaves, *rows.inputs(sums)], named)
