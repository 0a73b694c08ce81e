"""Lines for a narrow window: broken between words, what follows is indented.

A word that is longer than the window is broken behind an operator, or where the window ends.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

_USUAL = 80  # columns; from there on, and in files, a formula or a sentence stays on its line
_LEAST = 20  # columns of the narrowest window
_INDENT = 4  # of what follows the break, but for that of the line itself
_OPERATORS = "+-*/^·,;=<>|("  # behind which a formula is broken


def folded(lines: Iterable[str], width: int) -> Iterator[str]:
    """The lines, each at most `width` columns wide in a window narrower than the usual one."""
    return fitted(lines, width) if width < _USUAL else iter(lines)


def fitted(lines: Iterable[str], width: int) -> Iterator[str]:
    """The lines, each at most `width` columns wide, 20 at least."""
    width = max(width, _LEAST)
    for text in lines:
        for line in text.split("\n"):
            yield from _broken(line, width) if len(line) > width else [line]


def _broken(line: str, width: int) -> Iterator[str]:
    """The pieces of a line that is too long. No character but blanks at a break is lost."""
    indent = len(line) - len(line.lstrip())
    after = " " * min(indent + _INDENT, width // 3)
    now = " " * min(indent, width // 3)
    rest = line.strip()
    while len(now) + len(rest) > width:
        room = width - len(now)
        end = rest.rfind(" ", 0, room + 1)
        word = rest[end + 1 :].split(" ", 1)[0]
        if end < 0 or len(word) > width - len(after):  # broken whichever line it begins on
            end = _inside(rest, end + 1, room)
        yield (now + rest[:end]).rstrip()
        now, rest = after, rest[end:].lstrip()
    yield now + rest


def _inside(text: str, begin: int, room: int) -> int:
    """Where to break the word that begins at `begin`, so that at most `room` characters stay."""
    operators = (k + 1 for k in range(room - 1, begin - 1, -1) if text[k] in _OPERATORS)
    # x**2, <= and 1e-3 stay in one piece
    whole = (k for k in operators if not _inseparable(text, k))
    return next(whole, room if begin < room - room // 3 else begin or room)


def _inseparable(text: str, place: int) -> bool:
    """Whether the characters before and behind `place` are one operator or number."""
    before, behind = text[place - 1], text[place : place + 1]
    exponent = before in "+-" and text[place - 2 : place - 1] in ("e", "E") and behind.isdigit()
    return exponent or (bool(behind) and behind in "*=")
