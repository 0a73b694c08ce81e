"""The steps of a descent over whole arrays: a gradient of arrays, and the rule in NumPy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgd.backends.lambdified import compile_array
from symgd.backends.step_checks import Stop, select_checks
from symgd.descent.kernel import Run
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
        state = list(np.asarray(run.state, dtype=np.float64).reshape(self.states, len(x)))
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
            run.x, run.state = x, [v for part in state for v in part]
        return None


def line_search_step(task: DescentTask) -> Callable[..., list[float]]:
    """(theta.., state.., t, lr, tail..) -> [theta.., state.., loss, |g|, g..], all numbers."""
    import numpy as np

    arguments = task.arguments
    step = compile_array(rule_program(arguments.rule, arguments, task.values))
    gradient = task.loss.internals.compiled
    count, states = len(task.loss.params), len(arguments.rule.state)

    def call(*inputs: float) -> list[float]:
        known = np.array(inputs[: count * (1 + states)]).reshape(1 + states, count)
        value, grad = gradient(known[0])
        with np.errstate(all="ignore"):
            after = step(known[0], grad, *known[1:], *inputs[count * (1 + states) :])
            norm = float(np.linalg.norm(grad))
        return [*np.concatenate(after).tolist(), value, norm, *grad.tolist()]

    return call
