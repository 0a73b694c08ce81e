"""Pictures of a descent by matplotlib, which is imported when the first one is drawn."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from symgd.errors import ArgumentError
from symgd.report.files import check_matplotlib, check_picture

if TYPE_CHECKING:
    from symgd.result import Result


def plot(result: Result, path: str | os.PathLike[str] | None = None) -> Any:
    """The picture of a descent, a matplotlib Figure that notebooks show.

    One parameter: the curve, the iterates and their tangents. Two: contours and the path. More:
    loss, gradient and parameters against the step, and a slice through the path's two main
    directions. path: where to write it, too: .png, .svg or .gif (an animation). Raises
    ArgumentError for a path that cannot be written, BackendError without matplotlib.
    """
    return overlay([result], [""], path)


def overlay(
    results: Sequence[Result],
    labels: Sequence[str],
    path: str | os.PathLike[str] | None = None,
) -> Any:
    """One picture of several descents of the same loss, as `plot`. labels: (one per result)."""
    if not results or len(results) != len(labels):
        raise ArgumentError(f"{len(labels)} labels for {len(results)} results")
    if len({r.loss.params for r in results}) > 1:
        raise ArgumentError("the results are of losses with different parameters")
    target = None if path is None else check_picture(path)
    check_matplotlib()
    from symgd.report import plots

    return plots.draw(list(results), list(labels), target)
