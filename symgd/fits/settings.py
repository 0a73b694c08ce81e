"""The checked arguments of a fit that concern the method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgd import names
from symgd.errors import ArgumentError


@dataclass(frozen=True)
class Settings:
    """The method of a fit. start: parsed, but not yet matched with the parameters."""

    method: str
    steps: int | None
    lr: float | str | None
    batch: int | None
    seed: int
    absolute_sigma: bool
    start: float | dict[str, float] | list[float] | None


def place_start(
    point: float | dict[str, float] | list[float] | None, params: Sequence[str]
) -> dict[str, float]:
    """The given values of a start by name: all of them, some, or none."""
    if point is None:
        return {}
    if isinstance(point, float):
        return dict.fromkeys(params, point)
    if isinstance(point, list):
        if len(point) != len(params):
            listed = names.escape(", ".join(params))
            raise ArgumentError(f"{len(point)} numbers for {len(params)} parameters ({listed})")
        return dict(zip(params, point, strict=True))
    for name in point:
        if name not in params:
            hint = names.suggest(name, params) or f"it has {names.escape(', '.join(params))}"
            raise ArgumentError(f"the fit has no free parameter '{names.escape(name)}'; {hint}")
    return point
