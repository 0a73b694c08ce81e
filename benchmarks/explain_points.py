"""explain on 25 classical test functions: known minima listed, no point that is none."""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import symgd
from benchmarks import oracle
from benchmarks.measure import ROOT, Row
from symgd.analysis.critical.critical_point import CriticalPoint

FUNCTIONS = ROOT / "tests" / "files" / "test_functions.json"  # SciPy's benchmarks, BSD-3
DIGITS = 60
_NEAR = 1e-4  # of a published minimum's size
_AROUND = 1e-3  # of a point's size, where slopes are taken for comparison
_SLOPE = 1e-6  # of those, the slopes at a critical point
_RADIUS = 1e-5  # of a point's size, where values are compared
_DIRECTIONS = 60

Function = Callable[..., Any]


def rows() -> Iterator[Row]:
    """How many known minima are missing without a word, how many points are false, and times."""
    missing, false, slowest, of = 0, 0, 0.0, ""
    missed, wrong = list[str](), list[str]()
    for record in json.loads(FUNCTIONS.read_text("utf-8")):
        began = time.perf_counter()
        found = symgd.explain(record["expr"])
        took = time.perf_counter() - began
        if took > slowest:
            slowest, of = took, record["name"]
        if lost := silent(record, found):
            missing, missed = missing + lost, [*missed, record["name"]]
        if bad := sum(not holds(record, p, found.loss.params) for p in found.critical.points):
            false, wrong = false + bad, [*wrong, record["name"]]
    yield Row("known minima missing without 'search incomplete'", missing, "", 0, ", ".join(missed))
    yield Row("false points of 25 functions", false, "", 0, ", ".join(wrong))
    yield Row("slowest explanation", slowest, "s", 10, of)


def silent(record: dict[str, Any], found: symgd.Explanation) -> int:
    """How many published minima are not listed, where nothing says that the list is incomplete."""
    if found.critical.incomplete:
        return 0
    order = [record["params"].index(p) for p in found.loss.params]
    known = [[x[k] for k in order] for x in record["global_optimum"]]
    points = [p.x for p in found.critical.points]
    return sum(not any(_close(x, p) for p in points) for x in known)


def _close(known: Sequence[float], x: Sequence[float]) -> bool:
    size = 1 + max(map(abs, known))
    return max(abs(a - b) for a, b in zip(known, x, strict=True)) <= _NEAR * size


def holds(record: dict[str, Any], point: CriticalPoint, params: Sequence[str]) -> bool:
    """Whether a point is what it is said to be, by values in 60 digits of another evaluator."""
    from mpmath import mp

    with mp.workdps(DIGITS):
        arithmetic = oracle.with_mpmath()

        def value(x: Sequence[Any]) -> Any:
            return arithmetic.evaluate(record["expr"], dict(zip(params, x, strict=True)))

        x = [mp.mpf(v) for v in point.x]
        size = max(1e-3, *map(abs, point.x))
        if not point.kinked and not _stationary(value, x, size):
            return False
        here, chance = value(x), random.Random(1)
        ups = downs = 0
        axes = [
            [float(s * (j == k)) for j in range(len(x))] for k in range(len(x)) for s in (1, -1)
        ]
        moves = [[chance.gauss(0, 1) for _ in x] for _ in range(_DIRECTIONS)]
        for move in [*axes, *moves]:
            length = math.hypot(*move)
            change = value([v + _RADIUS * size * m / length for v, m in zip(x, move, strict=True)])
            ups, downs = ups + (change > here), downs + (change < here)
        expected = {"minimum": not downs, "maximum": not ups, "saddle": bool(ups and downs)}
        return expected.get(point.kind, True)


def _stationary(value: Function, x: Sequence[Any], size: float) -> bool:
    from mpmath import mpf

    step = mpf(10) ** -25 * size

    def slope(at: Sequence[Any], k: int) -> Any:
        ends = [value([v + s * step * (j == k) for j, v in enumerate(at)]) for s in (1, -1)]
        return (ends[0] - ends[1]) / (2 * step)

    count = range(len(x))
    here = max(abs(slope(x, k)) for k in count)
    away = [[v + _AROUND * size * (j == k) for j, v in enumerate(x)] for k in count]
    around = max(abs(slope(at, k)) for at in away for k in count)
    return bool(here <= _SLOPE * around)
