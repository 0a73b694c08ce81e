"""Bounds of the parameters: as users give them, and the box that a descent stays in."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgd import names
from symgd.errors import ArgumentError, FormulaError
from symgd.formula.parse import parameter_name
from symgd.model.checks import to_float
from symgd.model.schedule import parse_number

BoundsByName = Mapping[str, tuple[float | None, float | None]]  # None: open


@dataclass(frozen=True)
class ParameterBox:
    """The box low <= x <= high, (P,) each in the order of the parameters; infinite: open."""

    low: tuple[float, ...]
    high: tuple[float, ...]

    def clip(self, x: Iterable[float]) -> list[float]:
        """The nearest point of the box."""
        return [min(max(v, a), b) for v, a, b in zip(x, self.low, self.high, strict=True)]

    def held(self, x: Iterable[float], grad: Iterable[float]) -> list[bool]:
        """Of each parameter, whether it is at a bound and the gradient points out of the box."""
        return [
            (v == a and g > 0) or (v == b and g < 0)
            for v, g, a, b in zip(x, grad, self.low, self.high, strict=True)
        ]

    def projected(self, x: Sequence[float], grad: Sequence[float]) -> list[float]:
        """The gradient with 0 for the parameters that are held: 0 at a minimum in the box."""
        return [0.0 if h else g for h, g in zip(self.held(x, grad), grad, strict=True)]

    @classmethod
    def open(cls, count: int) -> ParameterBox:
        """No bounds."""
        return cls((-math.inf,) * count, (math.inf,) * count)

    def contains(self, x: Iterable[float]) -> bool:
        """Whether a point is in the box."""
        return all(a <= v <= b for v, a, b in zip(x, self.low, self.high, strict=True))

    def by_name(self, params: Sequence[str]) -> dict[str, tuple[float | None, float | None]]:
        """Those that are there: name -> (low, high), None for an open end."""
        pairs = zip(params, self.low, self.high, strict=True)
        ends = ((name, _end(a), _end(b)) for name, a, b in pairs)
        return {name: (a, b) for name, a, b in ends if (a, b) != (None, None)}


def _end(value: float) -> float | None:
    return value if math.isfinite(value) else None


def parse_bounds(items: Sequence[str]) -> dict[str, tuple[float | None, float | None]]:
    """["a=0:10", "b=0:"] as {"a": (0.0, 10.0), "b": (0.0, None)}, or FormulaError."""
    bounds = {}
    for item in items:
        left, equals, right = item.partition("=")
        low, colon, high = right.partition(":")
        if not (equals and colon and left.strip()):
            hint = "write NAME=LOW:HIGH, with either end left out where it is open, as in x=0:"
            column = len(left) if colon else len(item if equals else item.partition(":")[0])
            raise FormulaError(item, column, "no bounds", hint)
        try:
            name = parameter_name(left)
        except FormulaError as error:
            raise FormulaError(item, error.column, error.sentence) from None
        if name in bounds:
            raise FormulaError(item, 0, f"the bounds of '{names.escape(name)}' are given twice")
        places = len(left) + 1, len(left) + len(low) + 2
        bounds[name] = _parse_end(item, places[0], low), _parse_end(item, places[1], high)
    return bounds


def _parse_end(item: str, place: int, text: str) -> float | None:
    if not text.strip():
        return None
    try:
        return parse_number(text, "the bound")
    except ArgumentError:
        hint = "a bound is one finite number; leave it out where that end is open"
        hint += "; repeat --bound for another parameter" if "," in text else ""
        column = place + len(text) - len(text.lstrip())
        raise FormulaError(item, column, "this is no number", hint) from None


def canonical_bounds(given: BoundsByName | None) -> dict[str, Any]:
    """The same by the canonical names, {} for None; ArgumentError where it does not go by names."""
    if given is None:
        return {}
    if not (isinstance(given, Mapping) and all(isinstance(name, str) for name in given)):
        raise ArgumentError("bounds go by names, as in {'x': (0, 1)}; None for an open end")
    return {names.canonical(name): pair for name, pair in given.items()}


def read_bounds(
    given: BoundsByName, free: Sequence[str], params: Collection[str], whose: str = "the loss"
) -> ParameterBox:
    """The bounds of the parameters `free` out of `params`, or ArgumentError."""
    low, high = dict.fromkeys(free, -math.inf), dict.fromkeys(free, math.inf)
    known = frozenset(params)
    for name, pair in canonical_bounds(given).items():
        if name not in known:
            raise ArgumentError(names.unknown(f"{whose} has no parameter", name, params))
        shown = names.escape(name)
        if name not in low:
            raise ArgumentError(f"'{shown}' is fixed or tied, so it takes no bounds")
        try:
            least, most = pair
        except (TypeError, ValueError):
            raise ArgumentError(
                f"the bounds of '{shown}' are {pair!r}, not (low, high); None for an open end"
            ) from None
        low[name] = -math.inf if least is None else to_float(least, f"a bound of '{shown}'")
        high[name] = math.inf if most is None else to_float(most, f"a bound of '{shown}'")
        if not low[name] < high[name]:
            raise ArgumentError(
                f"the bounds of '{shown}' leave nothing between {low[name]:g} and {high[name]:g}"
            )
    return ParameterBox(tuple(low.values()), tuple(high.values()))
