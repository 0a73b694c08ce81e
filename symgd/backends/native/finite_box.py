"""A box of theta in which the loss and its gradient are finite: a proof by interval arithmetic.

Where it holds, nothing that they compute can be infinite or NaN, so a descent within the box need
not compute its loss to know that it is finite.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import sympy

from symgd.backends.native.register_steps import live
from symgd.backends.program import Program
from symgd.calculus.intervals import Interval, ranges
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Both, Either, Name, Negated, Node, relation, topological

#: Bounds stay below, so that what a function computes inside stays finite as well.
_LARGEST = 2.0**960
_EXPONENTS = range(-4, 400)  # of the boxes that are tried


def finite_box(program: Program, params: int) -> float:
    """The largest power of two R, such that loss and gradient are finite where |theta| <= R.

    program: of `symgd.descent.step_program.step_program`. params: how many of its inputs theta is.
    0 where there is no such box, or where the loss has other inputs.
    """
    wanted = [n for name, n in program.outputs.items() if name == "loss" or name.startswith("d/d")]
    used = live(program, wanted)
    if not used.isdisjoint(program.inputs[params:]):
        return 0.0
    good, bad = _EXPONENTS[0] - 1, _EXPONENTS[-1] + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        box = (-(2.0**middle), 2.0**middle)
        if _is_finite(program, used, dict.fromkeys(program.inputs[:params], box)):
            good = middle
        else:
            bad = middle
    return 2.0**good if good in _EXPONENTS else 0.0


def _is_finite(program: Program, used: set[Name], known: dict[Node, Interval]) -> bool:
    """Whether every node of the used assignments is, over these ranges of the inputs."""
    for block in program.blocks:
        for symbol, expression in block.assignments:
            if symbol not in used:
                continue
            found = ranges([expression], known)
            for node in topological([expression]):
                if not _finite(node, [found[id(a)] for a in node.args], found[id(node)]):
                    return False
            known[symbol] = found[id(expression)]
    return True


def _finite(node: Node, args: Sequence[Interval], own: Interval) -> bool:
    """Whether a node is defined over ranges of its arguments and stays far from overflow."""
    cls = node.func
    if relation(node) is not None or cls in (Both, Either, Negated):
        return True  # a condition, no number
    if cls is sympy.Add:
        return sum(map(_size, args)) <= _LARGEST
    if cls is sympy.Mul:  # however the factors are grouped
        return math.prod(max(1.0, _size(a)) for a in args) <= _LARGEST
    if _size(own) > _LARGEST:
        return False
    if cls is sympy.Pow:
        (low, _), (exponent, same) = args
        whole = exponent == same and math.isfinite(exponent) and exponent == int(exponent)
        return whole or low >= 0
    if cls in BY_CLASS:
        low, high = BY_CLASS[cls].domain
        return low <= args[0][0] and args[0][1] <= high
    return True


def _size(a: Interval) -> float:
    return max(abs(a[0]), abs(a[1]))
