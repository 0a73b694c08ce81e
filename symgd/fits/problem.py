"""A model as a least-squares problem: residuals, Jacobian, bounds, checked weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symgd.errors import DataError
from symgd.fits.levenberg import Box
from symgd.fits.model import Model
from symgd.fits.reduction import Residuals, RowFunction
from symgd.fits.starts import Starter
from symgd.gradient import gradient
from symgd.nodes import Column, Node, topological


@dataclass(frozen=True)
class Squares:
    """The parts of a least-squares problem. residual: sqrt(weight)*(predicted - response)."""

    model: Model
    residual: Node
    slopes: list[Node]
    residuals: Residuals
    box: Box

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
    """The least-squares problem of a model."""
    graph = model.graph
    residual = graph.sub(model.predicted, model.response)
    if model.weight is not None:
        check_weights(model)
        residual = graph.mul(graph.sqrt(model.weight), residual)
    slopes = gradient(graph, residual, model.atoms)
    residuals = Residuals(model.rows, model.leaves, residual, slopes)
    return Squares(model, residual, slopes, residuals, read_box(model))


def read_box(model: Model) -> Box:
    """The bounds of the free parameters."""
    return Box(np.array(model.low), np.array(model.high))


def check_weights(model: Model) -> None:
    """Refuse a weight that is negative or not finite, with its row."""
    row = 0
    for count, (weight,) in RowFunction(model.rows, [], [model.weight]).blocks([]):
        (bad,) = np.nonzero(~((np.broadcast_to(weight, count) >= 0) & np.isfinite(weight)))
        if len(bad):
            place = f"the weight in row {row + int(bad[0]) + 1:,}"
            raise DataError(f"{place} is negative or not finite")
        row += count
