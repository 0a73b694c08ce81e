"""The content of a live page: data as plain values, functions as JavaScript.

If the loss cannot run in a browser, the page contains runs recorded by Python, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symgd import names
from symgd.analysis.stability import linear_rule
from symgd.backends import javascript
from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, Norm, topological
from symgd.formula.printing.plain import show
from symgd.model.arguments import Schedule, read_arguments
from symgd.model.catalogue import CATALOGUE
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.model.rules import Rule
from symgd.report.loss_view import has_diverged, viewport_of
from symgd.report.page.recorded_runs import recorded_data, rounded
from symgd.report.viewport import before_divergence, bounding_spans

_MOST_OPERATIONS = 40_000  # of a loss that runs in the browser
_MOST_HESSIAN_PARAMETERS = 6  # parameters up to which the page searches for minima
_COARSE, _FINE = (56, 42), (88, 66)  # points of a live map; fine: for a cheap loss
_CHEAP = 200  # operations, at most
_BLANKS = re.compile(" +")
_MOST_CHARACTERS = 2000  # of a formula


@dataclass(frozen=True)
class Content:
    """data: JSON values. functions: name -> JavaScript, or a list of them by rule."""

    data: dict[str, Any]
    functions: dict[str, Any]


def content_of(result: Result) -> Content:
    """The content of the page of one run."""
    reason = why_recorded(result)
    if reason:
        return Content(
            shared_data([result]) | {"why": reason} | recorded_data(result, _spans([result])), {}
        )
    return live_content([result])


def live_content(runs: Sequence[Result]) -> Content:
    """A page that runs the first of the descents, with the rules of all of them."""
    result = runs[0]
    assert isinstance(result.loss, Loss)
    loss = result.loss
    schedule = read_arguments(result.lr, 0, "gd", None, None).schedule
    rules = rules_of(runs)
    # sums over the data, computed by Python
    given = None if loss.internals.rows is None else loss.internals.rows.values
    functions: dict[str, Any] = {
        "grad": javascript.function(loss.program, given),
        "value": javascript.function(loss.internals.value_program, given),
        "rules": [_step(rule, len(loss.params)) for rule in rules],
        "linear": [_linear(rule) for rule in rules],
    }
    if _has_hessian(loss):
        functions["hess"] = javascript.function(loss.internals.hessian_program, given)
    constants = [(name, result.hyperparameters[name]) for name in schedule.names]
    if schedule.formula is not None:
        functions["rate"] = _rate(schedule)
    data = {
        "why": "",
        "rule": 0,
        "rules": [_rule_data(rule) for rule in rules],
        "constants": [[names.escape(name), value] for name, value in constants],
        "told": [_told(run, rules) for run in runs],
    }
    if len(loss.params) > 1:  # a slice through more than two is redrawn at every step
        fine = len(loss.params) == 2 and loss.internals.value_program.operations <= _CHEAP
        data["gridSize"] = _FINE if fine else _COARSE
    return Content(shared_data(runs) | data, functions)


def _told(run: Result, rules: Sequence[Rule]) -> dict[str, Any]:
    """What Python says of a run, for the page to say the same of it."""
    return {
        "start": list(run.start.values()),
        "lr": run.lr if isinstance(run.lr, float) else None,
        "rule": [str(rule) for rule in rules].index(str(run.rule)),
        "hyper": list(_values(run).values()),
        "kind": run.verdict.kind,
        "text": names.escape(run.verdict.sentence),
    }


def why_recorded(result: Result) -> str:
    """Why the page cannot run the descent, or ""."""
    loss = result.loss
    if not isinstance(loss, Loss):
        return "The loss is a Python function, so this page shows the run that Python made."
    if loss.program.operations > _MOST_OPERATIONS:
        return "The formula is too long for a page, so this page shows the run that Python made."
    if result.lr == "auto":
        return "A line search chose each learning rate: this page shows the run that Python made."
    if loss.internals.goes_by_rows:
        return "Each step saw some rows of the data: this page shows the run that Python made."
    if loss.program.loops:
        return "The loss goes over rows of data: this page shows runs that Python made."
    missing = javascript.unsupported([loss.program, *_step_programs(result.rule, len(loss.params))])
    if missing:
        listed = ", ".join(missing)
        return f"JavaScript has no {listed}: this page shows runs that Python made."
    return ""


def shared_data(runs: Sequence[Result]) -> dict[str, Any]:
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
        "start": list(result.start.values()),
        "lr": result.lr if isinstance(result.lr, (int, float)) else None,
        "lrText": names.escape(str(result.lr)),
        "steps": _steps(result),
        "spans": [[rounded(end, 12) for end in span] for span in _spans(runs)],
        "constants": [],
    }


def _steps(result: Result) -> int:
    """The steps of the page: one more than those of a run that ended before a non-finite point."""
    return result.steps + ("the last finite point" in result.message)


def _spans(runs: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    if len(runs[0].loss.params) <= 2:
        return tuple(_widened(low, high) for low, high in viewport_of(runs).spans)
    points: list[Sequence[float]] = []
    for run in runs:
        path = [theta for _, theta, _, _ in run.history.rows()]
        points += before_divergence(path) if has_diverged(run) else path
    return bounding_spans(points)


def _widened(low: float, high: float) -> tuple[float, float]:
    """The interval with a margin for dragging the start."""
    more = 0.25 * (high - low)
    return (low - more, high + more)


def rules_of(runs: Sequence[Result]) -> list[Rule]:
    """The distinct rules of the runs, then the other rules of the catalogue."""
    own: dict[str, Rule] = {}
    for run in runs:
        text = str(run.rule)
        if text not in own:
            taken = {rule.name for rule in own.values()}
            name = run.rule.name if run.rule.name not in taken else f"custom {len(own) + 1}"
            own[text] = Rule(text, _values(run), name)
    taken = {rule.name for rule in own.values()}
    others = [
        Rule(entry.text, entry.defaults, entry.name)
        for entry in CATALOGUE.values()
        if entry.kind == "rule" and entry.name not in taken
    ]
    return [*own.values(), *others]


def _values(result: Result) -> dict[str, float]:
    return {name: result.hyperparameters[name] for name in result.rule.hyperparameters}


def _rule_data(rule: Rule) -> dict[str, Any]:
    return {
        "name": names.escape(rule.name),
        "text": "\n".join(names.escape(_BLANKS.sub(" ", s)) for s in str(rule).splitlines())[
            :_MOST_CHARACTERS
        ],
        "states": len(rule.state),
        "hyper": [[names.escape(n), float(rule.defaults[n])] for n in rule.hyperparameters],
    } | ({"whole": True} if _uses_norm(rule) else {})


def _uses_norm(rule: Rule) -> bool:
    """Whether the rule depends on all parameters at once, by a norm."""
    roots = [line.formula.root for line in rule.lines]
    return any(node.func is Norm for node in topological(roots))


def _step_programs(rule: Rule, count: int) -> list[Program]:
    return [_rule_program(rule, count if _uses_norm(rule) else 1)]


def _step(rule: Rule, count: int) -> str:
    return javascript.function(_step_programs(rule, count)[0])


def _rule_program(rule: Rule, count: int) -> Program:
    """(theta.., g.., state.., t, lr, hyperparameters..) -> (theta.., state..)."""
    graph = Graph()

    def atoms(prefix: str, number: int) -> list[Node]:
        return [graph.atom(Name(f"{prefix}{k}")) for k in range(number)]

    theta, grad = atoms("p", count), atoms("g", count)
    state = {name: atoms(f"s{j}_", count) for j, name in enumerate(rule.state)}
    shared: dict[str, Node] = {"t": graph.atom(Name("t")), "lr": graph.atom(Name("rate"))}
    shared |= dict(zip(rule.hyperparameters, atoms("h", len(rule.hyperparameters)), strict=True))
    inputs = [*theta, *grad, *(n for nodes in state.values() for n in nodes), *shared.values()]
    new, after = rule.step(graph, theta, grad, state, shared)
    results = [*new, *(n for name in rule.state for n in after[name])]
    return compile_program(inputs, {f"o{k}": n for k, n in enumerate(results)})


def _linear(rule: Rule) -> str | None:
    """(curvature, lr, t, hyperparameters..) -> the Jacobian of a step at a minimum, row by row.

    None if the linearization does not describe the rule (`LinearRule.applies`).
    """
    if not rule.smooth:
        return None
    linear = linear_rule(rule, rule.defaults)
    if not linear.applies(1.0):
        return None
    program = linear.program(rule)
    return None if javascript.unsupported([program]) else javascript.function(program)


def _has_hessian(loss: Loss) -> bool:
    if len(loss.params) > _MOST_HESSIAN_PARAMETERS or loss.internals.value_program.operations > 500:
        return False
    if loss.internals.hessian_program.loops:
        return False
    return not javascript.unsupported([loss.internals.hessian_program])


def _rate(schedule: Schedule) -> str:
    """(t, constants..) -> [the learning rate]."""
    assert schedule.formula is not None
    graph = Graph()
    labels = ["t", *schedule.names]
    atoms = {name: graph.atom(Name(f"a{k}", name)) for k, name in enumerate(labels)}
    places = {symbol: atoms[name] for name, symbol in schedule.formula.variables.items()}
    [root] = graph.replace([schedule.formula.root], places)
    return javascript.function(compile_program(list(atoms.values()), {"rate": root}))
