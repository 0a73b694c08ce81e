"""The engine under any gradient function: NumPy arrays, an autodiff library, anything callable."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgd._numpy import ArrayLike, np
from symgd.analysis.gradient_only import overflows
from symgd.analysis.nonfinite import NonfiniteCause
from symgd.backends import lambdified
from symgd.backends.step_checks import Stop, select_checks
from symgd.descent.array_rule import ArrayRule
from symgd.descent.engine import Problem, Step, engine, finish
from symgd.descent.kernel import Run
from symgd.descent.step_program import settles
from symgd.errors import ArgumentError, RuleError
from symgd.model.arguments import read_arguments, resolve
from symgd.model.history import History
from symgd.model.result import Result
from symgd.model.rules import Rule
from symgd.names import escape


def descend_with(
    grad: Callable[[Any], Any],
    theta0: ArrayLike,
    lr: float | str,
    steps: int,
    *,
    rule: str | Rule = "gd",
    set: Mapping[str, float] | None = None,  # noqa: A002 - as in descend
    value: Callable[[Any], Any] | None = None,
    tol: float | None = None,
    callback: Callable[[Step], object] | None = None,
) -> Result:
    """The result of descending along any gradient function, from theta0.

    grad: called with a float where theta0 is one, else with a float64 array of theta0's shape;
    returns the gradient in the same shape. value: the loss, for the history (nan without it). What
    they raise at the start is passed on; later on an ArithmeticError or ValueError, as of Python's
    math.log(-1), ends the run as a number that is not finite does.
    The other arguments are those of `descend`, but for lr="auto", which needs a formula.

    >>> descend_with(lambda theta: 2*theta, 1.0, lr=0.2, steps=20).theta
    {'theta': 3.656158440062973e-05}
    """
    arguments = read_arguments(lr, steps, rule, set, tol)
    if arguments.schedule.auto:
        raise ArgumentError("lr='auto' needs the loss as a formula; use descend()")
    for name in arguments.others:
        rule = escape(arguments.rule.name)
        raise ArgumentError(f"{rule} has no hyperparameter '{escape(name)}'")
    try:
        origin = np.array(theta0, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ArgumentError(f"theta0 is not an array of numbers: {error}") from None
    if origin.size == 0 or not np.isfinite(origin).all():
        raise ArgumentError("theta0 must hold finite numbers, at least one")
    values = resolve(arguments)
    scalar = origin.ndim == 0
    _check_evaluations(arguments.rule, value is not None)
    arguments.schedule.check_names(("theta",))
    chosen = ArrayRule(arguments, values, {"theta": origin.size}, array=not scalar)
    kernel = _GradientKernel(grad, value, chosen, settles(arguments), origin.shape)
    names = ("theta",) if scalar else tuple(f"x{k}" for k in range(origin.size))
    run = Run(
        x=[float(origin)] if scalar else origin.ravel(),
        state=[0.0] * sum(arguments.rule.widths(origin.size)),
        tol=arguments.tol,
        history=History.of_run(names, steps),
        has_loss=value is not None,
    )
    problem = Problem(
        described=_Function(names, escape(getattr(grad, "__name__", "a gradient function"))),
        loss=None,
        rule=arguments.rule,
        schedule=arguments.schedule,
        values=values,
        origin=[float(v) for v in origin.ravel()],
        evaluate=kernel.probe,
        diagnose=kernel.diagnose,
    )
    ended = engine(
        kernel, run, arguments.steps, callback, problem.point, problem.projected, problem.heading
    )
    return finish(problem, run, *ended)


def _check_evaluations(rule: Rule, has_value: bool) -> None:
    """RuleError where a rule asks for more than the functions that were given."""
    for name in rule.evaluations:
        if name == "hvp" or (name in ("L", "loss") and not has_value):
            what = "give the loss as value=" if name != "hvp" else "use descend() with a formula"
            raise RuleError(
                f"the rule {escape(rule.name)} reads {name}, and descend_with knows only the "
                f"gradient; {what}"
            )


@dataclass(frozen=True)
class _Function:
    """What a Result tells of a loss of which only the gradient function is known."""

    params: tuple[str, ...]
    name: str
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    indexed: None = None

    @property
    def text(self) -> str:
        return f"the function {self.name}"

    def read_as(self, pretty: bool = True) -> str:
        return f"gradient by {self.text}"

    def gradient_text(self, limit: int = 2000) -> dict[str, str]:
        """Nothing: the gradient is code, not a formula."""
        return {}


@dataclass
class _GradientKernel:
    """Steps along a gradient function, from Python.

    settles: the step depends on theta only. error: what the functions raised at the last point.
    """

    grad: Callable[[Any], Any]
    value: Callable[[Any], Any] | None
    rule: ArrayRule
    settles: bool
    shape: tuple[int, ...]
    error: Exception | None = None

    def __post_init__(self) -> None:
        self.function = self.rule.compiled(_Asked(self))

    def advance(self, run: Run, count: int) -> Stop | None:
        rows = select_checks(self.settles, run.tol is not None)
        for _ in range(count):
            value, *grad = self.probe(*run.x) if run.t else self.evaluate(*run.x)
            slope = grad[0] if not self.shape else np.array(grad)
            x = run.x[0] if not self.shape else run.x
            with np.errstate(all="ignore"):
                new, *state = self._step(x, slope, run, value)
            new = new if self.shape else [new]
            stop = run.first_stop(rows, value, math.hypot(*grad), grad, new)
            if stop is not None:
                return stop
            after = self.rule.joined(state) if self.shape else state
            run.x, run.state, run.t = new, after, run.t + 1  # type: ignore[assignment]
        return None

    def _step(self, x: Any, slope: Any, run: Run, value: float) -> list[Any]:
        state = self.rule.split(run.state) if self.shape else run.state
        try:
            return self.function(x, slope, state, float(run.t + 1), None, value)
        except lambdified.ARITHMETIC_ERRORS:
            return [math.nan]

    def evaluate(self, *x: float) -> list[float]:
        """[value, gradient...] at x; the value is nan where no function gives it."""
        point = x[0] if not self.shape else np.array(x).reshape(self.shape)
        slope = np.asarray(self.grad(point), dtype=np.float64)
        if slope.size != len(x):
            got, wanted = slope.shape, self.shape
            raise ArgumentError(f"the gradient has shape {got}, but theta has {wanted}")
        value = math.nan if self.value is None else float(self.value(point))
        return [value, *slope.ravel().tolist()]

    def probe(self, *x: float) -> list[float]:
        """The same after the start, where Python's 1/0 and log(-1) are no mistake of the caller."""
        self.error = None
        try:
            return self.evaluate(*x)
        except lambdified.ARITHMETIC_ERRORS as error:
            self.error = error
            return [math.inf if isinstance(error, OverflowError) else math.nan] * (1 + len(x))

    def diagnose(self, x: Sequence[float], t: int) -> NonfiniteCause:
        """What is not finite at x, the point of step t."""
        self.probe(*x)
        why = "is not finite" if self.error is None else f"fails ({self.error})"
        return NonfiniteCause(f"the gradient function {why} at step {t}", overflows(self.probe, x))


@dataclass(frozen=True)
class _Asked:
    """What a rule asks of the functions (`symgd.descent.array_rule.Evaluator`)."""

    kernel: _GradientKernel

    def _at(self, x: Any, point: Any) -> list[float]:
        flat: list[float] = np.broadcast_to(point, np.shape(x)).reshape(-1).tolist()
        return self.kernel.probe(*flat)

    def loss(self, x: Any, point: Any) -> float:
        """The loss at a point."""
        return self._at(x, point)[0]

    def grad(self, x: Any, point: Any) -> Any:
        """The gradient at a point."""
        slope = self._at(x, point)[1:]
        return np.array(slope) if self.kernel.shape else slope[0]

    def product(self, x: Any, v: Any) -> Any:
        """Unreachable: a rule with hvp is refused before the run begins."""
        raise AssertionError("a gradient function has no products with a Hessian")
