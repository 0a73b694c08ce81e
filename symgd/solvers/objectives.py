"""What a solver asks of its problem: least squares, or a smooth function; and its bounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Matrix = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Box:
    """Bounds of the parameters, (P,) each, infinite where there are none."""

    low: Vector
    high: Vector

    def clip(self, x: Vector) -> Vector:
        """The nearest point within."""
        return np.clip(x, self.low, self.high)

    def free(self, x: Vector, slope: Vector) -> Mask:
        """Which parameters may move: those not held at a bound by the slope of the loss."""
        held: Mask = ((x <= self.low) & (slope >= 0)) | ((x >= self.high) & (slope <= 0))
        return ~held


@dataclass(frozen=True)
class Linear:
    """Residuals and Jacobian at a point, reduced.

    triangle: (P, P) R; vector: (P,) z; rss: |r|**2; scales: (P,) the lengths of J's columns.
    """

    triangle: Matrix
    vector: Vector
    rss: float
    scales: Vector


class Residuals(Protocol):
    """A sum of squares |r(x)|**2 over parameters x: (P,)."""

    @property
    def refines(self) -> bool:
        """Whether `linear` has a more accurate way."""

    def linear(self, theta: Sequence[float], careful: bool = False) -> Linear | None:
        """The reduced system at theta, or None where it is not finite; careful: more accurate."""


class Objective(Protocol):
    """A smooth function of x: (P,)."""

    def value(self, x: Vector) -> float:
        """The value; inf where it is not finite."""

    def gradient(self, x: Vector) -> tuple[float, Vector]:
        """Value and gradient (P,)."""

    def hessian(self, x: Vector) -> Matrix:
        """The (P, P) Hessian."""
