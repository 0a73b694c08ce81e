"""The steps of a descent over whole arrays: a gradient of arrays, and the rule in NumPy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd.analysis.minima import solver_box
from symgd.backends.dispatch import compiled
from symgd.backends.lambdified import compile_array
from symgd.backends.program import Program
from symgd.backends.step_checks import Stop, select_checks
from symgd.descent.choose_backend import DescentTask
from symgd.descent.kernel import Ahead, LineSearchKernel, Run, norm_of
from symgd.descent.step_program import rule_program, settles
from symgd.model.array_internals import ArrayInternals
from symgd.solvers.objectives import Box

Floats: TypeAlias = "NDArray[np.float64]"


@dataclass
class ArrayStepKernel:
    """The steps of a loss whose value and gradient are functions of one array.

    gradient: (P,) -> (value, (P,)). step: (theta, gradient, state.., t, tail..) -> (theta,
    state..), arrays. tail: the values of lr, if it is a number, and of the hyperparameters.
    states: how many arrays the rule keeps. settles: the step depends on theta only. box: of theta.
    """

    gradient: Callable[[Any], tuple[float, Floats]]
    step: Callable[..., list[Any]]
    tail: tuple[float, ...]
    states: int
    settles: bool
    box: Box | None = None

    @classmethod
    def of(cls, task: DescentTask) -> ArrayStepKernel:
        """The kernel of a descent on a loss with arrays."""
        arguments = task.arguments
        program = rule_program(arguments.rule, arguments, task.values)
        states = len(arguments.rule.state)
        gradient, box = task.loss.internals.compiled, solver_box(task.loss)
        step = compile_array(program)
        return cls(gradient, step, task.tail, states, settles(arguments), box)

    def advance(self, run: Run, count: int) -> Stop | None:
        """`count` steps, or fewer and the reason."""
        rows = select_checks(self.settles, run.tol is not None)
        x = np.asarray(run.x, dtype=np.float64)
        state = list(np.asarray(run.state, dtype=np.float64).reshape(-1, len(x)))
        state = state or [np.zeros(len(x))] * self.states
        try:
            for _ in range(count):
                value, grad = self.gradient(x)
                with np.errstate(all="ignore"):
                    new, *after = self.step(x, grad, *state, float(run.t + 1), *self.tail)
                    if self.box is not None:
                        new, grad = self.box.clip(new), self.box.projected(x, grad)
                    norm = norm_of(grad)
                run.x = x
                stop = run.first_stop(rows, value, norm, grad, new)  # type: ignore[arg-type]
                if stop is not None:
                    return stop
                x, state, run.t = new, after, run.t + 1
        finally:
            run.x, run.state = x, state
        return None


def array_kernel(task: DescentTask, in_place: bool = False) -> ArrayStepKernel | InPlaceKernel:
    """The kernel of a descent on a loss with arrays.

    in_place: theta may change in place, by machine code where there is some.
    """
    arguments = task.arguments
    program = rule_program(arguments.rule, arguments, task.values)
    plain = all(operation.name != "norm" for operation in program.body)
    found = compiled(lambda: InPlaceKernel(task, program)) if in_place and plain else None
    return found or ArrayStepKernel.of(task)


class ArrayLineSearchKernel(LineSearchKernel):
    """The line search over whole arrays; the states of the rule are one array."""

    @classmethod
    def of(cls, task: DescentTask) -> ArrayLineSearchKernel:
        """The kernel of a descent on a loss with arrays."""
        arguments, inner = task.arguments, task.loss.internals
        step = compile_array(rule_program(arguments.rule, arguments, task.values))
        count, states = _count(task), len(arguments.rule.state)
        made = cls(states * count, count, task.tail, inner.evaluate_value, step)
        made.gradient, made.box = inner.compiled, solver_box(task.loss)
        return made

    gradient: Callable[[Any], tuple[float, Floats]]
    box: Box | None

    def _step(self, run: Run) -> Any:
        x = np.asarray(run.x, dtype=np.float64)
        state = run.state if len(run.state) else np.zeros(self.states)
        states = np.asarray(state, dtype=np.float64).reshape(-1, self.count)
        value, grad = self.gradient(x)
        with np.errstate(all="ignore"):
            t = float(run.t + 1 - run.restarted)
            after: list[Any] = list(self.call(x, grad, *states, t, run.lr, *self.tail))
            if self.box is not None:
                after[0], grad = self.box.clip(after[0]), self.box.projected(x, grad)
            return np.concatenate([*after, [value, norm_of(grad)], grad])

    def _accepts(self, run: Run, x: Any) -> bool:
        slope = float(np.dot(run.grad, x - np.asarray(run.x)))
        limit = run.loss if slope >= 0 else run.loss + self.decrease * slope
        value = self.gradient(x)[0]
        return bool(value < limit if slope >= 0 else value <= limit)


class InPlaceKernel:
    """The steps of `ArrayStepKernel` in machine code: theta and state are one array each.

    A step that would not be finite is not taken.
    """

    def __init__(self, task: DescentTask, rule: Program) -> None:
        from symgd.backends.native.rule_arrays import compile_rule

        arguments = task.arguments
        inner = task.loss.internals
        assert isinstance(inner, ArrayInternals)
        self.function = inner.functions.bound
        self.states, self.settles = len(arguments.rule.state), settles(arguments)
        self.scalars = np.array([0.0, *task.tail])
        self.module = compile_rule(rule, self.states)
        self.found, self.length = np.zeros(3), np.array([_count(task)])
        self.out = np.empty(1 + _count(task))  # [loss, gradient..], anew in each step

    def gradient(self, x: Floats) -> tuple[float, Floats]:
        """(value, gradient) at x; the gradient holds until the next call."""
        self.function(x, self.out)
        return float(self.out[0]), self.out[1:]

    def advance(self, run: Run, count: int) -> Stop | None:
        """`count` steps, or fewer and the reason."""
        look, step = (self.module.function(name, 6) for name in ("look", "step"))
        rows = select_checks(self.settles, run.tol is not None)
        x = run.x
        if not len(run.state):
            run.state = [np.zeros(self.states * len(x))]
        [state] = run.state
        for _ in range(count):
            value, grad = self.gradient(x)
            self.scalars[0] = run.t + 1
            used = (x, grad, state, self.scalars, self.length, self.found)
            addresses = [a.ctypes.data for a in used]
            look(*addresses)
            squares, zero, moved = self.found.tolist()
            norm = math.sqrt(squares) if 1e-280 < squares < 1e300 else norm_of(grad)
            ahead = Ahead(zero == 0, not moved)
            stop = run.first_stop(rows, value, norm, grad, ahead)  # type: ignore[arg-type]
            if stop is not None:
                return stop
            step(*addresses)
            run.t += 1
        return None


def _count(task: DescentTask) -> int:
    """How many numbers theta is."""
    model = task.loss.arrays
    return len(task.loss.params) if model is None else model.count
