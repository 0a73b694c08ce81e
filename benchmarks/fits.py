"""Fits: NIST's certified digits, references, starts, and an exponential on 10^6 rows.

The digits are those of the worst parameter, by NIST's own measure -log10(|found - certified| /
|certified|), at most 11, which is how many NIST certifies.
"""

from __future__ import annotations

import json
import math
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import symgd
from benchmarks import fit_library
from benchmarks.measure import CORPORA, Row, check, close, json_of, missing, seconds, skipped

MODEL = "y = a*exp(-b*x) + c"
ROWS = 1_000_000
CERTIFIED = 11.0


def rows() -> Iterator[Row]:
    """Digits first, then speed."""
    if not CORPORA.exists():
        yield skipped("NIST StRD", "../shared/corpora is not there")
    else:
        yield from nist()
        yield from nist_without_start()
        yield from regressions()
    yield from starts()
    yield from exponential()


def digits(found: Sequence[float | None], certified: Sequence[float]) -> float:
    """Correct digits of the worst number; 0 where one is not known."""
    worst = 0.0
    for f, c in zip(found, certified, strict=True):
        worst = max(worst, 1.0 if f is None else abs(f - c) / abs(c))
    return min(CERTIFIED, max(0.0, -math.log10(worst))) if worst else CERTIFIED


def nist() -> Iterator[Row]:
    """Each run by ours, then the peers' counts over the same runs."""
    records = json.loads((CORPORA / "nist.json").read_text())
    values, errors, false = [], [], 0
    for record in records:
        for start in ("start1", "start2"):
            result = fitted(record, start)
            names = record["params"]
            right = digits([result.theta[n] for n in names], record["certified"])
            spread = digits([result.stderr[n] for n in names], record["certified_sd"])
            values.append(right)
            errors.append(spread)
            false += result.status == "converged" and right < 4
            told = f"standard errors {spread:.1f}; {result.status.value}, {result.steps} steps"
            yield Row(f"{record['name']} {start}", right, "digits", note=told)
    count = len(values)
    yield Row("runs below 6 digits", sum(v < 6 for v in values), f"of {count}", 1)
    yield Row("runs below 8 digits", sum(v < 8 for v in values), f"of {count}", count / 4)
    yield Row("standard errors below 4 digits", sum(v < 4 for v in errors), f"of {count}", 0)
    yield Row("'converged' below 4 digits", false, f"of {count}", 0)
    for name, peer in (("scipy", by_scipy), ("lmfit", by_lmfit)):
        if missing(name):
            yield skipped(f"{name}: runs below 6 digits", missing(name))
            continue
        theirs = [digits(peer(r, s), r["certified"]) for r in records for s in ("start1", "start2")]
        yield Row(f"{name}: runs below 6 digits", sum(v < 6 for v in theirs), f"of {count}")


def fitted(record: dict[str, Any], start: str) -> symgd.FitResult:
    """Our fit of one record."""
    begin = dict(zip(record["params"], record[start], strict=True))
    model = f"{record['lhs']} = {record['expr']}"
    return symgd.fit(model, str(CORPORA / record["csv"]), start=begin)


def function(record: dict[str, Any]) -> tuple[Callable[..., Any], dict[str, Any]]:
    """The model as a NumPy function of x and the parameters, and the columns."""
    import sympy

    columns = np.genfromtxt(CORPORA / record["csv"], delimiter=",", names=True)
    symbols = sympy.symbols(["x", *record["params"]])
    # the corpus is trusted: its models are NIST's
    expr = sympy.sympify(record["expr"], locals={str(s): s for s in symbols})
    return sympy.lambdify(symbols, expr, "numpy"), {n: columns[n] for n in columns.dtype.names}


def by_scipy(record: dict[str, Any], start: str) -> Sequence[float | None]:
    """curve_fit with its defaults and tight tolerances."""
    from scipy.optimize import curve_fit

    model, columns = function(record)
    tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15, "maxfev": 100_000}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found, _ = curve_fit(model, columns["x"], columns["y"], record[start], **tight)
        except (RuntimeError, ValueError):
            return [None] * len(record["params"])
    return [float(v) for v in found]


def by_lmfit(record: dict[str, Any], start: str) -> Sequence[float | None]:
    """lmfit's Model with the same tolerances."""
    import lmfit

    model, columns = function(record)
    fit = lmfit.Model(model, independent_vars=["x"], param_names=record["params"])
    begin = fit.make_params(**dict(zip(record["params"], record[start], strict=True)))
    tight = {"ftol": 1e-15, "xtol": 1e-15, "gtol": 1e-15}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = fit.fit(columns["y"], begin, x=columns["x"], fit_kws=tight, max_nfev=100_000)
        except (RuntimeError, ValueError):
            return [None] * len(record["params"])
    return [float(found.params[n].value) for n in record["params"]]


def nist_without_start() -> Iterator[Row]:
    """The runs that do not end at the certified values when no start is given."""
    records = json.loads((CORPORA / "nist.json").read_text())
    missed = 0
    for record in records:
        model = f"{record['lhs']} = {record['expr']}"
        result = symgd.fit(model, str(CORPORA / record["csv"]))
        missed += digits([result.theta[n] for n in record["params"]], record["certified"]) < 6
    yield Row("NIST sets not right without a start", missed, f"of {len(records)}", 0)


def starts() -> Iterator[Row]:
    """Fits without a start that end at the least sum of squares, and what wrong ones say."""
    kinds: dict[str, tuple[list[fit_library.Case], int, str | None]] = {
        "formulas of lmfit, Fityk, Origin and Prism": (list(fit_library.cases()), 2, None),
        "sines of 0.3 to 300 cycles": (
            [fit_library.sine(c, s) for s in range(5) for c in np.geomspace(0.3, 300, 20)],
            2,
            None,
        ),
        "1 to 4 Gaussians on a background": (
            [fit_library.gaussians(n, s) for n in (1, 2, 3, 4) for s in range(8)],
            2,
            None,
        ),
        "peaks at 0 to 10^6": (
            [
                fit_library.peak(p, k, s)
                for p in (0, 1e2, 1e4, 1e5, 1e6)
                for k in (0, 1, 2)
                for s in (0, 1)
            ],
            0,
            None,
        ),
        "steps": ([fit_library.step(k, s) for k in range(4) for s in (0, 1)], 0, None),
        "Poisson peaks": (
            [fit_library.peak(p, k, 3, True) for p in (0, 600, 1e5) for k in (0, 1, 2)],
            0,
            "poisson",
        ),
    }
    for name, (cases, most, family) in kinds.items():
        found, silent, times = 0, 0, []
        for case in cases:
            begin = time.process_time()
            result = symgd.fit(case.model, case.data, family=family)
            times.append(time.process_time() - begin)
            if family is None:
                right = (result.rss or 0.0) <= fit_library.minimum(case) * (1 + 1e-5)
            else:
                right = abs(result.theta["c"] - case.truth["c"]) < 5 * (result.stderr["c"] or 0)
            found += right
            silent += not right and result.status == "converged" and not result.warnings
        yield Row(f"{name}: not right", len(cases) - found, f"of {len(cases)}", most)
        yield Row(f"{name}: wrong and converged without a remark", silent, "", 0)
        typical = 1e3 * float(np.median(times))
        yield Row(f"{name}: median time of a fit", typical, "ms", 30 if len(cases) == 132 else None)


def regressions() -> Iterator[Row]:
    """Largest relative difference of coefficients and of standard errors from the references."""
    for record in json.loads((CORPORA / "datasets.json").read_text())["datasets"]:
        result = symgd.fit(f"sum({record['row_loss']})", str(CORPORA / record["csv"]))
        pairs = list(zip(record["params"], record["coef"], record["stderr"], strict=True))
        coef = max(abs(result.theta[n] / c - 1) for n, c, _ in pairs)
        error = max(abs((result.stderr[n] or math.nan) / s - 1) for n, _, s in pairs)
        yield Row(f"{record['name']} ({record['kind']}): coefficients", coef, "", 1e-6)
        yield Row(f"{record['name']} ({record['kind']}): standard errors", error, "", 1e-6)


def curve() -> tuple[Any, Any]:
    """The columns x and y of the long fit."""
    generator = np.random.default_rng(20)
    x = generator.uniform(0.0, 4.0, ROWS)
    return x, 2.5 * np.exp(-1.3 * x) + 0.5 + generator.normal(0.0, 0.1, ROWS)


def model(x, a, b, c):
    """MODEL as the peers take it."""
    return a * np.exp(-b * x) + c


def by_symgd(x: Any, y: Any) -> list[float]:
    """Ours, from 1, 1, 1."""
    return list(symgd.fit(MODEL, {"x": x, "y": y}, start=1.0).theta.values())


def by_curve_fit(x: Any, y: Any) -> list[float]:
    """SciPy's, from there, with its defaults: differences for the Jacobian."""
    from scipy.optimize import curve_fit

    return [float(v) for v in curve_fit(model, x, y, [1.0, 1.0, 1.0])[0]]


def by_lmfit_model(x: Any, y: Any) -> list[float]:
    """lmfit's, from there, with its defaults."""
    import lmfit

    found = lmfit.Model(model).fit(y, x=x, a=1.0, b=1.0, c=1.0)
    return [found.params[n].value for n in "abc"]


def exponential() -> Iterator[Row]:
    """Milliseconds of a whole fit of 10^6 rows, all from the start 1, 1, 1.

    First of calls in a process that has made this fit before: ours knows the compiled formula
    again, not the rows. Then of the first call of a fresh process, each with its imports, ours
    with the compilation, too.
    """
    x, y = curve()
    ours, took = by_symgd(x, y), seconds(lambda: by_symgd(x, y), repeat=5)
    note = symgd.fit(MODEL, {"x": x, "y": y}, start=1.0).message
    yield Row(f"{MODEL}, 10^6 rows: symgd", 1e3 * took, "ms", note=note)
    first = first_call("by_symgd")
    peers = (("scipy", by_curve_fit), ("lmfit", by_lmfit_model))
    for name, call in peers:
        if missing(name):
            yield skipped(f"{MODEL}: {name}", missing(name))
            continue
        check(close(ours, call(x, y), 1e-6), f"{name} and symgd differ")
        theirs = seconds(lambda call=call: call(x, y), repeat=3)
        yield Row(f"{MODEL}, 10^6 rows: {name}", 1e3 * theirs, "ms")
        yield Row(f"time of symgd / time of {name}", took / theirs, "", 0.1)
    yield Row("first call of a process, with imports: symgd", 1e3 * first, "ms")
    for name, call in peers:
        if not missing(name):
            theirs = first_call(call.__name__)
            yield Row(f"first call of a process, with imports: {name}", 1e3 * theirs, "ms")


def first_call(name: str) -> float:
    """Seconds of the first call of this function in a fresh process, the least of three."""
    code = (
        "import json, time, numpy\n"
        "from benchmarks import fits\n"
        "x, y = fits.curve()\n"
        "before = time.perf_counter()\n"
        f"fits.{name}(x, y)\n"
        "print(json.dumps(time.perf_counter() - before))"
    )
    return min(float(json_of([sys.executable, "-c", code])) for _ in range(3))
