"""What to try after a run that did not do well: a command that has been tried and works."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from symgd.analysis.minima import certified_minimum, steepest_curve
from symgd.analysis.stable_rates import rates
from symgd.analysis.verdicts.command import Asked, command
from symgd.analysis.verdicts.scaling import ILL, condition_number, rescaled
from symgd.model.loss import Loss
from symgd.model.result import Result, Status, Verdict

_OPERATIONS = 3_000_000  # that a trial run may take
_STEPS = 2_000
_LARGEST = 60  # parameters, and
_LONGEST = 20_000  # operations times parameters, as for the verdict
_GOOD = ("converging", "converged", "slow", "sublinear", "approaching", "landed", "descending")
_PARTS = (1.0, 0.5, 0.25, 0.12, 0.06, 0.03, 0.015, 5e-3, 1e-3, 1e-4, 1e-6, 1e-8)
_RUDE = ("diverging", "nonfinite", "oscillating")  # kinds of which the steps were too long

#: Runs the same descent with other settings: (lr, start, steps, loss) -> its Result, no advice.
Rerun = Callable[[float, Mapping[str, float], int, Loss | None], Result]


@dataclass(frozen=True)
class _Trial:
    """A learning rate and how its run ended, the lower the better."""

    lr: float
    run: Result

    @property
    def score(self) -> float:
        """The loss at the end; infinite where the run did not do well."""
        run = self.run
        bad = run.lost or run.verdict.kind not in _GOOD
        return math.inf if bad or not math.isfinite(run.value) else run.value


def advised(result: Result, asked: Asked, rerun: Rerun) -> Verdict:
    """The verdict with advice, where there is any; what is advised was tried."""
    find = _off_the_saddle if result.status is Status.SADDLE else _other_rate
    found = find(result, asked, rerun)
    # one command, at the end
    units = _other_units(result, asked, rerun, named="symgd " in found)
    parts = [p for p in (result.verdict.advice, units, found) if p]
    return replace(result.verdict, advice="; ".join(parts))


def _other_rate(result: Result, asked: Asked, rerun: Rerun) -> str:
    loss = result.loss
    if not isinstance(loss, Loss) or "lr" not in result.rule.variables:
        return ""
    if not _small(loss) or not math.isfinite(loss.value(result.start)):
        return ""
    most = _OPERATIONS // (3 * loss.internals.work + 20)
    steps = min(asked.steps, _STEPS, most)
    if steps < min(asked.steps, 5):
        return ""

    def trial(lr: float) -> Result:
        return rerun(lr, result.start, steps, None)

    best = _best(result, _candidates(result, loss), trial)
    if best is not None and result.verdict.lr_max is None:  # decades: look between them
        between = (float(f"{best.lr * part:.2g}") for part in (0.5, 0.25, 2.0, 4.0))
        closer = _best(result, between, trial)
        best = min(filter(None, (best, closer)), key=lambda t: t.score)
    if best is not None and _better(best, result, whole=steps == asked.steps):
        line = command(result, asked, lr=best.lr)
        works = f"lr = {best.lr:g} works"
        return f"{works}: {line}" if line else f"{works} (loss {best.run.value:.6g})"
    if result.status is Status.DIVERGED:
        return "no smaller learning rate that was tried ends lower; is there a minimum at all?"
    return ""


def _better(best: _Trial, result: Result, whole: bool) -> bool:
    """Whether a trial is worth its words: it goes down, and ends below a run that does as well."""
    run = best.run
    if not best.score < run.history.loss_at(0):
        return False
    before, seen = result.verdict, run.verdict
    if before.kind in _RUDE or not whole:
        return True
    if before.distance is not None and seen.distance is not None:
        return seen.distance < 0.9 * before.distance and best.score < result.value
    return best.score < result.value


def _best(
    result: Result, candidates: Iterator[float], trial: Callable[[float], Result]
) -> _Trial | None:
    """The candidate of the least loss; the search ends where two more were no better."""
    best: _Trial | None = None
    worse = 0
    for lr in candidates:
        if lr == result.lr:
            continue
        tried = _Trial(lr, trial(lr))
        if tried.score < (math.inf if best is None else best.score):
            best, worse = tried, 0
        elif best is not None:
            worse += 1
        if worse == 2:
            break
    return best


def _candidates(result: Result, loss: Loss) -> Iterator[float]:
    """The fastest learning rate, then parts of the largest stable one, or of the given one."""
    limit = result.verdict.lr_max
    lr = result.lr if isinstance(result.lr, float) else None
    if limit is not None:
        place = certified_minimum(loss, list(result.start.values()))
        if place is not None:
            stable = rates(result.rule, result.hyperparameters, place.eigenvalues, None)
            if stable.best is not None:
                yield _rounded(stable.best)
        yield from (_rounded(0.95 * limit * part) for part in _PARTS)
        return
    if lr is None:
        lr = 1.0
    if result.verdict.kind in _RUDE:
        yield from (_rounded(lr * part) for part in _PARTS[1:])
    else:
        yield from (float(f"{lr * 10**k:.2g}") for k in range(1, 13))


def _rounded(value: float) -> float:
    """Two digits, rounded down."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.floor(value / unit * (1 + 1e-9)) * unit:.2g}")


def _other_units(result: Result, asked: Asked, rerun: Rerun, named: bool) -> str:
    """Of an ill-conditioned loss: its condition number, and what to center or scale.

    named: another command follows, so that this one is named by its learning rate only.
    """
    loss = result.loss
    if not isinstance(loss, Loss) or not _small(loss) or result.verdict.lr_max is None:
        return ""
    ends = (list(result.theta.values()), list(result.start.values()))
    found = next(filter(None, (certified_minimum(loss, end) for end in ends)), None)
    if found is None or condition_number(found) < ILL:
        return ""
    sentence = f"condition number {condition_number(found):.3g}"
    constants = {n: v for n, v in asked.given.items() if n not in result.rule.hyperparameters}
    other = rescaled(loss, found, constants) if loss.internals.box is None else None
    if other is None:
        return sentence
    listed = ", ".join(f"{text} for {name}" for name, text in other.replaced.items())
    sentence = f"{sentence}; with {listed} it is {other.condition:.3g}"
    stable = rates(result.rule, result.hyperparameters, other.minimum.eigenvalues, None)
    if stable.best is None:
        return sentence
    lr, steps = _rounded(stable.best), min(asked.steps, _STEPS)
    trial = rerun(lr, result.start, steps, other.loss)
    line = command(replace(result, loss=other.loss), asked, lr=lr)
    if _Trial(lr, trial).score == math.inf:
        return sentence
    return (
        f"{sentence}: {line}"
        if line and not named
        else f"{sentence} (there a rate of {lr:g} works)"
    )


def _off_the_saddle(result: Result, asked: Asked, rerun: Rerun) -> str:
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
        if math.isnan(lr) or rerun(lr, start, min(asked.steps, _STEPS), None).value < result.value:
            line = command(result, asked, start=start)
            return f"start a little off it: {line}" if line else ""
    return ""


def _small(loss: Loss) -> bool:
    count = len(loss.params)
    return count <= _LARGEST and loss.internals.value_program.operations * count <= _LONGEST
