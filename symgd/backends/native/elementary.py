"""The functions of the table in machine code.

A function is either one of the C library's (which serves Python's math as well), or a few
operations (`forms`), or, for special functions, a call of its Python form, which takes the
interpreter lock and costs a microsecond. So every function has a native form, and a new one need
not have a row here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from symgd.backends.native.inline_functions import FORMS
from symgd.backends.native.translate import Emitter, Value
from symgd.formula.functions.table import BY_CLASS, FUNCTIONS, Function
from symgd.formula.nodes import Name, Node, Where, topological
from symgd.formula.parse import parse

#: Functions that the C library has, by its names for them.
LIBRARY = {
    **{n: n for n in ("exp", "log", "log10", "log2", "log1p", "expm1", "erf", "erfc")},
    **{n: n for n in ("sin", "cos", "tan", "asin", "acos", "atan", "atan2")},
    **{n: n for n in ("sinh", "cosh", "tanh", "asinh", "acosh", "atanh")},
    "gamma": "tgamma",
    "loggamma": "lgamma",
}

#: Everything of the C library that the forms call.
SYMBOLS = frozenset({*LIBRARY.values(), "pow", "cbrt"})

#: The prefix of symbols that are Python functions: python_digamma_1 has one argument.
PYTHON = "python_"


def function(e: Emitter, row: Function, args: Sequence[Value]) -> Value:
    """The call of a function of the table."""
    if row.name in LIBRARY:
        return e.call(LIBRARY[row.name], *args)
    if row.pairwise and row.name in FORMS:
        result = args[0]
        for arg in args[1:]:
            result = FORMS[row.name](e, result, arg)
        return result
    if row.name in FORMS:
        missing = max(0, (row.arity[1] or 0) - len(args))
        return FORMS[row.name](e, *args, *map(e.number, row.defaults[:missing]))
    if _defined(row):
        root, names = _template(row.definition)
        return e.node(root, {names[n]: v for n, v in zip("xyzw", args, strict=False) if n in names})
    return e.call(f"{PYTHON}{row.name}_{len(args)}", *args)


def _defined(row: Function) -> bool:
    """Whether it is a slope that no formula can call: its definition is stable."""
    hidden = row.name not in FUNCTIONS and bool(row.definition)
    return hidden and not row.order and not row.variadic


def asks_python(node: Node) -> bool:
    """Whether the machine code of this node, apart from its arguments, calls back into Python."""
    row = BY_CLASS.get(node.func)
    if row is None or node.func is Where:
        return False
    if _defined(row):
        return any(map(asks_python, topological([_template(row.definition)[0]])))
    return row.name not in LIBRARY and row.name not in FORMS


@cache
def _template(text: str) -> tuple[Node, dict[str, Name]]:
    formula = parse(text, table=True)
    return formula.root, dict(formula.variables)


def python_function(symbol: str) -> tuple[Callable[..., float], int]:
    """What a symbol that begins with PYTHON stands for, and how many arguments it has."""
    name, _, count = symbol.removeprefix(PYTHON).rpartition("_")
    (row,) = (r for r in BY_CLASS.values() if r.name == name)
    return row.scalar, int(count)
