"""Convert SymPy's Boolean expressions (And, Xor, Implies, ITE, ...) to conditions of the graph.

A condition is a node, or True or False where it does not depend on the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, TypeAlias

import sympy
from sympy.logic import boolalg

from symgd.formula.graph import Graph
from symgd.formula.nodes import RELATIONS, Conjunction, Disjunction, Negation, Node, is_condition

Condition: TypeAlias = Node | bool


def is_boolean(node: Any) -> bool:
    """Whether node is a condition, or a known truth value."""
    return isinstance(node, bool) or is_condition(node)


def can_convert(cls: type) -> bool:
    """Whether `condition` knows this class of SymPy's."""
    return cls in _COMPARISONS or cls in _LOGIC


def condition(graph: Graph, cls: type, args: Sequence[Any]) -> Condition | None:
    """The condition of this class over converted arguments; None where these do not fit it."""
    booleans = sum(map(is_boolean, args))
    if cls in _COMPARISONS and not booleans:
        return graph.node(cls, *args)
    if booleans < len(args):
        return None
    if cls is sympy.Eq:
        return _not(graph, _xor(graph, *args))
    if cls is sympy.Ne:
        return _xor(graph, *args)
    return _LOGIC[cls](graph, *args) if cls in _LOGIC else None


def if_then_else(graph: Graph, test: Condition, if_true: Any, if_false: Any) -> Any:
    """`if_true` where the test holds, else `if_false`: numbers or conditions both; else None."""
    if isinstance(test, bool):
        return if_true if test else if_false
    if is_boolean(if_true) and is_boolean(if_false):
        return _or(graph, _and(graph, test, if_true), _and(graph, _not(graph, test), if_false))
    return (
        None
        if is_boolean(if_true) or is_boolean(if_false)
        else graph.where(test, if_true, if_false)
    )


def _not(graph: Graph, a: Condition) -> Condition:
    if isinstance(a, bool):
        return not a
    return a.args[0] if a.func is Negation else graph.node(Negation, a)


def _and(graph: Graph, *args: Condition) -> Condition:
    return _joined(graph, Conjunction, args)


def _or(graph: Graph, *args: Condition) -> Condition:
    return _joined(graph, Disjunction, args)


def _joined(graph: Graph, cls: type, args: Sequence[Condition]) -> Condition:
    absorbing = cls is Disjunction  # the truth value that decides alone
    if any(a is absorbing for a in args):
        return absorbing
    kept = [a for a in args if not isinstance(a, bool)]
    if not kept:
        return not absorbing
    return kept[0] if len(kept) == 1 else graph.node(cls, *kept)


def _xor(graph: Graph, *args: Condition) -> Condition:
    def either_alone(a: Condition, b: Condition) -> Condition:
        return if_then_else(graph, a, _not(graph, b), b)

    return reduce(either_alone, args)


def _equivalent(graph: Graph, *args: Condition) -> Condition:
    none = _and(graph, *(_not(graph, a) for a in args))
    return _or(graph, _and(graph, *args), none)


_COMPARISONS = frozenset(RELATIONS.values())
_LOGIC: dict[type, Callable[..., Condition]] = {
    boolalg.And: _and,
    boolalg.Or: _or,
    boolalg.Not: _not,
    boolalg.Xor: _xor,
    boolalg.Nand: lambda graph, *args: _not(graph, _and(graph, *args)),
    boolalg.Nor: lambda graph, *args: _not(graph, _or(graph, *args)),
    boolalg.Xnor: lambda graph, *args: _not(graph, _xor(graph, *args)),
    boolalg.Implies: lambda graph, a, b: _or(graph, _not(graph, a), b),
    boolalg.Equivalent: _equivalent,
    boolalg.ITE: if_then_else,
}
