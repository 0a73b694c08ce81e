"""Results -> DescentScene: the numbers and texts of a picture of descents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import wrap

from symgd import names
from symgd._numpy import np
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.report.compare import rate_text, rule_name, start_text
from symgd.report.plots.figure_style import COLORS, DASHES, LONGEST, label_of, shortened
from symgd.report.plots.loss_grid import (
    Floats,
    LossGrid,
    PlaneSlice,
    Span,
    drawable_loss,
    plane_slice,
    sample_window,
)
from symgd.report.viewport import LARGEST, before_divergence, has_diverged, viewport_of

_TANGENTS = 4


@dataclass(frozen=True)
class Trajectory:
    """One descent as arrays. t: (K,), theta: (K, P), loss and grad_norm: (K,); nan: unknown.

    label: "" for a single descent. diverged: whether it diverged or became non-finite.
    """

    label: str
    t: Floats
    theta: Floats
    loss: Floats
    grad_norm: Floats
    diverged: bool
    color: str
    dash: str


@dataclass(frozen=True)
class DescentScene:
    """Descents of the same loss.

    params: (P,), their labels. caption: lines. spans: the window of one or two parameters, else
    None. loss_grid: the loss in it, None if it is unknown or too expensive. minimum: in the window,
    or None. tangents: (theta, loss, derivative) at the first iterates. plane_slice: for a single
    run of more parameters.
    """

    runs: list[Trajectory]
    params: tuple[str, ...]
    caption: tuple[str, ...]
    spans: tuple[Span, ...] | None = None
    loss_grid: LossGrid | None = None
    minimum: tuple[float, ...] | None = None
    tangents: tuple[tuple[float, float, float], ...] = ()
    plane_slice: PlaneSlice | None = None

    @property
    def single(self) -> bool:
        """Whether there is a single run, whose details are drawn."""
        return len(self.runs) == 1


def scene_of(results: Sequence[Result], labels: Sequence[str]) -> DescentScene:
    """The scene of descents of one loss. labels: one per result, "" for a single one."""
    runs = [
        _trajectory(r, label, k) for k, (r, label) in enumerate(zip(results, labels, strict=True))
    ]
    first, loss = results[0], drawable_loss(results[0])
    params = tuple(map(label_of, first.loss.params))
    caption = _caption(results)
    if len(params) > 2:
        plane = _plane_slice(runs[0], params, loss) if len(runs) == 1 else None
        return DescentScene(runs, params, caption, plane_slice=plane)
    spans, minimum = viewport_of(results)
    loss_grid = None if loss is None else sample_window(loss, spans)
    tangents = _tangents(first, runs[0], spans[0]) if len(runs) == len(params) == 1 else ()
    return DescentScene(runs, params, caption, spans, loss_grid, minimum, tangents)


def _trajectory(result: Result, label: str, number: int) -> Trajectory:
    history = result.history.at_most()
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


def _plane_slice(run: Trajectory, params: Sequence[str], loss: Loss | None) -> PlaneSlice:
    if not run.diverged:
        return plane_slice(loss, run.theta, params, "slice along the path")
    seen = run.theta[: len(before_divergence(run.theta.tolist()))]
    cut = "" if len(seen) == len(run.theta) else f", to step {int(run.t[len(seen) - 1])}"
    return plane_slice(loss, seen, params, f"slice along the path{cut}")


def _caption(results: Sequence[Result]) -> tuple[str, ...]:
    first = results[0]
    formula = shortened(first.loss.read_as(pretty=True), LONGEST + 10)
    if len(results) > 1:
        shared = _shared(results)
        return (formula + shared if len(shared) + len(formula) <= LONGEST else formula,)
    custom = first.rule is not None and first.rule.name == "custom"
    setting = "a rule of one's own" if custom else names.escape(first.rule_title)
    if first.rule is not None:
        setting = shortened(f"{setting}, lr = {names.escape(str(first.lr))}", LONGEST + 10)
    verdict = wrap(names.escape(first.verdict.sentence), LONGEST + 10, max_lines=2)
    return (formula, setting, *verdict)


def _shared(runs: Sequence[Result]) -> str:
    """The rule, learning rate or start that all runs share, in parentheses, or ""."""
    parts = [
        {rule_name(r) for r in runs},
        {f"lr {rate_text(r)}" for r in runs},
        {f"from {start_text(r)}" for r in runs},
    ]
    same = [names.escape(next(iter(part))) for part in parts if len(part) == 1]
    return f"    ({', '.join(same)})" if same else ""
