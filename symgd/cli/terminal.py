"""What the commands share: the terminal, the log, remarks on stderr, garbage collection."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from symgd.cli.colors import Painter, has_color
from symgd.cli.console import emit, write_message
from symgd.names import escape


def terminal_width() -> int:
    """The columns of the terminal, or 80 if the output is not one."""
    if sys.stdout is None or not sys.stdout.isatty():
        return 80
    columns_variable = os.environ.get("COLUMNS", "")
    if columns_variable.isdecimal() and int(columns_variable) > 0:
        return int(columns_variable)
    try:  # shutil.get_terminal_size reads the stream that `console` has replaced
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def emit_report(lines: Iterable[str], painter: Painter | None = None) -> None:
    """Write a report, on a terminal wrapped to its width, and in colors if it has them."""
    if sys.stdout is not None and sys.stdout.isatty():
        from symgd.report.wrap import wrap_lines

        lines = wrap_lines(lines, terminal_width())
        if painter is not None and has_color(sys.stdout):
            lines = map(painter, lines)
    emit(lines)


def has_unicode() -> bool:
    """Whether standard output can encode mathematics; a code page of Windows often cannot."""
    encoding = sys.stdout.encoding if sys.stdout is not None else None
    try:
        "θ²√·".encode(encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def configure_logging(verbose: bool = False) -> None:
    """Write symgd's log to stderr. verbose: all of it, not only warnings."""
    import logging

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            write_message(escape(record.getMessage()))

    log = logging.getLogger("symgd")
    log.handlers = [Handler()]
    log.setLevel(logging.INFO if verbose else logging.WARNING)


def row_remarks(params: Iterable[str], columns: Iterable[str], table: Any) -> Iterator[str]:
    """Remarks on the names that are parameters, those that are columns, and the rows."""
    listed = [", ".join(map(escape, names)) for names in (params, columns)]
    yield f"parameters: {listed[0]}; columns: {listed[1]}; {table.rows:,} rows"
    if table.dropped:
        yield f"{table.dropped:,} rows with missing cells were skipped"
    yield from map(escape, getattr(table, "remarks", ()))


def write_row_remarks(loss: Any) -> None:
    """Write the row remarks of a loss over rows to standard error."""
    if getattr(loss, "table", None) is not None:
        params = loss.params if loss.indexed is None else loss.indexed.arrays.described
        for remark in row_remarks(params, loss.columns, loss.table):
            write_message(remark)


def exit_code(status: str, check: bool, diverging: bool = False) -> int:
    """The exit code of a run or a fit that ended with a status. check: the option --check."""
    if status == "interrupted":
        return 130
    if not check or status == "converged":
        return 0
    return 4 if diverging or status in ("diverged", "nonfinite") else 3


def enable_garbage_collection() -> None:
    """Enable garbage collection before a run, except for the modules imported so far."""
    gc.freeze()
    gc.enable()
