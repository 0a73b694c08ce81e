"""Robust regression: a loss of the residual, such as huber(r, 1), in place of r**2."""

from __future__ import annotations

import math

from symgd._numpy import np
from symgd.fits import statistics
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares_problem import LeastSquaresProblem
from symgd.fits.minimize_loss import Inference, by_newton, by_rule
from symgd.fits.nested_sums import total_gradient
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.settings import Options
from symgd.formula.nodes import Node, RowMean, RowSum
from symgd.solvers import levenberg_marquardt
from symgd.solvers.newton import NewtonResult
from symgd.solvers.objectives import Mask, Matrix

SANDWICH = "the sandwich H**-1 (sum g g') H**-1 * n/(n - p), whatever the errors' law"


def robust(problem: LeastSquaresProblem, options: Options) -> FitResult:
    """The minimum of the sum of a loss of the residuals, from the least-squares fit on."""
    model, graph = problem.model, problem.model.graph
    term = _loss_of_row(problem)
    restored = model.restored(term, options.batch)
    start, *_ = problem.start(options)

    def covariance(result: NewtonResult, free: Mask) -> tuple[Matrix, float]:
        return _sandwich(problem, term, result, free)

    inference = Inference(model, options, SANDWICH, covariance, problem)
    if options.by_rule:
        mean = graph.node(RowMean, restored)
        return by_rule(inference, mean, start, float(model.table.rows))
    begin = start
    if options.start is None:
        minimum = levenberg_marquardt.minimize(problem.residuals, start, problem.box)
        begin = start if minimum is None else minimum.x.tolist()
    root = model.rows.lower([graph.node(RowSum, restored)])[0]
    return by_newton(inference, root, [begin], start)


def _loss_of_row(problem: LeastSquaresProblem) -> Node:
    """The loss of one row over parameters, nested sums and columns."""
    model, graph = problem.model, problem.model.graph
    assert model.loss is not None
    assert model.residual is not None
    difference = graph.sub(model.response, model.predicted)
    if model.sigma is not None:
        difference = graph.div(difference, model.sigma)
    (term,) = graph.replace([model.loss], {model.residual: difference})
    if model.weight is not None and model.sigma is None:
        term = graph.mul(model.weight, term)
    return term


def _sandwich(
    problem: LeastSquaresProblem, term: Node, result: NewtonResult, free: Mask
) -> tuple[Matrix, float]:
    """The sandwich covariance, and the condition number of the Hessian H."""
    model, nested = problem.model, problem.model.nested
    inverse, condition = statistics.inverse_hessian(np.array(result.hessian), free)
    inputs, x = list(model.leaves), result.x
    if nested is not None:
        inputs, x = [*inputs, *nested.inputs], [*x, *nested.values(x)]
    derivatives = total_gradient(model.graph, term, model.leaves, nested)
    meat = np.zeros((len(free), len(free)))
    for count, columns in PerRowFunction(model.rows, inputs, derivatives).blocks(x):
        g = np.column_stack([np.broadcast_to(c, count) for c in columns])
        meat += g.T @ g
    n, p = problem.response_summary.counted, len(free)
    filled = np.where(np.isnan(inverse), 0.0, inverse)
    sandwich = filled @ meat @ filled * (n / (n - p) if n > p else math.nan)
    return np.where(np.isnan(inverse), math.nan, sandwich), condition
