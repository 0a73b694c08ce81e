"""The parser of the formulas of a fit, and the constraints of its parameters."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symgd import names
from symgd._numpy import np
from symgd.calculus.unroll import TooManyPartsError, Unroller
from symgd.errors import ArgumentError, FormulaError
from symgd.fits.settings import Options
from symgd.formula.graph import Graph
from symgd.formula.indexed_symbols import IndexedSymbols
from symgd.formula.nodes import Column, Name, Node, RowMean, RowSum, topological
from symgd.formula.parse import Formula, parse
from symgd.formula.symbol_table import Columns
from symgd.model.array_model import ArrayModel, bind_shapes
from symgd.model.bounds import read_bounds
from symgd.model.checks import to_finite
from symgd.solvers.objectives import Box

PARTS = 20_000  # nodes of a model whose elements are written out


def too_large() -> ArgumentError:
    """The error about a model that cannot be written out."""
    sentence = "the model has too many elements and terms for a fit, which writes each of them out"
    return ArgumentError(f"{sentence}; descend on the loss instead: symgd run, or symgd.descend")


@dataclass
class ModelReader:
    """A parser of the formulas of a fit into one graph with one set of names.

    all_columns: of the data. parameter_names: those that are no constants. columns: those read.
    arrays: the model with its arrays, where it has some and `bind` has read their lengths; every
    formula is written out then, and the elements of arrays are `variables`.
    """

    all_columns: Columns
    parameter_names: Sequence[str]
    indexed: IndexedSymbols
    graph: Graph = field(default_factory=Graph)
    variables: dict[str, Name] = field(default_factory=dict)
    columns: dict[str, Column] = field(default_factory=dict)
    arrays: ArrayModel | None = None
    unroller: Unroller | None = None

    def read(self, text: str, per_row: bool = True) -> Formula:
        """The formula of one row; its names are added to `variables` and `columns`."""
        formula = parse(
            text,
            graph=self.graph,
            variables=self.variables,
            declared=map(names.canonical, self.parameter_names),
            columns=self.all_columns,
            per_row=per_row,
            indexed=self.indexed,
        )
        if self.arrays is not None:
            return self._bound(formula)
        self.variables = dict(formula.variables)
        self.columns |= formula.columns
        return formula

    def bind(self, arrays: ArrayModel) -> None:
        """Take the elements of these arrays for variables."""
        self.arrays, self.unroller = arrays, arrays.unroller(PARTS)
        self.variables |= {leaf.text: leaf for leaf in arrays.leaves}

    def written_out(self, roots: Sequence[Node]) -> list[Node]:
        """The nodes with every element a variable; ArgumentError where they are too many."""
        if self.unroller is None:
            return list(roots)
        try:
            return [self.unroller.unroll(root, {}) for root in roots]
        except TooManyPartsError:
            raise too_large() from None

    def _bound(self, formula: Formula) -> Formula:
        """A formula that is read after the model: it adds neither columns nor elements."""
        arrays, unroller = self.arrays, self.unroller
        assert arrays is not None
        assert unroller is not None
        if formula.indexed is not None:
            unroller.shapes = bind_shapes(formula, arrays.table)
            if unroller.shapes.extents != arrays.shapes.extents:
                sentence = "this names an element that the model does not have"
                raise FormulaError(formula.text, 0, sentence, "")
        [root] = self.written_out([formula.root])
        self.variables |= formula.variables
        unknown = next((c for c in formula.columns if c not in self.columns), None)
        if unknown is not None:
            shown = names.escape(unknown)
            sentence = f"a tied parameter reads the column '{shown}', which the model does not"
            raise ArgumentError(sentence)
        return replace(formula, root=root)


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


def derived_quantities(
    reader: ModelReader, params: Mapping[str, Name], derived: Mapping[str, Node], options: Options
) -> dict[str, Node]:
    """The quantities that are reported beside the parameters, as nodes of free ones."""
    roots = []
    for name, text in options.derived.items():
        if names.canonical(name) in params or name in reader.all_columns:
            raise ArgumentError(f"'{names.escape(name)}' is a parameter or a column already")
        formula = reader.read(str(text), per_row=False)
        if new := next((n for n in formula.variables if n not in params), None):
            at = max(0, formula.text.find(new))
            hint = names.suggest(new, params) or f"they are {names.escape(', '.join(params))}"
            raise FormulaError(formula.text, at, f"'{names.escape(new)}' is no parameter", hint)
        roots.append(formula.root)
    values = {params[n]: node for n, node in derived.items()}
    return dict(zip(options.derived, reader.graph.replace(roots, values), strict=True))


def box_of(options: Options, free: Sequence[str], params: Collection[str]) -> Box:
    """The bounds of the free parameters, or ArgumentError."""
    found = read_bounds(options.bounds, free, params, "the model")
    return Box(np.array(found.low), np.array(found.high))


def _check_is_parameter(name: str, params: Collection[str]) -> None:
    if name not in params:
        raise ArgumentError(names.unknown("the model has no parameter", name, params))
