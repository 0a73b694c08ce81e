"""A fit -> FitScene, with the model evaluated at the data and along its curve."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np

from symgd import names
from symgd.report.scenes import FitScene
from symgd.report.scenes.run_scene import label_of
from symgd.report.scenes.style import LONGEST

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from symgd.fits.fit_result import FitResult

    Floats = NDArray[np.float64]

_CURVE_POINTS = 400  # points of the curve
_MOST_ROWS = 4000  # rows that are drawn
CONFIDENCE = 0.95  # of the confidence band


def fit_scene(result: FitResult) -> FitScene:
    """The scene against the column of the model; with several, observed against predicted."""
    curve = result.curve
    assert curve is not None
    observed, predicted = curve.observed_and_predicted()
    curve_and_band = None
    if len(curve.predictors) == 1:
        x = curve.column(curve.predictors[0])
        curve_and_band = _curve_and_band(result, x)
        x_label, y_label = label_of(curve.predictors[0]), label_of(curve.response)
    elif curve.predictors:
        x, x_label, y_label = predicted, "predicted", f"{label_of(curve.response)}, observed"
    else:
        x, x_label, y_label = np.arange(1.0, len(observed) + 1), "row", label_of(curve.response)
    every = -(-len(observed) // _MOST_ROWS)
    diagonal = len(curve.predictors) > 1
    return FitScene(
        x, observed, predicted, every, x_label, y_label, curve_and_band, diagonal, _caption(result)
    )


def _curve_and_band(result: FitResult, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """(x, y, low, high) of the curve over the range of the data, and its band."""
    curve = result.curve
    assert curve is not None
    grid = np.linspace(x.min(), x.max(), _CURVE_POINTS) if x.min() < x.max() else x[:1]
    data = {curve.predictors[0]: grid}
    middle, error = curve.predict_with_error(data)
    middle = np.where(np.isfinite(middle), middle, np.nan)
    low = high = np.full(len(grid), np.nan)
    if np.isfinite(error).any():
        low, high = result.band(data, CONFIDENCE)
    return grid, middle, low, high


def _caption(result: FitResult) -> tuple[str, ...]:
    values = [
        f"{names.escape(x_label)} = {estimate.value:.5g}"
        + (f" ± {estimate.stderr:.2g}" if estimate.stderr is not None else "")
        for x_label, estimate in result.params.items()
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
    return (*lines, ", ".join(facts))
