"""What symgd shows of a formula means the formula: its echo, gradient texts, LaTeX and SymPy."""

from __future__ import annotations

import re
from typing import Any

import sympy
from mpmath import mp

import symgd
from tests.formula.latex_reader import Reader

from . import subject
from .case import Case
from .compare import Disagreement, Tally, compare, judge
from .oracle import Point, evaluate, rounding_spread
from .tree import Tree, num

_IN_LATEX = {n: ("name", n) for n in "xyzabNE"} | {
    r"\theta": ("name", "theta"), r"\lambda": ("name", "lambda"), r"\alpha": ("name", "alpha"),
    "w_{1}": ("name", "w_1"), r"\pi": ("constant", "pi"), "e": ("constant", "e"),
}  # fmt: skip
_LOOSE = 1e-9  # relative: a text is computed in another order than what it shows


def typed_again(case: Case, tally: Tally) -> Disagreement | None:
    """The echo of the formula, plain and pretty, typed again."""
    for pretty in (False, True):
        text = subject.loss_of(case).read_as(pretty).partition(" = ")[2]
        if "…" in text:
            continue
        found = _value("echo", text, case.point)
        if isinstance(found, Disagreement):
            return found
        wrong = compare("echo", case, [found], tally)
        if wrong is not None:
            return wrong
    return None


def gradient_texts(case: Case, tally: Tally) -> Disagreement | None:
    """The texts of the gradient, typed again, are the gradient."""
    answer = case.answer
    if answer.order < 1 or answer.left_range:
        return None
    for k, p in enumerate(case.point.params):
        text = subject.loss_of(case).gradient_text()[p]
        if "…" in text:
            continue
        if _reads_no_data(text, case.point):
            continue
        found = _value("gradient text", text, case.point)
        if isinstance(found, Disagreement):
            return found

        def spread() -> list[object]:
            return rounding_spread(case.tree, case.point, answer)

        got = {f"{text}": (found, k + 1)}
        wrong = judge("gradient text", got, answer.numbers, spread, tally, _LOOSE)
        if wrong is not None:
            return wrong
    return None


def latex(case: Case, tally: Tally) -> Disagreement | None:
    """The LaTeX of the formula, read by a reader of its own, has the same value at 60 digits."""
    if case.point.columns or case.answer.order < 0 or case.answer.reason:
        return None
    text = subject.loss_of(case)._repr_latex_().strip("$").partition(" = ")[2]
    if "\\ldots" in text:
        return None
    tree = _tree(Reader(text, _IN_LATEX).formula())
    found = evaluate(tree, case.point, 0)
    want = case.answer.numbers[0]
    if found.order < 0 or abs(found.numbers[0] - want) > mp.mpf(10) ** -40 * (1 + abs(want)):
        got = mp.nstr(found.numbers[0], 20) if found.numbers else found.reason
        return Disagreement("latex", text, got, mp.nstr(want, 20))
    tally["agree"] += 1
    return None


def _tree(read: tuple[Any, ...]) -> Tree:
    """The tree of what the reader of LaTeX has read."""
    op, *args = read
    if op in ("name", "constant"):
        return Tree(op, (), args[0])
    if op == "number":
        return num(float(args[0]))
    inner = tuple(map(_tree, args))
    spelled = {"^": "**"}.get(op, op.replace("\\_", "_"))
    return Tree("neg" if op == "-" and len(inner) == 1 else spelled, inner)


def sympy_again(case: Case, tally: Tally) -> Disagreement | None:
    """The loss made from the loss's own SymPy expression has the same value."""
    if case.point.columns:
        return None
    point = case.point
    expr = subject.loss_of(case).expr
    if expr.has(sympy.zoo, sympy.nan, sympy.oo):  # SymPy folds coth(x - x)
        return None
    loss = symgd.Loss(expr)
    here = {n: v for n, v in point.params.items() if n in loss.params}
    return compare("sympy", case, [float(loss.value_and_grad(here)[0])], tally, _LOOSE)


def _value(check: str, text: str, point: Point) -> float | Disagreement:
    try:
        loss = subject.load(text, point if _columns_in(text, point) else Point(point.params))
    except symgd.FormulaError as error:
        return Disagreement(check, text, str(error).split("\n")[0], "can be typed again")
    here = {n: v for n, v in point.params.items() if n in loss.params}
    return float(loss.value_and_grad(here)[0])


def _columns_in(text: str, point: Point) -> bool:
    """Whether the text holds a column."""
    return not set(re.findall(r"[a-z_]+", text)).isdisjoint(point.columns or ())


def _reads_no_data(text: str, point: Point) -> bool:
    """Whether it has sums, but no column: sum(1). symgd refuses it, as it would typing errors."""
    sums = not {"sum", "mean"}.isdisjoint(re.findall(r"\w+", text))
    return sums and not _columns_in(text, point)
