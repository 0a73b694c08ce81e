"""Parameters of steps, as x0 of where(x < x0, a, b), whose derivative is 0 everywhere.

All places between two rows are tried, with the linear parameters solved for, and the answer is an
interval: anywhere in it the residuals are the same.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from symgd._numpy import np
from symgd.calculus.jumps import names_in_jumps
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.row_sample import SEED, sample_rows
from symgd.fits.starts.magnitudes import Magnitudes
from symgd.fits.starts.projection import Projection
from symgd.formula.nodes import Node, float_of
from symgd.solvers.levenberg_marquardt import minimize
from symgd.solvers.objectives import Box, Vector

_ROWS = 20_000  # rows on which places are compared
_AT_ONCE = 400  # places, before those around the best are looked at
_SWEEPS = 6  # through all such parameters


def step_parameters(problem: LeastSquaresProblem) -> list[int]:
    """The parameters of conditions and steps in which every derivative is 0 by its formula."""
    residuals, model = problem.residuals, problem.model
    jumping = names_in_jumps(residuals.each) if model.nested is None else set()
    inside = [k for k, leaf in enumerate(model.leaves) if leaf in jumping]
    return [k for k in inside if all(map(_is_zero, residuals.derivatives_of(k)))]


def _is_zero(node: Node) -> bool:
    return float_of(node) == 0


def scan_steps(
    problem: LeastSquaresProblem, steps: Sequence[int], start: Sequence[float]
) -> tuple[list[float], Mapping[int, Vector]]:
    """The start with these parameters at their best places, and the others fitted there.

    Also, for each of them that columns give places, these places.
    """
    model = problem.model
    rows = sample_rows(model.rows, _ROWS)
    projection = Projection(model, problem.residuals, rows)
    sample = problem.residuals.on(rows)
    drawn = Magnitudes(
        rows, model.leaves, 1, np.random.default_rng(SEED), np.ones(rows.table.rows), {}
    )
    for root in (model.predicted, *(predicted for predicted, _ in model.further)):
        drawn.read(root)
    x = model.box.clip(start)
    best = math.inf
    for _ in range(_SWEEPS):
        before = best
        for k in steps:
            known = drawn.switches.get(model.leaves[k])
            tried = _around(x[k]) if known is None else _between(known)
            best, x = _best_place(projection, model.box, x, k, tried, best)
        if not best < before:
            break
        result = minimize(sample, x.tolist(), pinned(model.box, steps, x), polish=False)
        if result is not None:
            best, x = result.system.rss, result.x
    places = {k: drawn.switches[n] for k in steps if (n := model.leaves[k]) in drawn.switches}
    return [float(v) for v in x], places


def _between(places: Vector) -> Vector:
    """Midpoints between neighbors, and a place beyond either end."""
    known = np.unique(places[np.isfinite(places)])
    if len(known) < 2:
        return known
    middle, ends = (known[1:] + known[:-1]) / 2, known[[0, -1]]
    gap = np.diff(known)[[0, -1]] * [-0.5, 0.5]
    return np.sort(np.concatenate([middle, ends + gap]))


def _around(value: float) -> Vector:
    """Values of a parameter that no column gives, as the width of floor(x/w)."""
    size = abs(value) or 1.0
    factors = np.concatenate([np.geomspace(0.02, 50, 600), np.linspace(0.9, 1.1, 401)])
    return np.sort(size * factors) * (-1.0 if value < 0 else 1.0)


def _best_place(
    projection: Projection, box: Box, x: Vector, k: int, places: Vector, best: float
) -> tuple[float, Vector]:
    """(sum of squares, point) with parameter k at the best of these places, or as it is."""
    places = np.unique(places[(places >= box.low[k]) & (places <= box.high[k])])
    low, high = 0, len(places) - 1
    while high >= low:
        chosen = np.unique(np.linspace(low, high, min(_AT_ONCE, high - low + 1)).round())
        chosen = chosen.astype(int)
        points = np.repeat(x[None, :], len(chosen), axis=0)
        points[:, k] = places[chosen]
        rss, solved = projection.solve(points)
        at = int(np.argmin(rss))
        if rss[at] < best:
            best, x = float(rss[at]), solved[at]
        if len(chosen) == high - low + 1:
            break
        low, high = chosen[max(at - 1, 0)], chosen[min(at + 1, len(chosen) - 1)]
    return best, x


def pinned(box: Box, steps: Sequence[int], x: Sequence[float] | Vector) -> Box:
    """The box with these parameters held where they are."""
    low, high = box.low.copy(), box.high.copy()
    for k in steps:
        low[k] = high[k] = x[k]
    return Box(low, high)


def held(
    problem: LeastSquaresProblem, steps: Sequence[int], x: Sequence[float] | Vector
) -> LeastSquaresProblem:
    """The problem with these parameters held where they are."""
    return replace(problem, model=replace(problem.model, box=pinned(problem.box, steps, x)))


def intervals(
    problem: LeastSquaresProblem,
    steps: Sequence[int],
    x: Vector,
    places: Mapping[int, Vector],
) -> Mapping[int, tuple[float, str]]:
    """For each such parameter the middle of its interval, and a sentence about it.

    places: where rows lie, which decides whether an end belongs to the interval.
    """
    found = {}
    for k in steps:

        def rss(value: float, k: int = k) -> float:
            point = x.copy()
            point[k] = value
            return problem.residuals.rss(point.tolist())

        known = set(places[k].tolist()) if k in places else set()
        low, low_open = _edge(rss, float(x[k]), -1, known)
        high, high_open = _edge(rss, float(x[k]), 1, known)
        middle = float(x[k])
        if math.isfinite(low) and math.isfinite(high):
            middle = low / 2 + high / 2
        left = "(" if low_open else "["
        right = ")" if high_open else "]"
        found[k] = middle, f"anywhere in {left}{low:.10g}, {high:.10g}{right}"
    return found


def _edge(
    rss: Callable[[float], float], value: float, sign: int, places: Collection[float]
) -> tuple[float, bool]:
    """The end of the interval of equal sums of squares, and whether it is open there."""
    right, inside, size = rss(value), value, max(abs(value), 1e-300) * 1e-6
    while rss(value + sign * size) == right:
        inside, size = value + sign * size, 2 * size
        if size > 1e9 * max(abs(value), 1.0):
            return sign * math.inf, True
    outside = value + sign * size
    while (middle := inside / 2 + outside / 2) not in (inside, outside):
        if rss(middle) == right:
            inside = middle
        else:
            outside = middle
    if outside in places or inside in places:
        return (outside, True) if outside in places else (inside, False)
    # of two neighboring doubles the shorter one is meant
    return (outside, True) if len(repr(outside)) < len(repr(inside)) else (inside, False)
