"""A descent for people: the formula as it was read, a line per step, the end and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from symgd.names import escape
from symgd.report.fold import folded

if TYPE_CHECKING:
    from symgd.result import Result
    from symgd.rules import Rule

Row = tuple[int, tuple[float, ...], float, float]  # t, theta in the order of params, loss, |grad|

_TOLD_BY_THE_VERDICT = ("completed", "converged", "nonfinite", "interrupted")  # statuses

_MOST_ROWS = 200  # of a table that nobody asked to thin
_HEAD, _TAIL = 15, 10  # rows of a longer one
_MOST_GRADIENTS = 8  # partial derivatives in the echo
_MOST_LINES = 40  # of a rule
_MOST_CHARACTERS = 1000  # of one formula in the echo


def report(
    result: Result, *, every: int | None = None, width: int = 80, pretty: bool = True
) -> Iterator[str]:
    """The lines of the whole report; every number reads back as the same float.

    pretty: write the loss with Greek letters and superscripts.
    """
    yield from folded(echo(result, pretty=pretty), width)
    yield ""
    yield from steps(result, every=every, width=width)
    yield ""
    yield from final(result, width=width)
    yield from folded(ending(result), width)


def echo(result: Result, *, pretty: bool = True) -> Iterator[str]:
    """The loss, its gradient and the rule, as symgd read them."""
    loss = result.loss
    yield _shorten(loss.read_as(pretty=pretty))
    if len(loss.params) > _MOST_GRADIENTS:
        yield f"gradient: {len(loss.params)} partial derivatives (--format json has them)"
    else:
        for name, derivative in loss.gradient_text().items():
            yield _shorten(f"dL/d{name} = {derivative}")
    yield from rule_lines(result.rule, result.lr, result.hyperparameters)


def rule_lines(rule: Rule, lr: float | str, hyperparameters: Mapping[str, float]) -> Iterator[str]:
    """The equations of the rule, and the numbers that they run with."""
    shown = lr if isinstance(lr, str) else number(lr)
    values = {"lr": shown} | {name: number(v) for name, v in hyperparameters.items()}
    listed = ", ".join(f"{name} = {value}" for name, value in values.items())
    head = _shorten(f"{rule.name} with {listed}:")
    lines = [line for line in str(rule).replace(";", "\n").splitlines() if line.strip()]
    if len(lines) == 1:
        yield f"{head} {_shorten(lines[0].strip())}"
        return
    yield head
    for line in lines[:_MOST_LINES]:
        yield f"  {_shorten(line.strip())}"
    if len(lines) > _MOST_LINES:
        yield f"  ... {len(lines) - _MOST_LINES} more lines"


def steps(result: Result, *, every: int | None = None, width: int = 80) -> Iterator[str]:
    """The history as a table, right-aligned, at most `width` columns wide where that is possible.

    Without `every`, a long history shows its beginning and its end. Columns that do not fit are
    left out, and a line says which.
    """
    head, tail = _select(result, every)
    names = [escape(name) for name in result.loss.params]
    table = [["t", *names, "loss", "|grad|"]]
    table += [[str(t), *map(number, (*theta, loss, g))] for t, theta, loss, g in head + tail]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    shown, left_out = _columns(names, widths, width)
    for index, cells in enumerate(table):
        if tail and index == len(head) + 1:
            yield _gap(head[-1][0], tail[0][0])
        yield "  ".join(cells[i].rjust(widths[i]) for i in shown)
    if left_out:
        told = f"left out to fit {width} columns: {_listed(left_out)} (--format csv has all)"
        yield from folded([told], width)


def final(result: Result, *, width: int = 80) -> list[str]:
    """Where the descent ended: one line, or one for each parameter where one is too short."""
    after = f"after {result.steps} step{'' if result.steps == 1 else 's'}"
    theta = {escape(name): number(value) for name, value in result.theta.items()}
    line = f"{', '.join(theta)} {after}: {', '.join(theta.values())}"
    if len(theta) <= 1 or len(line) <= width:
        return [line]
    longest = max(map(len, theta))
    lines = [f"  {name:<{longest}} = {value}" for name, value in theta.items()]
    return [f"{len(theta)} parameters {after}:", *lines]


def ending(result: Result) -> list[str]:
    """The verdict in a sentence, then what the status adds to it."""
    sentence, message = result.verdict.sentence, result.message
    told = message in sentence or result.status.value in _TOLD_BY_THE_VERDICT
    return [escape(text) for text in (sentence, "" if told else message) if text]


def listing(sections: Iterable[tuple[str, Mapping[str, str]]], width: int = 80) -> Iterator[str]:
    """Titled lists of `key  text`, the texts wrapped to `width` columns and aligned."""
    for index, (title, rows) in enumerate(sections):
        if index:
            yield ""
        if title:
            yield title
        indent = min(max(map(len, rows), default=0) + 2, width // 2)
        for key, text in rows.items():
            if len(key) + 2 > indent:
                yield key
            lines = [part for line in text.split("\n") for part in wrap(line, width - indent)]
            for place, line in enumerate(lines or [""]):
                shown = key if place == 0 and len(key) + 2 <= indent else ""
                yield f"{shown:<{indent}}{line}".rstrip()


def number(value: float) -> str:
    """The shortest text that reads back as the same float."""
    return repr(float(value))


def select(rows: Iterable[Row], every: int | None) -> Iterator[Row]:
    """Each `every`-th step, and always the first and the last."""
    last: Row | None = None
    for index, row in enumerate(rows):
        wanted = index == 0 or row[0] % (every or 1) == 0
        last = None if wanted else row
        if wanted:
            yield row
    if last is not None:
        yield last


def _select(result: Result, every: int | None) -> tuple[list[Row], list[Row]]:
    """The rows before a gap, and those after it (none where there is no gap)."""
    rows = list(select(result.history.rows(), every))
    if every is not None or len(rows) <= _MOST_ROWS:
        return rows, []
    return rows[:_HEAD], rows[-_TAIL:]


def _gap(before: int, after: int) -> str:
    missing = after - before - 1
    every = next(n * 10**k for k in range(99) for n in (5, 10, 20) if n * 10**k * 50 > missing)
    return f"... {missing:,} steps left out (--every {every} shows each {every}th) ..."


def _columns(
    names: Sequence[str], widths: Sequence[int], width: int
) -> tuple[list[int], list[str]]:
    """Which columns fit, and the names of those that do not: |grad| goes first, then parameters."""
    step, loss, grad = 0, len(names) + 1, len(names) + 2
    params = list(range(1, loss))

    def fits(columns: list[int]) -> bool:
        return sum(widths[i] + 2 for i in columns) - 2 <= width

    if fits([step, *params, loss, grad]):
        return [step, *params, loss, grad], []
    left_out: list[str] = []
    while len(params) > 1 and not fits([step, *params, loss]):
        left_out.insert(0, names[params.pop() - 1])
    return [step, *params, loss], [*left_out, "|grad|"]


def _listed(names: Sequence[str], most: int = 4) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[: most - 1])} and {len(names) - most + 1} more"


def _shorten(text: str) -> str:
    text = escape(text)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]} ... ({len(text):,} characters in all)"
