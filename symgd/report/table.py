"""The report of a descent: the formula as parsed, a line per step, the end, the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from textwrap import wrap
from typing import TYPE_CHECKING

from symgd.model.loss import Loss
from symgd.names import escape
from symgd.report.step_table import float_text, step_table

if TYPE_CHECKING:
    from symgd.model.result import Described, Result
    from symgd.model.rules import Rule

#: Statuses whose messages the verdict already contains.
_IMPLIED_BY_VERDICT = ("completed", "converged", "diverged", "nonfinite", "interrupted")

_MOST_DERIVATIVES = 8  # partial derivatives that are listed
_MOST_LINES = 40  # of a rule
_MOST_CHARACTERS = 1000  # of a formula


def report(
    result: Result, *, every: int | None = None, width: int = 80, pretty: bool = True
) -> Iterator[str]:
    """The lines of the report; every number reads back as the same float.

    pretty: write the loss with Greek letters and superscripts.
    """
    yield from echo(result, pretty=pretty)
    yield ""
    yield from step_table(result, every=every, width=width)
    yield ""
    yield from final_lines(result, width=width)
    yield from verdict_lines(result)


def summary(result: Result) -> Iterator[str]:
    """The end of the run and the verdict: the str of a Result."""
    after = f"after {result.steps} step{'' if result.steps == 1 else 's'}"
    theta = ", ".join(f"{escape(k)} = {v!r}" for k, v in result.theta.items())
    yield f"{result.status.value} {after}: {theta}"
    yield f"loss = {result.value!r}"
    yield from filter(None, [result.verdict.sentence, result.verdict.advice])


def echo(result: Result, *, pretty: bool = True) -> Iterator[str]:
    """The loss, its gradient and the rule, as symgd parsed them."""
    yield from loss_lines(result.loss, pretty=pretty)
    yield from rule_summary(result.rule, result.lr, result.hyperparameters)


def loss_lines(loss: Described, *, pretty: bool = True) -> Iterator[str]:
    """The loss and its partial derivatives, as symgd parsed them."""
    yield truncated(loss.read_as(pretty=pretty))
    if len(loss.params) > _MOST_DERIVATIVES:
        yield f"gradient: {len(loss.params)} partial derivatives (--format json has them)"
    else:
        for name, derivative in loss.gradient_text().items():
            yield truncated(f"dL/d{name} = {derivative}")
    if isinstance(loss, Loss) and loss.internals.box is not None:
        yield truncated(f"bounds: {_bounds_text(loss.internals.box.by_name(loss.params))}")


def _bounds_text(bounds: Mapping[str, tuple[float | None, float | None]]) -> str:
    texts = []
    for name, (low, high) in bounds.items():
        least = "" if low is None else f"{low:.6g} <= "
        texts.append(f"{least}{name}" + ("" if high is None else f" <= {high:.6g}"))
    return ", ".join(texts)


def rule_summary(
    rule: Rule, lr: float | str, hyperparameters: Mapping[str, float]
) -> Iterator[str]:
    """The equations of the rule with the learning rate and hyperparameters."""
    shown = lr if isinstance(lr, str) else float_text(lr)
    values = {"lr": shown} | {name: float_text(v) for name, v in hyperparameters.items()}
    listed = ", ".join(f"{name} = {value}" for name, value in values.items())
    head = truncated(f"{rule.name} with {listed}:")
    lines = [line for line in str(rule).replace(";", "\n").splitlines() if line.strip()]
    if len(lines) == 1:
        yield f"{head} {truncated(lines[0].strip())}"
        return
    yield head
    for line in lines[:_MOST_LINES]:
        yield f"  {truncated(line.strip())}"
    if len(lines) > _MOST_LINES:
        yield f"  ... {len(lines) - _MOST_LINES} more lines"


def final_lines(result: Result, *, width: int = 80) -> list[str]:
    """The last parameters: on one line, or one line each if they do not fit."""
    after = f"after {result.steps} step{'' if result.steps == 1 else 's'}"
    theta = {escape(name): float_text(value) for name, value in result.theta.items()}
    line = f"{', '.join(theta)} {after}: {', '.join(theta.values())}"
    if len(theta) <= 1 or len(line) <= width:
        return [line]
    longest = max(map(len, theta))
    lines = [f"  {name:<{longest}} = {value}" for name, value in theta.items()]
    return [f"{len(theta)} parameters {after}:", *lines]


def verdict_lines(result: Result) -> list[str]:
    """The sentence of the verdict, and the message of the status unless the verdict implies it."""
    sentence, message = result.verdict.sentence, result.message
    implied = message in sentence or result.status.value in _IMPLIED_BY_VERDICT
    return [escape(text) for text in (sentence, "" if implied else message) if text]


def definition_list(
    sections: Iterable[tuple[str, Mapping[str, str]]], width: int = 80
) -> Iterator[str]:
    """Titled definition lists of `key  text`, the texts aligned and wrapped to `width` columns."""
    for section, (title, rows) in enumerate(sections):
        if section:
            yield ""
        if title:
            yield title
        indent = min(max(map(len, rows), default=0) + 2, width // 2)
        for key, text in rows.items():
            if len(key) + 2 > indent:
                yield key
            lines = [part for line in text.split("\n") for part in wrap(line, width - indent)]
            for index, line in enumerate(lines or [""]):
                shown = key if index == 0 and len(key) + 2 <= indent else ""
                yield f"{shown:<{indent}}{line}".rstrip()


def truncated(text: str) -> str:
    """The escaped text, cut after 1,000 characters."""
    text = escape(text)
    if len(text) <= _MOST_CHARACTERS:
        return text
    return f"{text[:_MOST_CHARACTERS]} ... ({len(text):,} characters in all)"
