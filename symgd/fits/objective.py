"""A loss over rows as an objective function of the solvers: value, gradient and Hessian."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from symgd.model.loss_internals import LossInternals
from symgd.solvers.objectives import Vector


@dataclass(frozen=True)
class RowObjective:
    """`factor` times a loss over rows."""

    loss: LossInternals
    factor: float = 1.0

    @property
    def rows(self) -> int:
        """The number of rows."""
        assert self.loss.rows is not None
        return self.loss.rows.table.rows

    def value(self, x: Vector) -> float:
        """The value; inf where it is not finite."""
        found = self.unchecked_value(x)
        return found if math.isfinite(found) else math.inf

    def unchecked_value(self, x: Vector) -> float:
        """The value, -inf, inf and nan included."""
        return self.factor * self.loss.evaluate_value(*x.tolist())[0]

    def gradient(self, x: Sequence[float]) -> tuple[float, list[float]]:
        """Value and gradient."""
        value, *derivatives = [self.factor * v for v in self.loss.evaluate(*x)]
        return value, derivatives

    def hessian(self, x: Sequence[float]) -> list[list[float]]:
        """The (P, P) Hessian."""
        return self.loss.symmetric([self.factor * v for v in self.loss.evaluate_hess(*x)])
