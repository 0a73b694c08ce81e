"""Kernels: what advances a descent, chunk by chunk.

A kernel takes a `Run` forward by a number of steps and says why it stopped early, if it did. It
records what it sees on the way. The engine (`symgd.descent.engine`) owns the rest.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from symgd._numpy import np
from symgd.backends import lambdified
from symgd.backends.lambdified import ARITHMETIC_ERRORS
from symgd.backends.program import Program
from symgd.backends.step_checks import Check, Stop, select_checks
from symgd.model.history import History

_TAIL = 48  # how many of the last points the verdict looks at


@dataclass
class Run:
    """The state of a descent between chunks; the kernel changes it in place."""

    x: Any  # list[float], or one float64 array
    state: list[Any]
    tol: float | None
    history: History
    t: int = 0
    lr: float = 0.0  # the next trial of the line search; 0: not yet known
    restarted: int = 0  # the step at which the line search last cleared the rule's state
    loss: float = math.nan  # at x, once evaluated; so is grad
    grad: list[float] = field(default_factory=list)
    best_x: Any = field(default_factory=list)
    best_loss: float = math.inf
    best_t: int = 0
    tail: deque[tuple[int, Any]] = field(default_factory=lambda: deque(maxlen=_TAIL))
    has_loss: bool = True  # False: the loss is not known, and nan
    #: the last point where loss and gradient were finite, when x is not it
    last: tuple[int, Any, float, list[float]] | None = None

    def record(self, loss: float, grad_norm: float, grad: list[float]) -> None:
        """Note loss and gradient at x, which are finite."""
        t, x = self.t, self.x
        self.loss, self.grad = loss, grad
        self.last = (t, x, loss, grad)
        if loss < self.best_loss:  # before any call: Ctrl-C comes after one
            self.best_x, self.best_loss, self.best_t = x, loss, t
        if t % self.history.stride == 0:
            self.history.append(x, loss, grad_norm)
        self.tail.append((t, x))

    def rest_until(self, steps: int) -> None:
        """Go to the step of this number at once: every step before it leads to the same point."""
        assert self.last is not None
        _, x, loss, grad = self.last
        self.history.hold(steps, x, loss, norm_of(grad))
        self.tail.extend((t, x) for t in range(max(self.t, steps - _TAIL), steps))
        self.t = steps

    def to_lists(self) -> None:
        """Turn points that are arrays into lists of floats."""
        self.x, self.grad, self.best_x = map(_listed, (self.x, self.grad, self.best_x))
        if self.last is not None:
            t, x, loss, grad = self.last
            self.last = (t, _listed(x), loss, _listed(grad))
        for k, (t, x) in enumerate(self.tail):
            if not isinstance(x, list):
                self.tail[k] = (t, x.tolist())

    def small(self, grad_norm: float) -> bool:
        """Whether max|g| <= tol: the certificate of convergence."""
        if self.tol is None or grad_norm > self.tol * math.sqrt(len(self.x)):
            return False
        return largest_of(self.grad) <= self.tol

    def first_stop(
        self,
        rows: Iterable[Check],
        loss: float,
        grad_norm: float,
        grad: list[float],
        new: Any = None,
    ) -> Stop | None:
        """Make the checks of these rows; the reason to stop, if there is one.

        loss, grad_norm, grad: at x. new: the next x.
        """
        for row in rows:
            found = _TESTS[row.test](self, loss, grad_norm, grad, new)
            if row.stop is not None and found == row.stops_if:
                return row.stop
        return None


_TESTS: dict[str, Callable[[Run, float, float, list[float], Any], bool | None]] = {
    "value_is_finite": lambda run, loss, norm, grad, new: (
        (loss - loss == 0 or not run.has_loss) and norm - norm == 0
    ),
    "record": lambda run, loss, norm, grad, new: run.record(loss, norm, grad),
    "gradient_is_small": lambda run, loss, norm, grad, new: run.small(norm),
    "step_is_finite": lambda run, loss, norm, grad, new: finite(new),
    "step_is_zero": lambda run, loss, norm, grad, new: _equal(new, run.x),
}


class Kernel(Protocol):
    """Advances a run by up to `count` steps, or by as many as it takes at a time."""

    def advance(self, run: Run, count: int) -> Stop | None:
        """The reason why it made fewer steps, None where it did not."""


@dataclass
class StepKernel:
    """The compiled step of loss, rule and learning rate, called once per step from Python.

    program: (theta.., state.., t, tail..) -> (theta.., state.., loss, |g|, g..). tail: the values
    of lr (if it is a number) and of the hyperparameters. settles: the step depends on theta only,
    so a point that does not move never will. function: what runs the program, where it goes over
    rows of data.
    """

    program: Program
    count: int
    tail: tuple[float, ...]
    settles: bool
    function: Callable[..., list[float]] | None = None

    def __post_init__(self) -> None:
        self.function = self.function or lambdified.compile_scalar(self.program)
        self.states = len(self.program.inputs) - self.count - 1 - len(self.tail)

    def advance(self, run: Run, count: int) -> Stop | None:
        function, tail, params = self.function, self.tail, self.count
        assert function is not None
        end = params + self.states
        rows = select_checks(self.settles, run.tol is not None)
        for _ in range(count):
            t = run.t + 1
            try:
                out = function(*run.x, *run.state, t, *tail)
            except ARITHMETIC_ERRORS:
                inputs = [*run.x, *run.state, float(t), *tail]
                out = lambdified.evaluate(self.program, inputs)
            x = out[:params]
            stop = run.first_stop(rows, out[end], out[end + 1], out[end + 2 :], x)
            if stop is not None:
                return stop
            run.x, run.state, run.t = x, out[params:end], t
        return None


def _listed(x: Any) -> list[float]:
    return x if isinstance(x, list) else x.tolist()


class Ahead(NamedTuple):
    """What is known of a next point that is not there yet.

    finite: whether it is. same: whether it is the point before it.
    """

    finite: bool
    same: bool


def finite(x: Any) -> bool:
    """Whether every number is finite; one sum settles the usual case."""
    if isinstance(x, Ahead):
        return x.finite
    if not isinstance(x, list):
        return bool(np.isfinite(x).all())
    total = float(sum(x))
    return math.isfinite(total) or all(map(math.isfinite, x))


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, Ahead):
        return a.same
    return bool(a == b) if isinstance(a, list) else bool((a == b).all())


def largest_of(grad: Any) -> float:
    """max|g| of a list or an array."""
    if isinstance(grad, list):
        return max(map(abs, grad), default=0.0)
    return float(max(grad.max(), -grad.min()))


def norm_of(grad: Any) -> float:
    """The Euclidean norm of a list or an array, also where squares overflow or vanish."""
    if isinstance(grad, list):
        return math.hypot(*grad)
    with np.errstate(all="ignore"):
        return norm_of_array(grad)


def norm_of_array(grad: Any) -> float:
    """The same of an array; the caller silences NumPy's warnings."""
    norm = math.sqrt(float(grad.dot(grad)))
    if 1e-140 < norm < math.inf or not grad.size:
        return norm
    largest = float(max(grad.max(), -grad.min()))
    if not largest or not math.isfinite(largest):
        return largest
    return largest * math.sqrt(float(np.dot(grad / largest, grad / largest)))
