"""Whether computed numbers agree with the oracle's, and whether conditioning explains it if not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mpmath import mp

from . import floats
from .case import Case
from .jets import Real
from .oracle import Answer, evaluate, may_be_real, rounding_spread

CLOSE = 1e-13  # relative: agrees without further question
BOUND = 64  # times the largest change by perturbed roundings
TINY = 1e-290  # absolute: what underflows on the way
_MORE_DIGITS = 200
_LARGE = 1e100  # values of tails: times what underflows, they would not

#: What came of the comparisons: "agree", "conditioning", "no claim".
Tally = Counter[str]


@dataclass(frozen=True)
class Disagreement:
    """What is wrong. bound: how far off the number might have been."""

    check: str
    what: str
    got: float | str
    want: str
    bound: str = ""

    def __str__(self) -> str:
        limit = f" (may be off by {self.bound})" if self.bound else ""
        return f"{self.check}: {self.what} is {self.got}, right: {self.want}{limit}"


def labels(names: Sequence[str]) -> list[str]:
    """What the numbers are: the value, the gradient, the upper triangle of the Hessian."""
    pairs = [(a, b) for k, a in enumerate(names) for b in names[k:]]
    return ["value", *(f"d/d{n}" for n in names), *(f"d2/d{a}d{b}" for a, b in pairs)]


def close(got: float, want: float, tolerance: float = CLOSE) -> bool:
    """Whether they agree to a relative tolerance."""
    return got == want or abs(got - want) <= tolerance * abs(want) + TINY


def compare(
    check: str, case: Case, got: Sequence[float], tally: Tally, tolerance: float = CLOSE
) -> Disagreement | None:
    """The first of these numbers (value, gradient, Hessian) that is wrong beyond conditioning."""
    answer = case.answer
    if answer.order < 0:
        tally["no claim"] += 1
        return None
    if answer.reason == "nan":
        return _compare_nan(check, case, got[0], tally)
    pairs = list(zip(got, answer.numbers, strict=False))
    off = [k for k, (a, b) in enumerate(pairs) if not close(a, float(b), tolerance)]
    tally["agree"] += len(pairs) - len(off)
    if not off:
        return None
    answer = evaluate(case.tree, case.point, answer.order, _MORE_DIGITS)
    off = [k for k in off if k < len(answer.numbers)]  # fewer digits may miss a pole
    if not off:
        tally["no claim"] += 1
        return None
    if answer.left_range and case.kind == "tails" and abs(answer.numbers[0]) < _LARGE:
        off = [k for k in off if k <= len(case.point.params)]
    elif answer.left_range:
        off = [k for k in off if k == 0 and _python_knows(case, float(answer.numbers[0]))]
        tally["no claim"] += not off
    return judge(
        check,
        {labels(list(case.point.params))[k]: (got[k], k) for k in off},
        answer.numbers,
        lambda: _spread(case, answer),
        tally,
        tolerance,
    )


def judge(
    check: str,
    got: dict[str, tuple[float, int]],
    want: Sequence[Real],
    spread: Callable[[], Sequence[Real]],
    tally: Tally,
    tolerance: float = CLOSE,
) -> Disagreement | None:
    """The first number by label (with its place in `want`) that conditioning does not explain.

    spread: by place, the largest change by perturbed roundings; it is asked for where needed.
    """
    known: Sequence[Real] | None = None
    for label, (number, k) in got.items():
        if close(number, float(want[k]), tolerance):
            tally["agree"] += 1
            continue
        known = spread() if known is None else known
        limit = BOUND * known[k]
        if mp.isinf(limit) or (math.isfinite(number) and abs(mp.mpf(number) - want[k]) <= limit):
            tally["conditioning"] += 1
            continue
        return Disagreement(check, label, number, mp.nstr(want[k], 20), mp.nstr(limit, 3))
    return None


def _spread(case: Case, answer: Answer) -> list[Real]:
    if case.kind == "kinks":
        return [mp.mpf(0)] * len(answer.numbers)
    return rounding_spread(case.tree, case.point, answer)


def _compare_nan(check: str, case: Case, got: float, tally: Tally) -> Disagreement | None:
    if math.isnan(got):
        tally["agree"] += 1
        return None
    if case.answer.left_range:  # what overflows may hide a sign: log(-1/inf) is -inf
        tally["no claim"] += 1
        return None
    if may_be_real(case.tree, case.point):
        tally["conditioning"] += 1
        return None
    return Disagreement(check, "value", got, "nan")


def _python_knows(case: Case, want: float) -> bool:
    try:
        return close(floats.evaluate(case.tree, case.point), want)
    except floats.UnsupportedError:
        return False
