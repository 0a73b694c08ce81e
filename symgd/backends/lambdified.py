"""A Program -> a Python function, through SymPy's lambdify.

Two namespaces: Python's math for floats, where `1/0` or `log(-1)` raises and the slow reference
(`symgd.formula.evaluate.trace`) then finds the IEEE value; and NumPy for arrays, where nothing
raises. lambdify sees internal symbols only, and the printer below writes every operation in the
order and association of the formula, every float so that it reads back bit-exactly.
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable, Sequence
from functools import cache, reduce
from typing import Any

import sympy
from sympy.printing.pycode import PythonCodePrinter
from sympy.utilities.lambdify import lambdify

from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.formula.evaluate import trace
from symgd.formula.functions.formula_value import LETTERS
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import (
    Both,
    Either,
    Name,
    Negated,
    Node,
    Norm,
    Where,
    float_of,
    is_inverse,
    is_negation,
    relation,
)
from symgd.formula.parse import parse

#: What raw Python arithmetic raises where IEEE arithmetic has inf or nan.
ARITHMETIC_ERRORS = (ZeroDivisionError, OverflowError, ValueError)

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
# Over arrays: & | ~ take no condition that an earlier block has stored as a number.
_LOGIC = {Both: "every", Either: "some", Negated: "logical_not"}


class _Printer(PythonCodePrinter):  # type: ignore[misc]
    """Python source for the nodes of `symgd.formula.nodes`, in the order they were typed.

    `array` spells where, and, not for NumPy arrays, on which Python's own words do not work.
    """

    def __init__(self, array: bool) -> None:
        super().__init__({"fully_qualified_modules": False, "allow_unknown_functions": False})
        self.array = array

    def doprint(self, expr: Any, assign_to: Any = None) -> str:
        if isinstance(expr, (list, tuple)):
            return "[" + ", ".join(self.doprint(e) for e in expr) + "]"
        return self.source(expr)

    def source(self, node: Node, level: int = 0) -> str:
        text, own = self.piece(node)
        return f"({text})" if own < level else text

    def piece(self, node: Node) -> tuple[str, int]:
        if not node.args:
            return self.atom(node)
        cls = node.func
        if cls is sympy.Add:
            return self.sum(node), _SUM
        if cls is sympy.Mul:
            return self.product(node)
        if cls is sympy.Pow:
            return self.power(node)
        if cls is Where and self.array:
            return f"where({', '.join(self.source(a) for a in node.args)})", _ATOM
        if cls is Where:
            condition, a, b = (self.source(n, _SUM) for n in node.args)
            return f"({a} if {condition} else {b})", _ATOM
        if (op := relation(node)) is not None:
            a, b = (self.source(n, _SUM) for n in node.args)
            return f"({a} {op} {b})", _ATOM
        if self.array and cls in _LOGIC:
            return f"{_LOGIC[cls]}({', '.join(self.source(a) for a in node.args)})", _ATOM
        if cls in (Both, Either):
            word = " and " if cls is Both else " or "
            return f"({word.join(self.source(a, _ATOM) for a in node.args)})", _ATOM
        if cls is Negated:
            return f"(not {self.source(node.args[0], _ATOM)})", _ATOM
        called = "norm" if cls is Norm else BY_CLASS[cls].name
        return f"{called}({', '.join(self.source(a) for a in node.args)})", _ATOM

    def atom(self, node: Node) -> tuple[str, int]:
        value = float_of(node)
        if value is None:
            return node.name, _ATOM
        return repr(value), (_SUM if value < 0 else _ATOM)

    def sum(self, node: Node) -> str:
        first, *rest = node.args
        out = [self.source(first, _SUM)]
        for term in rest:
            if is_negation(term):
                out.append(" - " + self.factors(term.args[1:]))
            elif (value := float_of(term)) is not None and value < 0:
                out.append(f" - {-value!r}")
            else:
                out.append(" + " + self.source(term, _PRODUCT))
        return "".join(out)

    def product(self, node: Node) -> tuple[str, int]:
        if is_negation(node):
            return "-" + self.factors(node.args[1:]), _SUM
        return self.factors(node.args), _PRODUCT

    def factors(self, args: Sequence[Node]) -> str:
        out = [self.source(args[0], _PRODUCT)]
        for factor in args[1:]:
            if is_inverse(factor):
                out.append("/" + self.source(factor.args[0], _POWER))
            else:
                out.append("*" + self.source(factor, _POWER))
        return "".join(out)

    def power(self, node: Node) -> tuple[str, int]:
        base, exponent = node.args
        value = float_of(exponent)
        if value == -1:
            return "1.0/" + self.source(base, _POWER), _PRODUCT
        if value == 0.5:
            return f"sqrt({self.source(base)})", _ATOM
        if value == 2 and not base.args:
            name = self.source(base, _POWER)
            return f"{name}*{name}", _PRODUCT
        if value == 2:
            return f"square({self.source(base)})", _ATOM
        return f"power({self.source(base)}, {self.source(exponent)})", _ATOM


def compile_scalar(program: Program) -> Callable[..., list[float]]:
    """A function of the program's inputs, floats, that returns the outputs in order.

    Raises one of ARITHMETIC_ERRORS where a result is not finite; `evaluate` does not.
    """
    return _lambdify(program, _scalar_namespace(program), array=False)


def compile_total(program: Program) -> Callable[..., list[float]]:
    """The same, but it returns inf and nan where Python's arithmetic raises."""
    fast = compile_scalar(program)

    def call(*x: float) -> list[float]:
        try:
            return fast(*x)
        except ARITHMETIC_ERRORS:
            return evaluate(program, x)

    return call


def compile_array(program: Program) -> Callable[..., list[Any]]:
    """The same over NumPy arrays, elementwise; non-finite results come with NumPy's warnings."""
    return _lambdify(program, _array_namespace(program), array=True)


def evaluate(program: Program, values: Sequence[float]) -> list[float | bool]:
    """The outputs at these inputs in IEEE semantics: inf and nan instead of exceptions. Slow."""
    known = dict(zip(program.inputs, values, strict=True))
    for block in program.blocks:
        for symbol, expression in block.assignments:
            known[symbol] = trace([expression], known)[id(expression)]
    found = [known[n] if n in known else float_of(n) or 0.0 for n in program.outputs.values()]
    return [x if isinstance(x, bool) else float(x) for x in found]  # a condition stays one


def _lambdify(program: Program, namespace: dict[str, Any], array: bool) -> Callable[..., Any]:
    assignments = [pair for block in program.blocks for pair in block.assignments]
    outputs = list(program.outputs.values())
    function: Callable[..., Any] = lambdify(
        list(program.inputs),
        outputs,
        modules=[namespace],
        printer=_Printer(array),
        cse=lambda _: (assignments, outputs),
    )
    return function


def _square(x: float) -> float:
    return x * x


def _scalar_namespace(program: Program) -> dict[str, Any]:
    space: dict[str, Any] = {row.name: scalar_function(row) for row in _called(program)}
    return space | {"sqrt": math.sqrt, "power": math.pow, "square": _square, "abs": builtins.abs}


def _array_namespace(program: Program) -> dict[str, Any]:
    import numpy as np

    space = {row.name: array_function(row) for row in _called(program)}
    more = {"sqrt": np.sqrt, "power": np.power, "square": np.square, "where": np.where}
    more |= {
        "every": lambda *args: reduce(np.logical_and, args),
        "some": lambda *args: reduce(np.logical_or, args),
        "logical_not": np.logical_not,
    }
    more |= {"norm": _norm, "abs": np.abs}
    return space | more


def _norm(x: Any) -> float:
    """The Euclidean length of an array, also where the squares of its entries are no doubles."""
    import numpy as np

    length = float(np.linalg.norm(x))
    if 1e-150 < length < 1e150:
        return length
    largest = float(np.abs(x).max())
    return largest * float(np.linalg.norm(x / largest)) if 0 < largest < math.inf else largest


def _called(program: Program) -> list[Function]:
    return [BY_CLASS[cls] for cls in {node.func for node in program.nodes} if cls in BY_CLASS]


def scalar_function(row: Function) -> Callable[..., float]:
    """A function of the table on floats; it may raise where its value is not finite."""
    if row.math:
        return getattr(math, row.math)  # type: ignore[no-any-return]
    return _from_formula(row.formula, row.arity[1] or 1, False) if row.formula else row.scalar


def array_function(row: Function) -> Callable[..., Any]:
    """A function of the table on arrays, elementwise."""
    import numpy as np

    from symgd.backends.numpy_functions import VECTORS

    if row.numpy:
        return getattr(np, row.numpy)  # type: ignore[no-any-return]
    if row.name in VECTORS:
        return VECTORS[row.name]
    if row.formula:
        return _from_formula(row.formula, row.arity[1] or 1, True)
    # np.float64 is no float to them: it divides by zero without an exception
    return np.vectorize(lambda *args: row.scalar(*map(float, args)), otypes=[float])


@cache
def _from_formula(text: str, count: int, array: bool) -> Callable[..., Any]:
    """The function of `count` arguments that the formula of a row defines."""
    formula = parse(text, table=True)
    letters = formula.variables
    inputs = [letters.get(x, Name(f"unused{k}")) for k, x in enumerate(LETTERS[:count])]
    program = compile_program(formula.graph, inputs, {"f": formula.root})
    [line] = program.blocks
    *before, (_, value) = line.assignments
    function: Callable[..., Any] = lambdify(
        inputs,
        value,
        modules=[_array_namespace(program) if array else _scalar_namespace(program)],
        printer=_Printer(array),
        cse=lambda _: (before, value),
    )
    return function
