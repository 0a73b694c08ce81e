"""Representations of losses, rules and results in notebooks: HTML, LaTeX, SVG."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from symgd.formula.printing.latex import latex, latex_name
from symgd.names import escape
from symgd.report.compare import rate_text, rule_name
from symgd.report.markup import markup, markup_lines
from symgd.report.table import parameter_rows

if TYPE_CHECKING:
    from symgd.descent.compare import Comparison
    from symgd.descent.explain import Explanation
    from symgd.descent.sweep import Sweep
    from symgd.fits.fit_result import FitResult
    from symgd.model.loss import Loss
    from symgd.model.result import Result
    from symgd.model.rules import Rule

_MOST_ROWS = 50  # of a table of runs
_MONOSPACED = "font-family: monospace; line-height: 1.25; white-space: pre"
_BESIDE = "display: flex; flex-wrap: wrap; gap: 1em; align-items: flex-start"
_CHARACTER_WIDTH, _LINE_HEIGHT = 8.5, 20  # pixels of a character and of a line


def text_html(result: object) -> str:
    """The report of the terminal, in a monospaced font, its columns aligned."""
    return f'<pre style="{_MONOSPACED}">{markup_lines(str(result))}</pre>'


def explanation_html(explanation: Explanation) -> str:
    """The report beside the curve or the map of the loss."""
    return _beside(text_html(explanation), explanation.loss._repr_svg_())


def comparison_html(comparison: Comparison) -> str:
    """The table beside a sketch of the run that ends lowest."""
    ends = [(run.value, k) for k, run in enumerate(comparison.runs) if not math.isnan(run.value)]
    sketch = comparison.runs[min(ends)[1]]._repr_svg_() if ends and not comparison.ranged else None
    return _beside(text_html(comparison), sketch)


def comparison_latex(comparison: Comparison) -> str:
    """The runs as an array: rule, rate, final loss, verdict."""
    rows = [
        rf"\text{{{_latex_text(rule_name(run))}}} & \text{{{_latex_text(rate_text(run))}}} & "
        rf"{_number(float(f'{run.value:.4g}'))} & \text{{{_latex_text(run.verdict.kind)}}}"
        for run in comparison.runs[:_MOST_ROWS]
    ]
    head = r"\text{rule} & \text{lr} & L & \text{verdict}"
    body = r" \\ ".join([head, r"\hline " + rows[0], *rows[1:]] if rows else [head])
    return rf"$$\begin{{array}}{{llrl}} {body} \end{{array}}$$"


def sweep_latex(sweep: Sweep) -> str:
    """The formula that was swept."""
    return loss_latex(sweep.loss)


def fit_latex(result: FitResult) -> str:
    """The estimates with their standard errors."""
    rows = []
    for name, estimate in result.params.items():
        value = _number(float(f"{estimate.value:.6g}"))
        error = (
            "" if estimate.stderr is None else rf" \pm {_number(float(f'{estimate.stderr:.2g}'))}"
        )
        rows.append(rf"{latex_name(name)} &= {value}{error}")
    return _aligned(rows)


def loss_latex(loss: Loss) -> str:
    """The formula as an equation."""
    shown = loss.indexed or loss
    root = shown.internals.root if shown.arrays is None else shown.arrays.formula.root
    args = ", ".join(map(latex_name, shown.params))
    return rf"$$L\left({args}\right) = {latex(root)}$$"


def loss_html(loss: Loss) -> str:
    """The formula, which a notebook typesets, above its curve if there is one."""
    return f"<div>{markup(loss_latex(loss))}{loss._repr_svg_() or ''}</div>"


def explanation_latex(explanation: Explanation) -> str:
    """The explained formula."""
    return loss_latex(explanation.loss)


def rule_latex(rule: Rule) -> str:
    """The equations, one per line."""
    lines = [*rule.content.initial.values(), *rule.lines]
    rows = [rf"{latex_name(n.target)} &\leftarrow {latex(n.formula.root)}" for n in lines]
    if rule.reported is not None:
        rows.append(rf"\text{{report}} &\quad {latex(rule.reported.root)}")
    return _aligned(rows)


def rule_html(rule: Rule) -> str:
    """The equations, which a notebook typesets."""
    return f"<div>{markup(rule_latex(rule))}</div>"


def rule_svg(rule: Rule) -> str:
    """The equations as typed, line by line."""
    lines = [line.strip() for line in str(rule).replace(";", "\n").splitlines() if line.strip()]
    width, height = _CHARACTER_WIDTH * max(map(len, lines)) + 20, _LINE_HEIGHT * len(lines) + 12
    rows = "".join(
        f'<text x="10" y="{_LINE_HEIGHT * (k + 1)}">{markup(line)}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'font-family="monospace" font-size="14"><title>{markup(rule.name)}</title>'
        f'<rect width="100%" height="100%" fill="white"/>{rows}</svg>'
    )


def result_latex(result: Result) -> str:
    """The end of the run."""
    known = result.theta
    rows = [
        rf"{latex_name(name)} &= {_number(known[name])}"
        if name in known and not getattr(known[name], "shape", ())
        else rf"\text{{{markup(name)}}} &= \text{{{markup(value)}}}"
        for name, value in parameter_rows(known)
    ]
    rows += [rf"L &= {_number(result.value)}", rf"\text{{steps}} &= {result.steps}"]
    return _aligned(rows)


def result_html(result: Result) -> str:
    """The end of the run and the verdict as a table."""
    rows = [("status", result.status.value), ("steps", str(result.steps))]
    rows += parameter_rows(result.theta)
    rows += [("loss", repr(result.value)), ("verdict", result.verdict.sentence)]
    rows += [("advice", result.verdict.advice)] if result.verdict.advice else []
    return _beside(_table(result.loss.text[:200], [], rows), result._repr_svg_())


def fit_html(result: FitResult) -> str:
    """The estimates and their standard errors as a table."""
    rows = [(name, repr(e.value), repr(e.stderr)) for name, e in result.params.items()]
    head = ["", "value", "standard error"]
    return _table(f"{result.text[:200]} ({result.status.value})", head, rows)


def _beside(left: str, svg: str | None) -> str:
    """A table and its sketch, side by side where there is room."""
    return f'<div style="{_BESIDE}"><div>{left}</div>{svg or ""}</div>'


def _latex_text(text: str) -> str:
    r"""A text inside \text{...}."""
    return re.sub(r"([\\{}$&#%_^~])", lambda m: _LATEX.get(m[1], "\\" + m[1]), escape(text))


_LATEX = {"\\": r"\backslash ", "^": r"\hat{}", "~": r"\sim "}


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose rows are headed by their first cell; all texts are escaped."""
    top = "".join(f"<th>{markup(cell)}</th>" for cell in head)
    lines = [f"<tr>{top}</tr>"] if head else []
    for first, *cells in rows:
        data = "".join(f"<td>{markup(cell)}</td>" for cell in cells)
        lines.append(f"<tr><th>{markup(first)}</th>{data}</tr>")
    return f"<table><caption>{markup(caption)}</caption>{''.join(lines)}</table>"


def _aligned(rows: Iterable[str]) -> str:
    body = r" \\ ".join(rows)
    return rf"$$\begin{{aligned}} {body} \end{{aligned}}$$"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return r"\text{nan}" if value != value else (r"\infty" if value > 0 else r"-\infty")
    return power_of_ten(repr(float(value)))


def power_of_ten(number: str) -> str:
    """The LaTeX of a finite number as Python writes it: 1e-05 as a power of ten."""
    digits, _, power = number.partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
