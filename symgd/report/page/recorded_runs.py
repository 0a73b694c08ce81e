"""The content of a live page that cannot run the descent: runs and losses recorded by Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from symgd import names
from symgd._numpy import np
from symgd.descent.methods import METHODS
from symgd.model.loss import Loss
from symgd.model.result import Described, Result
from symgd.report.viewport import Spans, linspace, loss_values

_RECORDED_RATES = 25  # learning rates of a recorded page
_MOST_ROWS = 200  # of a recorded run
MOST_PARAMETERS = 12  # of a recorded run: the first ones
_NUMBERS = 3_500  # of all recorded runs: where there would be more, fewer digits and rows,
_FEWER = 2_500  # together so many numbers
_DIGITS = 8  # of these: as many as the page writes
_MOST_WORK = 300_000_000  # operations over all rows for the runs or samples of a recorded page
_SAMPLES, _GRID = 201, (36, 28)  # points of a recorded curve and map


def recorded_data(result: Result, spans: Spans) -> dict[str, Any]:
    """Recorded runs: at many learning rates if the loss is a formula, else this one."""
    runs = [result]
    if _repeatable(result):
        assert isinstance(result.loss, Loss)
        runs = _runs_at_rates(result, result.loss)
    return recorded_runs(runs, result) | loss_samples(result.loss, spans)


def recorded_runs(runs: Sequence[Result], own: Result | None = None) -> dict[str, Any]:
    """The histories of recorded runs. own: the one that the page is of, which keeps its digits."""
    rule = runs[0].rule
    name = runs[0].rule_title if rule is None else rule.name
    text = METHODS[name].text if rule is None else str(rule)
    described = {"name": names.escape(name), "hyper": [], "states": 0, "text": text}
    width = min(len(runs[0].loss.params), MOST_PARAMETERS) + 3
    lengths = [min(len(run.history), _MOST_ROWS) for run in runs]
    rows, digits, rows_of_own = _MOST_ROWS, 17, _MOST_ROWS
    if sum(lengths) * width > _NUMBERS and len(runs) > 1:
        rows, digits = max(8, _FEWER // (len(runs) * width)), _DIGITS
        rows_of_own = max(rows, _FEWER // (4 * width))
    found = [_rows(r, rows_of_own, 17) if r is own else _rows(r, rows, digits) for r in runs]
    return {"runs": found, "rule": 0, "rules": [described]}


def _repeatable(result: Result) -> bool:
    """Whether the run can be repeated quickly at other learning rates."""
    loss = result.loss
    if (
        not isinstance(loss, Loss)
        or loss.internals.goes_by_rows
        or not isinstance(result.lr, float)
    ):
        return False
    work = _RECORDED_RATES * 3 * result.steps * loss.internals.work
    return loss.table is None or work <= _MOST_WORK


def loss_samples(loss: Described, spans: Spans) -> dict[str, Any]:
    """The loss of one or two parameters on a grid, unless it is too expensive."""
    count = len(loss.params)
    points = _SAMPLES if count == 1 else _GRID[0] * _GRID[1]
    if count > 2 or not isinstance(loss, Loss) or loss.internals.work * points > _MOST_WORK:
        return {"curve": []} if count == 1 else {}
    if count == 1:
        values = _loss_values(loss, [(x,) for x in linspace(*spans[0], _SAMPLES)])
        return {"curve": [rounded(v) for v in values]}
    first, second = spans
    xs, ys = linspace(*first, _GRID[0]), linspace(*second, _GRID[1])
    values = _loss_values(loss, [(x, y) for y in ys for x in xs])
    return {"grid": [rounded(v, 4) for v in values], "gridSize": list(_GRID)}


def _loss_values(loss: Loss, points: list[tuple[float, ...]]) -> list[float]:
    program = loss.internals.value_program
    if loss.internals.rows is None or not program.loops:
        return [loss.internals.evaluate_value(*point)[0] for point in points]
    return [float(v) for v in loss_values(loss, np.array(points))]


def _runs_at_rates(result: Result, loss: Loss) -> list[Result]:
    from symgd.descent.descend import descend

    assert isinstance(result.lr, float)
    steps = min(result.steps, _MOST_ROWS)
    exponents = linspace(-2.0, 1.0, _RECORDED_RATES - 1)
    rates = sorted({result.lr, *(result.lr * 10**e for e in exponents)})
    given = dict(result.hyperparameters)
    arguments: dict[str, Any] = {"start": result.start, "rule": result.rule, "set": given}
    arguments["advise"] = False  # the page shows the sentence alone
    runs = [descend(loss, lr=lr, steps=steps, **arguments) for lr in rates if lr != result.lr]
    return sorted([*runs, result], key=lambda run: float(run.lr or 0.0))


def _rows(run: Result, most: int, digits: int) -> dict[str, Any]:
    kept = run.history.at_most(most + 1)
    return {
        "lr": run.lr if isinstance(run.lr, (int, float)) else None,
        "kind": run.verdict.kind,
        "sentence": run.verdict.sentence,
        "rows": [
            [
                t,
                [_number(v, digits) for v in theta[:MOST_PARAMETERS]],
                _number(loss, digits),
                _number(norm, digits),
            ]
            for t, theta, loss, norm in kept
        ],
    }


def _number(value: float, digits: int) -> float | str:
    """A number for JSON, which has no inf and no nan: these as JavaScript's Number reads them."""
    if math.isfinite(value):
        return value if digits == 17 else float(f"{value:.{digits}g}")
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def rounded(value: float, digits: int = 17) -> float | None:
    """The value to so many significant digits, None if it is not finite."""
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
