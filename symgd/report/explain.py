"""An Explanation for people: in the terminal, and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from fractions import Fraction
from textwrap import wrap
from typing import TYPE_CHECKING

from symgd.names import escape
from symgd.report.notebook import loss_latex
from symgd.report.table import rule_lines
from symgd.report.wrap import folded

if TYPE_CHECKING:
    from symgd.analysis.critical_point import CriticalPoint
    from symgd.descent.explain import Behavior, Explanation

_MOST_GRADIENTS = 8  # partial derivatives that are listed
_MOST_ROWS = 4  # of a Hessian that is drawn
_MOST_MINIMA = 4  # that the rule is told about
_MOST_CHARACTERS = 1000


def report(
    found: Explanation, *, steps: bool = False, width: int = 80, pretty: bool = True
) -> Iterator[str]:
    """The lines of the whole explanation. steps: with the derivation."""
    loss = found.loss
    yield from folded([_cut(loss.read_as(pretty=pretty)), *_gradient(found)], width)
    if steps:
        yield from folded(_derivation(found), width)
    yield from folded(_hessian(found, width), width)
    yield ""
    yield from _wrapped(_convex(found), width)
    yield from _critical(found, width)
    if found.behaviors:
        yield ""
        lines = rule_lines(found.rule, found.lr_text, found.hyperparameters)
        yield from folded(lines, width)
        yield from _behaviors(found, found.behaviors[:_MOST_MINIMA], width)
        if len(found.behaviors) > _MOST_MINIMA:
            yield f"and {len(found.behaviors) - _MOST_MINIMA} more minima (--format json has them)"


def _gradient(found: Explanation) -> Iterator[str]:
    if len(found.loss.params) > _MOST_GRADIENTS:
        yield f"gradient: {len(found.loss.params)} partial derivatives (--format json has them)"
        return
    for name, derivative in found.gradient.items():
        yield _cut(f"dL/d{name} = {derivative}")


def _derivation(found: Explanation) -> Iterator[str]:
    if found.derivation:
        yield ""
    for step in found.derivation:
        told = step.text.endswith(f"= {step.result}") or step.result == "..."
        tail = "" if told else f" = {step.result}"
        yield _cut(f"  {step.text}{tail}    [{step.rule}]")
    if found.derivation:
        yield ""


def _hessian(found: Explanation, width: int) -> Iterator[str]:
    names = [escape(n) for n in found.loss.params]
    if len(names) > _MOST_ROWS:
        yield f"Hessian: {len(names)} x {len(names)} (--format json has it)"
        return
    rows = found.hessian
    if not names:
        return
    if not rows:
        yield f"Hessian: {len(names)} x {len(names)}, too long to write out"
    elif len(rows) == 1:
        yield _cut(f"d2L/d{names[0]}2 = {rows[0][0]}")
    else:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * len(widths) + 10 > width:
            yield from _entries(names, rows)
            return
        for k, row in enumerate(rows):
            cells = "  ".join(e.rjust(w) for e, w in zip(row, widths, strict=True))
            yield f"{'Hessian' if not k else '       '} [ {cells} ]"


def _entries(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The upper triangle of a Hessian, a line for each entry."""
    for i, row in enumerate(rows):
        for j in range(i, len(row)):
            below = f"d{names[i]}2" if i == j else f"(d{names[i]} d{names[j]})"
            yield _cut(f"d2L/{below} = {row[j]}")


def _convex(found: Explanation) -> str:
    told = found.convexity
    if told.convex:
        return f"convex: proved, {told.reason}"
    if told.convex is None:
        return f"convex: unknown, {told.reason}"
    if not told.points or not told.values:
        return f"not convex: {told.reason}"
    a, b = (_place(found.loss.params, p) for p in told.points)
    low, high, middle = (f"{v:.6g}" for v in told.values)
    return f"not convex: L = {low} at {a} and {high} at {b}, but {middle} halfway between"


def _place(names: Sequence[str], x: Sequence[Fraction | float]) -> str:
    shown = [f"{float(v):.6g}" for v in x]
    if len(names) == 1:
        return f"{escape(names[0])} = {shown[0]}"
    return f"({', '.join(shown[:6])}{', ...' if len(shown) > 6 else ''})"


def _critical(found: Explanation, width: int) -> Iterator[str]:
    critical, loss = found.critical, found.loss
    how = {"exact": "exact", "symbolic": "by SymPy", "numeric": "searched numerically"}
    whole = "all of them" if critical.complete else "there may be others"
    if not critical.points:
        note = critical.note or "; ".join(critical.families) or "none found"
        yield from _wrapped(f"critical points: {note}", width)
        if math.isfinite(found.bound) and loss.params:
            yield f"L >= {found.bound:.6g} everywhere"
        return
    yield from _wrapped(f"critical points ({how[critical.method]}; {whole}):", width)
    kinds = max(len(p.kind) for p in critical.points)
    for point in critical.points:
        yield from _wrapped(f"  {point.kind:<{kinds}}  {_point(loss.params, point)}", width, 4)
    for family in critical.families:
        yield from _wrapped(f"  {family}", width, 4)


def _point(names: Sequence[str], point: CriticalPoint) -> str:
    pairs = list(zip(names, point.x, strict=True))[:6]
    if len(pairs) == 1 or len(names) <= 3:
        at = [f"{escape(n)} = {_coordinate(point, k)}" for k, (n, _) in enumerate(pairs)]
        place = ", ".join(at)
    else:
        place = _place(names, point.x)
    bends = "" if point.kinked else f"; curvature {_values(point.eigenvalues)}"
    note = f"; {point.note}" if point.note else ""
    return f"{place}: L = {point.value:.6g}{bends}{note}"


def _coordinate(point: CriticalPoint, k: int) -> str:
    number = f"{point.x[k]:.6g}"
    if point.exact and point.exact[k] != number:
        return f"{point.exact[k]} = {number}"
    return number


def _values(eigenvalues: Sequence[float]) -> str:
    shown = [f"{v:.6g}" for v in eigenvalues]
    if len(shown) <= 3:
        return ", ".join(shown)
    return f"{shown[0]} to {shown[-1]}"


def _behaviors(found: Explanation, behaviors: Sequence[Behavior], width: int) -> Iterator[str]:
    """What the rule does at the minima; those where it does the same are told together."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for one in behaviors:
        place = _place(found.loss.params, one.point.x)
        groups.setdefault(tuple(_rates(found, one)), []).append(place)
    for lines, places in groups.items():
        word = "minimum" if len(places) == 1 else "minima"
        yield from _wrapped(f"at the {word} {' and '.join(places)}:", width)
        for line in lines:
            yield from _wrapped(f"  {line}", width, 4)


def _rates(found: Explanation, behavior: Behavior) -> Iterator[str]:
    told, measured = behavior.rates, behavior.measured
    if told.why_not:
        yield f"no predicted factor: {told.why_not}"
        if measured is not None:
            yield (
                f"measured: {measured.steps} steps with lr = {found.lr:.6g} from a distance of "
                f"{measured.before:.3g} end at a distance of {measured.after:.3g}"
            )
        return
    if not told.stable:
        yield "no learning rate is stable: the rule leads away from the minimum"
    else:
        formula = f" (the limit is {told.formula})" if told.formula else ""
        yield f"stable for {_intervals(told.stable)}{formula}"
    if told.fastest is not None and told.best_rate is not None:
        low, high = told.fastest
        where = f"lr = {told.best:.6g}"
        if high - low > 1e-6 * high:
            where = f"lr from {low:.6g} to {high:.6g}"
        yield f"fastest: {where}, where each step multiplies the error by {told.best_rate:.6g}"
    if told.rate is not None:
        digit = told.steps_per_digit
        cost = f"; one more digit costs {digit:.3g} steps" if digit is not None else ""
        yield f"at lr = {found.lr:.6g}: each step multiplies the error by {told.rate:.6g}{cost}"


def _intervals(stable: Sequence[tuple[float, float]]) -> str:
    parts = [
        f"{low:.6g} < lr < {high:.6g}" if math.isfinite(high) else f"lr > {low:.6g}"
        for low, high in stable
    ]
    return " and ".join(parts)


def as_latex(found: Explanation, *, steps: bool = False) -> Iterator[str]:
    """The same as LaTeX: display mathematics for formulas, text for the rest."""
    from symgd.formula.printing.latex import latex  # what the terminal does without
    from symgd.formula.printing.latex_names import latex_name

    loss = found.loss
    yield rf"\[ {loss_latex(loss).strip('$')} \]"
    tidy = loss.internals.tidy(loss.internals.written_out.derivatives)
    for name, node in zip(loss.params, tidy, strict=True):
        yield rf"\[ \frac{{\partial L}}{{\partial {latex_name(name)}}} = {latex(node)} \]"
    if steps:
        yield r"\begin{itemize}"
        for step in found.derivation:
            [node] = loss.internals.tidy([step.node])
            slope = rf"\frac{{\partial}}{{\partial {latex_name(step.param)}}}"
            yield rf"\item {step.rule}: ${slope} {_bracket(latex(node))}$"
        yield r"\end{itemize}"
    rows = found.hessian_nodes
    if rows:
        body = r" \\ ".join(" & ".join(latex(e) for e in row) for row in rows)
        yield rf"\[ \nabla^2 L = \begin{{pmatrix}} {body} \end{{pmatrix}} \]"
    for point in found.critical.points:
        pairs = zip(loss.params, point.x, strict=True)
        place = ", ".join(f"{latex_name(n)} = {_number(v)}" for n, v in pairs)
        yield rf"\[ \text{{{point.kind}: }} {place}, \quad L = {_number(point.value)} \]"
    for behavior in found.behaviors:
        for low, high in behavior.rates.stable:
            if math.isfinite(high):
                yield rf"\[ {_number(low)} < \eta < {_number(high)} \]"


def _bracket(text: str) -> str:
    return rf"\left[ {text} \right]"


def _number(value: float) -> str:
    digits, mark, power = f"{value:.6g}".partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if mark else digits


def _wrapped(text: str, width: int, indent: int = 2) -> list[str]:
    lead = len(text) - len(text.lstrip())
    return wrap(
        escape(text.strip()),
        max(width, 40),
        initial_indent=" " * lead,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _cut(text: str) -> str:
    text = escape(text)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]} ... ({len(text):,} characters in all)"
