"""A model with numbers for its parameters, at rows of data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgd.calculus.stabilize import stabilize
from symgd.errors import FormulaError
from symgd.fits.qr_reduction import RowFunction
from symgd.formula.graph import Graph
from symgd.formula.nodes import RowMean, RowSum, topological
from symgd.formula.parse import parse
from symgd.model.data_binding import RowData, open_columns, read_columns


def evaluate(model: str, theta: Mapping[str, float], data: Any) -> NDArray[np.float64]:
    """The right side of a model at these parameters, for every row of data: (rows,) float64.

    The model holds no sums over rows: those of other rows would be other numbers.
    """
    graph = Graph()
    opened, columns = open_columns(data)
    formula = parse(model, graph=graph, columns=columns, per_row=True, own=theta)
    values = {
        formula.variables[n]: graph.number(v) for n, v in theta.items() if n in formula.variables
    }
    root = stabilize(graph, graph.replace([formula.root], values))[0]
    for node in topological([root]):
        if node.func in (RowSum, RowMean):
            sentence = "a model to predict with may not hold sums over the rows of a fit"
            raise FormulaError(model, 0, sentence, "put the number itself, or a parameter")
    rows = RowData(graph, read_columns(opened, list(formula.columns) or list(columns), False))
    blocks = RowFunction(rows, [], [root]).blocks([])
    return np.concatenate([np.broadcast_to(v, count) for count, (v,) in blocks]).astype(np.float64)
