"""Pictures of descents, comparisons and fits by matplotlib, which is imported when needed."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from symgd.errors import ArgumentError, BackendError, import_problem
from symgd.report.compare import run_labels
from symgd.report.output_files import INSTALL_MATPLOTLIB, check_picture, write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from symgd.descent.compare import Comparison
    from symgd.descent.sweep import Sweep
    from symgd.fits.fit_result import FitResult
    from symgd.model.result import Result

Size = tuple[float, float]  # inches

_MOST_RUNS = 12  # of a picture


def plot(
    result: Result,
    path: str | os.PathLike[str] | None = None,
    figsize: Size | None = None,
) -> Any:
    """The picture of a descent, a matplotlib Figure that notebooks show.

    One parameter: the curve, the iterates and their tangents. Two: contours and the path. More:
    loss, gradient and parameters against the step, and a slice through the two principal directions
    of the path. path: a file to write: .png, .svg, .pdf or .gif (an animation). figsize: inches.
    Raises ArgumentError for a path that cannot be written, BackendError without matplotlib.
    """
    return overlay([result], [""], path, figsize)


def overlay(
    results: Sequence[Result],
    labels: Sequence[str],
    path: str | os.PathLike[str] | None = None,
    figsize: Size | None = None,
) -> Any:
    """One picture of several descents of the same loss, as `plot`. labels: one per result."""
    if not results or len(results) != len(labels):
        raise ArgumentError(f"{len(labels)} labels for {len(results)} results")
    if len({r.loss.params for r in results}) > 1:
        raise ArgumentError("the results are of losses with different parameters")
    target = _prepare(path)
    from symgd.report.plots.descent_figure import draw_descents
    from symgd.report.plots.descent_scene import scene_of

    return _draw(target, draw_descents, scene_of(results, labels), figsize)


def plot_comparison(
    comparison: Comparison,
    path: str | os.PathLike[str] | None = None,
    figsize: Size | None = None,
) -> Any:
    """The runs of a comparison in one picture, or its learning-rate map: a matplotlib Figure.

    Raises ArgumentError for too many runs, or for an animation of a map.
    """
    target = _prepare(path)
    check_comparison(comparison, path)
    if not comparison.ranged:
        return overlay(comparison.runs, run_labels(comparison), path, figsize)
    from symgd.report.plots.rate_figure import draw_rates

    return _draw(target, draw_rates, comparison, figsize)


def plot_sweep(
    sweep: Sweep,
    path: str | os.PathLike[str] | None = None,
    figsize: Size | None = None,
) -> Any:
    """Final loss over the grid of a sweep: a matplotlib Figure; a path as for `plot`."""
    target = _prepare(path)
    check_still(path, "a sweep")
    from symgd.report.plots.sweep_figure import draw_sweep

    return _draw(target, draw_sweep, sweep, figsize)


def plot_fit(
    result: FitResult,
    path: str | os.PathLike[str] | None = None,
    figsize: Size | None = None,
) -> Any:
    """Data, model, confidence band and residuals of a fit: a matplotlib Figure.

    Against the column of the model; if it has several, observed against predicted. Raises
    ArgumentError for a loss without a model, or for an invalid path.
    """
    target = _prepare(path)
    check_fit(path)
    if result.curve is None:
        raise ArgumentError("a loss has no model to draw; fit 'y = model'")
    from symgd.report.plots.fit_figure import draw_fit

    return _draw(target, draw_fit, result, figsize)


def _prepare(path: str | os.PathLike[str] | None) -> Path | None:
    """Check the path and import matplotlib, even if $MPLBACKEND names a missing backend."""
    target = None if path is None else check_picture(path)
    backend = None if "matplotlib" in sys.modules else os.environ.pop("MPLBACKEND", None)
    try:
        if problem := import_problem("matplotlib.figure", INSTALL_MATPLOTLIB):
            raise BackendError(f"pictures need matplotlib{problem}")
    finally:
        if backend is not None:
            os.environ["MPLBACKEND"] = backend
    if backend is not None:
        import matplotlib

        with suppress(ValueError):  # no such backend
            matplotlib.rcParams["backend"] = backend  # as matplotlib does at import
    return target


def _draw(
    target: Path | None, draw: Callable[[Any, Any], Any], content: Any, figsize: Size | None
) -> Any:
    """A new picture with this content, written to `target`. draw: returns what is animated."""
    from symgd.report.plots.animation import animate
    from symgd.report.plots.figure_style import encode, new_picture, style

    data = b""
    with style():
        picture = new_picture(figsize)
        animated = draw(picture, content)
        if target is not None:
            form = target.suffix.lower()[1:]
            data = animate(picture, animated) if form == "gif" else encode(picture, form)
    if target is not None:
        write_whole(target, data)
    return picture


def check_fit(path: str | os.PathLike[str] | None) -> None:
    """ArgumentError for a GIF, because the picture has no animation."""
    check_still(path, "a fit")


def check_still(path: str | os.PathLike[str] | None, what: str) -> None:
    """ArgumentError for a GIF of what has no animation."""
    if path is not None and str(path).lower().endswith(".gif"):
        raise ArgumentError(f"the picture of {what} does not move: write it as .png, .svg or .pdf")


def check_comparison(comparison: Comparison, path: str | os.PathLike[str] | None) -> None:
    """ArgumentError for a comparison that cannot be drawn."""
    if comparison.ranged:
        check_still(path, "a range of rates")
    elif len(comparison.runs) > _MOST_RUNS:
        raise ArgumentError(
            f"a picture tells at most {_MOST_RUNS} runs apart, these are {len(comparison.runs):,}; "
            "give fewer, or a range of learning rates such as 1e-4..10:200"
        )
