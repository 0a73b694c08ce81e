"""A fit -> FitScene: the model is evaluated here, over the data and along its curve."""

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

_CURVE = 400  # points of the curve
_MOST = 4000  # rows that are drawn
LEVEL = 0.95  # of the confidence band


def fit_scene(result: FitResult) -> FitScene:
    """Against the model's one column; where there are more, observed against predicted."""
    curve = result.curve
    assert curve is not None
    observed, predicted = curve.observed_and_predicted()
    line = None
    if len(curve.predictors) == 1:
        x = curve.column(curve.predictors[0])
        line = _line(result, x)
        name, level = label_of(curve.predictors[0]), label_of(curve.response)
    elif curve.predictors:
        x, name, level = predicted, "predicted", f"{label_of(curve.response)}, observed"
    else:
        x, name, level = np.arange(1.0, len(observed) + 1), "row", label_of(curve.response)
    every = -(-len(observed) // _MOST)
    diagonal = len(curve.predictors) > 1
    return FitScene(x, observed, predicted, every, name, level, line, diagonal, _caption(result))


def _line(result: FitResult, x: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """The curve over the range of the data, and its band where there is one."""
    curve = result.curve
    assert curve is not None
    grid = np.linspace(x.min(), x.max(), _CURVE) if x.min() < x.max() else x[:1]
    data = {curve.predictors[0]: grid}
    middle, error = curve.predict_with_error(data)
    middle = np.where(np.isfinite(middle), middle, np.nan)
    low = high = np.full(len(grid), np.nan)
    if np.isfinite(error).any():
        low, high = result.band(data, LEVEL)
    return grid, middle, low, high


def _caption(result: FitResult) -> tuple[str, ...]:
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
    return (*lines, ", ".join(facts))
