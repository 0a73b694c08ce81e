"""Progress on standard error: of long runs, and of long passes over a table."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from symgd.errors import excerpt

if TYPE_CHECKING:
    from symgd.data.source import Block, SelectedColumn, TableSource
    from symgd.model.progress_meter import Progress

DELAY = 0.5  # seconds before a bar is drawn
_INTERVAL = 0.1  # seconds between two drawings


class RunProgress:
    """A bar for a long run on the last line of the terminal.

    heading: prints what is said before the steps; called once, before the bar is first drawn.
    """

    def __init__(self, heading: Callable[[Any], None] | None = None) -> None:
        self._heading, self._line, self._next = heading, _Line(), 0.0
        self.headed = False  # whether the heading is printed

    def __call__(self, progress: Progress) -> None:
        from symgd.report.progress_bar import text

        if progress.seconds < DELAY or time.monotonic() < self._next:
            return
        if 0 < progress.total <= progress.done:
            return
        if self._heading is not None and progress.about is not None and not self.headed:
            self.headed = True
            self._heading(progress.about)
        self._line.show(text(progress))
        self._next = time.monotonic() + _INTERVAL

    def clear(self) -> None:
        """Clear the line."""
        self._line.clear()


@contextmanager
def run_progress(
    quiet: bool, heading: Callable[[Any], None] | None = None
) -> Iterator[RunProgress]:
    """A context in which long runs show a bar on a terminal, which is cleared at the end."""
    shown = RunProgress(heading)
    if quiet or not _has_terminal():
        yield shown
        return
    from symgd.model.progress_meter import listening

    try:
        with listening(shown):
            yield shown
    finally:
        shown.clear()


def _has_terminal() -> bool:
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    return is_terminal and os.environ.get("TERM") != "dumb"


@contextmanager
def with_progress(
    data: str | None, quiet: bool, names: Sequence[str] | None = None
) -> Iterator[Any]:
    """A context with a source for `data` whose passes show a progress bar.

    It is `data` itself if quiet or if standard error is not a terminal, and no names of columns
    are given. The bar is always cleared at the end.
    """
    from symgd.data import open_source

    if data is None or quiet or not _has_terminal():
        yield data if names is None else open_source(data, names)
        return
    source = ProgressSource(open_source(data, names))
    try:
        yield source
    finally:
        source.clear()


class ProgressSource:
    """A table source with a bar for each pass on the last line of the terminal."""

    def __init__(self, source: TableSource) -> None:
        self._source = source
        self._passes = 0
        self._rows = 0  # known after the first whole pass
        self._line = _Line()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        self._passes += 1
        number, rows = self._passes, 0
        next_update = time.monotonic() + DELAY
        try:
            for block in self._source.blocks(selected, drop_missing):
                rows += len(block.arrays[0]) + block.dropped
                if time.monotonic() >= next_update:
                    self._line.show(self._text(number, rows, block.progress))
                    next_update = time.monotonic() + _INTERVAL
                yield block
            self._rows = rows
        finally:
            self.clear()

    def _text(self, number: int, rows: int, progress: float) -> str:
        from symgd.report.progress_bar import bar

        about = f"about {max(rows, self._source.estimated_rows()):,}"
        of = f"{self._rows:,}" if self._rows else about
        name = excerpt(self._source.label, 30)
        return f"{name}, pass {number} {bar(progress)} {100 * progress:.0f}% {rows:,} of {of} rows"

    def clear(self) -> None:
        """Clear the line."""
        self._line.clear()


class _Line:
    """The last line of the terminal."""

    _drawn = 0  # characters

    def show(self, text: str) -> None:
        """Replace the line by the text, cut to the width of the terminal."""
        try:
            width = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        except (OSError, ValueError):
            width = 80
        text = text[: width - 1].ljust(self._drawn)  # the last column may wrap
        self._drawn = len(text)  # set first, because Ctrl-C may interrupt the writing
        _write("\r" + text)

    def clear(self) -> None:
        """Clear the line and move the cursor to its beginning."""
        if self._drawn:
            _write("\r" + " " * self._drawn + "\r")
            self._drawn = 0


def _write(text: str) -> None:
    with suppress(OSError, UnicodeError):  # the terminal is gone
        sys.stderr.write(text)
        sys.stderr.flush()
