"""The report of a Comparison: a table with sparklines, learning-rate maps, JSON, CSV."""

from __future__ import annotations

import math
from collections.abc import Iterator

from symgd.analysis.sharpness import along
from symgd.descent.compare import Comparison
from symgd.descent.rate_map import RateMap
from symgd.model.loss import Loss
from symgd.model.result import Result
from symgd.names import escape
from symgd.report.export import dump, record
from symgd.report.terminal_chart import chart, shared_scale, sparkline

_SPARKLINE_WIDTH = 12  # characters of a sparkline
#: (column, minimum width): columns that shrink, in this order, if the table is too wide.
_SHRINK = (
    ("sharpness", 0),
    ("path", 6),
    ("rule", 8),
    ("start", 8),
    ("lr max", 0),
    ("factor", 0),
    ("lr", 8),
    ("path", 0),
)


def report(comparison: Comparison, *, width: int = 80, pretty: bool = True) -> Iterator[str]:
    """The lines of the table, or of the maps if the learning rates are a range."""
    yield escape(comparison.loss.read_as(pretty=pretty))[:1000]
    yield ""
    body = _rate_maps if comparison.ranged else _table
    yield from body(comparison, width, pretty)


def _table(comparison: Comparison, width: int, pretty: bool) -> Iterator[str]:
    columns = _columns(comparison, _SPARKLINE_WIDTH, pretty)
    head = []
    if len(set(columns["rule"])) == 1:
        head.append(f"rule {columns.pop('rule')[0]}"[: max(width, 80)])
    if len(set(columns["start"])) == 1:
        columns.pop("start")
    widths = {title: max(map(len, [title, *cells])) for title, cells in columns.items()}
    for title, minimum_width in _SHRINK:
        excess = sum(widths.values()) + 2 * (len(widths) - 1) - width
        if excess > 0 and title in widths:
            widths[title] = max(minimum_width, widths[title] - excess)
            if widths[title] < 6:  # too narrow to be useful
                widths.pop(title)
    if 0 < widths.get("path", 0) < _SPARKLINE_WIDTH:
        columns["path"] = _columns(comparison, widths["path"], pretty)["path"]
    scale = shared_scale(_losses(comparison))
    if scale is not None and "path" in widths:
        head.append(f"path: loss on one logarithmic scale, {scale[0]:.2g} to {scale[1]:.2g}")
    yield from head
    lines = [{title: title for title in widths}]
    lines += [{t: columns[t][k] for t in widths} for k in range(len(comparison.runs))]
    for line in lines:
        yield "  ".join(_truncate(line[t], w).ljust(w) for t, w in widths.items()).rstrip()


def _columns(comparison: Comparison, sparkline_width: int, pretty: bool) -> dict[str, list[str]]:
    """Title -> cells, one for each run."""
    runs = comparison.runs
    rates = [run.verdict.rate_observed for run in runs]
    limits = [run.verdict.lr_max for run in runs]
    losses = _losses(comparison)
    scale = shared_scale(losses)
    return {
        "rule": [escape(rule_name(run)) for run in runs],
        "start": [escape(start_text(run)) for run in runs],
        "lr": [escape(rate_text(run)) for run in runs],
        "loss": [f"{run.value:.3g}" for run in runs],
        "path": [sparkline(values, sparkline_width, pretty, scale) for values in losses],
        "factor": ["" if v is None else f"{v:.3g}" for v in rates],
        "lr max": ["" if v is None else f"{v:.4g}" for v in limits],
        "sharpness": [_sharpness(comparison.loss, run) for run in runs],
        "verdict": [run.verdict.kind for run in runs],
    }


def _losses(comparison: Comparison) -> list[list[float]]:
    """The losses along each run."""
    return [run.history.loss.tolist() for run in comparison.runs]


def _sharpness(loss: Loss, run: Result) -> str:
    """The largest curvature at the start and at the end, one number where they are the same."""
    ends = [f"{value:.4g}" for _, value in along(loss, run.history, 2)]
    return " to ".join(dict.fromkeys(ends))


def rule_name(run: Result) -> str:
    """The name of the rule of a run, or its equations on one line."""
    return "; ".join(run.rule_title.split("\n"))


def rate_text(run: Result) -> str:
    """The learning rate of a run in a few digits, or its formula."""
    return f"{run.lr:.6g}" if isinstance(run.lr, (int, float)) else run.lr or "-"


def start_text(run: Result) -> str:
    """The start of a run: one number if it is the same for all parameters."""
    values = list(run.start.values())
    if len(set(values)) == 1:
        return f"{values[0]:.4g}"
    return ",".join(f"{n}={v:.4g}" for n, v in run.start.items())


def run_labels(comparison: Comparison) -> list[str]:
    """For each run, those of rule, learning rate and start that differ between the runs."""
    parts = [
        (rule_name(run), f"lr {rate_text(run)}", f"from {start_text(run)}")
        for run in comparison.runs
    ]
    differ = [len(set(column)) > 1 for column in zip(*parts, strict=True)]
    if not any(differ):
        differ = [False, True, False]
    kept = [[p for p, differs in zip(row, differ, strict=True) if differs] for row in parts]
    return [escape(", ".join(row)) for row in kept]


def _truncate(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 3] + "..."


def _rate_maps(comparison: Comparison, width: int, pretty: bool) -> Iterator[str]:
    """Final loss against learning rate, for each rule and start."""
    for rate_map in comparison.maps:
        title = escape(f"{rule_name(rate_map.run)} from {start_text(rate_map.run)}")
        yield _truncate(f"loss after {rate_map.steps} steps against lr: {title}", width)
        line, losses = rate_map.limit, rate_map.shown
        yield from chart(rate_map.rates, losses, vertical_line=line, width=width, pretty=pretty)
        yield from _legend(rate_map)
        yield ""


def _legend(rate_map: RateMap) -> Iterator[str]:
    """The meaning of the marks of a map."""
    lowest = rate_map.losses[rate_map.best]
    if math.isfinite(lowest):
        yield f"lowest: {lowest:.3g} at lr = {rate_map.rates[rate_map.best]:.4g}"
    if rate_map.limit is not None:
        yield f"predicted limit, the vertical line: lr < {rate_map.limit:.6g}"
    if math.inf in rate_map.shown:
        yield "! above 1000 times the loss at the start, or not finite"


def as_json(comparison: Comparison) -> Iterator[str]:
    """One object on one line."""
    yield dump(comparison.to_dict())


def as_jsonl(comparison: Comparison) -> Iterator[str]:
    """One object for each run."""
    yield from map(dump, comparison.to_dict()["runs"])


def as_csv(comparison: Comparison) -> Iterator[str]:
    """A record for each run; the columns of parameters are start.NAME and theta.NAME."""
    names = comparison.loss.params
    head = ["rule", "lr", *(f"start.{n}" for n in names), *(f"theta.{n}" for n in names)]
    yield record([*head, "loss", "steps", "status", "verdict", "rate_observed", "lr_max"])
    for run in comparison.runs:
        verdict = run.verdict
        numbers = [run.lr, *run.start.values(), *run.theta.values(), run.value]
        end = [str(run.steps), run.status.value, verdict.kind]
        yield record([rule_name(run), *numbers, *end, verdict.rate_observed, verdict.lr_max])
