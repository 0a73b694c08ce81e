"""The panels that show the loss itself: a curve, contours, a slice through many dimensions."""

from __future__ import annotations

from typing import Any

import numpy as np

from symgd.report import view as views
from symgd.report.plots.paper import COLOURS, END, INK, LAND, MINIMUM, START, plain, short_numbers
from symgd.report.plots.scene import Floats, Movers, Run, Scene, label

_CURVE = 600  # points of a curve
_GRID = 120  # points along each side of a map
_LEVELS = 14
_DOTS = 200  # steps of a path whose points are marked one by one
_TANGENTS = 4


def main(ax: Any, scene: Scene, movers: Movers) -> None:
    """The curve of one parameter, or the map of two."""
    assert scene.view is not None
    if len(scene.params) == 1:
        _curve(ax, scene, movers)
    else:
        _map(ax, scene, movers)
    _legend(ax, scene)


def _curve(ax: Any, scene: Scene, movers: Movers) -> None:
    assert scene.view is not None
    [(low, high)] = scene.view.spans
    ax.set_xlim(low, high)
    short_numbers(ax.xaxis, ax.yaxis)
    x = np.linspace(low, high, _CURVE if scene.loss is None else scene.side(_CURVE, 1))
    seen = [v for run in scene.runs for v in _visible(run, scene).tolist()]
    y = scene.heights(x[:, None]) if scene.loss is not None else np.array([])
    bottom, top = views.heights(y.tolist(), seen)
    if len(y):
        ax.plot(x, y, color=INK, linewidth=1.6, zorder=2, label="loss")
    ax.set_ylim(bottom, top)
    for run in scene.runs:
        _path(ax, run, run.theta[:, 0], run.loss, movers)
        if scene.single:
            _tangents(ax, run, high - low)
    plain(ax.set_xlabel(label(scene.params[0])))
    ax.set_ylabel("loss")
    _word_for_the_rest(ax, scene)


def _visible(run: Run, scene: Scene) -> Floats:
    assert scene.view is not None
    [(low, high)] = scene.view.spans
    inside = (run.theta[:, 0] >= low) & (run.theta[:, 0] <= high)
    return run.loss[inside]


def _tangents(ax: Any, run: Run, width: float) -> None:
    """Short tangents at the first iterates: what the step is taken along."""
    result = run.result
    evaluate = getattr(result.loss, "evaluate", None)
    if evaluate is None:
        return
    half = 0.16 * width
    drawn = 0
    for theta, value in zip(run.theta[:, 0].tolist(), run.loss.tolist(), strict=True):
        near = ax.get_xlim()[0] <= theta <= ax.get_xlim()[1]
        slope = evaluate(theta)[1]
        if near and np.isfinite(slope) and drawn < _TANGENTS:
            xs = np.array([theta - half, theta + half])
            name = "tangents" if drawn == 0 else None
            line = value + slope * (xs - theta)
            ax.plot(xs, line, color=COLOURS[1], linewidth=1.3, alpha=0.8, zorder=3, label=name)
            drawn += 1
        if drawn == _TANGENTS:
            return


def _map(ax: Any, scene: Scene, movers: Movers) -> None:
    assert scene.view is not None
    (x0, x1), (y0, y1) = scene.view.spans
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)
    short_numbers(ax.xaxis, ax.yaxis)
    if scene.loss is not None:
        side = scene.side(_GRID, 2)
        x, y = np.linspace(x0, x1, side), np.linspace(y0, y1, side)
        grid = np.stack([a.ravel() for a in np.meshgrid(x, y)], axis=1)
        _land(ax, x, y, scene.heights(grid).reshape(side, side))
    for run in scene.runs:
        _path(ax, run, run.theta[:, 0], run.theta[:, 1], movers)
    minimum = scene.view.minimum
    if minimum is not None:
        ax.plot(
            [minimum[0]], [minimum[1]], marker="+", markersize=12, markeredgewidth=2,
            color=MINIMUM, linestyle="none", label="minimum", zorder=7,
        )  # fmt: skip
    plain(ax.set_xlabel(label(scene.params[0])))
    plain(ax.set_ylabel(label(scene.params[1])))
    _word_for_the_rest(ax, scene)


def _land(ax: Any, x: Floats, y: Floats, z: Floats) -> None:
    """Filled contours at levels that share the area equally, whatever the range of the loss."""
    finite = z[np.isfinite(z)]
    if not finite.size or finite.min() == finite.max():
        return
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, _LEVELS + 1)))
    if len(levels) < 3:  # plateaus: few distinct values
        levels = np.linspace(finite.min(), finite.max(), _LEVELS + 1)
    ranks = np.linspace(0, 1, len(levels))
    ax.grid(visible=False)
    # colours by rank, not by value: a valley is seen as well as a cliff
    rank = np.where(np.isfinite(z), np.interp(np.nan_to_num(z), levels, ranks), np.nan)
    ax.contourf(x, y, rank, levels=ranks, cmap=LAND, alpha=0.55, antialiased=True, zorder=0)
    lines = ax.contour(x, y, rank, levels=ranks[1:-1], colors="white", linewidths=0.7, zorder=1)
    chosen = dict(zip(ranks[1:-1:3], levels[1:-1:3], strict=True))
    texts = ax.clabel(lines, levels=list(chosen), fmt=lambda r: f"{chosen[r]:.3g}", fontsize=8.5)
    for text in texts:
        text.set_color(INK)


def slice_of(ax: Any, scene: Scene, movers: Movers) -> None:
    """The plane through the end in which the path mostly moves, with the path projected on it."""
    run = scene.runs[0]
    seen = _visible_path(run)
    centre = seen[-1]
    path = seen - centre
    axes = _principal(path)
    flat = path @ axes.T
    (x0, x1), (y0, y1) = views.window(flat.tolist())
    ax.set_xlim(x0, x1)
    ax.set_ylim(y0, y1)
    short_numbers(ax.xaxis, ax.yaxis)
    if scene.loss is not None:
        side = scene.side(_GRID // 2, 2)
        x, y = np.linspace(x0, x1, side), np.linspace(y0, y1, side)
        plane = np.stack([a.ravel() for a in np.meshgrid(x, y)], axis=1)
        z = scene.heights(centre + plane @ axes)
        _land(ax, x, y, z.reshape(side, side))
    _path(ax, run, flat[:, 0], flat[:, 1], movers)
    plain(ax.set_xlabel(_direction(axes[0], scene)))
    plain(ax.set_ylabel(_direction(axes[1], scene)))
    cut = "" if len(seen) == len(run.theta) else f", to step {int(run.t[len(seen) - 1])}"
    ax.set_title(f"slice along the path{cut}", loc="left")
    _legend(ax, scene)


def _visible_path(run: Run) -> Floats:
    """(K', P): the path, without what a diverging one does far away."""
    if not views.ran_away(run.result):
        return run.theta
    return run.theta[: len(views.beginning(run.theta.tolist()))]


def _principal(path: Floats) -> Floats:
    """(2, P): the two directions that hold most of the path, their largest entries positive."""
    count = path.shape[1]
    scale = np.abs(path).max() or 1.0
    _, _, rows = np.linalg.svd(np.vstack([path / scale, np.zeros((2, count))]), full_matrices=False)
    axes = rows[:2].copy()
    for axis in axes:
        axis *= np.sign(axis[np.argmax(np.abs(axis))]) or 1.0
    return axes


def _direction(axis: Floats, scene: Scene) -> str:
    """The direction as a sum: 0.8·a - 0.6·b + ..."""
    order = [int(k) for k in np.argsort(-np.abs(axis), kind="stable") if abs(axis[k]) >= 0.005]
    text = ""
    for k in order[:3]:
        sign = "−" if axis[k] < 0 else "+" if text else ""
        space = " " if text else ""
        text += f"{space}{sign}{space}{abs(axis[k]):.2g}·{label(scene.params[k])}"
    return text + (" + …" if len(order) > 3 else "")


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
    assert scene.view is not None
    told = []
    for run in scene.runs:
        outside = next(
            (k for k, p in enumerate(run.theta.tolist()) if not views.inside(p, scene.view.spans)),
            None,
        )
        if outside is not None:
            who = f"{run.label}: " if run.label else "the path "
            where = ", ".join(
                f"{label(n)} = {v:.3g}"
                for n, v in zip(scene.params, run.theta[outside], strict=True)
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
    if any(_ends_inside(ax, run, scene) for run in scene.runs):
        colour = END if scene.single else INK
        handles.append(Line2D([], [], marker="*", color=colour, linestyle="none", markersize=12))
        texts.append("end")
    legend = ax.legend(handles, texts, loc="best")
    for text in legend.get_texts():
        plain(text, longest=48)


def _ends_inside(ax: Any, run: Run, scene: Scene) -> bool:
    if scene.view is None:
        return not views.ran_away(run.result)
    return views.inside(run.theta[-1].tolist(), scene.view.spans)
