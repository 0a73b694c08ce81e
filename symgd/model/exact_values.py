"""Value, gradient and Hessian of a loss, exact at the given doubles and rounded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Protocol

from symgd.backends.exact.exact_graph import ExactGraph
from symgd.backends.exact.multiprecision import Precise
from symgd.backends.program import Program
from symgd.calculus.gradient import gradient, hessian
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node

_OPERATIONS = 20_000  # beyond, one value takes seconds


class Typed(Protocol):
    """What is exact of a loss, and the same in doubles."""

    root: Node
    leaves: tuple[Name, ...]

    @property
    def rows(self) -> object: ...
    @property
    def value_program(self) -> Program: ...
    @property
    def evaluate_value(self) -> Callable[..., list[float]]: ...
    @property
    def evaluate(self) -> Callable[..., list[float]]: ...
    @property
    def evaluate_hess(self) -> Callable[..., list[float]]: ...


class ExactValues:
    """The formula of a loss as typed, its constants and derivatives unrounded."""

    def __init__(self, loss: Typed) -> None:
        self._loss = loss
        few = loss.value_program.operations <= _OPERATIONS
        self._possible = loss.rows is None and few

    def value(self, x: Sequence[float]) -> float:
        """The value at x."""
        rounded = self._loss.evaluate_value(*x)
        return self._value(x, rounded)[0] if self._possible else rounded[0]

    def value_and_grad(self, x: Sequence[float]) -> list[float]:
        """The value and the derivatives at x."""
        rounded = self._loss.evaluate(*x)
        return self._grad(x, rounded) if self._possible else rounded

    def hess(self, x: Sequence[float]) -> list[float]:
        """The upper triangle of the Hessian at x, row by row."""
        rounded = self._loss.evaluate_hess(*x)
        return self._hess(x, rounded) if self._possible else rounded

    def _precise(self, derive: Callable[[Graph, Node, list[Node]], list[Node]]) -> Precise:
        graph = ExactGraph()
        root = graph.replace([self._loss.root], {})[0]
        atoms = [graph.atom(leaf) for leaf in self._loss.leaves]
        return Precise(graph, self._loss.leaves, derive(graph, root, atoms))

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
