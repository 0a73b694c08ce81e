"""Convert nodes of the shared graph to ordinary SymPy expressions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sympy
from sympy.core.relational import Relational

from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import (
    Column,
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    Op,
    RowMean,
    RowSum,
    Where,
    topological,
)
from symgd.formula.parse import substituted

_LOGIC = {Conjunction: sympy.And, Disjunction: sympy.Or, Negation: sympy.Not}
_ROW = sympy.Symbol("i", integer=True)  # y[i] is the value of column y in row i
_COUNT = sympy.Symbol("n", integer=True, positive=True)  # the number of rows


def symbol(name: str) -> sympy.Symbol:
    """The SymPy symbol shown for a name: real, and a valid identifier."""
    safe = name if name.isidentifier() else "_" + "".join(c if c.isalnum() else "_" for c in name)
    return sympy.Symbol(safe, real=True)


def to_sympy(roots: Sequence[Node], symbols: Mapping[Name, sympy.Symbol]) -> list[sympy.Expr]:
    """The expressions as SymPy builds them, with its automatic simplification."""
    done: dict[int, Any] = {}
    for node in topological(roots):
        done[id(node)] = _sympify(node, [done[id(a)] for a in node.args], symbols)
    return [done[id(root)] for root in roots]


def _sympify(node: Node, args: list[Any], symbols: Mapping[Name, sympy.Symbol]) -> Any:
    if isinstance(node, Column):
        return sympy.IndexedBase(symbol(node.text))[_ROW]
    if isinstance(node, Name):
        return symbols[node]
    if not args:
        return _all_digits(node) if isinstance(node, sympy.Float) else node
    cls = node.func
    if cls is RowSum or cls is RowMean:
        total = sympy.Sum(args[0], (_ROW, 1, _COUNT))
        return total / _COUNT if cls is RowMean else total
    if cls in _LOGIC:
        return _LOGIC[cls](*args)
    if cls is Where:
        condition, a, b = args
        return sympy.Piecewise((a, condition), (b, True))
    plain = cls in (sympy.Add, sympy.Mul, sympy.Pow)
    if not plain and not {sympy.nan, sympy.zoo}.isdisjoint(args):  # SymPy cannot order them
        return sympy.sympify(cls is sympy.Ne) if issubclass(cls, Relational) else sympy.nan
    if cls is sympy.Pow and args[1] == sympy.Float(0.5):
        return sympy.sqrt(args[0])
    row = BY_CLASS.get(cls)
    if row is not None and row.sympy_form is not None:
        return row.sympy_form(*args)
    if row is not None and row.readable_form:
        return _formula(row.readable_form, dict(zip("xyzw", args, strict=False)))
    return cls(*args)


def _all_digits(atom: sympy.Float) -> sympy.Float:
    """The number with enough digits to round-trip its double; SymPy prints 15."""
    value = float(atom)
    return atom if float(f"{value:.15g}") == value else sympy.Float(repr(value), 17)


def partial_derivative(call: sympy.Expr, k: int) -> sympy.Expr:
    """The derivative of a function node in its k-th argument, in SymPy's terms."""
    row = BY_CLASS[call.func]
    if row.readable_derivative:
        return _formula(row.readable_derivative[0], {"x": call.args[k], "f": call})
    text = row.derivative_formula(k, len(call.args))
    args = (call.args[k],) if row.variadic else call.args
    return _formula(text, dict(zip("xyzw", args, strict=False)) | {"f": call, "a": sympy.S.One})


def definition(call: sympy.Expr) -> sympy.Expr:
    """The function node in elementary functions, which SymPy can evaluate to any precision."""
    row = BY_CLASS[call.func]
    if row.name == "logsumexp":
        return sympy.log(sympy.Add(*(sympy.exp(a) for a in call.args)))
    if row.sympy_form is not None:
        return row.sympy_form(*call.args)
    return _formula(row.meaning, dict(zip("xyzw", call.args, strict=False)))


def _formula(text: str, values: Mapping[str, sympy.Expr]) -> sympy.Expr:
    root, leaves = substituted(text, values)
    return to_sympy([root], leaves)[0]


Op.partial_derivative, Op.definition = staticmethod(partial_derivative), staticmethod(definition)
