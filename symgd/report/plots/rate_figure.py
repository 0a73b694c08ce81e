"""The learning-rate map: final loss against learning rate, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from symgd.report.plots.figure_style import Picture, plain, powers_of_ten, short_numbers
from symgd.report.plots.layout import write_above
from symgd.report.scenes import RateCurve, RateScene
from symgd.report.scenes.style import COLOURS, DASHES, END, FAINT

_DOTS = 60  # rates that are marked one by one


def draw_rates(picture: Picture, scene: RateScene) -> None:
    """The whole picture, a curve for each map."""
    ax = picture.subplots(gridspec_kw={"left": 0.1, "right": 0.975, "top": 0.87, "bottom": 0.085})
    ax.set_xscale("log")
    for k, one in enumerate(scene.curves):
        _curve(ax, one, k)
    _scale(ax, [v for one in scene.curves for v in one.shown if math.isfinite(v)])
    for k, one in enumerate(scene.curves):
        _marks(ax, one, COLOURS[k % len(COLOURS)], first=k == 0)
    ax.set_xlabel("learning rate")
    ax.set_ylabel(scene.level)
    powers_of_ten(ax.xaxis)
    write_above(picture, scene.caption)
    legend = ax.legend(loc="best")
    for entry in legend.get_texts():
        plain(entry, longest=60)


def _curve(ax: Any, one: RateCurve, number: int) -> None:
    shown = np.array(one.shown)
    values = np.where(np.isfinite(shown), shown, np.nan)
    ax.plot(
        one.rates, values, color=COLOURS[number % len(COLOURS)], linewidth=1.6,
        linestyle=DASHES[number // len(COLOURS) % len(DASHES)], markersize=3.5,
        marker="o" if len(values) <= _DOTS else "", label=one.name,
    )  # fmt: skip


def _scale(ax: Any, values: Sequence[float]) -> None:
    if values and min(values) > 0:
        ax.set_yscale("log")
        powers_of_ten(ax.yaxis)
    else:
        short_numbers(ax.yaxis)


def _marks(ax: Any, one: RateCurve, colour: str, first: bool) -> None:
    """The predicted limit, the best rate, and where there is nothing finite to draw."""
    if one.limit is not None:
        name = "predicted limit" if first else None
        ax.axvline(one.limit, color=colour, linestyle=":", linewidth=1.6, label=name)
    if one.best is not None:
        name = "lowest" if first else None
        ax.plot([one.best[0]], [one.best[1]], marker="*", markersize=14, color=colour,
                markeredgecolor="white", linestyle="none", label=name)  # fmt: skip
    gone = [rate for rate, v in zip(one.rates, one.shown, strict=True) if not math.isfinite(v)]
    if gone:
        top = ax.get_xaxis_transform()
        label = "above 1000 times the start, or not finite" if first else None
        ax.plot(gone, [0.985] * len(gone), marker="x", markersize=4, color=END if first else FAINT,
                linestyle="none", transform=top, label=label, clip_on=False)  # fmt: skip
