"""Numbers from users, checked: a float or ArgumentError. And numbers for JSON: finite or None."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from symgd.errors import ArgumentError


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


def finite_or_none(value: Any) -> Any:
    """`value`, a number or data of any depth, with every inf and nan in it replaced by None."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: finite_or_none(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite_or_none(item) for item in value]
    return value
