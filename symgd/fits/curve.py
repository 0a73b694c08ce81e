"""A fitted model as a curve: its values, their standard errors, and the data that it was fitted to.

The error of the curve at a point is that of the parameters, carried over linearly: the root of
g' C g with the slopes g of the model in the parameters and their covariance C.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from symgd.fits.model import Model
from symgd.fits.reduction import RowFunction
from symgd.gradient import gradient
from symgd.nodes import Column, Node, topological
from symgd.rowdata import RowData, open_columns, read_columns

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """The model with these parameters x, (P,), and their covariance, (P, P), nan where unknown."""

    model: Model
    x: Vector
    covariance: Vector

    @property
    def predictors(self) -> tuple[str, ...]:
        """The columns on the model's right side."""
        return tuple(n.text for n in topological([self.model.predicted]) if isinstance(n, Column))

    @property
    def response(self) -> str:
        """What is predicted, as it was typed."""
        left, equals, _ = self.model.text.partition("=")
        return left.strip() if equals else "observed"

    def rows(self) -> tuple[Vector, Vector]:
        """(observed, predicted) at the rows of the fit: (N,) each."""
        nodes = [self.model.response, self.model.predicted]
        observed, predicted = self._values(self.model.rows, nodes)
        return observed, predicted

    def column(self, name: str) -> Vector:
        """A column of the fit's rows: (N,)."""
        blocks = [np.asarray(b[name], dtype=np.float64) for b in self.model.table.blocks()]
        return np.concatenate(blocks)

    def at(self, data: Any) -> tuple[Vector, Vector]:
        """(predicted, its standard error) at rows of other data; the error nan where unknown."""
        model = self.model
        opened, _ = open_columns(data)
        rows = RowData(model.graph, read_columns(opened, self.predictors, drop_missing=False))
        rows.values.update(model.rows.values)  # means inside the model are those of the fit
        slopes = gradient(model.graph, model.predicted, model.atoms)
        predicted, *columns = self._values(rows, [model.predicted, *slopes])
        known = np.isfinite(np.diag(self.covariance))
        if not known.any() or not len(columns):
            return predicted, np.full(len(predicted), np.nan)
        g = np.stack(columns)[known]
        covariance = self.covariance[np.ix_(known, known)]
        with np.errstate(invalid="ignore", over="ignore"):
            return predicted, np.sqrt(np.einsum("ik,ij,jk->k", g, covariance, g))

    def _values(self, rows: RowData, nodes: Sequence[Node]) -> list[Vector]:
        function = RowFunction(rows, self.model.leaves, nodes)
        parts: list[list[Vector]] = [[] for _ in nodes]
        for count, values in function.blocks(self.x.tolist()):
            for part, value in zip(parts, values, strict=True):
                part.append(np.broadcast_to(np.asarray(value, dtype=np.float64), count))
        return [np.concatenate(part) for part in parts]
