"""Reference evaluation of nodes with Python floats in IEEE semantics."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy

from symgd.formula.functions import reference
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import (
    CALLED,
    RELATIONS,
    Conjunction,
    Disjunction,
    Negation,
    Node,
    float_of,
    is_inverse,
    topological,
)

#: Operations on the values of the arguments; products and powers depend on the nodes, too.
_OPERATIONS: dict[type, Callable[..., Any]] = {
    sympy.Add: reference.add,
    Conjunction: lambda *args: all(args),
    Disjunction: lambda *args: any(args),
    Negation: operator.not_,
    **{cls: reference.COMPARE[op] for op, cls in RELATIONS.items()},
}


def evaluate(node: Node, get: Callable[[Node], Any]) -> Any:
    """One node's value from its arguments' values get(argument), in IEEE semantics."""
    cls = node.func
    if cls is sympy.Mul:
        return _product(node.args, get)
    args = [get(a) for a in node.args]
    if cls is sympy.Pow:
        # only a literal 0.5 is a square root, not y = 0.5 in x**y
        exponent = float_of(node.args[1])
        if exponent is None:
            return reference.pow(*args)
        if exponent == -1.0:
            return reference.div(1.0, args[0])
        return reference.sqrt(args[0]) if exponent == 0.5 else reference.constant_power(*args)
    operation = _OPERATIONS.get(cls) or BY_CLASS[cls].scalar
    return operation(*args)


def _product(factors: Sequence[Node], get: Callable[[Node], float]) -> float:
    # A factor Pow(b, -1) after the first is a division by b: one rounding, as typed, not two.
    product = get(factors[0])
    for factor in factors[1:]:
        if is_inverse(factor):
            product = reference.div(product, get(factor.args[0]))
        else:
            product *= get(factor)
    return product


def constant_value(node: Node) -> float | None:
    """The value of a number, or of one operation on numbers; None for anything else."""
    value = float_of(node)
    if value is not None or not node.args or node.func in CALLED:
        return value  # reductions go over more than one value
    for a in node.args:
        if float_of(a.args[0] if is_inverse(a) else a) is None:
            return None
    result = evaluate(node, lambda a: evaluate(a, float_of) if a.args else float_of(a))
    return None if isinstance(result, bool) else float(result)


def evaluate_all(
    roots: Sequence[Node], values: Mapping[Node, float], sums: Mapping[int, float] | None = None
) -> dict[int, Any]:
    """The value of every node below the roots by id(node), at these values of the leaves.

    IEEE semantics, nothing raises. Both branches of Where are evaluated. sums: known values of sums
    over rows by id(node); nodes below them are not evaluated.
    """
    out: dict[int, Any] = dict(sums or {})
    for node in topological(roots, known=out):
        if node.args:
            out[id(node)] = evaluate(node, lambda a: out[id(a)])
        else:
            atom = float_of(node)
            out[id(node)] = values[node] if atom is None else atom
    return out
