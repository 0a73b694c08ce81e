"""Points that fill a box evenly: the sequence of I. Sobol, in the order of Gray's code.

Direction numbers: S. Joe, F. Kuo, 2008, Constructing Sobol sequences with better two-dimensional
projections, SIAM J. Sci. Comput. 30(5). Beyond 21 dimensions the others are random.
"""

from __future__ import annotations

from symgd._numpy import NDArray, np

_BITS = 30
#: of dimension 2, 3, ...: the coefficients of a primitive polynomial as a number, and m_1, m_2, ...
_NUMBERS: tuple[tuple[int, tuple[int, ...]], ...] = (
    (0, (1,)), (1, (1, 3)), (1, (1, 3, 1)), (2, (1, 1, 1)), (1, (1, 1, 3, 3)),
    (4, (1, 3, 5, 13)), (2, (1, 1, 5, 5, 17)), (4, (1, 1, 5, 5, 5)), (7, (1, 1, 7, 11, 19)),
    (11, (1, 1, 5, 1, 1)), (13, (1, 1, 1, 3, 11)), (14, (1, 3, 5, 5, 31)),
    (1, (1, 3, 3, 9, 7, 49)), (13, (1, 1, 1, 15, 21, 21)), (16, (1, 3, 1, 13, 27, 49)),
    (19, (1, 1, 1, 15, 7, 5)), (22, (1, 3, 1, 15, 13, 25)), (25, (1, 1, 5, 5, 19, 61)),
    (1, (1, 3, 7, 11, 23, 15, 103)), (4, (1, 3, 7, 13, 13, 15, 69)),
)  # fmt: skip


def sobol(count: int, dimensions: int, seed: int = 0) -> NDArray[np.float64]:
    """(count, dimensions), in (0, 1): the first points after the corner. seed: of random ones."""
    found = np.random.default_rng(seed).random((count, dimensions))
    order = np.arange(1, count + 1)
    gray = order ^ (order >> 1)
    for k in range(min(dimensions, len(_NUMBERS) + 1)):
        column = np.zeros(count, dtype=np.int64)
        for bit, direction in enumerate(_directions(k)):
            column ^= np.where((gray >> bit) & 1, direction, 0)
        found[:, k] = column / float(1 << _BITS)
    return found


def _directions(dimension: int) -> list[int]:
    if dimension == 0:
        return [1 << (_BITS - 1 - k) for k in range(_BITS)]
    polynomial, first = _NUMBERS[dimension - 1]
    size = len(first)
    found = [m << (_BITS - 1 - k) for k, m in enumerate(first)]
    for k in range(size, _BITS):
        new = found[k - size] ^ (found[k - size] >> size)
        for j in range(1, size):
            if (polynomial >> (size - 1 - j)) & 1:
                new ^= found[k - j]
        found.append(new)
    return found
