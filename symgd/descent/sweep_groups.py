"""Runs the descents of a sweep that one kernel can run, in machine code or one by one."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.analysis import diagnosis
from symgd.backends.dispatch import AUTO, compiled, may_compile
from symgd.backends.step_checks import RUNNING, Stop
from symgd.descent.loss_argument import within
from symgd.descent.step_program import is_large, settles, step_program
from symgd.descent.sweep_axes import Grid
from symgd.model.arguments import Arguments, resolve
from symgd.model.loss import Loss
from symgd.model.result import Result, Status

if TYPE_CHECKING:
    from symgd.descent.native_sweep import LanesKernel, Outcome

_FAR = 100  # a descent that moved less than this, and down, has not run away


@dataclass(frozen=True)
class Part:
    """The descents of one rule and one kind of learning rate: what one kernel runs."""

    grid: Grid
    place: int
    rates: range

    @cached_property
    def arguments(self) -> Arguments:
        """What they all were given."""
        return self.grid.arguments(self.place, self.rates)

    @cached_property
    def values(self) -> dict[str, float]:
        """Hyperparameters and constants that they share, by name."""
        return resolve(self.arguments)

    @cached_property
    def loss(self) -> Loss:
        """The loss in the bounds of the grid and of the rule."""
        return within(self.grid.loss, None, self.arguments.rule, self.values)

    @property
    def indices(self) -> slice:
        """Where they are in the sweep: the grid is laid out rule by rule, rate by rate."""
        rest = len(self.grid.starts) * math.prod(map(len, self.grid.hyper.values()))
        first = self.place * len(self.grid.rates)
        return slice((first + self.rates.start) * rest, (first + self.rates.stop) * rest)

    def columns(self) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
        """The start and the values by name of each descent."""
        grid = self.grid
        rates = grid.rates[self.rates.start : self.rates.stop]
        written = isinstance(rates[0], str)  # a number by itself, or a formula, which has no value
        own = [self.arguments.schedule.value or 0.0] if written else rates
        axes = [
            np.asarray(own, dtype=np.float64),
            np.arange(len(grid.starts)),
            *(np.array(v) for v in grid.hyper.values()),
        ]
        lr, which, *hyper = _mesh(axes)
        if len(grid.starts) == 1:
            start = np.broadcast_to(grid.starts, (len(lr), grid.starts.shape[1]))
        else:
            start = grid.starts[which]
        return start, {"lr": lr, **dict(zip(grid.hyper, hyper, strict=True))}


def _mesh(axes: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
    """Each axis at every point of the grid, the last changing fastest; views where they will do."""
    count = math.prod(map(len, axes))
    mesh, before = [], 1
    for axis in axes:
        after = count // (before * len(axis))
        if len(axis) == 1:
            mesh.append(np.broadcast_to(axis, count))
        else:
            mesh.append(axis if len(axis) == count else np.tile(np.repeat(axis, after), before))
        before *= len(axis)
    return mesh


class Ends:
    """Where N descents of P parameters ended; see the properties of `symgd.descent.sweep.Sweep`."""

    def __init__(self, count: int, params: int) -> None:
        self.theta: NDArray[np.float64] = np.empty((count, params))
        self.value: NDArray[np.float64] = np.empty(count)
        self.grad_norm: NDArray[np.float64] = np.empty(count)
        self.steps: NDArray[np.int64] = np.zeros(count, dtype=np.int64)
        self.lost: NDArray[np.bool_] = np.zeros(count, dtype=bool)

    def take(self, place: slice, outcome: Outcome, lost: NDArray[np.bool_]) -> None:
        """Those of one kernel; without a copy where they are all."""
        found = (outcome.theta, outcome.value, outcome.grad_norm, outcome.steps, lost)
        if len(lost) == len(self.value):
            self.theta, self.value, self.grad_norm, self.steps, self.lost = found
            return
        stored = (self.theta, self.value, self.grad_norm, self.steps, self.lost)
        for array, part in zip(stored, found, strict=True):
            array[place] = part


def run_part(
    ends: Ends, single: Callable[[int], Result], part: Part, threads: int | None
) -> QuickStatus | None:
    """Run the descents of one part; returns what computes their status without a Result each.

    single: one descent of the sweep by itself, where no kernel can run the part.
    """
    kernel = None
    schedule, rule = part.arguments.schedule, part.arguments.rule
    alone = schedule.auto or schedule.held or rule.reported is not None
    if may_compile(part.grid.backend) and not alone:
        kernel = _kernel(part)
    if kernel is None:
        for k in range(len(ends.value))[part.indices]:
            result = single(k)
            ends.theta[k], ends.value[k] = result.x, result.value
            ends.grad_norm[k], ends.steps[k] = result.grad_norm, result.steps
            ends.lost[k] = result.lost
        return None
    lanes, labels, own = kernel
    values = part.values
    start, columns = part.columns()
    outcome = lanes.run(
        start,
        {k: columns[n] for k, n in enumerate(labels) if own[k]},
        [columns[n][0] if n == "lr" else values[n] for k, n in enumerate(labels) if not own[k]],
        part.grid.steps,
        part.grid.tol,
        threads,
    )
    code = outcome.code
    lost = (code == Stop.NONFINITE_LOSS) | (code == Stop.NONFINITE_STEP)
    ends.take(part.indices, outcome, lost)
    return QuickStatus(part, outcome, start)


def _kernel(part: Part) -> tuple[LanesKernel, list[str], list[bool]] | None:
    """The compiled kernel, the names of its tail values, and which of them differ; None: Python."""
    grid, arguments = part.grid, part.arguments
    labels = list(part.values)
    if grid.loss.internals.rows is not None or is_large(grid.loss, arguments.rule):
        return None
    ends = ("lower", "upper") if arguments.rule.unboxed is not arguments.rule else ()
    if any(len(grid.hyper.get(n, ())) > 1 for n in ends):
        return None  # each has a box of its own
    named = list(labels)
    if arguments.schedule.value is not None:
        labels = ["lr", *labels]
    own = [len(part.rates) > 1 if n == "lr" else len(grid.hyper.get(n, ())) > 1 for n in labels]

    def make() -> LanesKernel:
        from symgd.backends.native.jit import remembered
        from symgd.descent.native_sweep import LanesKernel

        program = step_program(part.loss, arguments.rule, arguments.schedule, named)
        settled, count, has_tol = settles(arguments), len(grid.loss.params), grid.tol is not None
        key = ("lanes", program.key, count, *own, settled, has_tol)  # the same text, read again
        return remembered(key, lambda: LanesKernel(program, count, own, settled, has_tol))

    def kept() -> tuple[Loss, LanesKernel]:
        from symgd.backends.native.jit import remembered

        box, has_tol = part.loss.internals.box, grid.tol is not None
        key = ("sweep", id(grid.loss), box, arguments.rule.text, str(rate), *own, has_tol)
        return remembered(key, lambda: (grid.loss, make()))  # as long as the loss keeps its id

    rate = None if arguments.schedule.takes_number else arguments.schedule.text
    kernel = compiled(kept, requested=grid.backend != AUTO)
    return None if kernel is None else (kernel[1], labels, own)


@dataclass(frozen=True)
class QuickStatus:
    """The status of the descents of one part, where it needs no full Result."""

    part: Part
    outcome: Outcome
    start: NDArray[np.float64]

    @property
    def indices(self) -> range:
        """The descents of the sweep that it covers."""
        place = self.part.indices
        return range(place.start, place.stop)

    def __call__(self, k: int) -> Status | None:
        at = k - self.indices.start
        loss, outcome = self.part.grid.loss, self.outcome
        code, steps = int(outcome.code[at]), int(outcome.steps[at])
        if code == Stop.NONFINITE_LOSS and steps:
            found = diagnosis.find(loss, outcome.beyond[at].tolist(), steps + 1)
            return Status.DIVERGED if found.overflow else Status.NONFINITE
        if code == RUNNING and steps > 4 and self._calm(at):
            return Status.COMPLETED if self.part.grid.tol is None else Status.MAX_STEPS
        return None

    def _calm(self, at: int) -> bool:
        """Whether it neither ran away nor stands still: all steps were run, and that is all."""
        start, theta = self.start[at], self.outcome.theta[at]
        with np.errstate(over="ignore"):  # from -1e308 to 1e308 it is infinitely far
            far = np.abs(theta - start).max() > _FAR * (1 + np.abs(start).max())
        slope = self.outcome.grad_norm[at]
        return not far and slope > 0 and self.outcome.value[at] <= self.first[at]

    @cached_property
    def first(self) -> NDArray[np.float64]:
        """The loss at each start."""
        rows, back = np.unique(self.start, axis=0, return_inverse=True)
        losses = [self.part.grid.loss.internals.evaluate_value(*row)[0] for row in rows.tolist()]
        return np.array(losses)[back.reshape(-1)]
