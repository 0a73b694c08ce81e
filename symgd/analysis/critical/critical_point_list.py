"""The critical points of what SymPy solved and what a search found: certified and distinct."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from symgd.analysis.critical.certify_point import at_pole, certified
from symgd.analysis.critical.critical_point import CriticalPoint, CriticalPoints, same_point
from symgd.analysis.critical.kinks import has_kinks
from symgd.analysis.critical.multiprecision_newton import refinable
from symgd.analysis.critical.nonsmooth import Candidate, smooth_at
from symgd.analysis.critical.sympy_solver import Solution
from symgd.model.loss import Loss

_MOST = 12  # points that are listed
_LOOKED_AT = 24  # candidates that are certified, the lowest and the nearest


def joined(
    loss: Loss,
    start: Sequence[float],
    found: Sequence[Candidate],
    solved: Solution | None,
    lowest: bool = True,
) -> CriticalPoints:
    """The list.

    found: candidates of the search. solved: what SymPy's solver answered. lowest: whether the
    lowest point is listed before nearer ones.
    """
    which = "the lowest and the nearest" if lowest else "the nearest"
    points, count = _certified(loss, found, start, lowest)
    if solved is None or not solved.families:
        points = _one_of_each_level(points, start)
    if solved is None:
        shown = _nearest(points, start, lowest)
        more = max(count, len(points)) > len(shown) and len(shown) == _MOST
        incomplete = f"of {count} points that were found {which} are listed" if more else ""
        note = "others are not excluded" if points else "none found; others are not excluded"
        return CriticalPoints(tuple(shown), "numeric", False, note=note, incomplete=incomplete)
    exact = []
    for x, texts in zip(solved.points, solved.texts, strict=True):
        point = next((p for p in points if p.kinked and same_point(p.x, x)), None)
        if point is None and not (has_kinks(loss) and not smooth_at(loss, x)):
            point = certified(loss, x)
        if point is not None:
            exact.append(replace(point, exact=tuple(texts)))
    extra = [p for p in points if not any(same_point(p.x, q.x) for q in exact)]
    if solved.families:  # what the search found are members of them
        extra = [p for p in extra if p.kinked]
    complete = solved.complete and not extra and len(exact) == len(solved.points)
    every = _distinct(exact + extra, refinable(loss))
    shown = _nearest(every, start, lowest)
    cut = len(shown) < len(every) and not (complete or solved.families)
    incomplete = f"of {count} points that were found {which} are listed" if cut else ""
    note = "" if shown else "none: the gradient is never 0"
    note = note if complete else "others are not excluded"
    families = tuple(solved.families)
    return CriticalPoints(tuple(shown), "symbolic", complete, families, note, incomplete)


def _certified(
    loss: Loss, found: Sequence[Candidate], start: Sequence[float], lowest: bool
) -> tuple[list[CriticalPoint], int]:
    """What is certified of the lowest and the nearest candidates; how many there are in all."""
    apart: list[Candidate] = []
    for candidate in sorted(found, key=lambda c: (not c.kink, math.dist(c.x, start))):
        if not any(same_point(candidate.x, other.x) for other in apart):
            apart.append(candidate)
    values = [loss.internals.evaluate_value(*c.x)[0] for c in apart]
    finite = [(v, c) for v, c in zip(values, apart, strict=True) if math.isfinite(v)]
    low = sorted(finite, key=lambda pair: pair[0])[: _MOST // 3 if lowest else 0]
    chosen = [c for _, c in low]
    chosen += [c for _, c in finite if c not in chosen][: _LOOKED_AT - len(chosen)]
    points = [p for c in chosen if (p := _point(loss, c)) is not None]
    return _distinct(points, refinable(loss)), len(finite)


def _point(loss: Loss, candidate: Candidate) -> CriticalPoint | None:
    if not candidate.kink:
        return certified(loss, candidate.x)
    level = loss.internals.evaluate_value(*candidate.x)[0] + 0.0
    what = "the formula has no second derivative here"
    if not smooth_at(loss, candidate.x):
        what = "at a kink: the gradient jumps here"
    point = CriticalPoint(
        candidate.x, level, candidate.kink, note=what + candidate.note, shape="kink"
    )
    return None if at_pole(loss, point) else point


def _distinct(points: Sequence[CriticalPoint], exact: bool) -> list[CriticalPoint]:
    """Each point once. exact: whether they are known to the last digit."""
    kept: list[CriticalPoint] = []
    for point in points:
        known = 1e-14 if exact else 1e-5 if point.kind == "degenerate" else 1e-8
        if not any(same_point(point.x, other.x, known) for other in kept):
            kept.append(point)
    return kept


def _one_of_each_level(
    points: Sequence[CriticalPoint], start: Sequence[float]
) -> list[CriticalPoint]:
    """The points, but of degenerate ones on one level (a curve of them) only the nearest."""
    kept: list[CriticalPoint] = []
    scale = max((abs(p.value) for p in points), default=0.0)
    for point in sorted(points, key=lambda p: math.dist(p.x, start)):
        level = [
            p
            for p in kept
            if _one_of_many(p)
            and _one_of_many(point)
            and abs(p.value - point.value) <= 1e-9 * (abs(point.value) + 1e-9 * scale) + 1e-14
        ]
        if not level:
            kept.append(point)
        elif "alike" not in level[0].note:
            at = kept.index(level[0])
            kept[at] = replace(level[0], note=f"{level[0].note}; others alike on the same level")
    return kept


def _one_of_many(point: CriticalPoint) -> bool:
    """Whether the point may be one of a curve of critical points."""
    return point.kind == "degenerate" or "not the only one" in point.note


def _nearest(
    points: Sequence[CriticalPoint], start: Sequence[float], lowest: bool
) -> list[CriticalPoint]:
    """The lowest minimum, if wanted, and the nearest others, lowest first."""
    if len(points) > _MOST:
        first = min(points, key=lambda p: (lowest and p.value, math.dist(p.x, start)))
        near = sorted(points, key=lambda p: math.dist(p.x, start))
        points = [first, *[p for p in near if p is not first][: _MOST - 1]]
    return sorted(points, key=lambda p: (p.value, p.x))
