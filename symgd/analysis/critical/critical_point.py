"""Critical points as plain data."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CriticalPoint:
    """A point where the gradient vanishes, a minimum or maximum at a kink, or a minimum at bounds.

    x: in the order of Loss.params. kind: minimum, maximum, saddle or degenerate. eigenvalues: of
    the Hessian (at bounds, in the parameters that none holds), ascending; () at a kink. exact: each
    coordinate as a formula, () where only the numbers are known. note: what the kind does not say,
    or "". shape: smooth, kink, inflection, or bound.
    """

    x: tuple[float, ...]
    value: float
    kind: str
    eigenvalues: tuple[float, ...] = ()
    exact: tuple[str, ...] = ()
    note: str = ""
    shape: str = "smooth"

    @property
    def kinked(self) -> bool:
        """Whether the gradient jumps here, so that there is no Hessian to speak of."""
        return self.shape == "kink" or not (self.eigenvalues or self.shape == "bound")


@dataclass(frozen=True)
class CriticalPoints:
    """The critical points of a loss, lowest first.

    method: exact (linear equations in rationals), symbolic (solved by SymPy) or numeric (searched
    from many starts). complete: whether there are provably no others. families: sets of infinitely
    many, in words. note: a sentence, or "". incomplete: why the search was cut short, or "".
    """

    points: tuple[CriticalPoint, ...]
    method: str
    complete: bool
    families: tuple[str, ...] = ()
    note: str = ""
    incomplete: str = ""


def same_point(a: Sequence[float], b: Sequence[float], tolerance: float = 1e-8) -> bool:
    """Whether two searches ended at one point: within this part of its size."""
    gap = math.hypot(*(u - v for u, v in zip(a, b, strict=True)))
    return gap <= tolerance * (1 + math.hypot(*a))
