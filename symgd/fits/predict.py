"""Prediction by a model with given parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgd.calculus.stabilize import stabilize
from symgd.errors import FormulaError
from symgd.fits.per_row_function import PerRowFunction
from symgd.formula.graph import Graph
from symgd.formula.nodes import RowMean, RowSum, topological
from symgd.formula.parse import parse
from symgd.model.data_binding import RowData, open_columns


def evaluate(model: str, theta: Mapping[str, float], data: Any) -> NDArray[np.float64]:
    """The right side of a model at these parameters, for every row of data: (rows,) float64.

    A model with sums over rows is refused: the sums of other rows differ from those of the fit.
    """
    graph = Graph()
    opened, columns = open_columns(data)
    formula = parse(model, graph=graph, columns=columns, per_row=True, declared=theta)
    values = {
        formula.variables[n]: graph.number(v) for n, v in theta.items() if n in formula.variables
    }
    root = stabilize(graph, graph.replace([formula.root], values))[0]
    for node in topological([root]):
        if node.func in (RowSum, RowMean):
            sentence = "a model to predict with may not hold sums over the rows of a fit"
            raise FormulaError(model, 0, sentence, "put the number itself, or a parameter")
    rows = RowData.read(graph, opened, list(formula.columns) or list(columns))
    return PerRowFunction(rows, [], [root]).all_rows([])[0]
