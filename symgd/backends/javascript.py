"""A Program -> JavaScript, in the order and association of the formula.

The text holds internal symbols, numbers and the names of our own functions only; no user text.
The functions are made of the formulas in the table, or stand in `functions.js`, with all digits: a
page takes those that it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files

import sympy

from symgd.backends.compiler import compile_program
from symgd.backends.program import Program
from symgd.errors import BackendError
from symgd.formula.functions.formula_value import LETTERS
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import (
    Both,
    Either,
    Name,
    Negated,
    Node,
    Where,
    float_of,
    is_inverse,
    is_negation,
    relation,
    topological,
)
from symgd.formula.parse import parse

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4
_RELATIONS = {"==": "===", "!=": "!=="}
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
    lines = [f"{_name(n)}={_number(known[n])[0]}" for n in program.inputs if n in known]
    lines += [
        f"{_name(symbol)}={_source(expression)}"
        for block in program.blocks
        for symbol, expression in block.assignments
    ]
    outputs = ",".join(_source(node) for node in program.outputs.values())
    inputs = ",".join(_name(n) for n in program.inputs if n not in known)
    body = f"const {','.join(lines)};" if lines else ""
    return f"({inputs})=>{{{body}return[{outputs}];}}"


def unsupported(programs: Iterable[Program]) -> list[str]:
    """The functions that the programs call and JavaScript does not have."""
    return sorted(_called(programs) - _pieces().keys())


def library(sources: Sequence[str]) -> str:
    """The text of every function and constant that the sources use, and of what these use."""
    pieces = _pieces()
    wanted: set[str] = set()
    texts = list(sources)
    while texts:
        found = (
            set(re.findall(r"(?<![.\w])(?:[a-z]\w*(?=\()|[A-Z]\w+)", texts.pop())) & pieces.keys()
        )
        texts += [pieces[name] for name in found - wanted]
        wanted |= found
    return "\n".join(text for name, text in pieces.items() if name in wanted)


def stripped(source: str) -> str:
    """JavaScript or CSS without indentation, empty lines and lines of comment."""
    lines = (line.strip() for line in source.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//"))


@cache
def _pieces() -> dict[str, str]:
    """The functions and constants by name: those of functions.js, those made of formulas."""
    source = (files("symgd.backends") / "functions.js").read_text("utf-8")
    pieces = re.split(r"^(?=(?:function|const) )", source, flags=re.MULTILINE)[1:]
    written = {piece.split()[1].partition("(")[0]: stripped(piece) for piece in pieces}
    made = {row.name: _from_formula(row) for row in BY_CLASS.values() if row.formula}
    return written | {name: text for name, text in made.items() if name not in written}


def _from_formula(row: Function) -> str:
    """The function that the formula of a row defines, shared sub-expressions as constants."""
    formula = parse(row.formula, table=True)
    letters = formula.variables
    inputs = [letters.get(x, Name(f"unused{k}")) for k, x in enumerate(LETTERS[: row.arity[1]])]
    program = compile_program(formula.graph, inputs, {"f": formula.root})
    *shared, (_, value) = program.blocks[0].assignments
    names = ",".join(map(_name, inputs))
    lines = [f"const {_name(symbol)}={_source(expression)};" for symbol, expression in shared]
    body = "\n".join([*lines, f"return {_source(value)};"])
    return f"function {row.name}({names}){{\n{body}\n}}"


def _called(programs: Iterable[Program]) -> set[str]:
    roots = [e for p in programs for b in p.blocks for _, e in b.assignments]
    plain = {sympy.Add, sympy.Mul, sympy.Pow, Where, Both, Either, Negated}
    return {
        BY_CLASS[node.func].name if node.func in BY_CLASS else node.func.__name__
        for node in topological(roots)
        if node.args and node.func not in plain and relation(node) is None
    }


def _name(symbol: Node) -> str:
    name: str = symbol.name
    assert _IDENTIFIER.fullmatch(name), name
    return name


def _source(node: Node, level: int = 0) -> str:
    text, own = _piece(node)
    return f"({text})" if own < level else text


def _piece(node: Node) -> tuple[str, int]:
    if not node.args:
        value = float_of(node)
        return (_name(node), _ATOM) if value is None else _number(value)
    cls = node.func
    if cls is sympy.Add:
        return _sum(node), _SUM
    if cls is sympy.Mul:
        return _product(node)
    if cls is sympy.Pow:
        return _power(node)
    if cls is Where:
        condition, a, b = (_source(n, _SUM) for n in node.args)
        return f"({condition}?{a}:{b})", _ATOM
    if (op := relation(node)) is not None:
        a, b = (_source(n, _SUM) for n in node.args)
        return f"({a}{_RELATIONS.get(op, op)}{b})", _ATOM
    if cls in (Both, Either):
        word = "&&" if cls is Both else "||"
        return f"({word.join(_source(a, _ATOM) for a in node.args)})", _ATOM
    if cls is Negated:
        return f"(!{_source(node.args[0], _ATOM)})", _ATOM
    return f"{BY_CLASS[cls].name}({','.join(_source(a) for a in node.args)})", _ATOM


def _number(value: float) -> tuple[str, int]:
    text = repr(int(value)) if value == int(value) and abs(value) < 2**53 else repr(value)
    return text, (_SUM if value < 0 else _ATOM)


def _sum(node: Node) -> str:
    first, *rest = node.args
    out = [_source(first, _SUM)]
    for term in rest:
        value = float_of(term)
        if is_negation(term):
            out.append("-" + _factors(term.args[1:]))
        elif value is not None and value < 0:
            out.append("-" + _number(-value)[0])
        else:
            out.append("+" + _source(term, _PRODUCT))
    return "".join(out)


def _product(node: Node) -> tuple[str, int]:
    if is_negation(node):
        return "-" + _factors(node.args[1:]), _SUM
    return _factors(node.args), _PRODUCT


def _factors(args: Sequence[Node]) -> str:
    out = [_source(args[0], _PRODUCT)]
    for factor in args[1:]:
        if is_inverse(factor):
            out.append("/" + _source(factor.args[0], _POWER))
        else:
            out.append("*" + _source(factor, _POWER))
    return "".join(out)


def _power(node: Node) -> tuple[str, int]:
    base, exponent = node.args
    value = float_of(exponent)
    if value == -1:
        return "1/" + _source(base, _POWER), _PRODUCT
    if value == 0.5:
        return f"sqrt({_source(base)})", _ATOM
    if value == 2:
        name = _source(base, _POWER)
        return (f"{name}*{name}", _PRODUCT) if not base.args else (f"square({name})", _ATOM)
    return f"power({_source(base)},{_source(exponent)})", _ATOM
