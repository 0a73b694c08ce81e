"""The panels that show the loss itself: a curve, contours, a slice through many dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps

from symgd.report.plots.figure_style import plain, short_numbers
from symgd.report.scenes import Ground, Movers, Run, Scene, Slice
from symgd.report.scenes.style import COLOURS, END, INK, LAND, MINIMUM, START
from symgd.report.viewport import heights, inside

if TYPE_CHECKING:
    from symgd.report.scenes import Floats

_LEVELS = 14
_DOTS = 200  # steps of a path whose points are marked one by one


def main(ax: Any, scene: Scene, movers: Movers) -> None:
    """The curve of one parameter, or the map of two."""
    if len(scene.params) == 1:
        _curve(ax, scene, movers)
    else:
        _map(ax, scene, movers)
    _legend(ax, scene)


def _curve(ax: Any, scene: Scene, movers: Movers) -> None:
    assert scene.spans is not None
    [(low, high)] = scene.spans
    ax.set_xlim(low, high)
    short_numbers(ax.xaxis, ax.yaxis)
    seen = [v for run in scene.runs for v in _visible(run, low, high)]
    if scene.ground is not None:
        ax.plot(
            scene.ground.x, scene.ground.z, color=INK, linewidth=1.6, zorder=2, label="loss"
        )  # fmt: skip
    ax.set_ylim(*heights([] if scene.ground is None else scene.ground.z.tolist(), seen))
    for run in scene.runs:
        _path(ax, run, run.theta[:, 0], run.loss, movers)
    _tangents(ax, scene, 0.16 * (high - low))
    plain(ax.set_xlabel(scene.params[0]))
    ax.set_ylabel("loss")
    _word_for_the_rest(ax, scene)


def _visible(run: Run, low: float, high: float) -> list[float]:
    there: list[float] = run.loss[(run.theta[:, 0] >= low) & (run.theta[:, 0] <= high)].tolist()
    return there


def _tangents(ax: Any, scene: Scene, half: float) -> None:
    """Short tangents at the first iterates: what the step is taken along."""
    for k, (theta, value, slope) in enumerate(scene.tangents):
        xs = np.array([theta - half, theta + half])
        line = value + slope * (xs - theta)
        ax.plot(xs, line, color=COLOURS[1], linewidth=1.3, alpha=0.8, zorder=3,
                label=None if k else "tangents")  # fmt: skip


def _map(ax: Any, scene: Scene, movers: Movers) -> None:
    assert scene.spans is not None
    (x0, x1), (y0, y1) = scene.spans
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)
    short_numbers(ax.xaxis, ax.yaxis)
    _land(ax, scene.ground)
    for run in scene.runs:
        _path(ax, run, run.theta[:, 0], run.theta[:, 1], movers)
    minimum = scene.minimum
    if minimum is not None:
        ax.plot(
            [minimum[0]], [minimum[1]], marker="+", markersize=12, markeredgewidth=2,
            color=MINIMUM, linestyle="none", label="minimum", zorder=7,
        )  # fmt: skip
    plain(ax.set_xlabel(scene.params[0]))
    plain(ax.set_ylabel(scene.params[1]))
    _word_for_the_rest(ax, scene)


def _land(ax: Any, ground: Ground | None) -> None:
    """Filled contours at levels that share the area equally, whatever the range of the loss."""
    if ground is None:
        return
    x, y, z = ground.x, ground.y, ground.z
    finite = z[np.isfinite(z)]
    if not finite.size or finite.min() == finite.max():
        return
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, _LEVELS + 1)))
    if len(levels) < 3:  # plateaus: few distinct values
        levels = np.linspace(finite.min(), finite.max(), _LEVELS + 1)
    ax.grid(visible=False)
    # colours by rank, not by value: a valley is seen as well as a cliff
    colours = colormaps[LAND]((np.arange(len(levels) - 1) + 0.5) / (len(levels) - 1))
    largest = np.abs(finite).max()  # a loss near 1e308 would overflow between two points
    z, bands = z / largest, levels / largest
    ax.contourf(x, y, z, levels=bands, colors=colours, alpha=0.55, antialiased=True, zorder=0)
    lines = ax.contour(
        x, y, z, levels=bands[1:-1], colors="white", linewidths=0.7, linestyles="-", zorder=1
    )  # fmt: skip
    chosen = dict(zip(bands[1:-1:3].tolist(), levels[1:-1:3].tolist(), strict=True))
    texts = ax.clabel(lines, levels=list(chosen), fmt=lambda v: f"{chosen[v]:.3g}", fontsize=8.5)
    for text in texts:
        text.set_color(INK)


def slice_of(ax: Any, scene: Scene, cut: Slice, movers: Movers) -> None:
    """The plane through the end in which the path mostly moves, with the path projected on it."""
    (x0, x1), (y0, y1) = cut.spans
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)
    short_numbers(ax.xaxis, ax.yaxis)
    _land(ax, cut.ground)
    _path(ax, scene.runs[0], cut.flat[:, 0], cut.flat[:, 1], movers)
    plain(ax.set_xlabel(cut.names[0]))
    plain(ax.set_ylabel(cut.names[1]))
    ax.set_title(cut.title, loc="left")
    _legend(ax, scene)


def _path(ax: Any, run: Run, x: Floats, y: Floats, movers: Movers) -> None:
    """The iterates joined in order; start and end are marked."""
    marked = len(x) <= _DOTS
    with np.errstate(invalid="ignore"):
        (line,) = ax.plot(
            x, y, color=run.colour, linestyle=run.dash, linewidth=1.5, marker="o" if marked else "",
            markersize=4, markeredgecolor="white", markeredgewidth=0.4, zorder=5,
            label=run.label or "path",
        )  # fmt: skip
    ax.plot([x[0]], [y[0]], marker="s", markersize=8, color=START, markeredgecolor="white",
            linestyle="none", zorder=6, label="_start")  # fmt: skip
    (head,) = ax.plot([x[-1]], [y[-1]], marker="*", markersize=15, color=run.colour, zorder=8,
                      markeredgecolor="white", linestyle="none", label="_end")  # fmt: skip
    movers.lines.append((line, x, y))
    movers.heads.append((head, x, y))


def _word_for_the_rest(ax: Any, scene: Scene) -> None:
    """Say when a path leaves the window: a clipped picture is not an empty one."""
    spans = scene.spans
    assert spans is not None
    told = []
    for run in scene.runs:
        outside = next(
            (k for k, p in enumerate(run.theta.tolist()) if not inside(p, spans)),
            None,
        )
        if outside is not None:
            who = f"{run.label}: " if run.label else "the path "
            where = ", ".join(
                f"{name} = {v:.3g}"
                for name, v in zip(scene.params, run.theta[outside], strict=True)
            )
            told.append(f"{who}leaves the picture at step {int(run.t[outside])} ({where})")
    if told:
        more = [] if len(told) <= 3 else [f"and {len(told) - 3} more leave it"]
        title = ax.set_title("\n".join(told[:3] + more), loc="left", fontsize=10, color=END)
        plain(title, longest=400)


def _legend(ax: Any, scene: Scene) -> None:
    from matplotlib.lines import Line2D

    handles, texts = ax.get_legend_handles_labels()
    handles.append(Line2D([], [], marker="s", color=START, linestyle="none", markersize=7))
    texts.append("start")
    if any(_ends_inside(run, scene) for run in scene.runs):
        colour = END if scene.single else INK
        handles.append(Line2D([], [], marker="*", color=colour, linestyle="none", markersize=12))
        texts.append("end")
    legend = ax.legend(handles, texts, loc="best")
    for text in legend.get_texts():
        plain(text, longest=48)


def _ends_inside(run: Run, scene: Scene) -> bool:
    if scene.spans is None:
        return not run.away
    return inside(run.theta[-1].tolist(), scene.spans)
