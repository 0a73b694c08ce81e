"""explain on classical test functions (of SciPy's benchmarks): minima as published, no others.

`python -m benchmarks verdicts` runs all 25.
"""

import json
from pathlib import Path

import numpy as np
import pytest

import symgd
from tests.oracle import mp_function, mp_slope

FUNCTIONS = json.loads(
    (Path(__file__).parents[1] / "files" / "test_functions.json").read_text("utf-8")
)
SLICE = "Ackley01 Beale Bukin06 Easom HimmelBlau McCormick Salomon StyblinskiTang YaoLiu09"


@pytest.mark.parametrize("record", [f for f in FUNCTIONS if f["name"] in SLICE.split()],
                         ids=lambda f: f["name"])  # fmt: skip
def test_published_minima_are_listed_and_points_are_stationary(record):
    found = symgd.explain(record["expr"], seconds=0)
    order = [record["params"].index(p) for p in found.loss.params]
    points = found.critical.points
    for known in record["global_optimum"]:
        x = [known[k] for k in order]
        listed = any(p.x == pytest.approx(x, rel=1e-4, abs=1e-4) for p in points)
        assert listed or found.critical.incomplete
    function = mp_function(record["expr"], found.loss.params)
    for point in points:
        if point.kinked:
            continue
        size, axes = max(1e-3, *map(abs, point.x)), np.eye(len(point.x))
        around = max(
            abs(mp_slope(function, point.x + 1e-3 * size * away, axis))
            for away in axes
            for axis in axes
        )
        for axis in axes:
            assert abs(mp_slope(function, point.x, axis)) <= 1e-6 * around
    lowest = min(p.value for p in points if p.kind == "minimum")
    if record["name"] != "McCormick":  # which has no lower bound
        assert lowest == pytest.approx(record["fglob"], rel=1e-6, abs=1e-6)
    else:
        assert found.below.bounded is False
