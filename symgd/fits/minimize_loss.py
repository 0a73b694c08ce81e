"""The minimum of a loss by Newton's method or a descent rule -> FitResult."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from symgd._numpy import np
from symgd.analysis import unbounded as unboundedness
from symgd.analysis.minima import LossObjective
from symgd.errors import ArgumentError
from symgd.fits import smoothing, statistics
from symgd.fits.assemble import assemble
from symgd.fits.certificate import newton_certificate
from symgd.fits.diagnostics.remarks import run_away
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.profiles import LossDeviance
from symgd.fits.regression_model import Model
from symgd.fits.settings import Iterations, Options, StoppedError, rule_callback
from symgd.formula.nodes import Node
from symgd.model.bounds import ParameterBox
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals
from symgd.model.result import Status
from symgd.solvers import newton
from symgd.solvers.newton import NewtonResult
from symgd.solvers.objectives import Mask, Matrix, Vector

NONSMOOTH = "none, since the loss has kinks"
NO_MINIMUM = "none, since the loss has no minimum"


@dataclass(frozen=True)
class Inference:
    """The model of a fit, and how to compute its standard errors at the minimum.

    basis: that in words. covariance: the covariance and a condition number at the minimum; None:
    the inverse Hessian. problem: for a loss of residuals, their least-squares problem; None: the
    loss is a negative log-likelihood. factor: -log L divided by the loss as typed.
    """

    model: Model
    options: Options
    basis: str
    covariance: Callable[[NewtonResult, Mask], tuple[Matrix, float]] | None = None
    problem: LeastSquaresProblem | None = None
    factor: float = 1.0


def by_newton(
    inference: Inference, root: Node, starts: Sequence[Sequence[float]], start: Sequence[float]
) -> FitResult:
    """The minimum of the loss `root` by Newton's method, from the first start that converges.

    start: the start of the result where none converges. Nonsmooth losses are smoothed.
    """
    model, box = inference.model, inference.model.box

    def objective_of(node: Node) -> LossObjective:
        return LossObjective(_loss_of(model, node), inference.factor)

    objective = objective_of(root)
    best: tuple[NewtonResult, Status, str] | None = None
    nonsmooth, most = False, inference.options.steps or 200
    last = Iterations(model.params)
    try:
        for begin in starts:
            if best is not None and best[1] is Status.CONVERGED:
                break
            result = newton.minimize(objective, begin, box, most, callback=last)
            if result is None:
                continue
            status, message = newton_certificate(result, box)
            if best is None or status is Status.CONVERGED:
                best, start = (result, status, message), begin
    except (KeyboardInterrupt, StoppedError) as error:
        if last.x is None:
            raise
        result = newton.evaluate_at(objective, last.x.tolist(), box, last.step)
        return _assemble(inference, objective, start, result, *last.ended(error))
    if best is None or best[1] is not Status.CONVERGED:
        points = [*starts, *([] if best is None else [best[0].x])]
        smoothed = smoothing.minimize(model.graph, root, objective_of, points, box)
        if smoothed is not None:
            best, nonsmooth = (smoothed[0], Status.STALLED, smoothed[1]), True
    if best is None:
        raise ArgumentError("the loss or its derivatives are not finite at the start; give --start")
    return _assemble(inference, objective, start, *best, nonsmooth)


def by_rule(inference: Inference, root: Node, start: Sequence[float], factor: float) -> FitResult:
    """The minimum of the loss `root`, of which `factor` times is -log L, by a rule."""
    model = inference.model
    x, steps, status, message = descend_by_rule(model, root, inference.options, start)
    objective = LossObjective(_loss_of(model, root), factor)
    result = newton.evaluate_at(objective, x.tolist(), model.box, steps)
    certified, sentence = newton_certificate(result, model.box)
    if certified is Status.CONVERGED:
        status, message = certified, sentence
    return _assemble(inference, objective, start, result, status, message)


def descend_by_rule(
    model: Model, root: Node, options: Options, start: Sequence[float]
) -> tuple[Vector, int, Status, str]:
    """The end of the descent on the loss `root`: the point, the steps, the status, a message."""
    from symgd.descent.descend import descend
    from symgd.descent.methods import METHODS
    from symgd.model.catalogue import CATALOGUE

    low, high = model.box.low, model.box.high
    bounded = np.isfinite([low, high]).any()
    box = ParameterBox(tuple(low.tolist()), tuple(high.tolist())) if bounded else None
    loss = Loss.of(_loss_of(model, root, box), model.text, model.columns)
    chosen: dict[str, Any] = {"method": options.method}
    if options.steps is not None:
        chosen["steps"] = options.steps
    if options.method not in METHODS:
        usual = CATALOGUE[options.method].lr if options.method in CATALOGUE else 0.01
        chosen = {"rule": options.method, "lr": usual if options.lr is None else options.lr}
        chosen |= {"steps": options.steps or 1000, "batch": options.batch, "seed": options.seed}
    begin = model.box.clip(start).tolist()
    chosen |= {"backend": model.rows.backend, "callback": rule_callback()}
    result = descend(loss, start=begin, **chosen)
    sentence = f"{result.message}; {result.verdict.sentence}"
    return result.x, result.steps, result.status, sentence


def _loss_of(model: Model, root: Node, box: ParameterBox | None = None) -> LossInternals:
    return LossInternals(model.graph, root, model.leaves, model.rows, by_rows=True, box=box)


def _assemble(
    inference: Inference,
    objective: LossObjective,
    start: Sequence[float],
    result: NewtonResult,
    status: Status,
    message: str,
    nonsmooth: bool = False,
) -> FitResult:
    """The result of a fit; DIVERGED where an uncertified loss is unbounded below."""
    model, problem, method = inference.model, inference.problem, inference.options.method
    if status not in (Status.CONVERGED, Status.INTERRUPTED, Status.STOPPED):
        points = [np.array(start), np.array(result.x)]
        sentence = unboundedness.unbounded_direction(objective, points, model.box, model.params)
        if sentence is not None:
            status, message = Status.DIVERGED, sentence
    free, hessian = model.box.free(result.x, result.gradient), np.array(result.hessian)
    unbounded = status is Status.DIVERGED
    if nonsmooth or unbounded:
        matrix, condition = np.full_like(hessian, math.nan), 1.0
    elif inference.covariance is None:
        matrix, condition = statistics.inverse_hessian(hessian, free)
    else:
        matrix, condition = inference.covariance(result, free)
    determined = result.definite or nonsmooth or unbounded
    more_warnings: list[str] = []
    if status not in (Status.CONVERGED, Status.DIVERGED) and not nonsmooth:
        more_warnings += run_away(objective, result.x, model.params)
    return assemble(
        model,
        np.array(result.x),
        matrix,
        free=free,
        condition=condition,
        unknown=[] if determined else statistics.undetermined(hessian, free),
        start=start,
        status=status,
        message=message,
        more_warnings=more_warnings,
        n=model.table.rows if problem is None else problem.response_summary.counted,
        loss=result.value,
        rss=None if problem is None else problem.residuals.rss(result.x),
        tss=None,
        log_likelihood=-result.value if problem is None and not unbounded else None,
        steps=result.steps,
        method="newton" if method == "lm" else method,
        factor=inference.factor,
        deviance=LossDeviance(objective, model.box)
        if problem is None and status is Status.CONVERGED
        else None,
        basis=NO_MINIMUM if unbounded else NONSMOOTH if nonsmooth else inference.basis,
    )
