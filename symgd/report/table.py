"""The report of a descent: the formula as parsed, a line per step, the end, the verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from textwrap import wrap
from typing import Any

from symgd.descent.engine import Heading
from symgd.descent.methods import METHODS
from symgd.model.bounds import ParameterBox
from symgd.model.elements import Elements
from symgd.model.loss import Loss
from symgd.model.result import Described, Result
from symgd.model.rules import Rule
from symgd.names import counted, escape
from symgd.report.step_table import float_text, step_table

#: Statuses whose messages the verdict already contains.
_IMPLIED_BY_VERDICT = ("completed", "converged", "diverged", "nonfinite")

_MOST_DERIVATIVES = 8  # partial derivatives that are listed
_MOST_LINES = 40  # of a rule
_MOST_CHARACTERS = 1000  # of a formula
_LISTED = 12  # elements of an array that are all listed


def report(
    result: Result, *, every: int | None = None, width: int = 80, pretty: bool = True
) -> Iterator[str]:
    """The lines of the report; every number reads back as the same float.

    pretty: write the loss with Greek letters and superscripts.
    """
    yield from echo(result, pretty=pretty)
    yield ""
    yield from body(result, every=every, width=width)


def body(result: Result, *, every: int | None = None, width: int = 80) -> Iterator[str]:
    """The report without its heading."""
    yield from step_table(result, every=every, width=width)
    yield ""
    yield from final_lines(result, width=width)
    yield from verdict_lines(result)


def summary(result: Result) -> Iterator[str]:
    """The end of the run and the verdict: the str of a Result."""
    after = f"after {result.steps} step{'' if result.steps == 1 else 's'}"
    listed = result.theta.items()
    if len(result.theta) <= _LISTED and all(isinstance(v, float) for _, v in listed):
        theta = ", ".join(f"{escape(k)} = {v!r}" for k, v in listed)
        yield f"{result.status.value} {after}: {theta}"
    else:
        yield f"{result.status.value}: {_counted(result)} {after}:"
        yield from (f"  {k} = {v}" for k, v in parameter_rows(result.theta, whole=True))
    yield f"loss = {result.value!r}"
    yield from filter(None, [result.verdict.sentence, result.verdict.advice])


def echo(result: Result | Heading, *, pretty: bool = True) -> Iterator[str]:
    """The loss, its gradient and the rule, as symgd parsed them."""
    yield from loss_lines(result.loss, pretty=pretty)
    for constraint in result.constraints:
        yield truncated(f"subject to {constraint.text}")
    if result.rule is None or result.lr is None:
        yield f"method {result.method}: {METHODS[result.method or ''].text}"
    else:
        yield from rule_summary(result.rule, result.lr, result.hyperparameters)


def loss_lines(loss: Described, *, pretty: bool = True) -> Iterator[str]:
    """The loss and its partial derivatives, as symgd parsed them."""
    yield truncated(loss.read_as(pretty=pretty))
    indexed = loss.indexed if isinstance(loss, Loss) else None
    if indexed is None and len(loss.params) > _MOST_DERIVATIVES:
        yield f"gradient: {len(loss.params)} partial derivatives (--format json has them)"
    else:
        for name, derivative in loss.gradient_text().items():
            yield truncated(f"dL/d{name} = {derivative}")
    if isinstance(loss, Loss) and loss.internals.box is not None:
        yield truncated(f"bounds: {_bounds_text(loss.params, loss.internals.box)}")


def _bounds_text(params: Sequence[str], box: ParameterBox) -> str:
    """The bounds; those that all elements of an array have once, by its name."""
    lengths = Counter(name.partition("[")[0] for name in params)
    alike: dict[tuple[str, float | None, float | None], list[str]] = {}
    for name, ends in box.by_name(params).items():
        alike.setdefault((name.partition("[")[0], *ends), []).append(name)
    texts = []
    for (array, low, high), found in alike.items():
        least = "" if low is None else f"{low:.6g} <= "
        most = "" if high is None else f" <= {high:.6g}"
        whole = 1 < len(found) == lengths[array]
        texts += [f"{least}{name}{most}" for name in ([array] if whole else found)]
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
    rows = parameter_rows(result.theta)
    if [name for name, _ in rows] == [escape(name) for name in result.theta]:  # no arrays
        line = f"{', '.join(n for n, _ in rows)} {after}: {', '.join(v for _, v in rows)}"
        if len(rows) <= 1 or len(line) <= width:
            return [line]
        longest = max(len(name) for name, _ in rows)
        rows = [(f"{name:<{longest}}", value) for name, value in rows]
    return [f"{_counted(result)} {after}:", *(f"  {name} = {value}" for name, value in rows)]


def parameter_rows(theta: Mapping[str, Any], whole: bool = False) -> list[tuple[str, str]]:
    """(name, value) of the parameters; of long arrays the first and last elements, and the norm.

    whole: arrays stand in one row each, which they do else where one of them is long.
    """
    if isinstance(theta, Elements):
        long = any(prod(shape) > _LISTED for shape in theta.shapes.values())
        theta = theta.by_array() if whole or long else dict(theta)
    rows = []
    for name, value in theta.items():
        shape, shown = getattr(value, "shape", ()), escape(name)
        if not shape:
            rows.append((shown, float_text(value)))
            continue
        flat = value.ravel()
        listed = ", ".join(float_text(float(v)) for v in flat[: _LISTED + 1])
        if len(flat) > _LISTED:
            first, last = ", ".join(f"{float(v):.6g}" for v in flat[:3]), f"{float(flat[-1]):.6g}"
            listed = f"{first}, ..., {last}; norm {float(flat @ flat) ** 0.5:.6g}"
        rows.append((f"{shown} ({' x '.join(f'{extent:,}' for extent in shape)})", listed))
    return rows


def _counted(result: Result) -> str:
    count = sum(int(getattr(value, "size", 1)) for value in result.theta.values())
    return counted(count, "parameter")


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
