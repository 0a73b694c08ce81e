"""A minimum under constraints: the run of the augmented Lagrangian, and its Result."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import islice
from typing import Any

from symgd._numpy import NDArray, np
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.calculus.intervals import ranges
from symgd.descent.engine import Step
from symgd.descent.long_arrays import Displayed
from symgd.descent.loss_argument import at_start
from symgd.errors import ArgumentError
from symgd.model.bounds import BoundsByName, ParameterBox, canonical_bounds, read_bounds
from symgd.model.constraints import Constraint, augmented_lagrangian
from symgd.model.elements import element_names, named
from symgd.model.history import History
from symgd.model.loss import Loss
from symgd.model.result import Best, ConstraintEnd, Result, Status, Verdict
from symgd.names import counted, escape
from symgd.solvers import augmented_lagrangian as solver
from symgd.solvers import trust_region
from symgd.solvers.difference_product import difference_product
from symgd.solvers.objectives import Box, Vector

_LACK = 1e-9  # of a constraint that holds
_ACTIVE = 1e-9  # a multiplier above which an inequality is active
_INFEASIBLE = 1e-6  # what the constraints lack where no point satisfies them
_NO_PENALTY = 1e-150
_MOST = 500  # steps to the point that lacks least

Make = Callable[[str], Loss]


class Embedded:
    """A loss as a function of some of its parameters; the others have the values of `rest`."""

    def __init__(self, loss: Loss, places: Sequence[int], rest: Vector) -> None:
        self.function, self.rest = SmoothLoss(loss), rest
        self.places = np.array(list(places), dtype=np.intp)

    def whole(self, x: Vector) -> Vector:
        """All parameters."""
        full = self.rest.copy()
        full[self.places] = x
        return full

    def gradient(self, x: Vector) -> tuple[float, Vector]:
        value, grad = self.function.gradient(self.whole(x))
        return value, grad[self.places]

    def products(self, x: Vector) -> Callable[[Vector], Vector]:
        """By differences of gradients where an exact Hessian would have to be compiled."""
        if self.function.exact_is_cheap:
            return self._exact(x)
        near = difference_product(self.gradient, x)

        def product(v: Vector) -> Vector:
            found = near(v)
            return found if np.isfinite(found).all() else self._exact(x)(v)

        return product

    def _exact(self, x: Vector) -> Callable[[Vector], Vector]:
        product = self.function.products(self.whole(x))

        def part(v: Vector) -> Vector:
            way = np.zeros(len(self.rest))
            way[self.places] = v
            return product(way)[self.places]

        return part


class Augmented(Embedded):
    """The augmented Lagrangian as its solver takes it."""

    def __init__(self, loss: Loss, multipliers: Sequence[str], penalty: str, point: Vector) -> None:
        def is_multiplier(name: str) -> bool:
            return name.partition("[")[0] in multipliers

        self.at = [k for k, name in enumerate(loss.params) if is_multiplier(name)]
        self.last = loss.params.index(penalty)
        others = {*self.at, self.last}
        super().__init__(loss, [k for k in range(len(loss.params)) if k not in others], point)
        self.names = [loss.params[k] for k in self.at]
        self.params = tuple(loss.params[k] for k in self.places)
        self.multipliers = np.zeros(len(self.at))
        self.penalty = 1.0

    def whole(self, x: Vector) -> Vector:
        full = super().whole(x)
        full[self.at], full[self.last] = self.multipliers, self.penalty
        return full

    def lack(self, x: Vector) -> Vector:
        return np.asarray(self.function.gradient(self.whole(x))[1][self.at])

    def holding(self, multiplier: float, penalty: float) -> Augmented:
        """The same with these instead."""
        found = copy(self)
        found.multipliers, found.penalty = np.full(len(self.at), multiplier), penalty
        return found

    def value(self, x: Vector) -> float:
        """The loss itself."""
        return self.holding(0.0, _NO_PENALTY).gradient(x)[0]

    def measured(self, x: Vector) -> Vector:
        """Left sides minus right sides, (M,), in the order of the multipliers."""
        found = np.full(len(self.at), -np.inf)
        for reach in (1.0, 1e4, 1e8, 1e12, 1e16):  # max(c, -reach) is known with an error of 1e-16
            near = self.holding(reach, 1.0).lack(x)
            found = np.where(found <= -1e-4 * reach, near, found)
        return found


class _Lack:
    """Half the sum of squares of what the constraints lack: all but the loss."""

    def __init__(self, function: Augmented) -> None:
        self.pair = function.holding(0.0, 1.0), function.holding(0.0, _NO_PENALTY)

    def gradient(self, x: Vector) -> tuple[float, Vector]:
        (value, grad), (less, other) = (one.gradient(x) for one in self.pair)
        return value - less, grad - other

    def products(self, x: Vector) -> Callable[[Vector], Vector]:
        first, second = (one.products(x) for one in self.pair)
        return lambda v: first(v) - second(v)


@dataclass(frozen=True)
class _Augmentation:
    """What a constrained run knows."""

    loss: Loss
    make: Make
    constraints: Sequence[Constraint]
    multipliers: Sequence[str]
    function: Augmented
    box: Box | None

    def ends(self, x: Vector) -> tuple[ConstraintEnd, ...]:
        """The constraints at x, with their multipliers: of several elements the largest."""
        found, measured = [], self.function.measured(x)
        for constraint, stem in zip(self.constraints, self.multipliers, strict=True):
            at = [k for k, n in enumerate(self.function.names) if n.partition("[")[0] == stem]
            values = np.abs(measured[at]) if constraint.equality else measured[at]
            value = float(values.max(initial=-np.inf))
            multiplier = max(self.function.multipliers[at].tolist(), key=abs, default=0.0)
            active = constraint.equality or multiplier > _ACTIVE
            decided = active and value <= _INFEASIBLE  # neither "never" nor "for every x"
            proof = "" if decided else self._proof(constraint)
            found.append(ConstraintEnd(constraint.text, value, multiplier, active, proof,
                                       constraint.equality))  # fmt: skip
        return tuple(found)

    def _proof(self, constraint: Constraint) -> str:
        """What intervals prove of it: "never holds", "holds for every x", or ""."""
        if self.loss.arrays is not None:
            return ""
        inner = self.make(constraint.difference).by_elements.internals
        if not inner.leaves:
            return ""
        leaves = {}
        if self.box is not None:
            at = [self.function.params.index(name) for name in inner.params]
            pairs = ((float(self.box.low[k]), float(self.box.high[k])) for k in at)
            leaves = dict(zip(inner.leaves, pairs, strict=True))
        low, high = ranges([inner.root], leaves)[id(inner.root)]
        if low > 0 or (constraint.equality and high < 0):
            return "never holds"
        return "holds for every x" if high <= 0 and not constraint.equality else ""

    def nearest(self, x: Vector) -> Vector:
        """The point that lacks least, by the sum of squares."""
        with np.errstate(all="ignore"):
            points = trust_region.iterate(_Lack(self.function), x, self.box, 1e-12)
            return list(islice(points, _MOST))[-1].x


def descend_constrained(
    loss: Loss,
    make: Make,
    constraints: Sequence[Constraint],
    start: Any,
    seed: int,
    bounds: BoundsByName | None,
    steps: int,
    tol: float,
    callback: Callable[[Step], object] | None = None,
) -> Result:
    """The minimum of a loss under constraints.

    loss: for display. make: a text -> the Loss of it with the data, constants and sizes given.
    """
    text, multipliers, penalty = augmented_lagrangian(loss.text, constraints)
    whole = make(text)
    first, more = start, {penalty: 1.0, **dict.fromkeys(multipliers, 0.0)}
    if isinstance(start, str) and ("=" in start or "~" in start):
        first = ", ".join([start, *(f"{name}={value}" for name, value in more.items())])
    elif isinstance(start, Mapping):
        first = {**start, **more}
    elif not isinstance(start, (int, float, str)):
        if loss.arrays is not None or len(loss.params) != len(start):
            raise ArgumentError("with constraints a start of several numbers goes by names")
        first = {**dict(zip(loss.params, start, strict=True)), **more}
    elements, point = at_start(whole, first, seed)
    function = Augmented(elements, multipliers, penalty, np.array(point))
    limits = _bounds(whole, function.params, bounds)
    box = None if limits is None else Box(np.array(limits.low), np.array(limits.high))
    x = np.array([point[k] for k in function.places])
    x = x if box is None else box.clip(x)
    run = _Augmentation(loss, make, constraints, multipliers, function, box)
    history = History(len(x), names=function.params)
    history.append(x.tolist(), function.value(x), math.nan)
    last, status, t = None, Status.MAX_STEPS, 0
    try:
        with np.errstate(all="ignore"):
            for last in solver.iterate(function, x, box, tol, _LACK):
                t += 1
                x, norm = last.x, float(np.linalg.norm(last.residual))
                history.append(x.tolist(), function.value(x), norm)
                theta = dict(zip(function.params, x.tolist(), strict=True))
                if callback and callback(Step(t, theta, function.value(x), norm)):
                    status = Status.STOPPED
                    break
                if t == steps:
                    break
    except KeyboardInterrupt:
        status = Status.INTERRUPTED
    return _result(run, x, last, status, t, history, elements, limits, tol, point)


def _bounds(loss: Loss, params: Sequence[str], given: BoundsByName | None) -> ParameterBox | None:
    shapes = {} if loss.arrays is None else {n: loss.arrays.shape(n) for n in loss.arrays.params}
    pairs: dict[str, Any] = {}
    for name, pair in canonical_bounds(given).items():
        pairs |= dict.fromkeys(element_names(name, shapes.get(name, ())), pair)
    return read_bounds(pairs, params, params) if pairs else None


def _result(
    run: _Augmentation,
    x: Vector,
    last: solver.Outer | None,
    status: Status,
    t: int,
    history: History,
    elements: Loss,
    limits: ParameterBox | None,
    tol: float,
    point: Sequence[float],
) -> Result:
    ends = run.ends(x)
    violation = sum(end.lack for end in ends)
    slope = math.nan if last is None else float(np.abs(last.residual).max(initial=0.0))
    never = [end for end in ends if end.proof == "never holds"]
    ended = status in (Status.INTERRUPTED, Status.STOPPED)
    if not ended and (violation > _INFEASIBLE or last is None or never):
        nearest = run.nearest(x)
        there = run.ends(nearest)
        least = sum(end.lack for end in there)
        if least > _INFEASIBLE:
            x, ends, violation, status = nearest, there, least, Status.INFEASIBLE
    residual_small = slope <= tol or (last is not None and last.end is not None and slope <= 1e-6)
    if status is Status.MAX_STEPS and violation <= 10 * _LACK * len(ends) and residual_small:
        status = Status.CONVERGED
    value = run.function.value(x)
    where = ", ".join(f"{escape(n)} = {v:.6g}" for n, v in zip(run.function.params, x, strict=True))
    where = where if len(x) <= 6 else f"the point returned ({len(x)} parameters)"
    facts = f"KKT residual {slope:.3g}, violation {violation:.3g}"
    if status is Status.INFEASIBLE:
        listed = " and ".join(f'"{escape(end.text)}"' for end in ends if end.lack > 0)
        message = f"no point satisfies {listed}: smallest violation {violation:.4g} at {where}"
        if never:
            message = f'"{escape(never[0].text)}" never holds; ' + message
        verdict = Verdict("flat", f"infeasible: {message}")
    elif status is Status.CONVERGED:
        message = f"{facts} after {counted(t, 'step')} of the multipliers"
        sentence = "; ".join([f"converged: {facts}", *filter(None, (e.sentence for e in ends))])
        verdict = Verdict("converged", sentence)
    else:
        message = f"no certificate after {counted(t, 'step')} of the multipliers: {facts}"
        verdict = Verdict("descending", f"not converged: {facts}")
    shapes = {name: shape for name, shape in elements.shapes.items()
              if name.partition("[")[0] not in run.multipliers}  # fmt: skip

    def by_name(values: NDArray[np.float64] | Sequence[float]) -> dict[str, float]:
        return named(run.function.params, [float(v) for v in values], shapes)

    grad = [math.nan] * len(x) if last is None else last.residual.tolist()
    return Result(
        theta=by_name(x),
        value=value,
        grad=by_name(grad),
        steps=t,
        status=status,
        message=message,
        history=history,
        best=Best(by_name(x), value, t),
        judge=lambda: verdict,
        loss=Displayed(run.loss, run.function.params, shapes),
        rule=None,
        lr=None,
        start=by_name([point[k] for k in run.function.places]),
        hyperparameters={},
        box=limits,
        method="tr",
        constraints=ends,
        violation=violation,
    )
