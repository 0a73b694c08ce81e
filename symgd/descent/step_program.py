"""The program of one step: loss, rule and learning rate in one."""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy

from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.calculus.gradient import gradient
from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import TWO, ZERO, Name, Node
from symgd.model.arguments import Arguments
from symgd.model.bounds import ParameterBox
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals
from symgd.model.rule_step import Surroundings
from symgd.model.rules import Rule
from symgd.model.schedule import Schedule

#: Parameters and state of a descent that machine code can keep in registers, or nearly so;
REGISTERS = 128
#: operations of a loss up to which all of its code is one function.
OPERATIONS = 4000


def is_large(loss: Loss, rule: Rule) -> bool:
    """Whether a descent is run over arrays, by loops, rather than in registers."""
    count = len(loss.params)
    if count + sum(rule.widths(count)) > REGISTERS:
        return True
    return loss.internals.program.operations > OPERATIONS


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
    states = {}
    for j, (name, width) in enumerate(zip(rule.state, rule.widths(count), strict=True)):
        labels = [f"{name}[{p}]" for p in loss.params] if width == count else [name]
        states[name] = [graph.atom(Name(f"s{j}_{k}", label)) for k, label in enumerate(labels)]
    shared: dict[str, Node] = {"t": graph.atom(Name("t", "t"))}
    inputs = [
        *loss.internals.atoms,
        *(node for nodes in states.values() for node in nodes),
        shared["t"],
    ]
    if schedule.takes_number:
        shared["lr"] = graph.atom(Name("rate", "lr"))
        inputs.append(shared["lr"])
    for k, name in enumerate(extra):
        shared[name] = graph.atom(Name(f"h{k}", name))
        inputs.append(shared[name])
    rates = schedule.nodes(graph, shared, loss.params)
    grad = loss.internals.derivatives
    around = Surroundings.of(graph, count, loss.internals.stable, LossAtNodes(loss.internals))
    theta, state = rule.step(
        graph, loss.internals.atoms, grad, states, {**shared, "lr": rates}, around
    )
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


class LossAtNodes:
    """The loss at other points, as nodes of its own graph (`symgd.model.rule_step.Evaluations`)."""

    def __init__(self, internals: LossInternals) -> None:
        self.inner = internals

    def _at(self, roots: Sequence[Node], point: Sequence[Node]) -> list[Node]:
        places = dict(zip(self.inner.atoms, point, strict=True))
        return self.inner.graph.replace(roots, places)

    def loss(self, point: Sequence[Node]) -> Node:
        """The loss at a point."""
        return self._at([self.inner.stable], point)[0]

    def grad(self, point: Sequence[Node]) -> list[Node]:
        """The gradient at a point."""
        return self._at(self.inner.derivatives, point)

    def product(self, v: Sequence[Node]) -> list[Node]:
        """The Hessian at theta times a vector: the gradient of g·v."""
        graph, inner = self.inner.graph, self.inner
        ways = [graph.atom(Name(f"v{k}", f"v{k}")) for k in range(len(v))]
        slope = graph.add(*map(graph.mul, inner.derivatives, ways))
        entries = gradient(graph, slope, inner.atoms)
        return graph.replace(entries, dict(zip(ways, v, strict=True)))


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


def settles(arguments: Arguments) -> bool:
    """Whether the step depends on theta only: a point that does not move never will."""
    rule = arguments.rule
    return not rule.state and "t" not in rule.variables and not arguments.schedule.varies
