"""A fitted model as a curve: its values, their standard errors, and the data that it was fitted to.

The error of the curve at a point is that of the parameters, carried over linearly: the root of
g' C g with the slopes g of the model in the parameters and their covariance C.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from symgd.fits.nested_sums import total_gradient
from symgd.fits.qr_reduction import RowFunction
from symgd.fits.regression_model import Model
from symgd.formula.graph import Graph
from symgd.formula.nodes import Column, Name, Node, topological
from symgd.formula.pickling import Packed, pack, unpack
from symgd.model.data_binding import RowData, open_columns, read_columns
from symgd.solvers.objectives import Vector


@dataclass(frozen=True)
class Curve:
    """The model with these parameters x, (P,), and their covariance, (P, P), nan where unknown.

    text: the model as it was typed. fitted: its rows. predicted, observed, and the slopes of
    the former: nodes of their graph over the parameters `leaves`. It pickles, rows included.
    """

    text: str
    fitted: RowData
    predicted: Node
    observed: Node
    slopes: Sequence[Node]
    leaves: tuple[Name, ...]
    x: Vector
    covariance: Vector

    @staticmethod
    def of(model: Model, x: Vector, covariance: Vector) -> Curve:
        """The curve of a fitted model."""
        rows, inner = model.rows, model.inner
        if inner is not None:  # from here on numbers, as the means of columns are
            rows = replace(rows, values=dict(rows.values))
            rows.values.update(zip(inner.inputs, inner.values(x.tolist()), strict=True))
        slopes = total_gradient(rows.graph, model.predicted, model.leaves, inner)
        return Curve(
            model.text, rows, model.predicted, model.response, slopes, model.leaves, x, covariance
        )

    def __reduce__(self) -> tuple[Any, ...]:
        nodes = pack([self.predicted, self.observed, *self.slopes, *self.leaves])
        return _unpacked, (self.text, nodes, self.fitted.portable(), self.x, self.covariance)

    @property
    def predictors(self) -> tuple[str, ...]:
        """The columns on the model's right side."""
        return tuple(n.text for n in topological([self.predicted]) if isinstance(n, Column))

    @property
    def response(self) -> str:
        """What is predicted, as it was typed."""
        left, equals, _ = self.text.partition("=")
        return left.strip() if equals else "observed"

    def rows(self) -> tuple[Vector, Vector]:
        """(observed, predicted) at the rows of the fit: (N,) each."""
        observed, predicted = self._values(self.fitted, [self.observed, self.predicted])
        return observed, predicted

    def column(self, name: str) -> Vector:
        """A column of the fit's rows: (N,)."""
        blocks = [np.asarray(b[name], dtype=np.float64) for b in self.fitted.table.blocks()]
        return np.concatenate(blocks)

    def predict(self, data: Any) -> Vector:
        """The model at rows of other data: (rows,)."""
        return self._values(self._other(data), [self.predicted])[0]

    def at(self, data: Any) -> tuple[Vector, Vector]:
        """(predicted, its standard error) at rows of other data; the error nan where unknown."""
        rows = self._other(data)
        predicted, *columns = self._values(rows, [self.predicted, *self.slopes])
        known = np.isfinite(np.diag(self.covariance))
        if not known.any() or not len(columns):
            return predicted, np.full(len(predicted), np.nan)
        g = np.stack(columns)[known]
        covariance = self.covariance[np.ix_(known, known)]
        with np.errstate(invalid="ignore", over="ignore"):
            return predicted, np.sqrt(np.einsum("ik,ij,jk->k", g, covariance, g))

    def _other(self, data: Any) -> RowData:
        opened, columns = open_columns(data)
        used = self.predictors or tuple(columns)[:1]  # a constant has a value in every row, too
        rows = RowData(self.fitted.graph, read_columns(opened, used, drop_missing=False))
        rows.values.update(self.fitted.values)  # means inside the model are those of the fit
        return rows

    def _values(self, rows: RowData, nodes: Sequence[Node]) -> list[Vector]:
        function = RowFunction(rows, self.leaves, nodes)
        parts: list[list[Vector]] = [[] for _ in nodes]
        for count, values in function.blocks(self.x.tolist()):
            for part, value in zip(parts, values, strict=True):
                part.append(np.broadcast_to(np.asarray(value, dtype=np.float64), count))
        return [np.concatenate(part) for part in parts]


def _unpacked(
    text: str, nodes: tuple[Packed, tuple[int, ...]], rows: Any, x: Vector, covariance: Vector
) -> Curve:
    graph = Graph()
    predicted, response, *others = unpack(graph, *nodes)
    slopes, leaves = others[: len(x)], tuple(others[len(x) :])
    found = RowData.unpacked(graph, *rows)
    return Curve(text, found, predicted, response, slopes, leaves, x, covariance)
