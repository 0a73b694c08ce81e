"""Descents: both backends against the path of the formulas, sweeps against single runs."""

from __future__ import annotations

import math

import symgd

from . import subject
from .case import Case
from .compare import Disagreement, Tally, judge
from .rules import STEPS, Descent, draw_descent, path, path_spread
from .text import write

_CLOSE = 1e-12
_SWEPT = ("gd", "momentum", "adam", "rmsprop", "nesterov", "clip_norm+nadam", "lion", "adagrad")


def descents(case: Case, tally: Tally) -> Disagreement | None:
    """A rule of its own, a few steps by Python and by machine code, against 60 digits."""
    return _descents(case, draw_descent(case.rng("rule")), tally)


def _descents(case: Case, descent: Descent, tally: Tally) -> Disagreement | None:
    loss = subject.loss_of(case)
    if case.answer.order < 1 or case.answer.left_range:
        return None
    known = path(case.tree, case.point, descent)
    params = list(case.point.params)
    want = [x for row in known for x in row]
    for backend in ("lambdify", "native"):
        result = symgd.descend(
            loss, start=dict(case.point.params), rule=descent.rule, lr=write(descent.lr),
            steps=STEPS, backend=backend, advise=False,
        )  # fmt: skip
        places = [loss.params.index(p) for p in params]
        rows = [[float(row[k]) for k in places] for row in result.history.theta]
        got = {
            f"{p} after {t} steps of {descent.rule} with lr = {write(descent.lr)}": (x, k)
            for k, (t, p, x) in enumerate(
                (t, p, x) for t, row in enumerate(rows) for p, x in zip(params, row, strict=True)
            )
            if k < len(want)
        }
        wrong = judge(
            f"descent, {backend}", got, want,
            lambda: path_spread(case.tree, case.point, descent, known), tally, _CLOSE,
        )  # fmt: skip
        if wrong is not None:
            return wrong
    return None


def sweeps(case: Case, tally: Tally) -> Disagreement | None:
    """Every descent of a sweep is the one that `descend` gives, to the last bit."""
    if case.point.columns:
        return None
    loss, rng = subject.loss_of(case), case.rng("sweep")
    rule = rng.choice([*_SWEPT, draw_descent(rng).rule])
    starts = [dict(case.point.params), dict.fromkeys(case.point.params, 0.75)]
    rates = [0.1 * rng.random(), 0.3]
    grid = symgd.sweep(loss, lr=rates, start=starts, rule=rule, steps=STEPS)
    for k in range(len(grid)):
        lr, start = rates[k // 2], starts[k % 2]
        one = symgd.descend(loss, lr=lr, start=start, rule=rule, steps=STEPS, advise=False)
        for p, a, b in zip(loss.params, grid.theta[k], one.x, strict=True):
            if a != b and not (math.isnan(a) and math.isnan(b)):
                what = f"{p} after {STEPS} steps of {rule} with lr = {lr} from {start}"
                return Disagreement("sweep", what, float(a), repr(float(b)))
            tally["agree"] += 1
    return None
