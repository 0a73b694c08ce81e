"""A fit for people: the estimates with their errors, how good the fit is, what to beware of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from symgd.names import counted, escape
from symgd.report.step_table import number
from symgd.report.wrap import folded

if TYPE_CHECKING:
    from symgd.fits.fit_result import FitResult

_USUAL = 80  # columns; in a narrower window columns are stacked
_MOST_CORRELATED = 12  # parameters up to which the matrix of correlations is printed


def report(result: FitResult, *, width: int = 80) -> Iterator[str]:
    """The lines of the whole report; values read back as the same floats.

    width: columns of a window; below 80 no line is longer.
    """
    yield from folded([escape(result.text[:1000])], width)
    yield from _estimates(result, width)
    yield ""
    yield from folded(_goodness(result), width)
    yield from _correlations(result, width)
    yield from folded([escape(result.message)], width)
    yield from folded((f"warning: {sentence}" for sentence in result.warnings), width)


def _estimates(result: FitResult, width: int) -> Iterator[str]:
    rows = [("", "value", "standard error", "")]
    for name, estimate in result.params.items():
        error = "" if estimate.stderr is None else f"+- {estimate.stderr:.6g}"
        note = estimate.held
        if not note and estimate.stderr is not None and estimate.value:
            note = f"({100 * estimate.stderr / abs(estimate.value):.3g} %)"
        rows.append((escape(name), number(estimate.value), error or "unknown", note))
        if estimate.held == "fixed":
            rows[-1] = (escape(name), number(estimate.value), "", "fixed")
    widths = [max(len(row[k]) for row in rows) for k in range(3)]
    lines = [
        f"  {name:<{widths[0]}}  {value:>{widths[1]}}  {error:<{widths[2]}}  {note}".rstrip()
        for name, value, error, note in rows
    ]
    narrow = max(map(len, lines)) > width and width < _USUAL
    yield from _stacked(rows[1:], width) if narrow else lines


def _stacked(rows: Sequence[tuple[str, str, str, str]], width: int) -> Iterator[str]:
    """Each estimate, and below it its error."""
    yield "value and standard error"
    for name, value, error, note in rows:
        yield from folded([f"  {name} = {value}"], width)
        if error or note:
            yield from folded([f"    {error} {note}"], width)


def _goodness(result: FitResult) -> Iterator[str]:
    many = f"{counted(result.n, 'row')}, {counted(result.dof, 'degree')} of freedom"
    weighted = "weighted " if result.weighted else ""
    if result.rss is None:
        mean = f" ({result.factor:,g} times {result.loss / result.factor:.10g})"
        yield f"loss {result.loss:.10g}{mean if result.factor != 1 else ''}; {many}"
    elif result.rss == result.loss:
        yield f"{weighted}residual sum of squares {result.rss:.10g}; {many}"
    else:
        yield f"loss {result.loss:.10g}; {many}"
        yield f"{weighted}residual sum of squares {result.rss:.10g}"
    parts = []
    if result.sigma is not None:
        parts.append(f"residual standard error {result.sigma:.8g}")
    if result.r2 is not None:
        parts.append(f"R² {result.r2:.8g}")
    if result.aic is not None and result.bic is not None:
        parts.append(f"AIC {result.aic:.6g}, BIC {result.bic:.6g}")
    if parts:
        yield "; ".join(parts)
    if result.dropped:
        were = "were" if result.dropped > 1 else "was"
        yield f"{counted(result.dropped, 'row')} with missing cells {were} skipped"
    if result.basis:
        yield f"standard errors: {result.basis}"


def _correlations(result: FitResult, width: int) -> Iterator[str]:
    known = [k for k in range(len(result.names)) if np.isfinite(result.correlation[k, k])]
    if not 1 < len(known) <= _MOST_CORRELATED:
        return
    names = {k: escape(result.names[k]) for k in known}
    wide = max(7, *map(len, names.values()))
    yield "correlations"
    if width < _USUAL and 3 + len(known) * (wide + 1) > width:
        pairs = [(i, j) for place, i in enumerate(known) for j in known[:place]]
        lines = (f"  {names[i]}, {names[j]}: {result.correlation[i, j]:.4f}" for i, j in pairs)
        yield from folded(lines, width)
        return
    for place, i in enumerate(known[1:], 1):
        cells = (f"{result.correlation[i, j]:>{wide}.4f}" for j in known[:place])
        yield f"  {names[i]:<{wide}}  {' '.join(cells)}"
    yield f"  {'':<{wide}}  {' '.join(f'{names[k]:>{wide}}' for k in known[:-1])}"
