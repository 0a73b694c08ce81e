"""Parsing of a regression model `y = f(x)`: weights, fixed, tied and bounded parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgd import names
from symgd.calculus.stabilize import stabilize
from symgd.data import Table
from symgd.errors import ArgumentError, FormulaError
from symgd.fits.hints import check_sides
from symgd.fits.model_reader import ModelReader, box_of, derived_parameters, derived_quantities
from symgd.fits.nested_sums import NestedSums, extract_sums
from symgd.fits.settings import Options
from symgd.formula.categories import bind_categories, category_columns
from symgd.formula.graph import Graph
from symgd.formula.index_notation import with_separators
from symgd.formula.indices import Array, At
from symgd.formula.nodes import Name, Node, topological
from symgd.formula.parse import Formula, parse
from symgd.model.array_model import ArrayModel, bind_shapes
from symgd.model.data_binding import RowData, check_parameters, open_columns, read_columns
from symgd.solvers.objectives import Box

_MARK = re.compile(r"[][();]|(?<![<>=!])=(?!=)")


@dataclass(frozen=True)
class Model:
    """A model of one row, ready to be compiled, over free parameters and columns.

    predicted, response, weight: nodes (weight None: 1). typed: the model as typed, before fixed and
    tied parameters were substituted. leaves: the symbols of the free parameters, in natural order;
    box: their bounds. derived: fixed and tied parameters as nodes. further: (predicted, response)
    of further residuals of the same row. penalties: how many of them are one observation each, of
    which every row has its share.
    """

    text: str
    rows: RowData
    predicted: Node
    response: Node
    leaves: tuple[Name, ...]
    box: Box
    columns: tuple[str, ...]
    derived: Mapping[str, Node]
    typed: Node
    weight: Node | None = None
    loss: Node | None = None  # a function of the leaf `residual`
    residual: Name | None = None
    sigma: Node | None = None  # where weight is 1/sigma**2
    nested: NestedSums | None = None  # sums over rows in it that hold parameters
    arrays: ArrayModel | None = None  # whose elements the parameters are
    further: tuple[tuple[Node, Node], ...] = ()
    penalties: int = 0
    quantities: Mapping[str, Node] = field(default_factory=dict)  # reported beside the parameters

    @property
    def graph(self) -> Graph:
        """Where the nodes live."""
        return self.rows.graph

    @property
    def params(self) -> tuple[str, ...]:
        return tuple(leaf.text for leaf in self.leaves)

    @property
    def table(self) -> Table:
        return self.rows.table

    def restored(self, node: Node, batch: int | None) -> Node:
        """A node with its nested sums written out; ArgumentError where it has some in a batch."""
        if self.nested is None:
            return node
        if batch is not None:
            raise ArgumentError("a sum inside the model is of all rows, not of those of a batch")
        return self.nested.restore(node)

    @property
    def atoms(self) -> list[Node]:
        """The free parameters as nodes."""
        return [self.graph.atom(leaf) for leaf in self.leaves]


def is_model(text: str) -> bool:
    """Whether the text is `response = model` rather than a loss."""
    return bool(_equals(text)[1])


def _equals(text: str) -> tuple[int, list[int]]:
    """Where the last statement begins, and its `=` outside of brackets."""
    begin, depth, places = 0, 0, list[int]()
    for found in _MARK.finditer(with_separators(text)):
        mark, at = found.group(), found.start()
        if mark == ";":
            if text[at + 1 :].strip(" \t\n;"):
                begin, places = at + 1, []
        elif mark == "=":
            places += [at] * (depth == 0)
        else:
            depth += 1 if mark in "([" else -1
    return begin, places


def read_model(text: str, data: Any, options: Options) -> Model:
    """The model `text` over the columns of `data`, or a SymgdError."""
    left, right = _sides(text)
    opened, columns = open_columns(data)
    reader = ModelReader(columns, options.parameter_names, options.arrays.symbols(columns))
    model = reader.read(right)
    options.arrays.check_used(text, model.indexed)
    params = dict(reader.variables)
    read_right = [*reader.columns, *(model.indexed.columns_read() if model.indexed else ())]
    response = reader.read(left)
    _require_columns(reader, params, response, "the left side of a model")
    check_sides(text, list(response.columns), read_right, list(params), list(columns))
    weighting = _weighting(reader, params, options)
    residual = Name("residual", "r")
    loss = None
    if options.loss is not None:
        loss = _loss(options.loss, reader, residual)
    formulas = [model, response] if weighting is None else [model, response, weighting]
    if model.indexed is not None or any(formula.categories for formula in formulas):
        opened, formulas = _bind(reader, formulas, opened, options)
        params = dict(reader.variables)
    typed, *others = reader.written_out([formula.root for formula in formulas])
    if options.sigma is not None:
        others.append(reader.graph.pow(others[1], -2))
    derived = derived_parameters(reader, params, options)
    quantities = derived_quantities(reader, params, derived, options)
    given = [*options.fixed, *options.tied, *options.bounds]
    check_parameters(model, columns, [names.canonical(g) for g in given], "a parameter")
    rows = options.read_rows(reader.graph, opened, tuple(reader.columns))
    roots = [typed, *others]
    values = {params[name]: node for name, node in derived.items()}
    substituted = reader.graph.replace(roots, values) if values else roots
    settled = rows.settle(rows.lower(substituted))
    free = sorted((n for n in params if n not in derived), key=names.natural)
    settled, nested = extract_sums(rows, [params[n] for n in free], settled)
    return Model(
        text=text.strip(),
        rows=rows,
        predicted=settled[0],
        response=settled[1],
        weight=settled[-1] if weighting is not None else None,
        sigma=settled[2] if options.sigma is not None else None,
        nested=nested,
        leaves=tuple(params[n] for n in free),
        box=box_of(options, free, params),
        columns=tuple(reader.columns),
        derived=derived,
        typed=typed,
        loss=loss,
        residual=residual,
        arrays=reader.arrays,
        quantities=quantities,
    )


def _bind(
    reader: ModelReader, formulas: Sequence[Formula], opened: Any, options: Options
) -> tuple[Table, list[Formula]]:
    """Read the data of a model with arrays or categories: their lengths and numbers."""
    columns = tuple(dict.fromkeys([*reader.columns, *reader.indexed.columns_read()]))
    categories = category_columns(reader.indexed, *formulas)
    table = read_columns(opened, columns, options.drop_missing, categories)
    model, *others = [bind_categories(formula, table.labels) for formula in formulas]
    reader.variables |= model.variables
    if model.indexed is not None:
        shapes = bind_shapes(model, table)
        reader.bind(ArrayModel(model, shapes, {}, reader.all_columns, table, options.arrays))
    return table, [model, *others]


def _sides(text: str) -> tuple[str, str]:
    """The two sides of `=`, each at its own position in the text, so that carets are right.

    The definitions before the model are part of its right side.
    """
    begin, places = _equals(text)
    if len(places) != 1:
        hint = "write for example y = a*exp(-b*x) + c"
        at = places[1] if len(places) > 1 else len(text)
        raise FormulaError(text, at, "a model has one '='", hint)
    (at,) = places
    if not text[begin:at].strip() or not text[at + 1 :].strip():
        side = "left" if not text[begin:at].strip() else "right"
        raise FormulaError(text, at, f"there is nothing to the {side} of '='", "")
    return " " * begin + text[begin:at], text[:begin] + " " * (at + 1 - begin) + text[at + 1 :]


def _require_columns(
    reader: ModelReader, params: Mapping[str, Name], formula: Formula, what: str
) -> None:
    variables = set(reader.variables.values())
    leaves = [n for n in topological([formula.root]) if isinstance(n, Name)]
    unknown: list[Name] = [n for n in leaves if n in variables or isinstance(n, Array)]
    if any(node.func is At for node in topological([formula.root])) and not unknown:
        raise FormulaError(formula.text, 0, f"{what} takes columns, no elements of them", "")
    if unknown:
        shown = names.escape(unknown[0].text)
        at = max(formula.text.find(unknown[0].text), 0)
        sentence = f"'{shown}' is no column of the data, and {what} takes only those"
        raise FormulaError(formula.text, at, sentence, reader.all_columns.near(unknown[0].text))
    reader.variables = dict(params)


def _weighting(reader: ModelReader, params: Mapping[str, Name], options: Options) -> Formula | None:
    """The weight, or the sigma, None where neither is given."""
    if options.weight is not None and options.sigma is not None:
        raise ArgumentError("give weight or sigma, not both: a weight is 1/sigma**2")
    text = options.weight if options.weight is not None else options.sigma
    if text is None:
        return None
    if not isinstance(text, str):
        raise ArgumentError(f"a weight is a column's name or a formula, not {type(text).__name__}")
    if text in reader.all_columns and not names.is_variable(text):
        text = f"`{text}`"
    formula = reader.read(text)
    _require_columns(reader, params, formula, "a weight")
    return formula


def _loss(text: str, reader: ModelReader, residual: Name) -> Node:
    formula = parse(text, graph=reader.graph, variables={"r": residual})
    if set(formula.variables) != {"r"}:
        unknown = next((n for n in formula.variables if n != "r"), "")
        sentence = f"'{names.escape(unknown)}' is not r"
        raise FormulaError(text, max(text.find(unknown), 0), sentence, "a loss is of r")
    if residual not in topological([formula.root]):
        raise FormulaError(text, 0, "the loss does not hold the residual r", "for example r**2")
    return stabilize(reader.graph, [formula.root])[0]
