"""The public verb descend, and the two functions of the exercise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import Any, Literal

import sympy

from symgd.backends.dispatch import AUTO
from symgd.descent.constrained import descend_constrained
from symgd.descent.engine import Step
from symgd.descent.long_arrays import LONG, descend_long
from symgd.descent.loss_argument import ArraysGiven, at_start, loss_of, plain_start
from symgd.descent.many_starts import Within, look_around
from symgd.descent.minibatches import Sampler
from symgd.descent.request import DescentDomain, DescentPlan, DescentRows, read_plan
from symgd.descent.single_run import descend_once, moved_into_bounds, run_once, with_units
from symgd.errors import ArgumentError
from symgd.model.arguments import LR, RULE, STEPS, Arguments, BackendName, Method, Start
from symgd.model.array_start import array_origin
from symgd.model.bounds import BoundsByName
from symgd.model.constraints import read_constraints
from symgd.model.loss import Loss
from symgd.model.result import Result, Verdict
from symgd.model.rules import Rule


def descend(
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
    *,
    start: Start = 1.0,
    lr: float | str = LR,
    steps: int = STEPS,
    rule: str | Rule = RULE,
    method: Method | None = None,
    set: Mapping[str, float] | None = None,  # noqa: A002 - as on the command line
    tol: float | None = None,
    callback: Callable[[Step], object] | None = None,
    backend: BackendName = "auto",
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
    history: int | Literal["all"] | None = None,
    every: int | None = None,
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

    history: how many rows of the path to keep, or "all"; None: all of a run of up to 3*10**6
    numbers (steps times parameters + 2), else some 10,000 rows; every: of them those of each so
    many steps.

    Raises a SymgdError before anything runs; how a run ended is `Result.status`.

    >>> descend("theta**2", lr=0.2, steps=20, start=1.0).theta
    {'theta': 3.656158440062973e-05}
    """
    return _descended(
        loss,
        DescentPlan(
            lr, steps, rule, method, set, tol, seed, callback, backend, advise, history, every
        ),
        DescentDomain(start, bounds, subject_to, starts, within),
        DescentRows(data, drop_missing, batch),
        ArraysGiven(sizes, shapes, vectors),
    )


def _descended(
    source: Any, plan: DescentPlan, domain: DescentDomain, rows: DescentRows, arrays: ArraysGiven
) -> Result:
    """The result, in whichever way the loss and what was asked make it."""
    constraints = read_constraints(domain.subject_to)
    arguments = read_plan(plan, domain, rows)
    point, _ = plain_start(domain.start)
    rules = [] if arguments.method else [arguments.rule]
    given = [domain.start], domain.bounds, rows.data, rows.drop_missing, arrays
    loss = loss_of(source, rules, arguments.others, *given)
    model = loss.arrays
    long = model is not None and model.count > LONG
    if domain.starts is not None and (constraints or rows.batch or long):
        raise ArgumentError(
            f"starts are for losses of {LONG:,} parameters at most, without constraints and batches"
        )
    if domain.starts is None and domain.within is not None:
        raise ArgumentError("within is the box of many starts; give starts too")
    if constraints:
        make = partial(_related, source, loss, arguments.given, domain.start, rows, arrays)
        assert arguments.tol is not None
        limits = arguments.steps, arguments.tol
        return descend_constrained(
            loss, make, constraints, point, plan.seed, domain.bounds, *limits, plan.callback
        )
    first = None if model is None else partial(array_origin, model, point, plan.seed)
    if model is not None and first is not None and long:
        arguments.schedule.check_names(model.params)
        draw = (
            None if rows.batch is None else partial(Sampler.of, loss.table, rows.batch, plan.seed)
        )
        kept = plan.history, plan.every
        found = descend_long(loss, arguments, first, plan.callback, domain.bounds, draw, kept)
        return with_units(found, model, first)
    loss, origin = at_start(loss, point, plan.seed)
    loss, origin = moved_into_bounds(loss, origin, domain.bounds, plan.backend, rows.batch)
    if domain.starts is not None:
        return _from_the_best(loss, arguments, origin, domain.starts, domain.within, plan.callback)
    return descend_once(loss, arguments, origin, plan, rows, domain, model, first)


def _from_the_best(
    loss: Loss,
    arguments: Arguments,
    origin: list[float],
    starts: int,
    within: Within | None,
    callback: Callable[[Step], object] | None,
) -> Result:
    """A solver's run from the best of many starts."""
    assert arguments.tol is not None
    found = look_around(loss, origin, starts, within, arguments.seed, arguments.tol)
    result = run_once(loss, arguments, {}, found.best, callback, AUTO, None)

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
    rows: DescentRows,
    arrays: ArraysGiven,
    text: str,
) -> Loss:
    """The loss of another text with the data, constants and sizes of a loss."""
    if isinstance(source, Loss) and loss.arrays is not None:
        options = loss.arrays.options
        arrays = ArraysGiven(options.sizes, options.shapes, options.vectors)
    data = loss.table if loss.table is not None else rows.data
    constants = {name: value for name, value in given.items() if name in text}
    return loss_of(text, [], constants, [start], None, data, rows.drop_missing, arrays)


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
