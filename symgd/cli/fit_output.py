"""What `symgd fit` prints: the result, its rows, or predictions, in each format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from symgd.cli.formats import Format
from symgd.errors import ArgumentError
from symgd.fits.fit_result import FitResult
from symgd.model.checks import finite_or_none
from symgd.report import published
from symgd.report.export import dump, record
from symgd.report.fit import report
from symgd.report.step_table import float_text


def result_lines(result: FitResult, kind: Format, profiled: bool) -> Iterable[str]:
    """The result. profiled: its intervals are those of profiles."""
    intervals: Mapping[str, published.Interval] = result.intervals()
    if profiled:
        found = {name: result.profile(name) for name in result.names}
        intervals = {**intervals, **{name: (p.low, p.high) for name, p in found.items()}}
    if kind is Format.table:
        return report(result, intervals, profiled)
    if kind is Format.latex:
        return published.as_latex(result, intervals)
    if kind is Format.markdown:
        return published.as_markdown(result, intervals)
    if kind is Format.plain:
        return [" ".join(float_text(value) for value in result.theta.values())]
    if kind is Format.csv:
        nowhere = (None, None)
        rows = [
            record([name, e.value, e.stderr, *intervals.get(name, nowhere)])
            for name, e in result.params.items()
        ]
        return ["name,value,stderr,low,high", *rows]
    source = "profile" if profiled else "stderr"
    described = {"level": 0.95, "from": source, "params": dict(intervals)}
    data = result.to_dict() | {"intervals": described}
    return [dump(finite_or_none(data))]


def prediction_lines(result: FitResult, data: str, kind: Format) -> Iterable[str]:
    """The model at the rows of a file; as a table of numbers with its bands of 95 %."""
    values = result.predict(data).tolist()
    if kind in (Format.table, Format.plain):
        return map(float_text, values)
    columns: dict[str, Any] = {"predicted": values}
    for name, band in (("confidence", result.band), ("prediction", result.prediction_band)):
        try:
            low, high = band(data)
        except ArgumentError:  # a new observation has no weight
            continue
        columns |= {f"{name}_low": low.tolist(), f"{name}_high": high.tolist()}
    return _columns(columns, kind)


def row_lines(result: FitResult, kind: Format) -> Iterable[str]:
    """A line for each row of the data: its columns, residual and influence."""
    columns = {name: values.tolist() for name, values in result.rows().items()}
    return _columns(columns, kind)


def _columns(columns: Mapping[str, list[float]], kind: Format) -> Iterator[str]:
    rows = list(zip(*columns.values(), strict=True))
    if kind is Format.json:
        yield dump(finite_or_none(dict(columns)))
    elif kind is Format.jsonl:
        yield from (dump(finite_or_none(dict(zip(columns, row, strict=True)))) for row in rows)
    elif kind is Format.csv:
        yield record(list(columns))
        yield from (record(list(row)) for row in rows)
    elif kind is Format.markdown:
        yield f"| {' | '.join(columns)} |"
        yield "|---" * len(columns) + "|"
        yield from (f"| {' | '.join(f'{v:.6g}' for v in row)} |" for row in rows)
    elif kind is Format.latex:
        yield from (" & ".join(f"{v:.6g}" for v in row) + r" \\" for row in rows)
    else:
        yield " ".join(f"{name:>12}" for name in columns)
        yield from (" ".join(f"{v:>12.6g}" for v in row) for row in rows)
