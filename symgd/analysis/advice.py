"""What to try after a run that failed: a command that has been tried and works."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from symgd.analysis.minima import find_minimum, steepest_curve
from symgd.analysis.stable_rates import rates
from symgd.model.loss import Loss
from symgd.model.result import Result, Status
from symgd.names import escape

_OPERATIONS = 3_000_000  # that a trial run may take
_STEPS = 2_000
_LARGEST = 60  # parameters, and
_LONGEST = 20_000  # operations times parameters, as for the verdict
_WIDE = 300  # characters of a loss that a command quotes

#: Runs the same descent with other settings: (lr, start, steps) -> its Result, without advice.
Rerun = Callable[[float, Mapping[str, float], int], Result]


def advised(result: Result, steps: int, given: Mapping[str, float], rerun: Rerun) -> Result:
    """The result with advice in its verdict, where there is any.

    steps: how many were requested. given: the hyperparameters and constants that were set.
    rerun: tries a learning rate or a start; what is advised has been tried.
    """
    if result.status is Status.SADDLE:
        suggestion = _off_the_saddle(result, steps, given, rerun)
    elif result.status in (Status.DIVERGED, Status.NONFINITE):
        suggestion = _smaller_steps(result, steps, given, rerun)
    else:
        return result
    parts = [p for p in (result.verdict.advice, suggestion) if p]
    return replace(result, verdict=replace(result.verdict, advice="; ".join(parts)))


def _smaller_steps(result: Result, steps: int, given: Mapping[str, float], rerun: Rerun) -> str:
    loss = result.loss
    if not isinstance(loss, Loss) or not isinstance(result.lr, float):
        return ""
    if not _small(loss) or not math.isfinite(loss.value(result.start)):
        return ""
    trials = max(5, min(steps, _STEPS, _OPERATIONS // (loss.program.operations + 20)))
    for lr in _candidates(result, loss):
        trial = rerun(lr, result.start, trials)
        if _works(trial):
            return f"lr = {lr:g} works: {command(result, steps, given, lr=lr)}"
    if result.status is Status.DIVERGED:
        return "no smaller learning rate that was tried ends lower; is there a minimum at all?"
    return ""


def _works(trial: Result) -> bool:
    """Whether a run ends lower than it began, with steps that get shorter."""
    if trial.status in (Status.DIVERGED, Status.NONFINITE, Status.SADDLE):
        return False
    if trial.verdict.kind not in ("converging", "converged", "slow"):
        return False
    rate = trial.verdict.rate_observed
    shrinks = rate is None or abs(rate) < 1 - 1e-6
    return shrinks and trial.value < trial.history.loss_at(0)


def _candidates(result: Result, loss: Loss) -> Iterator[float]:
    """The fastest learning rate, then decreasing fractions of the largest stable one."""
    assert isinstance(result.lr, float)
    limit = result.verdict.lr_max
    if limit is None:
        parts = (0.3, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-6, 1e-8)
        yield from (_rounded(result.lr * part) for part in parts)
        return
    minimum = find_minimum(loss, list(result.start.values()), careful=True)
    if minimum is not None:
        stable = rates(result.rule, result.hyperparameters, minimum.eigenvalues, None)
        if stable.best is not None and stable.best < result.lr:
            yield _rounded(stable.best)
    for part in (0.5, 0.2, 0.1, 0.03, 0.01, 1e-3, 1e-4, 1e-6, 1e-8):
        if part * limit < result.lr:
            yield _rounded(part * limit)


def _rounded(value: float) -> float:
    """Two digits, rounded down."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.floor(value / unit * (1 + 1e-9)) * unit:.2g}")


def _off_the_saddle(result: Result, steps: int, given: Mapping[str, float], rerun: Rerun) -> str:
    loss = result.loss
    if not isinstance(loss, Loss) or not _small(loss):
        return ""
    direction = steepest_curve(loss, list(result.theta.values()))
    size = 0.01 * max(1.0, *map(abs, result.start.values()))
    for sign in (1.0, -1.0):
        start = {
            name: float(f"{v + sign * size * d:.6g}")
            for (name, v), d in zip(result.start.items(), direction, strict=True)
        }
        lr = result.lr if isinstance(result.lr, float) else math.nan
        if math.isnan(lr) or rerun(lr, start, min(steps, _STEPS)).value < result.value:
            return f"start a little off it: {command(result, steps, given, start=start)}"
    return ""


def _small(loss: Loss) -> bool:
    count = len(loss.params)
    return count <= _LARGEST and loss.internals.value_program.operations * count <= _LONGEST


def command(
    result: Result,
    steps: int,
    given: Mapping[str, float],
    *,
    lr: float | None = None,
    start: Mapping[str, float] | None = None,
) -> str:
    """The command line that repeats a run with another learning rate or start."""
    text = result.loss.text
    words = ["symgd"]
    words.append(_quoted(text) if len(text) <= _WIDE else "LOSS")
    rate = result.lr if lr is None else lr
    if rate != 0.2:
        words += ["--lr", f"{rate:g}" if isinstance(rate, float) else _quoted(rate)]
    place = dict(result.start if start is None else start)
    values = set(place.values())
    if len(values) == 1 and values != {1.0}:
        words += ["--start", f"{values.pop()!r}"]
    elif len(values) > 1:
        words += ["--start", _quoted(",".join(f"{n}={v!r}" for n, v in place.items()))]
    if result.rule.name != "gd":
        rule = result.rule.text.strip().replace("\n", "; ")
        words += ["--rule", _quoted(rule if result.rule.name == "custom" else result.rule.name)]
    for name, value in given.items():
        words += ["--set", _quoted(f"{name}={value!r}")]
    if steps != 20:
        words += ["--steps", str(steps)]
    return " ".join(words)


def _quoted(text: str) -> str:
    return shlex.quote(escape(text))
