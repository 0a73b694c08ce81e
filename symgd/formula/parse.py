"""Parse the text of a formula into nodes of the shared graph (`symgd.formula.graph`).

The grammar (EBNF) is in docs/formulas.md. Nothing is evaluated as code: characters become tokens,
tokens become nodes of a fixed set of operations, names become internal symbols.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TypeVar

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.builder import Builder
from symgd.formula.graph import Graph
from symgd.formula.index_notation import is_indexed, read_notation
from symgd.formula.indexed_parser import IndexedParser
from symgd.formula.indexed_symbols import IndexedSymbols
from symgd.formula.nodes import Category, Column, Name, Node
from symgd.formula.other_notations import known_shape
from symgd.formula.parser import Parser
from symgd.formula.symbol_table import Columns, Compared, SymbolTable
from symgd.formula.token_stream import TokenList, TokenStream
from symgd.formula.tokens import Limits, tokens

DEFAULT_LIMITS = Limits()

Value = TypeVar("Value")


@dataclass(frozen=True)
class Formula:
    """A parsed formula.

    text: as typed. graph and root: its nodes. variables: canonical name -> internal symbol, in
    order of first appearance, also those that cancel or are multiplied by 0. columns: the data
    columns it reads, name in the data -> internal symbol. indexed: its arrays, sizes and indices,
    if it has any. categories: the words that columns are compared with. numbers: the columns that
    are read as numbers, and not only as categories.
    """

    text: str
    graph: Graph
    root: Node
    variables: Mapping[str, Name]
    columns: Mapping[str, Column] = field(default_factory=dict)
    indexed: IndexedSymbols | None = None
    categories: Mapping[Category, Compared] = field(default_factory=dict)
    numbers: Collection[str] = ()


def parse(
    text: str,
    *,
    graph: Graph | None = None,
    variables: Mapping[str, Name] | None = None,
    declared: Iterable[str] = (),
    limits: Limits = DEFAULT_LIMITS,
    rule: bool = False,
    calls: int = 0,
    table: bool = False,
    columns: Columns | None = None,
    per_row: bool = False,
    indexed: IndexedSymbols | None = None,
) -> Formula:
    """The formula of `text`, or FormulaError at the position of the first mistake.

    graph: default a new one. variables: existing symbols. declared: names that are variables even
    if a constant has the same name (pi, e). rule: allow the functions of rules. calls: of random
    numbers in its earlier lines. table: a formula of the function table, where names may stand for
    orders. columns: those of the data, if any. per_row: the
    formula is evaluated in each row. indexed: allow brackets, ranges and definitions; what is known
    of vectors and sizes.
    """

    def table_of(builder: Builder) -> SymbolTable:
        vectors = {} if indexed is None else indexed.vectors
        return SymbolTable(
            builder, dict(variables or {}), set(declared), columns, calls=calls, vectors=vectors
        )

    try:
        if indexed is not None and (is_indexed(text) or indexed.given or indexed.shapes):
            notation = read_notation(text, limits)
            builder = Builder(graph or Graph(), TokenList(text, limits, notation.tokens), table)
            symbols = table_of(builder)
            root = IndexedParser(builder, symbols, notation, indexed, per_row).formula()
            found = indexed if indexed.arrays or indexed.indices or indexed.sizes else None
            return _formula(text, root, symbols, found)
        builder = Builder(graph or Graph(), TokenStream(text, limits), table)
        symbols = table_of(builder)
        root = Parser(builder, symbols, rule, per_row).formula()
    except FormulaError:
        shape = known_shape(text)
        if shape is None or (indexed is not None and text[shape[0]] in "=:" and is_indexed(text)):
            raise
        raise FormulaError(text, *shape) from None
    return _formula(text, root, symbols)


def _formula(
    text: str, root: Node, symbols: SymbolTable, indexed: IndexedSymbols | None = None
) -> Formula:
    return Formula(
        text,
        symbols.builder.graph,
        root,
        symbols.variables,
        symbols.columns_read,
        indexed,
        symbols.categories,
        symbols.numbers,
    )


@cache
def table_formula(text: str) -> Formula:
    """A formula of the function table, parsed once: of x, y, z, w, and what its row names."""
    return parse(text, table=True)


def substituted(text: str, values: Mapping[str, Value]) -> tuple[Node, dict[Node, Value]]:
    """The root of a formula of the function table, and the values by its leaves."""
    formula = table_formula(text)
    return formula.root, {leaf: values[name] for name, leaf in formula.variables.items()}


def variable_name(text: str) -> str:
    """The canonical spelling of one variable's name, or FormulaError."""
    stripped = text.strip()
    stream = tokens(stripped, DEFAULT_LIMITS)
    first = next(stream)
    if first.kind != "name" or next(stream).kind != "end":
        raise FormulaError(
            text, 0, f"'{names.escape(text)}' is not a name", "use letters and digits"
        )
    return first.text


def parameter_name(text: str) -> str:
    """The canonical spelling of a variable's name, or of that of an element: `a[1,2]`, `a[north]`.

    FormulaError for another text.
    """
    array, bracket, subscripts = text.strip().partition("[")
    name = variable_name(array)
    if not bracket:
        return name
    places = [part.strip() for part in subscripts[:-1].split(",")]
    if not subscripts.endswith("]") or not all(places):
        sentence = f"'{names.escape(text.strip())}' is not an element"
        raise FormulaError(text, 0, sentence, f"write {names.escape(name)}[1]")
    return f"{name}[{','.join(places)}]"
