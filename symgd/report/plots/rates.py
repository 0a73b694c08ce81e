"""The learning-rate map: final loss against learning rate, both logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from symgd import names
from symgd.report.compare import rule_name, start_text
from symgd.report.plots.paper import (
    COLOURS,
    DASHES,
    END,
    FAINT,
    LONGEST,
    Picture,
    plain,
    powers_of_ten,
    short_numbers,
)

if TYPE_CHECKING:
    from symgd.loss import Loss
    from symgd.rate_map import RateMap

_DOTS = 60  # rates that are marked one by one


def draw_rates(picture: Picture, loss: Loss, maps: Sequence[RateMap]) -> None:
    """The whole picture. maps: one for each rule and start."""
    ax = picture.subplots(gridspec_kw={"left": 0.1, "right": 0.975, "top": 0.87, "bottom": 0.085})
    ax.set_xscale("log")
    for k, one in enumerate(maps):
        _curve(ax, one, k, named=len(maps) > 1)
    _scale(ax, [v for one in maps for v in one.shown if math.isfinite(v)])
    for k, one in enumerate(maps):
        _marks(ax, one, COLOURS[k % len(COLOURS)], first=k == 0)
    ax.set_xlabel("learning rate")
    steps = max(one.steps for one in maps)
    floor = min(v for one in maps for v in [*one.shown, math.inf])
    below = any(loss < floor for one in maps for loss in one.losses)
    ax.set_ylabel(f"loss after {steps} steps" + (f" (not below {floor:.1g})" if below else ""))
    powers_of_ten(ax.xaxis)
    text = loss.read_as(pretty=True)
    lines = [text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"]
    if len(maps) == 1:
        lines.append(names.escape(_name(maps[0])))
        if math.isfinite(maps[0].losses[maps[0].best]):
            lines[-1] += f"; lowest: {_best(maps[0])}"
    title = picture.text(0.02, 0.985, "\n".join(lines), fontsize=11, ha="left", va="top")
    plain(title, longest=600).set_linespacing(1.35)
    legend = ax.legend(loc="best")
    for entry in legend.get_texts():
        plain(entry, longest=60)


def _curve(ax: Any, one: RateMap, number: int, named: bool) -> None:
    shown = np.array(one.shown)
    values = np.where(np.isfinite(shown), shown, np.nan)
    ax.plot(
        one.rates, values, color=COLOURS[number % len(COLOURS)], linewidth=1.6,
        linestyle=DASHES[number // len(COLOURS) % len(DASHES)], markersize=3.5,
        marker="o" if len(values) <= _DOTS else "",
        label=f"{_name(one)}: {_best(one)}" if named else "final loss",
    )  # fmt: skip


def _scale(ax: Any, values: Sequence[float]) -> None:
    if values and min(values) > 0:
        ax.set_yscale("log")
        powers_of_ten(ax.yaxis)
    else:
        short_numbers(ax.yaxis)


def _marks(ax: Any, one: RateMap, colour: str, first: bool) -> None:
    """The predicted limit, the best rate, and where there is nothing finite to draw."""
    low, high = one.rates[0], one.rates[-1]
    if one.limit is not None and low <= one.limit <= high:
        name = "predicted limit" if first else None
        ax.axvline(one.limit, color=colour, linestyle=":", linewidth=1.6, label=name)
    if math.isfinite(one.losses[one.best]):
        at = ([one.rates[one.best]], [one.shown[one.best]])
        name = "lowest" if first else None
        ax.plot(*at, marker="*", markersize=14, color=colour, markeredgecolor="white",
                linestyle="none", label=name)  # fmt: skip
    gone = [rate for rate, v in zip(one.rates, one.shown, strict=True) if not math.isfinite(v)]
    if gone:
        top = ax.get_xaxis_transform()
        label = "above 1000 times the start, or not finite" if first else None
        ax.plot(gone, [0.985] * len(gone), marker="x", markersize=4, color=END if first else FAINT,
                linestyle="none", transform=top, label=label, clip_on=False)  # fmt: skip


def _name(one: RateMap) -> str:
    return f"{rule_name(one.run)} from {start_text(one.run)}"


def _best(one: RateMap) -> str:
    loss = one.losses[one.best]
    if not math.isfinite(loss):
        return "none is finite"
    return f"{loss:.3g} at lr = {one.rates[one.best]:.4g}"
