"""The programs of one step: loss, rule and learning rate in one, or the rule alone for arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import sympy

from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import TWO, ZERO, Name, Node
from symgd.model.arguments import Arguments, Schedule
from symgd.model.bounds import ParameterBox
from symgd.model.loss import Loss
from symgd.model.rules import Rule

#: Parameters and state of a descent that machine code can keep in registers, or nearly so;
REGISTERS = 128
#: operations of a loss up to which all of its code is one function.
OPERATIONS = 4000


def is_large(loss: Loss, rule: Rule) -> bool:
    """Whether a descent is run over arrays, by loops, rather than in registers."""
    if len(loss.params) * (1 + len(rule.state)) > REGISTERS:
        return True
    return loss.program.operations > OPERATIONS


def step_program(loss: Loss, rule: Rule, schedule: Schedule, extra: Sequence[str]) -> Program:
    """(theta.., state.., t, [lr], extra..) -> (theta.., state.., loss, |g|, g..).

    After the extra inputs stand those that the data of the loss give. In bounds theta is projected
    into them, and the gradient that comes out is the projected one.
    """
    inputs, outputs = step_outputs(loss, rule, schedule, extra)
    if loss.internals.rows is not None:
        return loss.internals.rows.program(inputs, outputs)
    return compile_program(inputs, outputs)


def step_outputs(
    loss: Loss, rule: Rule, schedule: Schedule, extra: Sequence[str]
) -> tuple[list[Name], dict[str, Node]]:
    """The inputs and outputs of one step, as nodes of the graph of the loss."""
    graph, count = loss.internals.graph, len(loss.params)
    states = {
        name: [graph.atom(Name(f"s{j}_{k}", f"{name}[{p}]")) for k, p in enumerate(loss.params)]
        for j, name in enumerate(rule.state)
    }
    shared: dict[str, Node] = {"t": graph.atom(Name("t", "t"))}
    inputs = [
        *loss.internals.atoms,
        *(node for nodes in states.values() for node in nodes),
        shared["t"],
    ]
    if schedule.formula is None:
        shared["lr"] = graph.atom(Name("rate", "lr"))
        inputs.append(shared["lr"])
    for k, name in enumerate(extra):
        shared[name] = graph.atom(Name(f"h{k}", name))
        inputs.append(shared[name])
    if schedule.formula is not None:
        places = {symbol: shared[n] for n, symbol in schedule.formula.variables.items()}
        shared["lr"] = graph.replace([schedule.formula.root], places)[0]
    grad = loss.internals.derivatives
    theta, state = rule.step(graph, loss.internals.atoms, grad, states, shared)
    if loss.internals.box is not None:
        theta, grad = _within(graph, loss.internals.box, loss.internals.atoms, theta, grad)
    norm = graph.node(FUNCTIONS["hypot"].node, *grad)
    if count == 1:
        norm = graph.node(sympy.Abs, *grad)
    elif count > REGISTERS:
        norm = graph.sqrt(graph.add(*(graph.node(sympy.Pow, g, TWO) for g in grad)))
    outputs = {f"{p}'": node for p, node in zip(loss.params, theta, strict=True)}
    outputs |= {f"{s}'[{k}]": n for s, nodes in state.items() for k, n in enumerate(nodes)}
    outputs |= {"loss": loss.internals.stable, "|g|": norm}
    outputs |= {f"d/d{p}": g for p, g in zip(loss.params, grad, strict=True)}
    return inputs, outputs


def _within(
    graph: Graph,
    box: ParameterBox,
    at: Sequence[Node],
    theta: Sequence[Node],
    grad: Sequence[Node],
) -> tuple[list[Node], list[Node]]:
    """The next theta projected into the box, and the gradient at the present one.

    Of the gradient what points out of the box at a bound is 0 (`ParameterBox.projected`).
    """
    least, most = FUNCTIONS["min"].node, FUNCTIONS["max"].node
    new, free = list(theta), list(grad)
    for ends, inward, outward in ((box.low, most, least), (box.high, least, most)):
        for k, end in enumerate(ends):
            if math.isfinite(end):
                number = graph.number(end)
                new[k] = graph.node(inward, new[k], number)
                held = graph.compare("==", at[k], number)
                free[k] = graph.where(held, graph.node(outward, free[k], ZERO), free[k])
    return new, free


def rule_program(
    rule: Rule, arguments: Arguments, values: Mapping[str, float], *, array: bool = True
) -> Program:
    """(theta, g, state.., t, [lr], extra..) -> (theta, state..), each for a whole array.

    array: False for one parameter, a number.
    """
    graph = Graph()
    labels = ["theta", "g", *rule.state, "t", *values]
    if arguments.schedule.formula is None:
        labels.insert(labels.index("t") + 1, "lr")
    nodes: dict[str, Node] = {n: graph.atom(Name(f"a{k}", n)) for k, n in enumerate(labels)}
    inputs = [nodes[n] for n in labels]
    shared = {n: nodes[n] for n in ("t", "lr", *values) if n in nodes}
    if arguments.schedule.formula is not None:
        formula = arguments.schedule.formula
        places = {symbol: shared[n] for n, symbol in formula.variables.items()}
        shared["lr"] = graph.replace([formula.root], places)[0]
    state = {name: [nodes[name]] for name in rule.state}
    theta, after = rule.step(graph, [nodes["theta"]], [nodes["g"]], state, shared, array)
    outputs = {"theta'": theta[0], **{f"{n}'": after[n][0] for n in rule.state}}
    return compile_program(inputs, outputs)


def settles(arguments: Arguments) -> bool:
    """Whether the step depends on theta only: a point that does not move never will."""
    rule = arguments.rule
    return not rule.state and "t" not in rule.variables and arguments.schedule.formula is None
