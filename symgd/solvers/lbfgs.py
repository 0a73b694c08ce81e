"""The limited-memory method of Broyden, Fletcher, Goldfarb and Shanno, in bounds too.

J. Nocedal, 1980, Updating quasi-Newton matrices with limited storage, Math. Comp. 35(151). The line
search brackets the weak conditions of Wolfe, which also leads to minima at kinks (A. Lewis, M.
Overton, 2013, Nonsmooth optimization via quasi-Newton methods, Math. Program. 141); where values
differ by rounding only it asks the slopes (W. Hager, H. Zhang, 2005, A new conjugate gradient
method with guaranteed descent, SIAM J. Optim. 16(1), approximate Wolfe conditions). Bounds: steps
in the parameters that none holds are projected (D. Bertsekas, 1982, Projected Newton methods, SIAM
J. Control Optim. 20(2)).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from symgd._numpy import np
from symgd.backends.step_checks import CURVATURE, DECREASE, PAIRS, ROUNDING, STILL, TRIALS
from symgd.solvers.objectives import Box, End, Iterate, Iteration, Vector

Gradient = Callable[[Vector], tuple[float, Vector]]


def iterate(
    gradient: Gradient, start: Vector, box: Box | None = None, tol: float = 0.0
) -> Iteration:
    """The points from `start` on, until max|g| <= tol or nothing lowers the value.

    gradient: x -> value and gradient. box: bounds; the gradient is projected there.
    """
    with np.errstate(all="ignore"):
        x = np.array(start, dtype=np.float64) if box is None else box.clip(start)
        here = Iterate(x, *gradient(x))
        yield here
        still, least = 0, np.inf
        pairs: deque[tuple[Vector, Vector, float]] = deque(maxlen=PAIRS)
        while True:
            free = None if box is None else box.free(here.x, here.gradient)
            slope = here.gradient if free is None else np.where(free, here.gradient, 0.0)
            if float(np.abs(slope).max(initial=0.0)) <= tol:
                return End.SMALL
            way = _direction(slope, pairs)
            way = way if free is None else np.where(free, way, 0.0)
            if not float(way @ slope) < 0:
                pairs.clear()
                way = -slope
            new = _search(gradient, here, way, box, 1.0 if pairs else _first(here, slope))
            if new is None:
                if not pairs:
                    return End.BLOCKED
                pairs.clear()  # once more along the gradient
                continue
            step, change = new.x - here.x, new.gradient - here.gradient
            product = float(step @ change)
            if product > 1e-12 * float(np.linalg.norm(step)) * float(np.linalg.norm(change)):
                pairs.append((step, change, product))
            size = float(np.linalg.norm(new.gradient))
            falls = new.value < here.value - ROUNDING * abs(here.value) or size < 0.5 * least
            still, least = 0 if falls else still + 1, min(least, size)
            here = new
            yield here
            if still == STILL:
                return End.SETTLED


def _first(here: Iterate, slope: Vector) -> float:
    """The first length: a tenth of the parameters' size, for a leap may land on a plateau."""
    size = max(1.0, float(np.linalg.norm(here.x)))
    return min(1.0, 0.1 * size / float(np.linalg.norm(slope)))


def _direction(slope: Vector, pairs: deque[tuple[Vector, Vector, float]]) -> Vector:
    """Minus the approximate inverse Hessian times the gradient, by two loops over the pairs."""
    way = -slope
    weights = []
    for step, change, product in reversed(pairs):
        weight = float(step @ way) / product
        weights.append(weight)
        way = way - weight * change
    if pairs:
        _, change, product = pairs[-1]
        way = way * (product / float(change @ change))
    for (step, change, product), weight in zip(pairs, reversed(weights), strict=True):
        way = way + (weight - float(change @ way) / product) * step
    return way


def _search(
    gradient: Gradient, here: Iterate, way: Vector, box: Box | None, length: float
) -> Iterate | None:
    """A point along the way that satisfies the conditions; None where none lowers the value."""
    low, high = 0.0, np.inf
    noise = ROUNDING * abs(here.value)
    best: Iterate | None = None
    for _ in range(TRIALS):
        x = here.x + length * way
        x = x if box is None else box.clip(x)
        new = Iterate(x, *gradient(x))
        moved = x - here.x
        expected = float(here.gradient @ moved)
        after = float(new.gradient @ moved)
        finite = np.isfinite(new.value) and np.isfinite(new.gradient).all()
        gained = new.value <= here.value + DECREASE * expected
        level = new.value <= here.value + noise and after <= (2 * DECREASE - 1) * expected
        if not (finite and expected < 0 and (gained or level)):
            high = length
        elif after < CURVATURE * expected:
            low, best = length, new
        else:
            return new
        length = 2 * low if high == np.inf else 0.5 * (low + high)
        shut = high < np.inf and high - low <= 1e-16 * high
        if shut or not np.isfinite(length):
            break
    return best
