"""Bounds of so many parameters that they are kept by intervals of places, not one by one."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

from symgd._numpy import NDArray, np
from symgd.model.array_model import ArrayModel
from symgd.model.bounds import BoundsByName, canonical_bounds, read_bounds

Floats: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True)
class Interval:
    """low <= x[first:beyond] <= high; infinite: open."""

    first: int
    beyond: int
    low: float = -math.inf
    high: float = math.inf


@dataclass(frozen=True)
class ArrayBounds:
    """The bounds of all parameters, in the order of their places."""

    intervals: tuple[Interval, ...]

    @classmethod
    def of(
        cls, model: ArrayModel, given: BoundsByName | None, of_rule: tuple[float, float] | None
    ) -> ArrayBounds:
        """The bounds by array or element, within those of a rule; or ArgumentError."""
        found = [Interval(0, model.count)]
        for name, pair in canonical_bounds(given).items():
            first, beyond = model.places(name)
            box = read_bounds({name: pair}, [name], [name])
            found = _with(found, Interval(first, beyond, box.low[0], box.high[0]))
        if of_rule is not None:
            low, high = of_rule
            found = [Interval(i.first, i.beyond, max(i.low, low), min(i.high, high)) for i in found]
            for one in found:
                read_bounds({"theta": (one.low, one.high)}, ["theta"], ["theta"])
        return cls(tuple(found))

    @property
    def are_open(self) -> bool:
        """Whether nothing is bounded."""
        return all(math.isinf(i.low) and math.isinf(i.high) for i in self.intervals)

    def clip(self, x: Floats) -> Floats:
        """The nearest point, in place."""
        for one in self.intervals:
            part = x[one.first : one.beyond]
            np.clip(part, one.low, one.high, out=part)
        return x

    def largest(self, x: Floats, grad: Floats) -> float:
        """max|g| of the projected gradient."""
        found = [0.0]
        for one in self.intervals:
            for first in range(one.first, one.beyond, _BLOCK):
                place = slice(first, min(first + _BLOCK, one.beyond))
                part = ArrayBounds((replace(one, first=0, beyond=place.stop - first),))
                g = part.project(x[place], grad[place].copy())
                found += [float(g.max()), float(-g.min())]
        return max(found)

    def project(self, x: Floats, grad: Floats) -> Floats:
        """The gradient with 0 where it points out of the bounds, in place."""
        for one in self.intervals:
            if math.isinf(one.low) and math.isinf(one.high):
                continue
            for first in range(one.first, one.beyond, _BLOCK):
                place = slice(first, min(first + _BLOCK, one.beyond))
                v, g = x[place], grad[place]
                g[((v <= one.low) & (g >= 0)) | ((v >= one.high) & (g <= 0))] = 0.0
        return grad


_BLOCK = 1 << 20  # elements, for which there is room


def _with(found: list[Interval], new: Interval) -> list[Interval]:
    """The intervals with the bounds of one of them instead."""
    kept = []
    for old in found:
        ends = ((old.first, min(old.beyond, new.first)), (max(old.first, new.beyond), old.beyond))
        kept += [Interval(a, b, old.low, old.high) for a, b in ends if a < b]
    return sorted([*kept, new], key=lambda one: one.first)
