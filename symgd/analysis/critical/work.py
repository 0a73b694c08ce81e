"""Evaluations of a loss, their operations counted: a search ends after the same ones everywhere."""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.program import Program
from symgd.formula.functions.table import SPECIAL
from symgd.model.loss import Loss
from symgd.solvers.symmetric import all_finite

# Operations that a function counts as which a series evaluates, here 0.1 to 1 ms against 0.2 us of
# the usual operation; bessely, whose two series cancel, took 2 to 13 ms.
_SERIES = 3_000
_LONGEST = {"bessely": 20_000}
_BLOCK, _ROWS = 5, 50  # NumPy takes as long as 5 operations to begin, and as one for 50 rows
_CALL = 20  # operations that a call costs by itself
_CREDIT = 3  # times the operations
_FAILED = 60  # times as long takes an operation where Python's arithmetic raises in one of them


class Work:
    """What is left of a number of operations, and the loss that they are spent on."""

    def __init__(self, loss: Loss, operations: int) -> None:
        internals = loss.internals
        rows = 0 if internals.rows is None else internals.rows.table.rows
        self.loss = loss
        self.left = operations
        self._credit = _CREDIT * operations
        self._value = _CALL + _operations(internals.value_program, rows)
        self._grad = _CALL + _operations(loss.internals.program, rows)
        eigenvalues = 20 * len(loss.params) ** 2 + 100
        self._hess = eigenvalues + _operations(internals.hessian_program, rows)

    @property
    def over(self) -> bool:
        """Whether all is spent."""
        return self.left <= 0

    def value(self, x: Sequence[float]) -> float:
        self.left -= self._value
        return self.loss.internals.evaluate_value(*x)[0]

    def gradient(self, x: Sequence[float]) -> tuple[float, list[float]]:
        value, *grad = self.loss.internals.evaluate(*x)
        self.left -= self._grad
        if not all_finite([value, *grad]):
            self.left -= _FAILED * (_CALL + self.loss.internals.program.operations)
        return value, grad

    def grad(self, x: Sequence[float]) -> list[float]:
        return self.gradient(x)[1]

    def slope(self, x: float) -> float:
        """The derivative of a loss of one parameter."""
        return self.gradient([x])[1][0]

    def hessian(self, x: Sequence[float]) -> list[list[float]]:
        self.left -= self._hess
        return self.loss.internals.hess_rows(x)

    def iterations(self, most: int) -> int:
        """How many iterations of Newton's method what is left will do for, at most so many.

        On credit, so that the first call is not cut short: nothing else is more promising.
        """
        left = self.left + self._credit if self.left > 0 else 0
        return min(most, left // (self._hess + self._grad))


def _operations(program: Program, rows: int) -> int:
    count = sum(
        _LONGEST.get(o.name, _SERIES) if o.cost >= SPECIAL else o.weight for o in program.body
    )
    return count * (_BLOCK + rows // _ROWS) if program.loops else count
