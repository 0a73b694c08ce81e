"""The factor per step that a run shows in its last points."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

_EPS = 2.0**-52
_JUMP = 0.405  # the logarithm of 1.5: so much longer than by the trend the last step may be
_LEAP = 2.0**400  # a step so many times as long as the one before; its square is a finite number


def observed_rate(tail: Sequence[tuple[int, Sequence[float]]]) -> float | None:
    """The factor by which successive steps shrink, from the last ones: signed, or None.

    Steps that are rounding noise, or zero, say nothing. In the long run differences of iterates
    shrink like the error itself.
    """
    points = [x for _, x in tail]
    steps = [[b - a for a, b in zip(p, q, strict=True)] for p, q in pairwise(points)]
    sizes = [math.hypot(*s) for s in steps]
    noise = [16 * _EPS * math.hypot(*p) for p in points[1:]]
    last = len(steps)
    while last and not sizes[last - 1] > noise[last - 1]:
        last -= 1
    first = last
    while first and sizes[first - 1] > noise[first - 1] and math.isfinite(sizes[first - 1]):
        first -= 1
    if last - first < 2:
        return None
    return _rate_of(steps[first:last], sizes[first:last])


def _rate_of(steps: Sequence[Sequence[float]], sizes: Sequence[float]) -> float | None:
    """The factor per step of a sequence of steps: one mode, a pair of modes, or the trend."""
    if max(b / a for a, b in pairwise(sizes)) > _LEAP:
        return None
    unit = [[v / size for v in step] for step, size in zip(steps, sizes, strict=True)]
    grown = [b / a for a, b in pairwise(sizes)]  # sizes[k + 1]/sizes[k]
    turn = [_dot(a, b) for a, b in pairwise(unit)]
    single = sum(t * r for t, r in zip(turn[-8:], grown[-8:], strict=True)) / len(turn[-8:])
    misfit = sum(
        r * r * (1 - t * t) + (t * r - single) ** 2
        for t, r in zip(turn[-8:], grown[-8:], strict=True)
    )
    if misfit <= 1e-6 * sum(r * r for r in grown[-8:]):
        return single
    if len(steps) >= 4 and (pair := _pair_of_modes(unit, grown)) is not None:
        return pair
    count = len(sizes)
    mean = (count - 1) / 2
    logs = [math.log(s) for s in sizes]
    trend = sum((k - mean) * v for k, v in enumerate(logs)) / sum(
        (k - mean) ** 2 for k in range(count)
    )
    by_trend = sum(logs) / count + trend * (count - 1 - mean)
    if trend < 0 and logs[-1] == max(logs) and logs[-1] - by_trend > _JUMP:
        return None  # the last step is no part of the trend: it leaps away
    return math.copysign(math.exp(trend), -1.0 if max(turn[-8:]) < 0 else 1.0)


def _pair_of_modes(unit: Sequence[Sequence[float]], grown: Sequence[float]) -> float | None:
    """The factor of steps that obey d'' = p*d' - q*d, as heavy balls do along one direction."""
    rows = []
    for k in range(max(0, len(unit) - 12), len(unit) - 2):
        # in units of the middle step
        rows.append(
            (unit[k + 1], [v / grown[k] for v in unit[k]], [v * grown[k + 1] for v in unit[k + 2]])
        )
    aa = sum(_dot(m, m) for m, _, _ in rows)
    ab = sum(_dot(m, b) for m, b, _ in rows)
    bb = sum(_dot(b, b) for _, b, _ in rows)
    ac = sum(_dot(m, n) for m, _, n in rows)
    bc = sum(_dot(b, n) for _, b, n in rows)
    det = aa * bb - ab * ab
    if not det > 1e-9 * aa * bb:
        return None
    p, q = (ac * bb - bc * ab) / det, (ac * ab - bc * aa) / det
    misfit = sum(
        (z - p * y + q * x) ** 2
        for middle, before, after in rows
        for x, y, z in zip(before, middle, after, strict=True)
    )
    if misfit > 1e-6 * sum(_dot(n, n) for _, _, n in rows):
        return None
    inside = p * p / 4 - q
    if inside < 0:
        return math.sqrt(q)
    root = p / 2 + math.copysign(math.sqrt(inside), p)
    # beyond 1 it is what may come, not what was seen: steps may still shrink by another mode
    return root if abs(root) <= 1.0 else None


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))
