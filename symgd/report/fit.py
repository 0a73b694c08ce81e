"""The report of a fit: estimates with standard errors, goodness of fit, warnings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from symgd._numpy import np
from symgd.fits.fit_result import FitResult
from symgd.names import counted, escape
from symgd.report.published import Interval, interval_text, rounded
from symgd.report.step_table import float_text

_WIDTH = 80  # columns of a line
_MOST_CORRELATED = 12  # parameters up to which the matrix of correlations is printed


def report(
    result: FitResult, intervals: Mapping[str, Interval] | None = None, profiled: bool = False
) -> Iterator[str]:
    """The lines of the report; values and errors to the same digit.

    intervals: of 95 %, by parameter; None: value ± t*stderr. profiled: whether they are profiles.
    """
    yield escape(result.text[:1000])
    between = result.intervals() if intervals is None else intervals
    yield from _estimates(result, between, "95 % profile" if profiled else "95 % interval")
    yield ""
    yield from _goodness_of_fit(result)
    yield from _correlations(result)
    yield escape(result.message)
    for sentence in result.warnings:
        yield f"warning: {sentence}"


def _estimates(result: FitResult, intervals: Mapping[str, Interval], title: str) -> Iterator[str]:
    rows = [("", "value", "standard error", title, "")]
    for name, estimate in result.params.items():
        short = rounded(estimate)
        error, note, between = "" if estimate.held == "fixed" else "unknown", estimate.held, ""
        value = float_text(estimate.value)
        if short is not None and estimate.stderr is not None:
            power = f"e{short.exponent}" if short.exponent else ""
            value, error = short.value + power, f"+- {short.error}{power}"
            if estimate.value:
                percent = 100 * estimate.stderr / abs(estimate.value)
                error += f" ({percent:.{2 if percent < 99.5 else 4}g} %)"
        if name in intervals and not (estimate.held and estimate.stderr is None):
            between = interval_text(intervals[name], estimate.stderr)
        rows.append((escape(name), value, error, between, note))
    widths = [max(len(row[k]) for row in rows) for k in range(4)]
    for name, value, error, between, note in rows:
        line = f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {error:<{widths[2]}}"
        yield f"{line}  {between:<{widths[3]}}  {note}".rstrip()


def _goodness_of_fit(result: FitResult) -> Iterator[str]:
    counts = f"{counted(result.n, 'row')}, {counted(result.dof, 'degree')} of freedom"
    weighted = "weighted " if result.weighted else ""
    if result.rss is None:
        mean = f" ({result.factor:,g} times {result.loss / result.factor:.10g})"
        yield f"loss {result.loss:.10g}{mean if result.factor != 1 else ''}; {counts}"
    elif result.rss == result.loss:
        yield f"{weighted}residual sum of squares {result.rss:.10g}; {counts}"
    else:
        yield f"loss {result.loss:.10g}; {counts}"
        yield f"{weighted}residual sum of squares {result.rss:.10g}"
    parts = []
    if result.sigma is not None:
        parts.append(f"residual standard error {result.sigma:.8g}")
        parts.append(f"reduced χ² {result.reduced_chi2:.6g}")
    if result.r2 is not None:
        parts.append(f"R² {result.r2:.8g}")
    if result.aic is not None and result.bic is not None:
        parts.append(f"AIC {result.aic:.6g}, BIC {result.bic:.6g}")
    while parts:
        count = len(parts)
        while count > 1 and len("; ".join(parts[:count])) > _WIDTH:
            count -= 1
        yield "; ".join(parts[:count])
        parts = parts[count:]
    if result.dropped:
        were = "were" if result.dropped > 1 else "was"
        yield f"{counted(result.dropped, 'row')} with missing cells {were} skipped"
    if result.basis:
        yield f"standard errors: {result.basis}"


def _correlations(result: FitResult) -> Iterator[str]:
    known = [k for k in range(len(result.names)) if np.isfinite(result.correlation[k, k])]
    if not 1 < len(known) <= _MOST_CORRELATED:
        return
    names = {k: escape(result.names[k]) for k in known}
    cell_width = max(7, *map(len, names.values()))
    yield "correlations"
    for place, i in enumerate(known[1:], 1):
        cells = (f"{result.correlation[i, j]:>{cell_width}.4f}" for j in known[:place])
        yield f"  {names[i]:<{cell_width}}  {' '.join(cells)}"
    yield f"  {'':<{cell_width}}  {' '.join(f'{names[k]:>{cell_width}}' for k in known[:-1])}"
