"""Which of the values that several nests compute are worth storing."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import TypeVar

import sympy

from symgd.formula.functions.function import CHEAP, ELEMENTARY
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.indices import At
from symgd.formula.nodes import Node, float_of, is_condition, is_inverse, topological

Key = TypeVar("Key")


def worth_storing(computed: Mapping[Key, Sequence[Node]], stored: Container[int]) -> list[Node]:
    """The costly nodes that two nests compute, the topmost of them.

    computed: the nodes of each nest. stored: the ids of those that are stored already.
    """
    nodes = {id(node): node for own in computed.values() for node in own}
    where: dict[int, set[Key]] = {key: set() for key in nodes}
    for key, own in computed.items():
        for node in own:
            where[id(node)].add(key)
    for together in _companions(nodes.values()):
        everywhere = set[Key]().union(*(where[id(node)] for node in together))
        for node in together:
            where[id(node)] = everywhere
    cost: dict[int, int] = {}  # of a node and what is below it in its nest
    for node in topological(nodes.values()):
        below = node.args if id(node) in nodes and node.func is not At else ()
        cost[id(node)] = _own_cost(node) + sum(cost[id(a)] for a in below) if below else 0
    found = [
        node
        for key, node in nodes.items()
        if len(where[key]) > 1 and cost[key] >= ELEMENTARY and not is_condition(node)
    ]
    lower = {id(a) for node in found for a in topological([node])[:-1]}
    return [node for node in found if id(node) not in lower and id(node) not in stored]


def _companions(nodes: Iterable[Node]) -> list[list[Node]]:
    """Functions of one argument that cost little more than one of them if one nest computes them.

    tanh(x) and its derivative sech(x)**2 have one exponential, sin and cos one reduction.
    """
    found: dict[tuple[int, type], list[Node]] = {}
    for node in nodes:
        squared = node.func is sympy.Pow and float_of(node.args[1]) == 2
        if squared and node.args[0].func is sympy.sech:
            found.setdefault((id(node.args[0].args[0]), sympy.tanh), []).append(node)
        elif node.func is sympy.tanh:
            found.setdefault((id(node.args[0]), sympy.tanh), []).append(node)
        elif node.func in (sympy.sin, sympy.cos):
            found.setdefault((id(node.args[0]), sympy.sin), []).append(node)
    return [together for together in found.values() if len(together) > 1]


def _own_cost(node: Node) -> int:
    """The usual time of an operation, in multiplications."""
    if node.func is sympy.Pow and not is_inverse(node):
        exponent = float_of(node.args[1])
        return CHEAP if exponent is not None and exponent == int(exponent) else ELEMENTARY
    row = BY_CLASS.get(node.func)
    return CHEAP if row is None else row.cost
