"""A loss as the model of a fit: as it is, or as the residual of its sum of squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from symgd import names
from symgd.errors import ArgumentError
from symgd.fits.model_reader import ModelReader, derived_parameters, read_bounds
from symgd.fits.regression_model import Model
from symgd.fits.settings import Options
from symgd.formula.nodes import ROWS, Column, Name, Node, RowMean, RowSum, float_of, topological
from symgd.model.data_binding import open_columns
from symgd.model.loss import Loss
from symgd.model.loss_internals import LossInternals


@dataclass(frozen=True)
class FreeLoss:
    """A loss over its free parameters.

    derived: fixed and tied parameters as nodes of these. typed: the loss with all of them.
    """

    loss: Loss
    derived: Mapping[str, Node]
    typed: Node


def read_loss(text: str, data: Any, options: Options) -> FreeLoss:
    """The loss `text` over `data`, with fixed and tied parameters substituted."""
    own = options.parameter_names
    opened, columns = open_columns(data)
    loss = Loss(text, opened, params=own, drop_missing=options.drop_missing)
    read = loss.internals.by_rows()
    loss = loss.around(read)
    assert read.rows is not None
    read.rows.backend, read.rows.threads = options.backend, options.threads
    if not (options.fixed or options.tied):
        return FreeLoss(loss, {}, read.root)
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
    return FreeLoss(loss.around(internals), derived, read.root)


def as_model(given: FreeLoss, options: Options) -> Model:
    """The loss as a model that predicts the loss itself."""
    return _model(given, options, given.typed, given.typed)


def as_least_squares(given: FreeLoss, options: Options) -> Model | None:
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


def _model(given: FreeLoss, options: Options, predicted: Node, response: Node) -> Model:
    loss = given.loss
    assert loss.internals.rows is not None
    named: dict[str, Any] = dict(zip(loss.params, loss.internals.leaves, strict=True)) | dict(
        given.derived
    )
    return Model(
        text=loss.text,
        rows=loss.internals.rows,
        predicted=predicted,
        response=response,
        leaves=loss.internals.leaves,
        box=read_bounds(options.bounds or {}, loss.params, named),
        columns=loss.columns,
        derived=given.derived,
        typed=given.typed,
    )
