"""Kinks of a formula: where they are, and the critical points of the loss along them.

A kink is a set of nodes that vanish together: u of |u|, a - b of max(a, b), every x of
hypot(x, ..). On it the loss is smooth. Its critical points there are those of the Lagrangian
f + m1*u1 + .., f the loss with every root of the kink replaced by its value on it: corners and tips
of cones, where as many functions vanish as there are parameters, and the lowest points of creases.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import sympy

from symgd.formula.evaluate import evaluate_all
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    ZERO,
    Name,
    Node,
    Where,
    dependents,
    float_of,
    relation,
    topological,
)
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals

_ROOTS = {"abs", "relu", "cbrt", "hypot"}  # their value is 0 on the kink
_SETS = 24  # kinks and combinations of kinks that are looked at

Value = Callable[[tuple[Node, ...]], Node]


@dataclass(frozen=True)
class Kink:
    """zeros: the nodes that vanish. values: a root's id -> its value there, from its arguments."""

    zeros: tuple[Node, ...]
    values: dict[int, Value]


def kinks_of(loss: Loss) -> list[Kink]:
    """The kinks of a loss without data, in the order of the formula."""
    internals = loss.internals
    if internals.rows is not None:
        return []
    found: dict[tuple[int, ...], Kink] = {}
    order = topological([internals.root])
    moving = dependents(order, internals.atoms)
    for node in order:
        for zeros, value in _at(internals.graph, node):
            if all(id(z) in moving or any(id(a) in moving for a in z.args) for z in zeros):
                kink = found.setdefault(tuple(sorted(map(id, zeros))), Kink(zeros, {}))
                kink.values[id(node)] = value
    return list(found.values())


def has_broken_powers(loss: Loss) -> bool:
    """Whether the loss holds powers that SymPy's solver takes long for."""
    nodes = topological([loss.internals.root])
    return any(n.func is sympy.Pow and _breaks(n) for n in nodes)


def _breaks(power: Node) -> bool:
    """Whether a power has no derivatives of every order where its base, which varies, is 0."""
    base, exponent = power.args
    return any(isinstance(n, Name) for n in topological([base])) and broken(exponent)


def has_kinks(loss: Loss) -> bool:
    """Whether the loss, as typed, may have kinks or jumps, in the terms of rows too."""
    shown, inner = loss.indexed or loss, loss.internals
    if shown.arrays is None:
        return inner.kept("kinks", lambda: _has_kinks(inner.root, inner.atoms))
    model = shown.arrays
    atoms = [*map(model.formula.graph.atom, (*model.scalars.values(), *model.arrays.values()))]
    return inner.kept("kinks", lambda: _has_kinks(model.formula.root, atoms))


def _has_kinks(root: Node, atoms: Sequence[Node]) -> bool:
    """The same of a formula. atoms: its parameters; on what else varies no kink is."""
    order = topological([root])
    moving = dependents(order, atoms)
    for node in order:
        if id(node) not in moving:
            continue
        row = BY_CLASS.get(node.func)
        if node.func is Where:
            if id(node.args[0]) in moving:
                return True
        elif row is not None and row.name != "huber" and (row.kink or row.name in _ROOTS):
            return True
        if node.func is sympy.Pow and id(node.args[0]) in moving and broken(node.args[1]):
            return True
    return False


def _at(graph: Graph, node: Node) -> Iterator[tuple[tuple[Node, ...], Value]]:
    row = BY_CLASS.get(node.func)
    name = "" if row is None else row.name
    if name in _ROOTS:
        zeros = tuple(z for a in node.args for z in _zeros_of(a) or (a,))
        yield zeros, lambda args: ZERO
    elif name in {"max", "min"}:
        yield (graph.sub(*node.args),), lambda args: args[0]
    elif name == "clip":
        x, low, high = node.args
        yield (graph.sub(x, low),), lambda args: args[1]
        yield (graph.sub(x, high),), lambda args: args[2]
    elif node.func is Where:
        for part in topological([node.args[0]]):
            if relation(part) is not None:
                yield (graph.sub(*part.args),), lambda args: args[1]
    elif node.func is sympy.Pow and broken(node.args[1]):
        yield _zeros_of(node.args[0]) or (node.args[0],), lambda args: ZERO


def broken(exponent: Node) -> bool:
    """Whether a power with this exponent has no derivatives of every order where its base is 0."""
    value = float_of(exponent)
    if value is None:
        if any(isinstance(n, Name) for n in topological([exponent])):
            return True
        value = evaluate_all([exponent], {})[id(exponent)]
    return bool(value > 0 and value != int(value))


def _zeros_of(node: Node) -> tuple[Node, ...] | None:
    """What vanishes where a node that is never negative does, or None where it may be negative."""
    if node.func is sympy.Add:
        parts = [_zeros_of(a) for a in node.args]
        return None if None in parts else tuple(z for part in parts for z in part or ())
    if node.func is sympy.Mul:
        if len(node.args) == 2 and node.args[0] is node.args[1]:
            return _zeros_of(node.args[0]) or (node.args[0],)
        scale = [float_of(a) for a in node.args[:-1]]
        positive = all(s is not None and s > 0 for s in scale)
        return _zeros_of(node.args[-1]) if positive else None
    if node.func is sympy.Pow:
        exponent = float_of(node.args[1])
        even = exponent is not None and exponent > 0 and (exponent / 2) % 1 == 0
        return (
            (_zeros_of(node.args[0]) or (node.args[0],)) if even or broken(node.args[1]) else None
        )
    row = BY_CLASS.get(node.func)
    if row is not None and row.name in {"abs", "hypot"}:
        return tuple(z for a in node.args for z in _zeros_of(a) or (a,))
    return None


# -- the loss along kinks -------------------------------------------------------------------


def kink_sets(kinks: Sequence[Kink], count: int) -> Iterator[tuple[Kink, ...]]:
    """Kinks that may meet, in at most `count` equations: single ones first."""
    left = _SETS
    for size in range(1, count + 1):
        for chosen in combinations(kinks, size):
            if sum(len(k.zeros) for k in chosen) <= count:
                yield chosen
                left -= 1
                if left == 0:
                    return


def active(loss: Loss, kinks: Sequence[Kink], x: Sequence[float], near: float) -> tuple[Kink, ...]:
    """The kinks that pass x within this distance, to first order, as many as may meet."""
    chosen: list[Kink] = []
    for kink in kinks:
        if all(_distance(loss, zero, x) <= near for zero in kink.zeros):
            chosen.append(kink)
    while sum(len(k.zeros) for k in chosen) > len(x):
        chosen.pop()
    return tuple(chosen)


def _distance(loss: Loss, zero: Node, x: Sequence[float]) -> float:
    internals = LossInternals(loss.internals.graph, zero, loss.internals.leaves)
    value, *slopes = internals.evaluate(*x)
    length = math.hypot(*slopes)
    return abs(value) / length if length > 0 else math.sqrt(abs(value))


def lagrangian(loss: Loss, chosen: Sequence[Kink]) -> Loss:
    """The loss along these kinks, over its parameters and one multiplier for each equation."""
    internals = loss.internals
    graph = internals.graph
    values = {node: value for kink in chosen for node, value in kink.values.items()}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        return values[id(node)](args) if id(node) in values else graph.simplified(node, args)

    zeros = [zero for kink in chosen for zero in kink.zeros]
    root, *equations = graph.rebuild([internals.root, *zeros], change)
    count = len(internals.leaves)
    multipliers = [Name(f"p{count + k}", f"#{k}") for k in range(len(equations))]
    terms = [graph.mul(graph.atom(m), e) for m, e in zip(multipliers, equations, strict=True)]
    along = LossInternals(graph, graph.add(root, *terms), (*internals.leaves, *multipliers))
    return Loss.of(along, "")
