"""Newton's method with the exact Hessian: to a minimum or another critical point.

J. Nocedal, S. Wright, 2006, Numerical Optimization, 2nd ed., Springer, sections 3.3 and 3.4. Plain
lists of numbers, so that a loss of few parameters needs no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import TypeAlias

from symgd._numpy import np
from symgd.solvers.geometric_tail import Tail
from symgd.solvers.objectives import Box, End, Objective
from symgd.solvers.symmetric import Rows, all_finite, finite_rows, solve_definite, spectrum

Trial: TypeAlias = tuple[list[float], tuple[float, list[float]]]  # a point, value and gradient

_EPS = 2.0**-52
_FEW = 4  # parameters, up to which Cholesky's method in Python is faster than NumPy's eigenvalues
_HALVINGS = 60
_CANCELED = 1e-8  # of the value, or of 1: rounding where terms cancel is below this
_NEGLIGIBLE = 1e-12  # of the value: a predicted decrease below this is rounding
_NONE = 1e-8  # of the largest curvature, one that is none
_DAMPINGS = 30


@dataclass(frozen=True)
class NewtonResult:
    """A point of the iteration.

    x, gradient: (P,). hessian: (P, P). step: (P,), Newton's step from x. definite: whether the
    Hessian is positive definite in the parameters not at a bound. finite: whether value and
    derivatives are. steps: iterations so far. reason: why it ended early, or "". moved: the length
    of the previous step, inf before there is one.
    """

    x: list[float]
    value: float
    gradient: list[float]
    hessian: Rows
    step: list[float]
    definite: bool
    finite: bool
    steps: int = 0
    reason: str = ""
    moved: float = math.inf

    @property
    def decrease(self) -> float:
        """The decrease of the value that the gradient predicts for the step."""
        return -sum(g * s for g, s in zip(self.gradient, self.step, strict=True))

    @property
    def negligible(self) -> bool:
        """Whether that decrease is rounding."""
        return self.decrease <= _NEGLIGIBLE * (abs(self.value) + 1e-300)

    def norm(self, step: Sequence[float]) -> float:
        """The length of a step, its entries in units of 1/sqrt|curvature|."""
        lengths = [math.sqrt(abs(self.hessian[k][k])) * s for k, s in enumerate(step)]
        return math.hypot(*lengths)

    def slope(self, box: Box | None = None) -> float:
        """max|g| in the parameters that no bound holds."""
        if box is None:
            return max(map(abs, self.gradient))
        free = box.free(self.x, self.gradient).tolist()
        return max((abs(g) for g, f in zip(self.gradient, free, strict=True) if f), default=0.0)

    def shrinks(self, ratio: float) -> bool:
        """Whether the step is shorter than the previous one by this ratio, as near a minimum.

        Where the curvature vanishes, as at 0 of x**3, each is half as long.
        """
        return self.norm(self.step) <= ratio * self.moved

    def is_close(self, tolerance: float, start: Sequence[float]) -> bool:
        """Whether the step is below this part of x (of 0: of tolerance times the start)."""
        size = max(math.hypot(*self.x), tolerance * math.hypot(*start))
        return math.hypot(*self.step) <= tolerance * size


def minimize(
    objective: Objective,
    start: Sequence[float],
    box: Box | None = None,
    steps: int = 200,
    tolerance: float = 0.0,
    local: bool = False,
    callback: Callable[[int, Sequence[float], float], None] | None = None,
) -> NewtonResult | None:
    """The end of the iteration from `start`, or None if the start is not finite.

    The Hessian is scaled to a unit diagonal; if it is not positive definite, its eigenvalues are
    taken by magnitude. Steps are halved until the value decreases enough (Armijo). tolerance: the
    end by `is_close`; 0: the end where the predicted decrease is below rounding. local: only full
    steps, as long as the Hessian is positive definite and the value decreases. callback: called
    with (steps, x, value) after each iteration.
    """
    iteration = iterate(objective, start, box, tolerance, local)
    before, current = None, next(iteration)
    if not current.finite:
        return None
    reason = ""
    while current.steps < steps:
        new = next(iteration, None)
        if new is None:
            break
        if not new.finite:
            reason = "the derivatives are not finite there"
            break
        before, current = current, new
        if callback is not None:
            callback(current.steps, current.x, current.value)
    else:
        if next(iteration, None) is not None:
            reason = f"{steps} iterations were not enough"
    if before is None:
        return replace(current, reason=reason)
    moved = current.norm([a - b for a, b in zip(current.x, before.x, strict=True)])
    return replace(current, reason=reason, moved=moved)


def iterate(
    objective: Objective,
    start: Sequence[float],
    box: Box | None = None,
    tolerance: float = 0.0,
    local: bool = False,
    tol: float | None = None,
) -> Generator[NewtonResult, None, End]:
    """The points of the iteration, the start first, to one that is not finite at the latest.

    tolerance, local: as for `minimize`. tol: it ends where max|g| <= tol; then it also leaves
    saddles along negative curvature, and where steps shrink by a constant factor, as at a singular
    minimum, it goes to their limit.
    """
    current = evaluate_at(objective, start if box is None else box.clip(start).tolist(), box)
    last_length, tail = math.inf, None if tol is None else Tail()
    while True:
        yield current
        if not current.finite:
            return End.BLOCKED
        length = current.norm(current.step)
        if tolerance:
            done = current.is_close(tolerance, start)
        else:
            done = current.negligible and (not current.definite or not length < 0.5 * last_length)
        small = tol is not None and current.slope(box) <= tol
        if done or small or (local and not current.definite):
            trial = None if tol is None or current.definite else _leave(objective, current, box)
            if trial is None:
                return End.SMALL if small else End.SETTLED
        else:
            trial = None if tail is None else _limit(objective, current, box, tail)
            trial = trial or _backtrack(objective, current, box, 1 if local else _HALVINGS)
            if trial is None and not local:
                trial = _level(objective, current, box)
            if trial is None or trial[0] == current.x:
                return End.BLOCKED
        last_length = length
        current = evaluate_at(objective, trial[0], box, current.steps + 1, trial[1])


def evaluate_at(
    objective: Objective,
    x: Sequence[float],
    box: Box | None = None,
    steps: int = 0,
    known: tuple[float, list[float]] | None = None,
) -> NewtonResult:
    """The result at x after so many steps. known: value and gradient at x."""
    value, gradient = known or objective.gradient(x)
    hessian = objective.hessian(x)
    finite = math.isfinite(value) and all_finite(gradient) and finite_rows(hessian)
    step, definite = [math.nan] * len(gradient), False
    if finite:
        free = None if box is None else box.free(x, gradient).tolist()
        step, definite = _step(hessian, gradient, free)
        if not any(map(any, hessian)):  # a slope without curvature, as far out on huber's: go far
            length = (1 + math.hypot(*x)) / (math.hypot(*gradient) or 1.0)
            moves = free or [True] * len(step)
            step = [-length * g * moved for g, moved in zip(gradient, moves, strict=True)]
    return NewtonResult(list(x), value, gradient, hessian, step, definite, finite, steps)


def _backtrack(
    objective: Objective, current: NewtonResult, box: Box | None, trials: int
) -> Trial | None:
    """The first x + step/2**k whose value is low enough, with value and gradient, or None."""
    fraction, negligible, decrease = 1.0, current.negligible, current.decrease
    for _ in range(trials):
        x = [a + fraction * s for a, s in zip(current.x, current.step, strict=True)]
        least = fraction * decrease
        if box is not None:  # what the bounds leave of the step
            x = box.clip(x).tolist()
            moves = zip(current.gradient, x, current.x, strict=True)
            least = max(0.0, -sum(g * (new - old) for g, new, old in moves))
        found = objective.gradient(x)
        lower = current.value - 1e-4 * least
        if negligible or -math.inf < found[0] <= lower:
            return x, found
        fraction *= 0.5
    return None


def _limit(
    objective: Objective, current: NewtonResult, box: Box | None, tail: Tail
) -> Trial | None:
    """The limit of the steps so far, where the gradient is far smaller there; else None."""
    if not current.definite:
        tail.forget()
        return None
    rest = tail.limit(np.array(current.step))
    if rest is None:
        return None
    x = [a + s for a, s in zip(current.x, rest.tolist(), strict=True)]
    x = x if box is None else box.clip(x).tolist()
    found = objective.gradient(x)
    lower = -math.inf < found[0] <= current.value
    smaller = math.hypot(*found[1]) < 0.1 * math.hypot(*current.gradient)
    return (x, found) if lower and smaller else None


def _level(objective: Objective, current: NewtonResult, box: Box | None) -> Trial | None:
    """The whole step, if values differ by rounding only and the gradient is smaller there.

    Where large terms cancel, as those of exp(x - 1) - x at 1, nobody knows how large rounding is:
    there the Hessian must be positive definite and the gradient halved.
    """
    x = [a + s for a, s in zip(current.x, current.step, strict=True)]
    x = x if box is None else box.clip(x).tolist()
    found = objective.gradient(x)
    change, free = found[0] - current.value, [s != 0 for s in current.step]
    before, after = (math.hypot(*compress(g, free)) for g in (current.gradient, found[1]))
    level = abs(change) <= _NEGLIGIBLE * abs(current.value) and after < before
    halved = current.definite and change <= _CANCELED * (1 + abs(current.value))
    return (x, found) if level or (halved and after <= 0.5 * before) else None


def _leave(objective: Objective, current: NewtonResult, box: Box | None) -> Trial | None:
    """A lower point along the direction of the most negative curvature; None where there is none.

    So much lower as a quarter of that curvature promises.
    """
    free = [True] * len(current.x)
    if box is not None:
        free = box.free(current.x, current.gradient).tolist()
    places = [k for k, moves in enumerate(free) if moves]
    if not places:
        return None
    split = spectrum([[current.hessian[i][j] for j in places] for i in places])
    lowest = split.values[0]
    if not lowest < -_NONE * max(map(abs, split.values)):
        return None
    way = dict(zip(places, split.lowest, strict=True))
    downhill = -sum(current.gradient[k] * d for k, d in way.items())
    length = 0.1 * max(1.0, math.hypot(*current.x))
    for _ in range(_HALVINGS):
        for sign in (1.0, -1.0) if downhill >= 0 else (-1.0, 1.0):
            x = [v + sign * length * way.get(k, 0.0) for k, v in enumerate(current.x)]
            x = x if box is None else box.clip(x).tolist()
            found = objective.gradient(x)
            if -math.inf < found[0] < current.value + 0.25 * lowest * length * length:
                return x, found
        length *= 0.5
    return None


def _step(
    hessian: Rows, gradient: Sequence[float], free: Sequence[bool] | None = None
) -> tuple[list[float], bool]:
    """Newton's step in the free parameters, and whether the Hessian is positive definite there."""
    if free is not None and not all(free):
        places = [k for k, moves in enumerate(free) if moves]
        part, definite = _step([[hessian[i][j] for j in places] for i in places],
                               [gradient[k] for k in places])  # fmt: skip
        step = [0.0] * len(gradient)
        for k, s in zip(places, part, strict=True):
            step[k] = s
        return step, definite
    downhill = [-g for g in gradient]
    if len(gradient) <= _FEW and (solution := solve_definite(hessian, downhill)) is not None:
        return solution, True
    scale = [math.sqrt(abs(row[k])) or 1.0 for k, row in enumerate(hessian)]
    rows = [[h / a / b for h, b in zip(row, scale, strict=True)]
            for row, a in zip(hessian, scale, strict=True)]  # fmt: skip
    split = spectrum(rows)
    sizes = [abs(v) for v in split.values]
    largest = max(sizes)
    definite = split.values[0] > 16 * len(sizes) * _EPS * largest
    floor = 0.0 if definite else max(1e-8 * largest, 1e-300)
    weights = [1 / max(size, floor) for size in sizes]
    step = split.apply(weights, [g / s for g, s in zip(downhill, scale, strict=True)])
    return [v / s for v, s in zip(step, scale, strict=True)], definite


def to_zero_gradient(
    objective: Objective, start: Sequence[float]
) -> Iterator[tuple[list[float], list[float]]]:
    """x and gradient, step by step, to a minimum, saddle or maximum: |gradient| falls.

    Newton's method for equations with Levenberg's damping: the step (H'H + damping)^-1 H'g, where
    directions without curvature are left alone. It ends where no damping lowers |gradient|.
    """
    x, gradient, damping = list(map(float, start)), objective.gradient(start)[1], 0.0
    while True:
        yield x, gradient
        hessian = objective.hessian(x)
        if not finite_rows(hessian):
            return
        split = spectrum(hessian)
        largest = max(map(abs, split.values))
        for _ in range(_DAMPINGS):
            weights = [
                1 / (v + damping / v) if abs(v) > 1e-14 * largest else 0.0 for v in split.values
            ]
            step = split.apply(weights, gradient)
            new = [a - s for a, s in zip(x, step, strict=True)]
            new_gradient = objective.gradient(new)[1]
            if math.hypot(*new_gradient) < math.hypot(*gradient) or new == x:
                break
            damping = max(10 * damping, 1e-6 * largest * largest)
        else:
            return
        x, gradient = new, new_gradient
        damping = 0.1 * damping if damping > 1e-30 else 0.0
