"""Wrapping of lines for a terminal: broken between words, with indented continuations.

A word longer than the window is broken after an operator, or at the end of the window.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_NARROWEST = 20  # columns, at least
_INDENT = 4  # of a continuation, in addition to that of its line
_OPERATORS = "+-*/^·,;=<>|("  # after which a formula may be broken


def wrap_lines(lines: Iterable[str], width: int) -> Iterator[str]:
    """The lines, wrapped to `width` columns, 20 at least."""
    width = max(width, _NARROWEST)
    for text in lines:
        for line in text.split("\n"):
            yield from _wrap_line(line, width) if len(line) > width else [line]


def _wrap_line(line: str, width: int) -> Iterator[str]:
    """The parts of a line that is too long; only blanks at a break are dropped."""
    indent = len(line) - len(line.lstrip())
    continuation = " " * min(indent + _INDENT, width // 3)
    lead = " " * min(indent, width // 3)
    rest = line.strip()
    while len(lead) + len(rest) > width:
        available = width - len(lead)
        end = rest.rfind(" ", 0, available + 1)
        word = rest[end + 1 :].split(" ", 1)[0]
        if end < 0 or len(word) > width - len(continuation):  # does not fit on a line of its own
            end = _break_in_word(rest, end + 1, available)
        yield (lead + rest[:end]).rstrip()
        lead, rest = continuation, rest[end:].lstrip()
    yield lead + rest


def _break_in_word(text: str, begin: int, available: int) -> int:
    """Where to break the word that begins at `begin`, so that at most `available` remain."""
    operators = (k + 1 for k in range(available - 1, begin - 1, -1) if text[k] in _OPERATORS)
    # x**2, <= and 1e-3 are not broken
    positions = (k for k in operators if not _inseparable(text, k))
    return next(positions, available if begin < available - available // 3 else begin or available)


def _inseparable(text: str, place: int) -> bool:
    """Whether the characters around `place` are one operator or number."""
    before, following = text[place - 1], text[place : place + 1]
    exponent = before in "+-" and text[place - 2 : place - 1] in ("e", "E") and following.isdigit()
    return exponent or (bool(following) and following in "*=")
