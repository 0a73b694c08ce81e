"""The door: results draw themselves through one table that says which module draws what."""

from __future__ import annotations

import os
from importlib import import_module
from typing import Any

#: (type, form) -> the function of `symgd.report` that draws it, called with the object. This is the
#: only place where a room names one that stands after it; nothing is loaded before it is used.
DRAWN_BY = {
    ("Comparison", "figure"): "symgd.report.plot:plot_comparison",
    ("Comparison", "html"): "symgd.report.notebook:comparison_html",
    ("Comparison", "latex"): "symgd.report.notebook:comparison_latex",
    ("Comparison", "page"): "symgd.report.page:comparison_to_html",
    ("Comparison", "text"): "symgd.report.compare:report",
    ("Explanation", "html"): "symgd.report.notebook:explanation_html",
    ("Explanation", "latex"): "symgd.report.notebook:explanation_latex",
    ("Explanation", "text"): "symgd.report.explain:report",
    ("FitResult", "figure"): "symgd.report.plot:plot_fit",
    ("FitResult", "file"): "symgd.report.saved_fits:save",
    ("FitResult", "html"): "symgd.report.notebook:fit_html",
    ("FitResult", "latex"): "symgd.report.notebook:fit_latex",
    ("FitResult", "text"): "symgd.report.fit:report",
    ("Meter", "bar"): "symgd.report.progress_bar:notebook_bar",
    ("Loss", "html"): "symgd.report.notebook:loss_html",
    ("Loss", "latex"): "symgd.report.notebook:loss_latex",
    ("Loss", "svg"): "symgd.report.static_svg:loss_svg",
    ("Result", "figure"): "symgd.report.plot:plot",
    ("Result", "html"): "symgd.report.notebook:result_html",
    ("Result", "latex"): "symgd.report.notebook:result_latex",
    ("Result", "page"): "symgd.report.page:to_html",
    ("Result", "svg"): "symgd.report.static_svg:descent_svg",
    ("Result", "text"): "symgd.report.table:summary",
    ("Sweep", "figure"): "symgd.report.plot:plot_sweep",
    ("Sweep", "html"): "symgd.report.notebook:text_html",
    ("Sweep", "latex"): "symgd.report.notebook:sweep_latex",
    ("Sweep", "text"): "symgd.report.sweep:report",
    ("Rule", "html"): "symgd.report.notebook:rule_html",
    ("Rule", "latex"): "symgd.report.notebook:rule_latex",
    ("Rule", "svg"): "symgd.report.notebook:rule_svg",
}


def draw(thing: Any, form: str, *arguments: Any) -> Any:
    """`thing` in this form: figure, html, latex, page, svg or text; None where it has none."""
    place = DRAWN_BY.get((type(thing).__name__, form))
    if place is None:
        return None
    module, _, function = place.partition(":")
    return getattr(import_module(module), function)(thing, *arguments)


class Notebook:
    """The representations that IPython looks up; None: there is no such form."""

    def _repr_html_(self) -> str | None:
        return draw(self, "html")  # type: ignore[no-any-return]

    def _repr_latex_(self) -> str | None:
        return draw(self, "latex")  # type: ignore[no-any-return]

    def _repr_svg_(self) -> str | None:
        return draw(self, "svg")  # type: ignore[no-any-return]


class Report(Notebook):
    """A result: its str is its report in the terminal."""

    def __str__(self) -> str:
        return "\n".join(draw(self, "text"))


class Pictured(Report):
    """A result that has a picture, too."""

    def plot(
        self,
        path: str | os.PathLike[str] | None = None,
        figsize: tuple[float, float] | None = None,
    ) -> Any:
        """A matplotlib Figure of it, written to `path` (.png, .svg, .pdf, .gif) if there is one.

        figsize: width and height in inches.
        """
        return draw(self, "figure", path, figsize)


class Paged(Pictured):
    """A result that has a live page, too."""

    def to_html(self, path: str | os.PathLike[str] | None = None) -> str:
        """One HTML file with sliders in which it runs again, written to `path` if there is one."""
        return draw(self, "page", path)  # type: ignore[no-any-return]
