"""Starts of chirps, angles of several frequencies such as f*t + k*t^2/2.

In the rows where the further columns of the angle are smallest it is a plain oscillation, whose
frequency is scanned. From there the window grows, and the end in each is the start in the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from symgd._numpy import np
from symgd.fits.qr_reduction import RowResiduals
from symgd.fits.regression_model import Model
from symgd.fits.row_sample import with_columns
from symgd.fits.starts.frequency_scan import Oscillation, best_of_each_cycle, scan
from symgd.fits.starts.projection import Projection
from symgd.model.data_binding import RowData
from symgd.solvers.levenberg_marquardt import minimize
from symgd.solvers.objectives import Box, Matrix

_WINDOWS = (20, 60)  # rows, in which a frequency is scanned
_CYCLES = 3  # frequencies of each that are followed
_GROWTH = 1.5
_STEPS = 20  # in each window


def grown(
    found: Oscillation,
    model: Model,
    residuals: RowResiduals,
    rows: RowData,
    bases: Matrix,
    box: Box,
    searched: Sequence[int],
) -> Iterator[tuple[float, list[float]]]:
    """(sum of squares, point) at the end of each growth over `rows`, which are in memory.

    bases: values of the other parameters, (D, P). searched: those that are not linear.
    """
    unit = np.zeros((1, bases.shape[1]))
    unit[0, found.others[0]] = 1.0
    order = np.argsort(np.abs(found.angle.at_points(unit)[0][0]), kind="stable")
    count = len(order)

    def window(size: int) -> RowData:
        columns = rows.table.columns.items()
        return with_columns(rows, {name: values[order[:size]] for name, values in columns})

    bases = bases.copy()
    bases[:, found.others] = 0.0
    for first in _WINDOWS:
        if first >= count:
            return
        here = window(first)
        projection = Projection(model, residuals, here)
        near = replace(found, angle=found.angle.on(here))
        total = first * model.rows.table.rows // count
        points, cycles = scan(near, bases, total, searched)
        rss, solved = projection.solve(points, None, box)
        for k in best_of_each_cycle(rss, cycles, _CYCLES):
            point, size, end = solved[k].tolist(), first, None
            while size < count:
                size = min(int(_GROWTH * size), count)
                end = minimize(
                    residuals.on(window(size)), point, box, _STEPS, polish=False, precision=1e-4
                )
                if end is None:
                    break
                point = end.x.tolist()
            if end is not None:
                yield end.system.rss, point
