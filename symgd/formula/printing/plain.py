"""Print a node as a formula of the language, in plain text or in mathematical notation.

`write` without `pretty` returns text that can be parsed again, with the users' names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import sympy

from symgd import names
from symgd.formula.functions.table import BY_CLASS, flat_arguments
from symgd.formula.indexed_symbols import written
from symgd.formula.indices import Affine, At, ColumnVector, Count, DataArray, Index
from symgd.formula.nodes import (
    CALLED,
    DRAWS,
    RELATIONS,
    Category,
    Column,
    Conjunction,
    Disjunction,
    Name,
    Node,
    is_inverse,
)
from symgd.formula.printing.index_names import Reduction, is_named
from symgd.formula.printing.node_printer import Infix, NodePrinter, TooLongError, number_text
from symgd.formula.printing.precedence import (
    AND,
    ATOM,
    COMPARISON,
    NOT,
    OR,
    POWER,
    PRODUCT,
    SUM,
    UNARY,
)

_OF_DATA = (Column, ColumnVector, DataArray)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write(
    node: Node, limit: int = 100_000, pretty: bool = False, first: Sequence[Index] = ()
) -> str:
    """The formula of `node`, cut with "…" at `limit` characters.

    pretty: mathematical notation (θ², √x, 2·x) instead of plain ASCII operators. first: indices
    that keep their names.
    """
    try:
        text = _PlainPrinter(limit, pretty, node, first).write(node)
    except (TooLongError, RecursionError):
        return "… (too long to write out)"
    return text if len(text) <= limit else text[:limit] + "…"


class _PlainPrinter(NodePrinter):
    infix: ClassVar = {
        Conjunction: Infix(" and ", AND, AND),
        Disjunction: Infix(" or ", OR, OR),
        **{cls: Infix(f" {op} ", COMPARISON, OR) for op, cls in RELATIONS.items()},
    }
    negation = ("not ({})", NOT)

    def __init__(self, limit: int, pretty: bool, root: Node, first: Sequence[Index] = ()) -> None:
        super().__init__(limit, root, first)
        self.pretty = pretty
        self.times = "·" if pretty else "*"

    def reduction(self, node: Reduction) -> tuple[str, int]:
        parts = [self.write(node.term)]
        for index in node.indices:
            name, named = self.names[index], is_named(index.high)
            bounds = f"={_bound(index.low)}..{_bound(index.high)}" if named else ""
            parts.append(f"{show(name) if self.pretty else name}{bounds}")
        return f"{node.name}({', '.join(parts)})", ATOM

    def call(self, node: Node) -> tuple[str, int]:
        if node.func is At:
            array, *subscripts = (self.write(a) for a in node.args)
            listed = ",".join(subscripts).replace(" + ", "+").replace(" - ", "-")
            return f"{array}[{listed}]", ATOM
        if node.func is sympy.Abs and self.pretty:
            return f"|{self.write(node.args[0])}|", ATOM
        name = CALLED.get(node.func) or BY_CLASS[node.func].name
        read = () if node.func in DRAWS else flat_arguments(node)
        return f"{name}({', '.join(map(self.write, read))})", ATOM

    def atom(self, node: Node) -> tuple[str, int]:
        if isinstance(node, _OF_DATA) and not names.is_variable(node.text):
            return f"`{names.escape(node.text)}`", ATOM
        if isinstance(node, Category) and node.name == "text":
            quote = '"' if "'" in node.text else "'"
            return f"{quote}{names.escape(node.text)}{quote}", ATOM
        if isinstance(node, Index):
            return self.names[node], ATOM
        if isinstance(node, Count):
            size = self.size(node)
            return (f"count({self.names[node.index]})", ATOM) if size is node else self.piece(size)
        if isinstance(node, Name):
            return (show(node.text) if self.pretty else names.escape(node.text)), ATOM
        if node is sympy.pi or node is sympy.E:
            return {sympy.pi: "π" if self.pretty else "pi", sympy.E: "e"}[node], ATOM
        text = number_text(node)
        return text, (SUM if text.startswith("-") or "/" in text else ATOM)

    def product(self, node: Node) -> tuple[str, int]:
        first, *rest = node.args
        if first is sympy.S.NegativeOne:
            return "-" + (
                self.write(rest[0], PRODUCT) if len(rest) == 1 else self.factors(rest)
            ), SUM
        text = self.factors(node.args)
        return text, (SUM if text.startswith("-") else PRODUCT)

    def factors(self, args: Sequence[Node]) -> str:
        negative = args[0].is_Number and args[0].is_negative
        out = [self.write(args[0], SUM if negative else PRODUCT)]
        for factor in args[1:]:
            if is_inverse(factor):
                out.append("/" + self.write(factor.args[0], UNARY))
            else:
                out.append(self.times + self.write(factor, UNARY))
        return "".join(out)

    def power(self, node: Node) -> tuple[str, int]:
        base, exponent = node.args
        if is_inverse(node):
            return "1/" + self.write(base, UNARY), PRODUCT
        if exponent == sympy.Float(0.5):
            if self.pretty and base.is_Atom:
                return "√" + self.write(base, ATOM), UNARY
            return ("√(" if self.pretty else "sqrt(") + self.write(base) + ")", UNARY
        under = self.write(base, ATOM)
        if self.pretty and isinstance(exponent, sympy.Integer):
            return under + str(exponent).translate(_SUPERSCRIPTS), POWER
        return f"{under}{'^' if self.pretty else '**'}{self.write(exponent, POWER)}", POWER


def _bound(bound: Affine) -> str:
    return written(bound).replace(" ", "")


def show(name: str) -> str:
    """A name in mathematical notation: theta as θ, theta_1 as θ_1; others as they are."""
    head, mark, tail = name.partition("_")
    letters = {spelling: letter for letter, spelling in reversed(names.GREEK.items())}
    digits = head.rstrip("0123456789")
    if digits in letters and (mark or digits):
        return letters[digits] + head[len(digits) :] + mark + names.escape(tail)
    return names.escape(name)
