"""The picture of descents: the layout of its panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgd._numpy import np
from symgd.report.plots import loss_panels, trace_panels
from symgd.report.plots.animation import AnimatedLines
from symgd.report.plots.descent_scene import DescentScene
from symgd.report.plots.figure_style import Picture, write_caption

_MARGINS = {"left": 0.1, "right": 0.975, "top": 0.83, "bottom": 0.085}


def draw_descents(picture: Picture, scene: DescentScene) -> AnimatedLines:
    """Draw all panels; return the lines that an animation lets grow."""
    animated = AnimatedLines()
    if len(scene.params) <= 2:
        above, below = _two_rows(picture, [2.6, 1], scene.single)
        if len(scene.params) == 1 and all(np.isnan(run.loss).all() for run in scene.runs):
            trace_panels.parameters(above, scene, animated)  # only a gradient function was given
        else:
            loss_panels.loss_surface(above, scene, animated)
        trace_panels.loss(below, scene, animated)
    elif scene.plane_slice is not None:
        axes = picture.subplots(2, 2, gridspec_kw=_MARGINS | {"hspace": 0.33, "wspace": 0.3})
        trace_panels.loss(axes[0][0], scene, animated)
        loss_panels.plane_slice(axes[0][1], scene, scene.plane_slice, animated)
        trace_panels.parameters(axes[1][0], scene, animated)
        trace_panels.gradient(axes[1][1], scene, animated)
    else:
        above, below = _two_rows(picture, [1, 1], scene.single)
        trace_panels.loss(above, scene, animated)
        trace_panels.gradient(below, scene, animated)
    write_caption(picture, scene.caption)
    return animated


def _two_rows(picture: Picture, ratios: Sequence[float], single: bool) -> Any:
    grid = _MARGINS | {"hspace": 0.27, "top": 0.83 if single else 0.91}
    return picture.subplots(2, 1, height_ratios=ratios, gridspec_kw=grid)
