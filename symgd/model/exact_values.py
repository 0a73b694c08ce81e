"""Value, gradient and Hessian of a loss, exact at the given doubles and rounded once."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.backends.exact.error_bounds import Bounded, certainly_apart
from symgd.backends.exact.exact_graph import ExactGraph
from symgd.backends.exact.multiprecision import Precise
from symgd.calculus.gradient import gradient, hessian
from symgd.calculus.powers_of_roots import without_roots
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node
from symgd.model.checks import Point
from symgd.model.loss_internals import LossInternals

_OPERATIONS = 20_000  # beyond, one value takes seconds
_CHANGE_BITS = (106, 424)
_DIGIT_BITS = 166  # 50 decimal digits


class ExactValues:
    """Value, gradient and Hessian as the formula defines them at these doubles, rounded once.

    Right to the last digit also where terms cancel. Where the formula in doubles is not finite,
    its inf or nan is returned. Over data, of long arrays, and of formulas of more than 20,000
    operations, every operation is rounded. Hundreds of times slower than the functions of the same
    name of `Loss`, which take the same points.
    """

    def __init__(self, internals: LossInternals, read: Callable[[Point], list[float]]) -> None:
        self._internals, self._read = internals, read
        few = internals.value_program.operations <= _OPERATIONS
        symbols = len(internals.leaves) == len(internals.params)  # not of long arrays
        self._possible = internals.rows is None and few and symbols

    def derivatives(self, x: Sequence[Any], bits: int) -> tuple[list[Bounded], list[Bounded]]:
        """Gradient and upper triangle of the Hessian at numbers of mpmath, with error bounds."""
        return self._grad.at(x, bits)[1:], self._hess.at(x, bits)

    def change(self, x: Sequence[float], y: Sequence[float]) -> float:
        """L(y) - L(x), exact; 0 where no precision tells them apart, nan where one has no value."""
        if not self._possible:
            at_x, at_y = (self._internals.evaluate_value(*p)[0] for p in (x, y))
            return 0.0 if abs(at_y - at_x) <= 1e-14 * abs(at_x) else at_y - at_x
        for bits in _CHANGE_BITS:
            [before], [after] = self._value.at(x, bits), self._value.at(y, bits)
            if certainly_apart(before, after):
                return float(after.value - before.value)
        return 0.0 if after.value == after.value else math.nan

    def in_digits(self, x: Sequence[Fraction]) -> Any:
        """The value at rational numbers in 50 digits, a number of mpmath; nan where it has none."""
        [found] = self._value.at([f"{v.numerator}/{v.denominator}" for v in x], _DIGIT_BITS)
        return found.value

    def value(self, theta: Point) -> float:
        """The value at theta: a mapping name -> number, or numbers in the order of params."""
        x = self._read(theta)
        rounded = self._internals.evaluate_value(*x)
        return self._value(x, rounded)[0] if self._possible else rounded[0]

    def grad(self, theta: Point) -> NDArray[np.float64]:
        """The gradient at theta: (P,) float64 in the order of params."""
        return self.value_and_grad(theta)[1]

    def value_and_grad(self, theta: Point) -> tuple[float, NDArray[np.float64]]:
        """The value and the gradient, (P,) float64, at theta."""
        x = self._read(theta)
        rounded = self._internals.evaluate(*x)
        value, *grad = self._grad(x, rounded) if self._possible else rounded
        return value, np.array(grad, dtype=np.float64)

    def hess(self, theta: Point) -> NDArray[np.float64]:
        """The Hessian at theta: (P, P) float64, symmetric."""
        x = self._read(theta)
        rounded = self._internals.evaluate_hess(*x)
        triangle = self._hess(x, rounded) if self._possible else rounded
        rows = self._internals.symmetric(triangle)
        return np.array(rows, dtype=np.float64).reshape(len(x), len(x))

    def _precise(self, derive: Callable[[Graph, Node, list[Node]], list[Node]]) -> Precise:
        graph = ExactGraph()
        root = without_roots(graph, graph.replace([self._internals.root], {}))[0]
        atoms = [graph.atom(leaf) for leaf in self._internals.leaves]
        return Precise(graph, self._internals.leaves, derive(graph, root, atoms))

    @cached_property
    def _value(self) -> Precise:
        return self._precise(lambda graph, root, atoms: [root])

    @cached_property
    def _grad(self) -> Precise:
        return self._precise(lambda graph, root, atoms: [root, *gradient(graph, root, atoms)])

    @cached_property
    def _hess(self) -> Precise:
        return self._precise(
            lambda graph, root, atoms: [
                entry for i, row in enumerate(hessian(graph, root, atoms)) for entry in row[i:]
            ]
        )
