"""The panels of the loss: a curve, contours, a plane slice through many dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib import colormaps

from symgd._numpy import np
from symgd.report.plots.animation import AnimatedLines
from symgd.report.plots.descent_scene import DescentScene, Trajectory
from symgd.report.plots.figure_style import (
    COLORS,
    CONTOUR_COLORMAP,
    DARK,
    END,
    MINIMUM,
    START,
    add_legend,
    as_plain_text,
    short_numbers,
)
from symgd.report.plots.loss_grid import Floats, LossGrid, PlaneSlice, Span
from symgd.report.viewport import is_inside, value_range

_LEVELS = 14
_MOST_MARKERS = 200  # steps of a path whose points are marked


def loss_surface(ax: Any, scene: DescentScene, animated: AnimatedLines) -> None:
    """The curve of one parameter, or the contour map of two."""
    if len(scene.params) == 1:
        _curve(ax, scene, animated)
    else:
        _contour_map(ax, scene, animated)
    _legend(ax, scene)


def _curve(ax: Any, scene: DescentScene, animated: AnimatedLines) -> None:
    assert scene.spans is not None
    [(low, high)] = scene.spans
    ax.set_xlim(low, high)
    short_numbers(ax.xaxis, ax.yaxis)
    seen = [
        value
        for run in scene.runs
        for theta, value in zip(run.theta[:, 0].tolist(), run.loss.tolist(), strict=True)
        if low <= theta <= high
    ]
    if scene.loss_grid is not None:
        x, z = scene.loss_grid.x, scene.loss_grid.z
        ax.plot(x, z, color=DARK, linewidth=1.6, zorder=2, label="loss")
    ax.set_ylim(*value_range([] if scene.loss_grid is None else scene.loss_grid.z.tolist(), seen))
    for run in scene.runs:
        _trajectory(ax, run, run.theta[:, 0], run.loss, animated)
    _tangents(ax, scene, 0.16 * (high - low))
    as_plain_text(ax.set_xlabel(scene.params[0]))
    ax.set_ylabel("loss")
    _note_trajectories_outside(ax, scene)


def _tangents(ax: Any, scene: DescentScene, half: float) -> None:
    """Short tangents at the first iterates."""
    for k, (theta, value, slope) in enumerate(scene.tangents):
        xs = np.array([theta - half, theta + half])
        line = value + slope * (xs - theta)
        ax.plot(xs, line, color=COLORS[1], linewidth=1.3, alpha=0.8, zorder=3,
                label=None if k else "tangents")  # fmt: skip


def _contour_map(ax: Any, scene: DescentScene, animated: AnimatedLines) -> None:
    assert scene.spans is not None
    _contours(ax, scene.spans, scene.loss_grid)
    for run in scene.runs:
        _trajectory(ax, run, run.theta[:, 0], run.theta[:, 1], animated)
    minimum = scene.minimum
    if minimum is not None:
        ax.plot(
            [minimum[0]], [minimum[1]], marker="+", markersize=12, markeredgewidth=2,
            color=MINIMUM, linestyle="none", label="minimum", zorder=7,
        )  # fmt: skip
    as_plain_text(ax.set_xlabel(scene.params[0]))
    as_plain_text(ax.set_ylabel(scene.params[1]))
    _note_trajectories_outside(ax, scene)


def _contours(ax: Any, spans: Sequence[Span], loss_grid: LossGrid | None) -> None:
    """Filled contours at quantiles of the loss, so that all bands have the same area."""
    ax.set_xlim(*spans[0])
    ax.set_ylim(*spans[1])
    short_numbers(ax.xaxis, ax.yaxis)
    if loss_grid is None:
        return
    x, y, z = loss_grid.x, loss_grid.y, loss_grid.z
    finite = z[np.isfinite(z)]
    if not finite.size or finite.min() == finite.max():
        return
    levels = np.unique(np.quantile(finite, np.linspace(0, 1, _LEVELS + 1)))
    if len(levels) < 3:  # plateaus: few distinct values
        levels = np.linspace(finite.min(), finite.max(), _LEVELS + 1)
    ax.grid(visible=False)
    # colors by rank, not by value
    colors = colormaps[CONTOUR_COLORMAP]((np.arange(len(levels) - 1) + 0.5) / (len(levels) - 1))
    largest = np.abs(finite).max()  # a loss near 1e308 would overflow between two points
    z, bands = z / largest, levels / largest
    ax.contourf(x, y, z, levels=bands, colors=colors, alpha=0.55, antialiased=True, zorder=0)
    lines = ax.contour(
        x, y, z, levels=bands[1:-1], colors="white", linewidths=0.7, linestyles="-", zorder=1
    )  # fmt: skip
    chosen = dict(zip(bands[1:-1:3].tolist(), levels[1:-1:3].tolist(), strict=True))
    texts = ax.clabel(lines, levels=list(chosen), fmt=lambda v: f"{chosen[v]:.3g}", fontsize=8.5)
    for text in texts:
        text.set_color(DARK)


def plane_slice(ax: Any, scene: DescentScene, plane: PlaneSlice, animated: AnimatedLines) -> None:
    """The plane through the end in the principal directions, with the path projected on it."""
    _contours(ax, plane.spans, plane.loss_grid)
    _trajectory(ax, scene.runs[0], plane.projected[:, 0], plane.projected[:, 1], animated)
    as_plain_text(ax.set_xlabel(plane.names[0]))
    as_plain_text(ax.set_ylabel(plane.names[1]))
    ax.set_title(plane.title, loc="left")
    _legend(ax, scene)


def _trajectory(ax: Any, run: Trajectory, x: Floats, y: Floats, animated: AnimatedLines) -> None:
    """The iterates joined in order; start and end are marked."""
    marked = len(x) <= _MOST_MARKERS
    with np.errstate(invalid="ignore"):
        (line,) = ax.plot(
            x, y, color=run.color, linestyle=run.dash, linewidth=1.5, marker="o" if marked else "",
            markersize=4, markeredgecolor="white", markeredgewidth=0.4, zorder=5,
            label=run.label or "path",
        )  # fmt: skip
    ax.plot([x[0]], [y[0]], marker="s", markersize=8, color=START, markeredgecolor="white",
            linestyle="none", zorder=6, label="_start")  # fmt: skip
    (head,) = ax.plot([x[-1]], [y[-1]], marker="*", markersize=15, color=run.color, zorder=8,
                      markeredgecolor="white", linestyle="none", label="_end")  # fmt: skip
    animated.lines.append((line, x, y))
    animated.heads.append((head, x, y))


def _note_trajectories_outside(ax: Any, scene: DescentScene) -> None:
    """A note at which step a path leaves the window."""
    spans = scene.spans
    assert spans is not None
    notes = []
    for run in scene.runs:
        points = run.theta.tolist()
        outside = next((k for k, p in enumerate(points) if not is_inside(p, spans)), None)
        if outside is not None:
            subject = f"{run.label}: " if run.label else "the path "
            pairs = zip(scene.params, points[outside], strict=True)
            position = ", ".join(f"{name} = {v:.3g}" for name, v in pairs)
            notes.append(f"{subject}leaves the picture at step {int(run.t[outside])} ({position})")
    if notes:
        more = [] if len(notes) <= 3 else [f"and {len(notes) - 3} more leave it"]
        title = ax.set_title("\n".join(notes[:3] + more), loc="left", fontsize=10, color=END)
        as_plain_text(title, longest=400)


def _legend(ax: Any, scene: DescentScene) -> None:
    from matplotlib.lines import Line2D

    handles, texts = ax.get_legend_handles_labels()
    handles.append(Line2D([], [], marker="s", color=START, linestyle="none", markersize=7))
    texts.append("start")
    if any(_ends_inside(run, scene) for run in scene.runs):
        color = END if scene.single else DARK
        handles.append(Line2D([], [], marker="*", color=color, linestyle="none", markersize=12))
        texts.append("end")
    add_legend(ax, handles, texts, longest=48)


def _ends_inside(run: Trajectory, scene: DescentScene) -> bool:
    if scene.spans is None:
        return not run.diverged
    return is_inside(run.theta[-1].tolist(), scene.spans)
