"""Peak resident memory of a descent of 10^7 steps, each in its own process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.util import find_spec

from benchmarks.losses import ROSENBROCK
from benchmarks.measure import Row, check, json_of, skipped

STEPS = 10_000_000
TARGET = 200.0

_IMPORT = "import sympy; from benchmarks.peak import peak; print(peak())"
_DESCENT = """
import json, time
import symgd
from benchmarks.peak import peak
before = time.perf_counter()
result = symgd.descend({loss!r}, start={start!r}, rule={rule!r}, lr={lr!r}, steps={steps})
took = time.perf_counter() - before
print(json.dumps({{
    "peak": peak(), "seconds": took, "steps": result.steps, "status": str(result.status),
    "theta": list(result.theta.values()), "rows": len(result.history),
}}))
"""


def rows() -> Iterator[Row]:
    """What an import takes, then the two runs."""
    if find_spec("resource") is None:
        yield skipped("peak memory", "this system has no resource module")
        return
    imported = json_of([sys.executable, "-c", _IMPORT])
    yield Row('python -c "import sympy"', imported, "MB", note="for comparison")
    exercise = descent("theta**2", 1.0, "gd", 1e-6)
    theta = 1.0
    for _ in range(STEPS):
        theta = theta - 1e-6 * (2 * theta)
    check(exercise["theta"] == [theta], "the end of 10^7 steps of the exercise's loss")
    yield row("theta**2, gd, lr = 1e-6, 10^7 steps", exercise)
    adam = descent(ROSENBROCK, {"x": -1.2, "y": 1.0}, "adam", 0.001)
    check(max(abs(v - 1) for v in adam["theta"]) < 1e-3, "Rosenbrock's minimum")
    yield row("Rosenbrock, adam, lr = 0.001, 10^7 steps", adam)


def descent(loss: str, start: object, rule: str, lr: float) -> dict:
    """Steps, status, memory and time of a run in a fresh process."""
    source = _DESCENT.format(loss=loss, start=start, rule=rule, lr=lr, steps=STEPS)
    found = json_of([sys.executable, "-c", source])
    check(found["steps"] == STEPS, f"{found['steps']} steps were run, {found['status']}")
    return found


def row(what: str, found: dict) -> Row:
    """The peak, with the time and the rows of history beside it."""
    per_step = 1e6 * found["seconds"] / STEPS
    note = f"{found['seconds']:.1f} s, {per_step:.2f} us per step; {found['rows']} rows of history"
    return Row(what, found["peak"], "MB", TARGET, note)
