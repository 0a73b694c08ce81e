"""A box of theta and state from where some steps of a descent stay finite: a proof by intervals.

Where it holds, nothing that a step computes can be infinite or NaN, the loss included, so a
descent need not compute its loss to know that it is finite.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import sympy

from symgd.backends.native.register_steps import live
from symgd.backends.program import Program
from symgd.calculus.intervals import Interval, ranges
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Both, Either, Name, Negated, Node, float_of, relation, topological

#: Bounds stay below, so that what a function computes inside stays finite as well.
_LARGEST = 2.0**960
_EXPONENTS = range(-4, 400)  # of the boxes that are tried


def finite_box(program: Program, moving: int, others: Mapping[Name, Interval], steps: int) -> float:
    """The largest power of two R, such that from |theta|, |state| <= R `steps` steps stay finite.

    program: of `symgd.descent.step_program.step_program`. moving: how many of its inputs theta and
    the state are. others: between what the rest of the inputs lie. 0 where there is no such box.
    """
    used = live(program, [node for name, node in program.outputs.items() if name != "|g|"])
    good, bad = _EXPONENTS[0] - 1, _EXPONENTS[-1] + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        if _stays(program, used, dict(others), steps, [(-(2.0**middle), 2.0**middle)] * moving):
            good = middle
        else:
            bad = middle
    return 2.0**good if good in _EXPONENTS else 0.0


def _stays(
    program: Program, used: set[Name], others: dict[Node, Interval], steps: int, box: list[Interval]
) -> bool:
    for _ in range(steps):
        known = dict(zip(program.inputs, box, strict=False)) | others
        if not _evaluate(program, used, known):
            return False
        ends = list(program.outputs.values())[: len(box)]
        box = [known[n] if n in known else (float_of(n) or 0.0,) * 2 for n in ends]
    return True


def _evaluate(program: Program, used: set[Name], known: dict[Node, Interval]) -> bool:
    """Put the ranges of the used assignments into `known`; False as soon as one is not finite."""
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


def widened(low: float, high: float) -> Interval:
    """The range with both ends moved outward to powers of two, or 0: few different ones occur."""
    return -_above(-low) if low < 0 else _below(low), _above(high) if high > 0 else -_below(-high)


def _above(size: float) -> float:
    mantissa, exponent = math.frexp(size)
    return math.inf if exponent > 1023 else math.ldexp(1.0, exponent - (mantissa == 0.5))


def _below(size: float) -> float:
    return math.ldexp(1.0, math.frexp(size)[1] - 1) if size else 0.0
