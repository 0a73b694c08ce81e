"""The extreme eigenvalues of a symmetric matrix that is known by its products with vectors.

C. Lanczos, 1950, An iteration method for the solution of the eigenvalue problem, J. Res. Natl. Bur.
Stand. 45(4), 255-282. Without reorthogonalization: rounding repeats eigenvalues that are found, and
makes none (C. Paige, 1980, Linear Algebra Appl. 34, 235-258). Error bounds by the last components
of the eigenvectors of the tridiagonal matrix: B. Parlett, 1998, The Symmetric Eigenvalue Problem,
SIAM, theorem 13.2.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from symgd._numpy import np
from symgd.solvers.objectives import Vector, dot, norm

_FIRST = 8  # iterations before the first look at the eigenvalues; the next after half as many more
_EXHAUSTED = 1e-12  # of the matrix: an off-diagonal entry that ends the iteration
_BISECTIONS = 100
_NOTHING = 1e-8  # of the larger end: an error of the smaller one that is as good as none


@dataclass(frozen=True)
class Extremes:
    """The least and the largest eigenvalue, and bounds of their errors."""

    low: float
    high: float
    low_error: float
    high_error: float

    def within(self, tolerance: float) -> bool:
        """Whether the errors are below this part of the larger end, ten times of the smaller."""
        pairs = [(self.low, self.low_error), (self.high, self.high_error)]
        (small, error), (large, its_error) = sorted(pairs, key=lambda pair: abs(pair[0]))
        enough = max(10 * tolerance * abs(small), _NOTHING * abs(large))
        return error <= enough and its_error <= tolerance * abs(large)


def extreme_eigenvalues(
    product: Callable[[Vector], Vector],
    count: int,
    tolerance: float = 1e-3,
    most: int = 300,
    seed: int = 0,
    upper: bool = False,
) -> Extremes | None:
    """Both ends of the spectrum; None where a product is not finite.

    product: v -> A v, (count,) each. tolerance: as in `Extremes.within`, where the iteration ends.
    most: iterations, at most. upper: only the largest is wanted: until half as many iterations
    again raise it by less than a tenth of the tolerance.
    """
    vector = np.random.default_rng(seed).normal(size=count)
    vector /= norm(vector)
    before = np.zeros(count)
    diagonal, off = list[float](), [0.0]
    look, high = _FIRST, -math.inf
    while True:
        new = product(vector)
        if not np.isfinite(new).all():
            return None
        diagonal.append(dot(new, vector))
        new = new - diagonal[-1] * vector - off[-1] * before
        off.append(norm(new))
        done = len(diagonal)
        ended = off[-1] <= _EXHAUSTED * max(map(abs, diagonal)) or done == most
        if ended or done == look:
            look += look // 2
            found = _ends(diagonal, off[1:])
            settled = abs(found.high - high) <= 0.1 * tolerance * abs(found.high)
            if ended or (settled if upper else found.within(tolerance)):
                return found
            high = found.high
        before, vector = vector, new / off[-1]


def _ends(diagonal: list[float], off: list[float]) -> Extremes:
    """Of the tridiagonal matrix, and the residuals of its eigenvectors by off[-1]."""
    high, at_high = _largest(diagonal, off)
    low, at_low = _largest([-v for v in diagonal], off)
    return Extremes(-low, high, off[-1] * at_low, off[-1] * at_high)


def _largest(diagonal: Sequence[float], off: Sequence[float]) -> tuple[float, float]:
    """The largest eigenvalue and the size of the last component of its unit vector.

    By bisection: above all eigenvalues every pivot is negative. The vector comes from the pivots of
    both directions where they meet best: I. Dhillon, B. Parlett, 2004, Linear Algebra Appl. 387.
    LAPACK's eigh takes 100 times as long where its threads wait for a busy processor.
    """
    squares = [b * b for b in off[:-1]]
    reach = [abs(a) + abs(b) for a, b in pairwise([0.0, *off[:-1], 0.0])]
    low, high = max(diagonal), max(a + r for a, r in zip(diagonal, reach, strict=True))
    for _ in range(_BISECTIONS):
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        pivot, above = -math.inf, True
        for a, square in zip(diagonal, [0.0, *squares], strict=True):
            pivot = a - middle - square / pivot
            if not pivot < 0:
                above = False
                break
        low, high = (low, middle) if above else (middle, high)
    down = _pivots(diagonal, squares, high)
    up = _pivots(diagonal[::-1], squares[::-1], high)[::-1]
    meet = [abs(d + u - (a - high)) for d, u, a in zip(down, up, diagonal, strict=True)]
    twist = meet.index(min(meet))
    size, component = 1.0, 1.0
    for k in range(twist, 0, -1):
        component *= off[k - 1] / down[k - 1]
        size += component * component
    component = 1.0
    for k in range(twist + 1, len(diagonal)):
        component *= off[k - 1] / up[k]
        size += component * component
    return high, abs(component) / math.sqrt(size)


def _pivots(diagonal: Sequence[float], squares: Sequence[float], shift: float) -> list[float]:
    """Of L D L' of the matrix minus the shift, its largest eigenvalue; none of them is 0."""
    pivots, pivot = list[float](), -math.inf
    for a, square in zip(diagonal, [0.0, *squares], strict=True):
        pivot = a - shift - square / pivot or -1e-300
        pivots.append(pivot)
    return pivots
