"""Critical points by search: sign changes of a derivative, and damped Newton from many starts."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from symgd.analysis.minima import Minimum, eigenvalues, find_minimum
from symgd.analysis.nonsmooth import Candidate, has_kinks, lowest_kinks, smooth_at
from symgd.model.loss import Loss
from symgd.solvers import newton
from symgd.solvers.symmetric import all_finite, finite_rows, spectrum

_BUDGET = 6_000_000  # operations that Newton's method may spend, about a second
_ITERATIONS = 80
_SECONDS = 4.0  # of processor time, for functions that cost thousands of operations each


def search(loss: Loss, start: Sequence[float]) -> list[Candidate]:
    """The critical points that are found, in no order.

    The same ones on every machine, but for functions so dear (polygamma, Bessel) that time is up.
    """
    until = time.process_time() + _SECONDS
    found = list(_on_a_line(loss, start[0], until)) if len(start) == 1 else []
    found += _by_newton(loss, start, until)
    if has_kinks(loss):
        found = [f for f in found if f.kink or smooth_at(loss, f.x)]
        if 1 < len(start) <= 20:
            found += lowest_kinks(loss, start)
    return found


# -- one parameter ------------------------------------------------------------------------


def _on_a_line(loss: Loss, start: float, until: float) -> Iterator[Candidate]:
    """Where the derivative changes its sign, between neighbors of a grid out to 1000."""

    def slope(x: float) -> float:
        return loss.internals.evaluate(x)[1]

    grid = sorted({math.sinh(k / 40) for k in range(-304, 305)} | {start})
    # moved off round numbers, where roots are wont to lie; these are looked at on their own
    grid = [x * 1.000123 + 1.7e-4 for x in grid]
    for (a, at_a), (b, at_b) in pairwise((x, slope(x)) for x in grid):
        if time.process_time() > until:
            return
        if at_a * at_b < 0:
            yield from _bisected(loss, slope, a, b, at_a)


def _bisected(
    loss: Loss, slope: Callable[[float], float], a: float, b: float, at_a: float
) -> Iterator[Candidate]:
    falls = at_a > 0  # the derivative goes from + to -: a maximum
    first = max(abs(at_a), abs(slope(b)))
    for _ in range(200):
        middle = 0.5 * (a + b)
        if not a < middle < b:
            break
        here = slope(middle)
        if here == 0:
            a = b = middle
            break
        if not math.isfinite(here):
            return  # a pole
        if (here > 0) == falls:
            a = middle
        else:
            b = middle
    root = a if a == b or abs(slope(a)) <= abs(slope(b)) else b
    left, right = slope(a - 1e-7 * (1 + abs(a))), slope(b + 1e-7 * (1 + abs(b)))
    jump = abs(left - right)
    values = [loss.internals.evaluate_value(x)[0] for x in (a - 1e-9, a, b, b + 1e-9)]
    if not all_finite([*values, left, right]) or abs(slope(root)) > 1e3 * first:
        return
    if jump <= 1e-3 * first or (abs(slope(root)) <= 1e-9 * first and jump < 1e-2 * first):
        yield Candidate((root,))
    elif max(values) - min(values) <= 1e-6 * (1 + first):
        yield Candidate((_round_number(loss, root),), "maximum" if falls else "minimum")


def _round_number(loss: Loss, x: float) -> float:
    """The number of few digits next to x, where the loss is as low or high as at x."""
    near = round(x, 9) + 0.0
    here, there = loss.internals.evaluate_value(x)[0], loss.internals.evaluate_value(near)[0]
    return near if abs(there - here) <= 1e-8 * (1 + abs(here)) else x


# -- any number of parameters ---------------------------------------------------------------


class _Work:
    """A loss whose evaluations are counted, so that a search ends in time and the same way."""

    def __init__(self, loss: Loss, until: float) -> None:
        self.loss = loss
        self.left = _BUDGET
        self._until = until
        self.value_and_grad = loss.program.operations + 20
        self.second = loss.internals.hessian_program.operations + 20 * len(loss.params) ** 2 + 100

    @property
    def over(self) -> bool:
        """Whether the budget is used up."""
        return self.left <= 0 or time.process_time() > self._until

    def gradient(self, x: Sequence[float]) -> tuple[float, list[float]]:
        """Value and gradient."""
        value, *grad = self.loss.internals.evaluate(*x)
        # where Python's arithmetic raises, a slow evaluation takes over
        self.left -= self.value_and_grad * (1 if all_finite([value, *grad]) else 60)
        return value, grad

    def grad(self, x: Sequence[float]) -> list[float]:
        return self.gradient(x)[1]

    def hessian(self, x: Sequence[float]) -> list[list[float]]:
        """The (P, P) Hessian."""
        self.left -= self.second
        return self.loss.internals.hess_rows(x)

    def minimum(self, x: Sequence[float], iterations: int) -> Minimum | None:
        self.left -= iterations * (self.second + self.value_and_grad) // 2
        began, seconds = time.process_time(), self._until - time.process_time()
        eigenvalues(self.loss, x)
        each = 3 * (time.process_time() - began)  # seconds of a step, about
        if each > 1e-3:
            iterations = min(iterations, max(0, int(seconds / each)))
        return find_minimum(self.loss, x, careful=True, iterations=iterations)


def _by_newton(loss: Loss, start: Sequence[float], until: float) -> list[Candidate]:
    work = _Work(loss, until)
    first = work.minimum(start, 300)
    found = [] if first is None else [Candidate(tuple(first.x))]
    for point in _starts(start, 50):
        x = _vanishing(work, point)
        if x is None and (lowest := work.minimum(point, 40)) is not None:
            x = lowest.x
        if x is not None:
            found.append(Candidate(tuple(x)))
        if work.over:
            break
    return found


def _starts(start: Sequence[float], most: int) -> Iterator[list[float]]:
    """The given point and round ones, then random ones at growing distance."""
    chance = random.Random(0)  # noqa: S311 - where to look, not a secret
    count = len(start)
    fixed = [list(start), [0.0] * count, [1.0] * count, [-1.0] * count]
    yield from fixed[:most]
    for k in range(most - len(fixed)):
        spread = (0.5, 1.5, 4.0, 12.0)[k % 4]
        yield [chance.gauss(0, spread) for _ in range(count)]


def _vanishing(work: _Work, point: Sequence[float]) -> list[float] | None:
    """Where the gradient vanishes, by Newton's method on |g|, or None.

    Unlike a descent it goes to saddles and maxima as well. Where the curvature vanishes with the
    gradient its steps shrink by a constant factor only; their limit is returned.
    """
    sizes, last, first = list[float](), list(point), math.nan
    for count, (x, grad) in enumerate(newton.to_zero_gradient(work, point)):
        if count == 0:
            first = math.hypot(*grad)
        else:
            sizes.append(math.dist(x, last))
            if sizes[-1] <= 1e-12 * (1e-3 + math.hypot(*x)):
                return _settled(work, x, sizes, first)
        if count == _ITERATIONS:
            return _limit(work, x, sizes, first)
        if not all_finite(grad) or work.over:
            return None
        if not any(grad):
            return x if sizes or _bends(work, x) else None
        last = x
    return None


def _settled(work: _Work, x: list[float], sizes: list[float], first: float) -> list[float] | None:
    """x where an undamped step is short too, and no slope is left where there is no curvature."""
    grad, rows = work.grad(x), work.hessian(x)
    if not finite_rows(rows):
        return None
    split = spectrum(rows)
    floor = 1e-14 * max(map(abs, split.values))
    flat = [v for value, v in zip(split.values, split.vectors, strict=True) if abs(value) <= floor]
    slopes = [sum(a * g for a, g in zip(v, grad, strict=True)) for v in flat]
    if any(abs(slope) > 1e-12 * first for slope in slopes) or not _bends(work, x):
        return None
    step = split.apply([1 / v if abs(v) > floor else 0.0 for v in split.values], grad)
    if math.hypot(*step) <= 1e-7 * (1e-3 + math.hypot(*x)):
        return x
    return _limit(work, x, sizes, first)


def _limit(work: _Work, x: list[float], sizes: list[float], first: float) -> list[float] | None:
    """The limit of steps that shrink by a constant factor below 0.9, or None."""
    ratios = [b / a for a, b in pairwise(sizes[-7:]) if a]
    if len(ratios) < 6 or max(ratios) > 0.95:
        return None
    if sizes[-1] > 1e-5 * (1 + math.hypot(*x)):
        return None
    near = [round(v, 5) + 0.0 for v in x]
    there, here = math.hypot(*work.grad(near)), math.hypot(*work.grad(x))
    if not here <= 1e-8 * first:
        return None  # a smallest slope, but not 0
    return near if there <= here else x


def _bends(work: _Work, x: Sequence[float]) -> bool:
    """Whether the Hessian is not all 0: far out on a plateau gradients underflow to 0."""
    return any(v for row in work.hessian(x) for v in row) or any(
        work.grad([v + 1e-3 * (1 + abs(v)) * (j == k) for j, v in enumerate(x)])[k]
        for k in range(len(x))
    )
