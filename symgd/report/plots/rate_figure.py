"""The learning-rate map: final loss against learning rate, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from symgd import names
from symgd._numpy import np
from symgd.descent.compare import Comparison
from symgd.descent.rate_map import RateMap
from symgd.report.compare import rule_name, start_text
from symgd.report.plots.figure_style import (
    COLORS,
    DASHES,
    END,
    GRAY,
    LONGEST,
    Picture,
    add_legend,
    powers_of_ten,
    short_numbers,
    shortened,
    write_caption,
)

_MOST_MARKERS = 60  # rates up to which each is marked


def draw_rates(picture: Picture, comparison: Comparison) -> None:
    """The whole picture, a curve for each rule and start."""
    maps = comparison.maps
    ax = picture.subplots(gridspec_kw={"left": 0.1, "right": 0.975, "top": 0.87, "bottom": 0.085})
    ax.set_xscale("log")
    for k, rate_map in enumerate(maps):
        name = f"{_name(rate_map)}: {_lowest(rate_map)}" if len(maps) > 1 else "final loss"
        _curve(ax, rate_map, k, name)
    _scale(ax, [v for rate_map in maps for v in rate_map.shown if math.isfinite(v)])
    for k, rate_map in enumerate(maps):
        _mark(ax, rate_map, COLORS[k % len(COLORS)], first=k == 0)
    ax.set_xlabel("learning rate")
    ax.set_ylabel(_y_label(maps))
    powers_of_ten(ax.xaxis)
    caption = [shortened(comparison.loss.read_as(pretty=True), LONGEST)]
    if len(maps) == 1:
        lowest = f"; lowest: {_lowest(maps[0])}" if _is_finite(maps[0]) else ""
        caption.append(names.escape(_name(maps[0])) + lowest)
    write_caption(picture, caption)
    add_legend(ax, longest=60)


def _y_label(maps: Sequence[RateMap]) -> str:
    lowest = min(v for rate_map in maps for v in [*rate_map.shown, math.inf])
    below = any(value < lowest for rate_map in maps for value in rate_map.losses)
    steps = max(rate_map.steps for rate_map in maps)
    return f"loss after {steps} steps" + (f" (not below {lowest:.1g})" if below else "")


def _name(rate_map: RateMap) -> str:
    return f"{rule_name(rate_map.run)} from {start_text(rate_map.run)}"


def _lowest(rate_map: RateMap) -> str:
    if not _is_finite(rate_map):
        return "none is finite"
    best = rate_map.best
    return f"{rate_map.losses[best]:.3g} at lr = {rate_map.rates[best]:.4g}"


def _is_finite(rate_map: RateMap) -> bool:
    """Whether any loss is finite."""
    return math.isfinite(rate_map.losses[rate_map.best])


def _curve(ax: Any, rate_map: RateMap, number: int, name: str) -> None:
    shown = np.array(rate_map.shown)
    values = np.where(np.isfinite(shown), shown, np.nan)
    ax.plot(
        rate_map.rates, values, color=COLORS[number % len(COLORS)], linewidth=1.6,
        linestyle=DASHES[number // len(COLORS) % len(DASHES)], markersize=3.5,
        marker="o" if len(values) <= _MOST_MARKERS else "", label=name,
    )  # fmt: skip


def _scale(ax: Any, values: Sequence[float]) -> None:
    if values and min(values) > 0:
        ax.set_yscale("log")
        powers_of_ten(ax.yaxis)
    else:
        short_numbers(ax.yaxis)


def _mark(ax: Any, rate_map: RateMap, color: str, first: bool) -> None:
    """Mark the predicted limit, the best rate, and the rates whose loss is not finite."""
    rates, best = rate_map.rates, rate_map.best
    if rate_map.limit is not None and rates[0] <= rate_map.limit <= rates[-1]:
        name = "predicted limit" if first else None
        ax.axvline(rate_map.limit, color=color, linestyle=":", linewidth=1.6, label=name)
    if _is_finite(rate_map):
        name = "lowest" if first else None
        ax.plot([rates[best]], [rate_map.shown[best]], marker="*", markersize=14, color=color,
                markeredgecolor="white", linestyle="none", label=name)  # fmt: skip
    not_drawn = [r for r, v in zip(rates, rate_map.shown, strict=True) if not math.isfinite(v)]
    if not_drawn:
        top = ax.get_xaxis_transform()
        label = "above 1000 times the start, or not finite" if first else None
        color = END if first else GRAY
        ax.plot(not_drawn, [0.985] * len(not_drawn), marker="x", markersize=4, color=color,
                linestyle="none", transform=top, label=label, clip_on=False)  # fmt: skip
