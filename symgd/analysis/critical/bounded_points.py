"""Critical points in bounds: those inside, and the minima at bounds.

At a minimum at bounds the gradient of each parameter that is held points out of the box, and the
others are at a minimum of the loss on that face of it: W. Karush, 1939; H. W. Kuhn, A. W. Tucker,
1951, Nonlinear Programming.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product

from symgd.analysis.critical.certify_point import certified
from symgd.analysis.critical.critical_point import CriticalPoint, CriticalPoints, same_point
from symgd.analysis.critical.critical_points import critical_points
from symgd.analysis.critical.gradient_zeros import starts
from symgd.analysis.critical.solver_sizes import SECONDS
from symgd.analysis.minima import certified_minimum
from symgd.formula.nodes import ZERO, Name
from symgd.model.bounds import ParameterBox
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals

_FACES = 27  # of three parameters with both ends
_WORK = 2_000  # operations of a loss that is searched on every face
_STARTS = 24
_WAYS = 64  # random directions in which a loss is looked at
_LARGEST = 60  # parameters, and
_LONGEST = 60_000  # operations times parameters of a loss that is minimized from these starts
_MOST = 12  # points that are listed

Face = Mapping[int, float]  # which parameters are held, and where


def points_in_bounds(
    loss: Loss, start: Sequence[float], seconds: float = SECONDS, bounded: bool | None = None
) -> CriticalPoints:
    """What `critical_points` finds inside the bounds of the loss, and the minima at bounds."""
    inside = critical_points(loss, start, seconds, bounded)
    box = loss.internals.box
    if box is None or not loss.params:
        return inside
    faces = _faces(box) if loss.internals.work <= _WORK else []
    at_bounds: list[CriticalPoint] = []
    complete = inside.complete and bool(faces)
    for face in faces:
        part = _restricted(loss, face)
        found = critical_points(part, [v for k, v in enumerate(start) if k not in face], 0.0)
        points = found.points
        if not part.params:
            points = (CriticalPoint((), part.internals.evaluate_value()[0], "minimum"),)
        constant = bool(part.params) and all(g is ZERO for g in part.internals.derivatives)
        complete = complete and found.complete and not (found.families or constant)
        at_bounds += [p for q in points if (p := _at_bound(loss, face, q)) is not None]
    if not complete:
        at_bounds += _by_descent(loss, start)
    kept = [_seen_from_inside(loss, p) for p in inside.points]
    for point in at_bounds:
        if not any(same_point(point.x, other.x) for other in kept):
            kept.append(point)
    listed = tuple(sorted(kept, key=lambda p: (p.value, p.x))[: max(_MOST, len(inside.points))])
    note = "" if listed and complete else "others are not excluded" if listed else inside.note
    return replace(inside, points=listed, complete=complete, note=note)


def _faces(box: ParameterBox) -> list[Face]:
    """Every choice of parameters that are held at a bound; [] where they are too many."""
    ends = [
        [None, *(end for end in pair if math.isfinite(end))]
        for pair in zip(box.low, box.high, strict=True)
    ]
    if math.prod(map(len, ends)) > _FACES:
        return []
    choices = [{k: v for k, v in enumerate(held) if v is not None} for held in product(*ends)]
    return [face for face in choices if face]


def _restricted(loss: Loss, face: Face) -> Loss:
    """The loss as a function of the parameters that are not held, in their bounds."""
    inner, box = loss.internals, loss.internals.box
    assert box is not None
    free = [k for k in range(len(inner.leaves)) if k not in face]
    leaves = [Name(f"p{j}", inner.leaves[k].text) for j, k in enumerate(free)]
    values = {inner.leaves[k]: inner.graph.number(v) for k, v in face.items()}
    values |= {inner.leaves[k]: inner.graph.atom(leaves[j]) for j, k in enumerate(free)}
    root = inner.graph.replace([inner.root], values)[0]
    ends = ParameterBox(*(tuple(side[k] for k in free) for side in (box.low, box.high)))
    part = LossInternals(inner.graph, root, leaves, inner.rows, inner.goes_by_rows, ends)
    return Loss.of(part, loss.text, loss.columns)


def _at_bound(loss: Loss, face: Face, point: CriticalPoint) -> CriticalPoint | None:
    """The minimum of a face as one of the loss, where the gradient points out of every bound."""
    if point.kind != "minimum" and not point.note.startswith("a minimum"):
        return None
    rest = iter(point.x)
    x = tuple(face[k] if k in face else next(rest) for k in range(len(loss.params)))
    value, *grad = loss.internals.evaluate(*x)
    box = loss.internals.box
    assert box is not None
    held = box.held(x, grad)
    if not (math.isfinite(value) and box.contains(x) and all(held[k] for k in face)):
        return None
    pull = ", ".join(f"{grad[k]:.6g}" for k in sorted(face)[:4])
    note = f"at a bound: the gradient there ({pull}{', ...' * (len(face) > 4)}) points out of it"
    texts = iter(point.exact or [f"{v:.6g}" for v in point.x])
    exact = tuple(f"{face[k]:.6g}" if k in face else next(texts) for k in range(len(x)))
    note = f"{point.note}; {note}" if point.note else note  # "a minimum ..." stands first
    return replace(point, x=x, value=value + 0.0, shape="bound", exact=exact, note=note)


def _seen_from_inside(loss: Loss, point: CriticalPoint) -> CriticalPoint:
    """A critical point on the boundary, which may be a minimum within the bounds only."""
    box = loss.internals.box
    assert box is not None
    touches = any(v in ends for v, *ends in zip(point.x, box.low, box.high, strict=True))
    known = point.kind in ("minimum", "maximum") or point.note.startswith("a minimum")
    if known or not touches or not _no_lower_beside(loss, box, point):
        return point
    note = "a minimum within the bounds: no point that was looked at beside it is lower"
    return replace(point, kind="degenerate", shape="bound", eigenvalues=(), note=note)


def _no_lower_beside(loss: Loss, box: ParameterBox, point: CriticalPoint) -> bool:
    """Whether the loss is no lower beside a point, along the axes and in random directions."""
    chance, count = random.Random(0), len(point.x)  # noqa: S311 - where to look, not a secret
    ways = [[sign * float(j == k) for j in range(count)] for k in range(count) for sign in (1, -1)]
    ways += [[chance.gauss(0, 1) for _ in range(count)] for _ in range(_WAYS)]
    for length in (1e-2, 1e-3, 1e-4):
        for way in ways:
            x = box.clip(v + length * (1 + abs(v)) * d for v, d in zip(point.x, way, strict=True))
            if not loss.internals.evaluate_value(*x)[0] >= point.value:
                return False
    return True


def _by_descent(loss: Loss, start: Sequence[float]) -> list[CriticalPoint]:
    """Minima in the bounds that damped Newton steps reach, of few parameters from many starts."""
    count = len(loss.params)
    if count > _LARGEST or loss.internals.work * count > _LONGEST:
        from symgd.analysis.critical.large_losses import near_start
        from symgd.analysis.large_minima import most_products

        return list(near_start(loss, start).points) if most_products(loss) else []
    places = starts(start, _STARTS, loss.internals.box)
    ends = [end.x for place in places if (end := certified_minimum(loss, place)) is not None]
    return [p for end in ends if (p := _point(loss, end)) is not None]


def _point(loss: Loss, x: Sequence[float]) -> CriticalPoint | None:
    """The minimum at bounds next to x, certified on its face."""
    box = loss.internals.box
    assert box is not None
    held = box.held(x, loss.internals.evaluate(*x)[1:])
    face = {k: x[k] for k, is_held in enumerate(held) if is_held}
    if not face:
        return None
    part = _restricted(loss, face)
    if not part.params:
        return _at_bound(loss, face, CriticalPoint((), 0.0, "minimum"))
    point = certified(part, [v for k, v in enumerate(x) if k not in face])
    return None if point is None else _at_bound(loss, face, point)
