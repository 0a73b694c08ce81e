"""A fit as it is published: value and error to the same digit, tables in LaTeX and Markdown.

An error is rounded to two significant digits, its value to the same place: 2.6004(71) is 2.6004
with the standard error 0.0071 (Evaluation of measurement data, JCGM 100:2008, 7.2.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from symgd.fits.fit_result import Estimate, FitResult
from symgd.formula.printing.latex import latex_name
from symgd.names import escape
from symgd.report.step_table import float_text

Interval = tuple[float | None, float | None]


class Rounded(NamedTuple):
    """A value and its error with the same number of decimals, both times 10**exponent."""

    value: str
    error: str
    exponent: int = 0

    @property
    def short(self) -> str:
        """2.6004(71), or 2.6004(71)e-12."""
        digits = self.error.replace(".", "").lstrip("0")
        return f"{self.value}({digits})" + (f"e{self.exponent}" if self.exponent else "")


def rounded(estimate: Estimate) -> Rounded | None:
    """The estimate with its error; None where it has none."""
    value, error = estimate.value, estimate.stderr
    if not error or not math.isfinite(error) or not math.isfinite(value):
        return None
    decimals = decimals_of(error)
    exponent = math.floor(math.log10(max(abs(value), error)))
    if -5 < exponent < 6 or 0 <= decimals <= 6:
        exponent = 0
    places = decimals + exponent
    scale = 10.0**-exponent if exponent else 1.0
    return Rounded(fixed(value * scale, places), fixed(error * scale, places), exponent)


def decimals_of(error: float) -> int:
    """The decimals with which an error has two significant digits."""
    exponent = int(f"{error:.1e}".partition("e")[2])
    return 1 - exponent


def fixed(value: float, decimals: int) -> str:
    """The value with so many decimals; negative: rounded to tens, hundreds, .."""
    return f"{round(value, decimals):.{max(0, decimals)}f}"


def interval_text(interval: Interval, error: float | None) -> str:
    """[2.586, 2.615], one digit finer than the error's first."""
    decimals = 6 if not error or not math.isfinite(error) else decimals_of(error)

    def end(value: float | None) -> str:
        if value is None or not math.isfinite(value):
            return "open"
        small = value != 0 and not 1e-5 < abs(value) < 1e12
        return f"{value:.4g}" if small or not error else fixed(value, decimals)

    return f"[{end(interval[0])}, {end(interval[1])}]"


def as_latex(result: FitResult, intervals: Mapping[str, Interval]) -> Iterator[str]:
    """A table for a paper; it needs no package."""
    yield r"\begin{tabular}{lll}"
    yield r"\hline"
    yield r"parameter & value & 95\,\% interval \\"
    yield r"\hline"
    for name, estimate in result.params.items():
        short = rounded(estimate)
        value = float_text(estimate.value) if short is None else short._replace(exponent=0).short
        power = rf" \times 10^{{{short.exponent}}}" if short is not None and short.exponent else ""
        between = _between(intervals, name, estimate)
        cells = f"${value}{power}$", f"${between}$" if between else estimate.held
        yield rf"${latex_name(name)}$ & {cells[0]} & {cells[1]} \\"
    yield r"\hline"
    yield rf"\multicolumn{{3}}{{l}}{{{'; '.join(_facts(result, latex=True))}}} \\"
    yield r"\hline"
    yield r"\end{tabular}"


def as_markdown(result: FitResult, intervals: Mapping[str, Interval]) -> Iterator[str]:
    """A table for a page."""
    yield "| parameter | value | 95 % interval |"
    yield "|---|---|---|"
    for name, estimate in result.params.items():
        short = rounded(estimate)
        value = float_text(estimate.value) if short is None else short.short
        shown = escape(name).replace("|", "\\|")
        yield f"| {shown} | {value} | {_between(intervals, name, estimate) or estimate.held} |"
    yield ""
    yield "; ".join(_facts(result, latex=False))


def _between(intervals: Mapping[str, Interval], name: str, estimate: Estimate) -> str:
    return interval_text(intervals[name], estimate.stderr) if name in intervals else ""


def _facts(result: FitResult, latex: bool) -> list[str]:
    facts = [f"{result.n} rows", f"{result.dof} degrees of freedom"]
    if result.reduced_chi2 is not None:
        symbol = r"$\chi^2_\nu = " if latex else "reduced χ² "
        facts.append(f"{symbol}{result.reduced_chi2:.4g}" + "$" * latex)
    if result.r2 is not None:
        facts.append(f"$R^2 = {result.r2:.5g}$" if latex else f"R² {result.r2:.5g}")
    return facts
