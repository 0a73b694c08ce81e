"""What sees the iterations of a fit: the callback, the progress bar, and who handles Ctrl-C."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from symgd._numpy import np
from symgd.descent.engine import Step
from symgd.model.progress_meter import Meter
from symgd.model.result import Status
from symgd.solvers.objectives import Vector

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
