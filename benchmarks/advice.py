"""Advice against a fine scan: is the rate that is told within a factor 2 of the best constant one?

Random losses, rules, rates, lengths and starts; the run is one that asks for advice. The best rate
is that of the least error (distance from a minimum that was worked out by hand; the loss, where
there is none) among 24 rates in each decade: the largest error in the last eighth of the steps, and
of five neighboring rates the median, so that a lucky step or rate counts for nothing. A rate is as
good as the best where it or a neighbor gains 95 % of its digits: 5 % more steps make up for it.
"""

from __future__ import annotations

import math
import random
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Row
from benchmarks.verdict_grid import LOSSES, RULES

COUNT = 60
_PER_DECADE, _DECADES = 24, 3  # to each side of the rate that is told
_LATE = 8
_AS_GOOD = 0.95
_FACTOR = 2.0 * (1 + 1e-9)
_WITHOUT_LEAST = ("x^2-y^2/100", "exp(-x)", "x+sin(x)/2")


@dataclass(frozen=True)
class Advised:
    """A run, the rate that its advice names (its own, where it has none), and the best ones."""

    name: str
    told: float
    ratio: float

    @property
    def within(self) -> bool:
        """Whether a rate as good as the best is within a factor 2."""
        return self.ratio <= _FACTOR


def cases(count: int = COUNT, seed: int = 15) -> Iterator[Advised]:
    """The first so many random runs that end in a way that asks for advice."""
    chance = random.Random(seed)
    losses = [loss for loss in LOSSES if loss not in _WITHOUT_LEAST]
    found = 0
    while found < count:
        loss = chance.choice(losses)
        minima, start, lr = LOSSES[loss]
        arguments = {
            "start": _moved(start, chance.uniform(0.8, 1.25)),
            "rule": chance.choice(RULES),
            "steps": chance.choice((20, 50, 100, 300, 1000)),
        }
        rate = float(f"{lr * 10 ** chance.uniform(-4, 2):.3g}")
        case = _advised(loss, minima, rate, arguments)
        if case is not None:
            found += 1
            yield case


def _moved(start: str, factor: float) -> str:
    parts = [part.rpartition("=") for part in start.split(",")]
    return ",".join(f"{name}{sign}{float(value) * factor:.3g}" for name, sign, value in parts)


def _advised(
    loss: str, minima: tuple[tuple[float, ...], ...], rate: float, arguments: dict[str, Any]
) -> Advised | None:
    from symgd import descend
    from symgd.analysis.verdicts.sentences import advisable

    run = descend(loss, lr=rate, **arguments)
    if not advisable(run):
        return None
    advice = run.verdict.advice
    told = float(advice.split("lr = ")[1].split()[0]) if "lr = " in advice else rate

    def errors(tried: Any) -> list[float]:
        rows = [(x, value) for _, x, value, _ in tried.history.rows()]
        if not minima:
            return [value for _, value in rows]
        return [min(math.dist(x, goal) for goal in minima) for x, _ in rows]

    def late(lr: float) -> float:
        tried = descend(loss, lr=lr, advise=False, **arguments)
        found = errors(tried)
        return math.inf if tried.lost else max(found[-1 - len(found) // _LATE :])

    span = _PER_DECADE * _DECADES
    rates = [told * 10 ** (k / _PER_DECADE) for k in range(-span, span + 1)]
    each = [late(lr) for lr in rates]
    five = [each[max(0, k - 2) : k + 3] for k in range(len(each))]
    first, least = errors(run)[0], min(map(statistics.median, five))
    size = 1 + max((math.hypot(*m) for m in minima), default=0.0)
    floor = 1e-14 * size if minima else 1e-28 * first
    limit = max(first * (least / first) ** _AS_GOOD, floor)
    if told == rate:  # no advice: no other rate leaves less than half of the error
        limit = max(limit, 0.5 * five[span][2])
    good = (lr for lr, near in zip(rates, five, strict=True) if min(near) <= limit)
    ratio = min(max(lr / told, told / lr) for lr in good)
    name = f"{loss}  lr={rate}, " + ", ".join(f"{k}={v}" for k, v in arguments.items())
    return Advised(f"{name}: {told:g} told", told, ratio)


def rows() -> Iterator[Row]:
    """How many of the rates that are told are within a factor 2 of the best."""
    found = list(cases())
    for case in found:
        if not case.within:
            print(f"  advice: {case.name}; the best is {case.ratio:.3g} times away")
    yield Row("advised runs", len(found), "")
    yield Row("rates not within a factor 2 of the best", sum(not c.within for c in found), "", 0)
