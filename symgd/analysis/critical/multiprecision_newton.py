"""Newton's method in 60 digits from a point that a search in doubles found.

It says whether there is a critical point at all: in doubles cosh(x)*exp(x) is 1/2 from x = -19 on,
and its slope 0. And it says which curvatures vanish there: at a simple zero of the gradient the
steps shrink quadratically, and the Hessian hardly changes in the last one; where a curvature
vanishes with the gradient it changes by more than what is left of that curvature.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from symgd._locks import MPMATH
from symgd.analysis.critical.curvature_signs import Curvatures
from symgd.backends.exact.error_bounds import Bounded, log2_size
from symgd.model.loss import Loss

_BITS = 212
_STEPS = 80
_FEW = 8  # parameters, and
_SHORT = 300  # operations of a loss that is evaluated in so many digits
_LEAP = 10  # steps after which what is left of a slow convergence is taken at once
_NEAR = 1e-3  # of the point's size: beyond, it is another point
_SETTLED = -106  # log2 of a step, relative to the point's size, after which none is needed
_STILL = -40  # log2 of a step, relative to the point's size: as good as none
_NONE = -180  # log2 of a curvature, relative to the largest on the way, that is rounding
_SHRINKING = 0.97  # of the last steps each is at most this part of the one before


@dataclass(frozen=True)
class Refined:
    """A zero of the gradient, rounded once, and the curvatures there."""

    x: tuple[float, ...]
    curvatures: Curvatures


def refinable(loss: Loss) -> bool:
    """Whether the loss is short enough."""
    internals = loss.internals
    short = internals.value_program.operations <= _SHORT and len(loss.params) <= _FEW
    return internals.rows is None and short


def refined(loss: Loss, start: Sequence[float]) -> Refined | bool:
    """The zero of the gradient next to start; False: there is none; True: not decided."""
    with MPMATH:
        return _Newton(loss, start).run()


class _Newton:
    def __init__(self, loss: Loss, start: Sequence[float]) -> None:
        from mpmath import MPContext

        self.loss = loss
        self.start = start
        self.ctx: Any = MPContext()
        self.ctx.prec = _BITS
        self.size = max(1e-3, *map(abs, start))

    def run(self) -> Refined | bool:
        ctx = self.ctx
        x = [ctx.mpf(v) for v in self._round_numbers()]
        steps: list[Any] = []
        last, largest = None, ctx.zero
        for _ in range(_STEPS):
            gradient, triangle = self.loss.exact.derivatives(x, _BITS)
            hessian = self._matrix(triangle)
            if hessian is None or any(g.value != g.value for g in gradient):
                return True
            changed = 0 if last is None else ctx.mnorm(hessian - last, "inf")
            last, largest = hessian, max(largest, ctx.mnorm(hessian, "inf"))
            noise = max(4 * changed, _error(triangle), ctx.ldexp(largest, _NONE))
            if not all(_is_known(g, largest * self.size) for g in gradient):
                return False
            values, vectors = ctx.eigsy(hessian.copy())
            settled = bool(steps) and steps[-1] <= ctx.ldexp(self.size, _SETTLED)
            if settled or all(_is_zero(g) for g in gradient):
                return self._result(x, values, vectors, noise)
            step = self._step(values, vectors, [g.value for g in gradient])
            steps.append(max(map(abs, step)))
            if len(steps) % _LEAP == 0 and steps[-1] < steps[-2]:
                ratio = steps[-1] / steps[-2]  # of a geometric series: its sum is the limit
                step = [s / (1 - ratio) for s in step]
            x = [a - s for a, s in zip(x, step, strict=True)]
            moved = max(abs(a - b) for a, b in zip(x, self.start, strict=True))
            if not moved <= _NEAR * (1 + self.size):
                return False
        tail = [s for k, s in enumerate(steps, start=1) if k % _LEAP > 1][-12:]
        still = max(tail) <= ctx.ldexp(self.size, _STILL)
        if any(b > _SHRINKING * a for a, b in pairwise(tail)) and not still:
            return False
        return self._result(x, values, vectors, noise)

    def _round_numbers(self) -> Sequence[float]:
        """The start, or numbers of few digits next to it where the gradient is exactly 0."""
        near = [round(v / self.size, 9) * self.size + 0.0 for v in self.start]
        if near == list(self.start):
            return near
        gradient, _ = self.loss.exact.derivatives([self.ctx.mpf(v) for v in near], _BITS)
        return near if not any(g.value for g in gradient) else self.start

    def _matrix(self, triangle: Sequence[Bounded]) -> Any:
        entries = [b.value for b in triangle]
        if any(v != v or self.ctx.isinf(v) for v in entries):
            return None
        count = len(self.start)
        rows = self.ctx.matrix(count, count)
        places = ((i, j) for i in range(count) for j in range(i, count))
        for (i, j), value in zip(places, entries, strict=True):
            rows[i, j] = rows[j, i] = value
        return rows

    def _step(self, values: Any, vectors: Any, gradient: Sequence[Any]) -> list[Any]:
        """Newton's step, none along directions whose curvature is rounding."""
        ctx, count = self.ctx, len(gradient)
        floor = ctx.ldexp(max(map(abs, values)), -_BITS + 20)
        step = [ctx.zero] * count
        for k in range(count):
            if abs(values[k]) > floor:
                along = ctx.fsum(vectors[i, k] * gradient[i] for i in range(count)) / values[k]
                step = [s + along * vectors[i, k] for i, s in enumerate(step)]
        return step

    def _result(self, x: Sequence[Any], values: Any, vectors: Any, noise: Any) -> Refined:
        count = len(x)
        order = sorted(range(count), key=lambda k: values[k])
        kept = tuple(float(values[k]) if abs(values[k]) > noise else 0.0 for k in order)
        flat = tuple(
            tuple(float(vectors[i, k]) for i in range(count))
            for k, value in zip(order, kept, strict=True)
            if not value
        )
        tiny = self.ctx.ldexp(self.size, _SETTLED + 16)
        at = tuple(float(v) if abs(v) > tiny else 0.0 for v in x)
        return Refined(at, Curvatures(kept, flat))


def _is_zero(value: Bounded) -> bool:
    return not value.value or log2_size(value.value) <= value.error


def _is_known(value: Bounded, unit: Any) -> bool:
    """Whether the error is far below the slopes that curvatures make at the point's size."""
    return value.error <= max(log2_size(value.value), log2_size(unit) + _SETTLED)


def _error(triangle: Sequence[Bounded]) -> Any:
    """A bound of the error of the eigenvalues by those of the entries."""
    largest = max(b.error for b in triangle)
    return 0.0 if largest < -1000 else len(triangle) * 2.0 ** (largest + 1)
