"""Streams over the tokens of a formula, with one token of lookahead, and their syntax errors."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.functions.table import CALLABLE, POWERS
from symgd.formula.nodes import RELATIONS
from symgd.formula.other_names import function_hint
from symgd.formula.tokens import LOGIC, Limits, Token, tokens


class TokenStream:
    """The tokens of a text: the next one, and the last one consumed.

    depth: current nesting of parentheses, calls and exponents.
    """

    def __init__(self, text: str, limits: Limits) -> None:
        if len(text) > limits.length:
            sentence = f"{len(text)} characters are too many (limit length={limits.length})"
            raise FormulaError(text[:80], 0, sentence)
        self.text = text
        self.limits = limits
        self.depth = 0
        self._tokens = tokens(text, limits)
        self.token = self.last = next(self._tokens)

    def advance(self) -> Token:
        """Consume and return the next token."""
        self.last = self.token
        if self.token.kind != "end":
            self.token = next(self._tokens)
        return self.last

    def enter(self, token: Token) -> None:
        """Increase the nesting depth; FormulaError at `token` beyond the limit."""
        self.depth += 1
        if self.depth > self.limits.depth:
            sentence = f"the formula is nested too deeply (limit depth={self.limits.depth})"
            raise self.error(sentence, "", token)

    def close(self, opening: Token, closing: str) -> None:
        """Consume the token that closes `opening`, and decrease the depth."""
        if self.token.kind == closing:
            self.depth -= 1
            self.advance()
        elif self.token.kind == "end":
            sentence = f"'{opening.text}' is never closed"
            raise self.error(sentence, f"add '{closing}'", opening)
        else:
            raise self.unexpected()

    def signs(self) -> bool:
        """Consume + and - signs; True if their product is negative."""
        return self._repeated({"+", "-"}, "signs").count("-") % 2 == 1

    def negations(self) -> int:
        """Consume repeated `not`; their number."""
        return len(self._repeated({"not"}, "'not'"))

    def _repeated(self, kinds: set[str], what: str) -> list[str]:
        """Consume the next tokens of these kinds; their kinds."""
        found: list[str] = []
        while self.token.kind in kinds:
            if len(found) == self.limits.depth:
                raise self.error(f"too many {what} in a row (limit depth={len(found)})", "")
            found.append(self.advance().kind)
        return found

    # -- errors, for the caller to raise --------------------------------------------------

    def error(self, sentence: str, hint: str, token: Token | None = None) -> FormulaError:
        """The error at `token`, by default the next one."""
        return FormulaError(self.text, (token or self.token).column, sentence, hint)

    def ambiguous(self, token: Token, one: str, other: str) -> FormulaError:
        """The error for ambiguous notation."""
        return self.error("this has two readings", f"write it as {one} or as {other}", token)

    def unexpected(self) -> FormulaError:
        """The error for a next token that the grammar does not allow."""
        token = self.token
        if token.kind == "end":
            return self.error("the formula ends too early", "something is missing here")
        joined = self.last is not token and self.last.kind in LOGIC
        if joined and token.kind in {")", ",", "and", "or"}:
            sentence = f"'{self.last.kind}' needs a condition after it"
            return self.error(sentence, "for example x > 0 and x < 1")
        if token.kind in RELATIONS or token.kind in LOGIC:
            what = f"'{token.kind}' stands" if token.kind in LOGIC else "a comparison stands"
            sentence = f"{what} only inside where(...), in its condition"
            return self.error(sentence, "write where(condition, a, b)")
        if token.kind == "text":
            return self.error("a text stands only beside == or !=", "write site == 'north'")
        if token.kind == ",":
            hint = "a decimal number takes a point: 0.5"
            return self.error("a comma stands only between the arguments of a function", hint)
        if token.kind == ")" and self.last.kind == ",":
            return self.error("an argument is missing after the comma", "write it, or no comma")
        if token.kind in {")", "|"}:
            return self.error(f"this '{token.text}' closes nothing", "delete it or open it")
        if token.kind in {"name", "quoted", "number", "(", "√", "superscript"}:
            if self.last.kind == "name" and self.last.text in CALLABLE:
                return self.bare_function(self.last)
            sentence = "two factors without an operator between them"
            if token.kind == self.last.kind == "number":
                joined_digits = f"{self.last.text}_{token.text}"
                return self.error(
                    sentence, f"write * between them, or {joined_digits} for one number"
                )
            return self.error(sentence, "write * between them")
        if self.text[: token.column + 1].endswith("//"):
            hint = "write a/b, or floor(a/b) for the quotient rounded down"
            return self.error("'//' is not part of a formula", hint)
        return self.error(f"'{token.text}' has nothing to work on", "a value is missing before it")

    def bare_function(self, token: Token) -> FormulaError:
        """The error for a function name without arguments."""
        name = token.text
        hint = f"write {name}(x)"
        if self.token.kind == "name":
            hint = f"write {name}({names.escape(self.token.text)})"
        elif self.token.kind in {"superscript", "**"}:
            text = self.text[self.token.column :]
            written = re.match(r"(?:\*\*|\^)\s*\(?\s*(-?\s*\w+)", text)
            exponent = written[1] if written else self.token.text.lstrip("*^") or "2"
            hint = f"write {name}(x)^{names.escape(exponent)}"
            if exponent == "-1" and f"a{name}" in CALLABLE:
                hint = f"write a{name}(x) for the inverse function, 1/{name}(x) for the reciprocal"
        return self.error(f"'{name}' is a function and needs its argument", hint, token)

    def unknown_function(self, token: Token, more: Iterable[str] = ()) -> FormulaError:
        """The error for a call of an unknown function. more: those that are known here alone."""
        hint = function_hint(token.text, [*CALLABLE, *POWERS, "sum", "mean", *more])
        return self.error(f"'{names.escape(token.text)}' is not a function", hint, token)


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
