"""Find a box of theta in which loss and gradient are finite, proven by interval arithmetic.

Inside the box no intermediate result is infinite or NaN, so a descent in the box need not evaluate
the loss to know that it is finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from symgd.backends.operations import Operand, Operation, live
from symgd.backends.program import Program
from symgd.calculus.intervals import EVERYTHING, Interval, function_range, operation_range
from symgd.formula.functions.table import Function

#: Bounds stay below, so that what a function computes inside stays finite as well.
_LARGEST = 2.0**960
_EXPONENTS = range(-4, 400)  # of the boxes that are tried


def finite_box(program: Program, params: int) -> float:
    """The largest power of two R, such that loss and gradient are finite where |theta| <= R.

    program: of `symgd.descent.step_program.step_program`. params: how many of its inputs theta is.
    0 where there is no such box, or where the loss has other inputs.
    """
    wanted = [o for name, o in program.outputs.items() if name == "loss" or name.startswith("d/d")]
    used = live(program.body, wanted)
    read = {name for operation in used for name in operation.names}
    if not read.union(map(str, wanted)).isdisjoint(program.names[params:]):
        return 0.0
    good, bad = _EXPONENTS[0] - 1, _EXPONENTS[-1] + 1
    while bad - good > 1:
        middle = (good + bad) // 2
        box = (-(2.0**middle), 2.0**middle)
        if _is_finite(used, dict.fromkeys(program.names[:params], box)):
            good = middle
        else:
            bad = middle
    return 2.0**good if good in _EXPONENTS else 0.0


def _is_finite(operations: Iterable[Operation], known: dict[str, Interval]) -> bool:
    """Whether the result of every operation is, over these ranges of the inputs."""
    for operation in operations:
        if operation.is_condition:
            known[operation.result] = EVERYTHING
            continue
        name, arguments = operation.name, operation.arguments
        if name == "mul" and arguments[0] == arguments[1]:  # never below 0
            name, arguments = "square", arguments[:1]
        ranges = [_range(a, known) for a in arguments]
        row = operation.function
        own = operation_range(name, ranges) if row is None else function_range(row, ranges)
        known[operation.result] = own
        if not _finite(name, row, ranges, own):
            return False
    return True


def _range(operand: Operand, known: Mapping[str, Interval]) -> Interval:
    return known[operand] if isinstance(operand, str) else (operand, operand)


def _finite(name: str, row: Function | None, args: Sequence[Interval], own: Interval) -> bool:
    """Whether an operation is defined over ranges of its arguments and stays far from overflow."""
    if name in ("add", "sub"):
        return sum(map(_size, args)) <= _LARGEST
    if name == "mul":  # however the factors are grouped
        return math.prod(max(1.0, _size(a)) for a in args) <= _LARGEST
    if _size(own) > _LARGEST:
        return False
    if name == "pow":
        (low, _), (exponent, same) = args
        whole = exponent == same and math.isfinite(exponent) and exponent == int(exponent)
        return whole or low >= 0
    if name == "sqrt":
        return args[0][0] >= 0
    return row is None or (row.domain[0] <= args[0][0] and args[0][1] <= row.domain[1])


def _size(a: Interval) -> float:
    return max(abs(a[0]), abs(a[1]))
