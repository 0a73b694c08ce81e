"""Pictures of a descent by matplotlib, which is imported when the first one is drawn."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from symgd.errors import ArgumentError
from symgd.report.compare import labels_of
from symgd.report.output_files import check_matplotlib, check_picture, write_whole

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType

    from symgd.descent.compare import Comparison
    from symgd.fits.fit_result import FitResult
    from symgd.model.result import Result
    from symgd.report.scenes import FitScene, RateScene, Scene

_MOST = 12  # runs that one picture can tell apart


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
    from symgd.report.scenes.run_scene import scene_of

    return _drawn(scene_of(list(results), list(labels)), target)


def plot_comparison(found: Comparison, path: str | os.PathLike[str] | None = None) -> Any:
    """The runs of a comparison in one picture, or its learning-rate map: a matplotlib Figure.

    Raises ArgumentError for more runs than can be told apart, or for a map that should move.
    """
    target = None if path is None else check_picture(path)
    check_matplotlib()
    check_comparison(found, path)
    if not found.ranged:
        return overlay(list(found.runs), labels_of(found), path)
    from symgd.report.scenes.rate_scene import rate_scene

    return _drawn(rate_scene(found.loss, found.maps), target)


def plot_fit(result: FitResult, path: str | os.PathLike[str] | None = None) -> Any:
    """Data, model, confidence band and residuals of a fit: a matplotlib Figure.

    Against the one column that the model reads; where there are more, or none, observed against
    predicted. Raises ArgumentError for a loss that is no model, or for a path that is none.
    """
    target = None if path is None else check_picture(path)
    check_matplotlib()
    check_fit(path)
    if result.curve is None:
        raise ArgumentError("a loss has no model to draw; fit 'y = model'")
    from symgd.report.scenes.fit_scene import fit_scene

    return _drawn(fit_scene(result), target)


def _drawn(scene: Scene | RateScene | FitScene, path: Path | None) -> Any:
    picture, data = _plots().draw(scene, "" if path is None else path.suffix.lower()[1:])
    if path is not None:
        write_whole(path, data)
    return picture


def _plots() -> ModuleType:
    """The module that draws. It needs no backend, so $MPLBACKEND may name one that is missing."""
    if "matplotlib" in sys.modules or "MPLBACKEND" not in os.environ:
        from symgd.report import plots

        return plots
    named = os.environ.pop("MPLBACKEND")
    try:
        import matplotlib

        from symgd.report import plots
    finally:
        os.environ["MPLBACKEND"] = named
    with suppress(ValueError):  # no such backend
        matplotlib.rcParams["backend"] = named  # as matplotlib itself does, for who uses it later
    return plots


def check_fit(path: str | os.PathLike[str] | None) -> None:
    """Refuse a GIF of what does not move, with an ArgumentError."""
    if path is not None and str(path).lower().endswith(".gif"):
        raise ArgumentError("the picture of a fit does not move: write it as .png or .svg")


def check_comparison(found: Comparison, path: str | os.PathLike[str] | None) -> None:
    """Refuse a comparison that makes no picture, with an ArgumentError."""
    if found.ranged:
        if path is not None and str(path).lower().endswith(".gif"):
            raise ArgumentError("a learning-rate map does not move: write it as .png or .svg")
    elif len(found.runs) > _MOST:
        raise ArgumentError(
            f"a picture tells at most {_MOST} runs apart, these are {len(found.runs):,}; "
            "give fewer, or a range of learning rates such as 1e-4..10:200"
        )
