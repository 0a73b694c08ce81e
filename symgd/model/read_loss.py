"""Whatever a loss is made of -> its formula, its parameters and the data that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sympy

from symgd import names
from symgd.errors import ArgumentError
from symgd.formula.categories import bind_categories, category_columns
from symgd.formula.from_sympy import from_callable, from_sympy
from symgd.formula.graph import Graph
from symgd.formula.indexed_symbols import IndexedSymbols
from symgd.formula.nodes import Name, Node
from symgd.formula.parse import parse
from symgd.formula.printing.plain import write
from symgd.formula.tokens import Limits
from symgd.model.array_model import ArrayModel, bind_shapes
from symgd.model.array_options import ArrayOptions
from symgd.model.checks import to_finite
from symgd.model.data_binding import RowData, check_parameters, open_columns, read_columns
from symgd.model.loss_internals import LossInternals


def read_source(
    source: str | sympy.Expr | Callable[..., Any],
    data: Any,
    constants: Mapping[str, float] | None,
    params: Iterable[str],
    limits: Limits,
    drop_missing: bool,
    arrays: ArrayOptions,
) -> tuple[LossInternals | ArrayModel, str, tuple[str, ...]]:
    """The nodes, the text and the columns of a loss; the arguments are those of `Loss`.

    Constants are in their places, parameters in natural order. The text is what was typed, or what
    might have been. An ArrayModel: the formula has indices.
    """
    graph = Graph()
    fixed = {
        names.canonical(k): _constant(names.escape(k), v) for k, v in (constants or {}).items()
    }
    columns: tuple[str, ...] = ()
    rows = None
    if isinstance(source, str):
        own = [*fixed, *map(names.canonical, params)]
        opened, found = (None, None) if data is None else open_columns(data)
        indexed = arrays.symbols(found)
        formula = parse(
            source, graph=graph, declared=own, limits=limits, columns=found, indexed=indexed
        )
        arrays.check_used(source, formula.indexed)
        if found is not None:
            check_parameters(formula, found, own, "a parameter or constant")
            columns = tuple(dict.fromkeys([*formula.columns, *indexed.columns_read()]))
            categories = category_columns(indexed, formula)
            rows = RowData(graph, read_columns(opened, columns, drop_missing, categories))
            formula = bind_categories(formula, rows.table.labels)
        root, variables = formula.root, dict(formula.variables)
        if formula.indexed is not None:
            table = None if rows is None else rows.table
            shapes = bind_shapes(formula, table)
            taken = _taken(fixed, variables, formula.indexed)
            values = {leaf: fixed[name] for name, leaf in taken}
            return (
                ArrayModel(formula, shapes, values, found, table, arrays),
                source.strip(),
                columns,
            )
    elif data is not None:
        raise ArgumentError("a loss over data is a formula, with sum(...) and mean(...)")
    else:
        root, variables = _without_text(graph, source)
    text = source.strip() if isinstance(source, str) else write(root)
    values = {leaf: graph.number(fixed[name]) for name, leaf in _taken(fixed, variables)}
    root = graph.replace([root], values)[0] if values else root
    leaves = [variables[name] for name in sorted(variables, key=names.natural)]
    return LossInternals(graph, root, leaves, rows), text, columns


def _without_text(graph: Graph, source: Any) -> tuple[Node, dict[str, Name]]:
    if isinstance(source, sympy.Basic):
        return from_sympy(source, graph)
    if callable(source):
        return from_callable(source, graph)
    if isinstance(source, (int, float)):
        return from_sympy(sympy.sympify(source, strict=True), graph)
    kind = type(source).__name__
    raise ArgumentError(f"a loss is a text, a SymPy expression or a function, not {kind}")


def _constant(shown: str, value: Any) -> float:
    """The value of a constant; an array is none."""
    if getattr(value, "shape", ()) or isinstance(value, (list, tuple)):
        hint = "give it as a column of the data, which x[i] reads by its row"
        raise ArgumentError(f"the constant '{shown}' is an array; {hint}")
    return to_finite(value, f"the constant '{shown}'")


def _taken(
    fixed: Mapping[str, float], variables: dict[str, Name], indexed: IndexedSymbols | None = None
) -> list[tuple[str, Name]]:
    """The constants with their symbols, which are no variables any more."""
    for name in fixed:
        if name not in variables:
            shown = names.escape(name)
            if indexed is not None and name in indexed.arrays:
                raise ArgumentError(f"'{shown}' is an array here, and a constant is one number")
            if indexed is not None and name in indexed.sizes:
                raise ArgumentError(f"'{shown}' is a size; give sizes or --size {shown}=100")
            if name == "lr":
                raise ArgumentError("the learning rate is no constant of the loss; give it by lr")
            raise ArgumentError(names.unknown("the loss has no constant", name, variables))
    return [(name, variables.pop(name)) for name in fixed]
