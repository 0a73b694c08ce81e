"""Compile the formula of a function of the table to a Program over x, y, z, w."""

from __future__ import annotations

from functools import cache

from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.formula.functions.compile_formula import LETTERS
from symgd.formula.functions.table import Function
from symgd.formula.nodes import Name
from symgd.formula.parse import table_formula


def function_program(row: Function) -> Program:
    """(x, y, ..) -> the value that the formula of the row defines; as many inputs as it takes."""
    return _compiled(row.formula, row.arity[1] or 1)


@cache
def _compiled(text: str, count: int) -> Program:
    formula = table_formula(text)
    letters = formula.variables
    inputs = [letters.get(x, Name(f"unused{k}")) for k, x in enumerate(LETTERS[:count])]
    return compile_program(inputs, {"f": formula.root})
