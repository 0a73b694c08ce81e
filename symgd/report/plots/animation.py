"""Animated GIFs in which the path grows step by step."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

from symgd._numpy import np
from symgd.report.plots.figure_style import Picture
from symgd.report.plots.loss_grid import Floats

_FRAMES = 60
_FRAME, _LAST = 150, 1800  # milliseconds
_COLORS = 128


@dataclass
class AnimatedLines:
    """The lines that an animation lets grow, each with the arrays (K,) of its whole path."""

    lines: list[tuple[Any, Floats, Floats]] = field(default_factory=list)
    heads: list[tuple[Any, Floats, Floats]] = field(default_factory=list)


def animate(picture: Picture, animated: AnimatedLines) -> bytes:
    """The bytes of the GIF; only the animated lines are redrawn in each frame."""
    from PIL import Image

    canvas: Any = picture.canvas
    moving = [line for line, _, _ in animated.lines + animated.heads]
    for line in moving:
        line.set_animated(True)
    canvas.draw()
    background = canvas.copy_from_bbox(picture.bbox)
    images = []
    for number in _frames(max(len(x) for _, x, _ in animated.lines)):
        canvas.restore_region(background)
        for line, x, y in animated.lines:
            line.set_data(x[: number + 1], y[: number + 1])
            line.axes.draw_artist(line)
        for head, x, y in animated.heads:
            at = min(number, len(x) - 1)
            head.set_data(x[at : at + 1], y[at : at + 1])
            head.axes.draw_artist(head)
        frame = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
        images.append(frame.convert("RGB"))  # a copy: the canvas is drawn over
    for line in moving:
        line.set_animated(False)
    # one palette for all frames, from the last, which contains every color
    palette = images[-1].quantize(_COLORS, dither=Image.Dither.NONE)
    reduced = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    out = io.BytesIO()
    times = [_FRAME] * (len(reduced) - 1) + [_LAST]
    reduced[0].save(
        out, format="GIF", save_all=True, append_images=reduced[1:], duration=times, loop=0
    )
    return out.getvalue()


def _frames(rows: int) -> list[int]:
    """The rows of the history that become frames: all, or geometrically spaced ones."""
    if rows <= _FRAMES:
        return list(range(rows))
    early = np.unique(np.geomspace(1, rows, _FRAMES).astype(int) - 1)
    return [int(k) for k in early]
