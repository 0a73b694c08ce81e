"""A descent for people: the formula as it was read, a line per step, the end and the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING

from symgd.names import escape
from symgd.report.step_table import number, steps
from symgd.report.wrap import folded

if TYPE_CHECKING:
    from symgd.model.result import Result
    from symgd.model.rules import Rule

_TOLD_BY_THE_VERDICT = ("completed", "converged", "nonfinite", "interrupted")  # statuses

_MOST_GRADIENTS = 8  # partial derivatives in the echo
_MOST_LINES = 40  # of a rule
_MOST_CHARACTERS = 1000  # of one formula in the echo


def report(
    result: Result, *, every: int | None = None, width: int = 80, pretty: bool = True
) -> Iterator[str]:
    """The lines of the whole report; from 80 columns on every number reads back as the same float.

    pretty: write the loss with Greek letters and superscripts.
    """
    yield from folded(echo(result, pretty=pretty), width)
    yield ""
    yield from steps(result, every=every, width=width)
    yield ""
    yield from final(result, width=width)
    yield from folded(ending(result), width)


def summary(result: Result) -> Iterator[str]:
    """Where the run ended, and the verdict: the str of a Result."""
    after = f"after {result.steps} step{'' if result.steps == 1 else 's'}"
    theta = ", ".join(f"{escape(k)} = {v!r}" for k, v in result.theta.items())
    yield f"{result.status.value} {after}: {theta}"
    yield f"loss = {result.value!r}"
    yield from filter(None, [result.verdict.sentence, result.verdict.advice])


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


def final(result: Result, *, width: int = 80) -> list[str]:
    """Where the descent ended: one line, or one for each parameter where one is too short."""
    after = f"after {result.steps} step{'' if result.steps == 1 else 's'}"
    theta = {escape(name): number(value) for name, value in result.theta.items()}
    line = f"{', '.join(theta)} {after}: {', '.join(theta.values())}"
    if len(theta) <= 1 or len(line) <= width:
        return list(folded([line], width))
    longest = max(map(len, theta))
    lines = [f"  {name:<{longest}} = {value}" for name, value in theta.items()]
    if max(map(len, lines)) > width:  # blanks would part a name from its number
        lines = list(folded((f"  {name} = {value}" for name, value in theta.items()), width))
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


def _shorten(text: str) -> str:
    text = escape(text)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]} ... ({len(text):,} characters in all)"
