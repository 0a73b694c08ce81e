"""Results -> DescentScene: all evaluations of the loss for a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

import numpy as np
from numpy.typing import NDArray

from symgd import names
from symgd.backends.numpy_points import compile_points
from symgd.formula.printing.plain import show
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.report.compare import rate_text, rule_name, start_text
from symgd.report.loss_view import has_diverged, viewport_of
from symgd.report.scenes import DescentScene, LossGrid, PlaneSlice, Span, Trajectory
from symgd.report.scenes.style import COLORS, DASHES, LONGEST
from symgd.report.viewport import LARGEST, before_divergence, bounding_spans

Floats = NDArray[np.float64]

_CURVE_POINTS = 600
_GRID_POINTS = 120  # along each side of a map, half as many of a slice
_TANGENTS = 4
_MOST_OPERATIONS = 20_000  # of a loss that is evaluated at thousands of points
_PANEL_OPERATIONS = 60_000_000  # over all rows for one panel, which fixes its resolution
_FEWEST_POINTS = 12  # along each side
_MOST_PANEL_OPERATIONS = 1_000_000_000  # for a panel with the fewest points


def scene_of(results: Sequence[Result], labels: Sequence[str]) -> DescentScene:
    """The scene of descents of one loss. labels: one per result, "" for a single one."""
    runs = [
        _trajectory(r, label, k) for k, (r, label) in enumerate(zip(results, labels, strict=True))
    ]
    first = results[0]
    sampler = _sampler(first)
    params = tuple(map(label_of, first.loss.params))
    caption = _caption(results)
    if len(params) > 2:
        plane_slice = _plane_slice(runs[0], params, sampler) if len(runs) == 1 else None
        return DescentScene(runs, params, caption, plane_slice=plane_slice)
    view = viewport_of(results)
    loss_grid = None if sampler is None else sampler.on_window(view.spans)
    tangents = _tangents(first, runs[0], view.spans[0]) if len(runs) == len(params) == 1 else ()
    return DescentScene(runs, params, caption, view.spans, loss_grid, view.minimum, tangents)


def label_of(name: str) -> str:
    """The label of a parameter, with Greek letters, shortened."""
    text = show(name)
    return text if len(text) <= 24 else text[:23] + "…"


def _truncate(text: str) -> str:
    """A line of the caption, shortened to the width of the picture."""
    return text if len(text) <= LONGEST + 10 else text[: LONGEST + 9] + "…"


def _trajectory(result: Result, label: str, number: int) -> Trajectory:
    history = result.history
    return Trajectory(
        label,
        history.t.astype(np.float64),
        history.theta,
        _drawable(history.loss),
        _drawable(history.grad_norm),
        has_diverged(result),
        COLORS[number % len(COLORS)],
        DASHES[(number // len(COLORS)) % len(DASHES)],
    )


def _drawable(values: Floats) -> Floats:
    """The values, with inf for those for which no axis has ticks."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.abs(values) > LARGEST, values * np.inf, values)


@dataclass(frozen=True)
class _LossSampler:
    """Evaluation of a loss on grids."""

    loss: Loss

    def values(self, points: Floats) -> Floats:
        """The loss at (N, P) points: (N,), nan where it is no number that can be drawn."""
        program, rows = self.loss.internals.value_program, self.loss.internals.rows
        more = [] if rows is None else rows.more(program)
        values = compile_points(program, more, None if rows is None else rows.table)(points)
        values[~(np.abs(values) <= LARGEST)] = np.nan
        return values

    def resolution(self, wanted: int, dimensions: int) -> int:
        """The points along each side of a panel, at most `wanted`; fewer for many rows."""
        affordable = (_PANEL_OPERATIONS / max(1, self.loss.internals.work)) ** (1 / dimensions)
        return max(_FEWEST_POINTS, min(wanted, int(affordable)))

    def on_window(self, spans: Sequence[Span]) -> LossGrid:
        """The loss in a window of one or two parameters."""
        if len(spans) == 1:
            x = np.linspace(*spans[0], self.resolution(_CURVE_POINTS, 1))
            return LossGrid(x, self.values(x[:, None]))
        return self.on_plane(spans, self.resolution(_GRID_POINTS, 2), np.zeros(2), np.eye(2))

    def on_plane(
        self, spans: Sequence[Span], resolution: int, center: Floats, axes: Floats
    ) -> LossGrid:
        """The loss at centre + a*axes[0] + b*axes[1] for a and b in a window."""
        x, y = (np.linspace(low, high, resolution) for low, high in spans)
        plane = np.stack([a.ravel() for a in np.meshgrid(x, y)], axis=1)
        return LossGrid(x, self.values(center + plane @ axes).reshape(resolution, resolution), y)


def _sampler(result: Result) -> _LossSampler | None:
    loss = result.loss
    if not isinstance(loss, Loss) or loss.internals.value_program.operations > _MOST_OPERATIONS:
        return None
    return (
        _LossSampler(loss)
        if loss.internals.work * _FEWEST_POINTS**2 <= _MOST_PANEL_OPERATIONS
        else None
    )


def _tangents(
    result: Result, run: Trajectory, span: Span
) -> tuple[tuple[float, float, float], ...]:
    """(theta, loss, derivative) at the first iterates in the window."""
    if not isinstance(result.loss, Loss):
        return ()
    evaluate = result.loss.internals.evaluate
    found: list[tuple[float, float, float]] = []
    for theta, value in zip(run.theta[:, 0].tolist(), run.loss.tolist(), strict=True):
        if len(found) == _TANGENTS:
            break
        if span[0] <= theta <= span[1] and np.isfinite(value):
            slope = float(evaluate(theta)[1])
            if abs(slope) <= LARGEST:
                found.append((theta, value, slope))
    return tuple(found)


def _plane_slice(
    run: Trajectory, params: Sequence[str], sampler: _LossSampler | None
) -> PlaneSlice:
    seen = (
        run.theta if not run.diverged else run.theta[: len(before_divergence(run.theta.tolist()))]
    )
    center = seen[-1]
    axes = _principal_directions(seen - center)
    projected = (seen - center) @ axes.T
    spans = bounding_spans(projected.tolist())
    loss_grid = (
        None
        if sampler is None
        else sampler.on_plane(spans, sampler.resolution(_GRID_POINTS // 2, 2), center, axes)
    )
    plane_slice = "" if len(seen) == len(run.theta) else f", to step {int(run.t[len(seen) - 1])}"
    axis_names = (_direction(axes[0], params), _direction(axes[1], params))
    return PlaneSlice(projected, spans, axis_names, f"slice along the path{plane_slice}", loss_grid)


def _principal_directions(path: Floats) -> Floats:
    """(2, P): the first two principal directions of the path, their largest entries positive."""
    count = path.shape[1]
    scale = np.abs(path).max() or 1.0
    _, _, rows = np.linalg.svd(np.vstack([path / scale, np.zeros((2, count))]), full_matrices=False)
    axes = rows[:2].copy()
    for axis in axes:
        axis *= np.sign(axis[np.argmax(np.abs(axis))]) or 1.0
    return axes


def _direction(axis: Floats, params: Sequence[str]) -> str:
    """The direction as a sum: 0.8·a - 0.6·b + ..."""
    order = [int(k) for k in np.argsort(-np.abs(axis), kind="stable") if abs(axis[k]) >= 0.005]
    text = ""
    for k in order[:3]:
        sign = "−" if axis[k] < 0 else "+" if text else ""
        space = " " if text else ""
        text += f"{space}{sign}{space}{abs(axis[k]):.2g}·{params[k]}"
    return text + (" + …" if len(order) > 3 else "")


def _caption(results: Sequence[Result]) -> tuple[str, ...]:
    first = results[0]
    lines = [_truncate(first.loss.read_as(pretty=True))]
    if len(results) > 1:
        shared = _shared(results)
        return (lines[0] + shared if len(shared) + len(lines[0]) <= LONGEST else lines[0],)
    rule = "a rule of one's own" if first.rule.name == "custom" else names.escape(first.rule.name)
    lines.append(_truncate(f"{rule}, lr = {names.escape(str(first.lr))}"))
    return (*lines, *wrap(names.escape(first.verdict.sentence), LONGEST + 10, max_lines=2))


def _shared(runs: Sequence[Result]) -> str:
    """The rule, learning rate or start that all runs share, in parentheses, or ""."""
    parts = [
        {rule_name(r) for r in runs},
        {f"lr {rate_text(r)}" for r in runs},
        {f"from {start_text(r)}" for r in runs},
    ]
    same = [names.escape(next(iter(part))) for part in parts if len(part) == 1]
    return f"    ({', '.join(same)})" if same else ""
