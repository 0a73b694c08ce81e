"""What part of the parameter space a picture of a descent shows, and the loss there.

Plain Python: the static sketch and the live page use it where neither NumPy nor matplotlib is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from symgd.analysis.minima import find_minimum
from symgd.model.loss import Loss
from symgd.report.viewport import Point, View, beginning, inside, window
from symgd.solvers.symmetric import all_finite

if TYPE_CHECKING:
    from symgd.model.result import Result

_WORK = 10_000_000  # operations of one evaluation of a loss whose minimum is looked for
_FAR_MINIMUM = 25.0  # a minimum farther than this multiple of the path's extent stays outside


def ran_away(result: Result) -> bool:
    """Whether the run diverged or left the numbers."""
    bad = ("diverged", "nonfinite")
    return result.status.value in bad or result.verdict.kind in ("diverging", "nonfinite")


def view_of(results: Sequence[Result]) -> View:
    """The window of the paths of one or two parameters, and of a minimum near them.

    Of a run that diverged only the beginning counts, and only where no other run stays near.
    """
    paths = [[theta for _, theta, _, _ in r.history.rows()] for r in results]
    shown: list[Point] = []
    all_run_away = all(map(ran_away, results))
    for result, path in zip(results, paths, strict=True):
        if not ran_away(result):
            shown += path
        elif all_run_away:
            shown += beginning(path)
    minimum = _minimum(results[0], shown)
    if minimum is not None:
        shown.append(minimum)
    spans = window(shown)
    left = next((k for k, p in enumerate(paths[0]) if not inside(p, spans)), None)
    return View(spans, left, minimum)


def _minimum(result: Result, shown: Sequence[Point]) -> tuple[float, ...] | None:
    if not isinstance(result.loss, Loss) or result.loss.internals.work > _WORK:
        return None
    last = shown[-1]
    found = find_minimum(result.loss, last) or find_minimum(result.loss, shown[0], careful=True)
    if found is None or not all_finite(found.x):
        return None
    boxes = [(min(axis), max(axis)) for axis in zip(*shown, strict=True)]
    extent = max(high - low for low, high in boxes)
    apart = max(max(low - v, v - high) for v, (low, high) in zip(found.x, boxes, strict=True))
    near = apart <= _FAR_MINIMUM * max(extent, 0.04 * max(1.0, *map(abs, shown[0])))
    return tuple(found.x) if near else None
