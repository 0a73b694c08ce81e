"""A loss as the model of a fit: as it is, or as the residual whose squares it sums."""

from __future__ import annotations

import sympy

from symgd.fits.model import Model, Options, read_bounds
from symgd.loss import Loss
from symgd.nodes import ROWS, Column, Name, Node, RowMean, RowSum, float_of, topological
from symgd.rows import lower
from symgd.stable import stabilize


def as_model(loss: Loss, options: Options) -> Model:
    """The parts of a loss that a fit needs; what is predicted is the loss itself."""
    return _model(loss, options, loss.root, loss.root)


def as_squares(loss: Loss, options: Options) -> Model | None:
    """The model whose squared residuals the loss sums or averages, or None."""
    root = loss.root
    if root.func not in (RowSum, RowMean):
        return None
    (term,) = root.args
    if term.func is not sympy.Pow or float_of(term.args[1]) != 2:
        return None
    (residual,) = lower(loss.graph, stabilize(loss.graph, [term.args[0]]))
    assert loss.rows is not None
    (residual,) = loss.rows.settle([residual])
    if any(n.func is RowSum for n in topological([residual])):
        return None
    known = [t for t in _terms(residual) if _is_data(t)]
    response = loss.graph.add(*known) if known else loss.graph.number(0.0)
    # r = response - predicted
    rest = [t for t in _terms(residual) if not _is_data(t)]
    return _model(loss, options, loss.graph.neg(loss.graph.add(*rest)), response)


def _terms(node: Node) -> list[Node]:
    return list(node.args) if node.func is sympy.Add else [node]


def _is_data(term: Node) -> bool:
    """Whether a term holds a column and no parameter."""
    leaves = [n for n in topological([term]) if isinstance(n, Name)]
    return bool(leaves) and all(isinstance(n, Column) or n is ROWS for n in leaves)


def _model(loss: Loss, options: Options, predicted: Node, response: Node) -> Model:
    assert loss.rows is not None
    named = dict(zip(loss.params, loss.leaves, strict=True))
    low, high = read_bounds(options.bounds or {}, loss.params, named)
    return Model(
        text=loss.text,
        graph=loss.graph,
        rows=loss.rows,
        predicted=predicted,
        response=response,
        weight=None,
        params=loss.params,
        leaves=loss.leaves,
        columns=loss.columns,
        low=low,
        high=high,
        derived={},
        typed=loss.root,
    )
