"""Progress bars: one line of text, and a bar that a notebook updates in place."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from symgd.model.progress_meter import Meter, Progress
from symgd.report.markup import markup

DELAY = 0.5  # seconds before a bar is shown,
INTERVAL = 0.1  # and between two drawings
_WIDTH = 20  # characters of the bar


def bar(share: float) -> str:
    """`[####----]`."""
    filled = int(_WIDTH * share)
    return f"[{'#' * filled}{'-' * (_WIDTH - filled)}]"


def text(progress: Progress) -> str:
    """The bar with the share, the time that is left, the count, and the rate."""
    if not progress.total:
        line = f"{int(progress.done):,} {progress.unit}, {clock(progress.seconds)}"
        return line + (f", {progress.note}" if progress.note else "")
    line = f"{bar(progress.share)} {100 * progress.share:.0f}%"
    if progress.seconds_left is not None and progress.done >= 1:
        line += f", {clock(progress.seconds_left)} left"
    line += f", {int(progress.done):,} of {int(progress.total):,} {progress.unit}"
    if progress.seconds > 0 and progress.done >= 1:
        line += f", {_short(progress.done / progress.seconds)}/s"
    return line + (f", {progress.note}" if progress.note else "")


def clock(seconds: float) -> str:
    """`0:05`, `2:03:04` or `3 days`."""
    if seconds >= 172_800:
        return f"{seconds / 86_400:,.0f} days"
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _short(rate: float) -> str:
    """A rate in three digits: 1.23, 45.6k, 120M."""
    for factor, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if rate >= factor:
            return f"{rate / factor:.3g}{letter}"
    return f"{rate:.3g}"


def notebook_bar(meter: Meter) -> Callable[[Progress], None] | None:
    """What shows progress in a notebook, or None where there is none."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if shell is None or not hasattr(shell, "kernel"):
        return None
    return NotebookBar(ipython.display.display)


class NotebookBar:
    """A bar under the cell from half a second on; it goes when all is done.

    display: IPython's, which returns a handle whose `update` replaces what was shown.
    """

    def __init__(self, display: Callable[..., Any]) -> None:
        self._display, self._handle, self._next = display, None, 0.0

    def __call__(self, progress: Progress) -> None:
        ended = 0 < progress.total <= progress.done
        if progress.seconds < max(DELAY, self._next) and not (ended and self._handle):
            return
        self._next = progress.seconds + INTERVAL
        shown = _Html("" if ended else _html(progress))
        if self._handle is None:
            if not ended:
                self._handle = self._display(shown, display_id=True)
        else:
            self._handle.update(shown)


class _Html:
    """A text of HTML as IPython asks for it."""

    def __init__(self, text: str) -> None:
        self._text = text

    def _repr_html_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return ""


def _html(progress: Progress) -> str:
    line = markup(text(progress).partition("] ")[2])
    value = f'value="{progress.share:.4f}" max="1"' if progress.total else ""
    return f'<progress {value} aria-label="{markup(progress.unit)}"></progress> {line}'
