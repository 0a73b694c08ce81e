"""Drawing descents with matplotlib: which picture, and into which file.

Imported only when a picture is wanted, for it imports matplotlib.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from symgd.report.plots.motion import animate
from symgd.report.plots.paper import Picture, new_picture, save, style
from symgd.report.plots.scene import Scene, draw_scene, scene_of

if TYPE_CHECKING:
    from symgd.fits.result import FitResult
    from symgd.loss import Loss
    from symgd.rate_map import RateMap
    from symgd.result import Result

__all__ = ["Picture", "Scene", "draw", "draw_fit", "draw_maps"]


def draw_maps(loss: Loss, maps: Sequence[RateMap], path: Path | None) -> Picture:
    """Final loss against learning rate, a curve for each map, written to `path`, too."""
    from symgd.report.plots.rates import draw_rates

    with style():
        picture = new_picture()
        draw_rates(picture, loss, maps)
        if path is not None:
            save(picture, path)
    return picture


def draw_fit(result: FitResult, path: Path | None) -> Picture:
    """Data, model and residuals of a fit, written to `path`, too."""
    from symgd.report.plots import fits

    with style():
        picture = new_picture()
        fits.draw_fit(picture, result)
        if path is not None:
            save(picture, path)
    return picture


def draw(results: list[Result], labels: list[str], path: Path | None) -> Picture:
    """The picture of one or more descents, written to `path` if there is one."""
    scene = scene_of(results, labels)
    with style():
        picture = new_picture()
        movers = draw_scene(picture, scene)
        if path is not None and path.suffix.lower() == ".gif":
            animate(picture, movers, scene, path)
        elif path is not None:
            save(picture, path)
    return picture
