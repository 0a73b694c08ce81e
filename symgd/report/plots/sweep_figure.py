"""The picture of a sweep: final loss over the grid of what was tried."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from symgd import names
from symgd._numpy import np
from symgd.descent.sweep import Sweep
from symgd.names import counted
from symgd.report.plots.figure_style import (
    COLORS,
    CONTOUR_COLORMAP,
    DARK,
    DASHES,
    LONGEST,
    Picture,
    add_legend,
    as_plain_text,
    powers_of_ten,
    short_numbers,
    shortened,
    write_caption,
)
from symgd.report.plots.loss_grid import Floats
from symgd.report.sweep import best_sentence, setting_text

_MOST_CURVES = 12
_MOST_CELLS = 12  # values of an axis that are written at its ticks


def draw_sweep(picture: Picture, sweep: Sweep) -> None:
    """A curve along the longest axis for each of the others, or a map of the two longest."""
    ax = picture.subplots(gridspec_kw={"left": 0.11, "right": 0.975, "top": 0.85, "bottom": 0.1})
    sizes = {name: len(values) for name, values in sweep.axes.items()}
    longest, *others = sorted(sizes, key=lambda name: -sizes[name])
    values = np.where(sweep.lost, np.nan, sweep.value).reshape(sweep.shape)
    values = np.moveaxis(values, list(sizes).index(longest), -1)
    rest = [name for name in sizes if name != longest]
    curves = values.reshape(-1, sizes[longest])
    if len(curves) <= _MOST_CURVES or not others:
        _curves(ax, sweep, longest, rest, curves)
    else:
        _map(ax, sweep, longest, others[0], values, rest)
    write_caption(picture, [shortened(sweep.loss.read_as(pretty=True), LONGEST), _head(sweep)])


def _head(sweep: Sweep) -> str:
    return shortened(f"{counted(len(sweep), 'descent')}; {best_sentence(sweep)}", LONGEST)


def _curves(ax: Any, sweep: Sweep, along: str, others: Sequence[str], curves: Floats) -> None:
    x, labels = _ticks(sweep.axes[along])
    shape = [len(sweep.axes[name]) for name in others]
    for k, (place, values) in enumerate(zip(np.ndindex(*shape), curves, strict=True)):
        parts = [f"{n} {setting_text(sweep.axes[n][i])}" for n, i in zip(others, place, strict=True)
                 if len(sweep.axes[n]) > 1]  # fmt: skip
        ax.plot(x, values, color=COLORS[k % len(COLORS)], linewidth=1.6, markersize=3.5,
                linestyle=DASHES[k // len(COLORS) % len(DASHES)], marker="o",
                label=names.escape(", ".join(parts)) or "final loss")  # fmt: skip
    _axis(ax, along, sweep.axes[along], labels)
    finite = curves[np.isfinite(curves)]
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        ax.set_yscale("log")
        powers_of_ten(ax.yaxis)
    else:
        short_numbers(ax.yaxis)
    ax.set_ylabel("final loss (runs that left the numbers are left out)"
                  if sweep.lost.any() else "final loss")  # fmt: skip
    if len(curves) > 1:
        add_legend(ax, longest=48)


def _map(
    ax: Any, sweep: Sweep, across: str, up: str, values: Floats, others: Sequence[str]
) -> None:
    """The lowest of the losses of each pair of values, by color."""
    from matplotlib.colors import LogNorm

    axis = list(others).index(up)
    with np.errstate(all="ignore"):
        lowest = np.moveaxis(values, axis, -2)
        lowest = np.nanmin(lowest.reshape(-1, *lowest.shape[-2:]), axis=0)
    finite = lowest[np.isfinite(lowest)]
    norm = None
    if finite.size and finite.min() > 0 and finite.max() > 10 * finite.min():
        norm = LogNorm(max(finite.min(), 1e-16 * finite.max()), finite.max())
    ax.grid(visible=False)
    mesh = ax.pcolormesh(np.arange(len(sweep.axes[across])), np.arange(len(sweep.axes[up])),
                         lowest, cmap=CONTOUR_COLORMAP, norm=norm, shading="nearest")  # fmt: skip
    bar = ax.figure.colorbar(mesh, ax=ax)
    bar.set_label("final loss")
    (powers_of_ten if norm else short_numbers)(bar.ax.yaxis)
    for name, which, most in ((across, "x", _MOST_CELLS // 2), (up, "y", _MOST_CELLS)):
        numbers = [setting_text(v) for v in sweep.axes[name]]
        apart = -(-len(numbers) // most)
        getattr(ax, f"set_{which}ticks")(range(0, len(numbers), apart), numbers[::apart])
        as_plain_text(getattr(ax, f"set_{which}label")(names.escape(name)))
    if sweep.best >= 0:
        place = dict(zip(sweep.axes, np.unravel_index(sweep.best, sweep.shape), strict=True))
        ax.plot([place[across]], [place[up]], marker="*", markersize=14, color="white",
                markeredgecolor=DARK, linestyle="none", clip_on=False)  # fmt: skip


def _ticks(values: Sequence[Any]) -> tuple[list[float], list[str]]:
    """The abscissas of values, and their texts where they are no numbers."""
    if all(isinstance(v, (int, float)) for v in values):
        return [float(v) for v in values], []
    return [float(k) for k in range(len(values))], [setting_text(v) for v in values]


def _axis(ax: Any, name: str, values: Sequence[Any], labels: Sequence[str]) -> None:
    as_plain_text(ax.set_xlabel("learning rate" if name == "lr" else names.escape(name)))
    if labels:
        apart = -(-len(labels) // _MOST_CELLS)
        ax.set_xticks(range(0, len(labels), apart), [shortened(t, 20) for t in labels[::apart]])
        return
    low, high = min(values), max(values)
    if low > 0 and high > 20 * low and math.isfinite(high):
        ax.set_xscale("log")
        powers_of_ten(ax.xaxis)
    else:
        short_numbers(ax.xaxis)
