"""What a live page holds: its data as plain values, its functions as JavaScript.

Where a function of the formula has no JavaScript form, or only a gradient function is known, the
page holds runs made by Python instead, and says so.
"""

from __future__ import annotations

import math
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
from symgd.model.result import Described, Result
from symgd.model.rules import Rule
from symgd.report.loss_view import ran_away, view_of
from symgd.report.viewport import beginning, linspace, window

_LONGEST = 40_000  # operations of a loss that a browser is asked to run
_HESSIAN = 6  # parameters up to which the page looks for minima itself
_RECORDED = 25  # learning rates of a recorded page
_MOST_ROWS = 200  # of a recorded run
_WORK = 300_000_000  # operations that runs or values of a recorded page may take, rows counted
_SAMPLES, _GRID = 201, (36, 28)  # of a recorded curve, and map
_COARSE, _FINE = (56, 42), (88, 66)  # samples of a live map, and of one whose loss is
_QUICK = 200  # operations or fewer
_BLANKS = re.compile(" +")
_WIDE = 2000  # characters of a formula

Spans = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Content:
    """data: JSON values. functions: name -> JavaScript, or a list of them by rule."""

    data: dict[str, Any]
    functions: dict[str, Any]


def content_of(result: Result) -> Content:
    """The content of the page of one run."""
    why = why_recorded(result)
    if why:
        return Content(common([result]) | {"why": why} | _recorded(result), {})
    return live([result])


def live(runs: Sequence[Result]) -> Content:
    """A page that runs the first of the descents itself, with the rules of all of them."""
    result = runs[0]
    assert isinstance(result.loss, Loss)
    loss = result.loss
    schedule = read_arguments(result.lr, 0, "gd", None, None).schedule
    rules = rules_of(runs)
    given = (
        None if loss.internals.rows is None else loss.internals.rows.values
    )  # sums over the data, done by Python
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
        "rules": [_described(rule) for rule in rules],
        "constants": [[names.escape(name), value] for name, value in constants],
    }
    if len(loss.params) > 1:  # a slice of more than two is drawn anew at every step
        fine = len(loss.params) == 2 and loss.internals.value_program.operations <= _QUICK
        data["gridSize"] = _FINE if fine else _COARSE
    return Content(common(runs) | data, functions)


def why_recorded(result: Result) -> str:
    """Why the page cannot run the descent itself, or ""."""
    loss = result.loss
    if not isinstance(loss, Loss):
        return "The loss is a Python function, so this page shows the run that Python made."
    if loss.program.operations > _LONGEST:
        return "The formula is too long for a page, so this page shows the run that Python made."
    if result.lr == "auto":
        return "A line search chose each learning rate: this page shows the run that Python made."
    if loss.internals.goes_by_rows:
        return "Each step saw some rows of the data: this page shows the run that Python made."
    if loss.program.loops:
        return "The loss goes over rows of data: this page shows runs that Python made."
    missing = javascript.unsupported([loss.program, *_programs(result.rule, len(loss.params))])
    if missing:
        listed = ", ".join(missing)
        return f"JavaScript has no {listed}: this page shows runs that Python made."
    return ""


def common(runs: Sequence[Result]) -> dict[str, Any]:
    """What every page holds, whatever runs on it: mostly about the first of the runs."""
    result = runs[0]
    params = result.loss.params
    gradient = [f"dL/d{names.escape(n)} = {g}" for n, g in result.loss.gradient_text(400).items()]
    more = [] if len(gradient) <= 8 else [f"... and {len(gradient) - 8} more"]
    return {
        "params": [names.escape(name) for name in params],
        "shown": [show(name) for name in params],
        "formula": result.loss.read_as(pretty=True)[:_WIDE],
        "gradient": gradient[:8] + more,
        "start": list(result.start.values()),
        "lr": result.lr if isinstance(result.lr, (int, float)) else None,
        "lrText": names.escape(str(result.lr)),
        "steps": _steps(result),
        "spans": [[_plain(end, 12) for end in span] for span in _spans(runs)],
        "constants": [],
    }


def _steps(result: Result) -> int:
    """The steps that the page takes: one more than the run where that one leaves the numbers."""
    return result.steps + ("the last finite point" in result.message)


def _spans(runs: Sequence[Result]) -> tuple[tuple[float, float], ...]:
    if len(runs[0].loss.params) <= 2:
        return tuple(_wider(low, high) for low, high in view_of(runs).spans)
    points: list[Sequence[float]] = []
    for run in runs:
        path = [theta for _, theta, _, _ in run.history.rows()]
        points += beginning(path) if ran_away(run) else path
    return window(points)


def _wider(low: float, high: float) -> tuple[float, float]:
    """Room to drag the start in."""
    more = 0.25 * (high - low)
    return (low - more, high + more)


def rules_of(runs: Sequence[Result]) -> list[Rule]:
    """The runs' own rules first, each once, then the catalogue's others."""
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


def _described(rule: Rule) -> dict[str, Any]:
    return {
        "name": names.escape(rule.name),
        "text": "\n".join(names.escape(_BLANKS.sub(" ", s)) for s in str(rule).splitlines())[
            :_WIDE
        ],
        "states": len(rule.state),
        "hyper": [[names.escape(n), float(rule.defaults[n])] for n in rule.hyperparameters],
    } | ({"whole": True} if _is_whole(rule) else {})


def _is_whole(rule: Rule) -> bool:
    """Whether the rule looks at all parameters at once."""
    roots = [line.formula.root for line in rule.lines]
    return any(node.func is Norm for node in topological(roots))


def _programs(rule: Rule, count: int) -> list[Program]:
    return [_step_program(rule, count if _is_whole(rule) else 1)]


def _step(rule: Rule, count: int) -> str:
    return javascript.function(_programs(rule, count)[0])


def _step_program(rule: Rule, count: int) -> Program:
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

    None where linearizing says nothing about the rule (`LinearRule.applies`).
    """
    if not rule.smooth:
        return None
    linear = linear_rule(rule, rule.defaults)
    if not linear.applies(1.0):
        return None
    program = linear.program(rule)
    return None if javascript.unsupported([program]) else javascript.function(program)


def _has_hessian(loss: Loss) -> bool:
    if len(loss.params) > _HESSIAN or loss.internals.value_program.operations > 500:
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


def _recorded(result: Result) -> dict[str, Any]:
    """Runs made by Python: at many learning rates where the loss is a formula, else this one."""
    runs = [result]
    if _repeatable(result):
        assert isinstance(result.loss, Loss)
        runs = _at_many_rates(result, result.loss)
    return recorded(runs) | land(result.loss, _spans([result]))


def recorded(runs: Sequence[Result]) -> dict[str, Any]:
    """The rows of runs that Python made."""
    rule = runs[0].rule
    described = {"name": names.escape(rule.name), "hyper": [], "states": 0, "text": str(rule)}
    return {"runs": [_rows(run) for run in runs], "rule": 0, "rules": [described]}


def _repeatable(result: Result) -> bool:
    """Whether the run can be made again, quickly, at other learning rates."""
    loss = result.loss
    if (
        not isinstance(loss, Loss)
        or loss.internals.goes_by_rows
        or not isinstance(result.lr, float)
    ):
        return False
    return loss.table is None or _RECORDED * 3 * result.steps * loss.internals.work <= _WORK


def land(loss: Described, spans: Spans) -> dict[str, Any]:
    """The loss on a grid of the picture, of one parameter or two, where it is not too long."""
    count = len(loss.params)
    points = _SAMPLES if count == 1 else _GRID[0] * _GRID[1]
    known = isinstance(loss, Loss) and loss.internals.work * points <= _WORK
    if count == 1 and not known:
        return {"curve": []}
    if count > 2 or not known:
        return {}
    assert isinstance(loss, Loss)
    if count == 1:
        values = _heights(loss, [(x,) for x in linspace(*spans[0], _SAMPLES)])
        return {"curve": [_plain(v) for v in values]}
    first, second = spans
    xs, ys = linspace(*first, _GRID[0]), linspace(*second, _GRID[1])
    values = _heights(loss, [(x, y) for y in ys for x in xs])
    return {"grid": [_plain(v, 4) for v in values], "gridSize": list(_GRID)}


def _heights(loss: Loss, points: list[tuple[float, ...]]) -> list[float]:
    program = loss.internals.value_program
    if loss.internals.rows is None or not program.loops:
        return [loss.internals.evaluate_value(*point)[0] for point in points]
    import numpy as np  # which the rows have imported already

    from symgd.backends.numpy_points import compile_points

    found = compile_points(program, loss.internals.rows.more(program), loss.internals.rows.table)(
        np.array(points)
    )
    return [float(v) for v in found]


def _at_many_rates(result: Result, loss: Loss) -> list[Result]:
    from symgd.descent.descend import descend

    assert isinstance(result.lr, float)
    steps = min(result.steps, _MOST_ROWS)
    exponents = linspace(-2.0, 1.0, _RECORDED - 1)
    rates = sorted({result.lr, *(result.lr * 10**e for e in exponents)})
    given = dict(result.hyperparameters)
    common: dict[str, Any] = {"start": result.start, "rule": result.rule, "set": given}
    runs = [descend(loss, lr=lr, steps=steps, **common) for lr in rates if lr != result.lr]
    return sorted([*runs, result], key=lambda run: float(run.lr))


def _rows(run: Result) -> dict[str, Any]:
    rows = list(run.history.rows())
    stride = -(-len(rows) // (_MOST_ROWS + 1))
    kept = [row for k, row in enumerate(rows) if k % stride == 0 or k == len(rows) - 1]
    return {
        "lr": run.lr if isinstance(run.lr, (int, float)) else None,
        "kind": run.verdict.kind,
        "sentence": run.verdict.sentence,
        "rows": [
            [t, list(map(_number, theta)), _number(loss), _number(norm)]
            for t, theta, loss, norm in kept
        ],
    }


def _number(value: float) -> float | str:
    """A number for JSON, which has no inf and no nan: these as JavaScript's Number reads them."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _plain(value: float, digits: int = 17) -> float | None:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
