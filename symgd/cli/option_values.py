"""Parsing of option values: the loss, integers, positive numbers."""

from __future__ import annotations

import math
import sys

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
