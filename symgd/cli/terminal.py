"""The terminal around a command: its width and characters, the log, and remarks on stderr."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from symgd.cli.console import complain, emit
from symgd.names import escape


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


def emit_report(lines: Iterable[str]) -> None:
    """Write a report for people; on a terminal, no line is longer than that is wide."""
    if sys.stdout is not None and sys.stdout.isatty():
        from symgd.report.wrap import fitted

        lines = fitted(lines, terminal_width())
    emit(lines)


def has_unicode() -> bool:
    """Whether standard output can show mathematics; a code page of Windows often cannot."""
    encoding = sys.stdout.encoding if sys.stdout is not None else None
    try:
        "θ²√·".encode(encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def listen(verbose: bool = False) -> None:
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


def tell_rows(loss: Any) -> None:
    """Say on standard error what a loss over rows took as parameters and as columns."""
    if loss.table is not None:
        for remark in about_rows(loss.params, loss.columns, loss.table):
            complain(remark)
