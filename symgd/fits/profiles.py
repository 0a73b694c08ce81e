"""Intervals and regions by the profile of the sum of squares, or of the likelihood.

The profile of a parameter is the least deviance D for each of its values, over all others; its
interval holds the values where D exceeds the minimum by at most q**2. With sigma estimated D is
rss/sigma**2 and q the quantile of Student's t (D. Bates, D. Watts, 1988, Nonlinear Regression
Analysis, section 6.1), with sigma known, or for D = -2 log L, the normal one (D. Venzon, S.
Moolgavkar, 1988, Applied Statistics 37(1), https://doi.org/10.2307/2347496). A region of two
parameters has 2 F(2, dof), or the quantile of chi**2 with 2 degrees of freedom, for q**2.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from symgd._numpy import np
from symgd.errors import ArgumentError
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.student_t import two_sided_quantile
from symgd.solvers.objectives import Box, Mask, Matrix, Objective, Vector

_TOLERANCE = 1e-10  # of q, to which an end is found
_MOST_POINTS = 60  # values of a parameter that are tried for one end
_MOST_STEPS = 60  # of the other parameters at one value
_FARTHEST = 1e6  # standard errors


class Local(NamedTuple):
    """The deviance at a point: value, gradient (P,), and Hessian (P, P), perhaps Gauss-Newton's."""

    value: float
    gradient: Vector
    hessian: Matrix


class Deviance(Protocol):
    """D(x) of parameters x: (P,)."""

    @property
    def box(self) -> Box: ...

    def at(self, x: Vector) -> Local:
        """D at x; its value may not be finite."""


@dataclass(frozen=True)
class SquaresDeviance:
    """rss/variance."""

    problem: LeastSquaresProblem
    variance: float

    @property
    def box(self) -> Box:
        return self.problem.box

    def at(self, x: Vector) -> Local:
        residuals = self.problem.residuals
        if residuals.can_refine:  # a short table
            gram = sum(block.T @ block for block in residuals.matrices(x.tolist()))
            gram = np.asarray(gram) / self.variance
            return Local(float(gram[-1, -1]), 2 * gram[:-1, -1], 2 * gram[:-1, :-1])
        system = residuals.linearize(x.tolist())
        if system is None:
            return Local(math.inf, x, np.zeros((len(x), len(x))))
        root, scale = system.triangle, 2 / self.variance
        return Local(
            system.rss * scale / 2, scale * (root.T @ system.vector), scale * root.T @ root
        )


@dataclass(frozen=True)
class LossDeviance:
    """Twice a negative log-likelihood."""

    loss: Objective
    box: Box

    def at(self, x: Vector) -> Local:
        point = x.tolist()
        value, gradient = self.loss.gradient(point)
        return Local(2 * value, 2 * np.array(gradient), 2 * np.array(self.loss.hessian(point)))


def _step(local: Local, free: Mask) -> Vector:
    """Newton's step in the free parameters, (P,), downhill also where D is not convex."""
    out = np.zeros(len(free))
    (places,) = free.nonzero()
    if not len(places):
        return out
    part, gradient = local.hessian[places[:, None], places], local.gradient[places]
    scale = np.sqrt(np.abs(part.diagonal()))
    scale[scale == 0] = 1.0
    part = part / (scale[:, None] * scale)
    try:
        step = np.linalg.solve(part, gradient / scale)
    except np.linalg.LinAlgError:
        step = np.full(len(places), math.nan)
    if not step @ (gradient / scale) > 0:
        values, vectors = np.linalg.eigh(part)
        values = np.maximum(np.abs(values), 1e-14)
        step = vectors @ ((vectors.T @ (gradient / scale)) / values)
    out[places] = -step / scale
    return out


@dataclass(frozen=True)
class Profile:
    """The interval of a parameter. low, high: its ends; None: D stays below q**2 on that side.

    values, deviances: (K,), the points of the profile that were computed, in order, D less its
    minimum. lower: parameters at which D is below that of the fit, or None.
    """

    name: str
    level: float
    low: float | None
    high: float | None
    values: Vector
    deviances: Vector
    lower: Vector | None = None


class ProfileSearch:
    """The search for ends from the fit: x, (P,), with their covariance, (P, P)."""

    def __init__(self, deviance: Deviance, x: Vector, covariance: Vector) -> None:
        self.deviance, self.x, self.covariance = deviance, x, covariance
        self.minimum = deviance.at(x).value
        self.points: list[tuple[Vector, float]] = []
        self.lower: Vector | None = None

    def end(self, held: Sequence[int], direction: Vector, q: float) -> Vector | None:
        """The point x + r*direction of the held parameters where D is q**2 above the minimum.

        direction: (H,), a point q = 1 away to first order. The others, (P,) in all, are at their
        best. None: there is none within the bounds, or within a million standard errors.
        """
        with np.errstate(all="ignore"):
            return self._end(list(held), direction, q)

    def _end(self, places: list[int], direction: Vector, q: float) -> Vector | None:
        others = np.ones(len(self.x), bool)
        others[places] = False
        along, box = self._along(places, direction), self.deviance.box
        low, high = 0.0, self._room(places, direction)
        r, at, known = min(q, high), 0.0, self.x
        for _ in range(_MOST_POINTS):
            x, local = self._best(box.clip(known + along * (r - at)), others)
            excess = local.value - self.minimum
            if not math.isfinite(excess):
                high = r
                r = 0.5 * (low + high)
                continue
            self.points.append((x, excess))
            if excess < -1e-6 * (1 + abs(self.minimum)):
                self.lower = x
            if abs(math.sqrt(max(excess, 0)) - q) <= _TOLERANCE * q:
                return x
            known, at = x, r
            if excess > q * q:
                high = r
            elif r >= high or r > _FARTHEST:
                return None
            else:
                low = r
            r = _next(r, low, high, excess, float(local.gradient[places] @ direction), q)
        return None

    def _along(self, places: list[int], direction: Vector) -> Vector:
        """How all parameters move with the held ones, to first order, (P,)."""
        block = self.covariance[np.ix_(places, places)]
        moved = self.covariance[:, places] @ np.linalg.solve(block, direction)
        moved[places] = direction
        return np.where(np.isfinite(moved), moved, 0.0)

    def _room(self, places: list[int], direction: Vector) -> float:
        """The r at which a held parameter meets its bound."""
        box = self.deviance.box
        with np.errstate(divide="ignore", invalid="ignore"):
            to_low = (box.low[places] - self.x[places]) / direction
            to_high = (box.high[places] - self.x[places]) / direction
        room = np.where(direction > 0, to_high, np.where(direction < 0, to_low, math.inf))
        return float(np.min(room))

    def _best(self, x: Vector, others: Mask) -> tuple[Vector, Local]:
        """The least D in the others, from x."""
        box, local = self.deviance.box, self.deviance.at(x)
        if not math.isfinite(local.value):
            return x, local
        for _ in range(_MOST_STEPS):
            step = _step(local, others & box.free(x, local.gradient))
            if not -(local.gradient @ step) > 1e-11 * (1 + abs(local.value - self.minimum)):
                break
            for halving in range(30):
                candidate = box.clip(x + step * 0.5**halving)
                trial = self.deviance.at(candidate)
                if trial.value < local.value and np.isfinite(trial.hessian).all():
                    break
            else:
                break
            x, local = candidate, trial
        return x, local


def _next(r: float, low: float, high: float, excess: float, slope: float, q: float) -> float:
    """Newton's next r for sqrt(D) = q, kept between low and high; doubled where there is no end."""
    if excess > 0 and slope > 0:
        root = math.sqrt(excess)
        guess = r - (root - q) * 2 * root / slope
        if low < guess < high:
            return min(guess, 4 * max(r, q)) if math.isinf(high) else guess
    return 2 * max(r, q) if math.isinf(high) else 0.5 * (low + high)


def interval(
    search: ProfileSearch, names: Sequence[str], name: str, level: float, dof: float
) -> Profile:
    """The interval of a parameter. dof: of the residuals, inf where sigma is known."""
    k = _place(names, name)
    search.points = [(search.x, 0.0)]
    error = _error(search, k)
    q = two_sided_quantile(checked_level(level), dof)
    ends = [search.end([k], np.array([side * error]), q) for side in (-1, 1)]
    points = sorted((float(x[k]), excess) for x, excess in search.points)
    values, deviances = np.array(points).T
    low, high = (None if x is None else float(x[k]) for x in ends)
    return Profile(name, level, low, high, values, deviances, search.lower)


def region(
    search: ProfileSearch,
    names: Sequence[str],
    pair: tuple[str, str],
    level: float,
    dof: float,
    count: int,
) -> Vector:
    """(count + 1, 2): the closed boundary of the region of two parameters; nan where it is open."""
    places = [_place(names, name) for name in pair]
    if places[0] == places[1]:
        raise ArgumentError("a contour is of two different parameters")
    for k in places:
        _error(search, k)
    outside = 1 - checked_level(level)
    known = math.isinf(dof)
    square = -2 * math.log(outside) if known else dof * (outside ** (-2 / dof) - 1)
    root = np.linalg.cholesky(search.covariance[np.ix_(places, places)])
    angles = np.linspace(0, 2 * np.pi, count, endpoint=False)
    ends = [
        search.end(places, root @ [math.cos(a), math.sin(a)], math.sqrt(square)) for a in angles
    ]
    corners = [[np.nan, np.nan] if x is None else x[places].tolist() for x in ends]
    return np.array([*corners, corners[0]])


def _place(names: Sequence[str], name: str) -> int:
    if name not in names:
        raise ArgumentError(f"'{name}' is no free parameter; these are {', '.join(names)}")
    return names.index(name)


def _error(search: ProfileSearch, k: int) -> float:
    error = math.sqrt(variance) if (variance := search.covariance[k, k]) > 0 else math.nan
    if not math.isfinite(error):
        raise ArgumentError("a parameter without a standard error has no interval")
    return error


def checked_level(level: float) -> float:
    """The level itself, or ArgumentError."""
    if not 0 < level < 1:
        raise ArgumentError(f"level is {level!r}; it must lie between 0 and 1")
    return level
