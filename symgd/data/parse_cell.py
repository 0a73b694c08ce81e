"""One cell of a text file: the number in it, that it is missing, or what is wrong with it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from symgd.errors import excerpt

#: The words for a missing value, as they are usually written. Any case of them counts.
MISSING = ("", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "NULL", "null", "None")

#: Characters that are not part of a number. With none of them, float() reads decimal notation only.
FOREIGN = re.compile(r"[^0-9.eE+\- \t]")

_MISSING = {word.lower() for word in MISSING}
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")


@dataclass(frozen=True)
class Bad:
    """What is wrong with a cell. missing: --drop-missing may skip its row."""

    sentence: str
    hint: str = ""
    missing: bool = False


_DROP = "fill it in, or skip such rows with --drop-missing (drop_missing=True)"


def read(cell: str) -> float | Bad:
    """The finite number in `cell`, or why there is none."""
    text = cell.strip(" \t")
    try:
        value = math.nan if FOREIGN.search(text) else float(text)
    except ValueError:
        value = math.nan
    return value if math.isfinite(value) else _why(text, value)


def _why(text: str, value: float) -> Bad:
    shown = f"'{excerpt(text)}'"
    if not text:
        return Bad("the cell is empty", _DROP, missing=True)
    if text.lower() in _MISSING:
        return Bad(f"{shown} is a missing value", _DROP, missing=True)
    if math.isinf(value):
        hint = f"the largest float64 is 1.8e308; {_DROP}"
        return Bad(f"{shown} is too large for a number", hint, missing=True)
    if _NOT_FINITE.fullmatch(text):
        return Bad(f"{shown} is not finite", _DROP, missing=True)
    return Bad(f"{shown} is not a number", _advice(text))


def _advice(text: str) -> str:
    if _GROUPED.fullmatch(text):
        plain = text.replace(",", "")
        return f"write {plain} if the comma groups digits, a point if it is a decimal comma"
    if _DECIMAL_COMMA.fullmatch(text):
        return f"write the decimal comma as a point: {text.replace(',', '.')}"
    if text.startswith("#"):
        return "there are no comments in a table: delete the line"
    if text.startswith(("<", ">", "=")):
        return ""
    if text.endswith("%"):
        return "write it without the % sign"
    if "_" in text and _reads(text.replace("_", "")):
        return "write the digits without _"
    if text[:2].lower() == "0x":
        return "write it in decimal notation"
    if text.startswith(("−", "–")) and _reads(text[1:]):
        return "write the minus sign as -"
    if len(text.split()) > 1 and all(map(_reads, text.split())):
        return "cells are separated by commas, semicolons or tabs, not by spaces"
    if ";" in text and all(map(_reads, text.split(";"))):
        return "this file's header is separated by another character than its rows"
    return ""


def _reads(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
