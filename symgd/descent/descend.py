"""The public verb descend, and the two functions of the exercise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any, TypeAlias

import sympy

from symgd.analysis.diagnosis import find
from symgd.analysis.verdicts.sentences import advisable
from symgd.backends.compiler import compile_program
from symgd.backends.dispatch import (
    AUTO,
    REFERENCE,
    check_backend,
    choose_rows,
    compiled,
    may_compile,
)
from symgd.descent.choose_backend import DescentTask, choose
from symgd.descent.engine import Problem, Step, engine, finish
from symgd.descent.kernel import Kernel, LineSearchKernel, Run, StepKernel
from symgd.descent.loss_argument import clipped, loss_of, within
from symgd.descent.minibatches import BatchKernel, Sampler
from symgd.descent.step_program import settles, step_outputs
from symgd.errors import ArgumentError
from symgd.formula.nodes import ROWS
from symgd.model.arguments import Arguments, Schedule, Start, read_arguments, read_start, resolve
from symgd.model.bounds import BoundsByName, canonical_bounds
from symgd.model.checks import read_origin
from symgd.model.loss import Loss
from symgd.model.result import History, Result, Status, Verdict
from symgd.model.rules import Rule

if TYPE_CHECKING:
    from symgd.analysis.verdicts.command import Asked

Evaluate: TypeAlias = Callable[..., list[float]]

_NUMBERS = 10_000_000  # what a history holds at most, whatever the number of parameters


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
    advise: bool = True,
    bounds: BoundsByName | None = None,
) -> Result:
    """The result of descending a loss from `start`; the defaults are the course exercise.

    loss: a formula, SymPy expression, Python function or Loss. start: one number for all
    parameters, numbers in the order of params, a mapping, or text such as "x=-1.2, y=1". lr: a
    number, a formula of t, or "auto" (backtracking line search). rule: a catalogue name, names
    joined by "+", equations, or a Rule. set: hyperparameters of rule and lr, and constants of the
    loss. tol: stop when max|g| <= tol. callback: called with a `Step` before each step; a true
    value stops. backend: "auto" (machine code where it pays), "native" or "lambdify" (Python).
    advise: after a run that failed, look for one that works, by a few trial runs, reported in
    `Result.verdict.advice`. They are made when the verdict is read.

    bounds: {"x": (0, 1), "y": (0, None)}, None for an open end. The start is moved into them, and
    theta is projected into them after every step; tol then looks at the projected gradient: its
    parts that point out of the box at a bound do not count.

    data: rows for a loss with sum(...) or mean(...): a file, columns or a Table; drop_missing: skip
    rows with missing cells. batch: take each step on so many rows, all of which pass by once
    before any comes again, in an order drawn from seed; the history then tells the losses of the
    batches, and tol is checked on the whole data, after every pass.

    Raises a SymgdError before anything runs; how a run ended is `Result.status`.

    >>> descend("theta**2", lr=0.2, steps=20, start=1.0).theta
    {'theta': 3.656158440062973e-05}
    """
    check_backend(backend)
    shown_backend = backend
    if callback is not None and not callable(callback):
        raise ArgumentError(f"callback is not a function but {type(callback).__name__}")
    arguments = read_arguments(lr, steps, rule, set, tol)
    point, named = read_start(start)
    stray = {name: v for name, v in arguments.given.items() if name not in arguments.known}
    named = (*named, *canonical_bounds(bounds))
    loss = loss_of(loss, [arguments.rule], stray, named, data, drop_missing)
    internals = loss.internals if batch is None else loss.internals.by_rows()
    loss = loss.around(internals.on(backend))
    if not loss.params:
        raise ArgumentError("the loss is constant: there is no parameter to descend on")
    loss = within(loss, bounds)
    origin = clipped(loss, read_origin(loss.params, point))
    values = resolve(arguments)
    loss = within(loss, None, arguments.rule, values)  # the rule box projects after its steps only
    if callback is not None and backend == AUTO and loss.internals.rows is None:
        backend = REFERENCE  # every step returns to Python anyway

    def drawn() -> Sampler | None:
        return None if batch is None else Sampler.of(loss.table, batch, seed)

    result = _run(loss, arguments, values, origin, callback, backend, drawn())
    if not advise or result.status is Status.INTERRUPTED:
        return result

    def rerun(lr: float, start: Mapping[str, float], steps: int, of: Loss | None) -> Result:
        other = replace(arguments, schedule=Schedule(repr(lr), value=lr), steps=steps)
        point = clipped(loss, list(start.values()))
        return _run(of or loss, other, values, point, None, backend, drawn())

    from symgd.analysis.verdicts.command import Asked

    asked = Asked(
        steps,
        arguments.given,
        arguments.tol,
        shown_backend,
        data,
        drop_missing,
        batch,
        seed,
        bounds,
    )
    return replace(result, judge=cache(partial(_advised, result, asked, rerun)))


def _advised(
    result: Result,
    asked: Asked,
    rerun: Callable[[float, Mapping[str, float], int, Loss | None], Result],
) -> Verdict:
    """The verdict of a run, with advice where it failed."""
    if not advisable(result):
        return result.verdict
    from symgd.analysis.verdicts.advice import advised  # what most runs do without

    return advised(result, asked, rerun)


def _run(
    loss: Loss,
    arguments: Arguments,
    values: Mapping[str, float],
    origin: list[float],
    callback: Callable[[Step], object] | None,
    backend: str,
    sampler: Sampler | None,
) -> Result:
    """The result of one run, without advice."""
    if sampler is None:
        kernel, evaluate = _kernel(DescentTask(loss, arguments, values), backend)
    else:
        kernel, evaluate = _batch_kernel(loss, arguments, values, sampler), loss.internals.evaluate
    run = Run(
        x=list(origin),
        state=[0.0] * (len(arguments.rule.state) * len(origin)),
        tol=arguments.tol,
        history=History(len(origin), limit=max(2, min(10_001, _NUMBERS // len(origin)))),
    )
    problem = Problem(
        loss,
        loss,
        arguments.rule,
        arguments.schedule,
        values,
        origin,
        evaluate,
        partial(find, loss),
        sampler is not None,
    )
    return finish(problem, run, *engine(kernel, run, arguments.steps, callback, problem), kernel)


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


def _kernel(work: DescentTask, backend: str) -> tuple[Kernel, Evaluate]:
    """What runs the steps, and what evaluates loss and gradient at its end."""
    evaluate = work.loss.internals.evaluate
    if work.loss.internals.rows is not None:
        return _row_kernel(work), evaluate
    if work.arguments.schedule.auto:
        return _line_search(work, work.large and may_compile(backend)), evaluate
    kernel = choose(backend, work)
    return kernel, getattr(kernel, "evaluate", evaluate)


def _line_search(work: DescentTask, large: bool) -> Kernel:
    internals = work.loss.internals
    function, value = None, internals.evaluate_value
    if large:
        from symgd.backends.native.array_module import compile_arrays

        step = compiled(lambda: compile_arrays(work.program))
        alone = compiled(lambda: compile_arrays(internals.value_program))
        if step is not None and alone is not None:
            function, value = step.at, alone.at
    return LineSearchKernel(work.program, len(work.loss.params), work.tail, value, function)


def _row_kernel(work: DescentTask) -> Kernel:
    loss, arguments, program = work.loss, work.arguments, work.program
    rows = loss.internals.rows
    assert rows is not None
    count, tail = len(loss.params), (*work.tail, *rows.more(program))
    function = rows.run(program, arguments.steps)
    if arguments.schedule.auto:
        return LineSearchKernel(program, count, tail, loss.internals.evaluate_value, function)
    return StepKernel(program, count, tail, settles(arguments), function)


def _batch_kernel(
    loss: Loss, arguments: Arguments, values: Mapping[str, float], sampler: Sampler
) -> Kernel:
    assert loss.internals.rows is not None
    rule, schedule = arguments.rule, arguments.schedule
    if schedule.auto:
        raise ArgumentError("the line search (lr auto) needs the whole data, not a batch of it")
    inputs, outputs = step_outputs(loss, rule, schedule, list(values))
    program = compile_program([*inputs, ROWS], outputs)
    tail = tuple(values.values())
    if schedule.value is not None:
        tail = (schedule.value, *tail)
    function = choose_rows(loss.internals.rows.backend, program, sampler.size, arguments.steps)
    inner, count = loss.internals, len(loss.params)
    return BatchKernel(program, function, count, tail, sampler, inner.evaluate, inner.box)
