"""A descent for programs: plain numbers, JSON, JSON lines, CSV. Floats read back bit for bit."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from symgd.model.checks import finite_or_none
from symgd.report.step_table import number, select

if TYPE_CHECKING:
    from symgd.model.result import Result


def plain(result: Result, *, every: int | None = None) -> Iterator[str]:
    """The parameters of each step, separated by blanks, and nothing else."""
    for _, theta, _, _ in select(result.history.rows(), every):
        yield " ".join(map(number, theta))


def last(result: Result) -> Iterator[str]:
    """The parameters at the end, separated by blanks."""
    yield " ".join(map(number, result.theta.values()))


def as_json(result: Result, *, every: int | None = None) -> Iterator[str]:
    """One object, in one line: `Result.to_dict()`, non-finite numbers as null."""
    whole = result.to_dict()
    whole["history"] = _every(whole["history"], every)
    yield dump(whole)


def jsonl(result: Result, *, every: int | None = None) -> Iterator[str]:
    """One object for each step, then one for the run, without its history."""
    names = result.loss.params
    for t, theta, loss, grad_norm in select(result.history.rows(), every):
        row = {"t": t, "theta": dict(zip(names, theta, strict=True))}
        yield dump({**row, "loss": loss, "grad_norm": grad_norm})
    yield dump({key: value for key, value in result.to_dict().items() if key != "history"})


def as_csv(result: Result, *, every: int | None = None) -> Iterator[str]:
    """A header `t, the parameters, loss, grad_norm`, then a record for each step.

    A parameter whose name is that of another column is headed `theta.NAME`: no two columns share
    a header, and no parameter's name holds a dot.
    """
    taken = {"t", "loss", "grad_norm"}
    names = [f"theta.{name}" if name in taken else name for name in result.loss.params]
    yield record(["t", *names, "loss", "grad_norm"])
    for t, theta, loss, grad_norm in select(result.history.rows(), every):
        yield ",".join([str(t), *map(number, (*theta, loss, grad_norm))])


def records(rows: Sequence[Mapping[str, Any]], form: str) -> Iterator[str]:
    """Rows of a table of symgd's own (its rules, its functions) as plain, json, jsonl or csv.

    plain: the first column alone. All rows have the same columns.
    """
    if form == "json":
        yield dump(rows)
    elif form == "jsonl":
        yield from map(dump, rows)
    elif form == "csv":
        yield record(rows[0] if rows else ())
        for row in rows:
            yield record(map(_cell, row.values()))
    else:
        for row in rows:
            yield str(next(iter(row.values())))


def dump(value: object) -> str:
    """`value` as JSON in ASCII, so that no terminal's encoding can spoil it."""
    return json.dumps(finite_or_none(value), allow_nan=False)


def record(cells: Iterable[str]) -> str:
    """One CSV record of texts, quoted as RFC 4180 says.

    A text that a spreadsheet would run as a formula begins with an apostrophe.
    """
    return ",".join(_quote("'" + cell if cell[:1] in _FORMULA else cell) for cell in cells)


_FORMULA = frozenset("=+-@\t\r\n")


def _quote(cell: str) -> str:
    if any(c in cell for c in ',"\r\n'):
        return '"' + cell.replace('"', '""') + '"'
    return cell


def _cell(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{key}={_cell(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return " ".join(map(_cell, value))
    return value if isinstance(value, str) else number(value)


def _every(history: Sequence[Any], every: int | None) -> list[Any]:
    last = len(history) - 1
    return [
        row
        for number, row in enumerate(history)
        if number in (0, last) or row["t"] % (every or 1) == 0
    ]
