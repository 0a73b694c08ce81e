"""Verdicts against what really happens: every run is continued, and no sentence may be refuted.

A grid of losses, rules, learning rates, schedules and lengths, all deterministic, of which every
19th is run. The minima are worked out by hand; the truth is the same run with more steps.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks import certified, curvatures, explain_points
from benchmarks.measure import Row

_APART = 19  # of the grid's cases: 228 of 4332 are run
_LONGEST = 400_000  # steps of a continued run
_SHRINKING = ("converging", "slow", "sublinear")  # kinds that say that the error falls


@dataclass(frozen=True)
class Case:
    """A run: the loss, its minima, and the arguments of `descend`."""

    loss: str
    minima: tuple[tuple[float, ...], ...]
    arguments: dict[str, Any]
    steps: int

    @property
    def name(self) -> str:
        """What was run, on one line."""
        given = ", ".join(f"{k}={v}" for k, v in self.arguments.items())
        return f"{self.loss}  {given}, steps={self.steps}"


#: loss -> (its minima, start, a rate well inside the stable range of gd)
LOSSES: dict[str, tuple[tuple[tuple[float, ...], ...], str, float]] = {
    "theta**2": (((0.0,),), "1", 0.2),
    "(x-3)^2+10*(y+1)^2": (((3.0, -1.0),), "0", 0.03),
    "x^2+100*y^2": (((0.0, 0.0),), "1", 0.004),
    "(1-x)^2+100*(y-x^2)^2": (((1.0, 1.0),), "x=-1.2,y=1", 0.001),
    "log(cosh(x))": (((0.0,),), "5", 0.1),
    "sqrt(1+(x-2)^2)": (((2.0,),), "-4", 0.3),
    "exp(x)-2*x": (((math.log(2.0),),), "3", 0.1),
    "x-log(x)": (((1.0,),), "4", 0.2),
    "cosh(x-1)+y^2/50": (((1.0, 0.0),), "3", 0.1),
    "x^2+y^2+z^2+x*y+y*z": (((0.0, 0.0, 0.0),), "x=1,y=-2,z=3", 0.1),
    "x^4-2*x^2": (((1.0,), (-1.0,)), "0.1", 0.05),
    "1-exp(-x^2)": (((0.0,),), "1.5", 0.2),
    "huber(x-1,0.5)+0.1*y^2": (((1.0, 0.0),), "6", 0.3),
    "x^4+y^2": ((), "1", 0.05),
    "abs(x)": (((0.0,),), "1", 0.03),
    "(x*y-1)^2": ((), "x=2,y=1", 0.05),
    "x^2-y^2/100": ((), "x=1,y=0.001", 0.1),
    "exp(-x)": ((), "0", 0.5),
    "x+sin(x)/2": ((), "0", 0.2),
}
RULES = ("gd", "momentum", "nesterov", "adam", "rmsprop", "adagrad", "signsgd", "rprop", "lion")
FACTORS = (0.01, 0.3, 1.0, 3.0, 12.0)  # times the rate of the loss
LENGTHS = (5, 20, 100, 1000)
SCHEDULES = ("{lr}/t", "{lr}/sqrt(t)", "{lr}*0.97^t", "{lr}/(1+t/50)", "{lr}*(1+cos(pi*t/1000))/2",
             "auto")  # fmt: skip


def grid() -> Iterator[Case]:
    """Every case: constant rates by every rule, schedules by gd and momentum."""
    for loss, (minima, start, lr) in LOSSES.items():
        for rule in RULES:
            for factor in FACTORS:
                for steps in LENGTHS:
                    yield Case(loss, minima, _given(start, lr * factor, rule), steps)
        for schedule in SCHEDULES:
            for rule in ("gd", "momentum"):
                for steps in LENGTHS:
                    yield Case(loss, minima, _given(start, schedule.format(lr=lr), rule), steps)


def _given(start: str, lr: float | str, rule: str) -> dict[str, Any]:
    rate = lr if isinstance(lr, str) else float(f"{lr:.3g}")
    return {"start": start, "lr": rate, "rule": rule}


def refutations(case: Case) -> tuple[str, list[str]]:
    """The kind of the verdict, and what the continued run shows to be wrong in it."""
    from symgd import descend

    run = descend(case.loss, steps=case.steps, advise=False, **case.arguments)
    told, wrong = run.verdict, []
    told_steps = told.digit_steps or 0
    more = int(min(max(9 * case.steps, 64, 1.1 * told_steps), _LONGEST))
    later = descend(case.loss, steps=case.steps + more, advise=False, **case.arguments)
    seen, predicted = told.rate_observed, told.rate_predicted
    if predicted is not None and abs(abs(seen / predicted) - 1) > 0.01:
        wrong.append(f"predicted {predicted}, observed {seen}")
    if case.minima and run.history.stride == 1:
        wrong += _by_error(case, run, later, told)
    elif told.kind in (*_SHRINKING, "approaching"):
        wrong.append(f"kind {told.kind}, but there is no smooth minimum")
    if told.kind == "diverging" and not _grew(case, run, later):
        wrong.append("diverging, but neither loss nor error grew")
    rose = not later.lost and later.value > run.value and later.best.value >= run.value
    if told.kind == "descending" and rose:
        wrong.append(f"descending, but the loss rises from {run.value} to {later.value}")
    return told.kind, wrong


def _by_error(case: Case, run: Any, later: Any, told: Any) -> Iterator[str]:
    goal = min(case.minima, key=lambda m: math.dist(m, run.x.tolist()))
    errors = {t: math.dist(goal, x) for t, x, _, _ in later.history.rows()}
    at, error = run.steps, math.dist(goal, run.x.tolist())
    tail = max(e for t, e in sorted(errors.items())[-max(8, len(errors) // 50) :])
    floor = 1e-12 * (1 + math.hypot(*goal))
    if told.digit_steps is not None and at + told.digit_steps <= later.steps:
        place = min(errors, key=lambda t: abs(t - at - told.digit_steps))
        part = errors[place] / error
        if not 0.05 <= part <= 0.2:
            yield f"a digit in {told.digit_steps:.0f} steps, but then {part:.3g} of it is left"
    if told.kind in _SHRINKING:
        if abs(told.distance - error) > 1e-6 * error + 1e-12:
            yield f"distance {told.distance}, but {error} to {goal}"
        if not tail < error + floor:
            yield f"{told.kind}, but the error goes from {error:.3g} to {tail:.3g}"
    lately = at - min(20, max(at // 4, 2))
    now = max(math.dist(goal, x) for t, x, _, _ in run.history.rows() if t >= lately)
    if told.kind == "oscillating" and tail < 0.5 * now:
        yield f"oscillating, but the error goes from {now:.3g} to {tail:.3g}"
    periodic = "cos" in str(case.arguments["lr"])
    if told.kind == "run_down" and told.distance and tail < 0.1 * error and not periodic:
        yield f"run down, but the error goes on from {error:.3g} to {tail:.3g}"
    if told.kind == "converged" and error > 1e-7 * (1 + math.hypot(*goal)):
        yield f"converged, but {error:.3g} away"


def _grew(case: Case, run: Any, later: Any) -> bool:
    if later.lost or later.value > run.value or later.status == "diverged":
        return True
    if not case.minima:
        return math.hypot(*later.x) > 2 * math.hypot(*run.x)
    goal = min(case.minima, key=lambda m: math.dist(m, run.x.tolist()))
    return math.dist(goal, later.x.tolist()) > math.dist(goal, run.x.tolist())


def rows(cases: Sequence[Case] | None = None) -> Iterator[Row]:
    """The number of runs, of refuted sentences, and of each kind."""
    kinds: Counter[str] = Counter()
    refuted = 0
    for case in cases or list(grid())[::_APART]:
        kind, wrong = refutations(case)
        kinds[kind] += 1
        refuted += bool(wrong)
        for sentence in wrong:
            print(f"  refuted: {case.name}: {sentence}")
    yield Row("runs", sum(kinds.values()), "")
    yield Row("refuted sentences", refuted, "", 0)
    for kind, count in kinds.most_common():
        yield Row(f"kind {kind}", count, "")
    if cases is None:
        yield from explain_points.rows()
        yield from certified.rows()
        yield from curvatures.rows()
