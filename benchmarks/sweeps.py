"""10^4 descents of 1000 steps on Rosenbrock at once, each with its own learning rate."""

from __future__ import annotations

import os
from collections.abc import Iterator

from benchmarks import side
from benchmarks.measure import Row, check, close, skipped
from benchmarks.side import Found, Peer

COUNT, STEPS, REPEATS, ROUNDS, LIMIT = 10_000, 1000, 7, 3, 120.0
PEERS = (
    Peer("symgd", "symgd.sweep", ("llvmlite",)),
    Peer("c", "C, in blocks of lanes", ("cc",), 1.5),
    Peer("c-rounded", "C, the same with -ffp-contract=off", ("cc",)),
    Peer("jax", "JAX, jitted vmap of fori_loop", ("jax",), 1 / 3),
    Peer("jax-scalars", "JAX, x and y as scalars", ("jax",)),
)
SCALAR = Peer("c-scalar", "C, one descent after the other", ("cc",))


def rows() -> Iterator[Row]:
    """On all processors, and on one."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for threads in dict.fromkeys((cores or 1, 1)):
        entrants = (*PEERS, SCALAR) if threads == 1 else PEERS
        words = {"count": COUNT, "steps": STEPS, "threads": threads, "repeats": REPEATS}
        found = side.in_rounds("sweep", entrants, words, ROUNDS, LIMIT)
        agree(found)
        label = f"{threads} thread{'s' * (threads > 1)}"
        yield from side.rows(label, "ms", 1e3, entrants, found)
    if threads == 1 and not hasattr(os, "sched_setaffinity"):
        yield skipped("JAX on one thread", "it takes all processors on this system")


def agree(found: dict[str, Found | str]) -> None:
    """See that all descents of all ended at the same points."""
    answers = {name: f.answer for name, f in found.items() if isinstance(f, Found)}
    reference = next(iter(answers.values()), [])
    for name, answer in answers.items():
        check(close(answer, reference, 1e-10), f"the ends of {COUNT} descents: {name}")
