"""The sub-expression where a value stopped being finite, its operands, and what keeps it finite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite
from typing import Any

import sympy

from symgd.formula.functions.function import EVERYTHING
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Node, Where, float_of, is_inverse
from symgd.formula.printing.plain import write

WIDTH = 120  # characters of an expression that a message quotes


@dataclass(frozen=True)
class NonfiniteCause:
    """Where a descent left the finite numbers.

    sentence: `log(x - 2): x - 2 = -0.5 at step 7`. overflow: the value is infinite because it grew
    too large, not undefined. remedy: what keeps the sub-expression finite, or "".
    """

    sentence: str
    overflow: bool
    remedy: str = ""


def blame(root: Node, values: Mapping[int, Any], x: Sequence[float], at: str) -> NonfiniteCause:
    """The origin of a non-finite root value, from the values of its nodes."""
    node = _culprit(root, values)
    overflow = values[id(node)] == values[id(node)] and max(map(abs, x)) > 1e6
    sentence = f"{write(node, WIDTH)}: {operand_values(node, values)}{at}"
    return NonfiniteCause(sentence, overflow or _grown(node, values), remedy(node))


def _grown(node: Node, values: Mapping[int, Any]) -> bool:
    """Whether finite operands of ordinary size gave an infinite result: an overflow, no pole."""
    if abs(values[id(node)]) != float("inf"):
        return False
    operands = [values[id(a)] for a in operands_read(node)]
    return all(isinstance(v, bool) or v != 0 for v in operands) and not is_inverse(node)


def _culprit(root: Node, values: Mapping[int, Any]) -> Node:
    """The non-finite node, among those that count, whose operands are all finite."""
    node = root
    while True:
        bad = [a for a in operands_read(node, values) if not is_finite(values[id(a)])]
        if not bad:
            return node
        node = bad[0]


def operands_read(node: Node, values: Mapping[int, Any] | None = None) -> list[Node]:
    """The operands that a node reads; with values: those that have one, and the branch taken."""
    if node.func is Where and values is not None:
        condition, a, b = node.args
        return [*condition.args, a if values[id(condition)] else b]
    operands = [a.args[0] if is_inverse(a) and node.is_Mul else a for a in node.args]
    return [a for a in operands if values is None or id(a) in values]


def operand_values(node: Node, values: Mapping[int, Any]) -> str:
    """`x - 2 = -0.5, y = 0.0`: what a node read, the first four operands."""
    shown: list[Node] = []
    for arg in operands_read(node):
        if id(arg) in values and not arg.is_number and arg not in shown:
            shown.append(arg)
    texts = [f"{write(a, WIDTH)} = {values[id(a)]!r}" for a in shown[:4]]
    more = f", and {len(shown) - 4} more" if len(shown) > 4 else ""
    return ", ".join(texts) + more


def is_finite(value: Any) -> bool:
    """Whether a value, or the truth of a condition, is finite."""
    return isinstance(value, bool) or value - value == 0


def remedy(node: Node) -> str:
    """The condition under which `node` is finite, or "" where none is known."""
    if node.func is sympy.Mul:
        below = [a.args[0] for a in node.args if is_inverse(a)]
        return _needs(" and ".join(f"{write(b, WIDTH)} != 0" for b in below)) if below else ""
    if node.func is sympy.Pow:
        return _of_power(node)
    row = BY_CLASS.get(node.func)
    if row is None or len(node.args) != 1:
        return ""
    text = write(node.args[0], WIDTH)
    if row.overflows:
        return f"{row.name}({text}) overflows: keep {text} smaller"
    if row.domain == EVERYTHING:
        return ""
    low, high = row.domain
    less = "<=" if isfinite(row.scalar(low)) else "<"
    if high == inf:
        return _needs(f"{text} {less.replace('<', '>')} {low:g}")
    return _needs(f"{low:g} {less} {text} {less} {high:g}")


def _of_power(node: Node) -> str:
    base, exponent = node.args
    p, text = float_of(exponent), write(base, WIDTH)
    if p is None or p != int(p):
        strict = p is None or p < 0
        return _needs(f"{text} {'>' if strict else '>='} 0")
    return _needs(f"{text} != 0") if p < 0 else f"{text} grew too large: keep it smaller"


def _needs(condition: str) -> str:
    return f"it needs {condition}"
