"""A bar on standard error while a table is read that takes its time, on every pass over it."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from symgd.errors import excerpt

if TYPE_CHECKING:
    from symgd.data.source import Block, SelectedColumn, TableSource

AFTER = 0.5  # seconds of a pass before the bar is drawn
_EVERY = 0.1  # seconds between two drawings
_BAR = 20  # characters


@contextmanager
def shown(data: str | None, quiet: bool) -> Iterator[Any]:
    """What to read instead of `data`, so that a bar shows how far its passes are.

    That is `data` itself where nobody looks: quiet, or standard error is no terminal. Whatever
    happens within, no bar is left on the terminal.
    """
    if data is None or quiet or not _looked_at():
        yield data
        return
    from symgd.data import open_source

    line = _Line()
    try:
        yield Shown(open_source(data), line)
    finally:
        line.clear()


def _looked_at() -> bool:
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


class _Line:
    """The last line of the terminal, drawn over and over."""

    def __init__(self) -> None:
        self._drawn = 0  # characters

    def draw(self, text: str) -> None:
        """Show the text, cut to the terminal, in place of what is there."""
        try:
            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            width = 80
        text = text[: width - 1].ljust(self._drawn)  # the last column would begin a new line
        self._drawn = len(text)  # before it is: Ctrl-C may come in between
        self._write("\r" + text)

    def clear(self) -> None:
        """Leave the line empty, and the cursor at its beginning."""
        if self._drawn:
            self._write("\r" + " " * self._drawn + "\r")
            self._drawn = 0

    def _write(self, text: str) -> None:
        try:
            sys.stderr.write(text)
            sys.stderr.flush()
        except (OSError, UnicodeError):
            pass  # nobody looks any more


class Shown:
    """A source whose passes are shown. It is otherwise the one that it was made from."""

    def __init__(self, source: TableSource, line: _Line) -> None:
        self._source = source
        self._line = line
        self._passes = 0
        self._rows = 0  # of a whole pass, once there was one
        self.label = source.label
        self.names = source.names
        self.in_memory = source.in_memory

    @property
    def remarks(self) -> tuple[str, ...]:
        return self._source.remarks

    def estimated_rows(self) -> int:
        return self._source.estimated_rows()

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        self._passes += 1
        number, rows = self._passes, 0
        due = time.monotonic() + AFTER
        try:
            for block in self._source.blocks(selected, drop_missing):
                rows += len(block.arrays[0]) + block.dropped
                if time.monotonic() >= due:
                    self._line.draw(self._text(number, rows, block.progress))
                    due = time.monotonic() + _EVERY
                yield block
            self._rows = rows
        finally:
            self._line.clear()

    def _text(self, number: int, rows: int, progress: float) -> str:
        filled = int(_BAR * progress)
        bar = "#" * filled + "-" * (_BAR - filled)
        of = (
            f"{self._rows:,}"
            if self._rows
            else f"about {max(rows, self._source.estimated_rows()):,}"
        )
        return (
            f"{excerpt(self.label, 30)}, pass {number} [{bar}] {100 * progress:.0f}% "
            f"{rows:,} of {of} rows"
        )
