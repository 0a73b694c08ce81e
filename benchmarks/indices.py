"""Losses with indices: value and gradient beside C, JAX and CasADi; text to machine code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from statistics import median

from benchmarks import families, index_claims, side
from benchmarks.measure import Row, check, close, skipped
from benchmarks.peers import indices as peer
from benchmarks.peers.__main__ import timed
from benchmarks.side import Found, Peer

ROUNDS, REPEATS, LIMIT = 3, 7, 180.0
OURS = Peer("symgd", "symgd", ("llvmlite",))
_C = "C, -O3 -march=native -ffp-contract=off"
#: of each task: the targets of symgd's time over that of C, of JAX and of CasADi
TARGETS = {
    "chain": (1.3, 1 / 3, 1 / 15),
    "softmax": (1.5, 1 / 2.5, None),
    "network": (1.5, 1 / 2.5, None),
    "factor": (None, 1 / 5, None),
    "mixed": (None, 1 / 2.5, None),
}
KERNEL = 0.35  # seconds from a text to its machine code
PRODUCT = 4.0  # a product with the Hessian over value and gradient
TWO = 0.6  # two threads over one


def rows() -> Iterator[Row]:
    """One thread side by side; machine code from text, products, two threads; all that is no time.

    The families of test problems come last, and alone with `python -m benchmarks families`.
    """
    for name in peer.TASKS:
        of_c, of_jax, of_casadi = TARGETS[name.split()[0]]
        entrants = [OURS, Peer("c", _C, ("cc",), of_c), Peer("jax", "JAX, jit", ("jax",), of_jax)]
        if of_casadi:
            entrants.append(Peer("casadi", "CasADi, MX", ("casadi",), of_casadi))
        words = {"name": name, "repeats": REPEATS}
        found = side.in_rounds("indices", entrants, words, ROUNDS, LIMIT)
        agree(name, found)
        yield from side.rows(f"{name}, one thread", "ms", 1e3, entrants, found)
    for name in ("chain 100,000", "softmax", "network"):
        found = side.in_rounds("kernel", [OURS], {"name": name}, ROUNDS, LIMIT)["symgd"]
        if isinstance(found, str):
            yield skipped(f"{name}, text to machine code", found)
        else:
            took = min(found.seconds)
            yield Row(f"{name}, text to machine code", took, "s", KERNEL, "of the processor")
    yield from products()
    yield from scaling()
    yield from index_claims.rows()
    yield from families.rows()


def agree(name: str, found: Mapping[str, Found | str]) -> None:
    """See that all have the same value and gradient."""
    answers = {who: f.answer for who, f in found.items() if isinstance(f, Found)}
    reference = next(iter(answers.values()))
    for who, answer in answers.items():
        check(close(answer, reference, 1e-12), f"{name}: {who}")


def products() -> Iterator[Row]:
    """A product of the Hessian and a vector over value and gradient, turn by turn."""
    if OURS.absent:
        return
    for name in ("chain 1,000,000", "softmax", "network", "factor", "mixed"):
        once, product = (peer.by_symgd(peer.TASKS[name], 1), peer.products(peer.TASKS[name]))
        ratio = paired(once, product)[1]
        yield Row(f"{name}, Hessian times vector over value + gradient", ratio, "x", PRODUCT)


def scaling() -> Iterator[Row]:
    """Two threads against one, in one process, turn by turn."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if (cores or 1) < 2 or OURS.absent:
        yield skipped("two threads", OURS.absent or "there is one processor")
        return
    for name, task in peer.TASKS.items():
        if name == "chain 100,000":
            continue  # less than it takes to wake a thread
        one, two, *more = (peer.by_symgd(task, threads) for threads in (1, 2, 3, 4))
        for other in (two, *more):
            is_same = one()[1].tobytes() == other()[1].tobytes() and one()[0] == other()[0]
            check(is_same, f"{name}: the bits of 1 to 4 threads")
        alone, ratio = paired(one, two)
        yield Row(f"{name}, two threads over one", ratio, "x", TWO, f"one: {alone:.2f} ms")


def paired(one: peer.Evaluate, two: peer.Evaluate) -> tuple[float, float]:
    """Median milliseconds of one, and the median ratio of neighbors: three calls of each in turn.

    The shortest of three: one after another, as a descent calls them.
    """
    two()
    took = [
        (min(timed(one)[0] for _ in range(3)), min(timed(two)[0] for _ in range(3)))
        for _ in range(2 * REPEATS)
    ]
    return 1e3 * median(t for t, _ in took), median(b / a for a, b in took)
