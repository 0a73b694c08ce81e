"""Serialize nodes as plain tuples for pickle, which cannot import node classes by name.

A graph identifies nodes by id, so it cannot be pickled itself. The conversion is iterative: the
depth of a formula is not limited by Python's recursion limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy

from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import CALLED, CONNECTIVES, RELATIONS, ROWS, Node, topological

_OTHERS = (sympy.Add, sympy.Mul, sympy.Pow, *CALLED, *CONNECTIVES)
_CLASSES: dict[str, type] = {
    **{row.name: cls for cls, row in BY_CLASS.items() if cls not in CALLED},
    **{cls.__name__: cls for cls in (*_OTHERS, *RELATIONS.values())},
}
_NAMES = {cls: name for name, cls in _CLASSES.items()}

#: Per node, arguments first: (class name, indices of the arguments), or ("", atom).
Packed = tuple[tuple[str, Any], ...]


def pack(roots: Sequence[Node]) -> tuple[Packed, tuple[int, ...]]:
    """The nodes below the roots, and the indices of the roots among them."""
    order = topological(roots)
    place = {id(node): k for k, node in enumerate(order)}
    packed = tuple(
        (_NAMES[n.func], tuple(place[id(a)] for a in n.args)) if n.args else ("", n) for n in order
    )
    return packed, tuple(place[id(root)] for root in roots)


def unpack(graph: Graph, packed: Packed, places: Sequence[int]) -> list[Node]:
    """The roots as nodes of `graph`."""
    nodes: list[Node] = []
    for kind, what in packed:
        if kind:
            nodes.append(graph.node(_CLASSES[kind], *(nodes[k] for k in what)))
        else:
            nodes.append(graph.atom(ROWS if what == ROWS else what))  # rows are known by identity
    return [nodes[k] for k in places]
