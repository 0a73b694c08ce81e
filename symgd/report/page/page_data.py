"""The content of a live page: data as plain values, functions as JavaScript.

If the loss cannot run in a browser, the page contains runs recorded by Python, and says so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symgd import names
from symgd.analysis.critical.kinks import has_kinks
from symgd.analysis.lower_bound import proven_bound
from symgd.backends import javascript
from symgd.calculus.dcp import curvature
from symgd.calculus.polynomial import degree, polynomial
from symgd.descent.continuation import longest
from symgd.formula.printing.plain import show
from symgd.model.arguments import read_arguments
from symgd.model.array_internals import ArrayInternals
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.model.rules import Rule
from symgd.report.page.own_rules import rule_data, rules_of, why_not
from symgd.report.page.recorded_runs import (
    MOST_PARAMETERS,
    loss_samples,
    recorded_data,
    recorded_runs,
    rounded,
)
from symgd.report.page.row_table import row_data, runs_over_rows
from symgd.report.viewport import before_divergence, bounding_spans, has_diverged, viewport_of

_MOST_CHARACTERS = 2000  # of a formula
_MOST_HESSIAN_PARAMETERS = 6  # parameters up to which the page searches for minima
_MOST_OPERATIONS = 40_000  # of a loss that runs in the browser
_COARSE, _FINE = (56, 42), (88, 66)  # points of a live map; fine: for a cheap loss
_CHEAP = 200  # operations, at most


@dataclass(frozen=True)
class Content:
    """data: JSON values. functions: name -> JavaScript, or a list of them by rule."""

    data: dict[str, Any]
    functions: dict[str, Any]


def content_of(result: Result) -> Content:
    """The content of the page of one run."""
    reason = _why_recorded(result)
    if reason:
        recorded = recorded_data(result, _spans([result]))
        return Content(_of_recorded([result]) | {"why": reason} | recorded, {})
    return _live_content([result])


def content_of_several(runs: Sequence[Result], labels: Sequence[str]) -> Content:
    """The content of the page of several runs of one loss. labels: one per run."""
    reason = next(filter(None, map(_why_recorded, runs)), "")
    if not reason and len({run.lr if isinstance(run.lr, str) else "" for run in runs}) > 1:
        reason = "The learning rates have different formulas: these are the runs that Python made."
    compared: list[dict[str, Any]] = [{"name": label} for label in labels]
    if reason:
        shared = _of_recorded(runs)
        data = shared | {"why": reason, "compared": compared} | recorded_runs(runs)
        return Content(data | loss_samples(runs[0].loss, shared["spans"]), {})
    rules = rules_of(runs)
    for entry, run in zip(compared, runs, strict=True):
        entry |= _settings(run, rules)
    content = _live_content(runs)
    return Content(content.data | {"compared": compared}, content.functions)


def _live_content(runs: Sequence[Result]) -> Content:
    """A page that runs the first of the descents, with the rules of all of them."""
    result = runs[0]
    assert isinstance(result.loss, Loss)
    loss = result.loss
    assert result.lr is not None
    schedule = read_arguments(result.lr, 0, "gd", None, None).schedule
    rules = rules_of(runs)
    # sums over the data, computed by Python
    given = None if loss.internals.rows is None else loss.internals.rows.values
    functions: dict[str, Any] = {}
    if not loss.internals.program.loops:  # else the engine runs over the rows
        functions["grad"] = javascript.function(loss.internals.program, given)
        functions["value"] = javascript.function(loss.internals.value_program, given)
        if _has_hessian(loss):
            functions["hess"] = javascript.function(loss.internals.hessian_program, given)
    constants = [(name, result.hyperparameters[name]) for name in schedule.names if name != "n"]
    data = {
        "why": "",
        "rule": 0,
        "text": names.escape(loss.text),
        "rules": [rule_data(rule) for rule in rules],
        "constants": [[names.escape(name), value] for name, value in constants],
        "verdicts": [
            _settings(run, rules)
            | {"kind": run.verdict.kind, "text": names.escape(run.verdict.sentence)}
            for run in runs
        ],
    }
    data |= _known(loss)
    if len(loss.params) > 1:  # a slice through more than two is redrawn at every step
        fine = len(loss.params) == 2 and loss.internals.value_program.operations <= _CHEAP
        data["gridSize"] = _FINE if fine else _COARSE
    return Content(_shared_data(runs) | data | row_data(loss), functions)


def _known(loss: Loss) -> dict[str, Any]:
    """What the page's verdicts are drawn from: what algebra says of the loss.

    ahead: how many steps a finished run is continued, at most. bound: a number that the loss never
    falls below, or None; bounded: whether it is known to be bounded below.
    """
    below = proven_bound(loss)
    terms = polynomial(loss.internals.root, loss.internals.leaves)
    return {
        "ahead": longest(loss.internals),
        "kinks": has_kinks(loss),
        "convex": curvature(loss.internals.root).is_convex,
        "bound": rounded(below.value),
        "bounded": below.bounded is True,
        "quadratic": terms is not None and degree(terms) <= 2,
    }


def _has_hessian(loss: Loss) -> bool:
    """Whether the page searches for minima by Newton's method."""
    if len(loss.params) > _MOST_HESSIAN_PARAMETERS or loss.internals.value_program.operations > 500:
        return False
    if loss.internals.hessian_program.loops:
        return False
    return not javascript.unsupported([loss.internals.hessian_program])


def _settings(run: Result, rules: Sequence[Rule]) -> dict[str, Any]:
    """The settings of a run as those of the page."""
    assert run.rule is not None
    return {
        "rule": [str(rule) for rule in rules].index(str(run.rule)),
        "lr": run.lr if isinstance(run.lr, (int, float)) else None,
        "lrText": run.lr if isinstance(run.lr, str) else None,
        "start": list(next(run.history.rows())[1]),
        "hyper": [run.hyperparameters[name] for name in run.rule.hyperparameters],
    }


def _why_recorded(result: Result) -> str:
    """Why the page cannot run the descent, or ""."""
    loss = result.loss
    if not isinstance(loss, Loss) or isinstance(loss.internals, ArrayInternals):
        if loss.indexed is not None:
            return "The loss is of long arrays, so this page shows the run that Python made."
        return "The loss is a Python function, so this page shows the run that Python made."
    if loss.internals.program.operations > _MOST_OPERATIONS:
        return "The formula is too long for a page, so this page shows the run that Python made."
    if result.rule is None or result.lr is None:
        return "A solver chose each step: this page shows the run that Python made."
    if result.lr == "auto":
        return "A line search chose each learning rate: this page shows the run that Python made."
    if reason := why_not(result.rule):
        return reason
    if loss.internals.goes_by_rows:
        return "Each step saw some rows of the data: this page shows the run that Python made."
    if loss.internals.program.loops and not runs_over_rows(loss):
        return "The loss goes over rows of data: this page shows runs that Python made."
    missing = javascript.unsupported([loss.internals.program])
    if missing:
        listed = ", ".join(missing)
        return f"JavaScript has no {listed}: this page shows runs that Python made."
    return ""


def _shared_data(runs: Sequence[Result]) -> dict[str, Any]:
    """The data of every page, mostly of the first run."""
    result = runs[0]
    params = result.loss.params
    gradient = [f"dL/d{names.escape(n)} = {g}" for n, g in result.loss.gradient_text(400).items()]
    more = [] if len(gradient) <= 8 else [f"... and {len(gradient) - 8} more"]
    return {
        "params": [names.escape(name) for name in params],
        "shown": [show(name) for name in params],
        "formula": result.loss.read_as(pretty=True)[:_MOST_CHARACTERS],
        "gradient": gradient[:8] + more,
        "start": list(next(result.history.rows())[1]),
        "lr": result.lr if isinstance(result.lr, (int, float)) else None,
        "lrText": names.escape(str(result.lr or "-")),
        # one more if the run ended before a non-finite point
        "steps": result.steps + ("the last finite point" in result.message),
        "spans": [[rounded(end, 12) for end in span] for span in _spans(runs)],
        "constants": [],
    } | _bounds(result)


def _of_recorded(runs: Sequence[Result]) -> dict[str, Any]:
    """The same of a page of recorded runs, which has the first parameters only."""
    found = _shared_data(runs)
    for key in ("params", "shown", "start", "spans", "low", "high"):
        if key in found:
            found[key] = found[key][:MOST_PARAMETERS]
    loss = runs[0].loss
    if isinstance(loss, Loss) and not isinstance(loss.internals, ArrayInternals):
        found |= row_data(loss)
    return found


def _bounds(result: Result) -> dict[str, Any]:
    """The bounds of the parameters, None where they are open or those of the rule box's sliders."""
    if not result.bounds:
        return {}
    own = (
        [result.hyperparameters[n] for n in ("lower", "upper")]
        if result.rule is not None and result.rule.unboxed is not result.rule
        else []
    )
    low, high = zip(*(result.bounds.get(n, (None, None)) for n in result.loss.params), strict=True)
    found = {"low": [*low], "high": [*high]}
    if own:
        found = {side: [None if v in own else v for v in ends] for side, ends in found.items()}
    return found if any(v is not None for ends in found.values() for v in ends) else {}


def _spans(runs: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    if len(runs[0].loss.params) <= 2:
        spans, _ = viewport_of(runs)
        return tuple(_widened(low, high) for low, high in spans)
    points: list[Sequence[float]] = []
    for run in runs:
        path = [theta for _, theta, _, _ in run.history.at_most()]
        points += before_divergence(path) if has_diverged(run) else path
    return bounding_spans(points)


def _widened(low: float, high: float) -> tuple[float, float]:
    """The interval with a margin for dragging the start."""
    more = 0.25 * (high - low)
    return (low - more, high + more)
