"""One run from one start: by a rule, on all rows or on batches, or by a solver."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, TypeAlias

from symgd.analysis.diagnosis import find
from symgd.analysis.minima import solver_box
from symgd.analysis.smooth_loss import SmoothLoss
from symgd.analysis.verdicts.sentences import advisable
from symgd.backends.dispatch import AUTO, REFERENCE
from symgd.descent.choose_backend import DescentTask
from symgd.descent.engine import Problem, Step, engine, finish
from symgd.descent.kernel import Kernel, Run
from symgd.descent.kernels import batch_kernel, kernel_of
from symgd.descent.loss_argument import clipped, held, within
from symgd.descent.methods import SolverKernel
from symgd.descent.minibatches import Sampler
from symgd.descent.request import DescentDomain, DescentPlan, DescentRows
from symgd.errors import ArgumentError
from symgd.model.arguments import Arguments, resolve
from symgd.model.array_model import ArrayModel
from symgd.model.bounds import BoundsByName
from symgd.model.history import History
from symgd.model.loss import Loss
from symgd.model.result import Result, Status, Verdict
from symgd.model.schedule import Schedule

Evaluate: TypeAlias = Callable[..., list[float]]

_TRIALS = 32  # runs of a scan of learning rates, on the low side


def moved_into_bounds(
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
    loss = within(loss, bounds)
    return loss, clipped(loss, origin)


def descend_once(
    loss: Loss,
    arguments: Arguments,
    origin: list[float],
    plan: DescentPlan,
    rows: DescentRows,
    domain: DescentDomain,
    model: ArrayModel | None,
    first: Callable[[], Any] | None,
) -> Result:
    """The result of a run from one start, with advice where it failed.

    model: of the loss, if it has arrays. first: their elements at the start.
    """
    values, backend = resolve(arguments), plan.backend
    if arguments.method is None:
        loss = within(loss, None, arguments.rule, values)  # the rule's box projects later
        loss = held(loss, arguments.schedule, origin)
    if plan.callback is not None and backend == AUTO and loss.internals.rows is None:
        backend = REFERENCE  # every step returns to Python anyway

    def drawn() -> Sampler | None:
        return None if rows.batch is None else Sampler.of(loss.table, rows.batch, plan.seed)

    kept = plan.history, plan.every
    result = run_once(loss, arguments, values, origin, plan.callback, backend, drawn(), kept=kept)
    if model is not None and first is not None:
        result = with_units(result, model, first)
    if not plan.advise or arguments.method or result.status is Status.INTERRUPTED:
        return result
    trial = partial(_trial, loss, arguments, values, backend, drawn)
    more = (*rows, plan.seed, domain.bounds, domain.start)
    asked = (plan.steps, arguments.given, arguments.tol, plan.backend, *more)
    return replace(result, judge=cache(partial(_advised, result, asked, trial)))


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
    return run_once(of or loss, other, values, point, None, backend, drawn(), trial=True)


def with_units(result: Result, model: ArrayModel, start: Callable[[], Any]) -> Result:
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


def run_once(
    loss: Loss,
    arguments: Arguments,
    values: Mapping[str, float],
    origin: list[float],
    callback: Callable[[Step], object] | None,
    backend: str,
    sampler: Sampler | None,
    trial: bool = False,
    kept: tuple[int | str | None, int | None] = (None, None),
) -> Result:
    """The result of one run, without advice. trial: as of a `Problem`. kept: rows of the path."""
    kernel: Kernel
    evaluate: Evaluate
    if arguments.method is not None:
        assert arguments.tol is not None
        kernel = SolverKernel(arguments.method, loss, origin, solver_box(loss), arguments.tol)
        evaluate = SmoothLoss(loss).evaluate
    elif sampler is None:
        task = DescentTask(loss, arguments, values, runs=_TRIALS if trial else 1)
        kernel, evaluate = kernel_of(task, backend)
    else:
        kernel, evaluate = batch_kernel(loss, arguments, values, sampler), loss.internals.evaluate
    run = Run(
        x=list(origin),
        state=[] if arguments.method else [0.0] * sum(arguments.rule.widths(len(origin))),
        tol=arguments.tol,
        history=History.of_run(loss.params, arguments.steps, *kept),
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
    ended = engine(
        kernel, run, arguments.steps, callback, problem.point, problem.projected, problem.heading
    )
    return finish(problem, run, *ended, kernel)
