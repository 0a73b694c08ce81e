"""The generic descent engine: chunks, callbacks, Ctrl-C, and the Result at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any, TypeAlias

from symgd.analysis.diagnosis import find_in_step
from symgd.analysis.nonfinite import NonfiniteCause
from symgd.analysis.verdicts import verdict as analysis
from symgd.analysis.verdicts.facts import Facts
from symgd.analysis.verdicts.stationary import leads_down
from symgd.analysis.verdicts.without_minimum import unbounded
from symgd.backends.step_checks import VALUE_CHECKS, Stop
from symgd.descent.continuation import Continuation
from symgd.descent.kernel import Kernel, Run, norm_of
from symgd.descent.reported_iterate import reported_point
from symgd.model.bounds import ParameterBox
from symgd.model.elements import named
from symgd.model.loss import Loss
from symgd.model.progress_meter import Meter
from symgd.model.result import Best, ConstraintEnd, Described, Result, Status, Verdict
from symgd.model.rules import Rule
from symgd.model.schedule import Schedule

Judge: TypeAlias = Callable[[], Verdict]


@dataclass(frozen=True)
class Step:
    """What a callback sees: the step, the parameters, the loss and the gradient's norm."""

    t: int
    theta: dict[str, float]
    loss: float
    grad_norm: float


@dataclass(frozen=True)
class Heading:
    """What a report says before the steps; the fields are those of `Result`."""

    loss: Described
    rule: Rule | None
    lr: float | str | None
    hyperparameters: Mapping[str, float]
    method: str | None = None
    constraints: tuple[ConstraintEnd, ...] = ()


def shown_values(values: Mapping[str, float]) -> dict[str, float]:
    """The values by the names that were typed."""
    return {name: value for name, value in values.items() if "[" not in name}


@dataclass(frozen=True)
class Problem:
    """What the end of a run needs: the loss as described and, if it is a formula, the Loss itself.

    evaluate: parameters -> [value, gradient...]. diagnose: the point and number of a step -> what
    is not finite there. batches: steps see some rows of the data only. trial: one of many runs that
    are compared: its status is given without going on, its message without the steps that are left.
    In bounds `evaluate`
    gives the gradient as it is; what the kernels record is projected (`ParameterBox.projected`).
    method: the solver, which has no rule.
    """

    described: Described
    loss: Loss | None
    rule: Rule | None
    schedule: Schedule
    values: Mapping[str, float]
    origin: list[float]
    evaluate: Callable[..., list[float]]
    diagnose: Callable[[Sequence[float], int], NonfiniteCause]
    batches: bool = False
    trial: bool = False
    method: str | None = None

    @property
    def box(self) -> ParameterBox | None:
        return None if self.loss is None else self.loss.internals.box

    @property
    def heading(self) -> Heading:
        """What runs."""
        lr = None if self.method else self.schedule.shown
        return Heading(self.described, self.rule, lr, shown_values(self.values), self.method)

    def point(self, values: Sequence[float]) -> dict[str, float]:
        """Numbers in the order of the parameters by name."""
        return named(self.described.params, values, self.described.shapes)

    def projected(self, x: Sequence[float]) -> tuple[float, list[float]]:
        """Value and projected gradient."""
        value, *grad = self.evaluate(*x)
        return value, grad if self.box is None else self.box.projected(x, grad)


def engine(
    kernel: Kernel,
    run: Run,
    steps: int,
    callback: Callable[[Step], object] | None,
    point: Callable[[Any], dict[str, Any]],
    evaluate: Callable[[Any], tuple[float, Any]],
    about: Any = None,
) -> tuple[Status | None, Stop | None]:
    """Advance to the end; the status that the engine decides, and the kernel's reason.

    point: the parameters by name. evaluate: value and projected gradient there. about: what runs,
    for who shows its progress.
    """
    try:
        meter = Meter(steps, "steps", about)
        pace = _Pace(steps if getattr(kernel, "paced", False) else _FIRST)
        while run.t < steps:
            stop = kernel.advance(run, 1 if callback else min(pace.count, steps - run.t))
            if stop is not None:
                return None, stop
            if callback is not None and run.last is not None:
                t, x, value, grad = run.last
                if callback(Step(t, point(x), value, norm_of(grad))):
                    return Status.STOPPED, None
            if pace.is_over() and run.t < steps:
                meter.tell(run.t, f"loss {run.loss:.6g}" if run.has_loss else "")
                if callback is None and _rests(kernel, run):
                    run.rest_until(steps)
        meter.tell(steps)
        value, grad = evaluate(run.x)
        return None, run.first_stop(VALUE_CHECKS, value, norm_of(grad), grad)
    except KeyboardInterrupt:
        return Status.INTERRUPTED, None


_FIRST = 16  # steps of the first call of a kernel that does not limit its calls itself,
_SPAN = 0.05  # and about how many seconds the others take


class _Pace:
    """How many steps a kernel takes at a time, so that progress is told several times a second.

    No result depends on it.
    """

    def __init__(self, count: int) -> None:
        self.count, self._begun = count, time.monotonic()

    def is_over(self) -> bool:
        """Whether a call, or several short ones, took that long; the next is longer or shorter."""
        spent = time.monotonic() - self._begun
        if spent < _SPAN / 2:
            self.count *= 2
            return False
        if spent > 2 * _SPAN:
            self.count = max(1, self.count // 2)
        self._begun = time.monotonic()
        return True


def _rests(kernel: Kernel, run: Run) -> bool:
    """Whether the run is at a fixed point of its step, so that all further points are the same."""
    if not getattr(kernel, "settles", False) or len(run.tail) < 2:
        return False
    (before, x), (after, y) = run.tail[-2], run.tail[-1]
    return after == before + 1 and list(x) == list(y) == list(run.x)


def finish(
    problem: Problem,
    run: Run,
    status: Status | None,
    stop: Stop | None,
    kernel: Kernel | None = None,
) -> Result:
    """The Result of a run that has ended. kernel: can continue it, to see what the verdict says."""
    if status is Status.INTERRUPTED and len(run.best_x):
        t, x = run.best_t, run.best_x
        value, *grad = problem.evaluate(*x)
    elif run.last is not None:
        t, x, value, grad = run.last
    else:  # not even the start has a value
        t, x = 0, run.x
        value, *grad = problem.evaluate(*x)
    slopes = grad
    if problem.box is not None:
        grad = problem.evaluate(*x)[1:]
        slopes = problem.box.projected(x, grad)
    _close_history(run, t, x, value, slopes)
    cause = _nonfinite_cause(problem, run, stop)
    if cause is not None:
        status = Status.DIVERGED if cause.overflow and run.t else Status.NONFINITE
    shown = None
    if run.t and stop is not Stop.CONVERGED and problem.rule is not None:
        shown = reported_point(problem.rule, x, run.state, problem.values, problem)
    facts = _facts(problem, run, (t, x, value), (slopes, grad), status, stop, kernel, cause)
    facts = facts if shown is None else replace(facts, reported=shown[0])
    judge = cache(partial(analysis.verdict, facts))
    told: Judge | None = judge
    if problem.trial:  # the minimum of many parameters costs more than a trial, going on as much
        seen = replace(facts, ahead=None)
        told = None if facts.large else cache(partial(analysis.verdict, seen))
    status = status or _status(facts, stop, told)
    if shown is not None:
        x, value, grad = shown
        if value < run.best_loss:
            run.best_x, run.best_loss, run.best_t = x, value, t
    point = problem.point
    if len(run.best_x):
        best = Best(point(run.best_x), run.best_loss, run.best_t)
    else:
        best = Best(point(x), value if value < math.inf else math.inf, t)
    return Result(
        theta=point(x),
        value=value,
        grad=point(grad),
        steps=t,
        status=status,
        message=message_of(
            status,
            run,
            stop,
            facts.slope,
            t,
            cause.sentence if cause else "",
            any(facts.held),
            None if problem.trial else judge,
            problem.method is not None,
        ),
        history=run.history,
        best=best,
        judge=judge,
        loss=problem.described,
        rule=problem.rule,
        lr=None if problem.method else problem.schedule.shown,
        start=point(problem.origin),
        hyperparameters=shown_values(problem.values),
        box=problem.box,
        method=problem.method,
    )


def _facts(
    problem: Problem,
    run: Run,
    end: tuple[int, Sequence[float], float],
    grads: tuple[Sequence[float], Sequence[float]],
    status: Status | None,
    stop: Stop | None,
    kernel: Kernel | None,
    cause: NonfiniteCause | None,
) -> Facts:
    """What a verdict is made from. end: step, point, value; grads: projected, and as it is."""
    (t, x, value), (slopes, grad) = end, grads
    return Facts(
        loss=problem.loss,
        rule=problem.rule,
        hyperparameters=problem.values,
        lr=None if problem.method else problem.schedule.value,
        start=problem.origin,
        x=[float(v) for v in x],
        grad=slopes,
        pull=grad,
        value=value,
        first_loss=run.history.loss_at(0),
        evaluate=problem.evaluate,
        tail=list(run.tail),
        history=run.history,
        steps=t,
        own_rates=() if problem.method else problem.schedule.numbers(problem.described.params),
        rate_at=_rate_at(problem),
        ahead=_ahead(problem, run, status, stop, kernel),
        tol=run.tol,
        converged=stop is Stop.CONVERGED,
        curves_up=getattr(kernel, "certified", False),
        stuck=stop in (Stop.STUCK, Stop.NO_DESCENT, Stop.SETTLED),
        auto=problem.schedule.auto or problem.method is not None,
        batches=problem.batches,
        interrupted=status is Status.INTERRUPTED,
        remedy=cause.remedy if cause else "",
        nonfinite=cause.sentence if cause and status is Status.NONFINITE else "",
        runaway=cause.sentence if cause and status is Status.DIVERGED else "",
    )


def _rate_at(problem: Problem) -> Callable[[int], float] | None:
    if problem.schedule.formula is None or problem.method:
        return None
    return lambda t: problem.schedule.at(t, problem.values)


def _ahead(
    problem: Problem, run: Run, status: Status | None, stop: Stop | None, kernel: Kernel | None
) -> Continuation | None:
    """What continues the run: of a formula, where the run did not end by itself."""
    if kernel is None or problem.loss is None or problem.batches or status or stop:
        return None
    if problem.method:  # a solver's iteration is not taken twice
        return None
    return Continuation(kernel, run, problem.loss.internals)


def _nonfinite_cause(problem: Problem, run: Run, stop: Stop | None) -> NonfiniteCause | None:
    if stop is Stop.NONFINITE_LOSS:
        return problem.diagnose(run.x, run.t)
    if stop is Stop.NONFINITE_STEP:
        if (cause := _cause_in_rule(problem, run)) is not None:
            return cause
        largest = max(map(abs, run.grad))
        sentence = (
            f"the rule's step is too large for a double: max|g| = {largest!r} at step {run.t}"
        )
        return NonfiniteCause(sentence, True)
    return None


def _cause_in_rule(problem: Problem, run: Run) -> NonfiniteCause | None:
    if problem.rule is None:
        return None
    t, schedule = run.t + 1, problem.schedule
    grad = run.grad if problem.box is None else problem.evaluate(*run.x)[1:]
    if problem.rule.evaluations or schedule.own:
        return None  # more than the rule's own formulas
    lr = schedule.value
    if lr is None:
        lr = run.lr if schedule.auto else schedule.at(t, problem.values)
    known = {name: problem.values[name] for name in problem.rule.hyperparameters}
    shared = {"t": float(t), "lr": lr, **known}
    return find_in_step(problem.rule, problem.described.params, shared, run.x, grad, run.state)


def _close_history(run: Run, t: int, x: list[float], value: float, grad: list[float]) -> None:
    """See that the last row is the returned point (thinning may have passed it by)."""
    history = run.history
    if not len(history) or history.last_step() < t:
        history.close(t, x, value, norm_of(grad))


def _status(facts: Facts, stop: Stop | None, judge: Judge | None) -> Status:
    """judge: None where no verdict is formed; a run that climbed has diverged then."""
    if not facts.curves_up and leads_down(facts):
        return Status.SADDLE
    if stop is Stop.CONVERGED:
        return Status.CONVERGED
    if stop is Stop.SETTLED and (facts.curves_up or facts.settled):
        return Status.CONVERGED
    if facts.lost or (facts.rule is None and unbounded(facts)):
        return Status.DIVERGED
    if stop in (Stop.STUCK, Stop.NO_DESCENT, Stop.SETTLED):
        return Status.STALLED
    if facts.climbed and judge is None:
        return Status.DIVERGED
    if judge and (facts.climbed or facts.far) and judge().kind == "diverging":
        return Status.DIVERGED
    return Status.COMPLETED if facts.tol is None else Status.MAX_STEPS


def message_of(
    status: Status,
    run: Run,
    stop: Stop | None,
    largest: float,
    t: int,
    cause: str,
    held: bool = False,
    judge: Judge | None = None,
    solver: bool = False,
) -> str:
    """The sentence of a status after t steps. largest: max|g|. cause: what was not finite.

    held: some parameters at bounds. judge: forms the verdict, which tells how many steps are left.
    solver: took them.
    """
    match status:
        case Status.CONVERGED if stop is Stop.SETTLED:
            what = f"max|g| = {largest:.3g} is above tol = {run.tol:g}, but by rounding only"
            return f"{what}: after {t} steps another one changes nothing"
        case Status.CONVERGED:
            beside = " beside the gradient out of the bounds" if held else ""
            return f"max|g| = {largest:.3g} <= tol = {run.tol:g} after {t} steps{beside}"
        case Status.COMPLETED:
            return f"all {t} steps were run"
        case Status.MAX_STEPS:
            above = f"max|g| = {largest:.3g} is above tol = {run.tol:g} after {t} steps"
            return above + (_more_steps(largest, t, run.tol, judge()) if judge else "")
        case Status.DIVERGED if not cause:
            return "it runs away from where it started"
        case Status.DIVERGED | Status.NONFINITE:
            return f"{cause}; the last finite point is returned" if run.t else cause
        case Status.STALLED if solver:
            return f"no step of the solver lowers the loss; max|g| = {largest:.3g}"
        case Status.STALLED if stop is Stop.NO_DESCENT:
            return f"no step along the rule's direction lowers the loss; max|g| = {largest:.3g}"
        case Status.STALLED:
            return f"the step is too small to change theta; max|g| = {largest:.3g}"
        case Status.SADDLE:
            return "the gradient vanishes here, but some direction leads down: not a minimum"
        case Status.INTERRUPTED:
            kept = "best point so far" if len(run.best_x) else "last point"
            return f"interrupted at step {run.t}; the {kept} is returned"
        case _:
            return f"stopped by the callback at step {t}"


def _more_steps(slope: float, steps: int, tol: float | None, verdict: Verdict) -> str:
    """How many steps more bring max|g| to tol, where the error falls by a known law."""
    if not verdict.digit_steps or not tol:
        return ""
    digits = math.log10(slope / tol)
    if verdict.kind == "sublinear":
        power = digits * math.log10(1 + verdict.digit_steps / steps)
        more = steps * (10**power - 1) if power < 15 else math.inf
    elif verdict.kind in ("converging", "slow"):
        more = digits * verdict.digit_steps
    else:
        return ""
    return f"; about {max(1, math.ceil(more)):,} more steps bring it there" if more < 1e15 else ""
