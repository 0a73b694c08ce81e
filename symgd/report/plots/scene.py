"""What a picture shows, as arrays, and how its panels are laid out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from textwrap import wrap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgd import names
from symgd.backends.pointwise import compile_points
from symgd.loss import Loss
from symgd.report.plots.paper import COLOURS, DASHES, LONGEST, Picture, plain
from symgd.report.view import View, view_of
from symgd.result import Result
from symgd.text import show

Floats = NDArray[np.float64]

_LARGEST = 20_000  # operations of a loss that is worth thousands of evaluations for a picture
_WORK = 60_000_000  # operations that the values of one panel should take, rows counted,
_FEWEST = 12  # the least number of points along a side that says anything,
_MOST_WORK = 1_000_000_000  # and what those may take


@dataclass(frozen=True)
class Run:
    """One descent as arrays. t: (K,), theta: (K, P), loss and grad_norm: (K,)."""

    result: Result
    label: str
    t: Floats
    theta: Floats
    loss: Floats
    grad_norm: Floats
    colour: str
    dash: str


@dataclass(frozen=True)
class Scene:
    """The runs of a picture, all of the same loss. view: for one or two parameters, else None."""

    runs: list[Run]
    params: tuple[str, ...]
    view: View | None
    loss: Loss | None

    @property
    def single(self) -> bool:
        """Whether there is one run only, so that its details may be drawn."""
        return len(self.runs) == 1

    def heights(self, points: Floats) -> Floats:
        """The loss at (N, P) points: (N,), nan where it is not a finite number."""
        assert self.loss is not None
        program, rows = self.loss.value_program, self.loss.rows
        more = [] if rows is None else rows.more(program)
        values = compile_points(program, more, None if rows is None else rows.table)(points)
        values[~np.isfinite(values)] = np.nan
        return values

    def side(self, wanted: int, dimensions: int) -> int:
        """How many points along each side of a panel, at most `wanted`; fewer for many rows."""
        assert self.loss is not None
        affordable = (_WORK / max(1, self.loss.work)) ** (1 / dimensions)
        return max(_FEWEST, min(wanted, int(affordable)))


@dataclass
class Movers:
    """The lines that an animation lets grow: each with the arrays (K,) of its whole path."""

    lines: list[tuple[Any, Floats, Floats]] = field(default_factory=list)
    heads: list[tuple[Any, Floats, Floats]] = field(default_factory=list)


def scene_of(results: Sequence[Result], labels: Sequence[str]) -> Scene:
    """The scene of descents of one loss."""
    runs = [_run(r, label, k) for k, (r, label) in enumerate(zip(results, labels, strict=True))]
    first = results[0]
    loss = first.loss if isinstance(first.loss, Loss) else None
    if loss is not None and (
        loss.value_program.operations > _LARGEST or loss.work * _FEWEST**2 > _MOST_WORK
    ):
        loss = None
    view = view_of(results) if len(first.loss.params) <= 2 else None
    return Scene(runs, first.loss.params, view, loss)


def _run(result: Result, label: str, number: int) -> Run:
    history = result.history
    return Run(
        result,
        label,
        history.t.astype(np.float64),
        history.theta,
        history.loss,
        history.grad_norm,
        COLOURS[number % len(COLOURS)],
        DASHES[(number // len(COLOURS)) % len(DASHES)],
    )


def draw_scene(picture: Picture, scene: Scene) -> Movers:
    """Every panel of the picture, and the lines in it that can move."""
    from symgd.report.plots import panels, traces

    movers = Movers()
    if len(scene.params) <= 2:
        above, below = _rows(picture, [2.6, 1], scene.single)
        if len(scene.params) == 1 and all(np.isnan(run.loss).all() for run in scene.runs):
            traces.parameters(above, scene, movers)  # only a gradient function was given
        else:
            panels.main(above, scene, movers)
        traces.loss(below, scene, movers)
    elif scene.single:
        axes = picture.subplots(2, 2, gridspec_kw=_MARGINS | {"hspace": 0.33, "wspace": 0.3})
        traces.loss(axes[0][0], scene, movers)
        panels.slice_of(axes[0][1], scene, movers)
        traces.parameters(axes[1][0], scene, movers)
        traces.gradient(axes[1][1], scene, movers)
    else:
        above, below = _rows(picture, [1, 1], scene.single)
        traces.loss(above, scene, movers)
        traces.gradient(below, scene, movers)
    _caption(picture, scene)
    return movers


_MARGINS = {"left": 0.1, "right": 0.975, "top": 0.83, "bottom": 0.085}


def _rows(picture: Picture, ratios: Sequence[float], single: bool) -> Any:
    grid = _MARGINS | {"hspace": 0.27, "top": 0.83 if single else 0.91}
    return picture.subplots(2, 1, height_ratios=ratios, gridspec_kw=grid)


def _caption(picture: Picture, scene: Scene) -> None:
    first = scene.runs[0].result
    lines = [_cut(first.loss.read_as(pretty=True))]
    if not scene.single and len(shared := _shared(scene)) + len(lines[0]) <= LONGEST:
        lines[0] += shared
    if scene.single:
        rule = "a rule of one's own" if first.rule.name == "custom" else first.rule.name
        lines.append(_cut(f"{rule}, lr = {names.escape(str(first.lr))}"))
        lines += wrap(names.escape(first.verdict.sentence), LONGEST + 10, max_lines=2)
    title = picture.text(0.02, 0.985, "\n".join(lines), fontsize=11, ha="left", va="top")
    plain(title, longest=600).set_linespacing(1.35)


def _shared(scene: Scene) -> str:
    """What all runs have in common, in parentheses, or ""."""
    from symgd.report.compare import rate_text, rule_name, start_text

    runs = [run.result for run in scene.runs]
    parts = [
        {rule_name(r) for r in runs},
        {f"lr {rate_text(r)}" for r in runs},
        {f"from {start_text(r)}" for r in runs},
    ]
    same = [names.escape(next(iter(part))) for part in parts if len(part) == 1]
    return f"    ({', '.join(same)})" if same else ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST + 10 else text[: LONGEST + 9] + "…"


def label(name: str) -> str:
    """A parameter's name on an axis: Greek letters as such, everything else as data."""
    text = show(name)
    return text if len(text) <= 24 else text[:23] + "…"
