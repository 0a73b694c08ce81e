"""Numbers and points from users, checked, or ArgumentError; numbers for JSON: finite or None."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any, TypeAlias

from symgd import names
from symgd._numpy import NDArray, np
from symgd.errors import ArgumentError

#: One number per parameter: by name, or in the order of the parameters.
Point: TypeAlias = "Mapping[str, float] | Sequence[float] | NDArray[np.float64] | float"


def to_float(value: Any, what: str, clause: str = "which is not a number") -> float:
    """The value as a float, or ArgumentError: `what` is `value`, `clause`."""
    try:
        return float(value)
    except OverflowError:  # an integer beyond the doubles
        return math.inf if value > 0 else -math.inf
    except (TypeError, ValueError):
        raise ArgumentError(f"{what} is {value!r}, {clause}") from None


def to_finite(value: Any, what: str, clause: str = "not a number") -> float:
    """The value as a finite float, or ArgumentError."""
    number = to_float(value, what, clause)
    if not math.isfinite(number):
        raise ArgumentError(f"{what} is {number}; it must be finite")
    return number


def to_count(value: Any, what: str, least: int) -> int:
    """The value as a whole number from `least` on, or ArgumentError."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < least:
        raise ArgumentError(f"{what} is {value!r}; it must be a whole number, {least} or more")
    return int(value)


def read_point(params: Sequence[str], theta: Point) -> list[float]:
    """theta as floats in the order of params, or ArgumentError."""
    if type(theta) is not dict and hasattr(theta, "tolist"):
        theta = theta.tolist()  # an array: its floats at once
    if type(theta) is list and [type(v) for v in theta] == [float] * len(params):
        return theta  # the fast path of optimizers
    if isinstance(theta, Mapping):
        given = {names.canonical(str(k)): v for k, v in theta.items()}
        for name in given:
            if name not in params:
                raise ArgumentError(names.unknown("the loss has no parameter", name, params))
        missing = [p for p in params if p not in given]
        if missing:
            raise ArgumentError(f"there is no value for parameter '{names.escape(missing[0])}'")
        return [_value(p, given[p]) for p in params]
    try:
        values = [theta] if isinstance(theta, (int, float)) else list(theta)
    except TypeError:
        raise ArgumentError(f"{theta!r} is not a point: give one number per parameter") from None
    if len(values) != len(params):
        listed = names.escape(", ".join(params)) or "none"
        raise ArgumentError(f"{len(values)} numbers for {len(params)} parameters ({listed})")
    return [_value(p, v) for p, v in zip(params, values, strict=True)]


def read_origin(params: Sequence[str], start: Point) -> list[float]:
    """The start of a descent: one number stands for all parameters."""
    if isinstance(start, float):
        return [start] * len(params)
    return read_point(params, start)


def _value(name: str, value: float) -> float:
    return to_float(value, f"the value of '{names.escape(name)}'")


def finite_or_none(value: Any) -> Any:
    """`value`, a number or data of any depth, with every inf and nan in it replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite_or_none(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_or_none(item) for item in value]
    return value
