"""Whether residuals follow one another along a column, as they do where a curve misses the data."""

from __future__ import annotations

import math
from typing import Any

from symgd._numpy import NDArray, np
from symgd.solvers.objectives import Vector

SERIAL = 3.0  # standard errors of a correlation of independent residuals


def correlation_of_neighbors(residuals: Vector, column: NDArray[Any]) -> float:
    """The correlation of neighbors in the order of the column, in its standard errors.

    As in the ratio of J. von Neumann, 1941, Distribution of the ratio of the mean square successive
    difference to the variance, Ann. Math. Stat. 12(4). Rows of one value say nothing of an order:
    0 where more than half of them are such.
    """
    order = np.argsort(column, kind="stable")
    places = np.asarray(column)[order]
    left, right = residuals[order[:-1]], residuals[order[1:]]
    apart = places[1:] != places[:-1]
    if 2 * int(apart.sum()) < len(places):
        return 0.0
    squares = float(np.sum(residuals * residuals))
    if not squares > 0:
        return 0.0
    return float(np.sum((left * right)[apart])) / squares * math.sqrt(len(residuals))
