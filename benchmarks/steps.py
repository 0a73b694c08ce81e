"""Microseconds per step of a descent, against the same loop written by hand in Python.

symgd also records loss, gradient norm and the best point, and looks for inf and nan at each step.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import sympy

import symgd
from benchmarks.losses import ROSENBROCK
from benchmarks.measure import Row, check, close

CHECKED, SHORT, LONG = 500, 20_000, 120_000

Descent = Callable[[int], Sequence[float]]  # steps -> theta at the end
Gradient = Callable[..., Sequence[float]]


def rows() -> Iterator[Row]:
    """Three descents, each by symgd, by hand, and with SymPy's own lambdified gradient."""
    x, y, theta = sympy.symbols("x y theta", real=True)
    rosenbrock = (1 - x) ** 2 + 100 * (y - x**2) ** 2
    exercise, valley = lambdified(theta**2, theta), lambdified(rosenbrock, x, y)
    yield from compared(
        "theta**2, gd",
        lambda n: end("theta**2", [1.0], "gd", 1e-4, n),
        {
            "plain Python loop": lambda n: exercise_by_hand(1.0, 1e-4, n),
            "Python loop over SymPy's gradient": lambda n: loop(gd(1e-4), exercise, [1.0], n),
        },
    )
    for rule, lr, make in (("gd", 1e-3, gd), ("adam", 1e-3, adam)):
        yield from compared(
            f"Rosenbrock, {rule}",
            lambda n, rule=rule, lr=lr: end(ROSENBROCK, [-1.2, 1.0], rule, lr, n),
            {
                "Python loop, gradient by hand": lambda n, make=make, lr=lr: loop(
                    make(lr), rosenbrock_by_hand, [-1.2, 1.0], n
                ),
                "Python loop over SymPy's gradient": lambda n, make=make, lr=lr: loop(
                    make(lr), valley, [-1.2, 1.0], n
                ),
            },
        )


def compared(name: str, ours: Descent, peers: dict[str, Descent]) -> Iterator[Row]:
    """The time per step of each, once all have come to the same point."""
    here = ours(CHECKED)
    for peer, descent in peers.items():
        check(close(here, descent(CHECKED)), f"{name} after {CHECKED} steps: {peer}")
    mine = per_step(ours)
    yield Row(f"{name}: symgd", mine, "us")
    for peer, descent in peers.items():
        took = per_step(descent)
        yield Row(f"  {peer}", took, "us", note=f"symgd takes {mine / took:.1f} times as long")


def per_step(descent: Descent) -> float:
    """Microseconds, from runs of two lengths: what a run costs once drops out."""
    best = {n: min(timed(descent, n) for _ in range(3)) for n in (SHORT, LONG)}
    return 1e6 * (best[LONG] - best[SHORT]) / (LONG - SHORT)


def timed(descent: Descent, n: int) -> float:
    before = time.perf_counter()
    descent(n)
    return time.perf_counter() - before


def end(loss: str, start: list[float], rule: str, lr: float, steps: int) -> list[float]:
    """Where symgd's descent ends."""
    result = symgd.descend(loss, start=start, rule=rule, lr=lr, steps=steps)
    return list(result.theta.values())


def exercise_by_hand(theta: float, lr: float, steps: int) -> list[float]:
    """The exercise's loop."""
    for _ in range(steps):
        theta = theta - lr * (2 * theta)
    return [theta]


def rosenbrock_by_hand(x: float, y: float) -> tuple[float, float]:
    """The gradient of Rosenbrock's function."""
    rest = y - x * x
    return -2 * (1 - x) - 400 * x * rest, 200 * rest


def lambdified(expr: sympy.Expr, *symbols: sympy.Symbol) -> Gradient:
    """The gradient by SymPy's own diff and lambdify."""
    return sympy.lambdify(symbols, [sympy.diff(expr, s) for s in symbols], modules="math", cse=True)


def loop(step: Callable, grad: Gradient, x: list[float], steps: int) -> list[float]:
    """A descent as a Python loop over a gradient function."""
    for t in range(1, steps + 1):
        x = step(x, grad(*x), t)
    return x


def gd(lr: float) -> Callable:
    """One step of gradient descent."""
    return lambda x, g, t: [a - lr * b for a, b in zip(x, g, strict=True)]


def adam(lr: float, beta1: float = 0.9, beta2: float = 0.999, eps: float = 1e-8) -> Callable:
    """One step of Adam, its state in the closure."""
    m, v = [0.0, 0.0], [0.0, 0.0]

    def step(x: list[float], g: Sequence[float], t: int) -> list[float]:
        bias1, bias2 = 1 - beta1**t, 1 - beta2**t
        new = []
        for k, slope in enumerate(g):
            m[k] = beta1 * m[k] + (1 - beta1) * slope
            v[k] = beta2 * v[k] + (1 - beta2) * slope * slope
            new.append(x[k] - lr * (m[k] / bias1) / ((v[k] / bias2) ** 0.5 + eps))
        return new

    return step
