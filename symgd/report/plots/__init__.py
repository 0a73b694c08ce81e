"""Drawing with matplotlib: a scene -> a Figure, and the bytes of its file.

Imported only when a picture is wanted, for it imports matplotlib - and nothing that knows what a
formula is: the scene is all it needs.
"""

from __future__ import annotations

from symgd.report.plots.figure_style import Picture, encode, new_picture, style
from symgd.report.plots.layout import draw_scene
from symgd.report.scenes import FitScene, RateScene, Scene

__all__ = ["Picture", "draw"]


def draw(scene: Scene | RateScene | FitScene, form: str = "") -> tuple[Picture, bytes]:
    """The picture, and its file as "png", "svg" or "gif"; b"" for the form ""."""
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
            movers = draw_scene(picture, scene)
            if form == "gif":
                from symgd.report.plots.animation import animate

                data = animate(picture, movers, scene)
        if form and not data:
            data = encode(picture, form)
    return picture, data
