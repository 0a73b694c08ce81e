"""Critical points by search: sign changes of a derivative, and damped Newton from many starts."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise

from symgd.analysis.critical.critical_point import same_point
from symgd.analysis.critical.curvature_signs import curvatures_in_doubles
from symgd.analysis.critical.gradient_zeros import starts, vanishing
from symgd.analysis.critical.kink_search import at_kinks
from symgd.analysis.critical.kinks import has_kinks, kinks_of
from symgd.analysis.critical.nonsmooth import Candidate, smooth_at
from symgd.analysis.critical.work import Work
from symgd.analysis.minima import Minimum, find_minimum
from symgd.model.loss import Loss
from symgd.solvers.symmetric import all_finite

_LINE = 24_000_000  # operations that looking for changes of sign may take, some four seconds,
_NEWTON = 9_000_000  # and Newton's method
_STARTS = 50
_MISSED = 0.05  # of the searches, those that make it probable that points are missing


def search(loss: Loss, start: Sequence[float]) -> list[Candidate]:
    """The critical points that are found, in no order. Operations are counted, not seconds."""
    found = list(_on_a_line(Work(loss, _LINE), start[0])) if len(start) == 1 else []
    found += _by_newton(Work(loss, _NEWTON), start)
    if not has_kinks(loss):
        return [Candidate(f.x) for f in found]
    turns = [f for f in found if f.kink]
    found = [f for f in found if not f.kink and smooth_at(loss, f.x)]
    at = at_kinks(loss, start, [f.x for f in turns])
    found += at if kinks_of(loss) else [*at, *turns]
    return found


# -- one parameter ------------------------------------------------------------------------


def _on_a_line(work: Work, start: float) -> Iterator[Candidate]:
    """Where the derivative changes its sign, between neighbors of a grid out to 1000.

    What is nearest to the start comes first, for the work may end before all is looked at.
    """

    def from_start(x: float) -> float:
        return abs(x - start)

    grid = {math.sinh(k / 40) for k in range(-304, 305)} | {start}
    if (box := work.loss.internals.box) is not None:
        span = min(box.high[0], 1e3) - (low := max(box.low[0], -1e3))
        grid |= {low + span * k / 608 for k in range(609)}
    known: list[tuple[float, float]] = []
    for place in sorted(grid, key=from_start):
        if 2 * work.left < _LINE:
            break
        # moved off round numbers, which are often roots; those are tested separately
        x = place * 1.000123 + 1.7e-4
        known.append((x, work.slope(x)))
    known.sort()
    changes = [(a, b, at) for (a, at), (b, at_b) in pairwise(known) if at * at_b < 0]
    for a, b, at_a in sorted(changes, key=lambda change: from_start(change[0])):
        if work.over:
            return
        yield from _bisected(work, a, b, at_a)


def _bisected(work: Work, a: float, b: float, at_a: float) -> Iterator[Candidate]:
    slope = work.slope
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
    values = [work.value([x]) for x in (a - 1e-9, a, b, b + 1e-9)]
    if not all_finite([*values, left, right]) or abs(slope(root)) > 1e3 * first:
        return
    if jump <= 1e-3 * first or (abs(slope(root)) <= 1e-9 * first and jump < 1e-2 * first):
        yield Candidate((root,))
    elif max(values) - min(values) <= 1e-6 * (1 + first):
        yield Candidate((_round_number(work, root),), "maximum" if falls else "minimum")


def _round_number(work: Work, x: float) -> float:
    """The number of few digits next to x, where the loss is as low or high as at x."""
    near = round(x, 9) + 0.0
    here, there = work.value([x]), work.value([near])
    return near if abs(there - here) <= 1e-8 * (1 + abs(here)) else x


# -- any number of parameters ---------------------------------------------------------------


def _by_newton(work: Work, start: Sequence[float]) -> list[Candidate]:
    """From every start to a zero of the gradient, then from every start downhill."""
    first = _minimum(work, start, 300)
    found = [] if first is None else [Candidate(tuple(first.x))]
    box = work.loss.internals.box
    for point in starts(start, _STARTS, box):
        if not work.over and (x := vanishing(work, point)) is not None:
            found.append(Candidate(tuple(x)))
    for point in starts(start, _STARTS, box):
        if not work.over and (lowest := _minimum(work, point, 40)) is not None:
            found.append(Candidate(tuple(lowest.x)))
    return found


def unexplored(loss: Loss, found: Sequence[Candidate]) -> str:
    """Why there are probably more critical points, or "".

    The share of searches that ended at a point of their own estimates the chance that another
    search finds a new one: I. J. Good, 1953, The population frequencies of species, Biometrika 40.
    Points without curvature in some direction do not count: they may be those of one curve.
    """
    ends = [c.x for c in found if not c.kink]
    counts = [sum(same_point(x, y) for y in ends) for x in ends]
    alone = [x for x, count in zip(ends, counts, strict=True) if count == 1]
    if len(alone) <= _MISSED * len(ends):
        return ""
    isolated = [x for x in alone if curvatures_in_doubles(loss, x).kind != "degenerate"]
    if len(isolated) <= _MISSED * len(ends):
        return ""
    return f"{len(isolated)} of {len(ends)} searches ended at a point that no other one reached"


def _minimum(work: Work, x: Sequence[float], most: int) -> Minimum | None:
    return find_minimum(
        work.loss, x, globalized=True, iterations=work.iterations(most), objective=work
    )
