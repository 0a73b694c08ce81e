"""SymPy's conditions as conditions of the graph: comparisons, ITE, Xor, Implies and the others.

A condition is a node, or True or False where SymPy knows it without the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, TypeAlias

import sympy
from sympy.logic import boolalg

from symgd.formula.graph import Graph
from symgd.formula.nodes import RELATIONS, Both, Either, Negated, Node, is_condition

Condition: TypeAlias = Node | bool


def is_truth(node: Any) -> bool:
    """Whether node is a condition, or a known truth value."""
    return isinstance(node, bool) or is_condition(node)


def can_convert(cls: type) -> bool:
    """Whether `condition` knows this class of SymPy's."""
    return cls in _COMPARISONS or cls in _LOGIC


def condition(graph: Graph, cls: type, args: Sequence[Any]) -> Condition | None:
    """The condition of this class over converted arguments; None where these do not fit it."""
    truths = sum(map(is_truth, args))
    if cls in _COMPARISONS and not truths:
        return graph.node(cls, *args)
    if truths < len(args):
        return None
    if cls is sympy.Eq:
        return _not(graph, _xor(graph, *args))
    if cls is sympy.Ne:
        return _xor(graph, *args)
    return _LOGIC[cls](graph, *args) if cls in _LOGIC else None


def choose(graph: Graph, test: Condition, yes: Any, no: Any) -> Any:
    """`yes` where the test holds, else `no`: both numbers or both conditions; else None."""
    if isinstance(test, bool):
        return yes if test else no
    if is_truth(yes) and is_truth(no):
        return _or(graph, _and(graph, test, yes), _and(graph, _not(graph, test), no))
    return None if is_truth(yes) or is_truth(no) else graph.where(test, yes, no)


def _not(graph: Graph, a: Condition) -> Condition:
    if isinstance(a, bool):
        return not a
    return a.args[0] if a.func is Negated else graph.node(Negated, a)


def _and(graph: Graph, *args: Condition) -> Condition:
    return _joined(graph, Both, args)


def _or(graph: Graph, *args: Condition) -> Condition:
    return _joined(graph, Either, args)


def _joined(graph: Graph, cls: type, args: Sequence[Condition]) -> Condition:
    wins = cls is Either  # the truth value that decides alone
    if any(a is wins for a in args):
        return wins
    kept = [a for a in args if not isinstance(a, bool)]
    if not kept:
        return not wins
    return kept[0] if len(kept) == 1 else graph.node(cls, *kept)


def _xor(graph: Graph, *args: Condition) -> Condition:
    def either_alone(a: Condition, b: Condition) -> Condition:
        return choose(graph, a, _not(graph, b), b)

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
    boolalg.ITE: choose,
}
