"""Nanoseconds per step of long descents on Rosenbrock in machine code, beside C, JAX, numba ..."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping

from benchmarks import side
from benchmarks.measure import Row, check, close
from benchmarks.side import Found, Peer

CHECKED, STEPS, REPEATS, ROUNDS, LIMIT = 500, 1_000_000, 7, 3, 120.0
LR = {"gd": 1e-5, "adam": 1e-6}  # slow: both rules are still under way at the end
SLOW = (("steps", "100000"), ("repeats", "3"))  # and CasADi's memory grows with the steps
SLOWEST = (("steps", "1000"), ("repeats", "1"))
AT_END = 1e-9  # roundings of 10^6 steps


def peers(c: float, jax: float, numba: float | None) -> tuple[Peer, ...]:
    """Who takes part, with the targets of symgd's time over theirs."""
    return (
        Peer("symgd", "symgd, a step", ("llvmlite",)),
        Peer("c", "C, -O3 -march=native", ("cc",)),
        Peer("c-rounded", "C, the same with -ffp-contract=off", ("cc",), c),
        Peer("jax", "JAX (optax), jitted fori_loop", ("jax", "optax"), jax),
        Peer("jax-scalars", "JAX, x and y as scalars", ("jax",)),
        Peer("numba", "numba, SymPy's gradient", ("numba",), numba),
        Peer("numba-by-hand", "numba, gradient by hand", ("numba",)),
        Peer("casadi", "CasADi, fold", ("casadi",), words=SLOW),
        Peer("lambdify", "Python loop, SymPy's gradient", words=SLOW),
        Peer("torch", "torch.optim", ("torch",), words=SLOWEST),
    )


CONTESTS = {"gd": peers(1.15, 1 / 2, 1 / 3), "adam": peers(1.15, 1 / 1.5, None)}


def rows() -> Iterator[Row]:
    """Gradient descent, then Adam."""
    for rule, entrants in CONTESTS.items():
        words = {
            "rule": rule,
            "lr": LR[rule],
            "checked": CHECKED,
            "steps": STEPS,
            "repeats": REPEATS,
        }
        found = side.in_rounds("descent", entrants, words, ROUNDS, LIMIT)
        agree(rule, entrants, found)
        yield from side.rows(f"Rosenbrock, {rule}", "ns", 1e9, entrants, found)
        ours = found["symgd"]
        if isinstance(ours, Found):
            whole = 1e9 * statistics.median(ours.whole)
            note = f"text, gradient, {STEPS} steps, history, verdict: one call, per step"
            yield Row("  symgd, the whole call", whole, "ns", note=note)


def agree(rule: str, entrants: tuple[Peer, ...], found: Mapping[str, Found | str]) -> None:
    """See that all are at the same point after the first steps, and at the end of the run."""
    answers = {p: f.answer for p in entrants if isinstance(f := found[p.name], Found)}
    reference = next(iter(answers.values()))
    for peer, answer in answers.items():
        check(close(answer[:2], reference[:2]), f"{rule} after {CHECKED} steps: {peer.what}")
        if not peer.words:
            same = close(answer[2:], reference[2:], AT_END)
            check(same, f"{rule} after {STEPS} steps: {peer.what}")
