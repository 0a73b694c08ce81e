"""A loss as the solvers over arrays take it: value, gradient, and products with a matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgd._locks import cached_property
from symgd._numpy import np
from symgd.backends.dispatch import compiled
from symgd.formula.nodes import Node
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.solvers.difference_product import difference_product
from symgd.solvers.objectives import Matrix, Vector

FEW = 30  # parameters up to which a Hessian is compiled entry by entry
_EXACT = 6_000  # operations of a loss whose products are exact: of longer ones they are differences


def work_of(loss: Loss) -> int:
    """The operations of value and gradient, those of all rows counted; of indices by loop nests."""
    shown, inner = loss.indexed or loss, loss.internals
    if shown.arrays is not None:
        functions = shown.indexed_text.functions
        return inner.kept("work of nests", lambda: functions.work(functions.program).operations)
    rows = loss.table.rows if loss.table is not None and inner.program.loops else 1
    return inner.program.operations * rows


class SmoothLoss:
    """Value and gradient of a loss, and products with its Hessian.

    Of a loss with indices by its loop nests, however few its parameters are.
    """

    def __init__(self, loss: Loss) -> None:
        arrays, inner = loss if loss.arrays is not None else loss.indexed, loss.internals
        self.gradient: Callable[[Any], tuple[float, Vector]]
        self.products: Callable[[Vector], Callable[[Vector], Vector]]
        of_arrays = None if arrays is None else arrays.indexed_text
        nests = inner if isinstance(inner, ArrayInternals) else of_arrays
        self._nests, self._inner = nests, inner
        if nests is not None:
            functions = nests.functions
            self.gradient, self.products = functions.gradient, functions.product_at
        elif len(loss.params) <= FEW:
            self.gradient = lambda x: _split(inner.evaluate(*x.tolist()))
            self.products = lambda x: np.array(inner.hess_rows(x.tolist())).__matmul__
        else:
            self.gradient = inner.compiled
            self.products = lambda x: lambda v: inner.product(x, v)
            if inner.program.operations > _EXACT:
                self.products = lambda x: difference_product(self.gradient, x)

    @property
    def exact_is_cheap(self) -> bool:
        """Whether products with the Hessian come from loop nests, not from a compiled Hessian."""
        return self._nests is not None

    @cached_property
    def code(self) -> Any:
        """Value and gradient as machine code that other machine code calls; None without it."""
        if self._nests is not None:
            return self._nests.functions.machine
        if len(self._inner.params) <= FEW or self._inner.rows is not None:
            return None
        from symgd.backends.native.array_module import compile_arrays

        return compiled(lambda: compile_arrays(self._inner.program))

    def evaluate(self, *x: float) -> list[float]:
        """[value, gradient...] at single numbers."""
        value, grad = self.gradient(np.array(x, dtype=np.float64))
        return [value, *grad.tolist()]


class GaussNewton(SmoothLoss):
    """The same of a sum of squares, with the Gauss-Newton matrix in place of the Hessian.

    entries: its upper triangle, row by row, as nodes of the loss.
    """

    def __init__(self, loss: Loss, entries: list[Node]) -> None:
        super().__init__(loss)
        inner = loss.internals
        program = inner.program_of({str(k): entry for k, entry in enumerate(entries)})
        evaluate = inner.compile(program)

        def matrix(x: Vector) -> Matrix:
            return np.array(inner.symmetric(evaluate(*x.tolist())))

        self.products = lambda x: matrix(x).__matmul__


def _split(out: list[float]) -> tuple[float, Vector]:
    return out[0], np.array(out[1:])
