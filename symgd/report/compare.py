"""A Comparison for people and programs: a table with sparklines, a learning-rate map, CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from symgd.names import escape
from symgd.report.export import dump, record
from symgd.report.step_table import number
from symgd.report.terminal_chart import chart, sparkline
from symgd.report.wrap import folded

if TYPE_CHECKING:
    from symgd.descent.compare import Comparison
    from symgd.descent.rate_map import RateMap
    from symgd.model.result import Result

_SPARK = 12  # characters of a sparkline
#: Columns that give way where the table is too wide, in this order, and how far (0: altogether).
_SHRINK = (
    ("path", 6),
    ("rule", 8),
    ("start", 8),
    ("lr max", 0),
    ("factor", 0),
    ("lr", 8),
    ("path", 0),
)


def report(found: Comparison, *, width: int = 80, pretty: bool = True) -> Iterator[str]:
    """The lines of the table, or of the map where the learning rates are a range."""
    yield from folded([escape(found.loss.read_as(pretty=pretty))[:1000]], width)
    yield ""
    yield from (_map(found, width, pretty) if found.ranged else _table(found, width, pretty))


def _table(found: Comparison, width: int, pretty: bool) -> Iterator[str]:
    columns = _columns(found, _SPARK, pretty)
    if len(set(columns["rule"])) == 1:
        head = f"rule {columns.pop('rule')[0]}"
        yield from folded([head], width) if width < 80 else [head[:width]]
    if len(set(columns["start"])) == 1:
        columns.pop("start")
    widths = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    for title, least in _SHRINK:
        over = sum(widths.values()) + 2 * (len(widths) - 1) - width
        if over > 0 and title in widths:
            widths[title] = max(least, widths[title] - over)
            if widths[title] < 6:  # too narrow to say anything: leave it out
                widths.pop(title)
    if sum(widths.values()) + 2 * (len(widths) - 1) > width:
        yield from _stacked(columns, len(found.runs), width)
        return
    if 0 < widths.get("path", 0) < _SPARK:
        columns["path"] = _columns(found, widths["path"], pretty)["path"]
    lines = [{title: title for title in widths}]
    lines += [{t: columns[t][k] for t in widths} for k in range(len(found.runs))]
    for line in lines:
        yield "  ".join(_fit(line[t], w).ljust(w) for t, w in widths.items()).rstrip()


def _stacked(columns: dict[str, list[str]], runs: int, width: int) -> Iterator[str]:
    """A block for each run, a line for each of its cells."""
    longest = max(map(len, columns))
    for k in range(runs):
        if k:
            yield ""
        cells = {title: cells[k] for title, cells in columns.items() if cells[k]}
        yield from folded((f"{title:<{longest}}  {text}" for title, text in cells.items()), width)


def _columns(found: Comparison, spark: int, pretty: bool) -> dict[str, list[str]]:
    """Title -> the cells below it, one for each run."""
    runs = found.runs
    rates = [run.verdict.rate_observed for run in runs]
    limits = [run.verdict.lr_max for run in runs]
    return {
        "rule": [escape(rule_name(run)) for run in runs],
        "start": [escape(start_text(run)) for run in runs],
        "lr": [escape(rate_text(run)) for run in runs],
        "loss": [f"{run.value:.3g}" for run in runs],
        "path": [sparkline([row[2] for row in r.history.rows()], spark, pretty) for r in runs],
        "factor": ["" if v is None else f"{v:.3g}" for v in rates],
        "lr max": ["" if v is None else f"{v:.4g}" for v in limits],
        "verdict": [run.verdict.kind for run in runs],
    }


def rule_name(run: Result) -> str:
    """The rule of a run by its name, or its equations in one line."""
    return run.rule.name if run.rule.name != "custom" else "; ".join(run.rule.text.split("\n"))


def rate_text(run: Result) -> str:
    """The learning rate of a run in a few digits, or its formula."""
    return f"{run.lr:.6g}" if isinstance(run.lr, (int, float)) else run.lr


def start_text(run: Result) -> str:
    """Where a run began: one number where it is the same for all parameters."""
    values = list(run.start.values())
    if len(set(values)) == 1:
        return f"{values[0]:.4g}"
    return ",".join(f"{n}={v:.4g}" for n, v in run.start.items())


def labels_of(found: Comparison) -> list[str]:
    """What sets each run of a comparison apart: its rule, learning rate, start."""
    parts = [
        (rule_name(run), f"lr {rate_text(run)}", f"from {start_text(run)}") for run in found.runs
    ]
    differ = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    if not any(differ):
        differ = [False, True, False]
    kept = [[p for p, differs in zip(row, differ, strict=True) if differs] for row in parts]
    return [escape(", ".join(row)) for row in kept]


def _fit(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _map(found: Comparison, width: int, pretty: bool) -> Iterator[str]:
    """Final loss against learning rate, for each rule and start."""
    for one in found.maps:
        shown = one.shown
        place = escape(f"{rule_name(one.run)} from {start_text(one.run)}")
        yield _fit(f"loss after {one.steps} steps against lr: {place}", width)
        yield from chart(one.rates, shown, mark=one.limit, width=width, pretty=pretty)
        yield from folded(_legend(one), width)
        yield ""


def _legend(one: RateMap) -> Iterator[str]:
    """What the marks of a map mean."""
    if math.isfinite(one.losses[one.best]):
        yield f"lowest: {one.losses[one.best]:.3g} at lr = {one.rates[one.best]:.4g}"
    if one.limit is not None:
        yield f"predicted limit, the vertical line: lr < {one.limit:.6g}"
    if math.inf in one.shown:
        yield "! above 1000 times the loss at the start, or not finite"


def as_json(found: Comparison) -> Iterator[str]:
    """One object, in one line."""
    yield dump(found.to_dict())


def as_jsonl(found: Comparison) -> Iterator[str]:
    """One object for each run."""
    yield from map(dump, found.to_dict()["runs"])


def as_csv(found: Comparison) -> Iterator[str]:
    """A record for each run; names of parameters are headed start.NAME and theta.NAME."""
    names = found.loss.params
    head = ["rule", "lr", *(f"start.{n}" for n in names), *(f"theta.{n}" for n in names)]
    yield record([*head, "loss", "steps", "status", "verdict", "rate_observed", "lr_max"])
    for run in found.runs:
        verdict = run.verdict
        lr = number(run.lr) if isinstance(run.lr, float) else run.lr
        numbers = map(number, [*run.start.values(), *run.theta.values(), run.value])
        rates = ["" if v is None else number(v) for v in (verdict.rate_observed, verdict.lr_max)]
        texts = [str(run.steps), run.status.value, verdict.kind]
        # a rule or a schedule is text and is quoted; numbers may begin with a minus
        head = [record([rule_name(run)]), lr if isinstance(run.lr, float) else record([lr])]
        yield ",".join([*head, *numbers, *texts, *rates])
