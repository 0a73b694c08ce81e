"""The picture of a fit: data, model, confidence band, and the residuals below."""

from __future__ import annotations

from textwrap import wrap
from typing import Any

from symgd import names
from symgd._numpy import np
from symgd.fits.fit_result import FitResult
from symgd.report.plots.figure_style import (
    COLORS,
    DARK,
    END,
    GRAY,
    LONGEST,
    Picture,
    add_legend,
    as_plain_text,
    label_of,
    short_numbers,
    write_caption,
)
from symgd.report.plots.loss_grid import Floats

_CURVE_POINTS = 400  # points of the curve
_MOST_ROWS = 4000  # rows that are drawn
_CONFIDENCE = 0.95  # of the confidence band


def draw_fit(picture: Picture, result: FitResult) -> None:
    """The whole picture: against the column of the model; with several, observed and predicted."""
    curve = result.curve
    assert curve is not None
    observed, predicted = curve.observed_and_predicted()
    margins = {"left": 0.11, "right": 0.975, "top": 0.83, "bottom": 0.085, "hspace": 0.12}
    above, below = picture.subplots(2, 1, height_ratios=[2.6, 1], sharex=True, gridspec_kw=margins)
    y_label = label_of(curve.response)
    if len(curve.predictors) == 1:
        x, x_label = curve.column(curve.predictors[0]), label_of(curve.predictors[0])
        _curve_and_band(above, result, x)
    elif curve.predictors:
        x, x_label, y_label = predicted, "predicted", f"{y_label}, observed"
        _diagonal(above, np.concatenate([observed, predicted]))
    else:
        x, x_label = np.arange(1.0, len(observed) + 1), "row"
        above.plot(x, predicted, color=COLORS[0], linewidth=1.8, label="model", zorder=4)
    chosen = slice(None, None, -(-len(observed) // _MOST_ROWS))
    _points(above, x[chosen], observed[chosen], len(observed))
    as_plain_text(above.set_ylabel(y_label))
    _residuals(below, x[chosen], (observed - predicted)[chosen])
    as_plain_text(below.set_xlabel(x_label))
    short_numbers(above.xaxis, above.yaxis, below.yaxis)
    add_legend(above, longest=60)
    write_caption(picture, _caption(result))


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


def _residuals(ax: Any, x: Floats, residual: Floats) -> None:
    ax.axhline(0.0, color=GRAY, linewidth=1.0, zorder=1)
    size = 4.0 if len(x) <= 200 else 1.5
    if len(x) <= 200:
        ax.vlines(x, 0.0, residual, color=END, linewidth=0.8, alpha=0.6, zorder=2)
    ax.plot(x, residual, linestyle="none", marker="o", markersize=size, color=END,
            markeredgewidth=0, alpha=0.8, zorder=3, label="_residuals")  # fmt: skip
    ax.set_ylabel("residual")


def _caption(result: FitResult) -> list[str]:
    values = [
        f"{names.escape(name)} = {estimate.value:.5g}"
        + (f" ± {estimate.stderr:.2g}" if estimate.stderr is not None else "")
        for name, estimate in result.params.items()
    ]
    lines = wrap(names.escape(result.text), LONGEST + 10, max_lines=1, placeholder=" …")
    lines += wrap(", ".join(values), LONGEST + 10, max_lines=2, placeholder=" …")
    facts = [] if result.status.value == "converged" else [result.status.value]
    facts.append(f"{result.n:,} rows")
    if result.sigma is not None:
        facts.append(f"residual standard error {result.sigma:.4g}")
    if result.r2 is not None:
        facts.append(f"R² {result.r2:.5g}")
    return [*lines, ", ".join(facts)]
