"""TokenList: the tokens of an indexed formula, read in any order, and the errors at brackets."""

from __future__ import annotations

from collections.abc import Sequence

from symgd.errors import FormulaError
from symgd.formula.token_stream import TokenStream
from symgd.formula.tokens import Limits, Token


class TokenList(TokenStream):
    """A stream over a list of tokens that can go to any place. place: of the next token."""

    def __init__(self, text: str, limits: Limits, found: Sequence[Token]) -> None:
        self.text, self.limits, self.depth, self.list = text, limits, 0, found
        self.seek(0)

    def seek(self, place: int) -> None:
        """Make the token at `place` the next one."""
        self.place = place
        self.token = self.last = self.list[place]

    def advance(self) -> Token:
        """Consume and return the next token."""
        self.last = self.token
        if self.token.kind != "end":
            self.place += 1
            self.token = self.list[self.place]
        return self.last

    def close(self, opening: Token, closing: str) -> None:
        """Consume the token that closes `opening`; FormulaError at another bracket."""
        if self.token.kind in {")", "]", ";"} and self.token.kind != closing:
            sentence = f"'{opening.text}' is never closed"
            raise self.error(sentence, f"add '{closing}'", opening)
        super().close(opening, closing)

    def unexpected(self) -> FormulaError:
        """The error for a next token that the grammar does not allow."""
        kind, before = self.token.kind, self.last.kind
        if kind == "..":
            sentence = "'..' stands only in the range of an index"
            return self.error(sentence, "write the range after the term: sum(x[i], i=1..9)")
        if kind == "[":
            sentence = "subscripts stand only after the name of an array"
            return self.error(sentence, "for example x[1], softmax(z)[k]")
        if kind == "]" and before in {"name", "number", ")", "]"}:
            return self.error("this ']' closes nothing", "delete it or open it")
        if kind == "=":
            sentence = "'=' stands only in definitions and in ranges"
            return self.error(sentence, "write s = ...; before the loss, or ==, or i=1..n")
        if kind == ";":
            return self.error("the statement ends too early", "something is missing here")
        return super().unexpected()
