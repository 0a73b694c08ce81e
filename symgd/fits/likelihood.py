"""A whole loss as a fit: least squares where it is a sum of squares, else a log-likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from symgd import names
from symgd.errors import ArgumentError
from symgd.fits.fit_result import FitResult
from symgd.fits.least_squares import least_squares
from symgd.fits.least_squares_problem import build_problem
from symgd.fits.minimize_loss import Inference, by_newton, by_rule
from symgd.fits.model_reader import ModelReader, derived_parameters, read_bounds
from symgd.fits.regression_model import Model
from symgd.fits.settings import Options, place_start
from symgd.formula.nodes import ROWS, Column, Name, Node, RowMean, RowSum, float_of, topological
from symgd.model.data_binding import open_columns
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals

HESSIAN = "the inverse Hessian, right where the loss is -log L"
HESSIAN_OF_MEAN = "the inverse Hessian of n times the loss, right where that is -log L"


def fit_loss(text: str, data: Any, options: Options) -> FitResult:
    """The minimum of a loss: least squares where it is a bare sum of squares, else -log L."""
    free_loss = _read_loss(text, data, options)
    loss = free_loss.loss
    if not loss.params:
        raise ArgumentError("the loss has no free parameter")
    squares = _as_least_squares(free_loss, options)
    if squares is not None and options.method != "newton":
        return least_squares(build_problem(squares), options)
    model = _model(free_loss, options, free_loss.typed, free_loss.typed)  # predicts the loss
    factor = float(model.table.rows) if _is_mean(loss.internals.root) else 1.0
    given = place_start(options.start, model.params)
    basis = HESSIAN if factor == 1.0 else HESSIAN_OF_MEAN
    inference = Inference(options, basis, factor=factor)
    starts = [[given.get(p, v) for p in model.params] for v in (0.0, 0.1, 1.0, -0.1, 10.0)]
    if options.by_rule:
        return by_rule(model, loss.internals.root, starts[0], factor, inference)
    if len(given) == len(model.params):
        starts = starts[:1]
    return by_newton(model, loss.internals.stable, factor, starts, starts[0], inference)


def _is_mean(root: Node) -> bool:
    """Whether all outermost sums over rows are means."""
    outer = topological([root], reads=lambda n: () if n.func in (RowSum, RowMean) else n.args)
    return all(n.func is not RowSum for n in outer)


@dataclass(frozen=True)
class _FreeLoss:
    """A loss over its free parameters.

    derived: fixed and tied parameters as nodes of these. typed: the loss with all of them.
    """

    loss: Loss
    derived: Mapping[str, Node]
    typed: Node


def _read_loss(text: str, data: Any, options: Options) -> _FreeLoss:
    """The loss `text` over `data`, with fixed and tied parameters substituted."""
    own = options.parameter_names
    opened, columns = open_columns(data)
    loss = Loss(text, opened, params=own, drop_missing=options.drop_missing)
    read = loss.internals.by_rows()
    loss = loss.around(read)
    assert read.rows is not None
    read.rows.backend, read.rows.threads = options.backend, options.threads
    if not (options.fixed or options.tied):
        return _FreeLoss(loss, {}, read.root)
    reader = ModelReader(columns, own, read.graph)
    reader.variables = dict(zip(read.params, read.leaves, strict=True))
    params = dict(reader.variables)
    derived = derived_parameters(reader, params, options)
    unknown = next((c for c in reader.columns if c not in loss.columns), None)
    if unknown is not None:
        shown = names.escape(unknown)
        raise ArgumentError(f"a tied parameter reads the column '{shown}', which the loss does not")
    free = {params[n]: node for n, node in derived.items()}
    (root,) = read.graph.replace([read.root], free)
    leaves = [params[n] for n in sorted((n for n in params if n not in derived), key=names.natural)]
    internals = LossInternals(read.graph, root, leaves, read.rows, by_rows=True)
    return _FreeLoss(loss.around(internals), derived, read.root)


def _as_least_squares(given: _FreeLoss, options: Options) -> Model | None:
    """The model whose squared residuals the loss sums or averages, or None."""
    loss = given.loss.internals
    root = loss.root
    if root.func not in (RowSum, RowMean):
        return None
    (term,) = root.args
    if term.func is not sympy.Pow or float_of(term.args[1]) != 2:
        return None
    assert loss.rows is not None
    (residual,) = loss.rows.settle(loss.rows.lower([term.args[0]]))
    if any(n.func is RowSum for n in topological([residual])):
        return None
    known = [t for t in _terms(residual) if _is_data(t)]
    response = loss.graph.add(*known) if known else loss.graph.number(0.0)
    # r = response - predicted
    rest = [t for t in _terms(residual) if not _is_data(t)]
    return _model(given, options, loss.graph.neg(loss.graph.add(*rest)), response)


def _terms(node: Node) -> list[Node]:
    return list(node.args) if node.func is sympy.Add else [node]


def _is_data(term: Node) -> bool:
    """Whether a term holds a column and no parameter."""
    leaves = [n for n in topological([term]) if isinstance(n, Name)]
    return bool(leaves) and all(isinstance(n, Column) or n is ROWS for n in leaves)


def _model(given: _FreeLoss, options: Options, predicted: Node, response: Node) -> Model:
    loss = given.loss
    assert loss.internals.rows is not None
    return Model(
        text=loss.text,
        rows=loss.internals.rows,
        predicted=predicted,
        response=response,
        leaves=loss.internals.leaves,
        box=read_bounds(options.bounds, loss.params, [*loss.params, *given.derived]),
        columns=loss.columns,
        derived=given.derived,
        typed=given.typed,
    )
