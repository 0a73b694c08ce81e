"""SymbolTable: the variable, constant or data column that a name in a formula refers to."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import sympy

from symgd import names
from symgd.formula.builder import Builder
from symgd.formula.functions.table import CALLABLE, POWERS, VARIABLES
from symgd.formula.nodes import Category, Column, Name, Node, RowMean, RowSum
from symgd.formula.tokens import Token

ROW_REDUCTIONS = {"sum": RowSum, "mean": RowMean}
_UNIT = re.compile(r"\s*(\[[^\]]*\]|\([^)]*\))\s*$")  # at the end of a column's name
_CONSTANTS: dict[str, Node] = {"pi": sympy.pi, "e": sympy.E}
_FUNCTIONS_ONLY = {*CALLABLE, *POWERS, *ROW_REDUCTIONS, "norm"} - VARIABLES


class Columns:
    """The symbols of the columns of a table, by canonical name or by quoted exact name.

    names_: as spelled in the data. `Temp [K]` is also Temp, where that is no other column.
    """

    def __init__(self, names_: Iterable[str]) -> None:
        self.symbols = {name: Column(f"c{k}", name) for k, name in enumerate(names_)}
        self._by_canonical_name: dict[str, list[str]] = {}
        for name in self.symbols:
            self._by_canonical_name.setdefault(names.canonical(name), []).append(name)
        spelled = set(self._by_canonical_name)
        for name in self.symbols:
            if (short := names.canonical(_UNIT.sub("", name))) not in spelled:
                self._by_canonical_name.setdefault(short, []).append(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.symbols)

    def find(self, token: Token) -> list[str]:
        """The names of the columns that a token may refer to."""
        if token.kind == "quoted":
            return [token.text] if token.text in self.symbols else []
        return self._by_canonical_name.get(token.text, [])

    def near(self, name: str) -> str:
        """The hint where no column has this name."""
        listed = names.escape(", ".join(list(self)[:20])) or "none"
        return names.suggest(name, self) or f"the data have {listed}"


class Compared(NamedTuple):
    """A column, and the word that it is compared with. number: what it is if no category is."""

    column: str
    token: Token
    number: Node


@dataclass
class SymbolTable:
    """Resolves names in this order: data column, known variable, constant, new variable.

    variables: canonical name -> internal symbol, in order of first occurrence. declared: names that
    are variables even if a constant has the same name. columns: those of the data, None without
    data. columns_read: the columns in the formula, name in the data -> internal symbol. calls: of
    random numbers. vectors: those of columns, by name. categories: the words that columns are
    compared with. numbers: the columns that are read as numbers, once for each time.
    """

    builder: Builder
    variables: dict[str, Name]
    declared: Collection[str]
    columns: Columns | None
    columns_read: dict[str, Column] = field(default_factory=dict)
    calls: int = 0
    vectors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    categories: dict[Category, Compared] = field(default_factory=dict)
    numbers: list[str] = field(default_factory=list)

    def column_of(self, token: Token) -> str | None:
        """The column of the data that a token names, if there is one."""
        found = self.columns.find(token) if self.columns is not None else []
        return found[0] if found else None

    def is_function(self, name: str) -> bool:
        """Whether a name can only be a function."""
        known = name in self.declared or name in self.variables
        return not known and name in _FUNCTIONS_ONLY

    def resolve(self, token: Token, in_row: bool) -> Node:
        """The node of a name that is not called. in_row: whether columns have a value there."""
        name, builder = token.text, self.builder
        if token.kind == "quoted" or (self.columns is not None and self.columns.find(token)):
            return self._column(token, in_row)
        is_variable = name in self.declared or name in self.variables
        if self.is_function(name):
            raise builder.stream.bare_function(token)
        if name in self.vectors and name not in self.declared:
            shown, members = names.escape(name), self.vectors[name]
            listed = names.escape(", ".join(members[:3])) + (", ..." if len(members) > 3 else "")
            sentence = f"{shown} is the vector of the columns {listed}, and stands without an index"
            hint = f"write sum(w[j]*{shown}[j], j) or dot(w, {shown}); name a parameter otherwise"
            raise builder.stream.error(sentence, hint, token)
        if not is_variable and name in _CONSTANTS:
            return builder.named_constant(_CONSTANTS[name])
        return self.symbol(name)

    def symbol(self, name: str) -> Node:
        """The node of a variable, a new one where it is not known yet."""
        if name not in self.variables:
            self.variables[name] = Name(f"p{len(self.variables)}", name)
        return self.builder.graph.atom(self.variables[name])

    def category(self, column: str, token: Token, number: Node, known: int) -> Node:
        """The node of a word that a column is compared with. known: variables before it."""
        if len(self.variables) > known:
            del self.variables[token.text]
        name = Category(f"l{len(self.categories)}", token.text)
        self.categories[name] = Compared(column, token, number)
        self.numbers.remove(column)
        return self.builder.graph.atom(name)

    def _column(self, token: Token, in_row: bool) -> Node:
        stream = self.builder.stream
        shown = names.escape(token.text)
        if self.columns is None:
            hint = "names in back quotes are for data columns, and there are no data"
            raise stream.error(f"there is no column '{shown}'", hint, token)
        found = self.columns.find(token)
        if not found:
            hint = self.columns.near(token.text)
            raise stream.error(f"the data have no column '{shown}'", hint, token)
        if len(found) > 1:
            both = " and ".join(f"`{names.escape(name)}`" for name in found)
            sentence = f"'{shown}' may be the column {both}"
            raise stream.error(sentence, "put it in back quotes", token)
        if not in_row:
            sentence = f"'{shown}' is a column of the data: it has a value in every row"
            hint = f"put it inside sum(...) or mean(...): mean({shown})"
            raise stream.error(sentence, hint, token)
        symbol = self.columns_read.setdefault(found[0], self.columns.symbols[found[0]])
        return self.builder.graph.atom(symbol)
