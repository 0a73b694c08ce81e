"""Nodes whose derivatives go to infinity or to 0, which the chain rule multiplies by the other.

Cones have an infinite derivative at a point where they are finite, such as roots. Functions that
saturate, such as exp and tanh, are constant in double precision far out.
"""

from __future__ import annotations

import math
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


def saturates(node: Node) -> bool:
    """Whether the function of a node has a bound, and derivative 0 where it reaches it."""
    row = BY_CLASS.get(node.func)
    if row is None:
        return False
    low, high = row.range
    if math.isfinite(high) and row.monotone == 1:
        return True
    return math.isfinite(low) and (math.isfinite(high) or row.overflows)


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
