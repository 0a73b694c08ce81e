"""The picture of a fit: data, model, confidence band, and the residuals below."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np

from symgd import names
from symgd.report.plots.paper import (
    COLOURS,
    END,
    FAINT,
    INK,
    LONGEST,
    Picture,
    plain,
    short_numbers,
)
from symgd.report.plots.scene import label

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgd.fits.result import FitResult

    Floats = NDArray[np.float64]

_CURVE = 400  # points of the curve
_MOST = 4000  # rows that are drawn
_LEVEL = 0.95


def draw_fit(picture: Picture, result: FitResult) -> None:
    """The whole picture: against the model's one column, or observed against predicted."""
    curve = result.curve
    assert curve is not None
    margins = {"left": 0.11, "right": 0.975, "top": 0.83, "bottom": 0.085, "hspace": 0.12}
    above, below = picture.subplots(2, 1, height_ratios=[2.6, 1], sharex=True, gridspec_kw=margins)
    observed, predicted = curve.rows()
    chosen = _thinned(len(observed))
    if len(curve.predictors) == 1:
        x = curve.column(curve.predictors[0])
        _model(above, result, x)
        name, level = label(curve.predictors[0]), label(curve.response)
    elif curve.predictors:
        x, name, level = predicted, "predicted", f"{label(curve.response)}, observed"
        _diagonal(above, observed, predicted)
    else:
        x, name, level = np.arange(1.0, len(observed) + 1), "row", label(curve.response)
        above.plot(x, predicted, color=COLOURS[0], linewidth=1.8, label="model", zorder=4)
    _points(above, x[chosen], observed[chosen], len(observed))
    plain(above.set_ylabel(level))
    _residuals(below, x[chosen], (observed - predicted)[chosen])
    plain(below.set_xlabel(name))
    short_numbers(above.xaxis, above.yaxis, below.yaxis)
    for text in above.legend(loc="best").get_texts():
        plain(text, longest=60)
    _caption(picture, result)


def _thinned(rows: int) -> slice:
    return slice(None, None, -(-rows // _MOST))


def _points(ax: Any, x: Floats, y: Floats, rows: int) -> None:
    name = "data" if len(x) == rows else f"data, {len(x):,} of {rows:,} rows"
    size = 5.0 if len(x) <= 200 else 3.0 if len(x) <= 1000 else 1.5
    ax.plot(x, y, linestyle="none", marker="o", markersize=size, color=INK, markeredgewidth=0,
            alpha=0.75 if len(x) <= 1000 else 0.4, label=name, zorder=3)  # fmt: skip


def _model(ax: Any, result: FitResult, x: Floats) -> None:
    """The curve over the range of the data, and its band where there is one."""
    curve = result.curve
    assert curve is not None
    grid = np.linspace(x.min(), x.max(), _CURVE) if x.min() < x.max() else x[:1]
    data = {curve.predictors[0]: grid}
    middle, error = curve.at(data)
    middle = np.where(np.isfinite(middle), middle, np.nan)
    if np.isfinite(error).any():
        low, high = result.band(data, _LEVEL)
        ax.fill_between(grid, low, high, color=COLOURS[1], alpha=0.38, linewidth=0, zorder=2,
                        label=f"{_LEVEL:.0%} confidence band")  # fmt: skip
    ax.plot(grid, middle, color=COLOURS[0], linewidth=1.8, label="model", zorder=4)


def _diagonal(ax: Any, observed: Floats, predicted: Floats) -> None:
    finite = np.concatenate([observed, predicted])
    finite = finite[np.isfinite(finite)]
    ends = [finite.min(), finite.max()] if len(finite) else [0.0, 1.0]
    ax.plot(ends, ends, color=COLOURS[0], linewidth=1.6, label="observed = predicted", zorder=4)


def _residuals(ax: Any, x: Floats, residual: Floats) -> None:
    ax.axhline(0.0, color=FAINT, linewidth=1.0, zorder=1)
    size = 4.0 if len(x) <= 200 else 1.5
    if len(x) <= 200:
        ax.vlines(x, 0.0, residual, color=END, linewidth=0.8, alpha=0.6, zorder=2)
    ax.plot(x, residual, linestyle="none", marker="o", markersize=size, color=END,
            markeredgewidth=0, alpha=0.8, zorder=3, label="_residuals")  # fmt: skip
    ax.set_ylabel("residual")


def _caption(picture: Picture, result: FitResult) -> None:
    values = [
        f"{names.escape(name)} = {one.value:.5g}"
        + (f" ± {one.stderr:.2g}" if one.stderr is not None else "")
        for name, one in result.params.items()
    ]
    lines = wrap(names.escape(result.text), LONGEST + 10, max_lines=1, placeholder=" …")
    lines += wrap(", ".join(values), LONGEST + 10, max_lines=2, placeholder=" …")
    facts = [f"{result.n:,} rows"]
    if result.sigma is not None:
        facts.append(f"residual standard error {result.sigma:.4g}")
    if result.r2 is not None:
        facts.append(f"R² {result.r2:.5g}")
    if result.status.value != "converged":
        facts.insert(0, result.status.value)
    lines.append(", ".join(facts))
    title = picture.text(0.02, 0.985, "\n".join(lines), fontsize=11, ha="left", va="top")
    plain(title, longest=600).set_linespacing(1.35)
