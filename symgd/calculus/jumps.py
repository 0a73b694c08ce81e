"""Names inside steps and conditions: there a constant derivative does not make a node linear."""

from __future__ import annotations

from collections.abc import Sequence

from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Name, Node, Where, relation, topological


def names_in_jumps(roots: Sequence[Node]) -> set[Name]:
    """The names on which a function with a kink or jump, or the condition of `where`, depends.

    floor(x) has the derivative 0 and mod(x, 1) has 1, but neither is linear.
    """
    found: set[Name] = set()
    for node in topological(roots):
        row = BY_CLASS.get(node.func)
        if relation(node) is not None or (row is not None and row.kink and node.func is not Where):
            found |= {n for n in topological([node]) if isinstance(n, Name)}
    return found
