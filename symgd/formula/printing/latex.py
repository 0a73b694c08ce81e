"""A node -> LaTeX. Names are escaped, never passed on: no user text becomes a command."""

from __future__ import annotations

from itertools import pairwise

import sympy

from symgd import names
from symgd.formula.functions.table import BY_CLASS, flat_arguments
from symgd.formula.nodes import Both, Either, Name, Negated, Node, Norm, Where, is_inverse, relation

_SUM, _PRODUCT, _POWER, _ATOM = 1, 2, 4, 5
_LETTERS = frozenset(names.GREEK.values()) - {"omicron"}
_SPECIAL = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "$": r"\$", "%": r"\%",
    "&": r"\&", "#": r"\#", "^": r"\^{}", "~": r"\~{}", "<": r"\lt{}", ">": r"\gt{}",
}  # fmt: skip
_OPERATORS = frozenset(
    {"exp", "log", "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth"}
    | {"max", "min"}
)
_INVERSE = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_RELATIONS = {"<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne", "<": "<", ">": ">"}


def latex(node: Node, limit: int = 20_000) -> str:
    """The formula of `node` in LaTeX's mathematics, or dots where it is longer than `limit`."""
    writer = _Writer(limit)
    try:
        return writer.text(node)
    except (_TooLongError, RecursionError):
        return r"\ldots"


def latex_name(name: str) -> str:
    r"""A parameter's name: theta_1 is \theta_{1}, x2 is x_{2}, long ones are upright."""
    head, mark, tail = name.partition("_")
    digits = head[len(head.rstrip("0123456789")) :]
    stem = head[: len(head) - len(digits)] if digits else head
    under = ",".join(filter(None, [digits, _plain(tail) if mark else ""]))
    if stem in _LETTERS:
        core = _greek(stem)
    elif len(stem) == 1 and stem.isalpha() and stem.isascii():
        core = stem
    else:
        return rf"\mathrm{{{_plain(name)}}}"
    return f"{core}_{{{under}}}" if under else core


def _greek(spelled: str) -> str:
    upright = spelled[0].isupper() and spelled not in _CAPITALS
    return rf"\mathrm{{{spelled[0]}}}" if upright else rf"\{spelled}"


_CAPITALS = frozenset(
    {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"}
)


def _plain(text: str) -> str:
    return "".join(_SPECIAL.get(c, c) for c in names.escape(text))


class _TooLongError(Exception):
    """Sharing makes trees of any size."""


class _Writer:
    def __init__(self, limit: int) -> None:
        self.left = limit

    def text(self, node: Node, level: int = 0) -> str:
        """`node`, in parentheses where it binds looser than `level`."""
        self.left -= 1
        if self.left < 0:
            raise _TooLongError
        text, own = self.piece(node)
        return rf"\left({text}\right)" if own < level else text

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
            a, b = node.args
            return f"{self.text(a)} {_RELATIONS[op]} {self.text(b)}", 0
        if cls is Both:
            return r" \wedge ".join(self.text(a, 1) for a in node.args), 0
        if cls is Either:
            return r" \vee ".join(self.text(a, 1) for a in node.args), 0
        if cls is Negated:
            return rf"\neg\left({self.text(node.args[0])}\right)", _ATOM
        if cls is Where:
            condition, a, b = (self.text(x) for x in node.args)
            cases = rf"{a} & \text{{if }} {condition} \\ {b} & \text{{otherwise}}"
            return rf"\begin{{cases}} {cases} \end{{cases}}", _ATOM
        return self.call(node)

    def call(self, node: Node) -> tuple[str, int]:
        if node.func is sympy.Abs:
            return rf"\left|{self.text(node.args[0])}\right|", _ATOM
        name = "norm" if node.func is Norm else BY_CLASS[node.func].name
        listed = ", ".join(self.text(a) for a in flat_arguments(node))
        if name == "exp":
            return f"e^{{{listed}}}", _POWER
        if name in ("floor", "ceil"):
            return rf"\left\l{name} {listed} \right\r{name}", _ATOM
        word = _INVERSE.get(name, name)
        head = (
            rf"\{word}"
            if name in _OPERATORS or name in _INVERSE
            else rf"\operatorname{{{_plain(word)}}}"
        )
        return rf"{head}\left({listed}\right)", _ATOM

    def atom(self, node: Node) -> tuple[str, int]:
        if isinstance(node, Name):
            return latex_name(node.text), _ATOM
        if node is sympy.pi:
            return r"\pi", _ATOM
        if node is sympy.E:
            return "e", _ATOM
        if isinstance(node, sympy.Rational) and not isinstance(node, sympy.Integer):
            return rf"\frac{{{node.p}}}{{{node.q}}}", _SUM
        text = repr(float(node)) if isinstance(node, sympy.Float) else str(node)
        digits, mark, power = text.partition("e")
        if mark:
            text = rf"{digits} \cdot 10^{{{int(power)}}}"
        return text, _SUM if mark or text.startswith("-") else _ATOM

    def sum(self, node: Node) -> str:
        first, *rest = node.args
        out = [self.text(first, _SUM)]
        for term in rest:
            text = self.text(term, _SUM + (term.func is sympy.Add))
            out.append(f" - {text[1:]}" if text.startswith("-") else f" + {text}")
        return "".join(out)

    def product(self, node: Node) -> tuple[str, int]:
        args = list(node.args)
        sign = ""
        while args and args[0] is sympy.S.NegativeOne and len(args) > 1:
            sign = "" if sign else "-"
            args = args[1:]
        top = [a for a in args if not is_inverse(a)]
        bottom = [a.args[0] for a in args if is_inverse(a)]
        if bottom:
            over = self.factors(top) if top else "1"
            return rf"{sign}\frac{{{over}}}{{{self.factors(bottom)}}}", _SUM if sign else _PRODUCT
        text = sign + self.factors(top)
        return text, _SUM if text.startswith("-") else _PRODUCT

    def factors(self, args: list[Node]) -> str:
        if len(args) == 1:
            return self.text(args[0], 0)
        head = _SUM if args[0].is_Number else _PRODUCT
        out = [self.text(args[0], head)]
        for before, factor in pairwise(args):
            text = self.text(factor, _PRODUCT)
            numbers = before.is_Number and text[:1].isdigit()
            loose = isinstance(before, Name) or before.is_Number or text.startswith(r"\left(")
            out.append((" " if loose and not numbers else r" \cdot ") + text)
        return "".join(out)

    def power(self, node: Node) -> tuple[str, int]:
        base, exponent = node.args
        if is_inverse(node):
            return rf"\frac{{1}}{{{self.text(base)}}}", _PRODUCT
        if exponent == sympy.Float(0.5):
            return rf"\sqrt{{{self.text(base)}}}", _ATOM
        return f"{self.text(base, _ATOM)}^{{{self.text(exponent)}}}", _POWER
