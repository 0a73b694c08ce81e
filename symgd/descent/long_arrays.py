"""Descents over so many parameters that only arrays of them fit, and no path of theta is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from symgd.analysis.diagnosis import find
from symgd.analysis.verdicts.sentences import tell
from symgd.backends.step_checks import VALUE_CHECKS, Stop
from symgd.descent.array_kernel import ArrayLineSearchKernel, array_kernel
from symgd.descent.choose_backend import DescentTask
from symgd.descent.engine import Step
from symgd.descent.kernel import Kernel, Run
from symgd.model.arguments import Arguments, resolve
from symgd.model.loss import Loss
from symgd.model.result import Best, History, Result, Status, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from symgd.data import Table
    from symgd.model.loss_internals import LossInternals

    Floats = NDArray[np.float64]

LONG = 20_000  # parameters, from which on


class LossHistory(History):
    """Loss and |g| by step; theta is kept of the end only."""

    def __init__(self) -> None:
        super().__init__(0)

    def append(self, theta: Sequence[float], loss: float, grad_norm: float) -> None:
        """Record one row; theta is let go."""
        super().append((), loss, grad_norm)


class LongRun(Run):
    """A run whose theta is one array that changes in place: no point but the last is kept."""

    def record(self, loss: float, grad_norm: float, grad: list[float]) -> None:
        """Note loss and gradient at x, which are finite."""
        self.loss, self.grad = loss, grad
        self.last = (self.t, self.x, loss, grad)
        if loss < self.best_loss:
            self.best_loss, self.best_t = loss, self.t
        if self.t % self.history.stride == 0:
            self.history.append((), loss, grad_norm)


@dataclass(frozen=True)
class Displayed:
    """What a report shows of the loss: no column for each parameter."""

    loss: Loss
    params: tuple[str, ...] = ()
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        return self.loss.text

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the data."""
        return self.loss.columns

    @property
    def indexed(self) -> Loss:
        """The loss with its arrays."""
        return self.loss

    @property
    def table(self) -> Table | None:
        """The data."""
        return self.loss.table

    @property
    def internals(self) -> LossInternals:
        """What solvers ask the loss for."""
        return self.loss.internals

    def read_as(self, pretty: bool = True) -> str:
        """The formula in one line."""
        return self.loss.read_as(pretty)

    def gradient_text(self, limit: int = 2000) -> dict[str, str]:
        """The derivatives as formulas."""
        return self.loss.gradient_text(limit)


def descend_long(
    loss: Loss,
    arguments: Arguments,
    origin: Floats,
    callback: Callable[[Step], object] | None = None,
) -> Result:
    """The result of one run; theta, grad and start are arrays by name."""
    values = resolve(arguments)
    task = DescentTask(loss, arguments, values)
    auto = arguments.schedule.auto
    kernel: Kernel = ArrayLineSearchKernel.of(task) if auto else array_kernel(task, in_place=True)
    run = LongRun(x=origin.copy(), state=[], tol=arguments.tol, history=LossHistory())
    status, stop = _advance(loss, kernel, run, arguments.steps, callback)
    if run.last is None:  # not even the start has a value
        value, grad = loss.compiled(origin)  # type: ignore[arg-type]
        run.last = (0, origin, value, grad)  # type: ignore[assignment]
    assert run.last is not None
    t, x, value, grad = run.last  # type: ignore[assignment]
    if run.history.last_step() < t:
        run.history.close(t, (), value, float(_norm(grad)))
    end = _End(run, t, value, grad, stop, status)
    if stop in (Stop.NONFINITE_LOSS, Stop.NONFINITE_STEP):
        cause = find(loss, run.x, run.t)
        end.cause = cause.sentence
        end.status = Status.DIVERGED if cause.overflow and run.t else Status.NONFINITE
    model = loss.arrays
    assert model is not None
    return Result(
        theta=model.nested(x),
        value=value,
        grad=model.nested(grad),
        steps=t,
        status=end.found,
        message=end.message,
        history=run.history,
        best=Best(model.nested(x) if run.best_t == t else {}, run.best_loss, run.best_t),
        judge=cache(partial(_verdict, end)),
        loss=Displayed(loss),
        rule=arguments.rule,
        lr=arguments.schedule.shown,
        start=model.nested(origin),
        hyperparameters=values,
    )


def _advance(
    loss: Loss,
    kernel: Kernel,
    run: Run,
    steps: int,
    callback: Callable[[Step], object] | None,
) -> tuple[Status | None, Stop | None]:
    assert loss.arrays is not None
    try:
        while run.t < steps:
            stop = kernel.advance(run, 1 if callback else steps - run.t)
            if stop is not None:
                return None, stop
            if callback is not None and run.last is not None:
                t, x, value, grad = run.last
                if callback(Step(t, loss.arrays.nested(x), value, float(_norm(grad)))):
                    return Status.STOPPED, None
        value, slope = loss.compiled(run.x)
        return None, run.first_stop(VALUE_CHECKS, value, float(_norm(slope)), slope)  # type: ignore[arg-type]
    except KeyboardInterrupt:
        return Status.INTERRUPTED, None


def _norm(grad: Any) -> Any:
    import numpy as np

    return np.linalg.norm(grad)


@dataclass
class _End:
    """How a run ended. cause: what was not finite."""

    run: Run
    steps: int
    value: float
    grad: Any
    stop: Stop | None
    status: Status | None
    cause: str = ""

    @property
    def slope(self) -> float:
        """max|g|."""
        import numpy as np

        return float(np.abs(self.grad).max(initial=0.0))

    @property
    def first(self) -> float:
        """The loss at the start."""
        return self.run.history.loss_at(0) if len(self.run.history) else math.nan

    @property
    def found(self) -> Status:
        """The status."""
        if self.status is not None:
            return self.status
        if self.stop is Stop.CONVERGED:
            return Status.CONVERGED
        if self.stop in (Stop.STUCK, Stop.NO_DESCENT):
            return Status.STALLED
        if self.value > self.first and self._rises:
            return Status.DIVERGED
        return Status.COMPLETED if self.run.tol is None else Status.MAX_STEPS

    @property
    def _rises(self) -> bool:
        """Whether the loss rose in each of the last rows."""
        last = [row[2] for row in self.run.history.rows()][-8:]
        return all(b > a for a, b in pairwise(last))

    @property
    def message(self) -> str:
        """The sentence of the status."""
        slope, t, tol = self.slope, self.steps, self.run.tol
        match self.found:
            case Status.CONVERGED:
                return f"max|g| = {slope:.3g} <= tol = {tol:g} after {t} steps"
            case Status.COMPLETED:
                return f"all {t} steps were run"
            case Status.MAX_STEPS:
                return f"max|g| = {slope:.3g} is above tol = {tol:g} after {t} steps"
            case Status.DIVERGED if not self.cause:
                return "it runs away from where it started"
            case Status.DIVERGED | Status.NONFINITE:
                return f"{self.cause}; the last finite point is returned" if t else self.cause
            case Status.STALLED:
                return f"the step is too small to change theta; max|g| = {slope:.3g}"
            case Status.INTERRUPTED:
                return f"interrupted at step {self.run.t}; the last point is returned"
            case _:
                return f"stopped by the callback at step {t}"


def _verdict(end: _End) -> Verdict:
    """The outcome by loss and gradient: so many parameters have no certified minimum."""
    if end.cause and end.found is Status.NONFINITE:
        return Verdict(*tell("nonfinite", why=end.cause))
    if end.cause:
        return Verdict(*tell("overflow", why=end.cause))
    fields = {"first": end.first, "value": end.value, "slope": f"{end.slope:.3g}"}
    if end.found is Status.DIVERGED:
        return Verdict(*tell("rising", **fields, ever=""))
    if end.value > end.first:
        return Verdict(*tell("risen", **fields))
    if end.found is Status.CONVERGED:
        return Verdict(*tell("large", how=f"converged: max|g| = {fields['slope']}"))
    return Verdict(*tell("descending large", **fields, last=""))
