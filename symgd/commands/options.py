"""What the commands share: reading the loss and numbers from words, and asking the terminal."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from symgd._console import complain
from symgd.errors import ArgumentError
from symgd.names import escape

if TYPE_CHECKING:
    from pathlib import Path

    from typer import Context

    from symgd.report.drawing import Painter

_MOST_STDIN = 16_000_000  # bytes; the formula language has a lower limit, with its own message


def read_formula(words: list[str]) -> str:
    """The one LOSS among the words of a command; - reads it from standard input."""
    if len(words) > 1:
        shown = escape(" ".join(words))
        raise ArgumentError(
            f'one LOSS is wanted, {len(words)} were given\nput it in quotes: symgd "{shown}"'
        )
    if words == ["-"]:
        return _standard_input()
    return words[0] if words else "theta**2"


def _standard_input() -> str:
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(_MOST_STDIN + 1)
    if len(data) > _MOST_STDIN:
        raise ArgumentError(f"standard input is longer than {_MOST_STDIN:,} bytes")
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError as error:
        place = f"byte {error.start} is 0x{data[error.start]:02x}"
        raise ArgumentError(f"standard input is not UTF-8 text: {place}") from None


def start_painter(ctx: Context, picture: Path | None) -> Painter | None:
    """Who draws the picture, at work from now to the command's end; None without a picture."""
    if picture is None:
        return None
    from symgd.report.drawing import Painter

    painter = Painter()
    ctx.call_on_close(painter.close)
    return painter


def tell_rows(loss: Any) -> None:
    """Say on standard error what a loss over rows took as parameters and as columns."""
    if loss.table is not None:
        for remark in about_rows(loss.params, loss.columns, loss.table):
            complain(remark)


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


def terminal_width() -> int:
    """The columns of the terminal, or 80 where the output goes elsewhere."""
    if sys.stdout is None or not sys.stdout.isatty():
        return 80
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked) > 0:
        return int(asked)
    try:  # of the stream that is written to: shutil asks the one that `console` has replaced
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def has_unicode() -> bool:
    """Whether standard output can show mathematics; a code page of Windows often cannot."""
    encoding = sys.stdout.encoding if sys.stdout is not None else None
    try:
        "θ²√·".encode(encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def listen(verbose: bool) -> None:
    """Show symgd's log on stderr: warnings, and all of it where the user wants to know."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complain(escape(record.getMessage()))

    log = logging.getLogger("symgd")
    log.handlers = [Handler()]
    log.setLevel(logging.INFO if verbose else logging.WARNING)


def about_rows(params: Iterable[str], columns: Iterable[str], table: Any) -> Iterator[str]:
    """Which names were taken as parameters and which as columns, and of how many rows."""
    listed = [", ".join(map(escape, names)) for names in (params, columns)]
    yield f"parameters: {listed[0]}; columns: {listed[1]}; {table.rows:,} rows"
    if table.dropped:
        yield f"{table.dropped:,} rows with missing cells were skipped"
    yield from map(escape, getattr(table, "remarks", ()))
