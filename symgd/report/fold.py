"""Lines for a narrow window: broken between words, what follows is indented."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap

_USUAL = 80  # columns; from there on, and in files, a formula or a sentence stays on its line


def folded(lines: Iterable[str], width: int) -> Iterator[str]:
    """The lines, each at most `width` columns wide where its words allow it."""
    for line in lines:
        if width >= _USUAL or len(line) <= width:
            yield line
        else:
            yield from wrap(
                line,
                max(width, 16),
                subsequent_indent="    ",
                break_long_words=False,
                break_on_hyphens=False,
            )
