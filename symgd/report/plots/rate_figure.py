"""The learning-rate map: final loss against learning rate, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgd.report.plots.figure_style import Picture, as_plain_text, powers_of_ten, short_numbers
from symgd.report.plots.layout import write_caption
from symgd.report.scenes import RateCurve, RateScene
from symgd.report.scenes.style import COLORS, DASHES, END, GRAY

_MOST_MARKERS = 60  # rates up to which each is marked


def draw_rates(picture: Picture, scene: RateScene) -> None:
    """The whole picture, a curve for each map."""
    ax = picture.subplots(gridspec_kw={"left": 0.1, "right": 0.975, "top": 0.87, "bottom": 0.085})
    ax.set_xscale("log")
    for k, curve in enumerate(scene.curves):
        _curve(ax, curve, k)
    _scale(ax, [v for curve in scene.curves for v in curve.shown if math.isfinite(v)])
    for k, curve in enumerate(scene.curves):
        _mark(ax, curve, COLORS[k % len(COLORS)], first=k == 0)
    ax.set_xlabel("learning rate")
    ax.set_ylabel(scene.y_label)
    powers_of_ten(ax.xaxis)
    write_caption(picture, scene.caption)
    legend = ax.legend(loc="best")
    for entry in legend.get_texts():
        as_plain_text(entry, longest=60)


def _curve(ax: Any, curve: RateCurve, number: int) -> None:
    shown = np.array(curve.shown)
    values = np.where(np.isfinite(shown), shown, np.nan)
    ax.plot(
        curve.rates, values, color=COLORS[number % len(COLORS)], linewidth=1.6,
        linestyle=DASHES[number // len(COLORS) % len(DASHES)], markersize=3.5,
        marker="o" if len(values) <= _MOST_MARKERS else "", label=curve.name,
    )  # fmt: skip


def _scale(ax: Any, values: Sequence[float]) -> None:
    if values and min(values) > 0:
        ax.set_yscale("log")
        powers_of_ten(ax.yaxis)
    else:
        short_numbers(ax.yaxis)


def _mark(ax: Any, curve: RateCurve, color: str, first: bool) -> None:
    """Mark the predicted limit, the best rate, and the rates whose loss is not finite."""
    if curve.limit is not None:
        name = "predicted limit" if first else None
        ax.axvline(curve.limit, color=color, linestyle=":", linewidth=1.6, label=name)
    if curve.best is not None:
        name = "lowest" if first else None
        ax.plot([curve.best[0]], [curve.best[1]], marker="*", markersize=14, color=color,
                markeredgecolor="white", linestyle="none", label=name)  # fmt: skip
    not_drawn = [
        rate for rate, v in zip(curve.rates, curve.shown, strict=True) if not math.isfinite(v)
    ]
    if not_drawn:
        top = ax.get_xaxis_transform()
        label = "above 1000 times the start, or not finite" if first else None
        color = END if first else GRAY
        ax.plot(not_drawn, [0.985] * len(not_drawn), marker="x", markersize=4, color=color,
                linestyle="none", transform=top, label=label, clip_on=False)  # fmt: skip
