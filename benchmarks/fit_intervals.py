"""Intervals by profiles against SciPy, lmfit and iminuit; a negative binomial regression."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
from scipy import optimize, special, stats

import symgd
from benchmarks.measure import Row, missing, skipped

_MODEL = "y = a*exp(-b*x) + c"
_NAMES = ("a", "b", "c")


def rows() -> Iterator[Row]:
    """The ends first, then what they cost."""
    source = np.random.default_rng(3)
    x = np.linspace(0, 4, 40)
    data = {"x": x, "y": 2.5 * np.exp(-1.3 * x) + 0.5 + source.normal(0, 0.05, 40)}
    found = symgd.fit(_MODEL, data)
    ours = {name: found.profile(name) for name in _NAMES}
    ends = np.array([[ours[name].low, ours[name].high] for name in _NAMES])
    yield Row(
        "ends of profiles less SciPy's, relative", _off(ends, _by_scipy(found, data)), "", 1e-6
    )
    for peer, call in (("lmfit", _by_lmfit), ("iminuit", _by_iminuit)):
        if why := missing(peer):
            yield skipped(f"ends of profiles less {peer}'s", why)
        else:
            off = _off(ends, call(found, data))
            yield Row(f"ends of profiles less {peer}'s, relative", off, "", 1e-6)
    begin = time.process_time()
    points = sum(len(found.profile(name).values) for name in _NAMES for _ in range(20))
    yield Row("a point of a profile", 1e3 * (time.process_time() - begin) / points, "ms", 0.3)
    yield from _negative_binomial()


def _off(ours: Any, theirs: Any) -> float:
    return float(np.max(np.abs(ours / theirs - 1)))


def _residual(p: Any, data: Any) -> Any:
    return data["y"] - (p[0] * np.exp(-p[1] * data["x"]) + p[2])


def _by_scipy(found: symgd.FitResult, data: Any) -> Any:
    """Brent's method over constrained fits."""
    best = np.array([found.theta[name] for name in _NAMES])
    assert found.rss is not None
    level = found.rss * (1 + stats.t.ppf(0.975, found.dof) ** 2 / found.dof)

    def excess(value: float, k: int) -> float:
        def rest(others: Any) -> Any:
            return _residual(np.insert(others, k, value), data)

        tight = {"xtol": 1e-15, "ftol": 1e-15, "gtol": 1e-15}
        return float(2 * optimize.least_squares(rest, np.delete(best, k), **tight).cost - level)

    far = [5 * (found.stderr[name] or 0) for name in _NAMES]
    return np.array(
        [
            [
                optimize.brentq(excess, best[k], best[k] + side * far[k], (k,), 1e-13)
                for side in (-1, 1)
            ]
            for k in range(3)
        ]
    )


def _by_lmfit(found: symgd.FitResult, data: Any) -> Any:
    lmfit = import_module("lmfit")
    start = lmfit.create_params(a=2.0, b=1.0, c=0.3)
    minimizer = lmfit.Minimizer(lambda p: _residual([p[n].value for n in _NAMES], data), start)
    tight = {"xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14}
    fitted = minimizer.minimize(method="leastsq", **tight)
    intervals = lmfit.conf_interval(minimizer, fitted, sigmas=[0.95], maxiter=500)
    return np.array([[intervals[n][0][1], intervals[n][2][1]] for n in _NAMES])


def _by_iminuit(found: symgd.FitResult, data: Any) -> Any:
    """MINOS, with the rise of rss that the t distribution asks for."""
    iminuit = import_module("iminuit")

    def cost(a: float, b: float, c: float) -> float:
        return float(np.sum(_residual((a, b, c), data) ** 2))

    minuit = iminuit.Minuit(cost, a=2.0, b=1.0, c=0.3)
    assert found.rss is not None
    minuit.errordef = found.rss * stats.t.ppf(0.975, found.dof) ** 2 / found.dof
    minuit.strategy, minuit.tol = 2, 1e-10
    minuit.migrad()
    minuit.minos()
    errors = {n: (minuit.merrors[n].lower, minuit.merrors[n].upper) for n in _NAMES}
    return np.array([[minuit.values[n] + e for e in errors[n]] for n in _NAMES])


def _negative_binomial() -> Iterator[Row]:
    """20,190 rows, as the German health care data have."""
    source = np.random.default_rng(1)
    u, v = source.normal(size=(2, 20_190))
    mean = np.exp(0.5 + 0.4 * u - 0.3 * v)
    data = {"u": u, "v": v, "n": source.negative_binomial(1.7, 1.7 / (1.7 + mean)).astype(float)}
    begin = time.process_time()
    found = symgd.fit("n = exp(a + b*u + c*v)", data, family="negative_binomial")
    took = time.process_time() - begin
    yield Row("negative binomial, 20,190 rows", took, "s", 0.9, "target 3 * 0.3 s")
    design = np.column_stack([np.ones_like(u), u, v])
    begin = time.process_time()
    point = _negative_binomial_by_scipy(data["n"], design)
    theirs = time.process_time() - begin
    note = "BFGS with the gradient by hand, no standard errors"
    yield Row("the same", took / theirs, "times SciPy", note=note)
    off = max(abs(found.theta[n] - p) for n, p in zip("abc", point, strict=False))
    yield Row("its coefficients less SciPy's", off, "", 1e-5)
    if why := missing("statsmodels"):
        yield skipped("negative binomial: statsmodels", why)
        return
    model = import_module("statsmodels.api")
    begin = time.process_time()
    model.NegativeBinomial(data["n"], design).fit(disp=0)
    yield Row("the same", took / (time.process_time() - begin), "times statsmodels", 3.0)


def _negative_binomial_by_scipy(n: np.ndarray, design: np.ndarray) -> np.ndarray:
    """The coefficients and alpha, written and differentiated by hand."""

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        mean, size = np.exp(design @ point[:-1]), 1 / point[-1]
        share = size / (size + mean)
        likely = special.gammaln(size + n) - special.gammaln(n + 1) - special.gammaln(size)
        likely += size * np.log(share) + n * np.log1p(-share)
        slope = special.digamma(size + n) - special.digamma(size) + np.log(share) + 1
        slope -= (size + n) / (size + mean)
        by_mean = design.T @ (size * (n - mean) / (size + mean))
        return -likely.mean(), np.append(-by_mean, size**2 * slope.sum()) / len(n)

    begin = [0.0] * design.shape[1] + [0.1]
    return optimize.minimize(loss, begin, jac=True, options={"gtol": 1e-9}).x
