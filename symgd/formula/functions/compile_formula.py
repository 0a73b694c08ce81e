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
            tree = ast.parse(text, mode="eval").body
            root.append(_FormulaCompiler(functions, arithmetic).compile(tree))
        return root[0]((*args, *defaults[len(args) - required :]))

    return call


class _FormulaCompiler:
    """Compiles Python syntax trees to closures over the arguments' values."""

    def __init__(
        self, functions: Mapping[str, Callable[..., Number]], arithmetic: Arithmetic
    ) -> None:
        self.functions, self.arithmetic = functions, arithmetic
        self.operations = _OPERATIONS | {ast.Div: arithmetic.div, ast.Pow: arithmetic.pow}

    def compile(self, node: ast.expr) -> _Closure:
        """One sub-expression."""
        match node:
            case ast.Constant(value=int() | float() as number):
                value = self.arithmetic.number(number)
                return lambda _: value
            case ast.Name(id="pi"):
                return lambda _: self.arithmetic.pi()
            case ast.Name(id=letter):
                return operator.itemgetter(LETTERS.index(letter))
            case ast.UnaryOp(op=op, operand=operand):
                change = operator.neg if isinstance(op, ast.USub) else operator.not_
                inner = self.compile(operand)
                return lambda args: change(inner(args))
            case (
                ast.BinOp(left=left, op=op, right=right)
                | ast.Compare(left=left, ops=[op], comparators=[right])
            ):
                operation, a, b = self.operations[type(op)], self.compile(left), self.compile(right)
                return lambda args: operation(a(args), b(args))
            case ast.BoolOp(op=op, values=values):
                joint = all if isinstance(op, ast.And) else any
                parts = list(map(self.compile, values))
                return lambda args: joint(part(args) for part in parts)
            case ast.Call(func=ast.Name(id=name), args=operands):
                return self.call(name, list(map(self.compile, operands)))
        raise ValueError(f"a formula of the table cannot hold '{ast.unparse(node)}'")

    def call(self, name: str, parts: Sequence[_Closure]) -> _Closure:
        """where, sqrt, or a function of the table."""
        if name == "where":
            test, yes, no = parts
            return lambda args: yes(args) if test(args) else no(args)
        if name == "sqrt":
            [inner] = parts
            return lambda args: self.arithmetic.sqrt(inner(args))
        functions = self.functions
        return lambda args: functions[name](*(part(args) for part in parts))
