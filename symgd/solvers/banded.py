"""Hessians of many parameters: dense, or a band about the diagonal, found by products alone.

In a product with a sum of unit vectors no two entries of a band overlap if these are further apart
than the band is wide: 2w + 1 products give a band of half-width w (A. Curtis, M. Powell, J. Reid,
1974, On the estimation of sparse Jacobian matrices, IMA J. Appl. Math. 13). A product with a random
vector tells whether there is anything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symgd._numpy import np
from symgd.solvers.objectives import Matrix, Vector

Product = Callable[[Vector], Vector]
Factor = Callable[[Vector], Vector]  # b -> A^-1 b

DENSE = 200  # parameters, up to which a matrix is dense
_FEW = 16  # parameters up to which no band is looked for
_WIDTHS = (0, 1, 2, 4, 8)
_RESIDUAL = 1e-9  # of a product: beyond, the matrix is wider
_SINGULAR = 1e-14  # a pivot below this part of its diagonal entry: not positive definite


class BandedHessian:
    """Finds the Hessian at one point after another; the width is remembered.

    solved: how many linear systems have been solved with it.
    """

    solved = 0

    def __init__(self, count: int) -> None:
        self.count, self.dense = count, count <= DENSE
        self._widths = list(_WIDTHS) if count > _FEW else []
        if self._widths:
            self._probe = np.random.default_rng(0).normal(size=count)

    def at(self, product: Product) -> Dense | Band | None:
        """The matrix of these products; None where it is neither small nor a band."""
        if not self._widths:
            return self._whole(product)
        right = product(self._probe)
        if not np.isfinite(right).all():
            return None
        while self._widths and 2 * self._widths[0] + 1 < self.count:
            band = Band.of(product, self.count, self._widths[0])
            size = float(np.abs(right).max())
            if float(np.abs(band.times(self._probe) - right).max()) <= _RESIDUAL * size:
                return Dense(band.dense()) if self.dense else band
            del self._widths[0]
        return self._whole(product)

    def _whole(self, product: Product) -> Dense | None:
        if not self.dense:
            return None
        rows = np.array([product(unit) for unit in np.eye(self.count)])
        return Dense(0.5 * (rows + rows.T)) if np.isfinite(rows).all() else None


class Dense:
    """A symmetric matrix, (P, P)."""

    def __init__(self, matrix: Matrix) -> None:
        self.matrix = matrix

    def times(self, v: Vector) -> Vector:
        """The product with v."""
        product: Vector = self.matrix @ v
        return product

    def size(self) -> float:
        """The largest magnitude of an entry."""
        return float(np.abs(self.matrix).max())

    @property
    def diagonal(self) -> Vector:
        """Its diagonal."""
        return np.diag(self.matrix)

    def scaled(self, d: Vector) -> Dense:
        """diag(d) * matrix * diag(d)."""
        return Dense(self.matrix * d * d[:, None])

    def restricted(self, free: Any) -> Dense:
        """The same without the coupling of the parameters that are not free, 1 on the diagonal."""
        keep = np.outer(free, free)
        return Dense(np.where(keep, self.matrix, np.diag(1.0 - free)))

    def factor(self, shift: float) -> Factor | None:
        """Solves with the matrix plus shift*I; None where that is not positive definite."""
        shifted = self.matrix + shift * np.eye(len(self.matrix))
        try:
            lower = np.linalg.cholesky(shifted)
        except np.linalg.LinAlgError:
            return None
        if not (np.diag(lower) ** 2 > _SINGULAR * np.diag(shifted)).all():
            return None
        return lambda b: np.asarray(np.linalg.solve(shifted, b))


class Band:
    """A symmetric band matrix. bands[k][j]: the entry (j + k, j), of each (P,)."""

    def __init__(self, bands: list[Vector]) -> None:
        self.bands = bands

    @classmethod
    def of(cls, product: Product, count: int, width: int) -> Band:
        """The band of this half-width of the matrix of these products."""
        bands = [np.zeros(count) for _ in range(width + 1)]
        step = 2 * width + 1
        for first in range(step):
            unit = np.zeros(count)
            unit[first::step] = 1.0
            column = product(unit)
            for k, band in enumerate(bands):
                below = column[first + k :: step]
                band[first : first + step * len(below) : step] = below
        return cls(bands)

    def times(self, v: Vector) -> Vector:
        """The product with v."""
        out = self.bands[0] * v
        for k, band in enumerate(self.bands[1:], start=1):
            out[k:] += band[:-k] * v[:-k]
            out[:-k] += band[:-k] * v[k:]
        return out

    def size(self) -> float:
        """The largest magnitude of an entry."""
        return max(float(np.abs(band).max()) for band in self.bands)

    def dense(self) -> Matrix:
        """The whole matrix."""
        out = np.diag(self.bands[0])
        for k, band in enumerate(self.bands[1:], start=1):
            out += np.diag(band[:-k], k) + np.diag(band[:-k], -k)
        return out

    @property
    def diagonal(self) -> Vector:
        """Its diagonal."""
        return self.bands[0]

    def scaled(self, d: Vector) -> Band:
        """diag(d) * matrix * diag(d)."""
        pairs = enumerate(self.bands)
        return Band([band * d * np.append(d[k:], np.zeros(k)) for k, band in pairs])

    def restricted(self, free: Any) -> Band:
        """The same without the coupling of the parameters that are not free, 1 on the diagonal."""
        found = [np.where(free, self.bands[0], 1.0)]
        for k, band in enumerate(self.bands[1:], start=1):
            both = np.zeros(len(band))
            both[:-k] = band[:-k] * (free[:-k] & free[k:])
            found.append(both)
        return Band(found)

    def factor(self, shift: float) -> Factor | None:
        """Solves with the matrix plus shift*I; None where that is not positive definite."""
        try:
            return CyclicReduction([self.bands[0] + shift, *self.bands[1:]]).solve
        except np.linalg.LinAlgError:
            return None


class CyclicReduction:
    """A positive definite band matrix, factored by eliminating every other block.

    Blocks as large as the band is wide make it block tridiagonal; eliminating those of even number
    leaves such a matrix of half as many blocks, so that all work is over whole arrays (R. Sweet,
    1977, A cyclic reduction algorithm, SIAM J. Numer. Anal. 14). It is Gaussian elimination in
    another order: positive definite are the matrices all of whose pivots are.
    """

    def __init__(self, bands: list[Vector]) -> None:
        """LinAlgError where the matrix is not positive definite."""
        self.count, self.width = len(bands[0]), max(1, len(bands) - 1)
        self._levels: list[tuple[Any, Any, Any, Any]] = []
        blocks, below = _blocks(bands, self.width)
        limit = _SINGULAR * float(np.abs(bands[0]).max())
        while True:
            inverse = _inverse(blocks[::2], limit)
            odd, left, right = blocks[1::2], below[::2], below[1::2]
            before = _product(left, inverse[: len(odd)])
            after = _product(_turned(right), inverse[1 : 1 + len(right)])
            self._levels.append((inverse, left, right, (before, after)))
            if not len(odd):
                return
            blocks = odd - _product(before, _turned(left))
            blocks[: len(right)] -= _product(after, right)
            below = -_product(before[1:], right[: len(odd) - 1])

    def solve(self, b: Vector) -> Vector:
        """x of matrix*x = b."""
        padded = np.zeros((-(-self.count // self.width), self.width, 1))
        padded.reshape(-1)[: self.count] = b
        sides = []
        for _, _, _, (before, after) in self._levels:
            even, odd = padded[::2], padded[1::2].copy()
            odd -= _product(before, even[: len(odd)])
            odd[: len(after)] -= _product(after, even[1 : 1 + len(after)])
            sides.append(even)
            padded = odd
        x = padded
        for (inverse, left, right, _), even in zip(
            reversed(self._levels), reversed(sides), strict=True
        ):
            rest = even.copy()
            rest[: len(x)] -= _product(_turned(left), x)
            rest[1 : 1 + len(right)] -= _product(right, x[: len(right)])
            both = np.empty((len(rest) + len(x), *rest.shape[1:]))
            both[::2], both[1::2] = _product(inverse, rest), x
            x = both
        return np.asarray(x.reshape(-1)[: self.count])


def _blocks(bands: list[Vector], width: int) -> tuple[Any, Any]:
    """The blocks on the diagonal, and those below it; the identity where the last one ends."""
    count = len(bands[0])
    if width == 1:
        off = bands[1][:-1] if len(bands) > 1 else np.zeros(count - 1)
        return bands[0][:, None, None], off[:, None, None]
    many = -(-count // width)
    blocks, below = np.zeros((many, width, width)), np.zeros((many, width, width))
    diagonal = blocks.reshape(many, -1)[:, :: width + 1]
    diagonal[-1] = 1.0
    for k, band in enumerate(bands):
        place = np.arange(count - k)
        block, column = np.divmod(place, width)
        row = column + k
        inside = row < width
        entries = band[: count - k]
        blocks[block[inside], row[inside], column[inside]] = entries[inside]
        blocks[block[inside], column[inside], row[inside]] = entries[inside]
        outside = ~inside
        below[block[outside], row[outside] - width, column[outside]] = entries[outside]
    return blocks, below[:-1]


def _product(a: Any, b: Any) -> Any:
    return a * b if a.shape[-1] == 1 == b.shape[-2] else a @ b


def _turned(blocks: Any) -> Any:
    return np.swapaxes(blocks, 1, 2)


def _inverse(blocks: Any, limit: float) -> Any:
    if blocks.shape[-1] == 1:
        if not (blocks > limit).all():
            raise np.linalg.LinAlgError
        return 1.0 / blocks
    lower = np.linalg.cholesky(blocks)
    if not (np.diagonal(lower, axis1=1, axis2=2) ** 2 > limit).all():
        raise np.linalg.LinAlgError
    inverse = np.linalg.inv(lower)
    return _turned(inverse) @ inverse
