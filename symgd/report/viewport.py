"""The window of a picture and the ranges of its axes, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

from symgd._numpy import NDArray, np
from symgd.analysis.minima import find_minimum
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.solvers.symmetric import all_finite

Floats: TypeAlias = "NDArray[np.float64]"

_WORK = 10_000_000  # operations of a loss evaluation up to which its minimum is searched
_FAR_MINIMUM = 25.0  # multiple of the extent of the path beyond which a minimum is not shown
_MARGIN = 0.15  # of the extent, on each side
#: The largest number on an axis: near the largest double, matplotlib's ticks overflow.
LARGEST = 1e300
_FAR_RATIO = 12.0  # multiple of the first step up to which a diverging path is shown

Point = Sequence[float]
Spans = tuple[tuple[float, float], ...]  # the window: (low, high) of each axis


def has_diverged(result: Result) -> bool:
    """Whether the run diverged or became non-finite."""
    bad = ("diverged", "nonfinite")
    return result.status.value in bad or result.verdict.kind in ("diverging", "nonfinite")


def viewport_of(results: Sequence[Result]) -> tuple[Spans, tuple[float, ...] | None]:
    """(the window of the paths of one or two parameters, a minimum near them, in it, or None).

    Diverged runs are ignored, unless all diverged: then their beginnings count.
    """
    points: list[Point] = []
    all_diverged = all(map(has_diverged, results))
    for result in results:
        path = [theta for _, theta, _, _ in result.history.at_most()]
        if not has_diverged(result):
            points += path
        elif all_diverged:
            points += before_divergence(path)
    minimum = _minimum(results[0], points)
    if minimum is not None:
        points.append(minimum)
    return bounding_spans(points), minimum


def _minimum(result: Result, points: Sequence[Point]) -> tuple[float, ...] | None:
    if not isinstance(result.loss, Loss) or result.loss.internals.work > _WORK:
        return None
    last = points[-1]
    found = find_minimum(result.loss, last) or find_minimum(result.loss, points[0], globalized=True)
    if found is None or not all_finite(found.x):
        return None
    extents = [(min(axis), max(axis)) for axis in zip(*points, strict=True)]
    extent = max(high - low for low, high in extents)
    distance = max(max(low - v, v - high) for v, (low, high) in zip(found.x, extents, strict=True))
    near = distance <= _FAR_MINIMUM * max(extent, 0.04 * max(1.0, *map(abs, points[0])))
    return tuple(found.x) if near else None


def loss_values(loss: Loss, points: Floats) -> Floats:
    """The loss at (N, P) points: (N,), by NumPy."""
    from symgd.backends.numpy_points import compile_points

    if isinstance(loss.internals, ArrayInternals):
        return np.array([loss.internals.functions.value(point) for point in points])
    program, rows = loss.internals.value_program, loss.internals.rows
    if rows is None:
        return compile_points(program)(points)
    return compile_points(program, rows.more(program), rows.table)(points)


def before_divergence(path: Sequence[Point]) -> Sequence[Point]:
    """The first points of a diverging path, at least the start and one step."""
    first_step = max(
        (abs(b - a) for a, b in zip(path[0], path[min(1, len(path) - 1)], strict=True))
    )
    start = path[0]
    for k, point in enumerate(path):
        if max(abs(v - s) for v, s in zip(point, start, strict=True)) > _FAR_RATIO * first_step:
            return path[: max(k, 2)]
    return path


def bounding_spans(points: Sequence[Point]) -> Spans:
    """The (low, high) of each coordinate over the points, with a margin; never empty."""
    extents = [(min(axis), max(axis)) for axis in zip(*points, strict=True)]
    widest = max(high - low for low, high in extents)
    return tuple(_padded(low, high, widest) for low, high in extents)


def is_inside(point: Point, spans: Sequence[tuple[float, float]]) -> bool:
    """Whether the point is in the window."""
    return all(low <= v <= high for v, (low, high) in zip(point, spans, strict=True))


def linspace(low: float, high: float, count: int) -> list[float]:
    """`count` numbers from low to high, both included."""
    step = (high - low) / (count - 1)
    return [low + k * step for k in range(count - 1)] + [high]


def value_range(values: Sequence[float], visible: Sequence[float]) -> tuple[float, float]:
    """The (low, high) of the axis of a curve: all of `visible`, and `values` without spikes."""
    finite = sorted(v for v in values if math.isfinite(v))
    visible_finite = [v for v in visible if math.isfinite(v)]
    if not finite and not visible_finite:
        return (-1.0, 1.0)
    low, high = (finite[0], finite[-1]) if finite else (visible_finite[0], visible_finite[0])
    if finite:  # cut poles: outliers by ten times the range between the deciles
        first, third = finite[len(finite) // 10], finite[(9 * len(finite)) // 10]
        room = max(10 * (third - first), 1e-300)
        low, high = max(low, first - room), min(high, third + room)
    low, high = min([low, *visible_finite]), max([high, *visible_finite])
    return _padded(low, high, high - low)


def _padded(low: float, high: float, widest: float) -> tuple[float, float]:
    """The interval with a margin, at least a tenth of the widest one and never empty."""
    middle = min(max(0.5 * low + 0.5 * high, -LARGEST), LARGEST)
    half = max(0.5 * high - 0.5 * low, 0.05 * widest)
    if half <= 1e-9 * abs(middle):
        half = 0.5 * max(1.0, abs(middle))
    half = min(half * (1 + 2 * _MARGIN), LARGEST)
    return (middle - half, middle + half)
