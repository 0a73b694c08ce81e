"""The checked arguments of a fit: those of the model, and those of the method."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgd import names
from symgd.errors import ArgumentError
from symgd.formula.graph import Graph
from symgd.model.data_binding import RowData

Bounds = Mapping[str, tuple[float | None, float | None]]


@dataclass(frozen=True)
class Options:
    """The arguments of `fit` that concern the model.

    weight, sigma: formulas over the columns; weights multiply squared residuals, and sigma means
    weight 1/sigma**2. loss: a formula of the residual r. fixed: name -> number. tied: name ->
    formula of other parameters. bounds: name -> (low, high), None for no bound. backend, threads:
    as of RowData. named: the parameters named by the start.
    """

    weight: str | None = None
    sigma: str | None = None
    loss: str | None = None
    fixed: Mapping[str, float] | None = None
    tied: Mapping[str, str] | None = None
    bounds: Bounds | None = None
    drop_missing: bool = False
    backend: str = "auto"
    threads: int | None = None
    named: tuple[str, ...] = ()

    @property
    def parameter_names(self) -> list[str]:
        """Names given as parameters, which even pi and e are then."""
        given = [*(self.fixed or {}), *(self.tied or {}), *(self.bounds or {})]
        return [*given, *self.named]

    def read_rows(self, graph: Graph, opened: Any, columns: Sequence[str]) -> RowData:
        """The rows that are fitted, for nodes of `graph`."""
        return RowData.read(graph, opened, columns, self.drop_missing, self.backend, self.threads)


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
