"""The extreme eigenvalues of a symmetric matrix that is known by its products with vectors.

C. Lanczos, 1950, An iteration method for the solution of the eigenvalue problem, J. Res. Natl. Bur.
Stand. 45(4), 255-282, with full reorthogonalization; error bounds by the last components of the
eigenvectors of the tridiagonal matrix: B. Parlett, 1998, The Symmetric Eigenvalue Problem, SIAM,
theorem 13.2.1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symgd.solvers.objectives import Vector

_CHECKED = 10  # iterations between looks at the eigenvalues
_EXHAUSTED = 1e-12  # of the matrix: an off-diagonal entry that ends the iteration


@dataclass(frozen=True)
class Extremes:
    """The least and the largest eigenvalue, and bounds of their errors."""

    low: float
    high: float
    low_error: float
    high_error: float


def extreme_eigenvalues(
    product: Callable[[Vector], Vector],
    count: int,
    tolerance: float = 1e-3,
    most: int = 120,
    seed: int = 0,
) -> Extremes | None:
    """Both ends of the spectrum; None where a product is not finite.

    product: v -> A v, (count,) each. tolerance: of the larger magnitude of the two, the error at
    which the iteration ends. most: iterations, at most.
    """
    most = min(most, count)
    vector = np.random.default_rng(seed).normal(size=count)
    basis = np.empty((most, count))
    basis[0] = vector / np.linalg.norm(vector)
    diagonal, off = list[float](), list[float]()
    for k in range(1, most + 1):
        new = product(basis[k - 1])
        if not np.isfinite(new).all():
            return None
        diagonal.append(float(new @ basis[k - 1]))
        new = new - diagonal[-1] * basis[k - 1] - (off[-1] * basis[k - 2] if k > 1 else 0.0)
        new -= (basis[:k] @ new) @ basis[:k]  # what rounding left of them
        off.append(float(np.linalg.norm(new)))
        ended = off[-1] <= _EXHAUSTED * max(map(abs, diagonal)) or k == most
        if ended or k % _CHECKED == 0:
            found = _ends(diagonal, off)
            size = max(abs(found.low), abs(found.high))
            if ended or max(found.low_error, found.high_error) <= tolerance * size:
                return found
        basis[k] = new / off[-1]
    return None


def _ends(diagonal: list[float], off: list[float]) -> Extremes:
    matrix = np.diag(diagonal) + np.diag(off[:-1], 1) + np.diag(off[:-1], -1)
    values, vectors = np.linalg.eigh(matrix)
    errors = off[-1] * np.abs(vectors[-1])
    return Extremes(float(values[0]), float(values[-1]), float(errors[0]), float(errors[-1]))
