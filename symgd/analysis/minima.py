"""Minima by Newton's method, and which way a stationary point curves."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from symgd._numpy import np
from symgd.analysis import gradient_only
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals
from symgd.solvers import newton, symmetric
from symgd.solvers.objectives import Box, Objective

_EPS = 2.0**-52
_BESIDE = 1e-6  # of x: so far to both sides of a minimum the loss curves up
_FAR = 1e8  # times the size of the start: no minimum is looked for so far away
_DIFFERENCES = 200  # Hessians of one solver, or of several
_APPROACH = 64  # steps to the slope of a minimum,
_SHORTEST = 1e-6  # and the least part of one
_CLOSE = 1e-9  # of x: the step of a minimum that is found


@dataclass(frozen=True)
class Minimum:
    """A point with vanishing gradient and positive definite Hessian, and its eigenvalues.

    In bounds this is said of the parameters that are not held: held are those at a bound where the
    gradient points out of the box. rounding: how far from x it may be, of a certified one.
    """

    x: list[float]
    eigenvalues: list[float]
    rounding: float = 0.0
    held: tuple[bool, ...] = ()


@dataclass(frozen=True)
class LossObjective:
    """`factor` times a loss as the solvers take it."""

    loss: LossInternals
    factor: float = 1.0

    def value(self, x: Iterable[float], /) -> float:
        """The value, -inf, inf and nan included."""
        return self.factor * self.loss.evaluate_value(*map(float, x))[0]

    def gradient(self, x: Sequence[float]) -> tuple[float, list[float]]:
        value, *gradient = [self.factor * v for v in self.loss.evaluate(*x)]
        return value, gradient

    def hessian(self, x: Sequence[float]) -> list[list[float]]:
        return [[self.factor * v for v in row] for row in self.loss.hess_rows(x)]


@dataclass(frozen=True)
class NearObjective(LossObjective):
    """The same with Hessians of differences of gradients, until so many that compiling one pays."""

    asked: Iterator[int] = field(default_factory=count)

    def hessian(self, x: Sequence[float]) -> list[list[float]]:
        if next(self.asked) < _DIFFERENCES and "evaluate_hess" not in self.loss.__dict__:
            rows = gradient_only.hessian(lambda *y: self.loss.evaluate(*y), x)
            if rows:
                return [[self.factor * v for v in row] for row in rows]
        return super().hessian(x)


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
        objective or LossObjective(loss.internals),
        start,
        solver_box(loss),
        steps=iterations,
        tolerance=_CLOSE,
        local=not globalized,
    )
    # Newton's steps shrink superlinearly at a minimum, but only by a constant factor where the
    # curvature vanishes with the gradient (x**4 at 0): that is none to linearize at.
    if found is None or not (found.is_close(_CLOSE, start) and found.shrinks(0.05)):
        return None
    held = held_at(loss, found.x, found.gradient)
    values = symmetric.eigenvalues(_free_rows(found.hessian, held))
    if not (values[0] > 1e-12 * abs(values[-1]) if values else all(held)):
        return None
    return Minimum(found.x, values, held=held)


def certified_minimum(loss: Loss, x: Sequence[float]) -> Minimum | None:
    """The minimum that damped Newton steps reach downhill from x, its gradient 0 to rounding.

    Another step from there is rounding error, and tells how large that is. In bounds the point
    satisfies the conditions of W. Karush, H. Kuhn and A. Tucker with strict inequalities.
    """
    found = find_minimum(loss, x, globalized=True)
    if found is None:
        return None
    objective, box = LossObjective(loss.internals), solver_box(loss)
    step = newton.evaluate_at(objective, found.x, box).step
    moved = _clipped(loss, [a + b for a, b in zip(found.x, step, strict=True)])
    again = newton.evaluate_at(objective, moved, box)
    size, error = math.hypot(*again.x), math.hypot(*again.step)
    if size > _FAR * (1 + math.hypot(*x)):  # flung there from where the curvature vanishes
        return None
    if math.hypot(*x) > _FAR * (1 + size):  # from a run that diverged: rounding errors of its size
        return certified_minimum(loss, again.x)
    if not again.definite or not error <= _CLOSE * max(size, math.hypot(*x)):
        return None
    held = held_at(loss, again.x, again.gradient)
    reach = max(size, math.hypot(*x)) or 1.0
    if any(held) and not rises_inward(loss, again.x, held, reach):
        return None
    values: list[float] = []
    if not all(held) or not held:
        split = _spectrum(again.hessian, held)
        values = split.values
        if _jumps(loss, again.x, _BESIDE * reach, held, values[-1]):
            return None
        for move in (_BESIDE * size, -_BESIDE * size):  # an inflection curves down on one side
            way = zip(again.x, split.lowest, strict=True)
            there = eigenvalues(loss, _clipped(loss, [v + move * d for v, d in way]))
            if not there or not there[0] > 0.1 * values[0]:
                return None
    return Minimum(again.x, values, error + 4 * _EPS * size, held)


def approached(loss: Loss, x: Sequence[float], radius: float) -> list[float]:
    """The point from which the Newton step is shorter than the radius, on a minimum's slope.

    Reached from x downhill by Newton's steps of at most that length; where they lead nowhere, x.
    """
    objective, box, at = LossObjective(loss.internals), solver_box(loss), list(x)
    for _ in range(_APPROACH):
        here = newton.evaluate_at(objective, at, box)
        length = math.hypot(*here.step)
        if not here.finite or (here.definite and length <= radius):
            return at
        part = min(1.0, radius / length) if length else 0.0
        while part > _SHORTEST:
            new = _clipped(loss, [a + part * s for a, s in zip(at, here.step, strict=True)])
            if objective.value(new) < here.value:
                break
            part *= 0.5
        else:
            return at
        at = new
    return list(x)


def _jumps(
    loss: Loss, x: Sequence[float], far: float, held: Sequence[bool], curvature: float
) -> bool:
    """Whether the gradient changes by more beside x than the curvature lets it: x is on a kink.

    Of the parameters that are not held, within the bounds.
    """
    free = [k for k in range(len(x)) if not (held and held[k])]
    move = {k: far * (1 + (k % 7) / 8) for k in free}  # askew to the axes
    low, high = (
        loss.internals.evaluate(
            *_clipped(loss, [v + sign * move.get(k, 0.0) for k, v in enumerate(x)])
        )
        for sign in (-1, 1)
    )
    change = math.dist([low[1 + k] for k in free], [high[1 + k] for k in free])
    return not change <= 4 * curvature * math.hypot(*move.values())


def eigenvalues(loss: Loss, x: Sequence[float]) -> list[float]:
    """Of the Hessian at x in the parameters that are not held, ascending; [] if not finite."""
    return symmetric.eigenvalues(_free_rows(loss.internals.hess_rows(x), held_at(loss, x)))


def steepest_curve(loss: Loss, x: Sequence[float]) -> list[float]:
    """The unit vector along which the Hessian at x curves down most; its largest entry is > 0.

    0 for the parameters that are held at a bound.
    """
    held = held_at(loss, x)
    if held and all(held):
        return [0.0] * len(x)
    if len(x) == 1:
        return [1.0]
    vector = _spectrum(loss.internals.hess_rows(x), held).lowest
    return [v if abs(v) > 1e-12 else 0.0 for v in vector]


# -- in bounds ------------------------------------------------------------------------------


def solver_box(loss: Loss) -> Box | None:
    """The bounds of the parameters as the solvers take them."""
    box = loss.internals.box
    if box is None:
        return None
    return Box(np.array(box.low), np.array(box.high))


def held_at(
    loss: Loss, x: Sequence[float], grad: Sequence[float] | None = None
) -> tuple[bool, ...]:
    """Which parameters are at a bound where the gradient points out of the box; () without one."""
    box = loss.internals.box
    if box is None:
        return ()
    return tuple(box.held(x, loss.internals.evaluate(*x)[1:] if grad is None else grad))


def _clipped(loss: Loss, x: list[float]) -> list[float]:
    return x if loss.internals.box is None else loss.internals.box.clip(x)


def _free_rows(rows: symmetric.Rows, held: Sequence[bool]) -> symmetric.Rows:
    """The rows and columns of the parameters that are not held."""
    places = [k for k, is_held in enumerate(held) if not is_held]
    return [[rows[i][j] for j in places] for i in places] if any(held) else rows


def _spectrum(rows: symmetric.Rows, held: Sequence[bool]) -> symmetric.Spectrum:
    """Of the Hessian in the parameters that are not held, one at least; vectors of full length."""
    split = symmetric.spectrum(_free_rows(rows, held))
    if not any(held):
        return split
    places = [k for k, is_held in enumerate(held) if not is_held]
    vectors = [[0.0] * len(held) for _ in split.vectors]
    for whole, part in zip(vectors, split.vectors, strict=True):
        for k, v in zip(places, part, strict=True):
            whole[k] = v
    return symmetric.Spectrum(split.values, vectors)


def rises_inward(loss: Loss, x: Sequence[float], held: Sequence[bool], size: float) -> bool:
    """Whether the gradient still points outward a little inside of the bounds that hold."""
    box = loss.internals.box
    assert box is not None
    inward = [
        (_BESIDE * size if v <= low else -_BESIDE * size) * is_held
        for v, low, is_held in zip(x, box.low, held, strict=True)
    ]
    inside = box.clip(v + move for v, move in zip(x, inward, strict=True))
    grad = loss.internals.evaluate(*inside)[1:]
    return all(g * move > 0 for g, move in zip(grad, inward, strict=True) if move)
