"""Words of the command line -> what they stand for: the loss, whole and positive numbers."""

from __future__ import annotations

import math
import sys

from symgd.errors import ArgumentError
from symgd.names import escape

_MOST_STDIN = 16_000_000  # bytes; the formula language has a lower limit, with its own message


def read_formula(words: list[str], data: str | None = None) -> str:
    """The one LOSS among the words of a command; - reads it from standard input.

    data: what --data says.
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


def whole(option: str, text: str, least: int) -> int:
    """The whole number in `text`; 1e6 is one, too."""
    try:
        value = int(text)
    except ValueError:
        number = _float(text)
        if not number.is_integer():
            raise ArgumentError(f"{option}: '{escape(text)}' is not a whole number") from None
        value = int(number)
    if not least <= value < 2**63:
        raise ArgumentError(f"{option}: {value} is not between {least} and 2**63 - 1")
    return value


def positive(option: str, text: str) -> float:
    """The number above 0 in `text`."""
    value = _float(text)
    if not 0 < value < math.inf:
        raise ArgumentError(f"{option}: '{escape(text)}' is not a positive number")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan
