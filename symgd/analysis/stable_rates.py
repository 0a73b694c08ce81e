"""Which learning rates are stable at a minimum, which is fastest: from the rule's own step map."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from symgd.analysis.stability import LinearRule, linear_rule
from symgd.analysis.stability_limit import formula_of_limit
from symgd.model.rules import Rule
from symgd.solvers.symmetric import finite_rows

Interval = tuple[float, float]

_DECADES = 6  # on each side of 1/curvature, where stable learning rates are looked for
_PER_DECADE = 12
_MOST_EIGENVALUES = 16  # distinct ones that are looked at: the ends and some between


@dataclass(frozen=True)
class Rates:
    """What a rule does near a minimum, by its linearization there.

    stable: the intervals of stable learning rates (open), ascending; () where none is. best: the
    fastest learning rate, or the middle of the fastest ones, which are between `fastest`.
    best_rate: what each step then multiplies the error by. rate: the same at the given learning
    rate, signed where that is real; None without one. formula: the end of the stable range in the
    rule's own letters, or "". why_not: the reason where linearization says nothing, else "".
    """

    stable: tuple[Interval, ...] = ()
    best: float | None = None
    fastest: Interval | None = None
    best_rate: float | None = None
    rate: float | None = None
    formula: str = ""
    why_not: str = ""

    @property
    def lr_max(self) -> float | None:
        """The least upper bound of the stable learning rates that reach down to 0."""
        if self.stable and self.stable[0][0] == 0 and math.isfinite(self.stable[0][1]):
            return self.stable[0][1]
        return None

    @property
    def steps_per_digit(self) -> float | None:
        """How many steps make the error ten times smaller, at the given learning rate."""
        if self.rate is None or not 0 < abs(self.rate) < 1:
            return None
        return math.log(10) / -math.log(abs(self.rate))


def rates(
    rule: Rule,
    hyperparameters: Mapping[str, float],
    eigenvalues: Sequence[float],
    lr: float | None,
) -> Rates:
    """The rates at a minimum of these Hessian eigenvalues (ascending)."""
    if not eigenvalues:
        return Rates(why_not="the minimum is at a kink, where the gradient jumps")
    largest = eigenvalues[-1]
    bent = [v for v in eigenvalues if v > 1e-12 * largest]
    if 0 < min((v for v in eigenvalues if v > 0), default=0.0) < bent[0]:
        # in some directions a step changes nothing that doubles tell from 1
        found = rates(rule, hyperparameters, bent, lr)
        rate = None if found.rate is None else max(found.rate, 1.0, key=abs)
        return replace(found, best=None, fastest=None, best_rate=None, rate=rate)
    if largest <= 0 or not bent:
        return Rates(why_not="the curvature vanishes there: slower than any factor per step")
    linear = linear_rule(rule, hyperparameters)
    if not linear.applies(largest):
        return Rates(why_not=_why(linear, largest))
    values = _some(bent)
    rate = None if lr is None else linear.dominant(values, lr)
    if "lr" not in rule.variables:
        return Rates(rate=rate or linear.dominant(values, 1.0), why_not="the rule does not use lr")
    if linear.straight(values):
        return _of_straight(linear, values, rate)
    stable = _stable(linear, values)
    fastest, best_rate = _fastest(linear, values, stable)
    best = None if fastest is None else 0.5 * (fastest[0] + fastest[1])
    top = stable[0][1] if stable and stable[0][0] == 0 else math.inf
    formula = formula_of_limit(linear, bent, top) if math.isfinite(top) else ""
    return Rates(stable, best, fastest, best_rate, rate, formula)


def _why(linear: LinearRule, curvature: float) -> str:
    if linear.random:
        return "the rule draws random numbers"
    if not linear.separate:
        return "the rule couples all parameters, or its state does not vanish there"
    if not linear.smooth:
        return "the rule is not smooth (sign, max, where, norm or the like)"
    rest = linear.jacobian(0.0, 0.1 / curvature)
    if not finite_rows(rest):
        return "the rule divides by the size of the gradient, so near a minimum it is not linear"
    if rest[0][0] != 1.0 or any(row[0] != 0.0 for row in rest[1:]):
        return "the rule's fixed point is not the minimum"
    return "the rule changes with t for ever, or is linear only on a tiny scale"


def _some(values: Sequence[float]) -> list[float]:
    """Distinct values, the ends among them, at most a few."""
    distinct = [v for k, v in enumerate(values) if not k or v > values[k - 1] * (1 + 1e-9)]
    if len(distinct) <= _MOST_EIGENVALUES:
        return distinct
    last = len(distinct) - 1
    places = {round(k * last / (_MOST_EIGENVALUES - 1)) for k in range(_MOST_EIGENVALUES)}
    return [distinct[k] for k in sorted(places)]


def _of_straight(linear: LinearRule, values: Sequence[float], rate: float | None) -> Rates:
    """For 1 - lr*slope, as of gradient descent: everything in closed form."""
    slopes = [-linear.slope(v) for v in values]
    low, high = min(slopes), max(slopes)
    if low <= 0:
        return Rates((), rate=rate)
    best = 1.0 / (0.5 * low + 0.5 * high)
    best_rate = (0.5 * high - 0.5 * low) * best
    top = 2.0 / high
    formula = formula_of_limit(linear, values, top)
    return Rates(((0.0, top),), best, (best, best), best_rate, rate, formula)


def _stable(linear: LinearRule, values: Sequence[float]) -> tuple[Interval, ...]:
    """Where every eigenvalue of the step map is inside the unit circle."""
    found: list[Interval] = [(0.0, math.inf)]
    for value in values:
        found = _common(found, _stable_for(linear, value))
    return tuple(found)


def _stable_for(linear: LinearRule, value: float) -> list[Interval]:
    grid = [10.0 ** (k / _PER_DECADE) / value for k in range(-72, 73)]
    assert len(grid) == 2 * _DECADES * _PER_DECADE + 1

    def inside(lr: float) -> bool:
        return abs(linear.factor(value, lr)) < 1.0

    marks = [inside(lr) for lr in grid]
    ends = [0.0] if marks[0] else []
    for (a, before), (b, after) in pairwise(zip(grid, marks, strict=True)):
        if before != after:
            ends.append(_edge(inside, a, b))
    if marks[-1]:
        ends.append(math.inf)
    return list(zip(ends[::2], ends[1::2], strict=True))


def _edge(inside: Callable[[float], bool], a: float, b: float) -> float:
    """Where `inside` changes between a and b."""
    first = inside(a)
    for _ in range(200):
        middle = 0.5 * (a + b)
        if not a < middle < b:
            break
        a, b = (middle, b) if inside(middle) == first else (a, middle)
    return 0.5 * (a + b)


def _common(a: Sequence[Interval], b: Sequence[Interval]) -> list[Interval]:
    pairs = [(max(p, r), min(q, s)) for p, q in a for r, s in b]
    return sorted((low, high) for low, high in pairs if low < high)


def _fastest(
    linear: LinearRule, values: Sequence[float], stable: Sequence[Interval]
) -> tuple[Interval | None, float | None]:
    """The learning rates of the smallest factor, and that factor."""
    if not stable:
        return None, None
    low = stable[0][0] or 1e-6 / values[-1]
    high = min(stable[-1][1], 1e6 / values[0])

    def size(lr: float) -> float:
        return abs(linear.dominant(values, lr))

    count = 96
    grid = [low * (high / low) ** (k / count) for k in range(1, count)]
    if not grid:
        return None, None
    place = min(range(len(grid)), key=lambda k: size(grid[k]))
    # beyond the ends of the grid, too: with momentum the fastest is next to the limit
    a, b = ([low, *grid][place], [*grid, high][place + 1])
    best = _golden(size, a, b)
    best = min((best, grid[place]), key=size)
    least = size(best)
    if least < 1e-7:  # a double root at 0 is blurred to the square root of rounding
        return (best, best), 0.0

    def close(lr: float) -> bool:
        return size(lr) <= least * (1 + 1e-7) + 1e-12

    return (_edge(close, low, best), _edge(close, best, high)), least


def _golden(size: Callable[[float], float], a: float, b: float) -> float:
    """J. Kiefer, 1953, Sequential minimax search for a maximum, Proc. AMS 4(3)."""
    ratio = (math.sqrt(5) - 1) / 2
    c, d = b - ratio * (b - a), a + ratio * (b - a)
    at_c, at_d = size(c), size(d)
    for _ in range(80):
        if at_c <= at_d:
            b, d, at_d = d, c, at_c
            c = b - ratio * (b - a)
            at_c = size(c)
        else:
            a, c, at_c = c, d, at_d
            d = a + ratio * (b - a)
            at_d = size(d)
    return 0.5 * (a + b)
