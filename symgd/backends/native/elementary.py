"""Emit calls of the functions of the table.

A function is a call of the C library (which Python's math uses too), written by hand
(`inline_functions`), or generated from the formula of its row; special functions are calls back
into Python, which take the interpreter lock and a microsecond. So a function needs only its row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce

from symgd.backends.function_programs import function_program
from symgd.backends.native.inline_functions import FORMS
from symgd.backends.native.ir import Value
from symgd.backends.native.translate import Emitter
from symgd.backends.operations import Operation
from symgd.formula.functions.table import BY_CLASS, Function

#: Everything of the C library that machine code calls.
SYMBOLS = frozenset({*(row.c for row in BY_CLASS.values() if row.c), "pow", "cbrt"})

#: The prefix of symbols that are Python functions: python_digamma_1 has one argument.
PYTHON = "python_"


class FunctionEmitter(Emitter):
    """An Emitter that calls the functions of the table."""

    def function(self, row: Function, arguments: Sequence[Value]) -> Value:
        """The call of a function of the table."""
        if row.c:
            return self.call(row.c, *arguments)
        if row.pairwise and row.name in FORMS:
            return reduce(partial(FORMS[row.name], self), arguments)
        if row.name in FORMS:
            return FORMS[row.name](self, *arguments)
        if row.formula:
            omitted = map(self.number, row.omitted_defaults(len(arguments)))
            return _from_formula(self, row, [*arguments, *omitted])
        return self.call(f"{PYTHON}{row.name}_{len(arguments)}", *arguments)


def _from_formula(e: Emitter, row: Function, args: Sequence[Value]) -> Value:
    """The operations of a row's formula."""
    program = function_program(row)
    known = dict(zip(program.names, args, strict=True))
    e.run(program.body, known)
    return e.operand(program.outputs["f"], known)


def calls_python_back(operation: Operation) -> bool:
    """Whether the machine code of this operation calls back into Python."""
    row = operation.function
    if row is None or row.c or row.name in FORMS:
        return False
    return not row.formula or any(map(calls_python_back, function_program(row).body))


def python_function(symbol: str) -> tuple[Callable[..., float], int]:
    """What a symbol that begins with PYTHON stands for, and how many arguments it has."""
    name, _, count = symbol.removeprefix(PYTHON).rpartition("_")
    (row,) = (r for r in BY_CLASS.values() if r.name == name)
    return row.scalar, int(count)
