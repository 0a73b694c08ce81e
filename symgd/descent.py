"""The generic descent engine, and the functions that people call."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from symgd import analysis, diagnosis, names
from symgd.errors import ArgumentError, FormulaError
from symgd.formula import Formula, parse
from symgd.functions import FUNCTIONS
from symgd.graph import Name, Node
from symgd.kernel import Kernel, LineSearchKernel, Run, StepKernel, Stop
from symgd.loss import Loss
from symgd.program import Program, compile_program
from symgd.result import Best, History, Result, Status, Verdict
from symgd.rules import Rule, find_rule

_CHUNK = 4096

Start = float | str | Mapping[str, float] | Sequence[float]


@dataclass(frozen=True)
class Step:
    """What a callback sees: the step, the parameters, the loss and the gradient's norm."""

    t: int
    theta: dict[str, float]
    loss: float
    grad_norm: float


def descend(
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
    *,
    start: Start = 1.0,
    lr: float | str = 0.2,
    steps: int = 20,
    rule: str | Rule = "gd",
    set: Mapping[str, float] | None = None,  # noqa: A002 - as on the command line
    tol: float | None = None,
    callback: Callable[[Step], object] | None = None,
    backend: str = "auto",
) -> Result:
    """The result of descending a loss from `start`; the defaults are the course exercise.

    loss: a formula, SymPy expression, Python function or Loss. start: one number for all
    parameters, numbers in the order of params, a mapping, or text such as "x=-1.2, y=1". lr: a
    number, a formula of t, or "auto" (backtracking line search). rule: a catalogue name, names
    joined by "+", equations, or a Rule. set: hyperparameters of rule and lr, and constants of the
    loss. tol: stop when max|g| <= tol. callback: called with a `Step` before each step; a true
    value stops. backend: "auto" or "lambdify".

    Raises a SymgdError before anything runs; how a run ended is `Result.status`.

    >>> descend("theta**2", lr=0.2, steps=20, start=1.0).theta
    {'theta': 3.656158440062973e-05}
    """
    if backend not in ("auto", "lambdify"):
        raise ArgumentError(f"there is no backend '{names.escape(str(backend))}'; use auto or lambdify")
    steps, tol = _count(steps), _tolerance(tol)
    update = find_rule(rule)
    schedule = _schedule(lr)
    given = _numbers(set or {})
    known = {*update.hyperparameters, *schedule.names}
    point, named = _read_start(start)
    if not isinstance(loss, Loss):
        rest = {name: value for name, value in given.items() if name not in known}
        loss = _read_loss(loss, rest, named, update)
    elif stray := [name for name in given if name not in known]:
        raise ArgumentError(f"{update.name} has no hyperparameter '{names.escape(stray[0])}'")
    if not loss.params:
        raise ArgumentError("the loss is constant: there is no parameter to descend on")
    origin = _origin(loss, point)
    values = update.resolve({n: v for n, v in given.items() if n in update.hyperparameters})
    values |= schedule.resolve(given)
    kernel = _kernel(loss, update, schedule, values)
    run = Run(
        x=list(origin),
        state=[0.0] * (len(update.state) * len(origin)),
        tol=tol,
        history=History(len(origin)),
    )
    problem = _Problem(loss, update, schedule, values, origin, steps)
    return _finish(problem, run, *_run(kernel, run, steps, loss.params, callback, problem))


def gradient_descent(
    initial_theta: float,
    learning_rate: float,
    number_steps: int,
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
) -> float:
    """Theta after `number_steps` steps of plain gradient descent (the exercise's own function).

    >>> gradient_descent(initial_theta=1., learning_rate=0.2, number_steps=20)
    3.656158440062973e-05
    """
    result = descend(loss, start=initial_theta, lr=learning_rate, steps=number_steps)
    (theta,) = result.theta.values()
    return theta


def single_step_gradient_descent(
    theta: float,
    learning_rate: float,
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
) -> float:
    """Theta after one step: theta - learning_rate * dL/dtheta (the exercise's own function).

    >>> single_step_gradient_descent(1., 0.2)
    0.6
    """
    return gradient_descent(theta, learning_rate, 1, loss)


# -- reading the arguments --------------------------------------------------------------------


def parse_assignments(items: Sequence[str]) -> dict[str, float]:
    """["a=1", "b=2.5"] as {"a": 1.0, "b": 2.5}, names in their canonical spelling."""
    values: dict[str, float] = {}
    for item in items:
        left, equals, right = item.partition("=")
        if not equals or not left.strip() or not right.strip():
            raise ArgumentError(f"'{names.escape(item)}' is not NAME=VALUE")
        name = _variable(left)
        if name in values:
            raise ArgumentError(f"'{names.escape(name)}' is given twice")
        values[name] = parse_number(right, f"the value of {names.escape(name)}")
    return values


def parse_number(text: str, what: str) -> float:
    """A finite number from text, or ArgumentError that names `what`."""
    shown = names.escape(text.strip())
    try:
        value = float(text.replace("−", "-"))
    except ValueError:
        raise ArgumentError(f"{what} is '{shown}', which is not a number") from None
    if not math.isfinite(value):
        raise ArgumentError(f"{what} is '{shown}'; it must be finite")
    return value


def _variable(text: str) -> str:
    from symgd.formula import variable_name

    try:
        return variable_name(text)
    except FormulaError as error:
        raise ArgumentError(f"'{names.escape(text.strip())}' is not a name: {error.sentence}") from None


def _count(steps: int) -> int:
    if isinstance(steps, bool) or not isinstance(steps, int) or steps < 0:
        raise ArgumentError(f"steps is {steps!r}; it must be a whole number, 0 or more")
    return steps


def _tolerance(tol: float | None) -> float | None:
    if tol is None:
        return None
    try:
        value = float(tol)
    except (TypeError, ValueError):
        raise ArgumentError(f"tol is {tol!r}, which is not a number") from None
    if not (math.isfinite(value) and value >= 0):
        raise ArgumentError(f"tol is {tol!r}; it must be a number, 0 or more")
    return value


def _numbers(given: Mapping[str, float]) -> dict[str, float]:
    out = {}
    for name, value in given.items():
        try:
            number = float(value)
        except (TypeError, ValueError):
            raise ArgumentError(f"'{names.escape(str(name))}' is {value!r}, not a number") from None
        if not math.isfinite(number):
            raise ArgumentError(f"'{names.escape(str(name))}' is {number}; it must be finite")
        out[names.canonical(str(name))] = number
    return out


def _read_start(start: Start) -> tuple[float | dict[str, float] | list[float], tuple[str, ...]]:
    """The start as a number, a list or a mapping, and the names that it mentions."""
    if isinstance(start, str):
        text = start.strip()
        if "=" in text:
            start = parse_assignments([p for p in text.replace(";", ",").split(",") if p.strip()])
        elif "," in text:
            start = [parse_number(p, "the start") for p in text.split(",")]
        else:
            start = parse_number(text, "the start")
    if isinstance(start, Mapping):
        point = {names.canonical(str(k)): v for k, v in start.items()}
        return _numbers(point), tuple(point)
    if isinstance(start, (int, float)):
        return _finite(start), ()
    try:
        values = list(start)
    except TypeError:
        return _finite(start), ()
    return [_finite(v) for v in values], ()


def _finite(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"the start is {value!r}, which is not a number") from None
    if not math.isfinite(number):
        raise ArgumentError(f"the start is {number}; it must be finite")
    return number


def _read_loss(
    source: Any, constants: Mapping[str, float], named: Sequence[str], rule: Rule
) -> Loss:
    try:
        return Loss(source, constants=constants, params=named)
    except ArgumentError as error:
        if not constants:
            raise
        known = ", ".join(rule.hyperparameters) or "none"
        raise ArgumentError(f"{error}\nhyperparameters of {rule.name}: {known}") from None


def _origin(loss: Loss, point: float | dict[str, float] | list[float]) -> list[float]:
    if isinstance(point, float):
        return [point] * len(loss.params)
    return loss.point(point)


@dataclass(frozen=True)
class Schedule:
    """The learning rate: a number, a formula of t and named constants, or the line search."""

    text: str
    value: float | None = None
    formula: Formula | None = None

    @property
    def shown(self) -> float | str:
        """A number, or what was typed."""
        return self.text if self.value is None else self.value

    @property
    def auto(self) -> bool:
        """Whether a line search chooses it."""
        return self.value is None and self.formula is None

    @property
    def names(self) -> tuple[str, ...]:
        """The constants of the formula."""
        return tuple(n for n in self.formula.variables if n != "t") if self.formula else ()

    def resolve(self, given: Mapping[str, float]) -> dict[str, float]:
        """The values of `names`, or ArgumentError."""
        for name in self.names:
            if name not in given:
                shown = names.escape(name)
                raise ArgumentError(
                    f"unknown name '{shown}' in the learning rate '{names.escape(self.text)}'; "
                    f"it is a formula of t; give other names with --set {shown}=..."
                )
        return {name: given[name] for name in self.names}


def _schedule(lr: float | str) -> Schedule:
    if not isinstance(lr, str):
        try:
            return Schedule(repr(lr), value=_rate(float(lr), repr(lr)))
        except (TypeError, ValueError) as error:
            if isinstance(error, ArgumentError):
                raise
            raise ArgumentError(f"the learning rate is {lr!r}, which is not a number") from None
    text = lr.strip()
    if text.lower() == "auto":
        return Schedule("auto")
    try:
        return Schedule(text, value=_rate(float(text.replace("−", "-")), text))
    except ArgumentError:
        raise
    except ValueError:
        pass
    formula = parse(text)
    if not formula.variables:
        [root] = formula.graph.fold([formula.root])
        return Schedule(text, value=_rate(float(root), text))
    if "t" not in formula.variables and len(formula.variables) == 1 and formula.root.is_Atom:
        shown = names.escape(text)
        raise ArgumentError(
            f"the learning rate is '{shown}', which is not a number; "
            "give a number, a formula of t such as 0.1/(1+t/100), or auto"
        )
    return Schedule(text, formula=formula)


def _rate(value: float, text: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ArgumentError(f"the learning rate is {names.escape(text)}; it must be a number above 0")
    return value


# -- one step as a program --------------------------------------------------------------------


def step_program(loss: Loss, rule: Rule, schedule: Schedule, extra: Sequence[str]) -> Program:
    """(theta.., state.., t, [lr], extra..) -> (theta.., state.., loss, |g|, g..)."""
    graph, count = loss.graph, len(loss.params)
    states = {
        name: [graph.atom(Name(f"s{j}_{k}", f"{name}[{p}]")) for k, p in enumerate(loss.params)]
        for j, name in enumerate(rule.state)
    }
    shared: dict[str, Node] = {"t": graph.atom(Name("t", "t"))}
    inputs = [*loss.atoms, *(node for nodes in states.values() for node in nodes), shared["t"]]
    if schedule.formula is None:
        shared["lr"] = graph.atom(Name("rate", "lr"))
        inputs.append(shared["lr"])
    for k, name in enumerate(extra):
        shared[name] = graph.atom(Name(f"h{k}", name))
        inputs.append(shared[name])
    if schedule.formula is not None:
        places = {symbol: shared[n] for n, symbol in schedule.formula.variables.items()}
        shared["lr"] = graph.replace([schedule.formula.root], places)[0]
    grad = loss.derivatives
    theta, state = rule.step(graph, loss.atoms, grad, states, shared)
    norm = graph.node(FUNCTIONS["hypot"].node, *grad)
    if count == 1:
        norm = graph.node(sympy.Abs, *grad)
    outputs = {f"{p}'": node for p, node in zip(loss.params, theta, strict=True)}
    outputs |= {f"{s}'[{k}]": n for s, nodes in state.items() for k, n in enumerate(nodes)}
    outputs |= {"loss": loss.stable, "|g|": norm}
    outputs |= {f"d/d{p}": g for p, g in zip(loss.params, grad, strict=True)}
    return compile_program(graph, inputs, outputs)


def _kernel(
    loss: Loss, rule: Rule, schedule: Schedule, values: Mapping[str, float]
) -> Kernel:
    extra = [*rule.hyperparameters, *(n for n in schedule.names if n not in rule.hyperparameters)]
    program = step_program(loss, rule, schedule, extra)
    tail = tuple(values[name] for name in extra)
    count = len(loss.params)
    if schedule.auto:
        return LineSearchKernel(program, count, tail, loss.evaluate_value)
    if schedule.value is not None:
        tail = (schedule.value, *tail)
    settles = not rule.state and "t" not in rule.variables and schedule.formula is None
    return StepKernel(program, count, tail, settles)


# -- running ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Problem:
    loss: Loss
    rule: Rule
    schedule: Schedule
    values: Mapping[str, float]
    origin: list[float]
    steps: int


def _run(
    kernel: Kernel,
    run: Run,
    steps: int,
    params: Sequence[str],
    callback: Callable[[Step], object] | None,
    problem: _Problem,
) -> tuple[Status | None, Stop | None]:
    """Advance to the end; the status that the engine itself knows, and the kernel's reason."""
    try:
        while run.t < steps:
            before = run.t
            stop = kernel.advance(run, 1 if callback else min(_CHUNK, steps - run.t))
            if stop is not None:
                return None, stop
            if callback is not None and run.last is not None:
                t, x, value, grad = run.last
                seen = Step(before, dict(zip(params, x, strict=True)), value, math.hypot(*grad))
                if callback(seen):
                    return Status.STOPPED, None
        value, *grad = problem.loss.evaluate(*run.x)
        if not run.record(value, math.hypot(*grad), grad):
            return None, Stop.NONFINITE_LOSS
        if run.small(math.hypot(*grad)):
            return None, Stop.CONVERGED
    except KeyboardInterrupt:
        return Status.INTERRUPTED, None
    return None, None


def _finish(problem: _Problem, run: Run, status: Status | None, stop: Stop | None) -> Result:
    """The Result of a run that has ended."""
    loss = problem.loss
    if status is Status.INTERRUPTED and run.best_x:
        t, x = run.best_t, run.best_x
        value, *grad = loss.evaluate(*x)
        verdict = Verdict("converging", f"interrupted after {run.t} steps: the best point so far")
    elif run.last is not None:
        t, x, value, grad = run.last
        verdict = Verdict("", "")
    else:  # not even the start has a value
        t, x = 0, run.x
        value, *grad = loss.evaluate(*x)
        verdict = Verdict("", "")
    _close_history(run, t, x, value, grad)
    culprit = ""
    if stop in (Stop.NONFINITE_LOSS, Stop.NONFINITE_STEP):
        trouble = _trouble(loss, run, stop)
        culprit = trouble.sentence
        runaway = trouble.overflow and run.t > 0
        status = Status.DIVERGED if runaway else Status.NONFINITE
    if status is not Status.INTERRUPTED:
        facts = analysis.Facts(
            loss=loss,
            rule=problem.rule,
            hyperparameters=problem.values,
            lr=problem.schedule.value,
            start=problem.origin,
            x=x,
            grad=grad,
            value=value,
            tail=list(run.tail),
            first_loss=float(run.history.loss_at(0)) if len(run.history) else math.nan,
            converged=stop is Stop.CONVERGED,
            steps=t,
            nonfinite=culprit if status is Status.NONFINITE else "",
            runaway=culprit if status is Status.DIVERGED else "",
        )
        verdict = analysis.verdict(facts)
        saddle = status is None and analysis.is_saddle(facts, run.tol)
        status = status or _status(run, stop, verdict, saddle)
    message = _message(status, run, stop, culprit, t)
    params = loss.params
    best_x = run.best_x or x
    return Result(
        theta=dict(zip(params, x, strict=True)),
        value=value,
        grad=dict(zip(params, grad, strict=True)),
        steps=t,
        status=status,
        message=message,
        history=run.history,
        best=Best(dict(zip(params, best_x, strict=True)), run.best_loss, run.best_t),
        verdict=verdict,
        loss=loss,
        rule=problem.rule,
        lr=problem.schedule.shown,
        start=dict(zip(params, problem.origin, strict=True)),
        hyperparameters=problem.values,
    )


def _trouble(loss: Loss, run: Run, stop: Stop) -> diagnosis.Trouble:
    if stop is Stop.NONFINITE_LOSS:
        return diagnosis.find(loss, run.x, run.t)
    slope = max(map(abs, run.grad))
    return diagnosis.Trouble(f"the step itself: max|g| = {slope!r} at step {run.t + 1}", True)


def _close_history(run: Run, t: int, x: list[float], value: float, grad: list[float]) -> None:
    """See that the last row is the returned point (thinning may have passed it by)."""
    history = run.history
    if not len(history) or history.last_step() < t:
        history.append(t, x, value, math.hypot(*grad))


def _status(run: Run, stop: Stop | None, verdict: Verdict, saddle: bool) -> Status:
    if saddle:
        return Status.SADDLE
    if stop is Stop.CONVERGED:
        return Status.CONVERGED
    if stop in (Stop.STUCK, Stop.NO_DESCENT):
        return Status.STALLED
    if verdict.kind == "diverging":
        return Status.DIVERGED
    if run.tol is None:
        return Status.COMPLETED
    return Status.MAX_STEPS


def _message(status: Status, run: Run, stop: Stop | None, culprit: str, t: int) -> str:
    largest = max(map(abs, run.grad), default=math.nan)
    match status:
        case Status.CONVERGED:
            return f"max|g| = {largest:.3g} <= tol = {run.tol:g} after {t} steps"
        case Status.COMPLETED:
            return f"all {t} steps were run"
        case Status.MAX_STEPS:
            return f"max|g| = {largest:.3g} is above tol = {run.tol:g} after {t} steps; give more --steps"
        case Status.DIVERGED:
            return culprit or "the error grows from step to step; try a smaller learning rate"
        case Status.NONFINITE:
            return f"{culprit}; the last finite point is returned" if t else culprit
        case Status.STALLED if stop is Stop.NO_DESCENT:
            return f"no step along the rule's direction lowers the loss any more; max|g| = {largest:.3g}"
        case Status.STALLED:
            return f"the step is too small to change theta; max|g| = {largest:.3g}"
        case Status.SADDLE:
            return "the gradient vanishes here, but some direction leads down: not a minimum"
        case Status.INTERRUPTED:
            return f"interrupted at step {run.t}; the best point so far is returned"
        case _:
            return f"stopped by the callback at step {t}"

