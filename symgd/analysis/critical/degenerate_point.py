"""What the loss does around a critical point where curvature vanishes: by its exact changes."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from symgd._numpy import np
from symgd.analysis.critical.curvature_signs import Curvatures
from symgd.model.loss import Loss
from symgd.solvers.symmetric import finite_rows

_RADII = (1e-3, 1e-5)  # of the point's size
_CORRECTIONS = 3
_NONE = 1e-12  # a singular value below this part of the largest is none


def neighborhood(loss: Loss, x: Sequence[float], curvatures: Curvatures) -> tuple[str, str]:
    """(shape, sentence) of a degenerate point: the flat directions decide what it is.

    A flat direction is followed along the bottom of its valley: (y - x**2)*(y - 3*x**2) rises along
    every line through 0 and falls along y = 2*x**2 (G. Peano, 1884).
    """
    size = max(1e-3, *map(abs, x))
    rounding = _change_by_rounding(loss, x)
    rises = falls = opposite = False
    for direction in _directions(curvatures.flat):
        for radius in _RADII:
            ends = [_valley(loss, x, direction, sign * radius * size, curvatures.flat)
                    for sign in (1, -1)]  # fmt: skip
            changes = [math.nan if end is None else loss.exact.change(x, end) for end in ends]
            here = any(c > rounding for c in changes), any(c < -rounding for c in changes)
            rises, falls, opposite = rises or here[0], falls or here[1], opposite or all(here)
    up = rises or any(v > 0 for v in curvatures.values)
    down = falls or any(v < 0 for v in curvatures.values)
    if opposite and len(curvatures.flat) == 1:
        return "inflection", "an inflection: the loss falls on one side and rises on the other"
    if up and down:
        return "smooth", "neither a minimum nor a maximum: the loss falls on one side"
    if not up and not down:
        return "smooth", "the loss is flat here"
    side = "a minimum" if up else "a maximum"
    if not rises and not falls:
        return "smooth", f"{side} as far as its neighbors show, not the only one"
    return "smooth", f"{side} as far as its neighbors show; the curvature vanishes"


def _change_by_rounding(loss: Loss, x: Sequence[float]) -> float:
    """What the loss changes by where x is moved in its last digits, as its rounding did."""
    moves = [[v * (1 + s * 2.0**-52 * (-1) ** (k * m)) for k, v in enumerate(x)]
             for s in (1, -1) for m in (0, 1)]  # fmt: skip
    changes = [abs(loss.exact.change(x, moved)) for moved in moves if moved != list(x)]
    return 4 * max((c for c in changes if c == c), default=0.0)


def _directions(flat: Sequence[Sequence[float]]) -> Iterator[list[float]]:
    yield from map(list, flat)
    if len(flat) > 1:
        chance = random.Random(4)  # noqa: S311 - where to look, not a secret
        for _ in range(4 * len(flat)):
            weights = [chance.gauss(0, 1) for _ in flat]
            length = sum(w * w for w in weights) ** 0.5
            yield [sum(w * v for w, v in zip(weights, column, strict=True)) / length
                   for column in zip(*flat, strict=True)]  # fmt: skip


def _valley(
    loss: Loss,
    x: Sequence[float],
    direction: Sequence[float],
    length: float,
    flat: Sequence[Sequence[float]],
) -> list[float] | None:
    """The point so far along a direction where the gradient vanishes across the flat directions."""
    y = [v + length * d for v, d in zip(x, direction, strict=True)]
    if len(flat) == len(x):
        return y
    basis = np.array(flat)
    across = np.eye(len(x)) - basis.T @ basis
    for _ in range(_CORRECTIONS):
        hessian, slopes = loss.internals.hess_rows(y), loss.internals.evaluate(*y)[1:]
        if not finite_rows([*hessian, slopes]):
            return None
        inverse = np.linalg.pinv(across @ np.array(hessian) @ across, rcond=_NONE, hermitian=True)
        y = (np.array(y) - inverse @ across @ np.array(slopes)).tolist()
    return y
