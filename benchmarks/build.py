"""Seconds from a loss to its compiled value and gradient, chained Rosenbrock of n parameters."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.losses import chained_rosenbrock, chained_rosenbrock_gradient, standard_start
from benchmarks.measure import Row, check, close, json_of, missing, skipped

SIZES = (10, 30, 100, 300, 1000, 3000)
TARGETS = {100: 0.5, 1000: 5.0}
PEERS = {
    "sympy": (10, 100),
    "symengine": (10, 100, 1000),
    "casadi": (10, 100, 1000),
    "jax": (10, 100),
}
RUNS, LIMIT = 3, 120.0


def rows() -> Iterator[Row]:
    """symgd at every size, how the time grows, then the peers."""
    ours = {}
    for n in SIZES:
        ours[n] = build("symgd", n)
        each = f"{1e6 * ours[n] / n:.0f} us per parameter"
        yield Row(f"symgd, n = {n}", ours[n], "s", TARGETS.get(n), each)
    power = math.log(ours[3000] / ours[100]) / math.log(30)
    yield Row("power of n, from n = 100 to 3000", power, "", 1.2, "1 is linear")
    for name, sizes in PEERS.items():
        for n in sizes:
            yield peer_row(name, n, ours[n])


def peer_row(name: str, n: int, ours: float) -> Row:
    """A peer's time beside ours."""
    what = f"{name}, n = {n}"
    if missing(name):
        return skipped(what, missing(name))
    try:
        took = build(name, n)
    except subprocess.TimeoutExpired:
        return skipped(what, f"not done after {LIMIT:g} s")
    return Row(what, took, "s", note=f"{took / ours:.1f} times symgd's {ours:.3g} s")


def build(name: str, n: int) -> float:
    """The least seconds over fresh processes, once value and gradient are the right ones."""
    took = []
    for _ in range(RUNS):
        found = json_of([sys.executable, "-m", "benchmarks.peers", name, str(n)], LIMIT)
        point = standard_start(n)
        check(close([found["value"]], [chained_rosenbrock(point)]), f"{name} value at n = {n}")
        check(close(found["grad"], chained_rosenbrock_gradient(point)), f"{name} grad at n = {n}")
        took.append(found["seconds"])
        if took[-1] > LIMIT / 10:
            break
    return min(took)
