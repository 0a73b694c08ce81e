"""The picture of a fit: data, model, confidence band, and the residuals below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgd.report.plots.figure_style import Picture, as_plain_text, short_numbers
from symgd.report.plots.layout import write_caption
from symgd.report.scenes import FitScene
from symgd.report.scenes.style import COLORS, DARK, END, GRAY

if TYPE_CHECKING:
    from symgd.report.scenes import Floats


def draw_fit(picture: Picture, scene: FitScene) -> None:
    """The whole picture."""
    margins = {"left": 0.11, "right": 0.975, "top": 0.83, "bottom": 0.085, "hspace": 0.12}
    above, below = picture.subplots(2, 1, height_ratios=[2.6, 1], sharex=True, gridspec_kw=margins)
    _model(above, scene)
    chosen = slice(None, None, scene.every)
    _points(above, scene.x[chosen], scene.observed[chosen], len(scene.observed))
    as_plain_text(above.set_ylabel(scene.y_label))
    _residuals(below, scene.x[chosen], (scene.observed - scene.predicted)[chosen])
    as_plain_text(below.set_xlabel(scene.x_label))
    short_numbers(above.xaxis, above.yaxis, below.yaxis)
    for text in above.legend(loc="best").get_texts():
        as_plain_text(text, longest=60)
    write_caption(picture, scene.caption)


def _points(ax: Any, x: Floats, y: Floats, rows: int) -> None:
    name = "data" if len(x) == rows else f"data, {len(x):,} of {rows:,} rows"
    size = 5.0 if len(x) <= 200 else 3.0 if len(x) <= 1000 else 1.5
    ax.plot(x, y, linestyle="none", marker="o", markersize=size, color=DARK, markeredgewidth=0,
            alpha=0.75 if len(x) <= 1000 else 0.4, label=name, zorder=3)  # fmt: skip


def _model(ax: Any, scene: FitScene) -> None:
    """The curve and its band, the diagonal, or the predictions by row."""
    if scene.diagonal:
        _diagonal(ax, scene)
        return
    if scene.curve is None:  # no column in the model
        ax.plot(scene.x, scene.predicted, color=COLORS[0], linewidth=1.8, label="model", zorder=4)
        return
    grid, middle, low, high = scene.curve
    if np.isfinite(low).any():
        ax.fill_between(grid, low, high, color=COLORS[1], alpha=0.38, linewidth=0, zorder=2,
                        label="95% confidence band")  # fmt: skip
    ax.plot(grid, middle, color=COLORS[0], linewidth=1.8, label="model", zorder=4)


def _diagonal(ax: Any, scene: FitScene) -> None:
    finite = np.concatenate([scene.observed, scene.predicted])
    finite = finite[np.isfinite(finite)]
    ends = [finite.min(), finite.max()] if len(finite) else [0.0, 1.0]
    ax.plot(ends, ends, color=COLORS[0], linewidth=1.6, label="observed = predicted", zorder=4)


def _residuals(ax: Any, x: Floats, residual: Floats) -> None:
    ax.axhline(0.0, color=GRAY, linewidth=1.0, zorder=1)
    size = 4.0 if len(x) <= 200 else 1.5
    if len(x) <= 200:
        ax.vlines(x, 0.0, residual, color=END, linewidth=0.8, alpha=0.6, zorder=2)
    ax.plot(x, residual, linestyle="none", marker="o", markersize=size, color=END,
            markeredgewidth=0, alpha=0.8, zorder=3, label="_residuals")  # fmt: skip
    ax.set_ylabel("residual")
