"""Whatever a loss is made of -> its formula, its parameters and the data that it reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import sympy

from symgd import names
from symgd.errors import ArgumentError
from symgd.formula.from_sympy import from_callable, from_sympy
from symgd.formula.graph import Graph
from symgd.formula.indexed_symbols import IndexedSymbols
from symgd.formula.nodes import Name, Node
from symgd.formula.parse import parse
from symgd.formula.printing.plain import write
from symgd.formula.symbol_table import Columns
from symgd.formula.tokens import Limits
from symgd.model.array_model import ArrayModel, bind_shapes, numbered_vectors
from symgd.model.checks import to_count, to_finite
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
        names.canonical(k): to_finite(v, f"the constant '{names.escape(k)}'")
        for k, v in (constants or {}).items()
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
        root, variables = formula.root, dict(formula.variables)
        if found is not None:
            check_parameters(formula, found, own, "a parameter or constant")
            columns = tuple(dict.fromkeys([*formula.columns, *indexed.columns_read()]))
            rows = RowData(graph, read_columns(opened, columns, drop_missing))
        if formula.indexed is not None and (formula.indexed.indices or formula.indexed.arrays):
            table = None if rows is None else rows.table
            shapes = bind_shapes(formula, arrays.sizes, table)
            values = {leaf: fixed[name] for name, leaf in _taken(fixed, variables)}
            return ArrayModel(formula, shapes, values, found, table), source.strip(), columns
        arrays.check_unused(formula.text)
    elif data is not None:
        raise ArgumentError("a loss over data is a formula, with sum(...) and mean(...)")
    else:
        root, variables = _without_text(graph, source)
    text = source.strip() if isinstance(source, str) else write(root)
    values = {leaf: graph.number(fixed[name]) for name, leaf in _taken(fixed, variables)}
    root = graph.replace([root], values)[0] if values else root
    leaves = [variables[name] for name in sorted(variables, key=names.natural)]
    return LossInternals(graph, root, leaves, rows), text, columns


@dataclass(frozen=True)
class ArrayOptions:
    """What was given of arrays: sizes and shapes by name, columns that are one vector by name."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    vectors: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        sizes: Mapping[str, int],
        shapes: Mapping[str, Sequence[int | str]],
        vectors: Mapping[str, Sequence[str]],
    ) -> ArrayOptions:
        """The options, checked, names in their canonical spelling."""

        def length(value: int | str, name: str) -> int | str:
            return value if isinstance(value, str) else to_count(value, f"a length of {name}", 0)

        named = {names.canonical(str(k)): v for k, v in sizes.items()}
        return cls(
            {k: to_count(v, f"the size {names.escape(k)}", 0) for k, v in named.items()},
            {
                names.canonical(str(k)): tuple(length(v, names.escape(str(k))) for v in shape)
                for k, shape in shapes.items()
            },
            {names.canonical(str(k)): tuple(v) for k, v in vectors.items()},
        )

    def symbols(self, columns: Columns | None) -> IndexedSymbols:
        """The symbols of a formula over these columns."""
        vectors = {} if columns is None else numbered_vectors(columns)
        vectors |= {names.canonical(name): list(own) for name, own in self.vectors.items()}
        for own in vectors.values():
            for name in own:
                if columns is None or name not in columns.symbols:
                    near = "there are no data" if columns is None else columns.near(name)
                    shown = names.escape(name)
                    raise ArgumentError(f"there is no column '{shown}' for a vector; {near}")
        found = IndexedSymbols(vectors=vectors, shapes=self.shapes)
        for name in self.sizes:
            found.size(name)
        return found

    def check_unused(self, text: str) -> None:
        """ArgumentError where sizes or shapes are given for a formula without indices."""
        for name in (*self.sizes, *self.shapes, *self.vectors):
            shown = names.escape(name)
            raise ArgumentError(f"'{shown}' has a size, and the loss has no index: {text[:60]}")


def _without_text(graph: Graph, source: Any) -> tuple[Node, dict[str, Name]]:
    if isinstance(source, sympy.Basic):
        return from_sympy(source, graph)
    if callable(source):
        return from_callable(source, graph)
    if isinstance(source, (int, float)):
        return from_sympy(sympy.sympify(source, strict=True), graph)
    kind = type(source).__name__
    raise ArgumentError(f"a loss is a text, a SymPy expression or a function, not {kind}")


def _taken(fixed: Mapping[str, float], variables: dict[str, Name]) -> list[tuple[str, Name]]:
    """The constants with their symbols, which are no variables any more."""
    for name in fixed:
        if name not in variables:
            raise ArgumentError(names.unknown("the loss has no constant", name, variables))
    return [(name, variables.pop(name)) for name in fixed]
