"""Columns: the columns of a table as a formula finds them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from symgd import names
from symgd.formula.nodes import Column
from symgd.formula.tokens import Token


class Columns:
    """The columns of a table as a formula finds them: by canonical name, or quoted as they are.

    names: as the data spell them.
    """

    def __init__(self, names_: Iterable[str]) -> None:
        self.symbols = {name: Column(f"c{k}", name) for k, name in enumerate(names_)}
        self._spelled: dict[str, list[str]] = {}
        for name in self.symbols:
            self._spelled.setdefault(names.canonical(name), []).append(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.symbols)

    def find(self, token: Token) -> list[str]:
        """The names of the columns that a token may mean."""
        if token.kind == "quoted":
            return [token.text] if token.text in self.symbols else []
        return self._spelled.get(token.text, [])
