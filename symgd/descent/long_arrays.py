"""Descents over so many parameters that only arrays of them fit, and no path of theta is kept."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd.analysis.diagnosis import find
from symgd.backends.step_checks import Stop
from symgd.descent.array_kernel import array_batches, long_kernel, whole_box
from symgd.descent.choose_backend import DescentTask
from symgd.descent.engine import Heading, Step, engine, message_of, shown_values
from symgd.descent.kernel import Run, norm_of
from symgd.descent.long_verdict import LongEnd, falls_on, nearest, verdict
from symgd.descent.methods import SolverKernel
from symgd.descent.minibatches import Sampler
from symgd.descent.reported_iterate import reported
from symgd.errors import ArgumentError
from symgd.model.arguments import Arguments, resolve
from symgd.model.array_bounds import ArrayBounds
from symgd.model.array_internals import ArrayInternals
from symgd.model.array_model import ArrayModel
from symgd.model.bounds import BoundsByName
from symgd.model.elements import element_names
from symgd.model.history import History
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals
from symgd.model.result import Best, Result, Status
from symgd.model.rules import Rule

if TYPE_CHECKING:
    from symgd.data import Table

Floats: TypeAlias = "NDArray[np.float64]"

LONG = 20_000  # parameters, from which on


_SHOWN = 3  # elements of each array that the history keeps,
_MOST_SHOWN = 12  # and of all of them


class LongRun(Run):
    """A run whose theta is one array that changes in place: no point but the last is kept.

    The history keeps loss, |g| and a few elements of theta. places: of these in theta.
    """

    places: Sequence[int] = ()
    bounds: ArrayBounds | None = None

    @classmethod
    def of(
        cls,
        model: ArrayModel,
        theta: Floats,
        tol: float | None,
        bounds: ArrayBounds | None,
        history: History,
    ) -> LongRun:
        """The run from its start."""
        places = list(shown_elements(model).values())
        run = cls(x=theta, state=[], tol=tol, history=history)
        run.places, run.bounds = places, bounds
        return run

    def small(self, grad_norm: float) -> bool:
        """Whether max|g| <= tol, of the projected gradient."""
        if self.bounds is None or self.tol is None:
            return super().small(grad_norm)
        near = grad_norm <= self.tol * math.sqrt(len(self.x))
        return near and self.bounds.largest(self.x, np.asarray(self.grad)) <= self.tol

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
        return self.loss.columns

    @property
    def indexed(self) -> Loss:
        return self.loss

    @property
    def table(self) -> Table | None:
        return self.loss.table

    @property
    def internals(self) -> LossInternals:
        return self.loss.internals

    def read_as(self, pretty: bool = True) -> str:
        return self.loss.read_as(pretty)

    def gradient_text(self, limit: int = 2000) -> dict[str, str]:
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
    bounds: BoundsByName | None = None,
    drawn: Callable[[], Sampler] | None = None,
    kept: tuple[int | str | None, int | None] = (None, None),
) -> Result:
    """The result of one run; theta, grad and start are arrays by name.

    start: makes the start. drawn: makes what draws batches. kept: as of `run_once`.
    """
    values, model = resolve(arguments), loss.arrays
    assert model is not None
    box = _bounds(model, arguments.rule, values, bounds)
    task = DescentTask(loss, arguments, values)
    step = _kernel(task, box, start)
    inner = loss.internals
    assert isinstance(inner, ArrayInternals)
    whole = partial(_whole, step, inner, box)
    if arguments.schedule.held:
        raise ArgumentError(f"a learning rate of 0 is for {LONG:,} parameters at most: use bounds")
    if drawn is not None and arguments.schedule.auto:
        raise ArgumentError("the line search (lr auto) needs the whole data, not a batch of it")

    def origin() -> Floats:
        return start() if box is None else box.clip(start())

    def begin(tol: float | None) -> tuple[Any, LongRun]:
        kernel = step if drawn is None else array_batches(step, inner, drawn(), whole)
        history = History.of_run(list(shown_elements(model)), arguments.steps, *kept)
        return kernel, LongRun.of(model, origin(), tol, box, history)

    kernel, run = begin(arguments.tol)
    first = whole(run.x)[0] if drawn else None
    rule = None if arguments.method else arguments.rule
    lr = None if arguments.method else arguments.schedule.shown
    shown, used = Displayed(loss, tuple(shown_elements(model))), shown_values(values)
    heading = Heading(shown, rule, lr, used, getattr(kernel, "name", None))
    status, stop = engine(kernel, run, arguments.steps, callback, model.nested, whole, heading)
    end = LongEnd(run, run.t, status, stop, first)
    if stop in (Stop.NONFINITE_LOSS, Stop.NONFINITE_STEP):
        cause = find(loss, run.x, run.t)
        end.cause = cause.sentence
        end.status = Status.DIVERGED if cause.overflow and run.t else Status.NONFINITE
    if stop is Stop.NONFINITE_LOSS and run.t:  # theta has changed: back to the point before
        end.steps = run.t - 1
        kernel, run = begin(None)
        kernel.advance(run, end.steps)
    end.value, end.grad = whole(run.x)
    if run.history.last_step() < end.steps:
        run.history.close(end.steps, run.shown, end.value, norm_of(end.grad))
    point = run.x
    if arguments.rule.reported is not None and run.t and stop is None:
        point = reported(arguments.rule, run.x, run.state, values)
        point = point if box is None else box.clip(point)
        end.value, end.grad = whole(point)
    theta = model.nested(point)
    searched = None if box is not None or drawn is not None else loss
    found = partial(nearest, searched, point, rule, values)
    goes_on = partial(falls_on, searched, point, end.grad)
    return Result(
        theta=theta,
        value=end.value,
        grad=model.nested(end.grad),
        steps=end.steps,
        status=end.found,
        message=message_of(end.found, end.run, stop, end.slope, end.steps, end.cause),
        history=run.history,
        best=Best(theta if run.best_t == end.steps else {}, run.best_loss, run.best_t),
        judge=cache(partial(verdict, end, found, goes_on)),
        loss=shown,
        rule=rule,
        lr=lr,
        start=Recomputed(model.params, lambda: model.nested(origin())),  # type: ignore[arg-type]
        hyperparameters=used,
        method=heading.method,
    )


def _kernel(task: DescentTask, bounds: ArrayBounds | None, start: Callable[[], Floats]) -> Any:
    """What takes the steps."""
    arguments = task.arguments
    if arguments.method is None:
        return long_kernel(task, bounds)
    assert arguments.tol is not None
    box = None if bounds is None else whole_box(bounds)
    return SolverKernel(arguments.method, task.loss, start(), box, arguments.tol)


def _bounds(
    model: ArrayModel, rule: Rule, values: Mapping[str, float], given: BoundsByName | None
) -> ArrayBounds | None:
    """The bounds given and those of a rule that ends with box, if there are any."""
    of_rule = None if not values or rule.unboxed is rule else (values["lower"], values["upper"])
    found = ArrayBounds.of(model, given, of_rule)
    return None if found.are_open else found


def _whole(
    kernel: Any, inner: ArrayInternals, box: ArrayBounds | None, x: Floats
) -> tuple[float, Floats]:
    """Value and projected gradient over all data, in the array of the kernel where it has one."""
    out = inner.functions.bound(x, getattr(kernel, "out", None))
    return float(out[0]), out[1:] if box is None else box.project(x, out[1:])
