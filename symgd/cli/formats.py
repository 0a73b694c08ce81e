"""The output formats and the commands that have them."""

from __future__ import annotations

from enum import StrEnum

from symgd.errors import ArgumentError
from symgd.names import escape


class Format(StrEnum):
    """An output format."""

    table = "table"
    terminal = "terminal"  # the report of `explain`
    plain = "plain"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"
    latex = "latex"
    markdown = "markdown"


_ROWS = (Format.table, Format.plain, Format.json, Format.jsonl, Format.csv)

#: The formats of each command, its default first.
FORMATS = {
    "run": _ROWS,
    "fit": (*_ROWS, Format.latex, Format.markdown),
    "compare": (Format.table, Format.json, Format.jsonl, Format.csv),
    "explain": (Format.terminal, Format.latex, Format.json),
    "rules": _ROWS,
    "functions": _ROWS,
    "schedules": _ROWS,
}


def read_format(command: str, text: str) -> Format:
    """The format of this name, or ArgumentError if the command does not have it."""
    if text not in FORMATS[command]:
        raise ArgumentError(f"--format: '{escape(text)}' is none of {', '.join(FORMATS[command])}")
    return Format(text)
