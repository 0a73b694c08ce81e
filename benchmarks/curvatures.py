"""The curvatures of a pasted chain of 10^4 parameters: how long, and against LAPACK's."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Row
from symgd import Loss
from symgd.analysis.large_minima import curvature_ends

COUNT = 10_000


def rows() -> Iterator[Row]:
    """Of the chained Rosenbrock function at (0.9, ..), whose Hessian is tridiagonal."""
    text = " + ".join(f"100*(x{k + 1} - x{k}^2)^2 + (1 - x{k})^2" for k in range(1, COUNT))
    began = time.process_time()
    loss = Loss(text)
    loss.compiled(np.ones(COUNT))
    loaded = time.process_time() - began
    x = np.full(COUNT, 0.9)
    times = []
    for _ in range(3):
        began = time.process_time()
        ends = curvature_ends(loss, x)
        times.append(time.process_time() - began)
    diagonal = np.full(COUNT, 1200 * 0.81 - 400 * 0.9 + 202)
    diagonal[0], diagonal[-1] = diagonal[0] - 200, 200.0
    right = _largest(diagonal, np.full(COUNT - 1, -360.0))
    assert ends is not None
    yield Row("largest curvature of 10^4 parameters", min(times), "s", 0.5)
    yield Row("its relative error", abs(ends.high / right - 1), "", 1e-3)
    yield Row("text to compiled gradient, the same", loaded, "s")


def _largest(diagonal: np.ndarray, off: np.ndarray) -> float:
    from scipy.linalg import eigvalsh_tridiagonal

    place = len(diagonal) - 1
    found = eigvalsh_tridiagonal(diagonal, off, select="i", select_range=(place, place))
    return float(found[0])
