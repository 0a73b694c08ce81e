"""Verdicts against what really happens: every run is continued, and no sentence may be refuted.

A grid of losses, rules, learning rates, schedules and lengths, all deterministic, of which every
19th is run. The minima are worked out by hand; the truth is the same run with more steps.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from benchmarks import advice, certified, curvatures, explain_points, limits
from benchmarks.measure import Row
from benchmarks.verdict_grid import Case, grid

_APART = 19  # of the grid's cases: 289 of 5484 are run
_LONGEST = 400_000  # steps of a continued run
_LEAST = 640  # steps by which every run is continued
_SHRINKING = ("converging", "slow", "sublinear")  # kinds that say that the error falls


def refutations(case: Case) -> tuple[str, list[str]]:
    """The kind of the verdict, and what the continued run shows to be wrong in it."""
    from symgd import descend

    run = descend(case.loss, steps=case.steps, advise=False, **case.arguments)
    told, wrong = run.verdict, []
    told_steps = told.digit_steps or 0
    seen_steps = re.search(r"has gone on for (\d+) steps", told.sentence)
    more = max(9 * case.steps, _LEAST, 1.1 * told_steps, int(seen_steps[1]) if seen_steps else 0)
    more = int(min(more, _LONGEST))
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
    late = max(8, len(errors) // 50)
    tail = max(e for t, e in sorted(errors.items())[-late:])
    floor = 1e-12 * (1 + math.hypot(*goal))
    if told.digit_steps is not None and at + told.digit_steps <= later.steps:
        place = min(errors, key=lambda t: abs(t - at - told.digit_steps))
        part = errors[place] / error
        if not 0.05 <= part <= 0.2:
            yield f"a digit in {told.digit_steps:.0f} steps, but then {part:.3g} of it is left"
    if told.kind in _SHRINKING:
        if abs(told.distance - error) > 1e-6 * error + 1e-12:
            yield f"distance {told.distance}, but {error} to {goal}"
        after = [e for t, e in errors.items() if t > at]
        if "leaves the minimum again" in told.sentence:
            low = after.index(min(after))
            if not (after[low] < 0.1 * error and max(after[low:]) > 10 * after[low]):
                yield f"{told.sentence}, but from {error} to {after[low]} and {max(after[low:])}"
        elif not tail < error + floor:
            yield f"{told.kind}, but the error goes from {error:.3g} to {tail:.3g}"
    lately = at - min(20, max(at // 4, 2))
    now = max(math.dist(goal, x) for t, x, _, _ in run.history.rows() if t >= lately)
    if "rises again" in told.sentence:
        now = 2 * error
    settles = tail < 0.5 * now and _stride(later, late) < 0.5 * _stride(run, 8)
    if told.kind == "oscillating" and settles and "bursts" not in told.sentence:
        yield f"oscillating, but the error goes from {now:.3g} to {tail:.3g}"
    periodic = "cos" in str(case.arguments["lr"])
    if told.kind == "run_down" and told.distance and tail < 0.1 * error and not periodic:
        yield f"run down, but the error goes on from {error:.3g} to {tail:.3g}"
    if told.kind in ("converged", "bound") and error > 1e-7 * (1 + math.hypot(*goal)):
        yield f"converged, but {error:.3g} away"


def _stride(run: Any, count: int) -> float:
    """The longest of the last so many steps."""
    points = [x for _, x, _, _ in run.history.rows()][-count - 1 :]
    return max((math.dist(a, b) for a, b in pairwise(points)), default=0.0)


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
        yield from advice.rows()
        yield from limits.rows()
        yield from explain_points.rows()
        yield from certified.rows()
        yield from curvatures.rows()
