"""Curvatures of a pasted chain of 10^4 parameters against LAPACK's; limits against real runs."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.measure import Row
from symgd import Loss, descend
from symgd.analysis.large_minima import certified, curvature_ends
from symgd.analysis.minima import certified_minimum

COUNT = 10_000
SMOOTH = ("gd", "momentum", "nesterov")  # the rules of the catalogue with a linearization
SIZES = (2, 3, 5, 10, 20, 60, 61, 100, 300, 1000)
_TERMS = (
    "100*(x{j} - x{k}^2)^2 + (1 - x{k})^2",
    "{j}*(x{k} - 1)^2 + (x{k} - x{j})^2/3 + 1e-3*x{j}^2",
    "exp(x{k} - x{j}) + x{k}^2 + x{j}^4 + x{j}^2/7",
)
_STEPS = 2000


def chain(count: int, term: str = _TERMS[0]) -> str:
    """A sum of terms of neighbors, as it is pasted."""
    return " + ".join(term.format(k=k, j=k + 1) for k in range(1, count))


def rows() -> Iterator[Row]:
    """Of the chained Rosenbrock function at (0.9, ..), whose Hessian is tridiagonal."""
    text = chain(COUNT)
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
    losses = [Loss(chain(size, term)) for term in _TERMS for size in SIZES]
    wrong = [
        f"{rule}, {len(one.params)} parameters: {said}"
        for one in [*losses, loss]
        for rule in SMOOTH
        if (said := separates(one, rule))
    ]
    what = f"of {len(SMOOTH) * (len(losses) + 1)} limits, that do not separate at 0.99 and 1.01"
    yield Row(what, len(wrong), "", 0, "; ".join(wrong[:4]))


def separates(loss: Loss, rule: str) -> str:
    """What refutes the limit that a verdict tells: below it the gradient falls, above it grows."""
    count = len(loss.params)
    rng = np.random.default_rng(count)
    found = (certified_minimum if count <= 60 else certified)(loss, [0.9] * count)
    if found is None:
        return "no minimum"
    start = list(found.x + 1e-6 * rng.normal(size=count))
    options = {"start": start, "rule": rule, "advise": False}
    limit = descend(loss, lr=1e-4, steps=20, **options).verdict.lr_max
    if limit is None:
        return "no limit"
    below, above = (descend(loss, lr=f * limit, steps=_STEPS, **options) for f in (0.99, 1.01))
    norms = [run.history.grad_norm for run in (below, above)]
    if not norms[0][-1] < norms[0][0]:
        return f"the gradient does not fall at 0.99 of {limit}"
    return "" if np.nanmax(norms[1]) > 30 * norms[1][0] else f"it does not grow at 1.01 of {limit}"


def _largest(diagonal: np.ndarray, off: np.ndarray) -> float:
    from scipy.linalg import eigvalsh_tridiagonal

    place = len(diagonal) - 1
    found = eigvalsh_tridiagonal(diagonal, off, select="i", select_range=(place, place))
    return float(found[0])
