"""ArrayInternals: what solvers ask a loss of arrays for, when it is too large to be written out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from symgd._locks import cached_property
from symgd._numpy import ArrayLike, NDArray, np
from symgd.errors import ArgumentError
from symgd.formula.nodes import Node
from symgd.model.array_functions import ArrayFunctions
from symgd.model.array_model import ArrayModel
from symgd.model.elements import element_names
from symgd.model.loss_internals import LossInternals

_MOST_ROWS = 1000  # of a Hessian


class ArrayInternals(LossInternals):
    """The same interface over the loop nests of an `ArrayModel`: values, gradients and products.

    There are no nodes of single derivatives: asking for them raises that the loss is too large.
    """

    def __init__(self, model: ArrayModel) -> None:
        self.model, self.functions = model, ArrayFunctions(model)
        self.graph, self.root = model.formula.graph, model.formula.root
        self.rows, self.box, self.goes_by_rows = None, None, False
        self._kept = {}

    @cached_property
    def params(self) -> tuple[str, ...]:  # type: ignore[override]
        """The names of all elements."""
        model = self.model
        return tuple(e for n in model.params for e in element_names(n, model.shape(n)))

    reduced = False  # no moments of the data stand for its rows
    leaves = ()  # no symbols of single parameters

    @property
    def ranges(self) -> dict[Node, tuple[float, float]]:
        """No symbols that the bounds would be of."""
        return {}

    @property
    def stable(self) -> Node:
        """The formula as it runs, with its indices."""
        return self.functions.root

    @property
    def derivatives(self) -> list[Node]:
        """Not here: one for each parameter."""
        raise self._too_large()

    @property
    def second_derivatives(self) -> list[list[Node]]:
        """Not here, either."""
        raise self._too_large()

    def _too_large(self) -> ArgumentError:
        return ArgumentError(
            f"the loss has {self.model.count:,} parameters: too many for what asks for each of them"
        )

    @cached_property
    def value_program(self) -> Any:
        """How much a value is."""
        return self.functions.work(self.functions.value_program)

    @cached_property
    def program(self) -> Any:
        """How much value and gradient are."""
        return self.functions.work(self.functions.program)

    @cached_property
    def compiled(self) -> Callable[[Sequence[float]], tuple[float, NDArray[np.float64]]]:
        """x -> (value, gradient)."""
        return self.functions.gradient

    @cached_property
    def evaluate(self) -> Callable[..., list[float]]:
        """(p0, p1, ...) -> [value, gradient...]."""

        def run(*x: float) -> list[float]:
            value, grad = self.functions.gradient(x)
            return [value, *grad.tolist()]

        return run

    @cached_property
    def evaluate_value(self) -> Callable[..., list[float]]:
        """(p0, p1, ...) -> [value]."""
        return lambda *x: [self.functions.value(x)]

    def hess_rows(self, x: Sequence[float]) -> list[list[float]]:
        """The Hessian as lists, by its products with the unit vectors."""
        if self.model.count > _MOST_ROWS:
            raise self._too_large()
        return [self.product(x, unit).tolist() for unit in np.eye(self.model.count)]

    def product(self, x: ArrayLike, v: ArrayLike) -> NDArray[np.float64]:
        """The Hessian at x times v, (P,) each."""
        return self.functions.product(x, v)
