"""The viewport of a picture of descents, in plain Python for the static SVG and the live page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symgd.analysis.minima import find_minimum
from symgd.model.loss import Loss
from symgd.report.viewport import Point, Viewport, before_divergence, bounding_spans, is_inside
from symgd.solvers.symmetric import all_finite

if TYPE_CHECKING:
    from symgd.model.result import Result

_WORK = 10_000_000  # operations of a loss evaluation up to which its minimum is searched
_FAR_MINIMUM = 25.0  # multiple of the extent of the path beyond which a minimum is not shown


def has_diverged(result: Result) -> bool:
    """Whether the run diverged or became non-finite."""
    bad = ("diverged", "nonfinite")
    return result.status.value in bad or result.verdict.kind in ("diverging", "nonfinite")


def viewport_of(results: Sequence[Result]) -> Viewport:
    """The viewport of the paths of one or two parameters, and of a minimum near them.

    Diverged runs are ignored, unless all diverged: then their beginnings count.
    """
    paths = [[theta for _, theta, _, _ in r.history.rows()] for r in results]
    points: list[Point] = []
    all_diverged = all(map(has_diverged, results))
    for result, path in zip(results, paths, strict=True):
        if not has_diverged(result):
            points += path
        elif all_diverged:
            points += before_divergence(path)
    minimum = _minimum(results[0], points)
    if minimum is not None:
        points.append(minimum)
    spans = bounding_spans(points)
    first_outside = next((k for k, p in enumerate(paths[0]) if not is_inside(p, spans)), None)
    return Viewport(spans, first_outside, minimum)


def _minimum(result: Result, points: Sequence[Point]) -> tuple[float, ...] | None:
    if not isinstance(result.loss, Loss) or result.loss.internals.work > _WORK:
        return None
    last = points[-1]
    found = find_minimum(result.loss, last) or find_minimum(result.loss, points[0], careful=True)
    if found is None or not all_finite(found.x):
        return None
    extents = [(min(axis), max(axis)) for axis in zip(*points, strict=True)]
    extent = max(high - low for low, high in extents)
    distance = max(max(low - v, v - high) for v, (low, high) in zip(found.x, extents, strict=True))
    near = distance <= _FAR_MINIMUM * max(extent, 0.04 * max(1.0, *map(abs, points[0])))
    return tuple(found.x) if near else None
