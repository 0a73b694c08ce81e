"""Whether a loss is bounded below: by ranges, by exact algebra, by convexity, or by a ray."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import copysign, inf, isfinite

from symgd import names
from symgd._numpy import np
from symgd.analysis.minima import LossObjective, solver_box
from symgd.analysis.unbounded import unbounded_ray
from symgd.calculus.intervals import ranges
from symgd.calculus.polynomial import (
    degree,
    derivative,
    inertia,
    polynomial,
    solve_linear,
    to_double,
)
from symgd.calculus.polynomial import value as exact_value
from symgd.model.loss import Loss
from symgd.solvers.objectives import Box

_LARGEST = 60  # parameters, and
_WORK = 60_000  # operations times parameters of a loss that is followed along rays
_SAMPLES = 16


@dataclass(frozen=True)
class LowerBound:
    """value: a number that the loss never falls below, -inf where none is known.

    bounded: True, False or None (unknown). sentence: how the loss falls without bound, or "".
    """

    value: float = -inf
    bounded: bool | None = None
    sentence: str = ""


def proven_bound(loss: Loss) -> LowerBound:
    """What ranges and algebra prove."""
    internals = loss.internals
    value = max(ranges([r], internals.ranges)[id(r)][0] for r in (internals.root, internals.stable))
    if isfinite(value):
        return LowerBound(value, True)
    if (found := _of_quadratic(loss)) is not None:
        return found
    return LowerBound(bounded=_of_one_variable(loss) if loss.params else True)


def lower_bound(loss: Loss, start: Sequence[float]) -> LowerBound:
    """What can be said. start: where the rays begin."""
    proven = proven_bound(loss)
    count = len(loss.params)
    if proven.bounded or count > _LARGEST or loss.internals.work * count > _WORK:
        return proven
    box = solver_box(loss) or Box(np.full(count, -inf), np.full(count, inf))
    found = unbounded_ray(LossObjective(loss.internals), start, box, _SAMPLES)
    if found is None:
        return proven
    moved = [
        f"{names.escape(name)} -> {_limit(a, b)}"
        for name, a, b in zip(loss.params, *(p.tolist() for p in found), strict=True)
        if a != b
    ]
    listed = ", ".join(moved[:5]) + (", ..." if len(moved) > 5 else "")
    return LowerBound(bounded=False, sentence=f"L falls without bound as {listed}")


def _of_quadratic(loss: Loss) -> LowerBound | None:
    """The least value of a convex polynomial of degree 2, exactly."""
    count = len(loss.params)
    terms = polynomial(loss.internals.root, loss.internals.leaves) if count <= _LARGEST else None
    if terms is None or not 0 < degree(terms) <= 2:
        return None
    slopes = [derivative(terms, k) for k in range(count)]
    rows = [[derivative(s, j).get((), Fraction(0)) for j in range(count)] for s in slopes]
    solved = solve_linear(rows, [-s.get((), Fraction(0)) for s in slopes])
    if solved is None or inertia(rows)[0]:
        return None
    return LowerBound(to_double(exact_value(terms, solved[0])), True)


def _of_one_variable(loss: Loss) -> bool | None:
    """For a polynomial in one parameter, whether it goes up on both sides that are open."""
    terms = polynomial(loss.internals.root, loss.internals.leaves)
    if terms is None or len(loss.params) != 1:
        return None
    top = degree(terms)
    lead: Fraction = sum((c for m, c in terms.items() if sum(p for _, p in m) == top), Fraction(0))
    box = loss.internals.box
    low, high = (-inf, inf) if box is None else (box.low[0], box.high[0])
    up = isfinite(high) or lead > 0, isfinite(low) or (lead > 0) == (top % 2 == 0)
    return top == 0 or all(up)


def _limit(start: float, end: float) -> str:
    if abs(end) < 1 <= abs(start) or abs(end) < 1e-9:
        return "0+" if copysign(1.0, end) > 0 else "0-"
    return "inf" if end > start else "-inf"
