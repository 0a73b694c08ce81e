"""How losses, rules and results are shown in a notebook, beyond what each can draw by itself."""

from __future__ import annotations

import html
import math
from typing import TYPE_CHECKING

from symgd.formula.printing.latex import latex_name

if TYPE_CHECKING:
    from symgd.model.loss import Loss
    from symgd.model.result import Result
    from symgd.model.rules import Rule

_WIDE, _HIGH = 8.5, 20  # pixels of a character and of a line


def loss_html(loss: Loss) -> str:
    """The formula, which a notebook typesets, above its sketch where there is one."""
    return f"<div>{html.escape(loss._repr_latex_())}{loss._repr_svg_() or ''}</div>"


def rule_html(rule: Rule) -> str:
    """The equations, which a notebook typesets."""
    return f"<div>{html.escape(rule._repr_latex_())}</div>"


def rule_svg(rule: Rule) -> str:
    """The equations as they are typed, line by line."""
    lines = [line.strip() for line in str(rule).replace(";", "\n").splitlines() if line.strip()]
    width, height = _WIDE * max(map(len, lines)) + 20, _HIGH * len(lines) + 12
    rows = "".join(
        f'<text x="10" y="{_HIGH * (k + 1)}">{html.escape(line)}</text>'
        for k, line in enumerate(lines)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height}" '
        f'font-family="monospace" font-size="14"><title>{html.escape(rule.name)}</title>'
        f'<rect width="100%" height="100%" fill="white"/>{rows}</svg>'
    )


def result_latex(result: Result) -> str:
    """Where the run ended."""
    rows = [rf"{latex_name(name)} &= {_number(value)}" for name, value in result.theta.items()]
    rows += [rf"L &= {_number(result.value)}", rf"\text{{steps}} &= {result.steps}"]
    body = r" \\ ".join(rows)
    return rf"$$\begin{{aligned}} {body} \end{{aligned}}$$"


def _number(value: float) -> str:
    if not math.isfinite(value):
        return r"\text{nan}" if value != value else (r"\infty" if value > 0 else r"-\infty")
    digits, _, power = repr(float(value)).partition("e")
    return rf"{digits} \cdot 10^{{{int(power)}}}" if power else digits
