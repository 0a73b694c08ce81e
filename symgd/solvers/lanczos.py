"""The extreme eigenvalues of a symmetric matrix that is known by its products with vectors.

C. Lanczos, 1950, An iteration method for the solution of the eigenvalue problem, J. Res. Natl. Bur.
Stand. 45(4), 255-282. Without reorthogonalization: rounding repeats eigenvalues that are found, and
makes none (C. Paige, 1980, Linear Algebra Appl. 34, 235-258). Error bounds by the last components
of the eigenvectors of the tridiagonal matrix: B. Parlett, 1998, The Symmetric Eigenvalue Problem,
SIAM, theorem 13.2.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from symgd._numpy import np
from symgd.solvers.objectives import Vector

_FIRST = 8  # iterations before the first look at the eigenvalues; the next after half as many more
_EXHAUSTED = 1e-12  # of the matrix: an off-diagonal entry that ends the iteration
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
    vector /= np.linalg.norm(vector)
    before = np.zeros(count)
    diagonal, off = list[float](), [0.0]
    look, high = _FIRST, -math.inf
    while True:
        new = product(vector)
        if not np.isfinite(new).all():
            return None
        diagonal.append(float(new @ vector))
        new = new - diagonal[-1] * vector - off[-1] * before
        off.append(float(np.linalg.norm(new)))
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
    matrix = np.diag(diagonal) + np.diag(off[:-1], 1) + np.diag(off[:-1], -1)
    values, vectors = np.linalg.eigh(matrix)
    errors = off[-1] * np.abs(vectors[-1])
    return Extremes(float(values[0]), float(values[-1]), float(errors[0]), float(errors[-1]))
