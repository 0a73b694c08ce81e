"""Starts the drawing of a picture beside the work whose result it will show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from typer import Context

    from symgd.report.drawing import Painter


def start_painter(ctx: Context, picture: Path | None) -> Painter | None:
    """Who draws the picture, at work from now to the command's end; None without a picture."""
    if picture is None:
        return None
    from symgd.report.drawing import Painter

    painter = Painter()
    ctx.call_on_close(painter.close)
    return painter
