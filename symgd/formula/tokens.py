"""Tokenize the text of a formula, with the column of every token.

Tokens are generated lazily: a malicious text of a million parentheses is rejected at the 200th.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.other_notations import character_hint, word_hint


@dataclass(frozen=True, slots=True)
class Limits:
    """How large a formula may be. Code may raise these; a formula cannot.

    length: characters of text. depth: nesting. nodes: distinct sub-expressions. digits: of one
    number. exponent: magnitude of a constant exponent. name: characters of one name.
    """

    length: int = 1_500_000
    depth: int = 200
    nodes: int = 300_000
    digits: int = 800
    exponent: float = 1e6
    name: int = 200


@dataclass(frozen=True, slots=True)
class Token:
    """kind: "number", "name", "quoted", "text", "superscript", "end", or the operator.

    column: 0-based. The text of a quoted name (`dose (mg)` in back quotes), and of a category
    ("text", in quotes beside == or !=), excludes the quotes.
    """

    kind: str
    text: str
    column: int


_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(
    r"(?:[0-9](?:_?[0-9])*(?:\.(?!\.)(?:[0-9](?:_?[0-9])*)?)?|\.[0-9](?:_?[0-9])*)"
    r"(?:[eE][+-]?[0-9]+)?"
)
_ASCII_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OPERATOR = re.compile(r"\*\*|<=|>=|==|!=|[-+*/^()|,<>√·×⋅−÷≤≥≠]")
_INDEX_OPERATOR = re.compile(r"\.\.(?!\.)|==|[][;=]")  # what indexed formulas have in addition
_CATEGORY = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'")
_COMPARED = re.compile(r"\s*(?:==|!=|≠)")
_SUPERSCRIPT = re.compile(r"⁻?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_EXPONENT_LOOKALIKE = re.compile(r"[eE][eE0-9_]*$")

#: Operators beside which a text may stand.
EQUALITIES = frozenset({"==", "!="})

#: Logical operators: reserved words.
LOGIC = frozenset({"and", "or", "not"})

_OPERATOR_ALIASES = {
    "^": "**",
    "·": "*",
    "×": "*",
    "⋅": "*",
    "−": "-",
    "÷": "/",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
}
_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def tokens(text: str, limits: Limits, indexed: bool = False) -> Iterator[Token]:
    """The tokens of `text`, the last one of kind "end".

    indexed: with brackets, ranges, definitions.
    """
    at = 0
    token = Token("end", "", 0)
    while True:
        found = _SPACE.match(text, at)
        at = found.end() if found else at
        if at >= len(text):
            yield Token("end", "", len(text))
            return
        char = text[at]
        if char in "0123456789." and (found := _NUMBER.match(text, at)):
            _check_number(text, found, limits)
            token = Token("number", found.group(), at)
            at = found.end()
        elif indexed and (found := _INDEX_OPERATOR.match(text, at)):
            token = Token(found.group(), found.group(), at)
            at = found.end()
        elif found := _OPERATOR.match(text, at):
            kind = _OPERATOR_ALIASES.get(found.group(), found.group())
            token = Token(kind, found.group(), at)
            at = found.end()
        elif found := _SUPERSCRIPT.match(text, at):
            token = Token("superscript", found.group().translate(_DIGITS), at)
            at = found.end()
        elif char == "`":
            token = Token("quoted", _quoted(text, at, limits), at)
            at += len(token.text) + 2
        elif (found := _CATEGORY.match(text, at)) and (
            token.kind in EQUALITIES or _COMPARED.match(text, found.end())
        ):
            token = Token("text", found.group()[1:-1], at)
            at = found.end()
        elif names.is_name_start(char):
            end = _name_end(text, at)
            name = text[at:end]
            if name not in LOGIC:
                _check_name(text, at, end, limits)
            token = Token(name if name in LOGIC else "name", names.canonical(name), at)
            at = end
        else:
            shown = names.escape(char)
            hint = character_hint(text, at)
            raise FormulaError(text, at, f"'{shown}' is not part of a formula", hint)
        yield token


def _quoted(text: str, at: int, limits: Limits) -> str:
    """The text between the back quote at `at` and the next one."""
    end = text.find("`", at + 1, at + limits.name + 2)
    if end < 0 or "\n" in text[at:end]:
        sentence = "this back quote is never closed"
        raise FormulaError(text, at, sentence, "a column's name stands in two back quotes: `a b`")
    if end == at + 1:
        raise FormulaError(text, at, "there is no name between these back quotes", "")
    return text[at + 1 : end]


def _name_end(text: str, at: int) -> int:
    found = _ASCII_NAME.match(text, at)
    end = found.end() if found else at
    while end < len(text) and names.is_name_char(text[end]):
        end += 1
    return end


def _check_name(text: str, at: int, end: int, limits: Limits) -> None:
    name = text[at:end]
    problem = names.why_not_a_name(name, limits.name)
    if problem:
        sentence, hint = problem
        raise FormulaError(text, at, sentence, word_hint(name) if name in names.RESERVED else hint)


def _check_number(text: str, found: re.Match[str], limits: Limits) -> None:
    start, end = found.span()
    if end - start > limits.digits:
        sentence = (
            f"a number of {end - start} characters is too long (limit digits={limits.digits})"
        )
        raise FormulaError(text, start, sentence, "17 digits are all that a double keeps")
    after = text[end : end + 1]
    if (after in {".", "_"} and text[end : end + 2] != "..") or after.isdecimal():
        raise FormulaError(text, end, "this number is malformed", "write 1.5, 2e-3 or 123_456")
    if not after.isalpha():
        return
    name = text[end : _name_end(text, end)] if names.is_name_start(after) else ""
    if _EXPONENT_LOOKALIKE.match(name):
        shown = found.group()
        hint = f"write {shown}e-3 for a power of ten, {shown}*{name} for a product"
        raise FormulaError(text, end, "this number has an unfinished exponent", hint)
    if found.group() == "0" and after in "xXbBoO":
        hint = f"numbers are decimal; for a product write 0*{name}"
        raise FormulaError(text, start, f"'0{name}' looks like a number in another base", hint)


def value_of(token: Token, text: str) -> float:
    """The double of a number token; too large or too small for a double is an error."""
    value = float(token.text.replace("_", ""))
    if value == float("inf"):
        sentence = f"{token.text} is too large: a double ends at 1.8e308"
        raise FormulaError(text, token.column, sentence, "rescale the loss")
    if value == 0 and re.search("[1-9]", re.split("[eE]", token.text)[0]):
        sentence = f"{token.text} is too small: a double ends at 4.9e-324"
        raise FormulaError(text, token.column, sentence, "write 0, or rescale the loss")
    return value
