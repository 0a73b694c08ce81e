"""Summary statistics of the response and the weights of a fit, in one pass over the rows.

The sum of squares about the mean is combined from blocks, each about its own mean (T. Chan, G.
Golub, R. LeVeque, 1983, Algorithms for computing the sample variance, Am. Stat. 37(3)), so that a
large offset costs no digits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from symgd._numpy import np
from symgd.errors import DataError
from symgd.fits.per_row_function import PerRowFunction
from symgd.solvers.objectives import Vector

_BLOCK = 1 << 15  # rows: fits the cache, and amortizes NumPy's overhead


@dataclass(frozen=True)
class ResponseSummary:
    """Sums over rows; those of two sets of rows add up by `+`.

    weight: the sum of the weights. mean: the weighted mean of the response. squares: the weighted
    sum of squares about it. log_weight: the sum of log(weight). counted: rows of positive weight.
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

    def __add__(self, other: ResponseSummary) -> ResponseSummary:
        weight = self.weight + other.weight
        if not other.weight or not self.weight:
            return other if not self.weight else self
        deviation = other.mean - self.mean
        return ResponseSummary(
            weight,
            self.mean + deviation * (other.weight / weight),
            self.squares
            + other.squares
            + deviation * deviation * (self.weight * other.weight / weight),
            self.log_weight + other.log_weight,
            self.counted + other.counted,
        )


def stacked(parts: Sequence[ResponseSummary]) -> ResponseSummary:
    """The summary of several responses of the same rows, each about a mean of its own."""
    if len(parts) == 1:
        return parts[0]
    weight = sum(p.weight for p in parts)
    mean = math.sqrt(sum(p.weight * p.mean**2 for p in parts) / weight)  # as `about_zero` needs it
    squares, logs = sum(p.squares for p in parts), sum(p.log_weight for p in parts)
    return ResponseSummary(weight, mean, squares, logs, sum(p.counted for p in parts))


def summarize_response(observed: PerRowFunction) -> ResponseSummary:
    """The summary over all rows. observed: (response[, weight[, sigma]]) of a row.

    DataError: the first row with sigma not above 0, or with a negative weight.
    """
    found, row = ResponseSummary(), 0
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
    return float(np.add.reduce(terms))  # a dot product would use BLAS, which starts threads


def _plain(y: Vector) -> ResponseSummary:
    count = len(y)
    mean = _sum(y) / count
    deviation = y - mean
    rest = _sum(deviation)  # not 0, because the mean is rounded
    squares = _sum(np.multiply(deviation, deviation, out=deviation)) - rest * rest / count
    return ResponseSummary(float(count), mean + rest / count, squares, 0.0, count)


def _weighted(y: Vector, w: Vector) -> ResponseSummary:
    counted = w > 0
    total = _sum(w)
    if not total > 0:
        return ResponseSummary()
    mean = _sum(w * y) / total
    deviation = y - mean
    weighted = w * deviation
    rest = _sum(weighted)
    squares = _sum(weighted * deviation) - rest * rest / total
    logs = _sum(np.log(w[counted]))
    return ResponseSummary(
        total, mean + rest / total, squares, logs, int(np.count_nonzero(counted))
    )


def _check(weight: Vector, sigma: Sequence[Vector], row: int) -> None:
    valid = (weight >= 0) & np.isfinite(weight)
    for s in sigma:
        valid &= s > 0
    (bad,) = np.nonzero(~valid)
    if len(bad):
        what, values, must = "the weight", weight, "0 or more"
        if sigma:
            what, values, must = "sigma", sigma[0], "above 0"
        value = float(values[bad[0]])
        raise DataError(
            f"{what} in row {row + int(bad[0]) + 1:,} is {value!r}; it must be {must} and finite"
        )
