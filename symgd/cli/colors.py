"""Colors of a terminal: of verdicts, and of the caret and the hint of an error."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_CODES = {"good": "32", "fair": "33", "bad": "31", "error": "1;31", "caret": "1;32", "hint": "36"}
_GOOD = frozenset({"converged", "converging", "completed", "landed", "bound"})
_BAD = frozenset({"diverging", "diverged", "nonfinite", "unbounded", "saddle", "infeasible"})

Painter = Callable[[str], str]


def has_color(stream: Any) -> bool:
    """Whether the stream shows colors: a terminal, unless $NO_COLOR is set or $TERM is dumb."""
    if stream is None or not stream.isatty() or os.environ.get("TERM") == "dumb":
        return False
    return not os.environ.get("NO_COLOR")


def paint(text: str, style: str) -> str:
    """The text in a style of `_CODES`."""
    return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if text else text


def style_of(kind: str) -> str:
    """The style of a verdict's kind or of a status; only what is good is green."""
    return "good" if kind in _GOOD else "bad" if kind in _BAD else "fair"


def verdict_painter(sentence: str, kind: str) -> Painter:
    """Colors the head of a verdict, "converging:", in the line that begins with it."""
    head, colon, _ = sentence.partition(":")
    head += colon

    def painted(line: str) -> str:
        if not head or not line.startswith(head[: len(line)]) or not line:
            return line
        return paint(line[: len(head)], style_of(kind)) + line[len(head) :]

    return painted


def table_painter(kinds: set[str]) -> Painter:
    """Colors the last word of the lines of a table where it is a kind of verdict."""

    def painted(line: str) -> str:
        rest, blank, last = line.rpartition(" ")
        return rest + blank + paint(last, style_of(last)) if last in kinds else line

    return painted


def painted_message(message: str) -> str:
    """A message of one or more lines: its caret, and what follows the first line or the caret."""
    first, *rest = message.split("\n")
    carets = [k for k, line in enumerate(rest) if line.strip() == "^"]
    after = carets[0] if carets else -1
    lines = [
        paint(line, "caret") if k == after else paint(line, "hint") if k > after else line
        for k, line in enumerate(rest)
    ]
    return "\n".join([first, *lines])
