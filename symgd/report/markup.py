"""Texts inside HTML and SVG: markup and control characters are escaped."""

from __future__ import annotations

import html

from symgd.names import escape


def markup(text: str) -> str:
    """`text` as it stands in an element or in an attribute between double quotes, on one line."""
    return html.escape(escape(text))


def markup_lines(text: str) -> str:
    """The same of a text of several lines."""
    return "\n".join(map(markup, text.split("\n")))
