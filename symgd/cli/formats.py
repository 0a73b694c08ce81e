"""The formats of a descent, a rule and a function."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    plain = "plain"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


Form = Annotated[
    Format,
    typer.Option("--format", metavar="table|plain|json|jsonl|csv", help="How to print it."),
]
