"""Detect poles of constant expressions that rounding hides: cot(pi), log(sin(pi)).

A sub-expression without names is evaluated with 106 and with 212 bits. If both agree, that is the
value; a value within 2**-150 of a double counts as that double: cos(pi) is -1, so gamma(cos(pi))
has a pole. A value that shrinks with more bits is 0, one that grows is infinite. Otherwise the
value is unknown, and the evaluation in doubles decides.
"""

from __future__ import annotations

from functools import cache
from typing import Any, TypeAlias

import sympy

from symgd._locks import MPMATH
from symgd.formula.functions.compile_formula import compile_formula
from symgd.formula.functions.multiprecision_functions import (
    Operation,
    atom_value,
    node_operation,
    operations,
)
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import Node, float_of, topological

_BITS = (106, 212)
_AGREEMENT = 2.0**-80
_ROUNDING = 2.0**-150
_BESSEL_LIMIT = 50  # orders and arguments up to which mpmath takes no more than a few milliseconds

#: The value at each precision of _BITS, or None if unknown.
ValuePair: TypeAlias = tuple[Any, Any] | None


class PoleError(ArithmeticError):
    """A function is infinite at its exact arguments."""


def may_be_infinite(node: Node) -> bool:
    """Whether rounding may hide that this operation on constants has a pole there.

    Numbers are exact: for these the value in doubles decides.
    """
    if node.func is sympy.Pow:
        exponent = float_of(node.args[1])
        finite = exponent is not None and exponent >= 0
    else:
        row = BY_CLASS.get(node.func)
        finite = row is None or row.finite_everywhere or row.entire
    return not finite and any(a.args or isinstance(a, sympy.NumberSymbol) for a in node.args)


def is_infinite(node: Node, known: dict[int, ValuePair]) -> bool:
    """Whether the node, none of whose arguments is infinite, has a pole.

    known: the values of nodes without names by id; those below the node are added.
    """
    with MPMATH:
        try:
            for part in topological([node], known):
                known[id(part)] = _value(part, [known[id(a)] for a in part.args])
        except PoleError:
            return True
    return False


def _value(node: Node, args: list[ValuePair]) -> ValuePair:
    """The value of one node, or PoleError."""
    if not node.args:
        low, high = (atom_value(_arithmetic(bits)[0], node) for bits in _BITS)
        return low, high
    known = [a for a in args if a is not None]
    if len(known) < len(args):
        return None
    low, high = (list(side) for side in zip(*known, strict=True))
    row = BY_CLASS.get(node.func)
    name = row.name if row is not None else ""
    if _is_pole(node, row, high):
        raise PoleError
    if name.startswith("bessel") and max(map(abs, high)) > _BESSEL_LIMIT:
        return None
    try:
        found = [
            node_operation(context, node, table)(*side)
            for (context, table), side in zip(map(_arithmetic, _BITS), (low, high), strict=True)
        ]
    except ZeroDivisionError:  # by an exact 0: infinite or undefined
        raise PoleError from None
    except (ArithmeticError, ValueError, KeyError):  # no convergence; a function without operation
        return None
    return _agreed_value(found[0], found[1], max(map(abs, high)))


def _agreed_value(low: Any, high: Any, scale: Any) -> ValuePair:
    """The value on which both evaluations agree. scale: magnitude of the largest argument."""
    if low != low or high != high:
        return None
    if abs(high - low) <= _AGREEMENT * abs(high):
        near = float(high)
        exact = abs(high - near) <= _ROUNDING * abs(high)
        return (0 * low + near, 0 * high + near) if exact else (low, high)
    if abs(low) <= _AGREEMENT * scale and abs(high) <= _ROUNDING * scale:
        return 0 * low, 0 * high
    if abs(low) <= _AGREEMENT * abs(high):
        raise PoleError
    return None


def _is_pole(node: Node, row: Function | None, args: list[Any]) -> bool:
    if node.func is sympy.Pow:
        base, exponent = args
        return not base and exponent < 0
    if row is None or not row.pole:
        return False
    _, functions = _arithmetic(_BITS[1])
    return bool(compile_formula(row.pole, functions)(*args))


@cache
def _arithmetic(bits: int) -> tuple[Any, dict[str, Operation]]:
    from mpmath import MPContext

    context = MPContext()
    context.prec = bits
    return context, operations(context)
