"""The interfaces of the solvers: residuals, objective functions, bounds."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol, TypeAlias

from symgd._numpy import NDArray, np

Vector: TypeAlias = "NDArray[np.float64]"
Matrix: TypeAlias = "NDArray[np.float64]"
Mask: TypeAlias = "NDArray[np.bool_]"


def dot(a: Vector, b: Vector) -> float:
    """The sum of the products. Not by BLAS, whose threads wait for a busy processor."""
    return float(np.einsum("i,i", a, b))


def norm(a: Vector) -> float:
    """The Euclidean norm, by `dot`."""
    return math.sqrt(dot(a, a))


@dataclass(frozen=True)
class Box:
    """Bounds of the parameters, (P,) each, infinite where there are none."""

    low: Vector
    high: Vector

    def clip(self, x: Vector | Sequence[float]) -> Vector:
        """The nearest point within the bounds."""
        return np.clip(np.asarray(x, dtype=np.float64), self.low, self.high)

    def free(self, x: Vector | Sequence[float], grad: Vector | Sequence[float]) -> Mask:
        """(P,) bool: the parameters not held at a bound by the gradient of the loss."""
        x, grad = np.asarray(x), np.asarray(grad)
        held: Mask = ((x <= self.low) & (grad >= 0)) | ((x >= self.high) & (grad <= 0))
        return ~held

    def projected(self, x: Vector, grad: Vector) -> Vector:
        """The gradient with 0 where it points out of the box at a bound."""
        return np.where(self.free(x, grad), grad, 0.0)


@dataclass(frozen=True)
class ReducedSystem:
    """Residuals r and Jacobian J at a point, reduced: |J p + r|**2 = |R p + z|**2 + constant.

    triangle: (P, P), R. vector: (P,), z. rss: |r|**2. scales: (P,), the norms of J's columns.
    """

    triangle: Matrix
    vector: Vector
    rss: float
    scales: Vector


class Residuals(Protocol):
    """A sum of squares |r(x)|**2 over parameters x: (P,)."""

    @property
    def can_refine(self) -> bool:
        """Whether `linearize` can use extended precision."""

    def linearize(self, theta: Sequence[float], refine: bool = False) -> ReducedSystem | None:
        """The reduced system at theta, (P,), or None where it is not finite.

        refine: in extended precision.
        """


class Objective(Protocol):
    """A smooth function of x, (P,)."""

    def gradient(self, x: Sequence[float]) -> tuple[float, list[float]]:
        """Value and gradient, (P,)."""

    def hessian(self, x: Sequence[float]) -> list[list[float]]:
        """The Hessian, (P, P)."""


class SmoothFunction(Protocol):
    """A smooth function of x, (P,) float64, by products with its Hessian."""

    def gradient(self, x: Vector) -> tuple[float, Vector]:
        """Value and gradient, (P,)."""

    def products(self, x: Vector) -> Callable[[Vector], Vector]:
        """v -> H(x) v."""


class Iterate(NamedTuple):
    """A point of an iteration, with value and gradient."""

    x: Vector
    value: float
    gradient: Vector


class End(Enum):
    """Why an iteration ended."""

    SMALL = "max|g| <= tol"
    SADDLE = "max|g| <= tol, and every way out leads to such a point again"
    SETTLED = "another step is rounding"
    FLOOR = "another step is rounding, by a positive definite Hessian"
    BLOCKED = "no step lowers the value"


#: What every solver is: its points, the start first, and why there is no other.
Iteration: TypeAlias = Generator[Iterate, None, End]
