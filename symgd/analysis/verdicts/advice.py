"""What to try after a run that did not do well: a command that has been tried and works."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

from symgd.analysis.lower_bound import lower_bound
from symgd.analysis.minima import certified_minimum, steepest_curve
from symgd.analysis.stable_rates import rates
from symgd.analysis.verdicts.command import Asked, command
from symgd.analysis.verdicts.rate_scan import RateScan, Trial
from symgd.analysis.verdicts.scaling import ILL, condition_number, rescaled
from symgd.model.loss import Loss
from symgd.model.result import Result, Status, Verdict

_OPERATIONS = 1_000_000  # that a trial run may take,
_STEPS = 20_000
_OFF_SADDLE = 2_000  # steps of a run beside a saddle
_LARGEST = 60  # parameters, and
_LONGEST = 20_000  # operations times parameters, as for the verdict
_GOOD = ("converging", "converged", "slow", "sublinear", "approaching", "landed", "descending",
         "bound", "kink")  # fmt: skip
_LOOKED_AT = 4  # of the best trials: whose verdicts are read
_NEARER = 0.5  # of the error: what a better rate leaves of it,
_FARTHER = 1.05  # times the digits of the run: what a rate gains that is better and far from its,
_APART = 2.0  # by this factor at least
_LOWER = 0.1  # of the loss above its minimum, the same; else, of its fall, by how much further,
_FLATTER = 0.1  # or of the gradient: what it leaves of it

#: Runs the same descent with other settings: (lr, start, steps, loss) -> its Result, no advice.
Rerun = Callable[[float, Mapping[str, float], int, Loss | None], Result]


def advised(result: Result, asked: Asked, rerun: Rerun) -> Verdict:
    """The verdict with advice, where there is any; what is advised was tried."""
    find = _off_the_saddle if result.verdict.kind == "saddle" else _other_rate
    found = find(result, asked, rerun)
    # one command, at the end
    units = _other_units(result, asked, rerun, named="symgd " in found)
    parts = [p for p in (result.verdict.advice, units, found) if p]
    return replace(result.verdict, advice="; ".join(parts))


def _other_rate(result: Result, asked: Asked, rerun: Rerun) -> str:
    loss = result.loss
    if not isinstance(loss, Loss) or result.rule is None or "lr" not in result.rule.variables:
        return ""
    steps = _steps(loss, asked)
    if steps < min(asked.steps, 5) or not math.isfinite(loss.value(result.start)):
        return ""
    whole = steps >= result.steps
    again = result
    if not whole and isinstance(result.lr, float):
        again = rerun(result.lr, result.start, steps, None)
    found = _best(result, loss, lambda lr: rerun(lr, result.start, steps, None), asked, again)
    if found is not None:
        best, how = found
        line = command(result, asked, lr=best.lr)
        words = f"lr = {best.lr:g} {how}" + ("" if whole else f" (tried for {steps} steps)")
        return f"{words}: {line}" if line else f"{words} (loss {best.run.value:.6g})"
    if result.status is Status.DIVERGED and result.verdict.lr_max is None:
        return "no smaller learning rate that was tried ends lower; is there a minimum at all?"
    return ""


def _steps(loss: Loss, asked: Asked) -> int:
    """How many steps a trial may take."""
    return min(asked.steps, _STEPS, _OPERATIONS // (3 * loss.internals.work + 20))


def _best(
    result: Result,
    loss: Loss,
    run: Callable[[float], Result],
    asked: Asked,
    before: Result | None = None,
) -> tuple[Trial, str] | None:
    """The best constant rate, and what is said of it; None where it is no better than the run.

    before: the run that it must be better than, if any. None, too, where there is no minimum and
    larger rates seem ever better.
    """
    fastest, limit = _linear(result, loss)
    scan = RateScan(run, loss if _small(loss) else None, limit, asked.batch is not None)
    given = result.lr if isinstance(result.lr, float) else 1.0
    center = 0.5 * limit if limit < math.inf else given
    if result.lost:  # smaller ones may be needed than near the minimum
        center = min(center, given)
    order = scan.ranked(center, fastest)
    top = scan.trials[max(scan.trials)]
    if scan.minimum is None:
        without_end = _small(loss) and lower_bound(loss, [*result.start.values()]).sentence
        if without_end or scan.score(top) <= min(map(scan.score, order)):
            return None
    for trial in order[:_LOOKED_AT]:
        lower = trial.run.value < trial.run.history.loss_at(0)
        if trial.loss == math.inf or not (lower or scan.minimum is not None):
            continue
        if before is not None and not _better(scan, trial, before):
            return None
        kind = trial.run.verdict.kind
        if kind in _GOOD:
            return trial, "works"
        if kind == "oscillating":
            gap = trial.run.verdict.distance
            return trial, "gets nearest" + ("" if gap is None else f", to {gap:.2g}")
    return None


def _linear(result: Result, loss: Loss) -> tuple[float | None, float]:
    """Of the linearized rule: the fastest learning rate near the minimum, and the limit."""
    place = certified_minimum(loss, list(result.start.values())) if _small(loss) else None
    if place is None:
        return None, math.inf
    assert result.rule is not None
    found = rates(result.rule, result.hyperparameters, place.eigenvalues, None)
    return found.best, found.lr_max or math.inf


def _better(scan: RateScan, trial: Trial, result: Result) -> bool:
    """Whether a trial is worth its words: it does much better than the run."""
    before = scan.judged(result)
    if before.loss == math.inf or result.verdict.kind == "diverging":
        return True
    if scan.done(result):
        return False
    (under_way, new, _), (missed, old, _) = scan.score(trial), scan.score(before)
    if not under_way or scan.minimum is not None:
        lower = new < old and scan.left(trial) < _LOWER * scan.left(before)
        near = new < _NEARER * old or _gains_more(scan, trial, result, old)
        return under_way < missed or near or lower
    scale = min(abs(result.history.loss_at(0) - old), abs(old))
    flatter = trial.run.grad_norm < _FLATTER * result.grad_norm
    return old - new > _LOWER * scale or (new <= old and flatter)


def _gains_more(scan: RateScan, trial: Trial, result: Result, error: float) -> bool:
    """Whether a trial at a rate of another size gains more digits than the run, of this error."""
    if scan.minimum is None or not isinstance(result.lr, float):
        return False
    first, new = math.dist(result.start.values(), scan.minimum), scan.score(trial)[1]
    if not (0 < new < first and error > 0):
        return False
    apart = max(trial.lr, result.lr) > _APART * min(trial.lr, result.lr)
    return apart and math.log(first / new) > _FARTHER * math.log(first / error)


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
    assert result.rule is not None
    taken = result.rule.hyperparameters
    constants = {n: v for n, v in asked.given.items() if n not in taken}
    other = rescaled(loss, found, constants) if loss.internals.box is None else None
    if other is None:
        return sentence
    listed = ", ".join(f"{text} for {name}" for name, text in other.replaced.items())
    sentence = f"{sentence}; with {listed} it is {other.condition:.3g}"
    of, steps = other.loss, _steps(other.loss, asked)
    best = _best(result, of, lambda lr: rerun(lr, result.start, steps, of), asked)
    if best is None:
        return sentence
    trial, how = best
    line = command(replace(result, loss=of), asked, lr=trial.lr)
    if line and not named:
        return f"{sentence}: {line}"
    return f"{sentence} (there a rate of {trial.lr:g} {how})"


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
        lr, steps = result.lr, min(asked.steps, _OFF_SADDLE)
        if not isinstance(lr, float) or rerun(lr, start, steps, None).value < result.value:
            line = command(result, asked, start=start)
            return f"start a little off it: {line}" if line else ""
    return ""


def _small(loss: Loss) -> bool:
    count = len(loss.params)
    return count <= _LARGEST and loss.internals.value_program.operations * count <= _LONGEST
