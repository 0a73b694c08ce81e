"""The output formats, and which command has which."""

from __future__ import annotations

from enum import StrEnum

from symgd.errors import ArgumentError
from symgd.names import escape


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    terminal = "terminal"  # what `explain` calls its table
    plain = "plain"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    latex = "latex"


_ROWS = (Format.table, Format.plain, Format.json, Format.jsonl, Format.csv)

#: The formats of each command, its default first.
FORMATS = {
    "run": _ROWS,
    "fit": _ROWS,
    "compare": (Format.table, Format.json, Format.jsonl, Format.csv),
    "explain": (Format.terminal, Format.latex, Format.json),
    "rules": _ROWS,
    "functions": _ROWS,
}


def read_format(command: str, text: str) -> Format:
    """The format that was asked for, or ArgumentError."""
    if text not in FORMATS[command]:
        raise ArgumentError(f"--format: '{escape(text)}' is none of {', '.join(FORMATS[command])}")
    return Format(text)
