"""Descents over so many parameters that only arrays of them fit, and no path of theta is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any

from symgd._locks import cached_property
from symgd.analysis.diagnosis import find
from symgd.analysis.verdicts.sentences import tell
from symgd.backends.step_checks import VALUE_CHECKS, Stop
from symgd.descent.array_kernel import ArrayLineSearchKernel, array_kernel, norm_of
from symgd.descent.choose_backend import DescentTask
from symgd.descent.engine import Step
from symgd.descent.kernel import Run
from symgd.descent.methods import SolverKernel
from symgd.model.arguments import Arguments, resolve
from symgd.model.array_model import ArrayModel
from symgd.model.elements import element_names
from symgd.model.loss import Loss
from symgd.model.result import Best, History, Result, Status, Verdict

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from symgd.data import Table
    from symgd.model.loss_internals import LossInternals

    Floats = NDArray[np.float64]

LONG = 20_000  # parameters, from which on


_SHOWN = 3  # elements of each array that the history keeps,
_MOST_SHOWN = 12  # and of all of them


class LongRun(Run):
    """A run whose theta is one array that changes in place: no point but the last is kept.

    The history keeps loss, |g| and a few elements of theta. places: of these in theta.
    """

    places: Sequence[int] = ()

    @classmethod
    def of(cls, model: ArrayModel, theta: Floats, tol: float | None) -> LongRun:
        """The run from its start."""
        places = list(shown_elements(model).values())
        run = cls(x=theta, state=[], tol=tol, history=History(len(places)))
        run.places = places
        return run

    def record(self, loss: float, grad_norm: float, grad: list[float]) -> None:
        """Note loss and gradient at x, which are finite."""
        self.loss, self.grad = loss, grad
        self.last = (self.t, self.x, loss, grad)
        if loss < self.best_loss:
            self.best_loss, self.best_t = loss, self.t
        if self.t % self.history.stride == 0:
            self.history.append(self.shown, loss, grad_norm)

    @property
    def shown(self) -> list[float]:
        """The elements of theta that the history keeps."""
        return [float(self.x[k]) for k in self.places]


def shown_elements(model: ArrayModel) -> dict[str, int]:
    """The first elements of each parameter by name, and where they are in theta."""
    found: dict[str, int] = {}
    start = 0
    for name in model.params:
        elements = islice(element_names(name, model.shape(name)), _SHOWN)
        found |= {element: start + k for k, element in enumerate(elements)}
        start += math.prod(model.shape(name))
    return dict(islice(found.items(), _MOST_SHOWN))


@dataclass(frozen=True)
class Displayed:
    """What a report shows of the loss: columns for a few elements of theta, `params`."""

    loss: Loss
    params: tuple[str, ...]
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


class Recomputed(Mapping[str, Any]):
    """The start of a run, made anew whenever it is asked for: it is as long as the run's theta."""

    def __init__(self, params: Sequence[str], make: Callable[[], Mapping[str, Any]]) -> None:
        self.params, self.make = params, make

    def __getitem__(self, name: str) -> Any:
        return self.make()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.params)

    def __len__(self) -> int:
        return len(self.params)


def descend_long(
    loss: Loss,
    arguments: Arguments,
    start: Callable[[], Floats],
    callback: Callable[[Step], object] | None = None,
) -> Result:
    """The result of one run; theta, grad and start are arrays by name. start: makes the start."""
    values, model = resolve(arguments), loss.arrays
    assert model is not None
    task = DescentTask(loss, arguments, values)
    kernel = _kernel(task, start)
    run = LongRun.of(model, start(), arguments.tol)
    status, stop = _advance(model, kernel, run, arguments.steps, callback)
    end = _End(run, run.t, status, stop)
    if stop in (Stop.NONFINITE_LOSS, Stop.NONFINITE_STEP):
        cause = find(loss, run.x, run.t)
        end.cause = cause.sentence
        end.status = Status.DIVERGED if cause.overflow and run.t else Status.NONFINITE
    if stop is Stop.NONFINITE_LOSS and run.t:  # theta has changed: back to the point before
        end.steps = run.t - 1
        run = LongRun.of(model, start(), None)
        kernel.advance(run, end.steps)
    end.value, end.grad = kernel.gradient(run.x)
    if run.history.last_step() < end.steps:
        run.history.close(end.steps, run.shown, end.value, norm_of(end.grad))
    theta = model.nested(run.x)
    return Result(
        theta=theta,
        value=end.value,
        grad=model.nested(end.grad),
        steps=end.steps,
        status=end.found,
        message=end.message,
        history=run.history,
        best=Best(theta if run.best_t == end.steps else {}, run.best_loss, run.best_t),
        judge=cache(partial(_verdict, end)),
        loss=Displayed(loss, tuple(shown_elements(model))),
        rule=None if arguments.method else arguments.rule,
        lr=None if arguments.method else arguments.schedule.shown,
        start=Recomputed(model.params, lambda: model.nested(start())),  # type: ignore[arg-type]
        hyperparameters=values,
        method=getattr(kernel, "name", None),
    )


def _kernel(task: DescentTask, start: Callable[[], Floats]) -> Any:
    """What takes the steps, and evaluates loss and gradient by `gradient`."""
    arguments, loss = task.arguments, task.loss
    if arguments.method is None:
        auto = arguments.schedule.auto
        return ArrayLineSearchKernel.of(task) if auto else array_kernel(task, in_place=True)
    assert arguments.tol is not None
    kernel: Any = SolverKernel(arguments.method, loss, start(), arguments.tol)
    kernel.gradient = loss.functions.gradient
    return kernel


def _advance(
    model: ArrayModel,
    kernel: Any,
    run: Run,
    steps: int,
    callback: Callable[[Step], object] | None,
) -> tuple[Status | None, Stop | None]:
    try:
        while run.t < steps:
            stop = kernel.advance(run, 1 if callback else steps - run.t)
            if stop is not None:
                return None, stop
            if callback is not None and run.last is not None:
                t, x, value, grad = run.last
                if callback(Step(t, model.nested(x), value, norm_of(grad))):
                    return Status.STOPPED, None
        value, slope = kernel.gradient(run.x)
        return None, run.first_stop(VALUE_CHECKS, value, norm_of(slope), slope)
    except KeyboardInterrupt:
        return Status.INTERRUPTED, None


@dataclass
class _End:
    """How a run ended, after so many steps at a point of this value and gradient.

    cause: what was not finite.
    """

    run: Run
    steps: int
    status: Status | None
    stop: Stop | None
    value: float = math.nan
    grad: Any = None
    cause: str = ""

    @cached_property
    def slope(self) -> float:
        """max|g|."""
        return float(max(self.grad.max(), -self.grad.min()))

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
