"""Minima and maxima at kinks: critical points along the kinks, and the way the loss turns there."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from symgd._numpy import np
from symgd.analysis.critical.gradient_zeros import starts, vanishing
from symgd.analysis.critical.kinks import Kink, active, kink_sets, kinks_of, lagrangian
from symgd.analysis.critical.multiprecision_newton import Refined, refinable, refined
from symgd.analysis.critical.nonsmooth import (
    Candidate,
    directions,
    is_lowest,
    lowest_points,
    smooth_at,
    twice_smooth_at,
)
from symgd.analysis.critical.work import Work
from symgd.model.loss import Loss
from symgd.solvers.symmetric import eigenvalues, finite_rows

_WORK = 1_000_000  # operations of the search along one set of kinks,
_DIRECT = 6_000_000  # and of the direct search
_STARTS = 8
_MOST = 16  # points next to kinks from which a search begins
_PARAMETERS = 20
_NEAR = 1e-4  # of the point's size, a kink that a direct search ended at,
_MET = 1e-9  # and one that meets another
_RADII = (1e-4, 1e-6)  # of the point's size
_FLAT = 1e-9  # of the largest curvature along a kink, none


def at_kinks(
    loss: Loss, start: Sequence[float], near: Sequence[Sequence[float]] = ()
) -> list[Candidate]:
    """The minima and maxima at kinks that are found; what is smooth there, as such.

    near: points next to kinks, to begin from.
    """
    count = len(start)
    kinks = kinks_of(loss)
    found: list[Candidate] = []
    seen: list[Sequence[float]] = []

    def look(chosen: Sequence[Kink], origin: Sequence[float], work: Work) -> None:
        zero = vanishing(work, [*origin, *[0.0] * (len(work.loss.params) - count)])
        if zero is None or any(_same(zero[:count], x) for x in seen):
            return
        seen.append(zero[:count])
        every = active(loss, kinks, zero[:count], _MET * (1 + max(map(abs, zero[:count]))))
        if len(every) > len(chosen):  # other kinks pass, too
            work = Work(lagrangian(loss, every), _WORK)
            missing = len(work.loss.params) - count
            zero = vanishing(work, [*zero[:count], *[0.0] * missing])
        if zero is not None and (candidate := _turns(loss, work.loss, zero)) is not None:
            found.append(candidate)

    for chosen in kink_sets(kinks, count):
        work = Work(lagrangian(loss, chosen), _WORK)
        for origin in starts(start, _STARTS):
            look(chosen, origin, work)
    ends = sorted(near, key=lambda x: math.dist(x, start))[:_MOST]
    if 1 < count <= _PARAMETERS:
        ends += lowest_points(Work(loss, _DIRECT), start)
    for end in ends:
        if chosen := active(loss, kinks, end, _NEAR * (1 + max(map(abs, end)))):
            look(chosen, end, Work(lagrangian(loss, chosen), _WORK))
        elif count > 1 and not kinks and not smooth_at(loss, end) and is_lowest(loss, end):
            found.append(Candidate(tuple(end), "minimum", "; as far as a direct search shows"))
    return found


def _same(a: Sequence[float], b: Sequence[float]) -> bool:
    return max(abs(u - v) for u, v in zip(a, b, strict=True)) <= 1e-7 * (1 + max(map(abs, a)))


def _turns(loss: Loss, along: Loss, zero: Sequence[float]) -> Candidate | None:
    """The candidate at a critical point along kinks, None where the loss is no extremum there.

    zero: the parameters and multipliers. Across the kinks straight lines show how the loss turns;
    along them, where such lines leave a curved kink, the curvature of the Lagrangian does.
    """
    count = len(loss.params)
    if refinable(along):
        better = refined(along, zero)
        zero = better.x if isinstance(better, Refined) else zero
    x = tuple(zero[:count])
    if smooth_at(loss, x) and twice_smooth_at(loss, x):
        return Candidate(x)
    tangent = _along(along, zero, count)
    if tangent is None:
        return None
    curvatures, independent = tangent
    floor = _FLAT * max(map(abs, curvatures), default=0.0)
    changes = list(_changes(loss, x))
    up = any(c > 0 for c in changes) or any(v > floor for v in curvatures)
    down = any(c < 0 for c in changes) or any(v < -floor for v in curvatures)
    if up == down:
        return None
    flat = 0.0 in changes or (independent and any(abs(v) <= floor for v in curvatures))
    edge = any(map(math.isnan, changes))
    note = "; at the edge of where it has a value" if edge else ""
    return Candidate(x, "minimum" if up else "maximum", note + ("; not the only one" * flat))


def _along(along: Loss, zero: Sequence[float], count: int) -> tuple[list[float], bool] | None:
    """The curvatures of the Lagrangian in the tangent space of the kinks.

    And whether the gradients of what vanishes there are independent, so that it is that space.
    """
    rows = along.internals.hess_rows(zero)
    if not finite_rows(rows):
        return None
    hessian = np.array(rows)
    normals = hessian[count:, :count]
    _, sizes, vectors = np.linalg.svd(normals)
    rank = int((sizes > 1e-9 * max(1e-300, sizes.max(initial=0.0))).sum())
    tangent = vectors[rank:]
    values = eigenvalues((tangent @ hessian[:count, :count] @ tangent.T).tolist())
    return values, rank == len(normals)


def _changes(loss: Loss, x: Sequence[float]) -> Iterator[float]:
    """Exact changes of the loss along straight lines from x; nan where it has no value."""
    chance = random.Random(5)  # noqa: S311 - where to look, not a secret
    size = 1 + max(map(abs, x))
    for move in directions(len(x), chance):
        for radius in _RADII:
            there = [v + radius * size * m for v, m in zip(x, move, strict=True)]
            yield loss.exact.change(x, there)
