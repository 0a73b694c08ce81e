"""Compile a Program to a Python function with SymPy's lambdify.

Two namespaces: Python's math for floats, where `1/0` or `log(-1)` raises and the slow reference
(`evaluate`) then finds the IEEE value; and NumPy for arrays, where nothing raises. lambdify sees
internal symbols only, and the printer below writes every operation in the order and association
of the formula, every float so that it reads back bit-exactly.
"""

from __future__ import annotations

import builtins
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import sympy
from sympy.printing.pycode import PythonCodePrinter
from sympy.utilities.lambdify import lambdify

from symgd._numpy import np
from symgd.backends.expressions import (
    ARITHMETIC,
    Expression,
    OperationPrinter,
    Spelling,
    Tree,
    statements,
)
from symgd.backends.function_programs import function_program
from symgd.backends.operations import OPERATORS, Operand, function_named
from symgd.backends.program import Program
from symgd.formula.functions import reference
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import (
    RELATIONS,
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    Norm,
    Op,
    ParamMax,
    ParamSum,
    Where,
    float_of,
    number,
)
from symgd.formula.printing.precedence import ATOM, OR, SUM

#: What raw Python arithmetic raises where IEEE arithmetic has inf or nan.
ARITHMETIC_ERRORS = (ZeroDivisionError, OverflowError, ValueError)


def _node_class(name: str) -> type:
    return type(name, (Op,), {})


#: Whole powers, each a node of its own: Power3(a) is a*a*a.
_WHOLE_POWERS = {float(n): _node_class(f"Power{n}") for n in reference.MULTIPLIED if n > 2}

#: The table operation -> SymPy node; a function has the node of its row.
NODES: dict[str, type] = {
    **RELATIONS,
    "add": sympy.Add,
    "sub": _node_class("Sub"),
    "mul": sympy.Mul,
    "div": _node_class("Div"),
    "neg": _node_class("Neg"),
    "square": _node_class("Square"),
    "sqrt": _node_class("Sqrt"),
    "pow": sympy.Pow,
    "and": Conjunction,
    "or": Disjunction,
    "not": Negation,
    "select": Where,
    "guarded": _node_class("Guarded"),  # (condition, a): a where the condition holds
    "norm": Norm,
    "total": ParamSum,
    "peak": ParamMax,
    **{f"power{n:.0f}": node for n, node in _WHOLE_POWERS.items()},
}
_OPERATIONS = {node: operation for operation, node in NODES.items()}

_PYTHON = ARITHMETIC | {
    "pow": Spelling("power({}, {})", ATOM, (OR, OR)),
    "and": Spelling("({} and {})", ATOM, (ATOM, ATOM)),
    "or": Spelling("({} or {})", ATOM, (ATOM, ATOM)),
    "not": Spelling("(not {})", ATOM, (ATOM,)),
    "select": Spelling("({1} if {0} else {2})", ATOM, (SUM, SUM, SUM)),
    "guarded": Spelling("({1} if {0} else nan)", ATOM, (SUM, SUM)),
}
#: Over arrays: & | ~ take no condition that an earlier block has stored as a number.
_NUMPY = _PYTHON | {
    "and": Spelling("logical_and({}, {})", ATOM, (OR, OR)),
    "or": Spelling("logical_or({}, {})", ATOM, (OR, OR)),
    "not": Spelling("logical_not({})", ATOM, (OR,)),
    "select": Spelling("where({}, {}, {})", ATOM, (OR, OR, OR)),
}


class _SympyNodePrinter(OperationPrinter):
    """Writes nodes of NODES in place of SymPy's own printer."""

    def parts(self, tree: Node) -> tuple[str, Sequence[Node]] | None:
        if not tree.args:
            return None
        name = _OPERATIONS.get(tree.func) or BY_CLASS[tree.func].name
        return name, tree.args

    def leaf(self, tree: Node) -> str:
        value = float_of(tree)
        return str(tree.name) if value is None else repr(value)


class _LambdifyPrinter(PythonCodePrinter):  # type: ignore[misc]
    """The printer that SymPy's lambdify calls."""

    def __init__(self, spellings: Mapping[str, Spelling]) -> None:
        super().__init__({"fully_qualified_modules": False, "allow_unknown_functions": False})
        self.write = _SympyNodePrinter(spellings).write

    def doprint(self, expr: Any, assign_to: Any = None) -> str:
        if isinstance(expr, (list, tuple)):
            return "[" + ", ".join(self.doprint(e) for e in expr) + "]"
        return self.write(expr)


def compile_scalar(program: Program) -> Callable[..., list[float]]:
    """A function of the program's inputs, floats, that returns the outputs in order.

    Raises one of ARITHMETIC_ERRORS where a result is not finite; `evaluate` does not.
    """
    return _lambdify(program, _SCALAR)


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
    return _lambdify(program, _ARRAY)


_REFERENCE: dict[str, Callable[..., Any]] = {
    **reference.COMPARE,
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": reference.div,
    "neg": operator.neg,
    "square": lambda a: a * a,
    "sqrt": reference.sqrt,
    "pow": reference.pow,
    "and": operator.and_,
    "or": operator.or_,
    "not": operator.not_,
    "select": reference.where,
}


def evaluate(program: Program, values: Sequence[float]) -> list[float | bool]:
    """The outputs at these inputs in IEEE semantics: inf and nan instead of exceptions. Slow."""
    known: dict[Operand, Any] = dict(zip(program.names, values, strict=True))
    for operation in program.body:
        arguments = [known[a] if isinstance(a, str) else a for a in operation.arguments]
        row = operation.function
        value = row.scalar if row is not None else _REFERENCE[operation.name]
        if operation.name == "pow" and not isinstance(operation.arguments[1], str):
            value = reference.constant_power
        known[operation.result] = value(*arguments)
    found = [known[o] if isinstance(o, str) else o for o in program.outputs.values()]
    return [x if isinstance(x, bool) else float(x) for x in found]  # a condition stays one


def _lambdify(program: Program, language: _Language, single: bool = False) -> Callable[..., Any]:
    """single: it returns its only output, not a list."""
    symbols = {symbol.name: symbol for symbol in program.inputs}
    assignments = [
        (_leaf(s.result, symbols), _node(s.guarded if language.lazy else s.expression, symbols))
        for block, kept in zip(program.blocks, program.read_after, strict=True)
        for s in statements(block.body, kept)
    ]
    outputs = [_leaf(operand, symbols) for operand in program.outputs.values()]
    returned = outputs[0] if single else outputs
    function: Callable[..., Any] = lambdify(
        list(program.inputs),
        returned,
        modules=[language.namespace(program)],
        printer=_LambdifyPrinter(language.spellings),
        cse=lambda _: (assignments, returned),
    )
    return function


def _node(tree: Tree, symbols: Mapping[str, Node]) -> Node:
    if not isinstance(tree, Expression):
        return _leaf(tree, symbols)
    arguments = [_node(a, symbols) for a in tree.arguments]
    if tree.name == "square" and not arguments[0].args:
        return sympy.Basic.__new__(sympy.Mul, *arguments, *arguments)
    if tree.name == "pow" and tree.arguments[1] in _WHOLE_POWERS:
        return sympy.Basic.__new__(_WHOLE_POWERS[tree.arguments[1]], arguments[0])
    node = NODES.get(tree.name) or function_named(tree.name).node
    return sympy.Basic.__new__(node, *arguments)


def _leaf(operand: Operand, symbols: Mapping[str, Node]) -> Node:
    if isinstance(operand, str):
        return symbols[operand] if operand in symbols else _symbol(operand)
    return _number(operand)


_symbol, _number = lru_cache(1 << 14)(Name), lru_cache(1 << 14)(number)


#: Whole powers of floats and arrays, in the order of `reference.whole_power`.
_MULTIPLICATIONS: dict[str, Callable[[Any], Any]] = {
    "square": lambda x: x * x,
    "power3": lambda x: x * x * x,
    "power4": lambda x: (square := x * x) * square,
    "power5": lambda x: (square := x * x) * square * x,
    "power6": lambda x: (cube := x * x * x) * cube,
    "power7": lambda x: (cube := x * x * x) * cube * x,
    "power8": lambda x: (fourth := (square := x * x) * square) * fourth,
}


def _called(program: Program) -> list[Function]:
    names = {o.name for o in program.body} - OPERATORS.keys()
    return [function_named(name) for name in names]


def _scalar_namespace(program: Program) -> dict[str, Any]:
    space: dict[str, Any] = {row.name: scalar_function(row) for row in _called(program)}
    more = {"sqrt": math.sqrt, "power": math.pow, "abs": builtins.abs, "nan": math.nan}
    return space | more | _MULTIPLICATIONS


def _array_namespace(program: Program) -> dict[str, Any]:
    space = {row.name: array_function(row) for row in _called(program)}
    more = {"sqrt": np.sqrt, "power": np.power, "where": np.where} | _MULTIPLICATIONS
    more |= {"logical_and": np.logical_and, "logical_or": np.logical_or}
    more |= {"logical_not": np.logical_not, "norm": _norm, "abs": np.abs}
    more |= {"total": np.sum, "peak": np.max}
    return space | more


def _norm(x: Any) -> float:
    """The Euclidean length of an array, also where the squares of its entries are no doubles."""
    length = float(np.linalg.norm(x))
    if 1e-150 < length < 1e150:
        return length
    largest = float(np.abs(x).max())
    return largest * float(np.linalg.norm(x / largest)) if 0 < largest < math.inf else largest


def scalar_function(row: Function) -> Callable[..., float]:
    """A function of the table on floats; it may raise where its value is not finite."""
    if row.math:
        return getattr(math, row.math)  # type: ignore[no-any-return]
    return _from_formula(row, _SCALAR) if row.formula else row.scalar


def array_function(row: Function) -> Callable[..., Any]:
    """A function of the table on arrays, elementwise."""
    from symgd.backends.numpy_functions import VECTORS

    if row.numpy:
        return getattr(np, row.numpy)  # type: ignore[no-any-return]
    if row.name in VECTORS:
        return VECTORS[row.name]
    if row.formula:
        return _from_formula(row, _ARRAY)
    # np.float64 is no float to them: it divides by zero without an exception
    return np.vectorize(lambda *args: row.scalar(*map(float, args)), otypes=[float])


_from_formulas: dict[tuple[str, int | None, bool], Callable[..., Any]] = {}


def _from_formula(row: Function, language: _Language) -> Callable[..., Any]:
    """The function that the formula of a row defines."""
    key = row.formula, row.arity[1], language.lazy
    if key not in _from_formulas:
        _from_formulas[key] = _lambdify(function_program(row), language, single=True)
    return _from_formulas[key]


class _Language(NamedTuple):
    """spellings: of operations. namespace: what the names in the code of a program mean.

    lazy: whether branches that are not taken are not evaluated.
    """

    spellings: Mapping[str, Spelling]
    namespace: Callable[[Program], dict[str, Any]]
    lazy: bool


_SCALAR = _Language(_PYTHON, _scalar_namespace, lazy=True)
_ARRAY = _Language(_NUMPY, _array_namespace, lazy=False)
