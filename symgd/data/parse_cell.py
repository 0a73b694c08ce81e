"""Parsing of a CSV cell: a finite number, or what is wrong with it."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from symgd.errors import excerpt

#: The usual markers of a missing value; they match in any case.
MISSING = ("", "NA", "na", "N/A", "n/a", "#N/A", "NaN", "nan", "NAN", "NULL", "null", "None")

MISSING_HINT = "fill it in, or skip such rows with --drop-missing (drop_missing=True)"

#: Characters that are not part of a number. Without them, float() accepts decimal notation only.
FOREIGN = re.compile(r"[^0-9.eE+\- \t]")

#: From here on float64 does not hold every integer.
LARGEST_EXACT = 2.0**53

_INTEGER = re.compile(r"[+-]?[0-9]+")
_MISSING = {word.lower() for word in MISSING}
_NOT_FINITE = re.compile(r"[+-]?(inf|infinity|nan)", re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]*)?")


@dataclass(frozen=True)
class BadCell:
    """What is wrong with a cell. missing: whether --drop-missing drops its row."""

    sentence: str
    hint: str = ""
    missing: bool = False


def parse(cell: str) -> float | BadCell:
    """The finite number in `cell`, or what is wrong with it.

    A decimal fraction is the nearest float64. An integer is not rounded: one that float64 does not
    hold, often an identifier or a time in nanoseconds, is refused.
    """
    text = cell.strip(" \t")
    try:
        value = math.nan if FOREIGN.search(text) else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        return _reason(text, value)
    if abs(value) >= LARGEST_EXACT and _INTEGER.fullmatch(text) and int(text) != value:
        sentence = f"'{excerpt(text)}' is not a float64: the nearest is {value!r}"
        return BadCell(sentence, "write it with a decimal point if the nearest is meant")
    return value


def parse_text(cell: str) -> str | BadCell:
    """The text in `cell` that names a category, or that it is missing."""
    text = cell.strip(" \t")
    return _reason(text, math.nan) if is_missing(text) else text


def is_missing(text: str) -> bool:
    """Whether a text without spaces around it marks a missing value."""
    return text.lower() in _MISSING


def _reason(text: str, value: float) -> BadCell:
    shown = f"'{excerpt(text)}'"
    if not text:
        return BadCell("the cell is empty", MISSING_HINT, missing=True)
    if is_missing(text):
        return BadCell(f"{shown} is a missing value", MISSING_HINT, missing=True)
    if math.isinf(value):
        hint = f"the largest float64 is 1.8e308; {MISSING_HINT}"
        return BadCell(f"{shown} is too large for a number", hint, missing=True)
    if _NOT_FINITE.fullmatch(text):
        return BadCell(f"{shown} is not finite", MISSING_HINT, missing=True)
    return BadCell(f"{shown} is not a number", _advice(text))


def _advice(text: str) -> str:
    if _GROUPED.fullmatch(text):
        ungrouped = text.replace(",", "")
        return f"write {ungrouped} if the comma groups digits, a point if it is a decimal comma"
    if _DECIMAL_COMMA.fullmatch(text):
        return f"write the decimal comma as a point: {text.replace(',', '.')}"
    if text.startswith("#"):
        return "there are no comments in a table: delete the line"
    if text.startswith(("<", ">", "=")):
        return ""
    if text.endswith("%"):
        return "write it without the % sign"
    if "_" in text and _is_number(text.replace("_", "")):
        return "write the digits without _"
    if text[:2].lower() == "0x":
        return "write it in decimal notation"
    if text.startswith(("−", "–")) and _is_number(text[1:]):
        return "write the minus sign as -"
    if len(text.split()) > 1 and all(map(_is_number, text.split())):
        return "cells are separated by commas, semicolons or tabs, not by spaces"
    if ";" in text and all(map(_is_number, text.split(";"))):
        return "this file's header is separated by another character than its rows"
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
