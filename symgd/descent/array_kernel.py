"""The steps of a descent over whole arrays: a gradient of arrays, and the rule in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgd.backends.lambdified import compile_array
from symgd.backends.step_checks import Stop, select_checks
from symgd.descent.kernel import LineSearchKernel, Run
from symgd.descent.step_program import rule_program, settles

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from symgd.descent.choose_backend import DescentTask

    Floats = NDArray[np.float64]


@dataclass
class ArrayStepKernel:
    """The steps of a loss whose value and gradient are functions of one array.

    gradient: (P,) -> (value, (P,)). step: (theta, gradient, state.., t, tail..) -> (theta,
    state..), arrays. tail: the values of lr, if it is a number, and of the hyperparameters.
    states: how many arrays the rule keeps. settles: the step depends on theta only.
    """

    gradient: Callable[[Any], tuple[float, Floats]]
    step: Callable[..., list[Any]]
    tail: tuple[float, ...]
    states: int
    settles: bool

    @classmethod
    def of(cls, task: DescentTask) -> ArrayStepKernel:
        """The kernel of a descent on a loss with arrays."""
        arguments = task.arguments
        program = rule_program(arguments.rule, arguments, task.values)
        states = len(arguments.rule.state)
        gradient = task.loss.internals.compiled
        return cls(gradient, compile_array(program), task.tail, states, settles(arguments))

    def advance(self, run: Run, count: int) -> Stop | None:
        """`count` steps, or fewer and the reason."""
        import numpy as np

        rows = select_checks(self.settles, run.tol is not None)
        x = np.asarray(run.x, dtype=np.float64)
        state = list(np.asarray(run.state, dtype=np.float64).reshape(-1, len(x)))
        state = state or [np.zeros(len(x))] * self.states
        try:
            for _ in range(count):
                value, grad = self.gradient(x)
                with np.errstate(all="ignore"):
                    norm = float(np.linalg.norm(grad))
                    new, *after = self.step(x, grad, *state, float(run.t + 1), *self.tail)
                run.x = x
                stop = run.first_stop(rows, value, norm, grad, new)  # type: ignore[arg-type]
                if stop is not None:
                    return stop
                x, state, run.t = new, after, run.t + 1
        finally:
            run.x, run.state = x, state
        return None


class ArrayLineSearchKernel(LineSearchKernel):
    """The line search over whole arrays; the states of the rule are one array."""

    @classmethod
    def of(cls, task: DescentTask) -> ArrayLineSearchKernel:
        """The kernel of a descent on a loss with arrays."""
        arguments, inner = task.arguments, task.loss.internals
        step = compile_array(rule_program(arguments.rule, arguments, task.values))
        count, states = task.loss.elements_count, len(arguments.rule.state)
        made = cls(states * count, count, task.tail, inner.evaluate_value, step)
        made.gradient = inner.compiled
        return made

    gradient: Callable[[Any], tuple[float, Floats]]

    def _step(self, run: Run) -> Any:
        import numpy as np

        x = np.asarray(run.x, dtype=np.float64)
        state = run.state if len(run.state) else np.zeros(self.states)
        states = np.asarray(state, dtype=np.float64).reshape(-1, self.count)
        value, grad = self.gradient(x)
        with np.errstate(all="ignore"):
            t = float(run.t + 1 - run.restarted)
            after = self.call(x, grad, *states, t, run.lr, *self.tail)
            return np.concatenate([*after, [value, np.linalg.norm(grad)], grad])

    def _accepts(self, run: Run, x: Any) -> bool:
        import numpy as np

        slope = float(np.dot(run.grad, x - np.asarray(run.x)))
        limit = run.loss if slope >= 0 else run.loss + self.decrease * slope
        value = self.gradient(x)[0]
        return bool(value < limit if slope >= 0 else value <= limit)
