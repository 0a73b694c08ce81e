"""One of the equal descriptions of a fit: positive signs, phases in (-pi, pi], terms in order.

A change is made only where the sum of squares stays the same, so that nothing need be known of the
formula: the width of exp(-(x/w)^2) is positive, A*sin(t + p) has A > 0, and of two equal terms the
one with the smaller place or rate comes first.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Sequence

from symgd._numpy import np
from symgd.fits.regression_model import Model
from symgd.fits.starts.label_switching import exchangeable_terms
from symgd.solvers.objectives import Vector

_SAME = 1e-9  # of the sum of squares, and of that of the response: no change
_MOST = 16  # parameters up to which signs are tried


def normal_form(
    model: Model,
    x: Sequence[float],
    rss: Callable[[Vector], float],
    phases: Collection[int],
    first: Sequence[int],
    held: Collection[int],
    rounding: float,
    clusters: Sequence[tuple[int, ...]] = (),
) -> list[float]:
    """x, (P,), in its normal form.

    rss: the sum of squares, or the loss, at a point. phases: angles. first: the parameters by which
    terms are ordered, those that say most first. held: those that keep their values. rounding: of a
    sum of squares. clusters: parameters that may belong together, as those of a term do.
    """
    point = np.array(x, dtype=np.float64)
    right = rss(point)
    tolerance = _SAME * abs(right) + rounding

    def is_same(other: Vector) -> bool:
        kept = all(other[k] == point[k] for k in held) and (model.box.clip(other) == other).all()
        return bool(kept) and abs(rss(other) - right) <= tolerance

    for k in phases:
        if is_same(wrapped := _with(point, {k: _wrapped(point[k])})):
            point = wrapped
    if len(point) <= _MOST:
        for k in range(len(point)):
            if point[k] < 0 and k not in phases:
                point = next(filter(is_same, _flips(point, k, phases)), point)
    by_shape: dict[int, list[tuple[int, ...]]] = {}
    for cluster in clusters:
        by_shape.setdefault(len(cluster), []).append(cluster)
    groups = [*exchangeable_terms(model), *by_shape.values()]
    return [float(v) for v in _ordered(groups, point, first, is_same)]


def _flips(point: Vector, k: int, phases: Collection[int]) -> Iterator[Vector]:
    """The point with parameter k positive, alone or with another negative one, or with a phase."""
    flipped = _with(point, {k: -point[k]})
    yield flipped
    for j in range(len(point)):
        if j != k and point[j] < 0 and j not in phases:
            yield _with(flipped, {j: -point[j]})
    for p in phases:
        yield _with(flipped, {p: _wrapped(point[p] + math.pi)})
        yield _with(flipped, {p: -point[p]})
        yield _with(flipped, {p: _wrapped(math.pi - point[p])})


def _ordered(
    groups: Sequence[Sequence[tuple[int, ...]]],
    point: Vector,
    first: Sequence[int],
    is_same: Callable[[Vector], bool],
) -> Vector:
    """The point with the parameters of exchangeable terms in order."""
    for group in groups:
        columns = list(zip(*group, strict=True))  # one for each parameter of a term
        rank = {k: n for n, k in enumerate(first)}
        keys = min(columns, key=lambda column: min(rank.get(k, len(first)) for k in column))
        order = sorted(range(len(group)), key=lambda n: point[keys[n]])
        new = {
            to: point[column[n]] for column in columns for to, n in zip(column, order, strict=True)
        }
        if is_same(swapped := _with(point, new)):
            point = swapped
    return point


def _with(point: Vector, values: dict[int, float]) -> Vector:
    out = point.copy()
    for k, value in values.items():
        out[k] = value
    return out


def _wrapped(angle: float) -> float:
    """The same angle in (-pi, pi]."""
    return angle - 2 * math.pi * math.ceil((angle - math.pi) / (2 * math.pi))
