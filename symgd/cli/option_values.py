"""Parsing of option values: the loss, integers, positive numbers."""

from __future__ import annotations

import math
import sys
from typing import Any, Literal

from symgd.errors import ArgumentError
from symgd.names import escape

_MOST_STDIN = 16_000_000  # bytes; the formula language has a lower limit, with its own message


def read_formula(words: list[str], data: str | None = None) -> str:
    """The LOSS argument of a command; - reads it from standard input.

    data: the value of --data.
    """
    if len(words) > 1:
        shown = escape(" ".join(words))
        raise ArgumentError(
            f'one LOSS is wanted, {len(words)} were given\nput it in quotes: symgd "{shown}"'
        )
    if words == ["-"]:
        if data == "-":
            raise ArgumentError("LOSS and --data cannot both come from standard input")
        return _standard_input()
    return words[0] if words else "theta**2"


def _standard_input() -> str:
    if sys.stdin is None:
        raise ArgumentError("there is no formula: standard input is closed")
    data = sys.stdin.buffer.read(_MOST_STDIN + 1)
    if len(data) > _MOST_STDIN:
        raise ArgumentError(f"standard input is longer than {_MOST_STDIN:,} bytes")
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        place = f"byte {error.start} is 0x{data[error.start]:02x}"
        raise ArgumentError(f"standard input is not UTF-8 text: {place}") from None


def integer(option: str, text: str, minimum: int) -> int:
    """The integer in `text`, which may be written as 1e6."""
    try:
        value = int(text)
    except ValueError:
        number = _float(text)
        if not number.is_integer():
            raise ArgumentError(f"{option}: '{escape(text)}' is not a whole number") from None
        value = int(number)
    if not minimum <= value < 2**63:
        raise ArgumentError(f"{option}: {value} is not between {minimum} and 2**63 - 1")
    return value


def read_history(text: str | None) -> int | Literal["all"] | None:
    """The value of --history: all, or a number of rows."""
    if text is None:
        return None
    return "all" if text == "all" else integer("--history", text, minimum=2)


def positive(option: str, text: str) -> float:
    """The positive number in `text`."""
    value = _float(text)
    if not 0 < value < math.inf:
        raise ArgumentError(f"{option}: '{escape(text)}' is not a positive number")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def read_arrays(
    sizes: list[str] | None, shapes: list[str] | None, vectors: list[str] | None
) -> dict[str, Any]:
    """The values of --size, --shape and --vector as the arguments sizes, shapes, vectors."""
    return {
        "sizes": {n: integer(f"--size {n}", v, 0) for n, v in pairs("--size", sizes or []).items()},
        "shapes": {
            name: [_length(f"--shape {name}", part) for part in _list(value)]
            for name, value in pairs("--shape", shapes or []).items()
        },
        "vectors": {name: _list(value) for name, value in pairs("--vector", vectors or []).items()},
    }


def pairs(option: str, items: list[str], form: str = "NAME=VALUE") -> dict[str, str]:
    """The texts NAME=VALUE as a mapping; the values are not yet read."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, value = (part.strip() for part in item.partition("="))
        if not (equals and name and value):
            raise ArgumentError(f"{option}: '{escape(item)}' is not {form}")
        if name in found:
            raise ArgumentError(f"{option}: '{escape(name)}' is given twice")
        found[name] = value
    return found


def figure_size(text: str | None) -> tuple[float, float] | None:
    """The inches in a text such as 8x6."""
    if text is None:
        return None
    width, both, height = text.lower().replace(",", "x").partition("x")
    if not both:
        raise ArgumentError(f"--figsize: '{escape(text)}' is not two lengths, as 8x6")
    return positive("--figsize", width), positive("--figsize", height)


def split_names(text: str | None) -> list[str] | None:
    """The names in a list with commas, or None."""
    return None if text is None else _list(text)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _length(option: str, text: str) -> int | str:
    """The length of an axis: a number, or the name of a size or column."""
    return integer(option, text, 0) if text[:1].isdigit() or text[:1] == "-" else text
