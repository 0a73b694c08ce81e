"""Minima under constraints by the augmented Lagrangian: Newton steps within, multipliers without.

M. Hestenes, 1969; M. Powell, 1969; R. Rockafellar, 1973. The derivative of the augmented Lagrangian
by a multiplier is what its constraint lacks, max(c, -multiplier/penalty) of an inequality: penalty
times it is the step of the multiplier, and the gradient by x is that of the Lagrangian with the
multipliers after the step: the residual of the conditions of Karush, Kuhn and Tucker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from symgd._numpy import np
from symgd.solvers import trust_region
from symgd.solvers.objectives import Box, End, SmoothFunction, Vector

_OUTER, _INNER = 60, 500
_FIRST, _LARGEST = 10.0, 1e10  # of the penalty
_FALLS = 0.25  # the part of what is lacking up to which the penalty stays
_FAR = 1e8  # times the start: a step of the multipliers from so far away leads nowhere


class AugmentedFunction(SmoothFunction, Protocol):
    """The augmented Lagrangian as a function of x, for the multipliers and the penalty it holds."""

    multipliers: Vector
    penalty: float

    def lack(self, x: Vector) -> Vector:
        """Its derivative by the multipliers."""


@dataclass(frozen=True)
class Outer:
    """A point after the inner steps. residual: of the KKT conditions, (P,). lack: the largest."""

    x: Vector
    residual: Vector
    lack: float
    end: End | None


def iterate(
    function: AugmentedFunction, start: Vector, box: Box | None, tol: float, least: float
) -> Iterator[Outer]:
    """The points after each step of the multipliers, to one that lacks no more than `least`."""
    function.penalty = _FIRST
    x, last = np.array(start, dtype=np.float64), np.inf
    for _ in range(_OUTER):
        found, end = _inner(function, x, box, tol)
        if found is None:
            function.penalty *= 10.0
            if function.penalty > _LARGEST:
                return
            continue
        x, residual = found
        lack = function.lack(x)
        largest = float(np.abs(lack).max(initial=0.0))
        function.multipliers = function.multipliers + function.penalty * lack
        yield Outer(x, residual, largest, end)
        if largest <= least and end is not None and end is not End.BLOCKED:
            return
        if largest > _FALLS * last:
            if function.penalty >= _LARGEST:
                return
            function.penalty = min(10.0 * function.penalty, _LARGEST)
        last = largest


def _inner(
    function: AugmentedFunction, x: Vector, box: Box | None, tol: float
) -> tuple[tuple[Vector, Vector] | None, End | None]:
    """The minimum for these multipliers with the projected gradient, and why it ended.

    None where the steps run away: the penalty is too small.
    """
    points = trust_region.iterate(function, x, box, tol)
    end: End | None = None
    here = next(points)
    far = _FAR * (1.0 + float(np.linalg.norm(x)))
    try:
        for _ in range(_INNER):
            here = next(points)
            if not float(np.linalg.norm(here.x)) <= far:
                return None, None
    except StopIteration as ended:
        end = End(ended.value)
    if not np.isfinite(here.gradient).all():
        return None, None
    free = 1.0 if box is None else box.free(here.x, here.gradient)
    return (here.x, here.gradient * free), end
