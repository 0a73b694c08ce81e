"""Symmetric matrices as lists of rows: solving by Cholesky's method, eigenvalues, eigenvectors.

Of few parameters: NumPy is imported only where there are several, and not for a Cholesky solution.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from symgd._numpy import np

Rows = Sequence[Sequence[float]]

_SINGULAR = 1e-10  # a pivot below this part of its diagonal entry: eigenvalues say more


def all_finite(values: Iterable[float]) -> bool:
    """Whether every number is finite."""
    return all(map(math.isfinite, values))


def finite_rows(rows: Rows) -> bool:
    """Whether every entry is finite."""
    return all(map(all_finite, rows))


def solve_definite(rows: Rows, b: Sequence[float]) -> list[float] | None:
    """x of rows*x = b, by rows = L*D*L'; None where rows is not clearly positive definite."""
    lower: list[list[float]] = []
    pivots: list[float] = []
    x: list[float] = []
    for i, row in enumerate(rows):
        pivot, entry, line = row[i], b[i], list(row[:i])
        for j, below in enumerate(lower):
            for k in range(j):
                line[j] -= line[k] * below[k]
            pivot -= line[j] * line[j] / pivots[j]
            entry -= line[j] * x[j]
        if not (pivot > 0 and pivot > _SINGULAR * row[i]):
            return None
        lower.append([c / d for c, d in zip(line, pivots, strict=True)])
        pivots.append(pivot)
        x.append(entry / pivot)
    for i in range(len(x) - 1, 0, -1):
        for j in range(i):
            x[j] -= lower[i][j] * x[i]
    return x


@dataclass(frozen=True)
class Spectrum:
    """Eigenvalues, ascending, and eigenvectors of a symmetric matrix."""

    values: list[float]
    vectors: list[list[float]]

    @property
    def lowest(self) -> list[float]:
        """The unit eigenvector of the smallest eigenvalue; its largest entry is positive."""
        vector = self.vectors[0]
        sign = math.copysign(1.0, max(vector, key=abs))
        return [sign * v for v in vector]

    def apply(self, weights: Sequence[float], b: Sequence[float]) -> list[float]:
        """sum(weight * v * (v'b)) over the eigenvectors v; 1/eigenvalue for weights solves."""
        out = [0.0] * len(b)
        for weight, vector in zip(weights, self.vectors, strict=True):
            if weight:
                size = weight * sum(v * c for v, c in zip(vector, b, strict=True))
                out = [a + size * v for a, v in zip(out, vector, strict=True)]
        return out


def spectrum(rows: Rows) -> Spectrum:
    """Eigenvalues and eigenvectors of a matrix of finite numbers."""
    if len(rows) == 1:
        return Spectrum([rows[0][0]], [[1.0]])
    values, vectors = np.linalg.eigh(np.array(rows))
    return Spectrum(values.tolist(), vectors.T.tolist())


def eigenvalues(rows: Rows) -> list[float]:
    """The eigenvalues, ascending; [] where an entry is not finite."""
    if not rows or not finite_rows(rows):
        return []
    if len(rows) == 1:
        return [rows[0][0]]
    values: list[float] = np.linalg.eigvalsh(np.array(rows)).tolist()
    return values
