"""Newton's method with the exact Hessian: to a minimum or another critical point.

J. Nocedal, S. Wright, 2006, Numerical Optimization, 2nd ed., Springer, sections 3.3 and 3.4. Plain
lists of numbers, so that a loss of few parameters needs no NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from symgd.solvers.symmetric import Rows, all_finite, finite_rows, solve_definite, spectrum

if TYPE_CHECKING:
    from symgd.solvers.objectives import Box, Objective

_EPS = 2.0**-52
_FEW = 4  # parameters, up to which Cholesky's method in Python is faster than NumPy's eigenvalues
_HALVINGS = 60
_NEGLIGIBLE = 1e-12  # of the value: a predicted decrease below this is rounding
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
) -> NewtonResult | None:
    """The end of the iteration from `start`, or None if the start is not finite.

    The Hessian is scaled to a unit diagonal; if it is not positive definite, its eigenvalues are
    taken by magnitude. Steps are halved until the value decreases enough (Armijo). tolerance: the
    end by `is_close`; 0: the end where the predicted decrease is below rounding. local: only full
    steps, as long as the Hessian is positive definite and the value decreases.
    """
    current = evaluate_at(objective, start if box is None else box.clip(start).tolist(), box)
    if not current.finite:
        return None
    last_length, last_x, reason = math.inf, None, ""
    while True:
        length = current.norm(current.step)
        if tolerance:
            done = current.is_close(tolerance, start)
        else:
            done = current.negligible and (not current.definite or not length < 0.5 * last_length)
        if done or (local and not current.definite):
            break
        if current.steps == steps:
            reason = f"{steps} iterations were not enough"
            break
        trial = _backtrack(objective, current, box, 1 if local else _HALVINGS)
        if trial is None or trial[0] == current.x:
            candidate = _by_slope(objective, current, box)
            if candidate is None:
                break
        else:
            candidate = evaluate_at(objective, trial[0], box, current.steps + 1, trial[1])
        if not candidate.finite:
            reason = "the derivatives are not finite there"
            break
        last_length, last_x, current = length, current.x, candidate
    if last_x is None:
        return replace(current, reason=reason)
    moved = current.norm([a - b for a, b in zip(current.x, last_x, strict=True)])
    return replace(current, reason=reason, moved=moved)


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
) -> tuple[list[float], tuple[float, list[float]]] | None:
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


def _by_slope(objective: Objective, current: NewtonResult, box: Box | None) -> NewtonResult | None:
    """The full step, if it halves the slope: values are rounding, as of exp(x - 1) - x at 1."""
    if not current.definite:
        return None
    x = [a + s for a, s in zip(current.x, current.step, strict=True)]
    if x == current.x or (box is not None and box.clip(x).tolist() != x):
        return None
    found = evaluate_at(objective, x, box, current.steps + 1)
    moved = [s != 0 for s in current.step]
    before, after = (
        math.hypot(*(g for g, free in zip(at.gradient, moved, strict=True) if free))
        for at in (current, found)
    )
    level = found.value <= current.value + 1e-8 * (1 + abs(current.value))
    return found if found.definite and level and after <= 0.5 * before else None


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
