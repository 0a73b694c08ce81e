"""Which panels the picture of a Scene has, and where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symgd.report.plots import loss_panels, trace_panels
from symgd.report.plots.figure_style import Picture, plain
from symgd.report.scenes import Movers, Scene

_MARGINS = {"left": 0.1, "right": 0.975, "top": 0.83, "bottom": 0.085}


def draw_scene(picture: Picture, scene: Scene) -> Movers:
    """Every panel of the picture, and the lines in it that can move."""
    movers = Movers()
    if len(scene.params) <= 2:
        above, below = _rows(picture, [2.6, 1], scene.single)
        if len(scene.params) == 1 and all(np.isnan(run.loss).all() for run in scene.runs):
            trace_panels.parameters(above, scene, movers)  # only a gradient function was given
        else:
            loss_panels.main(above, scene, movers)
        trace_panels.loss(below, scene, movers)
    elif scene.cut is not None:
        axes = picture.subplots(2, 2, gridspec_kw=_MARGINS | {"hspace": 0.33, "wspace": 0.3})
        trace_panels.loss(axes[0][0], scene, movers)
        loss_panels.slice_of(axes[0][1], scene, scene.cut, movers)
        trace_panels.parameters(axes[1][0], scene, movers)
        trace_panels.gradient(axes[1][1], scene, movers)
    else:
        above, below = _rows(picture, [1, 1], scene.single)
        trace_panels.loss(above, scene, movers)
        trace_panels.gradient(below, scene, movers)
    write_above(picture, scene.caption)
    return movers


def write_above(picture: Picture, lines: Sequence[str]) -> None:
    """The caption, as data."""
    title = picture.text(0.02, 0.985, "\n".join(lines), fontsize=11, ha="left", va="top")
    plain(title, longest=600).set_linespacing(1.35)


def _rows(picture: Picture, ratios: Sequence[float], single: bool) -> Any:
    grid = _MARGINS | {"hspace": 0.27, "top": 0.83 if single else 0.91}
    return picture.subplots(2, 1, height_ratios=ratios, gridspec_kw=grid)
