"""What a fit must know of its response and weights: one pass over the rows.

The sum of squares about the mean is put together from blocks, each about its own mean (T. Chan,
G. Golub, R. LeVeque, 1983, Algorithms for computing the sample variance, Am. Stat. 37(3)), so that
a large offset costs no digits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symgd.errors import DataError
from symgd.fits.qr_reduction import RowFunction
from symgd.solvers.objectives import Vector

_BLOCK = 1 << 15  # rows: few enough for the cache, enough to make calls of NumPy cheap


@dataclass(frozen=True)
class Totals:
    """Sums over rows, which may be added.

    weight: the sum of the weights. mean: of the response, weighted. squares: the weighted sum of
    squares about it. log_weight: the sum of log(weight). counted: the rows of a weight above 0.
    """

    weight: float = 0.0
    mean: float = 0.0
    squares: float = 0.0
    log_weight: float = 0.0
    counted: int = 0

    @property
    def about_zero(self) -> float:
        """The weighted sum of squares of the response itself."""
        return self.squares + self.weight * self.mean**2

    def __add__(self, other: Totals) -> Totals:
        weight = self.weight + other.weight
        if not other.weight or not self.weight:
            return other if not self.weight else self
        apart = other.mean - self.mean
        return Totals(
            weight,
            self.mean + apart * (other.weight / weight),
            self.squares + other.squares + apart * apart * (self.weight * other.weight / weight),
            self.log_weight + other.log_weight,
            self.counted + other.counted,
        )


def totals(observed: RowFunction) -> Totals:
    """Over all rows of a function whose values are the response and, maybe, its weight and sigma.

    Raises DataError for the first row whose sigma is not above 0, or whose weight is below 0.
    """
    found, row = Totals(), 0
    with np.errstate(all="ignore"):
        for count, (response, *weights) in observed.blocks([], _BLOCK):
            y = np.broadcast_to(response, count)
            if weights:
                w, *sigma = (np.broadcast_to(v, count) for v in weights)
                _check(w, sigma, row)
                found += _weighted(y, w)
            else:
                found += _plain(y)
            row += count
    if not found.counted:
        raise DataError("the weight is 0 in every row")
    return found


def _sum(terms: Vector) -> float:
    return float(np.add.reduce(terms))  # a product of vectors would ask BLAS, which starts threads


def _plain(y: Vector) -> Totals:
    count = len(y)
    mean = _sum(y) / count
    apart = y - mean
    rest = _sum(apart)  # of the mean's own rounding
    squares = _sum(np.multiply(apart, apart, out=apart)) - rest * rest / count
    return Totals(float(count), mean + rest / count, squares, 0.0, count)


def _weighted(y: Vector, w: Vector) -> Totals:
    counted = w > 0
    total = _sum(w)
    if not total > 0:
        return Totals()
    mean = _sum(w * y) / total
    apart = y - mean
    weighted = w * apart
    rest = _sum(weighted)
    squares = _sum(weighted * apart) - rest * rest / total
    logs = _sum(np.log(w[counted]))
    return Totals(total, mean + rest / total, squares, logs, int(np.count_nonzero(counted)))


def _check(weight: Vector, sigma: Sequence[Vector], row: int) -> None:
    right = (weight >= 0) & np.isfinite(weight)
    for s in sigma:
        right &= s > 0
    (bad,) = np.nonzero(~right)
    if len(bad):
        what, values, must = "the weight", weight, "0 or more"
        if sigma:
            what, values, must = "sigma", sigma[0], "above 0"
        value = float(values[bad[0]])
        raise DataError(
            f"{what} in row {row + int(bad[0]) + 1:,} is {value!r}; it must be {must} and finite"
        )
