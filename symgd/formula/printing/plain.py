"""Print a node as a formula of the language, in plain text or in mathematical notation.

`write` without `pretty` returns text that can be parsed again, with the users' names.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import sympy

from symgd import names
from symgd.formula.functions.table import BY_CLASS, flat_arguments
from symgd.formula.indices import (
    INDEX_REDUCTIONS,
    Affine,
    At,
    Index,
    Largest,
    Peak,
    Product,
    Total,
)
from symgd.formula.nodes import (
    CALLED,
    RELATIONS,
    Column,
    Conjunction,
    Disjunction,
    Name,
    Node,
    is_inverse,
)
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

_REDUCTIONS = {Total: "sum", Product: "prod", Largest: "max", Peak: "max"}
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write(node: Node, limit: int = 100_000, pretty: bool = False) -> str:
    """The formula of `node`, cut with "…" at `limit` characters.

    pretty: mathematical notation (θ², √x, 2·x) instead of plain ASCII operators.
    """
    try:
        text = _PlainPrinter(limit, pretty).write(node)
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

    def __init__(self, limit: int, pretty: bool) -> None:
        super().__init__(limit)
        self.pretty = pretty
        self.times = "·" if pretty else "*"

    def call(self, node: Node) -> tuple[str, int]:
        if node.func is At:
            array, *subscripts = node.args
            inside = ", ".join(map(self.write, subscripts))
            return f"{self.write(array, ATOM)}[{inside}]", ATOM
        if node.func in INDEX_REDUCTIONS:
            index, term = node.args
            name = _REDUCTIONS[node.func]
            return f"{name}({self.write(term)}, {self.range(index)})", ATOM
        if node.func is sympy.Abs and self.pretty:
            return f"|{self.write(node.args[0])}|", ATOM
        name = CALLED.get(node.func) or BY_CLASS[node.func].name
        return f"{name}({', '.join(self.write(a) for a in flat_arguments(node))})", ATOM

    def range(self, index: Index) -> str:
        """An index and its ends; without those that the formula leaves open."""
        if any(symbol.text.startswith("#") for symbol, _ in (*index.low.terms, *index.high.terms)):
            return names.escape(index.text)
        return f"{names.escape(index.text)}={self.end(index.low)}..{self.end(index.high)}"

    def end(self, form: Affine) -> str:
        """An end of a range."""
        texts = Affine(form.constant, tuple((Name(s.text), k) for s, k in form.terms))
        return names.escape(str(texts))

    def atom(self, node: Node) -> tuple[str, int]:
        if isinstance(node, Column) and not names.is_variable(node.text):
            return f"`{names.escape(node.text)}`", ATOM
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


def show(name: str) -> str:
    """A name in mathematical notation: theta as θ, theta_1 as θ_1; others as they are."""
    head, mark, tail = name.partition("_")
    letters = {spelling: letter for letter, spelling in reversed(names.GREEK.items())}
    digits = head.rstrip("0123456789")
    if digits in letters and (mark or digits):
        return letters[digits] + head[len(digits) :] + mark + names.escape(tail)
    return names.escape(name)
