"""The brackets, ranges and definitions of an indexed formula, found before it is parsed.

A range stands after the term that it is for, `sum(x[i]^2, i=1..n)`, and so do the shapes of arrays:
one pass over the tokens tells the parser what each name is before it reaches it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from symgd.errors import FormulaError
from symgd.formula.tokens import Limits, Token, tokens
from symgd.names import escape

#: The functions that take an index.
REDUCTIONS = ("sum", "mean", "prod", "max", "min", "logsumexp", "norm")

_NAME = r"[^\W\d]\w*"
_DEFINITION = re.compile(rf"^[ \t]*{_NAME}[ \t]*(?:\[[^\]\n]*\][ \t]*)?=(?!=)", re.MULTILINE)
_MARK = re.compile(r"[\[;]|\.\.(?!\.)|=(?!=)")
_GOES_ON = tuple("+-*/^=,(·×÷−<>")
_FOLLOWS = tuple("+-*/^),·×÷−<>=")


@dataclass(frozen=True)
class IndexRange:
    """An index after a term, from the comma at the place `begin` up to `end`.

    low, high: where their first tokens are, in the list; None: omitted.
    """

    name: Token
    begin: int
    end: int
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Definition:
    """`name[index..] = body, ranges`. body, end: the places of its first token and after it."""

    name: Token
    indices: tuple[Token, ...]
    body: int
    end: int
    ranges: tuple[IndexRange, ...]


@dataclass
class IndexNotation:
    """What the tokens of a formula say before it is parsed.

    ranges: the indices of a call, by the place of its name. ranks: how many subscripts a name has.
    definitions: by name, in order. loss: the place of the first token of the loss, the last
    statement. sizes: the names in bounds of ranges. indices: the names of indices.
    """

    tokens: list[Token]
    ranges: dict[int, list[IndexRange]] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    loss: int = 0
    sizes: set[str] = field(default_factory=set)
    indices: set[str] = field(default_factory=set)

    def add_ranges(self, ranges: Sequence[IndexRange]) -> None:
        """Note the names in these ranges."""
        self.indices |= {one.name.text for one in ranges}
        for one in ranges:
            bounds = self.tokens[one.begin + 2 : one.end]
            self.sizes |= {token.text for token in bounds if token.kind == "name"}


def is_indexed(text: str) -> bool:
    """Whether a text may be an indexed formula or hold definitions."""
    found = _MARK.search(text)
    if found is None:
        return False
    if "[" in text or ".." in text:
        return True
    return len(_split(text)) > 1


def read_notation(text: str, limits: Limits) -> IndexNotation:
    """The tokens of a text, one after each newline between statements being `;`, and what they say.

    Raises FormulaError at a character that is not part of a formula, and for a second definition of
    a name.
    """
    found = IndexNotation(list(tokens(_with_separators(text), limits, indexed=True)))
    while len(found.tokens) > 1 and found.tokens[-2].kind == ";":
        del found.tokens[-2]
    calls = _calls(found.tokens)
    for call in calls:
        name = call.function
        if name is not None and found.tokens[name].text in REDUCTIONS:
            found.ranges[name] = _ranges(found.tokens, call)
            found.add_ranges(found.ranges[name])
        elif name is not None and call.opening == "[":
            text_ = found.tokens[name].text
            found.ranks[text_] = max(found.ranks.get(text_, 0), len(call.commas) + 1)
    for first, last in _statements(found.tokens):
        definition = _definition(found.tokens, first, last)
        found.loss = first
        if definition is not None:
            name_ = definition.name
            if name_.text in found.definitions:
                sentence = f"{escape(name_.text)} is defined twice"
                raise FormulaError(text, name_.column, sentence, "choose another name")
            found.definitions[name_.text] = definition
            found.add_ranges(definition.ranges)
            found.indices |= {token.text for token in definition.indices}
            if definition.indices:
                found.ranks[definition.name.text] = len(definition.indices)
    found.sizes -= found.indices
    return found


def _split(text: str) -> list[str]:
    return [part for part in _with_separators(text).split(";") if part.strip()]


def _with_separators(text: str) -> str:
    """The text, of the same length, with `;` for each newline that ends a definition.

    A statement goes on in the next line within parentheses, after an operator and before one.
    """
    if "\n" not in text or not _DEFINITION.search(text):
        return text
    depth, out = 0, list(text)
    for at, char in enumerate(text):
        depth += (char in "([") - (char in ")]")
        if char != "\n" or depth > 0:
            continue
        before, after = text[:at].rstrip(), text[at:].lstrip()
        complete = before and after and not before.endswith((*_GOES_ON, ";"))
        if complete and not after.startswith(_FOLLOWS):
            out[at] = ";"
    return "".join(out)


@dataclass
class _Call:
    """A parenthesis or bracket. function: the place of the name before it. commas: their places."""

    opening: str
    first: int
    function: int | None
    commas: list[int] = field(default_factory=list)
    last: int = 0


def _calls(found: Sequence[Token]) -> list[_Call]:
    """Every parenthesis and bracket that is closed, inner ones first."""
    stack: list[_Call] = []
    closed: list[_Call] = []
    for k, token in enumerate(found):
        if token.kind in {"(", "["}:
            named = k > 0 and found[k - 1].kind == "name"
            stack.append(_Call(token.kind, k, k - 1 if named else None))
        elif token.kind in {")", "]"} and stack:
            stack[-1].last = k
            closed.append(stack.pop())
        elif token.kind == "," and stack:
            stack[-1].commas.append(k)
    return closed


def _ranges(found: Sequence[Token], call: _Call) -> list[IndexRange]:
    """The arguments at the end of a reduction that are indices."""
    kept: list[IndexRange] = []
    end = call.last
    for comma in reversed(call.commas):
        one = _range(found, comma, end)
        if one is None or (
            one.low is None and not _in_brackets(found, call.first, comma, one.name.text)
        ):
            break
        kept.insert(0, one)
        end = comma
    return kept


def _range(found: Sequence[Token], comma: int, end: int) -> IndexRange | None:
    """The index between a comma and `end`: a name, or name = low..high."""
    if end <= comma + 1 or found[comma + 1].kind != "name":
        return None
    name = found[comma + 1]
    if end == comma + 2:
        return IndexRange(name, comma, end)
    if found[comma + 2].kind != "=":
        return None
    dots = [k for k in range(comma + 3, end) if found[k].kind == ".."]
    return IndexRange(name, comma, end, comma + 3, dots[0] + 1 if dots else None)


def _in_brackets(found: Sequence[Token], first: int, last: int, name: str) -> bool:
    depth = 0
    for token in found[first:last]:
        depth += (token.kind == "[") - (token.kind == "]")
        if depth > 0 and token.kind == "name" and token.text == name:
            return True
    return False


def _statements(found: Sequence[Token]) -> Iterator[tuple[int, int]]:
    """(first, end) of each statement that is not empty."""
    first = 0
    for k, token in enumerate(found):
        if token.kind in {";", "end"}:
            if k > first:
                yield first, k
            first = k + 1


def _definition(found: Sequence[Token], first: int, last: int) -> Definition | None:
    """The definition in these tokens, or None where they begin otherwise."""
    at = first + 1
    indices: list[Token] = []
    if found[first].kind != "name" or last == first + 1:
        return None
    if found[at].kind == "[":
        while at + 1 < last and found[at + 1].kind == "name":
            indices.append(found[at + 1])
            at += 2
            if found[at].kind != ",":
                break
        if found[at].kind != "]":
            return None
        at += 1
    if at >= last or found[at].kind != "=":
        return None
    ranges: list[IndexRange] = []
    depth, end = 0, last
    for k in reversed(range(at + 1, last)):
        depth += (found[k].kind in {")", "]"}) - (found[k].kind in {"(", "["})
        if found[k].kind == "," and depth == 0:
            one = _range(found, k, end)
            if one is None:
                break
            ranges.insert(0, one)
            end = k
    return Definition(found[first], tuple(indices), at + 1, end, tuple(ranges))
