"""Machine-readable formats of a descent: plain numbers, JSON, JSON lines, CSV; floats are exact."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from symgd.model.checks import finite_or_none
from symgd.model.elements import named, nested
from symgd.model.result import Result
from symgd.report.step_table import float_text, thin


def plain(result: Result, *, every: int | None = None) -> Iterator[str]:
    """The parameters of each step, separated by blanks, and nothing else."""
    for _, theta, _, _ in thin(result.history.rows(), every):
        yield " ".join(map(float_text, theta))


def last(result: Result) -> Iterator[str]:
    """The parameters at the end, separated by blanks."""
    yield " ".join(map(float_text, result.theta.values()))


def as_json(result: Result, *, every: int | None = None) -> Iterator[str]:
    """One object on one line: `Result.to_dict()`, with non-finite numbers as null."""
    document = result.to_dict()
    steps = {row[0] for row in thin(result.history.rows(), every)}
    document["history"] = [row for row in document["history"] if row["t"] in steps]
    yield dump(document)


def jsonl(result: Result, *, every: int | None = None) -> Iterator[str]:
    """One object for each step, then one for the run, without its history."""
    names, shapes = result.loss.params, result.loss.shapes
    for t, theta, loss, grad_norm in thin(result.history.rows(), every):
        row = {"t": t, "theta": nested(named(names, theta, shapes))}
        yield dump({**row, "loss": loss, "grad_norm": grad_norm})
    yield dump({key: value for key, value in result.to_dict().items() if key != "history"})


def as_csv(result: Result, *, every: int | None = None) -> Iterator[str]:
    """A header `t, parameters, loss, grad_norm`, then a record for each step.

    A parameter with the name of another column is headed `theta.NAME`; names have no dots, so all
    headers differ.
    """
    taken = {"t", "loss", "grad_norm"}
    names = [f"theta.{name}" if name in taken else name for name in result.loss.params]
    yield record(["t", *names, "loss", "grad_norm"])
    for t, theta, loss, grad_norm in thin(result.history.rows(), every):
        yield record([str(t), *theta, loss, grad_norm])


def records(rows: Sequence[Mapping[str, Any]], form: str) -> Iterator[str]:
    """Rows with equal keys as plain (the first column alone), json, jsonl or csv."""
    if form == "json":
        yield dump(rows)
    elif form == "jsonl":
        yield from map(dump, rows)
    elif form == "csv":
        yield record(rows[0] if rows else ())
        for row in rows:
            yield record(map(_flat, row.values()))
    else:
        for row in rows:
            yield str(next(iter(row.values())))


def dump(value: object) -> str:
    """`value` as ASCII JSON, independent of the encoding of the terminal."""
    return json.dumps(finite_or_none(value), allow_nan=False)


def record(cells: Iterable[str | float | None]) -> str:
    """A CSV record by RFC 4180: texts, exact numbers, nothing for None.

    A text that a spreadsheet would run as a formula is prefixed by an apostrophe.
    """
    return ",".join(map(_cell, cells))


_FORMULA = frozenset("=+-@\t\r\n")


def _cell(value: str | float | None) -> str:
    if not isinstance(value, str):
        return "" if value is None else float_text(value)
    text = "'" + value if value[:1] in _FORMULA else value
    return '"' + text.replace('"', '""') + '"' if any(c in text for c in ',"\r\n') else text


def _flat(value: Any) -> Any:
    """A mapping or a list as one text, which separates its items by blanks."""
    if isinstance(value, Mapping):
        return " ".join(f"{key}={float_text(item)}" for key, item in value.items())
    return " ".join(value) if isinstance(value, (list, tuple)) else value
