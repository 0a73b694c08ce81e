"""Columns: the symbols of the columns of a table, looked up by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symgd import names
from symgd.formula.nodes import Column
from symgd.formula.tokens import Token


class Columns:
    """The symbols of the columns of a table, by canonical name or by quoted exact name.

    names_: as spelled in the data.
    """

    def __init__(self, names_: Iterable[str]) -> None:
        self.symbols = {name: Column(f"c{k}", name) for k, name in enumerate(names_)}
        self._by_canonical_name: dict[str, list[str]] = {}
        for name in self.symbols:
            self._by_canonical_name.setdefault(names.canonical(name), []).append(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.symbols)

    def find(self, token: Token) -> list[str]:
        """The names of the columns that a token may refer to."""
        if token.kind == "quoted":
            return [token.text] if token.text in self.symbols else []
        return self._by_canonical_name.get(token.text, [])
