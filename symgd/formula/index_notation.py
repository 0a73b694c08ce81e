"""The brackets, ranges and definitions of an indexed formula, found before it is parsed.

A range stands after the term that it is for, `sum(x[i]^2, i=1..n)`, and so do the shapes of arrays:
one pass over the tokens tells the parser what each name is before it reaches it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from symgd.errors import FormulaError
from symgd.formula.tokens import Limits, Token, tokens
from symgd.names import escape

#: The functions that take an index.
REDUCTIONS = ("sum", "mean", "prod", "max", "min", "logsumexp", "norm")
#: The functions of whole arrays.
ARRAY_FUNCTIONS = ("dot", "matmul", "softmax")

_NAME = r"[^\W\d]\w*"
_DEFINITION = re.compile(rf"^[ \t]*{_NAME}[ \t]*(?:\[[^\]\n]*\][ \t]*)?=(?!=)", re.MULTILINE)
_MARK = re.compile(r"[][;]|\.\.|(?<![<>=!])=(?!=)")
_ARRAY_CALL = re.compile(rf"\b(?:{'|'.join([*ARRAY_FUNCTIONS, 'prod', 'norm'])})\s*\(")
_SPACE_OR_BRACKET = re.compile(r"\s+|[][()]")
_GOES_ON = tuple("+-*/^=,(·×÷−<>;")
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

    closing: the place of the token that closes the bracket at a place; opening: the reverse.
    subscripts: how many the
    name at a place has. alone: where a name is a whole subscript, as (place, array, axis).
    bracketed: where a name stands within brackets. ranges: the indices of a call, by the place of
    its name. ranks: how many subscripts a name has. definitions: by name, in order. loss: the place
    of the first token of the loss, the last statement. strays: statements before it that are no
    definitions. sizes: the names in bounds of ranges. indices: the names of indices.
    """

    tokens: list[Token]
    closing: dict[int, int] = field(default_factory=dict)
    opening: dict[int, int] = field(default_factory=dict)
    subscripts: dict[int, int] = field(default_factory=dict)
    alone: dict[str, list[tuple[int, Token, int]]] = field(default_factory=dict)
    bracketed: dict[str, list[int]] = field(default_factory=dict)
    ranges: dict[int, list[IndexRange]] = field(default_factory=dict)
    ranks: dict[str, int] = field(default_factory=dict)
    definitions: dict[str, Definition] = field(default_factory=dict)
    loss: int = 0
    strays: list[Token] = field(default_factory=list)
    sizes: set[str] = field(default_factory=set)
    indices: set[str] = field(default_factory=set)

    def add_ranges(self, ranges: Sequence[IndexRange]) -> None:
        """Note the names in these ranges."""
        self.indices |= {one.name.text for one in ranges}
        for one in ranges:
            bounds = self.tokens[one.begin + 2 : one.end]
            self.sizes |= {token.text for token in bounds if token.kind == "name"}

    def add_definition(self, definition: Definition, text: str) -> None:
        """Note a definition, or FormulaError for the second one of a name."""
        name = definition.name
        if name.text in self.definitions:
            sentence = f"{escape(name.text)} is defined twice"
            raise FormulaError(text, name.column, sentence, "choose another name")
        self.definitions[name.text] = definition
        self.add_ranges(definition.ranges)
        self.indices |= {token.text for token in definition.indices}
        self.ranks[name.text] = len(definition.indices)

    def is_bracketed(self, name: str, first: int, last: int) -> bool:
        """Whether a name stands within brackets between two places."""
        places = self.bracketed.get(name, [])
        k = bisect_left(places, first)
        return k < len(places) and places[k] < last

    def alone_between(self, name: str, first: int, last: int) -> Iterator[tuple[Token, int]]:
        """The arrays that have a name as a whole subscript between two places, and the axes."""
        found = self.alone.get(name, [])
        k = bisect_left(found, first, key=lambda one: one[0])
        while k < len(found) and found[k][0] < last:
            yield found[k][1:]
            k += 1


def is_indexed(text: str) -> bool:
    """Whether a text may be an indexed formula or hold definitions."""
    found = _MARK.search(text)
    if found is None:
        return _ARRAY_CALL.search(text) is not None
    if found.group() != "=" or any(mark in text for mark in ("[", "]", "..", ";")):
        return True
    return ";" in with_separators(text) or _ARRAY_CALL.search(text) is not None


def read_notation(text: str, limits: Limits) -> IndexNotation:
    """The tokens of a text, one after each newline between statements being `;`, and what they say.

    Raises FormulaError at a character that is not part of a formula, where brackets are nested too
    deeply, and for a second definition of a name.
    """
    if len(text) > limits.length:
        sentence = f"{len(text)} characters are too many (limit length={limits.length})"
        raise FormulaError(text[:80], 0, sentence)
    found = IndexNotation([])
    calls = _read_tokens(found, text, limits)
    while len(found.tokens) > 1 and found.tokens[-2].kind == ";":
        del found.tokens[-2]
    for call in calls:
        if call.function is None:
            continue
        name = found.tokens[call.function].text
        if name in ARRAY_FUNCTIONS:
            _note_ranks(found, call, name)
        if call.opening == "[":
            count = len(call.commas) + 1
            found.subscripts[call.function] = count
            found.ranks[name] = max(found.ranks.get(name, 0), count)
        elif name in REDUCTIONS:
            found.ranges[call.function] = _ranges(found, call)
            found.add_ranges(found.ranges[call.function])
    statements = list(_statements(found.tokens))
    for first, last in statements:
        found.loss = first
        definition = _definition(found.tokens, first, last)
        if definition is not None:
            found.add_definition(definition, text)
        elif first != statements[-1][0]:
            found.strays.append(found.tokens[first])
    found.sizes -= found.indices
    return found


def with_separators(text: str) -> str:
    """The text, of the same length, with `;` for each newline that ends a definition.

    A statement goes on in the next line within parentheses, after an operator and before one.
    """
    if "\n" not in text or not _DEFINITION.search(text):
        return text
    depth, out = 0, list(text)
    for found in _SPACE_OR_BRACKET.finditer(text):
        first, end = found.span()
        char = found.group()
        if char in {"(", "[", ")", "]"}:
            depth += 1 if char in "([" else -1
        elif "\n" in char and depth <= 0 and first > 0 and end < len(text):
            complete = text[first - 1] not in _GOES_ON and text[end] not in _FOLLOWS
            out[text.index("\n", first)] = ";" if complete else "\n"
    return "".join(out)


@dataclass
class _Call:
    """A parenthesis or bracket. function: the place of the name before it. commas: their places."""

    opening: str
    first: int
    function: int | None
    commas: list[int] = field(default_factory=list)
    last: int = 0


def _read_tokens(found: IndexNotation, text: str, limits: Limits) -> list[_Call]:
    """Read all tokens; every parenthesis and bracket that is closed, inner ones first."""
    stack: list[_Call] = []
    closed: list[_Call] = []
    brackets = 0
    for k, token in enumerate(tokens(with_separators(text), limits, indexed=True)):
        found.tokens.append(token)
        kind = token.kind
        if kind in {"(", "["}:
            named = k > 0 and found.tokens[k - 1].kind in {"name", "quoted"}
            stack.append(_Call(kind, k, k - 1 if named else None))
            brackets += kind == "["
            if len(stack) > limits.depth:
                sentence = f"the formula is nested too deeply (limit depth={limits.depth})"
                raise FormulaError(text, token.column, sentence)
        elif kind in {")", "]"} and stack and (stack[-1].opening == "(") == (kind == ")"):
            call = stack.pop()
            brackets -= kind == "]"
            call.last = found.closing[call.first] = k
            found.opening[k] = call.first
            closed.append(call)
            if kind == "]":
                _note_alone(found, call)
        elif kind == "," and stack:
            stack[-1].commas.append(k)
        elif kind == "name" and brackets:
            found.bracketed.setdefault(token.text, []).append(k)
    for listed in found.alone.values():
        listed.sort(key=lambda one: one[0])
    return closed


def _note_alone(found: IndexNotation, call: _Call) -> None:
    """Note the subscripts that are one name, of an array or as in matmul(A, b)[i]."""
    tokens_, before = found.tokens, call.first - 1
    place = call.function
    if place is None and before in found.opening and found.opening[before] > 0:
        first = found.opening[before] + 1
        array_call = tokens_[first - 2].text in ("matmul", "softmax")
        if array_call and tokens_[first].kind == "name" and tokens_[first + 1].kind in {",", ")"}:
            place = first
    if place is None:
        return
    begins = [call.first, *call.commas]
    for axis, (begin, end) in enumerate(zip(begins, [*call.commas, call.last], strict=True)):
        token = tokens_[begin + 1]
        if end == begin + 2 and token.kind == "name":
            found.alone.setdefault(token.text, []).append((begin + 1, tokens_[place], axis))


def _note_ranks(found: IndexNotation, call: _Call, function: str) -> None:
    """Note how many subscripts the arguments of an array function have: those typed, and more."""
    begins = [call.first, *call.commas]
    for k, (begin, end) in enumerate(zip(begins, [*call.commas, call.last], strict=True)):
        token, more = found.tokens[begin + 1], 2 if function == "matmul" and k == 0 else 1
        own = found.subscripts.get(begin + 1, 0)
        last = found.closing[begin + 2] if own else begin + 1
        if token.kind == "name" and end == last + 1:
            found.ranks[token.text] = max(found.ranks.get(token.text, 0), own + more)


def _ranges(notation: IndexNotation, call: _Call) -> list[IndexRange]:
    """The arguments at the end of a reduction that are indices.

    A bare name is one if it occurs inside brackets of the term, or stands after an index.
    """
    kept: list[IndexRange] = []
    end = call.last
    for comma in reversed(call.commas):
        one = _range(notation.tokens, comma, end)
        if one is None:
            break
        kept.insert(0, one)
        end = comma
    for k, one in enumerate(kept):
        bracketed = notation.is_bracketed(one.name.text, call.first, one.begin)
        if one.low is not None or bracketed:
            return kept[k:]
    return []


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
    return IndexRange(name, comma, end, comma + 3, dots[0] + 1 if len(dots) == 1 else None)


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
