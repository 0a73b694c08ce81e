"""Results -> Scene: everything that a picture needs the loss for is computed here."""

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
from symgd.report.loss_view import ran_away, view_of
from symgd.report.scenes import Ground, Run, Scene, Slice, Span
from symgd.report.scenes.style import COLOURS, DASHES, LONGEST
from symgd.report.viewport import LARGEST, beginning, window

Floats = NDArray[np.float64]

_CURVE = 600  # points of a curve
_GRID = 120  # points along each side of a map, half as many of a slice
_TANGENTS = 4
_LARGEST = 20_000  # operations of a loss that is worth thousands of evaluations for a picture
_WORK = 60_000_000  # operations that the values of one panel should take, rows counted,
_FEWEST = 12  # the least number of points along a side that says anything,
_MOST_WORK = 1_000_000_000  # and what those may take


def scene_of(results: Sequence[Result], labels: Sequence[str]) -> Scene:
    """The scene of descents of one loss. labels: one for each, "" for a single one."""
    runs = [_run(r, label, k) for k, (r, label) in enumerate(zip(results, labels, strict=True))]
    first = results[0]
    land = _land(first)
    params = tuple(map(label_of, first.loss.params))
    caption = _caption(results)
    if len(params) > 2:
        cut = _slice(runs[0], params, land) if len(runs) == 1 else None
        return Scene(runs, params, caption, cut=cut)
    view = view_of(results)
    ground = None if land is None else land.under(view.spans)
    tangents = _tangents(first, runs[0], view.spans[0]) if len(runs) == len(params) == 1 else ()
    return Scene(runs, params, caption, view.spans, ground, view.minimum, tangents)


def label_of(name: str) -> str:
    """A parameter's name on an axis: Greek letters as such, everything else as data."""
    text = show(name)
    return text if len(text) <= 24 else text[:23] + "…"


def cut_short(text: str) -> str:
    """A line of the caption, no longer than the picture is wide."""
    return text if len(text) <= LONGEST + 10 else text[: LONGEST + 9] + "…"


def _run(result: Result, label: str, number: int) -> Run:
    history = result.history
    return Run(
        label,
        history.t.astype(np.float64),
        history.theta,
        _drawable(history.loss),
        _drawable(history.grad_norm),
        ran_away(result),
        COLOURS[number % len(COLOURS)],
        DASHES[(number // len(COLOURS)) % len(DASHES)],
    )


def _drawable(values: Floats) -> Floats:
    """The values, with inf for those for which no axis has ticks."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.where(np.abs(values) > LARGEST, values * np.inf, values)


@dataclass(frozen=True)
class _Land:
    """A loss that is cheap enough to be evaluated at thousands of points."""

    loss: Loss

    def heights(self, points: Floats) -> Floats:
        """The loss at (N, P) points: (N,), nan where it is no number that can be drawn."""
        program, rows = self.loss.internals.value_program, self.loss.internals.rows
        more = [] if rows is None else rows.more(program)
        values = compile_points(program, more, None if rows is None else rows.table)(points)
        values[~(np.abs(values) <= LARGEST)] = np.nan
        return values

    def side(self, wanted: int, dimensions: int) -> int:
        """How many points along each side of a panel, at most `wanted`; fewer for many rows."""
        affordable = (_WORK / max(1, self.loss.internals.work)) ** (1 / dimensions)
        return max(_FEWEST, min(wanted, int(affordable)))

    def under(self, spans: Sequence[Span]) -> Ground:
        """The loss in a window of one or two parameters."""
        if len(spans) == 1:
            x = np.linspace(*spans[0], self.side(_CURVE, 1))
            return Ground(x, self.heights(x[:, None]))
        return self.over(spans, self.side(_GRID, 2), np.zeros(2), np.eye(2))

    def over(self, spans: Sequence[Span], side: int, centre: Floats, axes: Floats) -> Ground:
        """The loss at centre + a*axes[0] + b*axes[1] for a and b in a window."""
        x, y = (np.linspace(low, high, side) for low, high in spans)
        plane = np.stack([a.ravel() for a in np.meshgrid(x, y)], axis=1)
        return Ground(x, self.heights(centre + plane @ axes).reshape(side, side), y)


def _land(result: Result) -> _Land | None:
    loss = result.loss
    if not isinstance(loss, Loss) or loss.internals.value_program.operations > _LARGEST:
        return None
    return _Land(loss) if loss.internals.work * _FEWEST**2 <= _MOST_WORK else None


def _tangents(result: Result, run: Run, span: Span) -> tuple[tuple[float, float, float], ...]:
    """Where the first iterates in the window are, and the slopes that the steps are taken along."""
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


def _slice(run: Run, params: Sequence[str], land: _Land | None) -> Slice:
    seen = run.theta if not run.away else run.theta[: len(beginning(run.theta.tolist()))]
    centre = seen[-1]
    axes = _principal(seen - centre)
    flat = (seen - centre) @ axes.T
    spans = window(flat.tolist())
    ground = None if land is None else land.over(spans, land.side(_GRID // 2, 2), centre, axes)
    cut = "" if len(seen) == len(run.theta) else f", to step {int(run.t[len(seen) - 1])}"
    names_ = (_direction(axes[0], params), _direction(axes[1], params))
    return Slice(flat, spans, names_, f"slice along the path{cut}", ground)


def _principal(path: Floats) -> Floats:
    """(2, P): the two directions that hold most of the path, their largest entries positive."""
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
    lines = [cut_short(first.loss.read_as(pretty=True))]
    if len(results) > 1:
        shared = _shared(results)
        return (lines[0] + shared if len(shared) + len(lines[0]) <= LONGEST else lines[0],)
    rule = "a rule of one's own" if first.rule.name == "custom" else names.escape(first.rule.name)
    lines.append(cut_short(f"{rule}, lr = {names.escape(str(first.lr))}"))
    return (*lines, *wrap(names.escape(first.verdict.sentence), LONGEST + 10, max_lines=2))


def _shared(runs: Sequence[Result]) -> str:
    """What all runs have in common, in parentheses, or ""."""
    parts = [
        {rule_name(r) for r in runs},
        {f"lr {rate_text(r)}" for r in runs},
        {f"from {start_text(r)}" for r in runs},
    ]
    same = [names.escape(next(iter(part))) for part in parts if len(part) == 1]
    return f"    ({', '.join(same)})" if same else ""
