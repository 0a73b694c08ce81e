"""The functions of a live page: the rules and their steps, as programs or as JavaScript."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from symgd import names
from symgd.analysis.stability import linear_rule
from symgd.backends import javascript
from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.descent.step_program import LossAtNodes
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node
from symgd.model.catalogue import CATALOGUE
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.model.rule_step import Surroundings
from symgd.model.rules import Rule
from symgd.model.schedule import Schedule

MOST_CHARACTERS = 2000  # of a formula

_MOST_HESSIAN_PARAMETERS = 6  # parameters up to which the page searches for minima
_MOST_TOGETHER = 6  # parameters up to which it offers rules that need all of them at once
_BLANKS = re.compile(" +")


def rules_of(runs: Sequence[Result]) -> list[Rule]:
    """The distinct rules of the runs, then the other rules of the catalogue."""
    own: dict[str, Rule] = {}
    for run in runs:
        assert run.rule is not None
        text = str(run.rule)
        if text not in own:
            taken = {rule.name for rule in own.values()}
            name = run.rule.name if run.rule.name not in taken else f"custom {len(own) + 1}"
            values = {n: run.hyperparameters[n] for n in run.rule.hyperparameters}
            own[text] = Rule(text, values, name)
    taken = {rule.name for rule in own.values()}
    count = len(runs[0].loss.params)
    others = (rule for rule in _catalogue() if rule.name not in taken)
    return [*own.values(), *(rule for rule in others if fits_menu(rule, count))]


@cache
def _catalogue() -> list[Rule]:
    """The rules of the catalogue, read once for all pages."""
    entries = [entry for entry in CATALOGUE.values() if entry.kind == "rule"]
    return [Rule(entry.text, entry.defaults, entry.name) for entry in entries]


def fits_menu(rule: Rule, count: int) -> bool:
    """Whether a rule of the catalogue is short enough, in steps of all parameters at once."""
    long = rule.evaluations or rule.random or (rule.together and count > _MOST_TOGETHER)
    return not (long or rule.reported)


def rule_data(rule: Rule, count: int) -> dict[str, Any]:
    """A rule of so many parameters as the page describes it.

    whole: its step needs all of them at once, and keeps `width` numbers. decays: whether minima but
    0 are no fixed points of it. planned: which of its hyperparameters is the number of steps. box:
    which of its hyperparameters are its bounds.
    """
    lines = [names.escape(_BLANKS.sub(" ", line)) for line in str(rule).splitlines()]
    return (
        {
            "name": names.escape(rule.name),
            "text": "\n".join(lines)[:MOST_CHARACTERS],
            "states": len(rule.state),
            "hyper": [[names.escape(n), _usual(rule, n)] for n in rule.hyperparameters],
        }
        | ({"whole": True, "width": sum(rule.widths(count))} if rule.together else {})
        | ({"decays": True} if linear_rule(rule, rule.defaults).decays else {})
        | ({"planned": [*rule.hyperparameters].index("n")} if _plans(rule) else {})
        | _box(rule)
    )


def _usual(rule: Rule, name: str) -> float:
    """The usual value of a hyperparameter; n and seed have none."""
    return float(rule.defaults.get(name, 0.0))


def _plans(rule: Rule) -> bool:
    """Whether the rule reads the planned number of steps."""
    return "n" in rule.hyperparameters


def _box(rule: Rule) -> dict[str, Any]:
    names_of = list(rule.hyperparameters)
    ends = [names_of.index(n) for n in ("lower", "upper") if n in names_of]
    return {"box": ends} if rule.unboxed is not rule else {}


def step_program(rule: Rule, loss: Loss) -> Program:
    """(theta.., g.., state.., t, lr, hyperparameters..) -> (theta.., state..).

    Of one parameter, or of all of them if the step of one depends on the others, or on the loss.
    """
    count = len(loss.params) if rule.together else 1
    if not rule.evaluations:
        return _step_program(rule.text, tuple(rule.defaults.items()), count)
    inner = loss.internals
    around = Surroundings.of(inner.graph, count, inner.stable, LossAtNodes(inner))
    inputs, outputs = _step(rule, inner.graph, inner.atoms, around)
    if inner.rows is not None:
        return inner.rows.program(inputs, outputs)
    return compile_program(inputs, outputs)


@lru_cache(128)
def _step_program(text: str, defaults: tuple[tuple[str, float], ...], count: int) -> Program:
    """That of a rule which does not evaluate the loss, compiled once for all pages."""
    graph = Graph()
    theta = [graph.atom(Name(f"p{k}")) for k in range(count)]
    around = Surroundings.of(graph, count)
    return compile_program(*_step(Rule(text, dict(defaults)), graph, theta, around))


def _step(
    rule: Rule, graph: Graph, theta: Sequence[Node], around: Surroundings
) -> tuple[list[Node], dict[str, Node]]:
    """The inputs of a step and its outputs by name. theta: one node per parameter."""

    def atoms(prefix: str, number: int) -> list[Node]:
        return [graph.atom(Name(f"{prefix}{k}")) for k in range(number)]

    grad, widths = atoms("g", len(theta)), rule.widths(len(theta))
    state = {n: atoms(f"s{j}_", w) for j, (n, w) in enumerate(zip(rule.state, widths, strict=True))}
    shared: dict[str, Node] = {"t": graph.atom(Name("t")), "lr": graph.atom(Name("rate"))}
    shared |= dict(zip(rule.hyperparameters, atoms("h", len(rule.hyperparameters)), strict=True))
    inputs = [*theta, *grad, *(n for nodes in state.values() for n in nodes), *shared.values()]
    new, after = rule.step(graph, theta, grad, state, shared, around)
    results = [*new, *(n for name in rule.state for n in after[name])]
    return inputs, {f"o{k}": n for k, n in enumerate(results)}


def linear_function(rule: Rule) -> str | None:
    """(curvature, lr, t, away, hyperparameters..) -> the Jacobian of a step, row by row.

    None of a rule that is not smooth (`LinearRule.applies`).
    """
    return _linear_function(rule.text, tuple(rule.defaults.items()))


@lru_cache(128)
def _linear_function(text: str, defaults: tuple[tuple[str, float], ...]) -> str | None:
    rule = Rule(text, dict(defaults))
    linear = linear_rule(rule, rule.defaults)
    if not linear.smooth:
        return None
    program = linear.program(rule.unboxed)
    return None if javascript.unsupported([program]) else javascript.function(program)


def has_hessian(loss: Loss) -> bool:
    """Whether the page searches for minima by Newton's method."""
    if len(loss.params) > _MOST_HESSIAN_PARAMETERS or loss.internals.value_program.operations > 500:
        return False
    if loss.internals.hessian_program.loops:
        return False
    return not javascript.unsupported([loss.internals.hessian_program])


def rate_function(schedule: Schedule) -> str:
    """(t, constants..) -> [the learning rate]."""
    assert schedule.formula is not None
    graph = Graph()
    labels = ["t", *schedule.names]
    atoms = {name: graph.atom(Name(f"a{k}", name)) for k, name in enumerate(labels)}
    places = {symbol: atoms[name] for name, symbol in schedule.formula.variables.items()}
    [root] = graph.replace([schedule.formula.root], places)
    return javascript.function(compile_program(list(atoms.values()), {"rate": root}))
