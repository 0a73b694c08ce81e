"""The sums that least squares needs of a long table, in one pass over its rows each."""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.compiler import compile_program
from symgd.backends.dispatch import choose_rows
from symgd.backends.numpy_rows import RowFunction
from symgd.backends.program import Program
from symgd.calculus.row_sums import lower
from symgd.formula.nodes import Name, Node, RowSum
from symgd.model.data_binding import PASSES, RowData


class Sums:
    """The sums over rows of r**2, and of r**2, J'J and J'r, as programs of one pass each.

    They hold no table: each call is told its rows, so that one compilation serves many.
    """

    def __init__(
        self, rows: RowData, leaves: Sequence[Name], residual: Node, slopes: Sequence[Node]
    ) -> None:
        self._graph, self._leaves = rows.graph, leaves
        self._residual, self._slopes = residual, slopes
        self._made: dict[tuple[bool, int], tuple[Program, RowFunction]] = {}

    def rss(self, rows: RowData, theta: Sequence[float], about: int) -> float:
        """The sum of squares alone."""
        return self._call(rows, False, theta, about)[0]

    def gram(self, rows: RowData, theta: Sequence[float], about: int) -> list[float]:
        """The sum of squares, the lower triangle of J'J, J'r."""
        return self._call(rows, True, theta, about)

    def _call(
        self, rows: RowData, products: bool, theta: Sequence[float], about: int
    ) -> list[float]:
        # about: the magnitude of the table; what pays for 10^6 rows does not for 10^4
        key = products, about
        if key not in self._made:
            program = self._program(rows, products)
            function = choose_rows(rows.backend, program, 1 << about, PASSES, rows.threads)
            self._made[key] = program, function
        program, function = self._made[key]
        return function((*theta, *rows.more(program)), rows.table)

    def _program(self, rows: RowData, products: bool) -> Program:
        graph, slopes, r = self._graph, self._slopes, self._residual
        terms = [graph.pow(r, 2)]
        if products:
            terms += [graph.mul(a, b) for i, a in enumerate(slopes) for b in slopes[: i + 1]]
            terms += [graph.mul(slope, r) for slope in slopes]
        sums = lower(graph, [graph.node(RowSum, term) for term in terms])
        named = {str(k): node for k, node in enumerate(sums)}
        return compile_program([*self._leaves, *rows.inputs(sums)], named)
