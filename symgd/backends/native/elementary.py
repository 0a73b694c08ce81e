"""The functions of the table in machine code.

A function is one of the C library's (which serves Python's math as well), or written by hand
(`inline_functions`), or made of the formula in its row; what is left, special functions, are calls
of their Python form, which take the interpreter lock and cost a microsecond. So a row of the table
is all that a function needs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache

from symgd.backends.native.inline_functions import FORMS
from symgd.backends.native.translate import Emitter, Value
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import Name, Node, Where, is_inverse, topological
from symgd.formula.parse import parse

#: Everything of the C library that machine code calls.
SYMBOLS = frozenset({*(row.c for row in BY_CLASS.values() if row.c), "pow", "cbrt"})

#: The prefix of symbols that are Python functions: python_digamma_1 has one argument.
PYTHON = "python_"


def function(e: Emitter, row: Function, args: Sequence[Value]) -> Value:
    """The call of a function of the table."""
    if row.c:
        return e.call(row.c, *args)
    if row.pairwise and row.name in FORMS:
        result = args[0]
        for arg in args[1:]:
            result = FORMS[row.name](e, result, arg)
        return result
    if row.name in FORMS:
        return FORMS[row.name](e, *args)
    if row.formula:
        return _from_formula(e, row.formula, [*args, *map(e.number, row.missing(len(args)))])
    return e.call(f"{PYTHON}{row.name}_{len(args)}", *args)


def _from_formula(e: Emitter, text: str, args: Sequence[Value]) -> Value:
    """The operations of a row's formula, each shared one once."""
    root, names = _template(text)
    known: dict[Node, Value] = {
        names[n]: v for n, v in zip("xyzw", args, strict=False) if n in names
    }
    order = topological([root])
    uses = Counter(id(a) for node in order for a in node.args)
    for node in order:
        if node.args and uses[id(node)] > 1 and not is_inverse(node):
            known[node] = e.node(node, known)
    return e.node(root, known)


def asks_python(node: Node) -> bool:
    """Whether the machine code of this node, apart from its arguments, calls back into Python."""
    row = BY_CLASS.get(node.func)
    if row is None or node.func is Where or row.c or row.name in FORMS:
        return False
    return not row.formula or any(map(asks_python, topological([_template(row.formula)[0]])))


@cache
def _template(text: str) -> tuple[Node, dict[str, Name]]:
    formula = parse(text, table=True)
    return formula.root, dict(formula.variables)


def python_function(symbol: str) -> tuple[Callable[..., float], int]:
    """What a symbol that begins with PYTHON stands for, and how many arguments it has."""
    name, _, count = symbol.removeprefix(PYTHON).rpartition("_")
    (row,) = (r for r in BY_CLASS.values() if r.name == name)
    return row.scalar, int(count)
