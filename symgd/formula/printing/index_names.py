"""What the indices of a formula are called where it is written, and which reductions it holds."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

import sympy

from symgd.formula.indices import (
    INDEX_REDUCTIONS,
    Affine,
    Count,
    Index,
    Largest,
    Peak,
    Product,
    Total,
    log_sum_of_exponentials,
)
from symgd.formula.nodes import Name, Node, is_inverse, is_negation, topological

_LETTERS = "ijklpqrstuvmhgabcd"
_CALLED = {Total: "sum", Product: "prod", Largest: "max", Peak: "max"}


class Reduction(NamedTuple):
    """A reduction as a formula calls it: its name, its indices, the outermost first, its term."""

    name: str
    indices: tuple[Index, ...]
    term: Node


def read_reduction(node: Node) -> Reduction | None:
    """The reduction over indices that a node is, as `index_reductions` builds it."""
    if node.func is sympy.Add:
        if (term := log_sum_of_exponentials(node)) is None:
            return None
        return Reduction("logsumexp", _unnested(node.args[0])[0], term)
    if node.func is sympy.Mul:
        return _minimum(node) or _mean(node)
    if node.func not in INDEX_REDUCTIONS:
        return None
    return Reduction(_CALLED[node.func], *_unnested(node))


def _unnested(node: Node) -> tuple[tuple[Index, ...], Node]:
    """The indices of reductions of one kind inside of each other, and their term."""
    cls, found = node.func, []
    while node.func is cls:
        index, node = node.args
        found.append(index)
    return tuple(found), node


def _minimum(node: Node) -> Reduction | None:
    if not is_negation(node) or len(node.args) != 2 or node.args[1].func is not Largest:
        return None
    indices, term = _unnested(node.args[1])
    whole = is_negation(term) and len(term.args) == 2
    return Reduction("min", indices, term.args[1]) if whole else None


def _mean(node: Node) -> Reduction | None:
    """Total(i, Total(j, term))/(Count(i)*Count(j))."""
    if len(node.args) != 2 or node.args[0].func is not Total or not is_inverse(node.args[1]):
        return None
    count = node.args[1].args[0]
    counts = count.args if count.func is sympy.Mul else (count,)
    term, found = node.args[0], []
    for part in counts:
        if not isinstance(part, Count) or term.func is not Total or term.args[0] != part.index:
            return None
        found.append(part.index)
        term = term.args[1]
    return Reduction("mean", tuple(found), term)


def index_names(roots: Iterable[Node], first: Sequence[Index] = ()) -> dict[Index, str]:
    """A name for each index: its own where nothing else has it that occurs inside or around.

    first: indices that are named before all others.
    """
    order = topological(roots)
    inside: dict[int, frozenset[Index]] = {}
    apart: dict[Index, set[Index]] = {}
    taken: set[str] = set()
    for node in order:
        own = {node} if isinstance(node, Index) else set()
        inside[id(node)] = frozenset(own).union(*(inside[id(a)] for a in node.args))
        if node.func in INDEX_REDUCTIONS:
            index = node.args[0]
            taken |= {s.text for bound in (index.low, index.high) for s, _ in bound.terms}
            for other in inside[id(node.args[1])] - {index}:
                apart.setdefault(index, set()).add(other)
                apart.setdefault(other, set()).add(index)
        elif isinstance(node, Name) and not isinstance(node, Index):
            taken.add(node.text)
    found: dict[Index, str] = {}
    for index in [*first, *(n for n in reversed(order) if isinstance(n, Index))]:
        if index not in found:
            others = set(found) if index in first else {*apart.get(index, ()), *first}
            used = taken | {found[other] for other in others if other in found}
            text = index.text
            found[index] = text if text and text not in used else spare_name(used)
    return found


def spare_name(used: Collection[str]) -> str:
    """A name of an index that is none of these."""
    letters = (*_LETTERS, *(f"i{k}" for k in range(len(used))))
    return next(str(name) for name in letters if name not in used)


def is_named(bound: Affine) -> bool:
    """Whether a formula can hold this bound: it has no length of an array that has no name."""
    return not any(symbol.text.startswith("#") for symbol, _ in bound.terms)
