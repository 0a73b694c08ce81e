"""What a rule does at one minimum: its linearization, or a short run where there is none."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from symgd.analysis.critical.critical_point import CriticalPoint
from symgd.analysis.stable_rates import Rates, rates
from symgd.calculus.polynomial import degree, polynomial
from symgd.model.loss import Loss
from symgd.model.rules import Rule

_MEASURED = 200  # steps of a run that shows what linearization cannot
_AWAY = 0.0618034  # so far: no multiple of usual rates, from which a sign rule lands by luck


@dataclass(frozen=True)
class ShortRun:
    """What a short run did that began near a minimum, where linearization predicts nothing.

    steps: how many. before, after: the distances from the minimum at its start and end.
    rate: the factor per step that its last points show, or None.
    """

    steps: int
    before: float
    after: float
    rate: float | None


@dataclass(frozen=True)
class Behavior:
    """A rule at one minimum: its linearization, or else a measured run."""

    point: CriticalPoint
    rates: Rates
    measured: ShortRun | None = None


def behavior_at(
    loss: Loss,
    rule: Rule,
    values: Mapping[str, float],
    point: CriticalPoint,
    lr: float | None,
) -> Behavior:
    """What the rule does at a minimum."""
    if point.shape == "bound" and not point.eigenvalues:
        every = "the bounds, or kinks, hold every parameter there"
        why = every if point.kind == "minimum" else "the curvature alone does not make it a minimum"
        return Behavior(point, Rates(why_not=why))
    valley = quadratic(loss) or "not the only one" in point.note
    if point.kind == "degenerate" and not valley:
        found = Rates(why_not="the curvature vanishes there: slower than any factor per step")
    else:
        found = rates(rule, values, point.eigenvalues, lr)
    if not found.why_not or lr is None:
        return Behavior(point, found)
    return Behavior(point, found, _measure(loss, rule, values, point, lr))


def quadratic(loss: Loss) -> bool:
    """Whether the loss is a polynomial of degree 2 at most."""
    terms = polynomial(loss.internals.root, loss.internals.leaves)
    return terms is not None and degree(terms) <= 2


def _measure(
    loss: Loss, rule: Rule, values: Mapping[str, float], point: CriticalPoint, lr: float
) -> ShortRun | None:
    """A run from a part of the parameters' size away."""
    from symgd.descent.descend import descend  # what most explanations do without

    step = _AWAY * max(1.0, *map(abs, point.x))
    start = [v + step for v in point.x]
    known = {n: v for n, v in values.items() if n in rule.hyperparameters}
    run = descend(loss, start=start, lr=lr, steps=_MEASURED, rule=rule, set=known, advise=False)
    before = math.dist(start, point.x)
    after = math.dist(list(run.theta.values()), point.x)
    return ShortRun(run.steps, before, after, run.verdict.rate_observed)
