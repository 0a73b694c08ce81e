"""The steps of a descent over whole arrays: a gradient of arrays, and the rule in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd.analysis.minima import solver_box
from symgd.backends.bound_nests import BoundFunction
from symgd.backends.dispatch import compiled
from symgd.backends.program import Program
from symgd.backends.step_checks import DECREASE, NOISE, TURN, Stop, select_checks
from symgd.descent.array_rule import ArrayRule
from symgd.descent.choose_backend import DescentTask
from symgd.descent.kernel import Ahead, Run, norm_of
from symgd.descent.line_search import LineSearchKernel
from symgd.descent.minibatches import BatchKernel, Sampler
from symgd.descent.step_program import settles
from symgd.model.array_bounds import ArrayBounds, Interval
from symgd.model.array_internals import ArrayInternals
from symgd.solvers.objectives import Box

Floats: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True)
class ArrayEvaluator:
    """What a rule asks of a loss of arrays (`symgd.descent.array_rule.Evaluator`)."""

    internals: Any

    def loss(self, x: Floats, point: Floats) -> float:
        """The loss at a point."""
        return float(self.internals.compiled(self._whole(x, point))[0])

    def grad(self, x: Floats, point: Floats) -> Floats:
        """The gradient at a point."""
        return self.internals.compiled(self._whole(x, point))[1].copy()  # type: ignore[no-any-return]

    def product(self, x: Floats, v: Floats) -> Floats:
        """The Hessian at x times v."""
        return self.internals.product(x, self._whole(x, v))  # type: ignore[no-any-return]

    @staticmethod
    def _whole(x: Floats, point: Any) -> Floats:
        """The point as an array, where it is one number for all parameters."""
        return np.broadcast_to(point, x.shape).astype(np.float64)


def array_rule(task: DescentTask) -> ArrayRule:
    """The rule of a descent over arrays."""
    model = task.loss.arrays
    sizes = dict.fromkeys(task.loss.params, 1)
    if model is not None:
        sizes = {name: math.prod(model.shape(name)) for name in model.params}
    return ArrayRule(task.arguments, task.values, sizes)


@dataclass
class ArrayStepKernel:
    """The steps of a loss whose value and gradient are functions of one array.

    gradient: (P,) -> (value, (P,)). rule, step: as of `ArrayRule`. settles: the step depends on
    theta only. box: of theta. The states of a run are one array.
    """

    gradient: Callable[[Any], tuple[float, Floats]]
    rule: ArrayRule
    step: Callable[..., list[Any]]
    settles: bool
    box: Box | None = None

    @classmethod
    def of(cls, task: DescentTask) -> ArrayStepKernel:
        """The kernel of a descent on a loss with arrays."""
        rule, inner = array_rule(task), task.loss.internals
        step = rule.compiled(ArrayEvaluator(inner))
        return cls(inner.compiled, rule, step, settles(task.arguments), solver_box(task.loss))

    def see(self, function: BoundFunction) -> None:
        """Take the next steps on this loss, x -> [value, gradient..]."""

        def gradient(x: Any) -> tuple[float, Floats]:
            out = function(x)
            return float(out[0]), out[1:]

        self.gradient = gradient

    def advance(self, run: Run, count: int) -> Stop | None:
        rows = select_checks(self.settles, run.tol is not None)
        x = np.asarray(run.x, dtype=np.float64)
        state = self.rule.split(initial_state(self.rule, run.state))
        try:
            for _ in range(count):
                value, grad = self.gradient(x)
                with np.errstate(all="ignore"):
                    new, *after = self.step(x, grad, state, float(run.t + 1), None, value)
                    if self.box is not None:
                        new, grad = self.box.clip(new), self.box.projected(x, grad)
                    norm = norm_of(grad)
                run.x = x
                stop = run.first_stop(rows, value, norm, grad, new)  # type: ignore[arg-type]
                if stop is not None:
                    return stop
                x, state, run.t = new, after, run.t + 1
        finally:
            run.x, run.state = x, self.rule.joined(state)  # type: ignore[assignment]
        return None


def initial_state(rule: ArrayRule, state: Any) -> Floats:
    """The states as one array; zeros before the first step."""
    return np.asarray(state if len(state) else rule.joined([0.0] * len(rule.rule.state)), float)


def long_kernel(
    task: DescentTask, bounds: ArrayBounds | None
) -> ArrayStepKernel | ArrayLineSearchKernel | InPlaceKernel:
    """The kernel of a descent whose theta may change in place, by machine code if there is some."""
    arguments = task.arguments
    rule = array_rule(task)
    plain = rule.plain and not (rule.rule.together or rule.rule.reported)
    kernel: ArrayStepKernel | ArrayLineSearchKernel | InPlaceKernel | None = None
    if arguments.schedule.auto:
        kernel = ArrayLineSearchKernel.of(task)
    elif plain:
        kernel = compiled(lambda: InPlaceKernel(task, rule.program, bounds))
    kernel = kernel or ArrayStepKernel.of(task)
    if bounds is not None and not isinstance(kernel, InPlaceKernel):
        kernel.box = whole_box(bounds)
    return kernel


def whole_box(bounds: ArrayBounds) -> Box:
    """The bounds, one by one."""
    sizes = [one.beyond - one.first for one in bounds.intervals]
    low, high = ([getattr(one, end) for one in bounds.intervals] for end in ("low", "high"))
    return Box(np.repeat(low, sizes), np.repeat(high, sizes))


def array_batches(
    step: Any,
    inner: ArrayInternals,
    sampler: Sampler,
    whole: Callable[[Any], tuple[float, Any]],
) -> BatchKernel:
    """The kernel that steps on batches. step: an array kernel. whole: as of `BatchKernel`."""
    bound: dict[int, Any] = {}
    step.settles = False

    def see(rows: Mapping[str, Any]) -> None:
        step.see(inner.functions.on(rows, bound))

    return BatchKernel(step, see, sampler, whole)


class ArrayLineSearchKernel(LineSearchKernel):
    """The line search over whole arrays; the states of the rule are one array."""

    @classmethod
    def of(cls, task: DescentTask) -> ArrayLineSearchKernel:
        """The kernel of a descent on a loss with arrays."""
        rule, inner = array_rule(task), task.loss.internals
        step = rule.compiled(ArrayEvaluator(inner))
        made = cls(sum(rule.rule.widths(rule.count)), rule.count, (), inner.evaluate_value, step)
        made.gradient, made.rule, made.box = inner.compiled, rule, solver_box(task.loss)
        return made

    gradient: Callable[[Any], tuple[float, Floats]]
    rule: ArrayRule
    box: Box | None

    def _step(self, run: Run) -> Any:
        x = np.asarray(run.x, dtype=np.float64)
        states = self.rule.split(initial_state(self.rule, run.state))
        value, grad = self.gradient(x)
        with np.errstate(all="ignore"):
            t = float(run.t + 1 - run.restarted)
            step: list[Any] = self.call(x, grad, states, t, run.lr, value)
            new, *after = step
            if self.box is not None:
                new, grad = self.box.clip(new), self.box.projected(x, grad)
            return np.concatenate([new, self.rule.joined(after), [value, norm_of(grad)], grad])

    def _accepts(self, run: Run, out: Any) -> bool:
        x = out[: self.count]
        moves = x - np.asarray(run.x)
        slope = float(np.dot(run.grad, moves))
        loss, grad = self.gradient(x)
        self.uphill |= slope >= 0
        if slope >= 0:
            return loss < run.loss
        room = NOISE * abs(run.loss)
        if self.uphill or -slope > room:
            return loss <= run.loss + DECREASE * slope
        slopes = grad if self.box is None else self.box.projected(x, grad)
        return bool(loss <= run.loss + room and np.dot(slopes, moves) <= -TURN * slope)


class InPlaceKernel:
    """The steps of `ArrayStepKernel` in machine code: theta and state are one array each.

    A step that would not be finite is not taken.
    """

    def __init__(self, task: DescentTask, rule: Program, bounds: ArrayBounds | None) -> None:
        from symgd.backends.native.rule_arrays import compile_rule

        arguments = task.arguments
        inner = task.loss.internals
        assert isinstance(inner, ArrayInternals)
        self.function = inner.functions.bound
        self.states, self.settles = len(arguments.rule.state), settles(arguments)
        whole = Interval(0, _count(task))
        self.intervals = (whole,) if bounds is None else bounds.intervals
        self.scalars = np.array([0.0, *task.tail, 0.0, 0.0])
        self.module = compile_rule(rule, self.states, bounds is not None)
        self.found, self.places = np.zeros(3), np.array([_count(task), 0, 0])
        self.out = np.empty(1 + _count(task))  # [loss, gradient..], anew in each step

    def gradient(self, x: Floats) -> tuple[float, Floats]:
        """(value, gradient) at x; the gradient holds until the next call."""
        self.function(x, self.out)
        return float(self.out[0]), self.out[1:]

    def advance(self, run: Run, count: int) -> Stop | None:
        rows = select_checks(self.settles, run.tol is not None)
        x = run.x
        if not len(run.state):
            run.state = [np.zeros(self.states * len(x))]
        [state] = run.state
        for _ in range(count):
            value, grad = self.gradient(x)
            self.scalars[0] = run.t + 1
            self.found[:] = 0
            self._for_intervals("look", x, grad, state)
            squares, zero, moved = self.found.tolist()
            norm = math.sqrt(squares) if 1e-280 < squares < 1e300 else norm_of(grad)
            ahead = Ahead(zero == 0, not moved)
            stop = run.first_stop(rows, value, norm, grad, ahead)  # type: ignore[arg-type]
            if stop is not None:
                return stop
            self._for_intervals("step", x, grad, state)
            run.t += 1
        return None

    def see(self, function: BoundFunction) -> None:
        """Take the next steps on this loss, x -> [value, gradient..]."""
        self.function = function

    def _for_intervals(self, name: str, x: Floats, grad: Floats, state: Floats) -> None:
        function = self.module.function(name, 6)
        used = (x, grad, state, self.scalars, self.places, self.found)
        for one in self.intervals:
            self.places[1:] = one.first, one.beyond
            self.scalars[-2:] = one.low, one.high
            function(*(a.ctypes.data for a in used))


def _count(task: DescentTask) -> int:
    """How many numbers theta is."""
    model = task.loss.arrays
    return len(task.loss.params) if model is None else model.count
