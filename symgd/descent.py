"""The functions that people call: descend, and the exercise's own two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy

from symgd import names
from symgd.arguments import Arguments, Schedule, Start, read_arguments, read_start, resolve
from symgd.choice import choose
from symgd.engine import Problem, Step, engine, finish
from symgd.errors import ArgumentError
from symgd.functions import FUNCTIONS
from symgd.graph import Name, Node
from symgd.kernel import Kernel, LineSearchKernel, Run, StepKernel
from symgd.loss import Loss
from symgd.program import Program, compile_program
from symgd.result import History, Result
from symgd.rules import Rule

BACKENDS = ("auto", "lambdify", "native")

#: Parameters and state of a descent that machine code can keep in registers, or nearly so.
REGISTERS = 128


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
    value stops. backend: "auto" (machine code where it pays), "native" or "lambdify" (Python).

    Raises a SymgdError before anything runs; how a run ended is `Result.status`.

    >>> descend("theta**2", lr=0.2, steps=20, start=1.0).theta
    {'theta': 3.656158440062973e-05}
    """
    if backend not in BACKENDS:
        shown = names.escape(str(backend))
        raise ArgumentError(f"there is no backend '{shown}'; use {', '.join(BACKENDS)}")
    if callback is not None and not callable(callback):
        raise ArgumentError(f"callback is not a function but {type(callback).__name__}")
    arguments = read_arguments(lr, steps, rule, set, tol)
    point, named = read_start(start)
    stray = {name: v for name, v in arguments.given.items() if name not in arguments.known}
    if not isinstance(loss, Loss):
        loss = read_loss(loss, stray, named, arguments.rule)
    elif stray:
        shown = names.escape(next(iter(stray)))
        raise ArgumentError(f"{arguments.rule.name} has no hyperparameter '{shown}'")
    if not loss.params:
        raise ArgumentError("the loss is constant: there is no parameter to descend on")
    origin = [point] * len(loss.params) if isinstance(point, float) else loss.point(point)
    values = resolve(arguments)
    if callback is not None and backend == "auto":
        backend = "lambdify"  # every step returns to Python anyway
    kernel = _kernel(loss, arguments, values, backend)
    run = Run(
        x=list(origin),
        state=[0.0] * (len(arguments.rule.state) * len(origin)),
        tol=arguments.tol,
        history=History(len(origin)),
    )
    problem = Problem(loss, loss, arguments.rule, arguments.schedule, values, origin, loss.evaluate)
    return finish(problem, run, *engine(kernel, run, arguments.steps, callback, problem))


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


def read_loss(
    source: Any, constants: Mapping[str, float], named: Sequence[str], rule: Rule
) -> Loss:
    """The loss with its constants; named: what the start mentions, parameters for sure."""
    try:
        return Loss(source, constants=constants, params=named)
    except ArgumentError as error:
        if not constants:
            raise
        known = ", ".join(rule.hyperparameters) or "none"
        raise ArgumentError(f"{error}\nhyperparameters of {rule.name}: {known}") from None


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


def _kernel(loss: Loss, arguments: Arguments, values: Mapping[str, float], backend: str) -> Kernel:
    rule, schedule = arguments.rule, arguments.schedule
    program = step_program(loss, rule, schedule, list(values))
    tail = tuple(values.values())
    count = len(loss.params)
    if schedule.auto:
        return LineSearchKernel(program, count, tail, loss.evaluate_value)
    if schedule.value is not None:
        tail = (schedule.value, *tail)
    still = settles(arguments)

    def native() -> Kernel:
        from symgd.native_kernel import NativeKernel

        return NativeKernel(loss, program, count, tail, still)

    def python() -> Kernel:
        return StepKernel(program, count, tail, still)

    return choose(backend, arguments.steps, program.operations, python, native)


def settles(arguments: Arguments) -> bool:
    """Whether the step depends on theta only: a point that does not move never will."""
    rule = arguments.rule
    return not rule.state and "t" not in rule.variables and arguments.schedule.formula is None
