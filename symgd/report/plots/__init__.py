"""Drawing with matplotlib: a scene -> a Figure, and the bytes of its file.

It imports matplotlib, and nothing that knows formulas.
"""

from __future__ import annotations

from symgd.report.plots.figure_style import Picture, encode, new_picture, style
from symgd.report.plots.layout import draw_scene
from symgd.report.scenes import DescentScene, FitScene, RateScene

__all__ = ["Picture", "draw"]


def draw(scene: DescentScene | RateScene | FitScene, form: str = "") -> tuple[Picture, bytes]:
    """The picture, and its file as "png", "svg" or "gif"; b"" if form is ""."""
    with style():
        picture = new_picture()
        data = b""
        if isinstance(scene, RateScene):
            from symgd.report.plots.rate_figure import draw_rates

            draw_rates(picture, scene)
        elif isinstance(scene, FitScene):
            from symgd.report.plots.fit_figure import draw_fit

            draw_fit(picture, scene)
        else:
            animated = draw_scene(picture, scene)
            if form == "gif":
                from symgd.report.plots.animation import animate

                data = animate(picture, animated, scene)
        if form and not data:
            data = encode(picture, form)
    return picture, data
