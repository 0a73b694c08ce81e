"""Seconds from a loss to its compiled value and gradient, chained Rosenbrock of n parameters."""

from __future__ import annotations

import math
import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.losses import chained_rosenbrock, chained_rosenbrock_gradient, standard_start
from benchmarks.measure import Row, check, close, json_of, missing, skipped

SIZES = (10, 30, 100, 300, 1000, 3000, 10_000)
TARGETS = {100: 0.3, 1000: 3.0, 10_000: 40.0}
PEERS = {
    "sympy": (10, 100),
    "symengine": (10, 100, 1000),
    "casadi": (10, 100, 1000, 10_000),
    "jax": (10, 100),
}
RUNS, LIMIT = 3, 180.0


def rows() -> Iterator[Row]:
    """symgd at every size, how the time grows, then the peers."""
    ours = {}
    for n in SIZES:
        try:
            ours[n], memory = build("symgd", n)
        except subprocess.TimeoutExpired:
            yield skipped(f"symgd, n = {n}", f"not done after {LIMIT:g} s")
            continue
        each = f"{1e6 * ours[n] / n:.0f} us per parameter; {memory}"
        yield Row(f"symgd, n = {n}", ours[n], "s", TARGETS.get(n), each)
    last = max(ours)
    power = math.log(ours[last] / ours[100]) / math.log(last / 100)
    yield Row(f"power of n, from n = 100 to {last}", power, "", 1.1, "1 is linear")
    for name, sizes in PEERS.items():
        for n in sizes:
            yield peer_row(name, n, ours.get(n))


def peer_row(name: str, n: int, ours: float | None) -> Row:
    """A peer's time beside ours."""
    what = f"{name}, n = {n}"
    if missing(name):
        return skipped(what, missing(name))
    try:
        took, memory = build(name, n)
    except subprocess.TimeoutExpired:
        return skipped(what, f"not done after {LIMIT:g} s")
    beside = "" if ours is None else f"{took / ours:.1f} times symgd's {ours:.3g} s; "
    return Row(what, took, "s", note=beside + memory)


def build(name: str, n: int) -> tuple[float, str]:
    """The median of fresh processes, once value and gradient are the right ones; the memory."""
    took, words = [], ["build", name, str(n)]
    for _ in range(RUNS):
        found = json_of([sys.executable, "-m", "benchmarks.peers", *words], LIMIT)
        point = standard_start(n)
        value, *grad = found["answer"]
        check(close([value], [chained_rosenbrock(point)]), f"{name} value at n = {n}")
        check(close(grad, chained_rosenbrock_gradient(point)), f"{name} grad at n = {n}")
        took += found["seconds"]
        if took[-1] > LIMIT / 10:
            break
    peak = found["peak"]
    return statistics.median(took), "" if peak is None else f"peak {peak:.0f} MB"
