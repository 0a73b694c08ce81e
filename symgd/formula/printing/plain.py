"""A node -> the formula that a person would type for it.

What `write` returns can be parsed again: it is the formula language, with the users' names.
"""

from __future__ import annotations

import sympy

from symgd import names
from symgd.formula.functions.table import BY_CLASS, flat_arguments
from symgd.formula.nodes import (
    Column,
    Conjunction,
    Disjunction,
    Name,
    Negation,
    Node,
    Norm,
    RowMax,
    RowMean,
    RowSum,
    Where,
    is_inverse,
    relation,
)

_CALLED = {Norm: "norm", Where: "where", RowSum: "sum", RowMean: "mean", RowMax: "max"}
_OR, _AND, _NOT, _COMPARED, _SUM, _PRODUCT, _UNARY, _POWER, _ATOM = range(9)
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def write(node: Node, limit: int = 100_000, pretty: bool = False) -> str:
    """The formula of `node`, cut with "…" at `limit` characters.

    pretty: mathematical notation (θ², √x, 2·x) instead of plain ASCII operators.
    """
    writer = _Writer(limit, pretty)
    try:
        text = writer.text(node)
    except (_TooLongError, RecursionError):
        return "… (too long to write out)"
    return text if len(text) <= limit else text[:limit] + "…"


class _TooLongError(Exception):
    """The formula written out is longer than the limit: sharing makes trees of any size."""


class _Writer:
    def __init__(self, limit: int, pretty: bool) -> None:
        self.left = limit
        self.pretty = pretty
        self.times = "·" if pretty else "*"

    def text(self, node: Node, level: int = _OR) -> str:
        """`node`, in parentheses where it binds looser than `level`."""
        text, own = self.piece(node)
        self.left -= 1
        if self.left < 0:
            raise _TooLongError
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
        if (op := relation(node)) is not None:
            return f"{self.text(node.args[0])} {op} {self.text(node.args[1])}", _COMPARED
        if cls is Conjunction:
            return " and ".join(self.text(a, _AND) for a in node.args), _AND
        if cls is Disjunction:
            return " or ".join(self.text(a, _OR) for a in node.args), _OR
        if cls is Negation:
            return f"not ({self.text(node.args[0])})", _NOT
        if cls is sympy.Abs and self.pretty:
            return f"|{self.text(node.args[0])}|", _ATOM
        name = _CALLED[cls] if cls in _CALLED else BY_CLASS[cls].name
        return f"{name}({', '.join(self.text(a) for a in flat_arguments(node))})", _ATOM

    def atom(self, node: Node) -> tuple[str, int]:
        if isinstance(node, Column) and not names.is_variable(node.text):
            return f"`{names.escape(node.text)}`", _ATOM
        if isinstance(node, Name):
            return (show(node.text) if self.pretty else names.escape(node.text)), _ATOM
        if node is sympy.pi or node is sympy.E:
            return {sympy.pi: "π" if self.pretty else "pi", sympy.E: "e"}[node], _ATOM
        text = repr(float(node)) if isinstance(node, sympy.Float) else str(node)
        loose = text.startswith("-") or "/" in text
        return text, (_SUM if loose else _ATOM)

    def sum(self, node: Node) -> str:
        first, *rest = node.args
        out = [self.text(first, _SUM)]
        for term in rest:
            text = self.text(term, _SUM + 1 if term.func is sympy.Add else _SUM)
            out.append(f" - {text[1:]}" if text.startswith("-") else f" + {text}")
        return "".join(out)

    def product(self, node: Node) -> tuple[str, int]:
        first, *rest = node.args
        if first is sympy.S.NegativeOne:
            inner = rest[0] if len(rest) == 1 else None
            if inner is not None:
                return "-" + self.text(inner, _PRODUCT), _SUM
            return "-" + self.factors(tuple(rest)), _SUM
        text = self.factors(node.args)
        return text, (_SUM if text.startswith("-") else _PRODUCT)

    def factors(self, args: tuple[Node, ...]) -> str:
        negative = args[0].is_Number and args[0].is_negative
        out = [self.text(args[0], _SUM if negative else _PRODUCT)]
        for factor in args[1:]:
            if is_inverse(factor):
                out.append("/" + self.text(factor.args[0], _UNARY))
            else:
                out.append(self.times + self.text(factor, _UNARY))
        return "".join(out)

    def power(self, node: Node) -> tuple[str, int]:
        base, exponent = node.args
        if is_inverse(node):
            return "1/" + self.text(base, _UNARY), _PRODUCT
        if exponent == sympy.Float(0.5):
            if self.pretty and base.is_Atom:
                return "√" + self.text(base, _ATOM), _UNARY
            return ("√(" if self.pretty else "sqrt(") + self.text(base) + ")", _UNARY
        under = self.text(base, _ATOM)
        if self.pretty and isinstance(exponent, sympy.Integer):
            return under + str(exponent).translate(_SUPERSCRIPTS), _POWER
        over = self.text(exponent, _POWER)
        return f"{under}{'^' if self.pretty else '**'}{over}", _POWER


def show(name: str) -> str:
    """A name in mathematical notation: theta as θ, theta_1 as θ_1; others as they are."""
    head, mark, tail = name.partition("_")
    letters = {spelling: letter for letter, spelling in reversed(names.GREEK.items())}
    digits = head.rstrip("0123456789")
    if digits in letters and (mark or digits):
        return letters[digits] + head[len(digits) :] + mark + names.escape(tail)
    return names.escape(name)
