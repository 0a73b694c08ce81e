"""The report of an Explanation: for the terminal, and as LaTeX."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from textwrap import wrap
from typing import TYPE_CHECKING

from symgd.analysis.verdicts.sentences import factor
from symgd.names import escape
from symgd.report.table import loss_lines, rule_summary, truncated

if TYPE_CHECKING:
    from symgd.analysis.certified.certified_rate import CertifiedRate
    from symgd.analysis.critical.critical_point import CriticalPoint
    from symgd.descent.behavior import Behavior
    from symgd.descent.explain import Explanation
    from symgd.model.loss import Loss

_MOST_ROWS = 4  # of a Hessian that is printed
_ILL_CONDITIONED = 1e4  # one more digit costs ten thousand steps and more
_MOST_MINIMA = 4  # at which the behavior of the rule is reported


def report(
    explanation: Explanation, *, steps: bool = False, width: int = 80, pretty: bool = True
) -> Iterator[str]:
    """The lines of the report. steps: with the steps of the derivation."""
    yield from loss_lines(explanation.loss, pretty=pretty)
    if steps:
        yield from _derivation(explanation)
    yield from _hessian(explanation, width)
    yield ""
    yield from _wrapped([_convexity(explanation)], width)
    yield from _wrapped(explanation.symmetries, width)
    if explanation.critical.points or not explanation.interrupted:
        yield from _wrapped(_critical_points(explanation), width)
    if explanation.below.sentence:
        yield from _wrapped([f"unbounded below: {explanation.below.sentence}"], width)
    if explanation.certified is not None:
        yield ""
        yield from _wrapped([_certified(explanation, explanation.certified)], width)
    if explanation.behaviors:
        yield ""
        yield from rule_summary(explanation.rule, explanation.lr_text, explanation.hyperparameters)
        yield from _wrapped(_behaviors(explanation, explanation.behaviors[:_MOST_MINIMA]), width)
        more = len(explanation.behaviors) - _MOST_MINIMA
        if more > 0:
            yield f"and {more} more minima (--format json has them)"
    if len({f"{value:.4g}" for _, value in explanation.sharpness}) > 1:
        yield ""
        yield from _wrapped([_sharpness(explanation)], width)
    if explanation.interrupted:
        yield ""
        yield explanation.interrupted


def _derivation(explanation: Explanation) -> Iterator[str]:
    if not explanation.derivation:
        return
    yield ""
    for step in explanation.derivation:
        complete = step.text.endswith(f"= {step.result}") or step.result == "..."
        tail = "" if complete else f" = {step.result}"
        yield truncated(f"  {step.text}{tail}    [{step.rule}]")
    yield ""


def _hessian(explanation: Explanation, width: int) -> Iterator[str]:
    names = [escape(n) for n in explanation.loss.params]
    if len(names) > _MOST_ROWS:
        yield f"Hessian: {len(names)} x {len(names)} (--format json has it)"
        return
    rows = explanation.hessian
    if not names:
        return
    if not rows:
        yield f"Hessian: {len(names)} x {len(names)}, too long to write out"
    elif len(rows) == 1:
        yield truncated(f"d2L/d{names[0]}2 = {rows[0][0]}")
    else:
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        if sum(widths) + 2 * len(widths) + 10 > width:
            yield from _upper_triangle(names, rows)
            return
        for k, row in enumerate(rows):
            cells = "  ".join(e.rjust(w) for e, w in zip(row, widths, strict=True))
            yield f"{'Hessian' if not k else '       '} [ {cells} ]"


def _upper_triangle(names: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The upper triangle of a Hessian, a line for each entry."""
    for i, row in enumerate(rows):
        for j in range(i, len(row)):
            below = f"d{names[i]}2" if i == j else f"(d{names[i]} d{names[j]})"
            yield truncated(f"d2L/{below} = {row[j]}")


def _certified(explanation: Explanation, found: CertifiedRate) -> str:
    if found.box is None or found.lr_max is None or found.curvature is None:
        return f"certified rate: {found.why_not}"
    rates = f"0 < lr < {found.lr_max:.4g}" if math.isfinite(found.lr_max) else "lr > 0"
    proven = f"for every {rates} gradient descent lowers the loss at every step"
    parts = "1 box" if found.boxes == 1 else f"{found.boxes:,} boxes"
    if found.everywhere:
        return f"certified: {proven}, from everywhere; curvature <= {found.curvature:.4g} ({parts})"
    sides = ", ".join(
        f"{escape(name)} in [{low:.4g}, {high:.4g}]"
        for name, (low, high) in zip(explanation.loss.params, found.box, strict=True)
    )
    return (
        f"certified: {proven} from the start, and stays in {sides};"
        f" curvature <= {found.curvature:.4g} there ({parts})"
    )


def _sharpness(explanation: Explanation) -> str:
    """The largest curvature at some steps; gradient descent is stable where it is below 2/lr."""
    steps = explanation.sharpness[-1][0]
    values = ", ".join(f"{value:.4g} (t = {t})" for t, value in explanation.sharpness)
    gd = explanation.rule.name == "gd" and explanation.lr is not None
    limit = f"; gd is stable below 2/lr = {2 / explanation.lr:.4g}" if gd and explanation.lr else ""
    return f"sharpness on {steps} steps from the start: {values}{limit}"


def _convexity(explanation: Explanation) -> str:
    convexity = explanation.convexity
    if convexity.convex:
        return f"convex: proved, {convexity.reason}"
    if convexity.convex is None:
        return f"convex: unknown, {convexity.reason}"
    if not convexity.points or not convexity.values:
        return f"not convex: {convexity.reason}"
    a, b = (_point_text(explanation.loss.params, p) for p in convexity.points)
    low, high, middle = (f"{v:.6g}" for v in convexity.values)
    return f"not convex: L = {low} at {a} and {high} at {b}, but {middle} halfway between"


def _point_text(names: Sequence[str], x: Sequence[Fraction | float]) -> str:
    shown = [f"{float(v):.6g}" for v in x]
    if len(names) == 1:
        return f"{escape(names[0])} = {shown[0]}"
    return f"({', '.join(shown[:6])}{', ...' if len(shown) > 6 else ''})"


def _critical_points(explanation: Explanation) -> Iterator[str]:
    critical, loss = explanation.critical, explanation.loss
    methods = {"exact": "exact", "symbolic": "by SymPy", "numeric": "searched numerically"}
    completeness = "all of them" if critical.complete else "there may be others"
    if critical.incomplete:
        yield f"search incomplete: {critical.incomplete}"
    if not critical.points:
        note = critical.note or "; ".join(critical.families) or "none found"
        yield f"critical points: {note}"
        if math.isfinite(explanation.bound) and loss.params:
            where = "everywhere" if loss.internals.box is None else "within the bounds"
            yield f"L >= {explanation.bound:.6g} {where}"
        return
    yield f"critical points ({methods[critical.method]}; {completeness}):"
    kinds = max(len(p.kind) for p in critical.points)
    for point in critical.points:
        yield f"  {point.kind:<{kinds}}  {_critical_point_text(loss.params, point)}"
    for family in critical.families:
        yield f"  {family}"


def _critical_point_text(names: Sequence[str], point: CriticalPoint) -> str:
    pairs = list(zip(names, point.x, strict=True))[:6]
    if len(pairs) == 1 or len(names) <= 3:
        at = [f"{escape(n)} = {_coordinate(point, k)}" for k, (n, _) in enumerate(pairs)]
        point_text = ", ".join(at)
    else:
        point_text = _point_text(names, point.x)
    values = () if point.kinked else point.eigenvalues
    curvature = f"; curvature {_values(values)}" if values else ""
    note = f"; {point.note}" if point.note else ""
    return f"{point_text}: L = {point.value:.6g}{curvature}{_condition(point)}{note}"


def _condition(point: CriticalPoint) -> str:
    """The condition number of a minimum, where it is what makes a descent slow."""
    if point.kind != "minimum" or not point.eigenvalues:
        return ""
    number = point.eigenvalues[-1] / point.eigenvalues[0]
    if number < _ILL_CONDITIONED:
        return ""
    return f"; condition number {number:.3g}: scale or center the parameters or columns"


def _coordinate(point: CriticalPoint, k: int) -> str:
    number = f"{point.x[k]:.6g}"
    exact = point.exact[k] if point.exact else number
    return number if exact == number else f"{exact} = {number}"


def _values(eigenvalues: Sequence[float]) -> str:
    shown = [f"{v:.6g}" for v in eigenvalues]
    return ", ".join(shown) if len(shown) <= 3 else f"{shown[0]} to {shown[-1]}"


def _behaviors(explanation: Explanation, behaviors: Sequence[Behavior]) -> Iterator[str]:
    """The behavior of the rule at the minima; minima with the same behavior share their lines."""
    groups: dict[tuple[str, ...], list[str]] = {}
    for behavior in behaviors:
        point_text = _point_text(explanation.loss.params, behavior.point.x)
        groups.setdefault(tuple(_rate_lines(explanation, behavior)), []).append(point_text)
    for lines, places in groups.items():
        yield f"at the {'minimum' if len(places) == 1 else 'minima'} {' and '.join(places)}:"
        yield from (f"  {line}" for line in lines)


def _rate_lines(explanation: Explanation, behavior: Behavior) -> Iterator[str]:
    rates, measured = behavior.rates, behavior.measured
    if rates.why_not:
        yield f"no predicted factor: {rates.why_not}"
        if measured is not None:
            yield (
                f"measured: {measured.steps} steps with lr = {explanation.lr:.6g} from a distance "
                f"of {measured.before:.3g} end at a distance of {measured.after:.3g}"
            )
        return
    if not rates.stable:
        yield "no learning rate is stable: the rule leads away from the minimum"
    else:
        formula = f" (the limit is {rates.formula})" if rates.formula else ""
        yield f"stable for {_intervals(rates.stable)}{formula}"
    if rates.fastest is not None and rates.best_rate is not None:
        low, high = rates.fastest
        where = f"lr = {rates.best:.6g}"
        if high - low > 1e-6 * high:
            where = f"lr from {low:.6g} to {high:.6g}"
        least = factor(rates.best_rate)
        yield f"fastest: {where}, where each step multiplies the error by {least}"
    if rates.rate is not None:
        digit = rates.steps_per_digit
        cost = f"; one more digit costs {digit:.3g} steps" if digit is not None else ""
        each = f"each step multiplies the error by {factor(rates.rate)}"
        yield f"at lr = {explanation.lr:.6g}: {each}{cost}"


def _intervals(stable: Sequence[tuple[float, float]]) -> str:
    parts = [
        f"{low:.6g} < lr < {high:.6g}" if math.isfinite(high) else f"lr > {low:.6g}"
        for low, high in stable
    ]
    return " and ".join(parts)


def as_latex(explanation: Explanation, *, steps: bool = False) -> Iterator[str]:
    """The report as LaTeX: display mathematics for formulas, text for the rest."""
    from symgd.formula.printing.latex import latex, latex_name  # not needed in the terminal
    from symgd.report.notebook import loss_latex, power_of_ten

    def number(value: float) -> str:
        return power_of_ten(f"{value:.6g}")

    loss = explanation.loss
    yield rf"\[ {loss_latex(loss).strip('$')} \]"
    for name, derivative in _derivatives_in_latex(loss):
        yield rf"\[ \frac{{\partial L}}{{\partial {name}}} = {derivative} \]"
    if steps:
        yield r"\begin{itemize}"
        for step in explanation.derivation:
            [node] = loss.internals.tidy([step.node])
            derivative = rf"\frac{{\partial}}{{\partial {latex_name(step.param)}}}"
            yield rf"\item {step.rule}: ${derivative} \left[ {latex(node)} \right]$"
        yield r"\end{itemize}"
    rows = explanation.hessian_nodes
    if rows:
        body = r" \\ ".join(" & ".join(latex(e) for e in row) for row in rows)
        yield rf"\[ \nabla^2 L = \begin{{pmatrix}} {body} \end{{pmatrix}} \]"
    for point in explanation.critical.points:
        pairs = zip(loss.params, point.x, strict=True)
        point_text = ", ".join(f"{latex_name(n)} = {number(v)}" for n, v in pairs)
        yield rf"\[ \text{{{point.kind}: }} {point_text}, \quad L = {number(point.value)} \]"
    for behavior in explanation.behaviors:
        for low, high in behavior.rates.stable:
            if math.isfinite(high):
                yield rf"\[ {number(low)} < \eta < {number(high)} \]"


def _derivatives_in_latex(loss: Loss) -> Iterator[tuple[str, str]]:
    """The parameters, or one element of each array, and the derivatives."""
    from symgd.formula.printing.latex import latex, latex_name

    if loss.indexed is None:
        tidy = loss.internals.tidy(loss.internals.written_out.derivatives)
        for name, node in zip(loss.params, tidy, strict=True):
            yield latex_name(name), latex(node)
        return
    for name, (node, targets) in loss.indexed.indexed_text.derivatives.items():
        element = ",".join(latex_name(target.text) for target in targets)
        yield latex_name(name, element), latex(node, first=targets)


def _wrapped(lines: Iterable[str], width: int) -> Iterator[str]:
    """The sentences, wrapped between words, with continuations indented by two."""
    for line in lines:
        indent = " " * (len(line) - len(line.lstrip()))
        yield from wrap(
            escape(line.strip()),
            max(width, 40),
            initial_indent=indent,
            subsequent_indent=indent + "  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
