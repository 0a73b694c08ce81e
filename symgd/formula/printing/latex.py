"""Print a node as LaTeX. Names are escaped: no user text becomes a command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import sympy

from symgd import names
from symgd.formula.functions.table import BY_CLASS, flat_arguments
from symgd.formula.indices import Affine, At, ColumnVector, Count, Index
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
    RowMax,
    RowMean,
    RowSum,
    Where,
    is_inverse,
    topological,
)
from symgd.formula.printing.index_names import Reduction, is_named
from symgd.formula.printing.node_printer import Infix, NodePrinter, TooLongError, number_text
from symgd.formula.printing.precedence import ATOM, OR, POWER, PRODUCT, ROW_SUM, SUM

_LETTERS = frozenset(names.GREEK.values()) - {"omicron"}
_SPECIAL = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "$": r"\$", "%": r"\%",
    "&": r"\&", "#": r"\#", "^": r"\^{}", "~": r"\~{}", "<": r"\lt{}", ">": r"\gt{}",
}  # fmt: skip
_CAPITALS = frozenset(
    {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"}
)
_OPERATORS = frozenset(
    {"exp", "log", "sin", "cos", "tan", "cot", "sec", "csc", "sinh", "cosh", "tanh", "coth"}
    | {"max", "min"}
)
_INVERSE = {"asin": "arcsin", "acos": "arccos", "atan": "arctan"}
_RELATIONS = {"<=": r"\le", ">=": r"\ge", "==": "=", "!=": r"\ne", "<": "<", ">": ">"}


def latex(node: Node, limit: int = 20_000, first: Sequence[Index] = ()) -> str:
    """The formula of `node` in LaTeX math mode; an ellipsis if it has more than `limit` nodes.

    first: indices that keep their names.
    """
    taken = {n.text for n in topological([node]) if isinstance(n, Name)}
    printer = _LatexPrinter(limit, node, taken, first)
    try:
        return printer.write(node)
    except (TooLongError, RecursionError):
        return r"\ldots"


class _LatexPrinter(NodePrinter):
    """taken: the names in the formula."""

    infix: ClassVar = {
        Conjunction: Infix(r" \wedge ", OR, SUM),
        Disjunction: Infix(r" \vee ", OR, SUM),
        **{cls: Infix(f" {_RELATIONS[op]} ", OR, OR) for op, cls in RELATIONS.items()},
    }
    negation = (r"\neg\left({}\right)", ATOM)
    parentheses = r"\left({}\right)"

    def __init__(
        self, limit: int, root: Node, taken: set[str], first: Sequence[Index] = ()
    ) -> None:
        super().__init__(limit, root, first)
        self.taken = taken
        taken = taken | set(self.names.values())
        self.indices = [c for c in "ijklpqrstu" if c not in taken] or [r"\iota"]
        self.count = next((c for c in "nNm" if c not in taken), r"\nu")
        self.open = 0  # nesting of sums over rows

    def bound(self, node: Node, least: int) -> tuple[str, int]:
        """The text of `write`, and its precedence."""
        text, binds = self.piece(node)
        return (text, binds) if binds >= least else (self.parentheses.format(text), ATOM)

    def over_rows(self, node: Node) -> str:
        """The sum, mean or maximum of a term over the rows of the data, i = 1 to n."""
        self.open += 1
        index, term = self.index(), self.write(node.args[0], ROW_SUM)
        self.open -= 1
        if node.func is RowMax:
            return rf"\max_{{1 \le {index} \le {self.count}}} {term}"
        total = rf"\sum_{{{index}=1}}^{{{self.count}}} {term}"
        return rf"\frac{{1}}{{{self.count}}} {total}" if node.func is RowMean else total

    def reduction(self, node: Reduction) -> tuple[str, int]:
        r"""\sum_{i=1}^{n} \sum_{j=1}^{m} term; a mean is divided, logsumexp written out."""
        name, indices, term = node
        if name == "logsumexp":
            head, body = self._over("sum", indices), self.write(term)
            return rf"\log\left({head} e^{{{body}}}\right)", ATOM
        body = self.write(term, ROW_SUM)
        if name != "mean":
            return f"{self._over(name, indices)} {body}", ROW_SUM
        counts = r" \cdot ".join(self._count(index) for index in indices)
        return rf"\frac{{1}}{{{counts}}} {self._over('sum', indices)} {body}", ROW_SUM

    def _over(self, name: str, indices: Sequence[Index]) -> str:
        r"""\sum_{i=1}^{n}, or \max_{1 \le i \\le n}, for every index."""
        found = []
        for index in indices:
            shown = latex_name(self.names[index])
            if not is_named(index.high):
                found.append(rf"\{name}_{{{shown}}}")
                continue
            low, high = self._bound(index.low), self._bound(index.high)
            if name in ("max", "min"):
                found.append(rf"\{name}_{{{low} \le {shown} \le {high}}}")
            else:
                found.append(rf"\{name}_{{{shown}={low}}}^{{{high}}}")
        return " ".join(found)

    def _bound(self, form: Affine) -> str:
        terms = [
            f"{'-' if k < 0 else '+'} {'' if abs(k) == 1 else abs(k)} {latex_name(s.text)}"
            for s, k in form.terms
        ]
        if form.constant or not terms:
            terms.append(f"{'-' if form.constant < 0 else '+'} {abs(form.constant)}")
        return " ".join(" ".join(terms).split()).removeprefix("+ ")

    def _count(self, index: Index) -> str:
        if not is_named(index.high):
            return rf"\#{latex_name(self.names[index])}"
        text = self._bound(index.high - index.low + 1)
        return text if " " not in text else rf"\left({text}\right)"

    def index(self) -> str:
        """The row of the innermost sum; outside of one, where a term stands alone, the first."""
        return self.indices[min(max(self.open, 1), len(self.indices)) - 1]

    def call(self, node: Node) -> tuple[str, int]:
        if node.func is Where:
            condition, a, b = (self.write(x) for x in node.args)
            cases = rf"{a} & \text{{if }} {condition} \\ {b} & \text{{otherwise}}"
            return rf"\begin{{cases}} {cases} \end{{cases}}", ATOM
        if node.func in (RowSum, RowMean, RowMax):
            return self.over_rows(node), ROW_SUM
        if node.func is At:
            array, *subscripts = node.args
            own = [self.index()] if isinstance(array, ColumnVector) else []
            return latex_name(array.text, ",".join([*own, *map(self.write, subscripts)])), ATOM
        if node.func is sympy.Abs:
            return rf"\left|{self.write(node.args[0])}\right|", ATOM
        name = CALLED.get(node.func) or BY_CLASS[node.func].name
        read = () if node.func in DRAWS else flat_arguments(node)
        listed = ", ".join(map(self.write, read))
        if name == "exp" and "e" not in self.taken:
            return f"e^{{{listed}}}", POWER
        if name in ("floor", "ceil"):
            return rf"\left\l{name} {listed} \right\r{name}", ATOM
        word = _INVERSE.get(name, name)
        head = (
            rf"\{word}"
            if name in _OPERATORS or name in _INVERSE
            else rf"\operatorname{{{escape(word)}}}"
        )
        return rf"{head}\left({listed}\right)", ATOM

    def atom(self, node: Node) -> tuple[str, int]:
        if isinstance(node, Category):
            return latex_name(f"'{node.text}'"), ATOM
        if isinstance(node, Column):
            return latex_name(node.text, self.index()), ATOM
        if isinstance(node, Index):
            return latex_name(self.names[node]), ATOM
        if isinstance(node, Count):
            return self._count(node.index), ATOM
        if isinstance(node, Name):
            return latex_name(node.text), ATOM
        if node is sympy.pi:
            return r"\pi", ATOM
        if node is sympy.E:
            return "e", ATOM
        if isinstance(node, sympy.Rational) and not isinstance(node, sympy.Integer):
            return rf"\frac{{{node.p}}}{{{node.q}}}", SUM
        text = number_text(node)
        digits, mark, power = text.partition("e")
        if mark:
            text = rf"{digits} \cdot 10^{{{int(power)}}}"
        return text, SUM if mark or text.startswith("-") else ATOM

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
            return rf"{sign}\frac{{{over}}}{{{under}}}", SUM if sign else PRODUCT
        text, own = self.factors(top, ROW_SUM)
        return sign + text, SUM if (sign + text).startswith("-") else own

    def factors(self, args: list[Node], level: int) -> tuple[str, int]:
        """The product of the factors, and how tightly it binds; one alone stands at `level`."""
        if len(args) == 1:
            return self.bound(args[0], level)
        *before, last = args
        levels = [SUM if args[0].is_Number else PRODUCT, *[PRODUCT] * (len(before) - 1)]
        pieces = [self.write(a, k) for a, k in zip(before, levels, strict=True)]
        text, own = self.bound(last, ROW_SUM)
        out = pieces[:1]
        for left, right in zip(before, [*pieces[1:], text], strict=True):
            loose = isinstance(left, Name) or left.is_Number or right.startswith(r"\left(")
            out.append((" " if loose and not right[0].isdigit() else r" \cdot ") + right)
        return "".join(out), min(own, PRODUCT)

    def power(self, node: Node) -> tuple[str, int]:
        base, exponent = node.args
        if is_inverse(node):
            return rf"\frac{{1}}{{{self.write(base)}}}", PRODUCT
        if exponent == sympy.Float(0.5):
            return rf"\sqrt{{{self.write(base)}}}", ATOM
        return f"{self.write(base, ATOM)}^{{{self.write(exponent)}}}", POWER


def latex_name(name: str, index: str = "") -> str:
    r"""A name: theta_1 is \theta_{1}, x2 is x_{2}, long names upright; index: row subscript."""
    array, bracket, place = name.partition("[")
    if bracket and place.endswith("]") and names.is_variable(array):  # an element of an array
        return latex_name(array, escape(place[:-1]))
    head, mark, tail = name.partition("_")
    digits = head[len(head.rstrip("0123456789")) :]
    stem = head[: len(head) - len(digits)] if digits else head
    under = ",".join(filter(None, [digits, escape(tail) if mark else "", index]))
    if stem in _LETTERS:
        core = _greek(stem)
    elif len(stem) == 1 and stem.isalpha() and stem.isascii():
        core = stem
    else:
        return rf"\mathrm{{{escape(name)}}}" + (f"_{{{index}}}" if index else "")
    return f"{core}_{{{under}}}" if under else core


def _greek(spelled: str) -> str:
    upright = spelled[0].isupper() and spelled not in _CAPITALS
    return rf"\mathrm{{{spelled[0]}}}" if upright else rf"\{spelled}"


def escape(text: str) -> str:
    """`text` with LaTeX's special characters escaped."""
    return "".join(_SPECIAL.get(c, c) for c in names.escape(text))
