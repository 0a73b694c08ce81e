"""Print a Program as JavaScript, in the order and association of the formula.

The code contains only internal symbols, numbers and names of functions; no user text. Functions
are generated from the formulas of the table, or written in `functions.js` at full accuracy; a page
includes those that it needs.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from symgd.backends.expressions import Expression, OperationPrinter, Spelling, statements
from symgd.backends.function_programs import function_program
from symgd.backends.operations import OPERATORS
from symgd.backends.program import Program
from symgd.errors import BackendError
from symgd.formula.functions.reference import MULTIPLIED
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import Name
from symgd.formula.printing.precedence import ATOM, OR, POWER, PRODUCT, SUM

_SPELLINGS: dict[str, Spelling] = {
    "add": Spelling("{}+{}", SUM, (SUM, PRODUCT)),
    "sub": Spelling("{}-{}", SUM, (SUM, PRODUCT)),
    "mul": Spelling("{}*{}", PRODUCT, (PRODUCT, POWER)),
    "div": Spelling("{}/{}", PRODUCT, (PRODUCT, POWER)),
    "neg": Spelling("-{}", SUM, (PRODUCT,)),
    "pow": Spelling("power({},{})", ATOM, (OR, OR)),
    **{op: Spelling(f"({{}}{op}{{}})", ATOM, (SUM, SUM)) for op in ("<", "<=", ">", ">=")},
    "==": Spelling("({}==={})", ATOM, (SUM, SUM)),
    "!=": Spelling("({}!=={})", ATOM, (SUM, SUM)),
    "and": Spelling("({}&&{})", ATOM, (ATOM, ATOM)),
    "or": Spelling("({}||{})", ATOM, (ATOM, ATOM)),
    "not": Spelling("(!{})", ATOM, (ATOM,)),
    "select": Spelling("({}?{}:{})", ATOM, (SUM, SUM, SUM)),
    "guarded": Spelling("({}?{}:NaN)", ATOM, (SUM, SUM)),
}
_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


def function(program: Program, known: Mapping[Name, float] | None = None) -> str:
    """The arrow function `(p0, p1) => {...}` that returns the outputs as an array.

    known: inputs that are numbers once and for all. Raises BackendError where the program calls a
    function that JavaScript lacks, or loops over rows.
    """
    if program.loops:
        raise BackendError("there is no JavaScript form of a sum over rows")
    missing = unsupported([program])
    if missing:
        raise BackendError(f"there is no JavaScript form of {', '.join(missing)}")
    known = known or {}
    write = _JavaScriptPrinter(_SPELLINGS).write
    given = [f"{write(n.name)}={write(known[n])}" for n in program.inputs if n in known]
    outputs = ",".join(map(write, program.outputs.values()))
    inputs = ",".join(write(n.name) for n in program.inputs if n not in known)
    return f"({inputs})=>{{{_constants(program, given)}return[{outputs}];}}"


def _constants(program: Program, given: Sequence[str] = ()) -> str:
    """The declaration of what is given and of what the program computes."""
    write = _JavaScriptPrinter(_SPELLINGS).write
    lines = [*given] + [
        f"{write(s.result)}={write(s.guarded)}"
        for block, kept in zip(program.blocks, program.read_after, strict=True)
        for s in statements(block.body, kept)
    ]
    return f"const {','.join(lines)};" if lines else ""


def unsupported(programs: Iterable[Program]) -> list[str]:
    """The functions that the programs call and JavaScript does not have."""
    return sorted(_called(programs) - _pieces().keys())


def library(sources: Sequence[str], known: Collection[str] = ()) -> str:
    """The text of every function and constant that the sources use, and of what these use.

    known: names of those that are there already.
    """
    pieces = _pieces()
    wanted: set[str] = set()
    texts = list(sources)
    while texts:
        found = (
            set(re.findall(r"(?<![.\w])(?:[a-z]\w*(?=\()|[A-Z]\w+)", texts.pop())) & pieces.keys()
        )
        texts += [pieces[name] for name in found - wanted]
        wanted |= found
    return "\n".join(text for name, text in pieces.items() if name in wanted and name not in known)


def stripped(source: str) -> str:
    """JavaScript or CSS without indentation, empty lines and lines of comment."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@cache
def written() -> dict[str, str]:
    """The functions and constants of functions.js by name."""
    source = (files("symgd.backends") / "functions.js").read_text("utf-8")
    pieces = re.split(r"^(?=(?:function|const) )", source, flags=re.MULTILINE)[1:]
    return {piece.split()[1].partition("(")[0]: stripped(piece) for piece in pieces}


@cache
def _pieces() -> dict[str, str]:
    """The functions and constants by name: those of functions.js, those made of formulas."""
    made = {row.name: _from_formula(row) for row in BY_CLASS.values() if row.formula}
    return made | written()


def _from_formula(row: Function) -> str:
    """The function that the formula of a row defines, shared sub-expressions as constants."""
    program = function_program(row)
    write = _JavaScriptPrinter(_SPELLINGS).write
    inputs, output = ",".join(map(write, program.names)), write(program.outputs["f"])
    return f"function {row.name}({inputs}){{\n{_constants(program)}return {output};\n}}"


def _called(programs: Iterable[Program]) -> set[str]:
    return {o.name for p in programs for o in p.body if o.name not in OPERATORS}


class _JavaScriptPrinter(OperationPrinter):
    separator = ","

    def parts(self, tree: Any) -> tuple[str, Sequence[Any]] | None:
        if isinstance(tree, Expression) and tree.name == "pow" and tree.arguments[1] in MULTIPLIED:
            return "whole_power", tree.arguments
        return super().parts(tree)

    def name(self, name: str) -> str:
        assert _IDENTIFIER.fullmatch(name), name
        return name

    def number(self, value: float) -> str:
        whole = value == int(value) and abs(value) < 2**53
        return repr(int(value)) if whole else repr(value)
