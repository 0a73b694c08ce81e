"""A node -> LaTeX. Names are escaped, never passed on: no user text becomes a command."""

from __future__ import annotations

import sympy

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
    topological,
)
from symgd.formula.printing.latex_names import escape, latex_name

# How tightly the pieces bind. A sum over rows takes the product that follows it, so it stands
# without parentheses only as the last factor of one.
_SUM, _ROWS, _PRODUCT, _POWER, _ATOM = 1, 2, 3, 4, 5
_OPERATORS = frozenset(
    {"exp", "log", "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth"}
    | {"max", "min"}
)
_INVERSE = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_RELATIONS = {"<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne", "<": "<", ">": ">"}


def latex(node: Node, limit: int = 20_000) -> str:
    """The formula of `node` in LaTeX's mathematics, or dots where it is longer than `limit`."""
    writer = _Writer(limit, {n.text for n in topological([node]) if isinstance(n, Name)})
    try:
        return writer.text(node)
    except (_TooLongError, RecursionError):
        return r"\ldots"


class _TooLongError(Exception):
    """Sharing makes trees of any size."""


class _Writer:
    """Writes at most `limit` nodes; `taken` are the names that the formula has."""

    def __init__(self, limit: int, taken: set[str]) -> None:
        self.left = limit
        self.taken = taken
        self.indices = [c for c in "ijklpqrstu" if c not in taken] or [r"\iota"]
        self.count = next((c for c in "nNm" if c not in taken), r"\nu")
        self.open = 0  # sums over rows around what is written

    def text(self, node: Node, level: int = 0) -> str:
        """`node`, in parentheses where it binds looser than `level`."""
        return self.bound(node, level)[0]

    def bound(self, node: Node, level: int) -> tuple[str, int]:
        """The same, and how tightly it binds then."""
        self.left -= 1
        if self.left < 0:
            raise _TooLongError
        text, own = self.piece(node)
        return (text, own) if own >= level else (rf"\left({text}\right)", _ATOM)

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
        if cls is Conjunction:
            return r" \wedge ".join(self.text(a, 1) for a in node.args), 0
        if cls is Disjunction:
            return r" \vee ".join(self.text(a, 1) for a in node.args), 0
        if cls is Negation:
            return rf"\neg\left({self.text(node.args[0])}\right)", _ATOM
        if cls is Where:
            condition, a, b = (self.text(x) for x in node.args)
            cases = rf"{a} & \text{{if }} {condition} \\ {b} & \text{{otherwise}}"
            return rf"\begin{{cases}} {cases} \end{{cases}}", _ATOM
        if cls in (RowSum, RowMean, RowMax):
            return self.over_rows(node), _ROWS
        return self.call(node)

    def over_rows(self, node: Node) -> str:
        """The sum, mean or maximum of a term over the rows of the data, i = 1 to n."""
        self.open += 1
        index, term = self.index(), self.text(node.args[0], _ROWS)
        self.open -= 1
        if node.func is RowMax:
            return rf"\max_{{1 \le {index} \le {self.count}}} {term}"
        total = rf"\sum_{{{index}=1}}^{{{self.count}}} {term}"
        return rf"\frac{{1}}{{{self.count}}} {total}" if node.func is RowMean else total

    def index(self) -> str:
        """The row of the innermost sum; outside of one, where a term stands alone, the first."""
        return self.indices[min(max(self.open, 1), len(self.indices)) - 1]

    def call(self, node: Node) -> tuple[str, int]:
        if node.func is sympy.Abs:
            return rf"\left|{self.text(node.args[0])}\right|", _ATOM
        name = "norm" if node.func is Norm else BY_CLASS[node.func].name
        listed = ", ".join(self.text(a) for a in flat_arguments(node))
        if name == "exp" and "e" not in self.taken:
            return f"e^{{{listed}}}", _POWER
        if name in ("floor", "ceil"):
            return rf"\left\l{name} {listed} \right\r{name}", _ATOM
        word = _INVERSE.get(name, name)
        head = (
            rf"\{word}"
            if name in _OPERATORS or name in _INVERSE
            else rf"\operatorname{{{escape(word)}}}"
        )
        return rf"{head}\left({listed}\right)", _ATOM

    def atom(self, node: Node) -> tuple[str, int]:
        if isinstance(node, Column):
            return latex_name(node.text, self.index()), _ATOM
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
            over = self.factors(top, 0)[0] if top else "1"
            under = self.factors(bottom, 0)[0]
            return rf"{sign}\frac{{{over}}}{{{under}}}", _SUM if sign else _PRODUCT
        text, own = self.factors(top, _ROWS)
        return sign + text, _SUM if (sign + text).startswith("-") else own

    def factors(self, args: list[Node], level: int) -> tuple[str, int]:
        """The product of the factors, and how tightly it binds; one alone stands at `level`."""
        if len(args) == 1:
            return self.bound(args[0], level)
        *before, last = args
        levels = [_SUM if args[0].is_Number else _PRODUCT, *[_PRODUCT] * (len(before) - 1)]
        pieces = [self.text(a, k) for a, k in zip(before, levels, strict=True)]
        text, own = self.bound(last, _ROWS)
        out = pieces[:1]
        for left, right in zip(before, [*pieces[1:], text], strict=True):
            loose = isinstance(left, Name) or left.is_Number or right.startswith(r"\left(")
            out.append((" " if loose and not right[0].isdigit() else r" \cdot ") + right)
        return "".join(out), min(own, _PRODUCT)

    def power(self, node: Node) -> tuple[str, int]:
        base, exponent = node.args
        if is_inverse(node):
            return rf"\frac{{1}}{{{self.text(base)}}}", _PRODUCT
        if exponent == sympy.Float(0.5):
            return rf"\sqrt{{{self.text(base)}}}", _ATOM
        return f"{self.text(base, _ATOM)}^{{{self.text(exponent)}}}", _POWER
