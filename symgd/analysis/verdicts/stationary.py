"""What a point is where the gradient vanishes and no minimum is certified."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from symgd.analysis import gradient_only
from symgd.analysis.minima import LossObjective, solver_box, steepest_curve
from symgd.analysis.verdicts.facts import Facts
from symgd.analysis.verdicts.sentences import part, write
from symgd.model.loss import Loss
from symgd.names import escape
from symgd.solvers import newton

_EPS = 2.0**-52
_DOWN = 1e-9  # of the largest curvature (or of 1): what is below minus this curves downward,
_ENDS = 1e-6  # the same where both ends of the spectrum are known to some digits
_LENGTHS = (1e-4, 1e-3, 1e-2)  # of the point's size: how far from it the loss is looked at
_LISTED = 4  # parameters at their bounds
_BOUNDED = 1e-6  # of the way from the start: so near to a lower bound is a reason
_NEARER = 0.1  # of the error at the start: what is left of it after a run that is said to be near
_ITERATIONS = 5  # of Newton's method, after which its step is along a valley
_AHEAD = tuple(2.0**k for k in range(11))  # times that step: where the loss falls on
_KEPT = 0.1  # of the slope: a rise that is none

Finding = tuple[str, dict[str, object]]  # the outcome and the fields of its sentence


def curves_down(facts: Facts) -> bool:
    """Whether the Hessian at the returned point has a negative eigenvalue beyond rounding."""
    values = facts.eigenvalues
    least = _ENDS if facts.large else _DOWN
    return bool(values) and values[0] < -least * max(1.0, abs(values[-1]))


def leads_down(facts: Facts) -> bool:
    """Whether the returned point is stationary, and the loss is lower a short way from it."""
    if not facts.slope <= (facts.tol or 0.0):
        return False
    if facts.loss is None:
        return curves_down(facts) and gradient_only.leads_down(facts.evaluate, facts.x)
    if not facts.eigenvalues:
        return False
    lower = curves_down(facts) if facts.large else any(_falling_sides(facts))
    return lower and not facts.at_floor and not at_kink(facts)


def at_kink(facts: Facts) -> bool:
    """Whether the gradient jumps at the returned point."""
    from symgd.analysis.critical.kinks import has_kinks
    from symgd.analysis.critical.nonsmooth import smooth_at

    loss = facts.loss
    return loss is not None and has_kinks(loss) and not smooth_at(loss, facts.x)


def stationary(facts: Facts, how: str) -> Finding:
    """The outcome at a point without a gradient. how: "at rest" or "stationary", with max|g|."""
    fields: dict[str, object] = {"how": how}
    values = facts.eigenvalues
    if facts.loss is None:
        if leads_down(facts):
            return "saddle", fields | {"downhill": downhill(facts)}
        if facts.slope > 0 and falls_on(facts):
            return _within_tol_only(facts, part("falls on"))
        if values and values[0] > 0:
            return _within_tol(facts)
        return ("flat", fields | {"along": ""}) if values else ("large", fields)
    if any(facts.held):
        return at_bound(facts, fields)
    if at_kink(facts):
        return "kink", fields | {"around": part(_around(facts))}
    if facts.near is not None and (facts.at_floor or (values and values[0] > 0)):
        hardly_moved = not facts.at_floor and facts.error > _NEARER * facts.distance(facts.start)
        return _within_tol(facts, part("away", error=facts.error) if hardly_moved else "")
    sides = [] if not values or facts.large else _falling_sides(facts)
    if curves_down(facts) and (facts.large or any(sides)):
        return "saddle", fields | {"downhill": downhill(facts)}
    if any(sides):
        return "inflection", fields
    if facts.near is not None:
        return _within_tol_only(facts, part("far", error=facts.error))
    if facts.slope > 0 and falls_on(facts):
        return _within_tol_only(facts, part("falls on"))
    if sides and _level(facts):
        return "level", fields
    if why := _reason(facts, facts.loss):
        return _within_tol(facts, why)
    if sides:
        return "flat", fields | {"along": along(facts)}
    return ("large", fields) if facts.slope == 0 else _within_tol(facts, part("unseen"))


def at_bound(facts: Facts, fields: dict[str, object]) -> Finding:
    """The outcome where bounds hold some parameters, and the gradient in the others vanishes."""
    values = facts.eigenvalues
    if facts.small and values and any(_falling_sides(facts)):
        if curves_down(facts):
            return "saddle", fields | {"downhill": downhill(facts)}
        return "inflection", fields
    if facts.near is None and facts.slope > 0 and falls_on(facts):
        return _within_tol_only(facts, part("falls on"))
    rest = "" if all(facts.held) else part("in others", slope=write(facts.slope, 3))
    out = [write(g, 3) for g, held in zip(facts.pull, facts.held, strict=True) if held]
    pull = f" ({', '.join(out)})" if len(out) <= _LISTED else ""
    return "bound", {"where": listed(facts, facts.x, facts.held), "pull": pull, "rest": rest}


def listed(facts: Facts, x: Sequence[float], held: Sequence[bool]) -> str:
    """The parameters that are held, with their bounds: "x = 1, y = 0"."""
    assert facts.loss is not None
    triples = zip(facts.loss.params, x, held, strict=True)
    names = [f"{escape(name)} = {write(v)}" for name, v, is_held in triples if is_held]
    return ", ".join(names) if len(names) <= _LISTED else part("held", count=len(names))


def _within_tol(facts: Facts, reason: str = "") -> Finding:
    if facts.slope == 0 and not reason:
        return "exact", {}
    return "within tol", {"slope": write(facts.slope, 3), "each": "", "reason": reason}


def _within_tol_only(facts: Facts, how: str) -> Finding:
    """The outcome where the gradient is small though no minimum is near."""
    near = "" if facts.loss is None else near_bound(facts, facts.loss)
    return "within tol only", {"slope": write(facts.slope, 3), "how": how, "reason": near}


def falls_on(facts: Facts) -> bool:
    """Whether the loss falls along a valley as far as is looked: a thousand of Newton's steps.

    Where the Hessian is unknown, along the negative gradient instead.
    """
    x, box = facts.x, None
    times = far_down(max(1.0, *map(abs, x)), math.hypot(*facts.grad))
    step = [times * g for g in facts.grad]
    if facts.loss is not None and facts.small:
        box = facts.loss.internals.box
        found = newton.minimize(
            LossObjective(facts.loss.internals), x, solver_box(facts.loss), steps=_ITERATIONS
        )
        if found is None or not found.finite:
            return False
        x, step = found.x, found.step

    def slope(times: float) -> float:
        there = [v + times * d for v, d in zip(x, step, strict=True)]
        if box is not None and box.clip(there) != there:
            return math.inf
        along = zip(facts.evaluate(*there)[1:], step, strict=True)
        return sum((g * d for g, d in along), 0.0)

    return stays_down(slope)


def far_down(size: float, grad_norm: float) -> float:
    """Times the gradient, the step from a point of this size for `stays_down`."""
    return -size / (math.sqrt(_AHEAD[-1]) * grad_norm)


def stays_down(slope: Callable[[float], float]) -> bool:
    """Whether the slope after so many times a step stays negative, or as good as 0."""
    here = slope(0.0)
    return here < 0 and all(slope(times) <= -_KEPT * here for times in _AHEAD)


def downhill(facts: Facts) -> str:
    """How the loss curves downward, and along which way."""
    way = _way(facts)
    curve = part("curves", curvature=facts.eigenvalues[0])
    return curve + part("way out", way=way) if way else curve


def along(facts: Facts) -> str:
    """The direction of the smallest curvature: " along x +1", or ""."""
    way = _way(facts)
    return part("along", way=way) if way else ""


def _way(facts: Facts) -> str:
    if facts.loss is None or facts.large or not 1 < len(facts.x) <= 6:
        return ""
    direction = steepest_curve(facts.loss, facts.x)
    pairs = zip(facts.loss.params, direction, strict=True)
    return ", ".join(f"{escape(name)} {d:+.3g}" for name, d in pairs if d)


def falls_beside(facts: Facts) -> bool:
    """Whether the loss falls, ever steeper, along the smallest curvature."""
    if facts.loss is None:
        return gradient_only.leads_down(facts.evaluate, facts.x)
    return facts.large or any(_falling_sides(facts))


def _falling_sides(facts: Facts) -> list[bool]:
    """Whether the loss falls, ever steeper, to either side along the smallest curvature.

    Beside a minimum that is not yet reached it falls as well, but less and less.
    """
    assert facts.loss is not None
    way, found = steepest_curve(facts.loss, facts.x), []
    for sign in (1.0, -1.0):
        there = [_moved(facts, way, sign * part) for part in _LENGTHS]
        found.append(any(_falls_to(facts, x) for x in there))
    return found


def _falls_to(facts: Facts, x: Sequence[float]) -> bool:
    """Whether the loss is lower at x, and falls on in the direction from the point to there."""
    value, *grad = facts.evaluate(*x)
    way = [b - a for a, b in zip(facts.x, x, strict=True)]
    falling = sum(d * g for d, g in zip(way, grad, strict=True))
    lower = value < facts.value - 4 * _EPS * abs(facts.value)
    return lower and falling < -2 * facts.slope * math.hypot(*way)


def _around(facts: Facts) -> str:
    """How the loss is beside the point along the axes: the name of a part."""
    count = len(facts.x)
    ways = [[float(j == k) for j in range(count)] for k in range(count)]
    beside = [
        _beside(facts, way, sign * part)[0]
        for way in ways for sign in (1.0, -1.0) for part in _LENGTHS
    ]  # fmt: skip
    if min(beside) < facts.value:
        return "some sides"
    return "every side" if min(beside) > facts.value else "no side"


def _beside(facts: Facts, way: Sequence[float], part: float) -> list[float]:
    """Value and gradient so far along a direction, in parts of the point's size."""
    return facts.evaluate(*_moved(facts, way, part))


def _moved(facts: Facts, way: Sequence[float], part: float) -> list[float]:
    """The point so far along a direction, within the bounds."""
    size = max(1.0, *map(abs, facts.x))
    x = [v + part * size * d for v, d in zip(facts.x, way, strict=True)]
    box = None if facts.loss is None else facts.loss.internals.box
    return x if box is None else box.clip(x)


def _level(facts: Facts) -> bool:
    """Whether the gradient is exactly 0 some way to every side."""
    assert facts.loss is not None
    size = max(1.0, *map(abs, facts.x))
    for k, v in enumerate(facts.x):
        for move in (1e-2 * size, -1e-2 * size):
            _, *grad = facts.evaluate(*facts.x[:k], v + move, *facts.x[k + 1 :])
            if any(grad):
                return False
    return True


def _reason(facts: Facts, loss: Loss) -> str:
    """An exact reason why there is no lower value (near) this point, or ""."""
    from symgd.calculus.dcp import curvature

    if near := near_bound(facts, loss):
        return near
    return part("convex") if curvature(loss.internals.root).is_convex else ""


def near_bound(facts: Facts, loss: Loss) -> str:
    """How near to a number that it never falls below the loss is, or ""."""
    from symgd.analysis.lower_bound import proven_bound

    bound = proven_bound(loss).value
    gap = facts.value - bound
    if not (math.isfinite(bound) and gap <= _BOUNDED * (facts.first_loss - bound)):
        return ""
    near = part("near bound", gap=f"{gap:.3g}", bound=bound)
    return near if gap else part("at its bound", bound=bound)
