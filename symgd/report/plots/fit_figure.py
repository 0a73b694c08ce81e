"""The picture of a fit: data, model, confidence band, and the residuals below."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from symgd import names
from symgd._numpy import np
from symgd.fits.fit_result import FitResult
from symgd.formula.printing.plain import show
from symgd.report.plots.figure_style import (
    COLORS,
    DARK,
    END,
    GRAY,
    Picture,
    add_legend,
    as_plain_text,
    short_numbers,
    write_caption,
)
from symgd.report.plots.loss_grid import Floats
from symgd.report.published import rounded

_CURVE_POINTS = 400  # points of the curve
_MOST_ROWS = 4000  # rows that are drawn
_MOST_BARS = 400  # rows whose error bars are drawn
_PER_INCH, _LINE = 11.5, 0.17  # characters of an inch, inches of a line
_CONFIDENCE = 0.95  # of the confidence band


def draw_fit(picture: Picture, result: FitResult) -> None:
    """The whole picture: against the column of the model; with several, observed and predicted."""
    curve = result.curve
    assert curve is not None
    observed, predicted = curve.observed_and_predicted()
    width, height = picture.get_size_inches()
    caption = _caption(result, int(_PER_INCH * width))
    heading = 0.25 + 0.21 * len(caption)  # inches, as all lengths here
    x, x_name, y_name = _axes(result, predicted)
    x_label = _lines(x_name, width - 1.1)
    y_label = _lines(y_name, 0.7 * (height - heading - 0.5))
    margins = {
        "left": (0.73 + _LINE * len(y_label)) / width,
        "right": 0.975,
        "top": 1 - heading / height,
        "bottom": (0.41 + _LINE * len(x_label)) / height,
        "hspace": 0.12,
    }
    above, below = picture.subplots(2, 1, height_ratios=[2.6, 1], sharex=True, gridspec_kw=margins)
    if len(curve.predictors) == 1:
        _curve_and_band(above, result, x)
    elif curve.predictors:
        _diagonal(above, np.concatenate([observed, predicted]))
    else:
        above.plot(x, predicted, color=COLORS[0], linewidth=1.8, label="model", zorder=4)
    chosen = slice(None, None, -(-len(observed) // _MOST_ROWS))
    bars = result.error_bars()
    if bars is not None and len(observed) <= _MOST_BARS:
        above.errorbar(x, observed, bars, fmt="none", ecolor=DARK, elinewidth=0.9, capsize=2.0,
                       alpha=0.6, zorder=3)  # fmt: skip
        below.errorbar(x, observed - predicted, bars, fmt="none", ecolor=END, elinewidth=0.8,
                       alpha=0.5, zorder=2)  # fmt: skip
    _points(above, x[chosen], observed[chosen], len(observed))
    _residuals(below, x[chosen], (observed - predicted)[chosen], stems=bars is None)
    as_plain_text(above.set_ylabel("\n".join(y_label)), longest=600)
    as_plain_text(below.set_xlabel("\n".join(x_label)), longest=600)
    picture.align_ylabels([above, below])
    short_numbers(above.xaxis, above.yaxis, below.yaxis)
    add_legend(above, longest=60)
    write_caption(picture, caption)


def _axes(result: FitResult, predicted: Floats) -> tuple[Floats, str, str]:
    """(the abscissas, their name, the name of the ordinates)."""
    curve = result.curve
    assert curve is not None
    response = curve.response.replace("`", "")
    if len(curve.predictors) == 1:
        return curve.column(curve.predictors[0]), curve.predictors[0], response
    if curve.predictors:
        return predicted, "predicted", f"{response}, observed"
    return np.arange(1.0, len(predicted) + 1), "row", response


def _lines(name: str, inches: float) -> list[str]:
    """The name of an axis, in several lines where it is longer than the axis."""
    return wrap(show(name), max(10, int(0.9 * _PER_INCH * inches))) or [""]


def _curve_and_band(ax: Any, result: FitResult, x: Floats) -> None:
    """The model over the range of the data, and the band where it is known."""
    curve = result.curve
    assert curve is not None
    grid = np.linspace(x.min(), x.max(), _CURVE_POINTS) if x.min() < x.max() else x[:1]
    data = {curve.predictors[0]: grid}
    middle, error = curve.predict_with_error(data)
    if np.isfinite(error).any():
        low, high = result.band(data, _CONFIDENCE)
        ax.fill_between(grid, low, high, color=COLORS[1], alpha=0.38, linewidth=0, zorder=2,
                        label="95% confidence band")  # fmt: skip
    middle = np.where(np.isfinite(middle), middle, np.nan)
    ax.plot(grid, middle, color=COLORS[0], linewidth=1.8, label="model", zorder=4)


def _diagonal(ax: Any, values: Floats) -> None:
    finite = values[np.isfinite(values)]
    ends = [finite.min(), finite.max()] if len(finite) else [0.0, 1.0]
    ax.plot(ends, ends, color=COLORS[0], linewidth=1.6, label="observed = predicted", zorder=4)


def _points(ax: Any, x: Floats, y: Floats, rows: int) -> None:
    name = "data" if len(x) == rows else f"data, {len(x):,} of {rows:,} rows"
    size = 5.0 if len(x) <= 200 else 3.0 if len(x) <= 1000 else 1.5
    ax.plot(x, y, linestyle="none", marker="o", markersize=size, color=DARK, markeredgewidth=0,
            alpha=0.75 if len(x) <= 1000 else 0.4, label=name, zorder=3)  # fmt: skip


def _residuals(ax: Any, x: Floats, residual: Floats, stems: bool) -> None:
    ax.axhline(0.0, color=GRAY, linewidth=1.0, zorder=1)
    size = 4.0 if len(x) <= 200 else 1.5
    if stems and len(x) <= 200:
        ax.vlines(x, 0.0, residual, color=END, linewidth=0.8, alpha=0.6, zorder=2)
    ax.plot(x, residual, linestyle="none", marker="o", markersize=size, color=END,
            markeredgewidth=0, alpha=0.8, zorder=3, label="_residuals")  # fmt: skip
    ax.set_ylabel("residual")


def _caption(result: FitResult, longest: int) -> list[str]:
    values = [
        f"{names.escape(name)} = {estimate.value:.5g}"
        if (short := rounded(estimate)) is None
        else f"{names.escape(name)} = {short.short}"
        for name, estimate in result.params.items()
    ]
    lines = wrap(names.escape(result.text), longest, max_lines=3, placeholder=" …")
    lines += wrap(", ".join(values), longest, max_lines=4, placeholder=" …")
    facts = [] if result.status.value == "converged" else [result.status.value]
    facts.append(f"{result.n:,} rows")
    if result.sigma is not None:
        facts.append(f"residual standard error {result.sigma:.4g}")
    if result.r2 is not None:
        facts.append(f"R² {result.r2:.5g}")
    return [*lines, *wrap(", ".join(facts), longest)]
