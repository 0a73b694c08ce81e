"""Microseconds per value and gradient of chained Rosenbrock, n = 1000, called from Python."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks import side
from benchmarks.losses import chained_rosenbrock, chained_rosenbrock_gradient, standard_start
from benchmarks.measure import Row, check, close
from benchmarks.side import Found, Peer

N, REPEATS, ROUNDS, LIMIT = 1000, 15, 3, 120.0
PEERS = (
    Peer("symgd-code", "symgd, its code called as the C is"),
    Peer("symgd", "Loss.compiled, a new array each time"),
    Peer("c", "C, -O3 -march=native, by ctypes", ("cc",), 1.5),
    Peer("c-rounded", "C, the same with -ffp-contract=off", ("cc",)),
    Peer("c-alone", "C, called from C", ("cc",)),
    Peer("casadi", "CasADi", ("casadi",), 1.0),
    Peer("symengine", "SymEngine, LLVM", ("symengine",), 1.0),
    Peer("jax-arrays", "JAX, jitted, written for arrays", ("jax",)),
    Peer("numpy", "NumPy, gradient by hand"),
)


def rows() -> Iterator[Row]:
    """All, once their values and gradients are the right ones."""
    found = side.in_rounds("evaluate", PEERS, {"n": N, "repeats": REPEATS}, ROUNDS, LIMIT)
    point = standard_start(N)
    for name, one in found.items():
        if isinstance(one, Found):
            check(close(one.answer[:1], [chained_rosenbrock(point)]), f"{name}, value")
            check(close(one.answer[1:], chained_rosenbrock_gradient(point)), f"{name}, gradient")
    yield from side.rows(f"n = {N}", "us", 1e6, PEERS, found)
