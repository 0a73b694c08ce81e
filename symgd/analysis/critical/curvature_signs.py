"""The signs of a Hessian's eigenvalues at a critical point, decided by the errors of its entries.

An eigenvalue is 0 where what its entries may be off by could change its sign: no fixed fraction of
the largest eigenvalue decides, for x**2 + 1e-9*y**2 has a minimum as sharp as its units.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgd.model.loss import Loss
from symgd.solvers.symmetric import Rows, finite_rows, spectrum

_EPS = 2.0**-52
_TINY = 1e-300
_MOVED = (4.0, -4.0, 7.0)  # units in the last place by which the point is moved


@dataclass(frozen=True)
class Curvatures:
    """Eigenvalues, ascending, 0 where they are 0 within rounding, and the vectors of the latter.

    flat: (F, P), an orthonormal basis of the directions without curvature.
    """

    values: tuple[float, ...]
    flat: tuple[tuple[float, ...], ...] = ()

    @property
    def kind(self) -> str:
        """minimum, maximum, saddle or degenerate."""
        if self.values and self.values[0] < 0 < self.values[-1]:
            return "saddle"
        if not self.values or 0.0 in self.values:
            return "degenerate"
        return "minimum" if self.values[0] > 0 else "maximum"


def decided(rows: Rows, noise: float, definite: tuple[int, int] | None = None) -> Curvatures:
    """The curvatures of a Hessian of finite entries.

    noise: the eigenvalues of the Hessian scaled to a unit diagonal that are 0, at most (scaling
    changes no sign: Sylvester's law of inertia). definite: how many are negative and positive,
    where that is known.
    """
    split = spectrum(rows)
    if definite is None:
        scale = [abs(row[k]) ** 0.5 or 1.0 for k, row in enumerate(rows)]
        unit = [
            [v / a / b for v, b in zip(row, scale, strict=True)]
            for row, a in zip(rows, scale, strict=True)
        ]
        signs = spectrum(unit).values
        definite = sum(v < -noise for v in signs), sum(v > noise for v in signs)
    count = len(rows)
    negative, positive = definite
    values, flat = [], []
    for k, (value, vector) in enumerate(zip(split.values, split.vectors, strict=True)):
        if k < negative:
            values.append(-abs(value))
        elif k >= count - positive:
            values.append(abs(value))
        else:
            values.append(0.0)
            flat.append(tuple(vector))
    return Curvatures(tuple(values), tuple(flat))


def curvatures_in_doubles(loss: Loss, x: Sequence[float]) -> Curvatures:
    """The curvatures by compiled derivatives: what moves with the last digits of x is noise."""
    hess = loss.internals.hess_rows
    rows = hess(x)
    if not finite_rows(rows):
        return Curvatures(())
    scale = [abs(row[k]) ** 0.5 or 1.0 for k, row in enumerate(rows)]
    noise = 16 * len(x) * _EPS
    for ulps in _MOVED:
        moved = hess([v + ulps * _EPS * abs(v) * (-1) ** k for k, v in enumerate(x)])
        if finite_rows(moved):
            off = sum(
                ((v - w) / scale[i] / scale[j]) ** 2
                for i, (row, other) in enumerate(zip(rows, moved, strict=True))
                for j, (v, w) in enumerate(zip(row, other, strict=True))
            )
            noise = max(noise, 4 * off**0.5)
    return _settled(loss, x, rows, decided(rows, noise))


def _settled(loss: Loss, x: Sequence[float], rows: Rows, found: Curvatures) -> Curvatures:
    """Without the curvatures that Newton's step from x would change by a quarter or more.

    x is as far from the zero of the gradient as that step is long: where a curvature vanishes with
    the gradient, a point nearby has some.
    """
    split = spectrum(rows)
    weights = [1 / v if abs(v) > _TINY else 0.0 for v in split.values]
    step = split.apply(weights, loss.internals.evaluate(*x)[1:])
    moved = loss.internals.hess_rows([v - s for v, s in zip(x, step, strict=True)])
    if not finite_rows(moved):
        return found
    changes = [
        [b - a for a, b in zip(*pair, strict=True)] for pair in zip(rows, moved, strict=True)
    ]
    kept, flat = [], []
    for value, vector in zip(found.values, split.vectors, strict=True):
        image = [sum(c * v for c, v in zip(row, vector, strict=True)) for row in changes]
        change = abs(sum(a * b for a, b in zip(image, vector, strict=True)))
        kept.append(value if abs(value) > 4 * change else 0.0)
        if not kept[-1]:
            flat.append(tuple(vector))
    return Curvatures(tuple(kept), tuple(flat))
