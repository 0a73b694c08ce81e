"""Value and gradient of losses over 2*10^6 rows, beside C with vector math, JAX, torch, NumPy."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from statistics import median

from benchmarks import side
from benchmarks.measure import Row, check, close, skipped
from benchmarks.peers import rows as peer
from benchmarks.peers.__main__ import timed
from benchmarks.peers.rows import LOSSES
from benchmarks.side import Found, Peer

COUNT, REPEATS, ROUNDS, LIMIT = 2_000_000, 9, 3, 120.0
OURS = Peer("symgd", "symgd", ("llvmlite",))
PEER_C = Peer("c", "C", ("cc",))


def peers(name: str) -> tuple[Peer, ...]:
    """Who takes part, with the targets of symgd's time over theirs."""
    first = name == "exponential"
    c = Peer("c", "C, -O3 -march=native -ffast-math, libmvec", ("cc",), 1.3 if first else 2.0)
    jax = Peer("jax", "JAX, jitted value_and_grad", ("jax",), 1 / 5 if first else 1 / 3)
    if not first:
        return OURS, c, jax
    return (
        *(OURS, c, jax),
        Peer("torch", "torch, autograd", ("torch",), 1 / 5),
        Peer("numpy-by-hand", "NumPy, gradient by hand", ("numpy",), 1 / 5),
        Peer("numpy", "symgd in NumPy", ("numpy",)),
    )


def rows() -> Iterator[Row]:
    """All on one processor; then the exponential by symgd on two."""
    for name in LOSSES:
        entrants = peers(name)
        found = side.in_rounds("rows", entrants, words(name, 1), ROUNDS, LIMIT)
        agree(name, entrants, found)
        yield from side.rows(f"{name}, one thread", "ms", 1e3, entrants, found)
    yield from scaling()


def words(name: str, threads: int) -> dict[str, object]:
    """The arguments of the task."""
    return {"loss": name, "count": COUNT, "threads": threads, "repeats": REPEATS}


def agree(name: str, entrants: Sequence[Peer], found: Mapping[str, Found | str]) -> None:
    """See that all have the same value and gradient."""
    answers = {p: f.answer for p in entrants if isinstance(f := found[p.name], Found)}
    reference = next(iter(answers.values()))
    for entrant, answer in answers.items():
        check(close(answer, reference, 1e-11), f"{name}: {entrant.what}")


def scaling() -> Iterator[Row]:
    """Two threads against one, in one process, turn by turn; C's rows in two threads as well."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if (cores or 1) < 2 or OURS.absent:
        yield skipped("two threads", OURS.absent or "there is one processor")
        return
    for name in LOSSES:
        data = peer.columns(name, COUNT)
        one, two = (peer.by_symgd(name, data, threads) for threads in (1, 2))
        check(one() == two(), f"{name}: the bits on one and on two threads")
        alone, both, ratio = paired(one, two)
        yield Row(f"{name}, two threads", both, "ms", note=f"one: {alone:.2f} ms")
        yield Row("    two threads over one", ratio, "x", 1 / 1.7)
        if PEER_C.absent:
            continue
        of_c = partial(peer.by_c, name, threads=1)
        alone, both, ratio = paired(of_c(data), halves(data, of_c))
        note = f"one: {alone:.2f} ms; what this machine gains from its second processor"
        yield Row("    C: each half of the rows in a thread, over one", ratio, "x", note=note)
        alone, both, _ = paired(peer.reading(data), halves(data, peer.reading))
        note = f"{alone:.2f} ms in one: no pass over them takes less"
        yield Row("    C: the columns only read, in two threads", both, "ms", note=note)


def paired(one: peer.Evaluate, two: peer.Evaluate) -> tuple[float, float, float]:
    """Median milliseconds of both, called in turn, and the median ratio of neighbors."""
    two()
    took = [(timed(one)[0], timed(two)[0]) for _ in range(10 * REPEATS)]
    alone, both = (1e3 * median(t) for t in zip(*took, strict=True))
    return alone, both, median(b / a for a, b in took)


def halves(data: peer.Columns, of: Callable[[peer.Columns], peer.Evaluate]) -> peer.Evaluate:
    """What C does of each half of the rows, at once: the time, not the sum, is of interest."""
    middle = len(data["y"]) // 2
    parts = ({k: v[:middle] for k, v in data.items()}, {k: v[middle:] for k, v in data.items()})
    first, second = map(of, parts)
    pool = ThreadPoolExecutor(1)

    def evaluate() -> list[float]:
        other = pool.submit(second)
        return [a + b for a, b in zip(first(), other.result(), strict=True)]

    return evaluate
