"""The checks of the core: value, gradient and Hessian, refusals, and the oracles one another."""

from __future__ import annotations

import math

from mpmath import mp

import symgd

from . import floats
from .case import Case
from .compare import Disagreement, Tally, compare
from .oracle import Point, evaluate, rounding_spread
from .tree import Tree, nodes

_LARGEST_EXPONENT = 1e6  # of docs/formulas.md


def numbers(case: Case, tally: Tally) -> Disagreement | None:
    """symgd's value, gradient and Hessian against the oracle; a refusal needs its reason."""
    try:
        found = case.numbers
    except symgd.FormulaError as error:
        tally["refused"] += 1
        if bad_constant(case.tree) is None:
            return Disagreement("refusal", "the formula", str(error).split("\n")[0], "accepted")
        return None
    return compare("numbers", case, found, tally)


def oracles(case: Case, tally: Tally) -> Disagreement | None:
    """Python's own arithmetic against mpmath: a disagreement is a fault of the fuzzer."""
    if case.answer.left_range or case.answer.order < 0 or case.point.columns:
        return None
    try:
        value = floats.evaluate(case.tree, case.point)
    except floats.UnsupportedError:
        return None
    return compare("oracles", case, [value], tally) if math.isfinite(value) else None


def bad_constant(root: Tree) -> Tree | None:
    """A part without names that has no finite value, or that roundings can take it from."""
    fixed: set[int] = set()
    empty = Point({})
    for node in nodes(root):
        if not node.args and node.op in ("name", "column"):
            continue
        if any(id(a) not in fixed for a in node.args):
            last = node.args[-1]
            if node.op in ("/", "**") and id(last) in fixed and _refused(node.op, last):
                return node
            continue
        fixed.add(id(node))
        if not node.args or node.op in ("<", "<=", ">", ">=", "==", "!=", "and", "or", "not"):
            continue
        answer = evaluate(node, empty, 0)
        if answer.reason or answer.left_range or abs(answer.numbers[0]) > 1e300:
            return node
        if node.op == "**" and _refused(node.op, node.args[1]):
            return node
        spread = rounding_spread(node, empty, answer)[0]
        if mp.isinf(spread) or (answer.numbers[0] and spread >= abs(answer.numbers[0])):
            return node
    return None


def _refused(op: str, last: Tree) -> bool:
    """Whether nothing can be divided by this constant, or raised to it."""
    value = evaluate(last, Point({}), 0).numbers[0]
    return bool(value == 0 if op == "/" else abs(value) > _LARGEST_EXPONENT)
