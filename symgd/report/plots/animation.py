"""A picture that moves: the path grows step by step, in a GIF."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from symgd.report.plots.figure_style import Picture
from symgd.report.scenes import Movers, Scene

_FRAMES = 60
_FRAME, _LAST = 150, 1800  # milliseconds
_COLOURS = 128


def animate(picture: Picture, movers: Movers, scene: Scene) -> bytes:
    """The GIF. Only what moves is drawn anew in each frame."""
    from PIL import Image

    canvas: Any = picture.canvas
    moving = [line for line, _, _ in movers.lines + movers.heads]
    for line in moving:
        line.set_animated(True)
    canvas.draw()
    still = canvas.copy_from_bbox(picture.bbox)
    images = []
    for number in _frames(max(len(run.t) for run in scene.runs)):
        canvas.restore_region(still)
        for line, x, y in movers.lines:
            line.set_data(x[: number + 1], y[: number + 1])
            line.axes.draw_artist(line)
        for head, x, y in movers.heads:
            at = min(number, len(x) - 1)
            head.set_data(x[at : at + 1], y[at : at + 1])
            head.axes.draw_artist(head)
        seen = Image.frombuffer("RGBA", canvas.get_width_height(), canvas.buffer_rgba())
        images.append(seen.convert("RGB"))  # a copy: the canvas is drawn over
    for line in moving:
        line.set_animated(False)
    # one palette for all frames, from the last, which shows every colour
    palette = images[-1].quantize(_COLOURS, dither=Image.Dither.NONE)
    reduced = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    out = io.BytesIO()
    times = [_FRAME] * (len(reduced) - 1) + [_LAST]
    reduced[0].save(
        out, format="GIF", save_all=True, append_images=reduced[1:], duration=times, loop=0
    )
    return out.getvalue()


def _frames(rows: int) -> list[int]:
    """The rows of the history that become frames: all, or ever fewer towards the end."""
    if rows <= _FRAMES:
        return list(range(rows))
    early = np.unique(np.geomspace(1, rows, _FRAMES).astype(int) - 1)
    return [int(k) for k in early]
