"""The public verb descend, and the two functions of the exercise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, TypeAlias

import sympy

from symgd.analysis.diagnosis import find
from symgd.analysis.minima import solver_box
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.analysis.verdicts.sentences import advisable
from symgd.backends.dispatch import (
    AUTO,
    REFERENCE,
    check_backend,
)
from symgd.descent.choose_backend import DescentTask
from symgd.descent.constrained import descend_constrained
from symgd.descent.engine import Problem, Step, engine, finish
from symgd.descent.kernel import Kernel, Run
from symgd.descent.kernels import batch_kernel, kernel_of
from symgd.descent.long_arrays import LONG, descend_long
from symgd.descent.loss_argument import ArraysGiven, at_start, clipped, held, loss_of, plain_start
from symgd.descent.loss_argument import within as in_bounds
from symgd.descent.many_starts import Within, look_around
from symgd.descent.methods import MOST, TOLERANCE, SolverKernel, check_method
from symgd.descent.minibatches import Sampler
from symgd.errors import ArgumentError
from symgd.model.arguments import LR, RULE, STEPS, Arguments, Start, read_arguments, resolve
from symgd.model.array_model import ArrayModel
from symgd.model.array_start import array_origin
from symgd.model.bounds import BoundsByName
from symgd.model.constraints import read_constraints
from symgd.model.history import History
from symgd.model.loss import Loss
from symgd.model.result import Result, Status, Verdict
from symgd.model.rules import Rule
from symgd.model.schedule import Schedule

Evaluate: TypeAlias = Callable[..., list[float]]


def descend(
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
    *,
    start: Start = 1.0,
    lr: float | str = LR,
    steps: int = STEPS,
    rule: str | Rule = RULE,
    method: str | None = None,
    set: Mapping[str, float] | None = None,  # noqa: A002 - as on the command line
    tol: float | None = None,
    callback: Callable[[Step], object] | None = None,
    backend: str = "auto",
    data: Any = None,
    drop_missing: bool = False,
    batch: int | None = None,
    seed: int = 0,
    advise: bool = True,
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    vectors: Mapping[str, Sequence[str]] | None = None,
    bounds: BoundsByName | None = None,
    subject_to: str | Sequence[str] = (),
    starts: int | None = None,
    within: Within | None = None,
) -> Result:
    """The result of descending a loss from `start`; the defaults are the course exercise.

    loss: a formula, SymPy expression, Python function or Loss. start: one number for all
    parameters, numbers in the order of params, a mapping, or text such as "x=-1.2, y=1". lr: a
    number, a formula of t, or "auto" (backtracking line search). rule: a catalogue name, names
    joined by "+", equations, or a Rule. method: "newton", "lbfgs", "tr" (trust
    region), "lm" (Levenberg and Marquardt, for sums of squares) or "auto", a solver in place of
    rule and lr; it goes on until max|g| <= tol (1e-8), nothing lowers the loss, or for so many
    steps (5,000), and leaves saddles. set: hyperparameters of rule and lr, and constants of the
    loss. tol: stop when max|g| <= tol. callback: called with a `Step` before each step; a true
    value stops. backend: "auto" (machine code where it pays), "native" or "lambdify" (Python).
    advise: after a run that failed, look for one that works, by a few trial runs, reported in
    `Result.verdict.advice`. They are made when the verdict is read.
    bounds: {"x": (0, 1), "y": (0, None)}, None for an open end. The start is moved into them, and
    theta is projected into them after every step; tol then looks at the projected gradient: its
    parts that point out of the box at a bound do not count.
    data: rows for a loss with sum(...) or mean(...): a file, columns or a Table; drop_missing: skip
    rows with missing cells. subject_to: constraints such as "x + y <= 1", "x = y^2" or
    "x[i] <= x[i+1], i=1..n-1", kept by a solver. starts: begin at so many points of a box,
    within={"x": (-5, 5)} or "x=-5:5", and return the solver's run from the best of the minima that
    they lead to; `Result.starts` tells about the others. batch: take each step on so many rows, all
    of which pass by once before any comes again, in an order drawn from seed; the history then
    tells the losses of the batches, and tol is checked on the whole data, after every pass.
    sizes, shapes, vectors: of a formula with indices, as for `Loss`; its start may hold arrays, and
    texts such as "x[i]=i/10" and "W~normal(0,0.1)", drawn from seed.

    Raises a SymgdError before anything runs; how a run ended is `Result.status`.

    >>> descend("theta**2", lr=0.2, steps=20, start=1.0).theta
    {'theta': 3.656158440062973e-05}
    """
    check_backend(backend)
    shown_backend = backend
    if callback is not None and not callable(callback):
        raise ArgumentError(f"callback is not a function but {type(callback).__name__}")
    constraints = read_constraints(subject_to)
    if constraints and method not in (None, "auto", "newton", "tr"):
        raise ArgumentError(f"constraints are kept by the method tr, not by {method}")
    who = "subject_to" if constraints else "starts" if starts else f"method {method}"
    method = "auto" if (constraints or starts) and method is None else method
    if method is not None:
        check_method(method, who, lr is not LR, rule is not RULE, batch is not None)
        steps, tol = MOST if steps is STEPS else steps, TOLERANCE if tol is None else tol
    arguments = read_arguments(lr, steps, rule, set, tol, method, seed)
    point, _ = plain_start(start)
    arrays = ArraysGiven(sizes, shapes, vectors)
    given = arguments.others, [start], bounds, data, drop_missing, arrays
    source = loss
    loss = loss_of(loss, [] if method else [arguments.rule], *given)
    if starts is not None and (constraints or batch or _long(loss)):
        raise ArgumentError(
            f"starts are for losses of {LONG:,} parameters at most, without constraints and batches"
        )
    if starts is None and within is not None:
        raise ArgumentError("within is the box of many starts; give starts too")
    if constraints:
        assert tol is not None
        make = partial(_related, source, loss, arguments.given, start, data, drop_missing, arrays)
        return descend_constrained(
            loss, make, constraints, point, seed, bounds, arguments.steps, tol, callback
        )
    model = loss.arrays
    first = None if model is None else partial(array_origin, model, point, seed)
    if model is not None and first is not None and model.count > LONG:
        arguments.schedule.check_names(model.params)
        sampler = None if batch is None else partial(Sampler.of, loss.table, batch, seed)
        found = descend_long(loss, arguments, first, callback, bounds, sampler)
        return _with_units(found, model, first)
    loss, origin = _within_bounds(*at_start(loss, point, seed), bounds, backend, batch)
    if starts is not None:
        return _from_the_best(loss, arguments, origin, (starts, within, seed), callback)
    values = resolve(arguments)
    if method is None:
        loss = in_bounds(loss, None, arguments.rule, values)  # the rule's box projects later
        loss = held(loss, arguments.schedule, origin)
    if callback is not None and backend == AUTO and loss.internals.rows is None:
        backend = REFERENCE  # every step returns to Python anyway

    def drawn() -> Sampler | None:
        return None if batch is None else Sampler.of(loss.table, batch, seed)

    result = _run(loss, arguments, values, origin, callback, backend, drawn())
    if model is not None and first is not None:
        result = _with_units(result, model, first)
    if not advise or method or result.status is Status.INTERRUPTED:
        return result

    trial = partial(_trial, loss, arguments, values, backend, drawn)
    asked = (steps, arguments.given, arguments.tol, shown_backend, data, drop_missing, batch, seed)
    return replace(result, judge=cache(partial(_advised, result, (*asked, bounds), trial)))


def _long(loss: Loss) -> bool:
    return loss.arrays is not None and loss.arrays.count > LONG


def _from_the_best(
    loss: Loss,
    arguments: Arguments,
    origin: list[float],
    around: tuple[int, Within | None, int],
    callback: Callable[[Step], object] | None,
) -> Result:
    """A solver's run from the best of many starts. around: how many, their box, the seed."""
    count, box, seed = around
    assert arguments.tol is not None
    found = look_around(loss, origin, count, box, seed, arguments.tol)
    result = _run(loss, arguments, {}, found.best, callback, AUTO, None)

    def judge() -> Verdict:
        of_run = result.verdict
        advice = "; ".join(filter(None, [found.remark, of_run.advice]))
        sentence = f"{of_run.sentence}; {found.starts.sentence}"
        return replace(of_run, sentence=sentence, advice=advice)

    return replace(result, starts=found.starts, judge=cache(judge))


def _related(
    source: Any,
    loss: Loss,
    given: Mapping[str, float],
    start: Start,
    data: Any,
    drop_missing: bool,
    arrays: ArraysGiven,
    text: str,
) -> Loss:
    """The loss of another text with the data, constants and sizes of a loss."""
    if isinstance(source, Loss) and loss.arrays is not None:
        options = loss.arrays.options
        arrays = ArraysGiven(options.sizes, options.shapes, options.vectors)
    rows = loss.table if loss.table is not None else data
    constants = {name: value for name, value in given.items() if name in text}
    return loss_of(text, [], constants, [start], None, rows, drop_missing, arrays)


def _within_bounds(
    loss: Loss,
    origin: list[float],
    bounds: BoundsByName | None,
    backend: str,
    batch: int | None,
) -> tuple[Loss, list[float]]:
    """The loss as the run sees it, and the start moved into its bounds."""
    internals = loss.internals if batch is None else loss.internals.by_rows()
    loss = loss.around(internals.on(backend))
    if not loss.params:
        raise ArgumentError("the loss is constant: there is no parameter to descend on")
    loss = in_bounds(loss, bounds)
    return loss, clipped(loss, origin)


def _trial(
    loss: Loss,
    arguments: Arguments,
    values: Mapping[str, float],
    backend: str,
    drawn: Callable[[], Sampler | None],
    lr: float,
    start: Mapping[str, float],
    steps: int,
    of: Loss | None,
) -> Result:
    """The same run with another rate, start and length, maybe of another form of the loss."""
    other = replace(arguments, schedule=Schedule(repr(lr), value=lr), steps=steps)
    point = clipped(loss, list(start.values()))
    return _run(of or loss, other, values, point, None, backend, drawn(), trial=True)


def _with_units(result: Result, model: ArrayModel, start: Callable[[], Any]) -> Result:
    """The result whose verdict says where units start equal and never part."""

    def judge() -> Verdict:
        from symgd.analysis.equal_units import equal_units

        remark, found = equal_units(model, start()), result.verdict
        return replace(found, advice="; ".join(filter(None, [remark, found.advice])))

    return replace(result, judge=cache(judge))


def _advised(
    result: Result,
    asked: tuple[Any, ...],
    rerun: Callable[[float, Mapping[str, float], int, Loss | None], Result],
) -> Verdict:
    """The verdict of a run, with advice where it failed. asked: the fields of `Asked`."""
    if not advisable(result):
        return result.verdict
    from symgd.analysis.verdicts.advice import advised  # what most runs do without
    from symgd.analysis.verdicts.command import Asked

    return advised(result, Asked(*asked), rerun)


def _run(
    loss: Loss,
    arguments: Arguments,
    values: Mapping[str, float],
    origin: list[float],
    callback: Callable[[Step], object] | None,
    backend: str,
    sampler: Sampler | None,
    trial: bool = False,
) -> Result:
    """The result of one run, without advice. trial: as of a `Problem`."""
    kernel: Kernel
    evaluate: Evaluate
    if arguments.method is not None:
        assert arguments.tol is not None
        kernel = SolverKernel(arguments.method, loss, origin, solver_box(loss), arguments.tol)
        evaluate = SmoothLoss(loss).evaluate
    elif sampler is None:
        kernel, evaluate = kernel_of(DescentTask(loss, arguments, values), backend)
    else:
        kernel, evaluate = batch_kernel(loss, arguments, values, sampler), loss.internals.evaluate
    run = Run(
        x=list(origin),
        state=[] if arguments.method else [0.0] * sum(arguments.rule.widths(len(origin))),
        tol=arguments.tol,
        history=History(len(origin)),
    )
    problem = Problem(
        loss,
        loss,
        None if arguments.method else arguments.rule,
        arguments.schedule,
        values,
        origin,
        evaluate,
        partial(find, loss),
        sampler is not None,
        trial,
        getattr(kernel, "name", None),
    )
    ended = engine(kernel, run, arguments.steps, callback, problem.point, problem.projected)
    return finish(problem, run, *ended, kernel)


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
