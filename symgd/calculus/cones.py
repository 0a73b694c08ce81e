"""Cones: nodes with an infinite derivative at a point where they are finite, such as roots."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import sympy

from symgd.calculus.intervals import ranges
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Node, float_of


def cones(order: Sequence[Node]) -> set[int]:
    """The cones among the nodes, but not those whose base is a leaf or proven to be positive."""
    found = [node for node in order if node.args and node.args[0].args and _is_steep(node)]
    if not found:
        return set()
    bounds = ranges([node.args[0] for node in found], {})
    return {
        id(node) for node in found if node.func is not sympy.Pow or bounds[id(node.args[0])][0] <= 0
    }


def _is_steep(node: Node) -> bool:
    if node.func is sympy.Pow:
        exponent = float_of(node.args[1])
        return exponent is not None and 0 < exponent < 1
    row = BY_CLASS.get(node.func)
    return row is not None and row.steep


def only_below(node: Node, uses: Mapping[int, int]) -> list[Node]:
    """The nodes that are computed for `node` alone, users first; uses: of each node."""
    found, seen, stack = [], Counter[int](), [node]
    while stack:
        for arg in {id(a): a for a in stack.pop().args}.values():
            seen[id(arg)] += 1
            if seen[id(arg)] == uses[id(arg)]:
                found.append(arg)
                stack.append(arg)
    return found
