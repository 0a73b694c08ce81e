"""The checked arguments of a fit, and what sees its iterations: callback, bar, Ctrl-C."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from symgd import names
from symgd._numpy import np
from symgd.descent.engine import Step
from symgd.errors import ArgumentError
from symgd.formula.graph import Graph
from symgd.model.arguments import read_start
from symgd.model.array_model import ArrayModel
from symgd.model.array_options import ArrayOptions
from symgd.model.bounds import BoundsByName
from symgd.model.checks import read_origin
from symgd.model.data_binding import RowData, read_columns
from symgd.model.progress_meter import Meter
from symgd.model.result import Status
from symgd.solvers.objectives import Vector

Value = TypeVar("Value")


@dataclass(frozen=True)
class Options:
    """The checked arguments of `symgd.fits.fit.fit`, which tells what they are.

    start: as it was given, and by `with_start` as numbers, not yet matched with the parameters.
    """

    weight: str | None
    sigma: str | None
    loss: str | None
    fixed: Mapping[str, float]
    tied: Mapping[str, str]
    bounds: BoundsByName
    drop_missing: bool
    backend: str
    threads: int | None
    method: str
    steps: int | None
    lr: float | str | None
    batch: int | None
    seed: int
    absolute_sigma: bool
    start: Any
    arrays: ArrayOptions = field(default_factory=ArrayOptions)
    family: str | None = None
    derived: Mapping[str, str] = field(default_factory=dict)

    @property
    def by_rule(self) -> bool:
        """Whether a descent rule minimizes, and no solver."""
        return self.method not in ("lm", "newton")

    @property
    def parameter_names(self) -> list[str]:
        """Names given as parameters, which even pi and e are then."""
        named = self.start if isinstance(self.start, dict) else ()
        every = [*self.fixed, *self.tied, *self.bounds, *named]
        return [name for name in every if "[" not in name]  # elements are no names

    def with_start(self, arrays: ArrayModel | None) -> Options:
        """The same with a start of the elements of these arrays."""
        if self.start is None:
            return self
        if arrays is None:
            return replace(self, start=read_start(self.start)[0])
        from symgd.model.array_start import array_origin

        values = array_origin(arrays, self.start, self.seed, math.nan).tolist()
        found = {leaf.text: v for leaf, v in zip(arrays.leaves, values, strict=True)}
        held = {*map(names.canonical, (*self.fixed, *self.tied))}
        known = {e: v for e, v in found.items() if not math.isnan(v) and e not in held}
        return replace(self, start=known)

    def read_rows(self, graph: Graph, opened: Any, columns: Sequence[str]) -> RowData:
        """The rows that are fitted, for nodes of `graph`."""
        table = read_columns(opened, columns, self.drop_missing)
        return RowData(graph, table, backend=self.backend, threads=self.threads)


def by_name(what: str, given: Mapping[str, Value] | None) -> Mapping[str, Value]:
    """A mapping of names, empty where none is given, or ArgumentError."""
    if given is None:
        return {}
    if not (isinstance(given, Mapping) and all(isinstance(name, str) for name in given)):
        raise ArgumentError(f"{what} goes by names, as in {{'a': ...}}")
    return given


def place_start(
    point: float | dict[str, float] | list[float] | None, params: Sequence[str]
) -> dict[str, float]:
    """The given values of a start by name: all of them, some, or none."""
    if point is None:
        return {}
    if not isinstance(point, dict):
        return dict(zip(params, read_origin(params, point), strict=True))
    for name in point:
        if name not in params:
            raise ArgumentError(names.unknown("the fit has no free parameter", name, params))
    return point


Callback = Callable[[Step], object]

_callback: ContextVar[Callback | None] = ContextVar("callback", default=None)


class StoppedError(Exception):
    """The callback asked for the end."""


class Iterations:
    """Called by a solver after each iteration; it keeps the last point. names: of the parameters.

    Raises StoppedError where the callback returns a true value.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.x: Vector | None = None
        self.step, self._names, self._callback = 0, names, _callback.get()
        self._meter = Meter(0, "iterations")

    def __call__(self, step: int, x: Sequence[float] | Vector, value: float) -> None:
        self.x, self.step = np.array(x), step
        self._meter.tell(step, f"loss {value:.6g}")
        if self._callback is None:
            return
        theta = dict(zip(self._names, self.x.tolist(), strict=True))
        if self._callback(Step(step, theta, value, math.nan)):
            raise StoppedError

    def ended(self, error: BaseException) -> tuple[Status, str]:
        """The status and its sentence after Ctrl-C or StoppedError."""
        if isinstance(error, StoppedError):
            return Status.STOPPED, f"stopped by the callback at step {self.step}"
        left = "the point of that step is shown, which is no minimum"
        return Status.INTERRUPTED, f"interrupted at step {self.step}; {left}"


@contextmanager
def watching(callback: Callback | None) -> Iterator[None]:
    """Inside, fits of this thread call the callback."""
    token = _callback.set(callback)
    try:
        yield
    finally:
        _callback.reset(token)


def rule_callback() -> Callback | None:
    """The callback, for a descent that calls it itself."""
    return _callback.get()
