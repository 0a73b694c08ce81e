"""Compile the formula of a table row to a Python function, on floats or mpmath numbers.

The parser of the language needs the table of functions, so the table's own formulas are parsed
with `ast.parse` and compiled to closures; nothing is executed as code. They use only syntax with
the same meaning in both grammars, and the tests compare the two bit for bit.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from symgd.formula.functions import reference

Number: TypeAlias = Any  # float, or mpmath's mpf
_Closure = Callable[[Sequence[Number]], Any]

LETTERS = "xyzw"  #: the arguments of a row's formula, in order


class Arithmetic(NamedTuple):
    """A number type: its constructor and the operations that are not Python operators on it."""

    number: Callable[[float], Number]
    pi: Callable[[], Number]
    div: Callable[[Number, Number], Number]
    pow: Callable[[Number, Number], Number]
    sqrt: Callable[[Number], Number]


#: IEEE semantics: inf and nan, no exceptions.
FLOATS = Arithmetic(float, lambda: math.pi, reference.div, reference.constant_power, reference.sqrt)

_OPERATIONS: dict[type, Callable[[Number, Number], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip


def compile_formula(
    text: str,
    functions: Mapping[str, Callable[..., Number]],
    required: int = 1,
    defaults: Sequence[float] = (),
    arithmetic: Arithmetic = FLOATS,
) -> Callable[..., Any]:
    """The function that a formula, or a condition, over x, y, z, w defines.

    functions: those that it may call, looked up at each call. defaults: the values of arguments
    after the required ones, where they are left out. where() evaluates one branch.
    """
    root: list[_Closure] = []  # compiled on the first call: most rows are never evaluated

    def call(*args: Number) -> Any:
        if not root:
            root.append(_compiled(ast.parse(text, mode="eval").body, functions, arithmetic))
        return root[0]((*args, *defaults[len(args) - required :]))

    return call


def _compiled(
    node: ast.expr, functions: Mapping[str, Callable[..., Number]], arithmetic: Arithmetic
) -> _Closure:
    """A Python syntax tree as a closure over the arguments' values."""
    part = partial(_compiled, functions=functions, arithmetic=arithmetic)
    match node:
        case ast.Constant(value=int() | float() as number):
            value = arithmetic.number(number)
            return lambda _: value
        case ast.Name(id="pi"):
            return lambda _: arithmetic.pi()
        case ast.Name(id=letter):
            return operator.itemgetter(LETTERS.index(letter))
        case ast.UnaryOp(op=op, operand=operand):
            change = operator.neg if isinstance(op, ast.USub) else operator.not_
            inner = part(operand)
            return lambda args: change(inner(args))
        case (
            ast.BinOp(left=left, op=op, right=right)
            | ast.Compare(left=left, ops=[op], comparators=[right])
        ):
            operations = _OPERATIONS | {ast.Div: arithmetic.div, ast.Pow: arithmetic.pow}
            operation, a, b = operations[type(op)], part(left), part(right)
            return lambda args: operation(a(args), b(args))
        case ast.BoolOp(op=op, values=values):
            joint = all if isinstance(op, ast.And) else any
            parts = list(map(part, values))
            return lambda args: joint(p(args) for p in parts)
        case ast.Call(func=ast.Name(id="where"), args=branches):
            test, yes, no = map(part, branches)
            return lambda args: yes(args) if test(args) else no(args)
        case ast.Call(func=ast.Name(id="sqrt"), args=[operand]):
            inner = part(operand)
            return lambda args: arithmetic.sqrt(inner(args))
        case ast.Call(func=ast.Name(id=name), args=operands):
            parts = list(map(part, operands))
            return lambda args: functions[name](*(p(args) for p in parts))
    raise ValueError(f"a formula of the table cannot hold '{ast.unparse(node)}'")
