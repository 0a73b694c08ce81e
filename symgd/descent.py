"""The functions that people call: descend, and the exercise's own two."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import sympy

from symgd import names
from symgd.arguments import Arguments, Schedule, Start, read_arguments, read_start, resolve
from symgd.batches import BatchKernel, Sampler
from symgd.engine import Problem, Step, engine, finish
from symgd.errors import ArgumentError
from symgd.functions import FUNCTIONS
from symgd.graph import ROWS, Graph, Name, Node
from symgd.kernel import Kernel, LineSearchKernel, Run, StepKernel
from symgd.loss import Loss
from symgd.program import Program, compile_program
from symgd.result import History, Result
from symgd.rules import Rule


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
    data: Any = None,
    drop_missing: bool = False,
    batch: int | None = None,
    seed: int = 0,
) -> Result:
    """The result of descending a loss from `start`; the defaults are the course exercise.

    loss: a formula, SymPy expression, Python function or Loss. start: one number for all
    parameters, numbers in the order of params, a mapping, or text such as "x=-1.2, y=1". lr: a
    number, a formula of t, or "auto" (backtracking line search). rule: a catalogue name, names
    joined by "+", equations, or a Rule. set: hyperparameters of rule and lr, and constants of the
    loss. tol: stop when max|g| <= tol. callback: called with a `Step` before each step; a true
    value stops. backend: "auto" or "lambdify".

    data: rows for a loss with sum(...) or mean(...): a file, columns or a Table; drop_missing: skip
    rows with missing cells. batch: take each step on so many rows, all of which pass by once
    before any comes again, in an order drawn from seed; the history then tells the losses of the
    batches, and tol is asked of the whole data, after every pass.

    Raises a SymgdError before anything runs; how a run ended is `Result.status`.

    >>> descend("theta**2", lr=0.2, steps=20, start=1.0).theta
    {'theta': 3.656158440062973e-05}
    """
    if backend not in ("auto", "lambdify"):
        shown = names.escape(str(backend))
        raise ArgumentError(f"there is no backend '{shown}'; use auto or lambdify")
    if callback is not None and not callable(callback):
        raise ArgumentError(f"callback is not a function but {type(callback).__name__}")
    arguments = read_arguments(lr, steps, rule, set, tol)
    point, named = read_start(start)
    stray = {name: v for name, v in arguments.given.items() if name not in arguments.known}
    if not isinstance(loss, Loss):
        loss = _read_loss(loss, stray, named, arguments.rule, data, drop_missing)
    elif data is not None:
        raise ArgumentError("this Loss has its data already; give data to one of them")
    elif stray:
        shown = names.escape(next(iter(stray)))
        raise ArgumentError(f"{arguments.rule.name} has no hyperparameter '{shown}'")
    if batch is not None:
        loss = loss.by_rows()
    if not loss.params:
        raise ArgumentError("the loss is constant: there is no parameter to descend on")
    origin = [point] * len(loss.params) if isinstance(point, float) else loss.point(point)
    values = resolve(arguments)
    kernel = _kernel(loss, arguments, values) if batch is None else None
    if kernel is None:
        kernel = _batch_kernel(loss, arguments, values, Sampler.of(loss.table, batch, seed))
    run = Run(
        x=list(origin),
        state=[0.0] * (len(arguments.rule.state) * len(origin)),
        tol=arguments.tol,
        history=History(len(origin)),
    )
    problem = Problem(
        loss,
        loss,
        arguments.rule,
        arguments.schedule,
        values,
        origin,
        loss.evaluate,
        batch is not None,
    )
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


def _read_loss(
    source: Any,
    constants: Mapping[str, float],
    named: Sequence[str],
    rule: Rule,
    data: Any,
    drop_missing: bool,
) -> Loss:
    try:
        return Loss(source, data, constants=constants, params=named, drop_missing=drop_missing)
    except ArgumentError as error:
        if not constants:
            raise
        known = ", ".join(rule.hyperparameters) or "none"
        raise ArgumentError(f"{error}\nhyperparameters of {rule.name}: {known}") from None


def step_program(loss: Loss, rule: Rule, schedule: Schedule, extra: Sequence[str]) -> Program:
    """(theta.., state.., t, [lr], extra..) -> (theta.., state.., loss, |g|, g..).

    After the extra inputs stand those that the data of the loss give.
    """
    graph, inputs, outputs = step_outputs(loss, rule, schedule, extra)
    if loss.rows is not None:
        return loss.rows.program(inputs, outputs)
    return compile_program(graph, inputs, outputs)


def step_outputs(
    loss: Loss, rule: Rule, schedule: Schedule, extra: Sequence[str]
) -> tuple[Graph, list[Name], dict[str, Node]]:
    """The inputs and outputs of one step, as nodes of the graph of the loss."""
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
    return graph, inputs, outputs


def _kernel(loss: Loss, arguments: Arguments, values: Mapping[str, float]) -> Kernel:
    rule, schedule = arguments.rule, arguments.schedule
    program = step_program(loss, rule, schedule, list(values))
    tail = tuple(values.values())
    count = len(loss.params)
    function = None
    if loss.rows is not None:
        tail = (*tail, *loss.rows.more(program))
        function = loss.rows.run(program)
    if schedule.auto:
        return LineSearchKernel(program, count, tail, loss.evaluate_value, function)
    if schedule.value is not None:
        tail = (schedule.value, *tail)
    settles = not rule.state and "t" not in rule.variables and schedule.formula is None
    return StepKernel(program, count, tail, settles, function)


def _batch_kernel(
    loss: Loss, arguments: Arguments, values: Mapping[str, float], sampler: Sampler
) -> Kernel:
    rule, schedule = arguments.rule, arguments.schedule
    if schedule.auto:
        raise ArgumentError("the line search (lr auto) needs the whole data, not a batch of it")
    graph, inputs, outputs = step_outputs(loss, rule, schedule, list(values))
    program = compile_program(graph, [*inputs, ROWS], outputs)
    tail = tuple(values.values())
    if schedule.value is not None:
        tail = (schedule.value, *tail)
    return BatchKernel(program, len(loss.params), tail, sampler, loss.evaluate)
