"""The parser of the formulas of a fit, and the constraints of its parameters."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np

from symgd import names
from symgd.errors import ArgumentError, FormulaError
from symgd.fits.settings import Options
from symgd.formula.graph import Graph
from symgd.formula.nodes import Column, Name, Node, RowMean, RowSum, topological
from symgd.formula.parse import Formula, parse
from symgd.formula.symbol_table import Columns
from symgd.model.bounds import read_bounds
from symgd.model.checks import to_finite
from symgd.solvers.objectives import Box


@dataclass
class ModelReader:
    """A parser of the formulas of a fit into one graph with one set of names.

    all_columns: of the data. parameter_names: those that are no constants. columns: those read.
    """

    all_columns: Columns
    parameter_names: Sequence[str]
    graph: Graph = field(default_factory=Graph)
    variables: dict[str, Name] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)

    def read(self, text: str, per_row: bool = True) -> Formula:
        """The formula of one row; its names are added to `variables` and `columns`."""
        formula = parse(
            text,
            graph=self.graph,
            variables=self.variables,
            declared=map(names.canonical, self.parameter_names),
            columns=self.all_columns,
            per_row=per_row,
        )
        self.variables = dict(formula.variables)
        self.columns |= formula.columns
        return formula


def derived_parameters(
    reader: ModelReader, params: dict[str, Name], options: Options
) -> dict[str, Node]:
    """Fixed and tied parameters as nodes of free ones; `params` gains those of tied formulas."""
    fixed = {names.canonical(k): v for k, v in options.fixed.items()}
    tied = {names.canonical(k): v for k, v in options.tied.items()}
    both = next((n for n in fixed if n in tied), None)
    if both is not None:
        raise ArgumentError(f"'{names.escape(both)}' is fixed and tied")
    for name in tied:
        _check_is_parameter(name, params)
    derived = {
        n: reader.graph.number(to_finite(v, f"the value of {names.escape(n)}"))
        for n, v in fixed.items()
    }
    formulas = {}
    for name, text in tied.items():
        formula = reader.read(str(text), per_row=False)
        used = {n.text for n in topological([formula.root]) if isinstance(n, Name)}
        sums = [n for n in topological([formula.root]) if n.func in (RowSum, RowMean)]
        if any(isinstance(n, Name) and not isinstance(n, Column) for n in topological(sums)):
            hint = "write it into the model itself"
            raise FormulaError(str(text), 0, "a sum in a tied formula holds no parameter", hint)
        chained = next((n for n in used if n in tied), None)
        if chained is not None:
            raise ArgumentError(
                f"'{names.escape(name)}' is tied to '{names.escape(chained)}', which is tied itself"
            )
        formulas[name] = formula.root
    params |= reader.variables
    for name in fixed:
        _check_is_parameter(name, params)
    values = {params[n]: node for n, node in derived.items()}
    roots = reader.graph.replace(list(formulas.values()), values)
    return derived | dict(zip(formulas, roots, strict=True))


def box_of(options: Options, free: Sequence[str], params: Collection[str]) -> Box:
    """The bounds of the free parameters, or ArgumentError."""
    found = read_bounds(options.bounds, free, params, "the model")
    return Box(np.array(found.low), np.array(found.high))


def _check_is_parameter(name: str, params: Collection[str]) -> None:
    if name not in params:
        raise ArgumentError(names.unknown("the model has no parameter", name, params))
