"""Minima by Newton's method, and which way a stationary point curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symgd.model.loss import Loss
from symgd.solvers import newton, symmetric

if TYPE_CHECKING:
    from symgd.solvers.objectives import Objective

_EPS = 2.0**-52
_BESIDE = 1e-6  # of x: so far to both sides of a minimum the loss curves up
_FAR = 1e8  # times the size of the start: no minimum is looked for so far away
_CLOSE = 1e-9  # of x: the step of a minimum that is found


@dataclass(frozen=True)
class Minimum:
    """A point with vanishing gradient and positive definite Hessian, and its eigenvalues.

    rounding: how far from x it may be, of a certified one.
    """

    x: list[float]
    eigenvalues: list[float]
    rounding: float = 0.0


class LossObjective:
    """A loss as Newton's method takes it."""

    def __init__(self, loss: Loss) -> None:
        self._evaluate = loss.internals.evaluate
        self._value = loss.internals.evaluate_value
        self.hessian = loss.internals.hess_rows

    def unchecked_value(self, x: Iterable[float], /) -> float:
        """The value, -inf, inf and nan included."""
        return self._value(*map(float, x))[0]

    def gradient(self, x: Sequence[float]) -> tuple[float, list[float]]:
        """Value and gradient."""
        value, *gradient = self._evaluate(*x)
        return value, gradient


def find_minimum(
    loss: Loss,
    x: Sequence[float],
    globalized: bool = False,
    iterations: int = 60,
    objective: Objective | None = None,
) -> Minimum | None:
    """The minimum that Newton's method reaches from x, if it goes downhill all the way.

    globalized: flip the sign of negative curvatures and shorten steps, for distant starts.
    objective: evaluates the loss, where that is counted.
    """
    start = [float(v) for v in x]
    found = newton.minimize(
        objective or LossObjective(loss),
        start,
        steps=iterations,
        tolerance=_CLOSE,
        local=not globalized,
    )
    # Newton's steps shrink superlinearly at a minimum, but only by a constant factor where the
    # curvature vanishes with the gradient (x**4 at 0): that is none to linearize at.
    if found is None or not (found.is_close(_CLOSE, start) and found.shrinks(0.05)):
        return None
    values = symmetric.eigenvalues(found.hessian)
    return Minimum(found.x, values) if values and values[0] > 1e-12 * abs(values[-1]) else None


def certified_minimum(loss: Loss, x: Sequence[float]) -> Minimum | None:
    """The minimum that damped Newton steps reach downhill from x, its gradient 0 to rounding.

    Another step from there is rounding error, and tells how large that is.
    """
    found = find_minimum(loss, x, globalized=True)
    if found is None:
        return None
    objective = LossObjective(loss)
    step = newton.evaluate_at(objective, found.x).step
    again = newton.evaluate_at(objective, [a + b for a, b in zip(found.x, step, strict=True)])
    size, error = math.hypot(*again.x), math.hypot(*again.step)
    if size > _FAR * (1 + math.hypot(*x)):  # flung there from where the curvature vanishes
        return None
    if not again.definite or not error <= _CLOSE * max(size, math.hypot(*x)):
        return None
    split = symmetric.spectrum(again.hessian)
    if _jumps(objective, again.x, _BESIDE * (max(size, math.hypot(*x)) or 1.0), split.values[-1]):
        return None
    for move in (_BESIDE * size, -_BESIDE * size):  # an inflection curves down on one side
        beside = [v + move * d for v, d in zip(again.x, split.lowest, strict=True)]
        there = eigenvalues(loss, beside)
        if not there or not there[0] > 0.1 * split.values[0]:
            return None
    return Minimum(again.x, split.values, error + 4 * _EPS * size)


def _jumps(objective: LossObjective, x: Sequence[float], far: float, curvature: float) -> bool:
    """Whether the gradient changes by more beside x than the curvature lets it: x is on a kink."""
    move = [far * (1 + (k % 7) / 8) for k in range(len(x))]  # askew to the axes
    low, high = (
        objective.gradient([v + sign * m for v, m in zip(x, move, strict=True)])[1]
        for sign in (-1, 1)
    )
    return not math.dist(low, high) <= 4 * curvature * math.hypot(*move)


def eigenvalues(loss: Loss, x: Sequence[float]) -> list[float]:
    """Of the Hessian at x, ascending; [] where it is not finite."""
    return symmetric.eigenvalues(loss.internals.hess_rows(x))


def steepest_curve(loss: Loss, x: Sequence[float]) -> list[float]:
    """The unit vector along which the Hessian at x curves down most; its largest entry is > 0."""
    if len(x) == 1:
        return [1.0]
    vector = symmetric.spectrum(loss.internals.hess_rows(x)).lowest
    return [v if abs(v) > 1e-12 else 0.0 for v in vector]
