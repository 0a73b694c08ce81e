"""A whole loss as the negative log-likelihood of its parameters."""

from __future__ import annotations

from typing import Any

from symgd.errors import ArgumentError
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares import least_squares
from symgd.fits.least_squares_problem import build_problem
from symgd.fits.loss_model import as_least_squares, as_model, read_loss
from symgd.fits.minimize_loss import Inference, by_newton, by_rule
from symgd.fits.settings import Options, Settings, place_start
from symgd.formula.nodes import Node, RowMean, RowSum, topological

HESSIAN = "the inverse Hessian, right where the loss is -log L"
HESSIAN_OF_MEAN = "the inverse Hessian of n times the loss, right where that is -log L"


def fit_loss(text: str, data: Any, options: Options, settings: Settings) -> FitResult:
    """The minimum of a loss: least squares where it is a bare sum of squares, else -log L."""
    free_loss = read_loss(text, data, options)
    loss = free_loss.loss
    if not loss.params:
        raise ArgumentError("the loss has no free parameter")
    squares = as_least_squares(free_loss, options)
    if squares is not None and settings.method != "newton":
        return least_squares(build_problem(squares), settings)
    model = as_model(free_loss, options)
    factor = float(model.table.rows) if _is_mean(loss.internals.root) else 1.0
    given = place_start(settings.start, model.params)
    basis = HESSIAN if factor == 1.0 else HESSIAN_OF_MEAN
    inference = Inference(settings, basis, factor=factor)
    starts = [[given.get(p, v) for p in model.params] for v in (0.0, 0.1, 1.0, -0.1, 10.0)]
    if settings.method not in ("lm", "newton"):
        return by_rule(model, loss.internals.root, starts[0], factor, inference)
    if len(given) == len(model.params):
        starts = starts[:1]
    return by_newton(model, loss.internals.stable, factor, starts, starts[0], inference)


def _is_mean(root: Node) -> bool:
    """Whether all outermost sums over rows are means."""
    inner = {id(n) for s in topological([root]) if s.func in (RowSum, RowMean)
             for n in topological(s.args)}  # fmt: skip
    outer = [n for n in topological([root]) if n.func in (RowSum, RowMean) and id(n) not in inner]
    return all(n.func is RowMean for n in outer)
