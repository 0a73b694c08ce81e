"""The panels against the step: loss, gradient norm, parameters."""

from __future__ import annotations

from typing import Any

from symgd._numpy import np
from symgd.report.plots.animation import AnimatedLines
from symgd.report.plots.descent_scene import DescentScene
from symgd.report.plots.figure_style import (
    COLORS,
    DASHES,
    END,
    add_legend,
    powers_of_ten,
    short_numbers,
)
from symgd.report.plots.loss_grid import Floats
from symgd.report.viewport import before_divergence, bounding_spans

_MOST_MARKERS = 60  # steps up to which each is marked
_MOST_PARAMETERS = 10  # that are drawn


def loss(ax: Any, scene: DescentScene, animated: AnimatedLines) -> None:
    """The loss against the step; logarithmic where it is positive and spans a decade."""
    if all(np.isnan(run.loss).all() for run in scene.runs):  # only a gradient function was given
        gradient(ax, scene, animated)
        return
    _against_step(ax, scene, animated, [run.loss for run in scene.runs])
    ax.set_ylabel("loss")
    if not scene.single and len(scene.params) > 2:
        add_legend(ax, longest=48)


def gradient(ax: Any, scene: DescentScene, animated: AnimatedLines) -> None:
    """The Euclidean norm of the gradient against the step."""
    _against_step(ax, scene, animated, [run.grad_norm for run in scene.runs])
    ax.set_ylabel("|gradient|")


def parameters(ax: Any, scene: DescentScene, animated: AnimatedLines) -> None:
    """The parameters of the first run that move most, against the step."""
    run = scene.runs[0]
    with np.errstate(all="ignore"):
        ranges = np.ptp(run.theta, axis=0)
    chosen = sorted(np.argsort(-ranges, kind="stable")[:_MOST_PARAMETERS].tolist())
    for place, k in enumerate(chosen):
        color = COLORS[place % len(COLORS)]
        dash = DASHES[place // len(COLORS) % len(DASHES)]
        name = scene.params[k]
        (line,) = ax.plot(run.t, run.theta[:, k], color=color, linestyle=dash, label=name)
        animated.lines.append((line, run.t, run.theta[:, k]))
    if run.diverged:
        beginning = before_divergence(run.theta.tolist())
        [(low, high)] = bounding_spans([(v,) for row in beginning for v in row])
        ax.set_ylim(low, high)
        ax.set_title("clipped: it runs away", loc="left", fontsize=10, color=END)
    short_numbers(ax.yaxis)
    left_out = len(scene.params) - len(chosen)
    ax.set_ylabel(
        "parameters" if not left_out else f"the {_MOST_PARAMETERS} parameters that move most"
    )
    _step_axis(ax)
    add_legend(ax, longest=48, columns=1 + (len(chosen) > 5))


def _against_step(
    ax: Any, scene: DescentScene, animated: AnimatedLines, series: list[Floats]
) -> None:
    for run, values in zip(scene.runs, series, strict=True):
        marker = "o" if len(values) <= _MOST_MARKERS else ""
        (line,) = ax.plot(run.t, values, color=run.color, linestyle=run.dash, linewidth=1.5,
                          marker=marker, markersize=3, label=run.label or "_run")  # fmt: skip
        animated.lines.append((line, run.t, values))
    _scale(ax, np.concatenate(series))
    _clip_diverging(ax, scene, series)
    _step_axis(ax)


def _scale(ax: Any, values: Floats) -> None:
    values = values[np.isfinite(values)]
    positive = values[values > 0]
    if len(positive) and positive.max() > 10 * positive.min() and (values >= 0).all():
        ax.set_yscale("log", nonpositive="mask")
        # ticks some decades beyond the ends must not overflow
        ax.set_ylim(max(0.3 * positive.min(), 1e-150), min(3 * min(positive.max(), 1e150), 1e150))
        powers_of_ten(ax.yaxis)
    elif len(values) and np.abs(values).max() > 1e4 * max(1e-300, float(np.median(np.abs(values)))):
        ax.set_yscale("symlog", linthresh=max(1e-300, float(np.median(np.abs(values)))))
        powers_of_ten(ax.yaxis)
    else:
        short_numbers(ax.yaxis)


def _clip_diverging(ax: Any, scene: DescentScene, series: list[Floats]) -> None:
    """Clip diverging runs if others do not diverge, with a note."""
    converging = [v for run, v in zip(scene.runs, series, strict=True) if not run.diverged]
    if not converging or len(converging) == len(series):
        return
    values = np.concatenate(converging)
    values = values[np.isfinite(values)]
    if not len(values):
        return
    if ax.get_yscale() == "log" and values.max() > 0:
        ax.set_ylim(0.3 * values[values > 0].min(), 1e3 * values.max())
    else:
        [(low, high)] = bounding_spans([(v,) for v in values.tolist()])
        ax.set_ylim(low, high)
    ax.set_title("clipped where a run diverges", loc="left", fontsize=10, color=END)


def _step_axis(ax: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    ax.set_xlabel("step")
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    short_numbers(ax.xaxis)
