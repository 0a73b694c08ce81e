"""Milliseconds from the text of a loss of two parameters to its first step, imports excluded."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import side
from benchmarks.measure import Row, check, close
from benchmarks.side import Found, Peer

ROUNDS, LIMIT = 9, 60.0
LR, SLOPE, START = 1e-3, (-215.6, -88.0), (-1.2, 1.0)  # Rosenbrock's gradient there, by hand
PEERS = (
    Peer("symgd", "symgd, machine code", ("llvmlite",), 0.060),
    Peer("symgd-auto", "symgd, backend chosen"),
    Peer("jax", "JAX, one jitted step", ("jax",)),
    Peer("jax-loop", "JAX, a jitted fori_loop", ("jax",)),
    Peer("numba", "SymPy's gradient, numba", ("numba",)),
    Peer("lambdify", "SymPy's gradient, lambdify"),
)


def rows() -> Iterator[Row]:
    """Each in fresh processes, in turn; a first one notes the modules to import beforehand."""
    with tempfile.TemporaryDirectory() as folder:
        here = [
            Peer(
                p.name, p.what, p.needs, p.target, (("notes", str(Path(folder, f"{p.name}.json"))),)
            )
            for p in PEERS
        ]
        side.in_rounds("first", here, {}, 1, LIMIT)  # takes the notes, compiles the .pyc files
        found = side.in_rounds("first", here, {}, ROUNDS, LIMIT)
    expected = [x - LR * g for x, g in zip(START, SLOPE, strict=True)]
    for name, one in found.items():
        check(not isinstance(one, Found) or close(one.answer, expected), f"{name}: first step")
    yield from side.rows("Rosenbrock", "ms", 1e3, here, found)
