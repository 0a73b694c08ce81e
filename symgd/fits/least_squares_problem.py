"""A model as a least-squares problem: residuals, Jacobian, bounds, checked weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from symgd._locks import cached_property
from symgd.fits.initial_guess import Starter
from symgd.fits.nested_sums import total_gradient
from symgd.fits.qr_reduction import Residuals, RowFunction
from symgd.fits.regression_model import Model
from symgd.fits.summary_statistics import Totals, totals
from symgd.formula.nodes import Column, Node, topological
from symgd.model.data_binding import RowData
from symgd.solvers.objectives import Box


@dataclass(frozen=True)
class Squares:
    """The parts of a least-squares problem.

    residual: sqrt(weight)*(predicted - response). observed: response, weight and sigma by row.
    """

    model: Model
    residual: Node
    slopes: list[Node]
    residuals: Residuals
    box: Box
    observed: RowFunction

    def on(self, rows: RowData) -> Squares:
        """The same problem over other rows of the same columns; nothing is compiled anew."""
        model = replace(self.model, rows=rows)
        residuals, observed = self.residuals.on(rows), self.observed.on(rows)
        return replace(self, model=model, residuals=residuals, observed=observed)

    @cached_property
    def totals(self) -> Totals:
        """Of the response and its weights, or DataError for a weight that is none."""
        return totals(self.observed)

    @property
    def starter(self) -> Starter:
        """Finds where to begin."""
        model = self.model
        used = _columns(topological([model.predicted]))
        return Starter(
            self.residuals, model.rows, model.leaves, self.residual, self.slopes, self.box, used
        )


def _columns(order: Sequence[Node]) -> list[str]:
    return [n.text for n in order if isinstance(n, Column)]


def read_squares(model: Model) -> Squares:
    """The least-squares problem of a model, its weights unchecked."""
    graph = model.graph
    residual = graph.sub(model.predicted, model.response)
    if model.weight is not None:
        residual = graph.mul(graph.sqrt(model.weight), residual)
    slopes = total_gradient(graph, residual, model.leaves, model.inner)
    residuals = Residuals(model.rows, model.leaves, residual, slopes, model.inner)
    outputs = [n for n in (model.response, model.weight, model.sigma) if n is not None]
    observed = RowFunction(model.rows, [], outputs)
    return Squares(model, residual, slopes, residuals, read_box(model), observed)


def read_box(model: Model) -> Box:
    """The bounds of the free parameters."""
    return Box(np.array(model.low), np.array(model.high))
