"""What keeps a sub-expression finite: the condition on its operands, in a sentence."""

from __future__ import annotations

from math import inf, isfinite

import sympy

from symgd.formula.functions.function import EVERYTHING
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Node, float_of, is_inverse
from symgd.formula.printing.plain import write

_WIDE = 120


def remedy(node: Node) -> str:
    """The condition under which `node` is finite, or "" where none is known."""
    if node.func is sympy.Mul:
        below = [a.args[0] for a in node.args if is_inverse(a)]
        return _needs(" and ".join(f"{_short(b)} != 0" for b in below)) if below else ""
    if node.func is sympy.Pow:
        return _of_power(node)
    row = BY_CLASS.get(node.func)
    if row is None or len(node.args) != 1:
        return ""
    text = _short(node.args[0])
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
    p, text = float_of(exponent), _short(base)
    if p is None or p != int(p):
        strict = p is None or p < 0
        return _needs(f"{text} {'>' if strict else '>='} 0")
    return _needs(f"{text} != 0") if p < 0 else f"{text} grew too large: keep it smaller"


def _needs(condition: str) -> str:
    return f"it needs {condition}"


def _short(node: Node) -> str:
    return write(node, _WIDE)
