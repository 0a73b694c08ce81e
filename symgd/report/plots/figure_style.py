"""The style of figures, labels without markup, and reproducible image files."""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from symgd._numpy import np
from symgd.errors import ArgumentError
from symgd.formula.printing.plain import show

#: M. Okabe, K. Ito, 2008, Color Universal Design, https://jfly.uni-koeln.de/color/, darkest first
COLORS = ("#D55E00", "#0072B2", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#999999")
DASHES = ("-", "--", "-.", ":")
DARK, GRAY = "#222222", "#8a8a8a"
START, END, MINIMUM = DARK, "#D55E00", DARK  # where a path begins and what it looks for: no color
CONTOUR_COLORMAP = "cividis_r"  # perceptually uniform, also for color-blind readers
LONGEST = 82  # characters of a line above the picture

SIZE = (8.0, 6.6)  # inches: 800 x 660 pixels at 100 per inch
DPI = 100

_RC: dict[str, Any] = {
    "font.size": 10.5,
    "axes.titlesize": 11,
    "axes.labelsize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "legend.fontsize": 9.5,
    "legend.framealpha": 0.85,
    "svg.hashsalt": "symgd",
    "pdf.fonttype": 42,  # journals refuse others
    "svg.fonttype": "none",  # texts that a search finds
    "axes.unicode_minus": True,
}


class Picture(Figure):
    """A matplotlib Figure that notebooks show without pyplot."""

    def _repr_png_(self) -> bytes:
        with style():
            return encode(self, "png")


def new_picture(figsize: tuple[float, float] | None = None) -> Picture:
    """An empty picture on an Agg canvas: no window, no pyplot, no global state.

    figsize: width and height in inches, 2 to 60 each; ArgumentError for others.
    """
    if figsize is not None and not (len(figsize) == 2 and all(2 <= v <= 60 for v in figsize)):
        raise ArgumentError(f"a figure is 2 to 60 inches wide and high, not {figsize}")
    picture = Picture(figsize=figsize or SIZE, dpi=DPI, facecolor="white")
    FigureCanvasAgg(picture)
    return picture


@contextmanager
def style() -> Iterator[None]:
    """A context with symgd's settings instead of the user's matplotlibrc, which may use TeX."""
    # a diverged run overflows in matplotlib's arithmetic of axes, far outside the picture
    with matplotlib.rc_context(), warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", matplotlib.MatplotlibDeprecationWarning)
        protected = {"backend", "backend_fallback", "interactive", "toolbar", "date.epoch"}
        defaults = {k: v for k, v in matplotlib.rcParamsDefault.items() if k not in protected}
        dict.update(matplotlib.rcParams, defaults)  # skips their validation
        matplotlib.rcParams.update(_RC)
        yield


def encode(picture: Picture, form: str) -> bytes:
    """The picture as "png", "svg" or "pdf"; equal pictures give equal bytes."""
    dated = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}
    metadata: dict[str, Any] = {dated[form]: None}
    out = io.BytesIO()
    with warnings.catch_warnings():  # of letters that the font lacks: a name may be in any script
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        picture.savefig(out, format=form, dpi=DPI, metadata=metadata)
    return out.getvalue()


def as_plain_text(text: Any, *, longest: int = LONGEST) -> Any:
    """A matplotlib text, shortened, in which $ does not start mathematics."""
    text.set_parse_math(False)
    text.set_text(shortened(text.get_text(), longest))
    return text


def shortened(text: str, longest: int) -> str:
    """The text, at most `longest` characters of it."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def label_of(name: str) -> str:
    """The label of a parameter or a column, with Greek letters, shortened."""
    return shortened(show(name), 24)


def write_caption(picture: Picture, lines: Sequence[str]) -> None:
    """Write the caption above the panels."""
    title = picture.text(0.02, 0.985, "\n".join(lines), fontsize=11, ha="left", va="top")
    as_plain_text(title, longest=600).set_linespacing(1.35)


def add_legend(ax: Any, *entries: Any, longest: int, columns: int = 1) -> None:
    """Add a legend of plain texts where it covers no curve, else in a row above the panel.

    entries: handles and texts, if not those of the panel.
    """
    legend = ax.legend(*entries, loc="best", ncols=columns)
    for text in legend.get_texts():
        as_plain_text(text, longest=longest)
    if not _covers(ax, legend):
        return
    count = len(legend.get_texts())
    above = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "borderaxespad": 0.1}
    legend = ax.legend(*entries, **above, ncols=min(count, 6), frameon=False, fontsize=9,
                       columnspacing=1.2, handlelength=1.4)  # fmt: skip
    for text in legend.get_texts():
        as_plain_text(text, longest=min(longest, 20))


def _covers(ax: Any, legend: Any) -> bool:
    """Whether the legend lies on a line or a point of the panel."""
    box = legend.get_window_extent(ax.figure.canvas.get_renderer())
    for line in ax.lines:
        path = line.get_transform().transform_path(line.get_path())
        if line.get_linestyle() == "None":
            finite = path.vertices[np.isfinite(path.vertices).all(axis=1)]
            if box.count_contains(finite):
                return True
        elif path.intersects_bbox(box, filled=False):
            return True
    return False


def short_numbers(*axes: Any) -> None:
    """Ticks as short numbers in plain text; mathematical typesetting would take 0.1 s."""
    from matplotlib.ticker import FuncFormatter

    for axis in axes:
        axis.set_major_formatter(FuncFormatter(_short))


def powers_of_ten(axis: Any) -> None:
    """Ticks of a logarithmic axis as 10⁻³."""
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(_power))
    axis.set_minor_formatter(NullFormatter())


def _short(value: float, _: object = None) -> str:
    return re.sub(r"e\+?(-?)0*", r"e\1", f"{value:.4g}").replace("-", "−")


def _power(value: float, _: object = None) -> str:
    exponent = math.log10(abs(value)) if value else 0.5
    if abs(exponent - round(exponent)) > 1e-9:
        return _short(value)
    sign = "−" if value < 0 else ""
    return f"{sign}10{str(round(exponent)).translate(_SUPERSCRIPTS)}"


_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
