"""Predictions: a fitted model as a function of its columns, with standard errors.

The standard error at a point is sqrt(g' C g), to first order: g is the gradient of the model in
the parameters, C their covariance (G. Seber, C. Wild, 1989, Nonlinear Regression, section 5.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symgd._numpy import np
from symgd.calculus.stabilize import stabilize
from symgd.errors import FormulaError
from symgd.fits.model_reader import ModelReader
from symgd.fits.nested_sums import total_gradient
from symgd.fits.per_row_function import PerRowFunction
from symgd.fits.regression_model import Model
from symgd.formula.categories import bind_categories, category_columns
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name, Node, RowMean, RowSum, topological
from symgd.formula.pickling import Packed, pack, unpack
from symgd.model.array_model import ArrayModel, bind_shapes
from symgd.model.array_options import ArrayOptions
from symgd.model.data_binding import RowData, columns_below, open_columns, read_columns
from symgd.model.elements import Elements
from symgd.solvers.objectives import Vector


@dataclass(frozen=True)
class FittedCurve:
    """The model at parameters x, (P,), with their covariance, (P, P), nan where unknown.

    text: the model as typed. data: the fitted rows. predicted, observed, and the derivatives of
    predicted: nodes over the parameters `leaves` and columns. It pickles, rows included.
    """

    text: str
    data: RowData
    predicted: Node
    observed: Node
    derivatives: Sequence[Node]
    leaves: tuple[Name, ...]
    x: Vector
    covariance: Vector

    @staticmethod
    def of(
        model: Model, x: Vector, covariance: Vector, slopes: Sequence[Node] | None = None
    ) -> FittedCurve:
        """The curve of a fitted model; slopes: its derivatives, where they are known."""
        rows, nested = model.rows, model.nested
        if nested is not None:  # from now on constants, like the means of columns
            rows = replace(rows, values=dict(rows.values))
            rows.values.update(zip(nested.inputs, nested.values(x.tolist()), strict=True))
        derivatives = slopes
        if derivatives is None:
            derivatives = total_gradient(rows.graph, model.predicted, model.leaves, nested)
        nodes = model.predicted, model.response, derivatives
        return FittedCurve(model.text, rows, *nodes, model.leaves, x, covariance)

    def __reduce__(self) -> tuple[Any, ...]:
        nodes = pack([self.predicted, self.observed, *self.derivatives, *self.leaves])
        return _unpickle, (self.text, nodes, self.data.portable(), self.x, self.covariance)

    @property
    def predictors(self) -> tuple[str, ...]:
        """The columns on the right side of the model."""
        return tuple(column.text for column in columns_below([self.predicted]))

    @property
    def response(self) -> str:
        """The left side of the model as typed."""
        left, equals, _ = self.text.partition("=")
        return left.strip() if equals else "observed"

    def observed_and_predicted(self) -> tuple[Vector, Vector]:
        """(observed, predicted) at the fitted rows: (N,) each."""
        observed, predicted = self._values(self.data, [self.observed, self.predicted])
        return observed, predicted

    def column(self, name: str) -> Vector:
        """A column of the fitted rows: (N,)."""
        blocks = [np.asarray(b[name], dtype=np.float64) for b in self.data.table.blocks()]
        return np.concatenate(blocks)

    def predict(self, data: Any) -> Vector:
        """The model at the rows of other data: (rows,)."""
        return self._values(self._bind(data), [self.predicted])[0]

    def predict_with_error(self, data: Any) -> tuple[Vector, Vector]:
        """(predicted, its standard error) at the rows of other data; nan where it is unknown."""
        rows = self._bind(data)
        predicted, *columns = self._values(rows, [self.predicted, *self.derivatives])
        known = np.isfinite(np.diag(self.covariance))
        if not known.any() or not len(columns):
            return predicted, np.full(len(predicted), np.nan)
        g = np.stack(columns)[known]
        covariance = self.covariance[np.ix_(known, known)]
        with np.errstate(invalid="ignore", over="ignore"):
            return predicted, np.sqrt(np.einsum("ik,ij,jk->k", g, covariance, g))

    def _bind(self, data: Any) -> RowData:
        opened, columns = open_columns(data)
        used = self.predictors or tuple(columns)[:1]  # a constant model has a value in every row
        known = {c: texts for c, texts in self.data.table.labels.items() if c in used}
        origins = self.data.table.origins
        rows = RowData(self.data.graph, read_columns(opened, used, labels=known, origins=origins))
        rows.values.update(self.data.values)  # means inside the model are those of the fit
        return rows

    def _values(self, rows: RowData, nodes: Sequence[Node]) -> list[Vector]:
        return PerRowFunction(rows, self.leaves, nodes).all_rows(self.x.tolist())


def _unpickle(
    text: str, nodes: tuple[Packed, tuple[int, ...]], rows: Any, x: Vector, covariance: Vector
) -> FittedCurve:
    graph = Graph()
    predicted, response, *others = unpack(graph, *nodes)
    derivatives, leaves = others[: len(x)], tuple(others[len(x) :])
    data = RowData(graph, **rows)
    return FittedCurve(text, data, predicted, response, derivatives, leaves, x, covariance)


def evaluate_model(model: str, theta: Mapping[str, float], data: Any) -> Vector:
    """The right side of a model at these parameters, for every row of data: (rows,) float64.

    A model with sums over rows is refused: the sums of other rows differ from those of the fit.
    """
    graph = Graph()
    opened, columns = open_columns(data)
    options = ArrayOptions(shapes=theta.shapes if isinstance(theta, Elements) else {})
    reader = ModelReader(columns, list(theta), options.symbols(columns), graph)
    formula = reader.read(model)
    if formula.indexed is not None or formula.categories:
        names = [*formula.columns, *reader.indexed.columns_read()] or list(columns)
        categories = category_columns(reader.indexed, formula)
        opened = read_columns(opened, names, categories=categories)
        formula = bind_categories(formula, opened.labels)
    if formula.indexed is not None:
        shapes = bind_shapes(formula, opened)
        reader.bind(ArrayModel(formula, shapes, {}, columns, opened, options))
    known = reader.variables
    values = {known[n]: graph.number(v) for n, v in theta.items() if n in known}
    root = stabilize(graph, graph.replace(reader.written_out([formula.root]), values))[0]
    for node in topological([root]):
        if node.func in (RowSum, RowMean):
            sentence = "a model to predict with may not hold sums over the rows of a fit"
            raise FormulaError(model, 0, sentence, "put the number itself, or a parameter")
    rows = RowData(graph, read_columns(opened, list(formula.columns) or list(columns)))
    return PerRowFunction(rows, [], [root]).all_rows([])[0]
