"""The panels against the step: loss, gradient norm, parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from symgd.report.plots.figure_style import plain, powers_of_ten, short_numbers
from symgd.report.scenes import Movers, Scene
from symgd.report.scenes.style import COLOURS, DASHES, END
from symgd.report.viewport import beginning, window

if TYPE_CHECKING:
    from symgd.report.scenes import Floats

_DOTS = 60  # steps that are marked one by one
_MOST = 10  # parameters that are drawn and named


def loss(ax: Any, scene: Scene, movers: Movers) -> None:
    """The loss against the step; logarithmic where it is positive and spans a decade."""
    if all(np.isnan(run.loss).all() for run in scene.runs):  # only a gradient function was given
        gradient(ax, scene, movers)
        return
    _against_step(ax, scene, movers, [run.loss for run in scene.runs])
    ax.set_ylabel("loss")
    if not scene.single and len(scene.params) > 2:
        _name_runs(ax)


def gradient(ax: Any, scene: Scene, movers: Movers) -> None:
    """The Euclidean norm of the gradient against the step."""
    _against_step(ax, scene, movers, [run.grad_norm for run in scene.runs])
    ax.set_ylabel("|gradient|")


def parameters(ax: Any, scene: Scene, movers: Movers) -> None:
    """Each parameter of the first run against the step: those that move most."""
    run = scene.runs[0]
    with np.errstate(all="ignore"):
        moved = np.ptp(run.theta, axis=0)
    chosen = sorted(np.argsort(-moved, kind="stable")[:_MOST].tolist())
    for place, k in enumerate(chosen):
        colour = COLOURS[place % len(COLOURS)]
        dash = DASHES[place // len(COLOURS) % len(DASHES)]
        name = scene.params[k]
        (line,) = ax.plot(run.t, run.theta[:, k], color=colour, linestyle=dash, label=name)
        movers.lines.append((line, run.t, run.theta[:, k]))
    if run.away:
        [(low, high)] = window([(v,) for row in beginning(run.theta.tolist()) for v in row])
        ax.set_ylim(low, high)
        ax.set_title("clipped: it runs away", loc="left", fontsize=10, color=END)
    short_numbers(ax.yaxis)
    left_out = len(scene.params) - len(chosen)
    ax.set_ylabel("parameters" if not left_out else f"the {_MOST} parameters that move most")
    ax.set_xlabel("step")
    _whole_steps(ax)
    _name_runs(ax, columns=1 + (len(chosen) > 5))


def _against_step(ax: Any, scene: Scene, movers: Movers, series: list[Floats]) -> None:
    for run, values in zip(scene.runs, series, strict=True):
        marker = "o" if len(values) <= _DOTS else ""
        (line,) = ax.plot(run.t, values, color=run.colour, linestyle=run.dash, linewidth=1.5,
                          marker=marker, markersize=3, label=run.label or "_run")  # fmt: skip
        movers.lines.append((line, run.t, values))
    _scale(ax, np.concatenate(series))
    _keep_near(ax, scene, series)
    ax.set_xlabel("step")
    _whole_steps(ax)


def _scale(ax: Any, values: Floats) -> None:
    values = values[np.isfinite(values)]
    positive = values[values > 0]
    if len(positive) and positive.max() > 10 * positive.min() and (values >= 0).all():
        ax.set_yscale("log", nonpositive="mask")
        # ticks are sought some decades beyond the ends, where a double overflows
        ax.set_ylim(max(0.3 * positive.min(), 1e-150), min(3 * min(positive.max(), 1e150), 1e150))
        powers_of_ten(ax.yaxis)
    elif len(values) and np.abs(values).max() > 1e4 * max(1e-300, float(np.median(np.abs(values)))):
        ax.set_yscale("symlog", linthresh=max(1e-300, float(np.median(np.abs(values)))))
        powers_of_ten(ax.yaxis)
    else:
        short_numbers(ax.yaxis)


def _keep_near(ax: Any, scene: Scene, series: list[Floats]) -> None:
    """Clip runs that diverge where others do not, and say so."""
    near = [v for run, v in zip(scene.runs, series, strict=True) if not run.away]
    if not near or len(near) == len(series):
        return
    values = np.concatenate(near)
    values = values[np.isfinite(values)]
    if not len(values):
        return
    if ax.get_yscale() == "log" and values.max() > 0:
        ax.set_ylim(0.3 * values[values > 0].min(), 1e3 * values.max())
    else:
        [(low, high)] = window([(v,) for v in values.tolist()])
        ax.set_ylim(low, high)
    ax.set_title("clipped where a run diverges", loc="left", fontsize=10, color=END)


def _whole_steps(ax: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    short_numbers(ax.xaxis)


def _name_runs(ax: Any, columns: int = 1) -> None:
    legend = ax.legend(loc="best", ncols=columns)
    for text in legend.get_texts():
        plain(text, longest=48)
