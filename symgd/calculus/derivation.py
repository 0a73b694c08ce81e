"""Derive the gradient step by step, naming the rule of calculus of each step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import sympy

from symgd.calculus.gradient import gradient
from symgd.calculus.pullback import partials
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    Name,
    Node,
    Where,
    dependents,
    float_of,
    is_condition,
    is_inverse,
    topological,
)
from symgd.formula.printing.plain import write
from symgd.names import escape

_MAX_STEPS = 200  # in one derivation
_MAX_NODES = 200  # nodes of a formula whose derivative is written out at once
_MAX_CHARACTERS = 200  # characters of a formula in one


@dataclass(frozen=True)
class DerivationStep:
    """One use of a rule of calculus: d/dparam of `node` is the sum of `terms`.

    rule: its name. param: the parameter. terms: (factor, inner): factor * d inner/dparam, or, where
    inner is None, factor alone. text, result: the equation and the simplified derivative.
    """

    rule: str
    param: str
    node: Node
    terms: tuple[tuple[Node, Node | None], ...]
    text: str
    result: str


def derivation(
    graph: Graph, root: Node, leaves: Sequence[Name], tidy: Callable[[Node], Node]
) -> Iterator[DerivationStep]:
    """The steps for each parameter, from the whole formula inward, each node once.

    tidy: makes the result of a step readable.
    """
    count = 0
    for leaf in leaves:
        active = dependents(topological([root]), [graph.atom(leaf)])
        for node in _from_output_to_leaves(root, active):
            if count >= _MAX_STEPS:
                return
            count += 1
            yield _step(graph, node, leaf, active, tidy)


def _from_output_to_leaves(root: Node, active: set[int]) -> Iterator[Node]:
    """Every node that depends on the parameter, users before arguments, each once."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen or id(node) not in active or not node.args:
            continue
        seen.add(id(node))
        if is_condition(node):
            continue  # conditions choose, they have no derivative
        yield node
        inner = [a.args[0] if is_inverse(a) and node.func is sympy.Mul else a for a in node.args]
        stack.extend(reversed(inner))


def _step(
    graph: Graph, node: Node, leaf: Name, active: set[int], tidy: Callable[[Node], Node]
) -> DerivationStep:
    d = f"d/d{escape(leaf.text)}"
    pairs = [(factor, inner) for inner, factor in partials(graph, node) if id(inner) in active]
    terms = tuple((factor, None if inner is leaf else inner) for factor, inner in pairs)
    chained = any(inner is not None for _, inner in terms)
    parts = []
    for factor, inner in terms:
        shown = tidy(factor)
        text = write(shown, _MAX_CHARACTERS)
        if inner is None:
            parts.append(text)
        else:
            of = f"{d}[{write(inner, _MAX_CHARACTERS)}]"
            alone = float_of(factor)
            loose = shown.func is sympy.Add or text.startswith("-")
            times = f"({text})*" if loose else f"{text}*"
            parts.append({1.0: "", -1.0: "-"}.get(alone or 0.0, times) + of)
    right = " + ".join(parts).replace("+ -", "- ") or "0"
    result = "..."
    if len(topological([node])) <= _MAX_NODES:
        [value] = gradient(graph, node, [leaf])
        result = write(tidy(value), _MAX_CHARACTERS)
    name = _name(node, active)
    if chained and name not in _LINEAR:
        name += ", chain rule"
    left = f"{d}[{write(node, _MAX_CHARACTERS)}]"
    return DerivationStep(name, leaf.text, node, terms, f"{left} = {right}", result)


_LINEAR = ("sum rule", "constant factor", "product rule", "quotient rule", "case by case")


def _name(node: Node, active: set[int]) -> str:
    cls = node.func
    if cls is sympy.Add:
        return "sum rule"
    if cls is sympy.Mul:
        moving = [a for a in node.args if id(a) in active]
        below = [a for a in moving if is_inverse(a)]
        if len(moving) == 1:
            return "reciprocal rule" if below else "constant factor"
        return "quotient rule" if below else "product rule"
    if cls is sympy.Pow:
        base, exponent = node.args
        if id(exponent) not in active:
            return "reciprocal rule" if is_inverse(node) else "power rule"
        return "exponential rule" if id(base) not in active else "power with variable exponent"
    if cls is Where:
        return "case by case"
    row = BY_CLASS[cls]
    return f"derivative of {row.name}"
