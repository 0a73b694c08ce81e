"""Masks of the reverse sweep: the condition under which the output depends on a node.

Where the condition fails, the adjoint of the node is 0, and 0 times an infinite derivative must
remain 0 (the "double where" technique). None means: always.
"""

from __future__ import annotations

from collections.abc import Sequence

import sympy

from symgd.formula.functions.compile_formula import LETTERS
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    ZERO,
    Conjunction,
    Disjunction,
    Negation,
    Node,
    Where,
    dependents,
    float_of,
)
from symgd.formula.parse import substituted


def selection(graph: Graph, node: Node, k: int) -> Node | None:
    """The condition under which `node` selects its argument k; None where it does not select."""
    if node.func is Where:
        return node.args[0] if k == 1 else graph.node(Negation, node.args[0])
    row = BY_CLASS.get(node.func)
    if row is None or not row.selects:
        return None
    text = f"where({row.selects[min(k, len(row.selects) - 1)]}, 1, 0)"
    root, values = substituted(text, dict(zip(LETTERS, node.args, strict=False)))
    return graph.replace([root.args[0]], values)[0]


def conjunction(graph: Graph, outer: Node | None, inner: Node | None) -> Node | None:
    """The condition that both hold; None: always."""
    if outer is None or inner is None or outer is inner:
        return inner if outer is None else outer
    return graph.node(Conjunction, outer, inner)


def disjunction(graph: Graph, conditions: Sequence[Node | None]) -> Node | None:
    """The condition that at least one holds; None: always."""
    distinct = list({id(c): c for c in conditions}.values())
    known = [c for c in distinct if c is not None]
    if len(known) < len(distinct):
        return None
    return known[0] if len(known) == 1 else graph.node(Disjunction, *known)


def mask_term(graph: Graph, condition: Node, term: Node) -> Node:
    """The term where the condition holds, else 0."""
    if condition.func is Negation:
        return graph.where(condition.args[0], ZERO, term)
    return graph.where(condition, term, ZERO)


def singular(order: Sequence[Node]) -> set[int]:
    """The nodes whose derivatives may be infinite or undefined at finite values of the leaves."""
    above = dependents(order, [n for n in order if not _smooth_everywhere(n)])
    return {id(n) for n in order if id(n) in above and n.func not in (sympy.Add, Where)}


def _smooth_everywhere(node: Node) -> bool:
    if node.func is sympy.Pow:
        exponent = float_of(node.args[1])
        return exponent is not None and exponent >= 0 and exponent == int(exponent)
    row = BY_CLASS.get(node.func)
    return row is None or node.func is Where or row.finite_everywhere
