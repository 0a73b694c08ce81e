"""Losses that are no sums of squares: of the residual, or whole, as -log L."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgd.calculus.row_sums import lower
from symgd.calculus.stabilize import stabilize
from symgd.errors import ArgumentError
from symgd.fits import divergence, smoothing, statistics
from symgd.fits.assemble import Pieces, assemble
from symgd.fits.certificate import newton_certificate
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares import least_squares
from symgd.fits.least_squares_problem import Squares, read_box, read_squares
from symgd.fits.loss_model import as_model, as_squares, read_loss
from symgd.fits.nested_sums import total_gradient
from symgd.fits.objective import Objective
from symgd.fits.qr_reduction import RowFunction
from symgd.fits.regression_model import Model, Options
from symgd.fits.rule_fit import descend_on
from symgd.fits.settings import Settings, place_start
from symgd.formula.nodes import Node, RowMean, RowSum, topological
from symgd.model.result import Status
from symgd.solvers import levenberg_marquardt, newton

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]
    _Covariance = Callable[[newton.Found, NDArray[np.bool_]], tuple[Vector, float]]


SANDWICH = "the sandwich H**-1 (sum g g') H**-1 * n/(n - p), whatever the errors' law"
NONE = "none, since the loss has kinks"
NO_MINIMUM = "none, since the loss has no minimum"
CURVATURE = "the inverse Hessian, right where the loss is -log L"
CURVATURE_OF_MEAN = "the inverse Hessian of n times the loss, right where that is -log L"


@dataclass(frozen=True)
class _Ways:
    """How to go on and what to make of the end.

    covariance: from the end, if it is not the inverse Hessian. squares: for a loss of residuals,
    the problem that they are of. basis: what the standard errors are, in words. factor: what -log L
    is of the loss as it was typed.
    """

    settings: Settings
    covariance: _Covariance | None = None
    squares: Squares | None = None
    basis: str = ""
    factor: float = 1.0


def robust(squares: Squares, settings: Settings) -> FitResult:
    """A loss of the residual: from the least-squares fit on, with the sandwich covariance."""
    model = squares.model
    graph = model.graph
    assert model.loss is not None
    assert model.residual is not None
    difference = graph.sub(model.response, model.predicted)
    if model.sigma is not None:
        difference = graph.div(difference, model.sigma)
    (term,) = graph.replace([model.loss], {model.residual: difference})
    if model.weight is not None and model.sigma is None:
        term = graph.mul(model.weight, term)
    whole = term if model.inner is None else model.inner.whole(term)
    if model.inner is not None and settings.batch is not None:
        raise ArgumentError("a sum inside the model is of all rows, not of those of a batch")
    root = lower(graph, stabilize(graph, [graph.node(RowSum, whole)]))[0]
    given = place_start(settings.start, model.params)
    guess = squares.starter.default() if len(given) < len(model.params) else []
    start = [given.get(p, guess[k] if guess else 0.0) for k, p in enumerate(model.params)]
    begin = start
    if settings.start is None and settings.method in ("lm", "newton"):
        ended = levenberg_marquardt.minimize(squares.residuals, start, squares.box)
        begin = start if ended is None else ended.x.tolist()
    inner = model.inner
    slopes = total_gradient(graph, term, model.leaves, inner)

    def covariance(found: newton.Found, free: NDArray[np.bool_]) -> tuple[Vector, float]:
        inverse, condition = statistics.inverse_hessian(found.hessian, free)
        meat = np.zeros((len(begin), len(begin)))
        more = [] if inner is None else inner.inputs
        function = RowFunction(model.rows, [*model.leaves, *more], slopes)
        x = found.x.tolist()
        for count, columns in function.blocks([*x, *(inner.values(x) if inner else [])]):
            g = np.column_stack([np.broadcast_to(c, count) for c in columns])
            meat += g.T @ g
        n, p = squares.totals.counted, len(begin)
        filled = np.where(np.isnan(inverse), 0.0, inverse)
        sandwich = filled @ meat @ filled * (n / (n - p) if n > p else math.nan)
        return np.where(np.isnan(inverse), math.nan, sandwich), condition

    ways = _Ways(settings, covariance, squares, SANDWICH)
    if settings.method not in ("lm", "newton"):
        return _by_descent(model, graph.node(RowMean, whole), start, float(model.table.rows), ways)
    return _by_newton(model, root, 1.0, [begin], start, ways)


def fit_loss(text: str, data: Any, options: Options, settings: Settings) -> FitResult:
    """A whole loss: least squares where it is a bare sum of squares, else -log L."""
    given = read_loss(text, data, options)
    loss = given.loss
    if not loss.params:
        raise ArgumentError("the loss has no free parameter")
    squares = as_squares(given, options)
    if squares is not None and settings.method != "newton":
        return least_squares(read_squares(squares), settings)
    model = as_model(given, options)
    factor = float(model.table.rows) if _is_mean(loss.internals.root) else 1.0
    told = place_start(settings.start, model.params)
    basis = CURVATURE if factor == 1.0 else CURVATURE_OF_MEAN
    ways = _Ways(settings, basis=basis, factor=factor)
    starts = [[told.get(p, v) for p in model.params] for v in (0.0, 0.1, 1.0, -0.1, 10.0)]
    if settings.method not in ("lm", "newton"):
        return _by_descent(model, loss.internals.root, starts[0], factor, ways)
    if len(told) == len(model.params):
        starts = starts[:1]
    return _by_newton(model, loss.internals.stable, factor, starts, starts[0], ways)


def _is_mean(root: Node) -> bool:
    """Whether all outermost sums over rows are means."""
    inner = {id(n) for s in topological([root]) if s.func in (RowSum, RowMean)
             for n in topological(s.args)}  # fmt: skip
    outer = [n for n in topological([root]) if n.func in (RowSum, RowMean) and id(n) not in inner]
    return all(n.func is RowMean for n in outer)


def _by_newton(
    model: Model,
    root: Node,
    factor: float,
    starts: Sequence[Sequence[float]],
    start: Sequence[float],
    ways: _Ways,
) -> FitResult:
    objective = Objective(model.graph, model.rows, model.leaves, root, factor)
    box = read_box(model)
    best: tuple[newton.Found, Status, str] | None = None
    for begin in starts:
        if best is not None and best[1] is Status.CONVERGED:
            break
        found = newton.minimize(objective, begin, box, ways.settings.steps or 200)
        if found is None:
            continue
        status, message = newton_certificate(model, found, box)
        if best is None or status is Status.CONVERGED:
            best, start = (found, status, message), begin
    if best is None or best[1] is not Status.CONVERGED:

        def objective_of(node: Node) -> Objective:
            return Objective(model.graph, model.rows, model.leaves, node, factor)

        points = [*starts, *([] if best is None else [best[0].x.tolist()])]
        kinked = smoothing.minimize(model.graph, root, objective_of, points, box)
        if kinked is not None:
            best = (kinked[0], Status.STALLED, kinked[1])
    if best is None:
        raise ArgumentError("the loss or its derivatives are not finite at the start; give --start")
    told = _unbounded(model, objective, best[1], [start, best[0].x.tolist()])
    return _result(model, best[0], *(told or best[1:]), start, ways)


def _unbounded(
    model: Model, objective: Objective, status: Status, points: Sequence[Sequence[float]]
) -> tuple[Status, str] | None:
    """What is said instead where there is no minimum because the loss has no bound."""
    if status is Status.CONVERGED:
        return None
    box = read_box(model)
    told = divergence.falls(objective, [np.array(p) for p in points], box, model.params)
    return None if told is None else (Status.DIVERGED, told)


def _by_descent(
    model: Model, root: Node, start: Sequence[float], factor: float, ways: _Ways
) -> FitResult:
    """By a rule on the loss `root`, of which `factor` times is -log L."""
    x, steps, status, message = descend_on(model, root, ways.settings, start)
    stable = lower(model.graph, stabilize(model.graph, [root]))[0]
    objective = Objective(model.graph, model.rows, model.leaves, stable, factor)
    box = read_box(model)
    found = newton.at(objective, x, box, steps)
    certified, told = newton_certificate(model, found, box)
    if certified is Status.CONVERGED:
        status, message = certified, told
    runs = _unbounded(model, objective, status, [start, x.tolist()])
    return _result(model, found, *(runs or (status, message)), start, ways)


def _result(
    model: Model,
    found: newton.Found,
    status: Status,
    message: str,
    start: Sequence[float],
    ways: _Ways,
) -> FitResult:
    free = read_box(model).free(found.x, found.gradient)
    squares = ways.squares
    definite = found.definite or found.kinked or status is Status.DIVERGED
    if found.kinked:
        matrix, condition = np.full_like(found.hessian, math.nan), 1.0
    elif ways.covariance is None:
        matrix, condition = statistics.inverse_hessian(found.hessian, free)
    else:
        matrix, condition = ways.covariance(found, free)
    basis = NONE if found.kinked else ways.basis
    if status is Status.DIVERGED:
        condition, basis = 1.0, NO_MINIMUM
        matrix = np.full_like(matrix, math.nan)
    rows, count = model.table.rows if squares is None else squares.totals.counted, len(model.params)
    rss = None if squares is None else squares.residuals.rss(found.x.tolist())
    dof = rows - count
    likelihood = squares is None and status is not Status.DIVERGED
    method = ways.settings.method
    return assemble(
        Pieces(
            model=model,
            x=found.x,
            covariance=matrix,
            held=~free,
            condition=condition,
            unknown=[] if definite else statistics.undetermined(found.hessian, free),
            rows=rows,
            dof=dof,
            loss=found.value,
            rss=rss,
            sigma=math.sqrt(rss / dof) if rss is not None and dof > 0 else None,
            r2=None,
            aic=2 * count + 2 * found.value if likelihood else None,
            bic=count * math.log(rows) + 2 * found.value if likelihood else None,
            status=status,
            message=message,
            steps=found.steps,
            method="newton" if method == "lm" else method,
            start=start,
            factor=ways.factor,
            basis=basis,
        )
    )
