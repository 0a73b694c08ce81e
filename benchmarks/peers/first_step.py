"""Two parameters, from the text of the loss to the first step of a descent: () -> (x, y).

What a library imports on the way is not counted: a first process notes which modules the work
loads, the others load them before the clock starts.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.losses import ROSENBROCK
from benchmarks.peers.descents import START, rosenbrock

LR = 1e-3
First = Callable[[], Sequence[float]]


def by_symgd(backend: str = "native") -> Sequence[float]:
    """All of symgd.descend, to the Result with its verdict."""
    import symgd

    result = symgd.descend(ROSENBROCK, start=START, lr=LR, steps=1, backend=backend)
    return list(result.theta.values())


def by_jax() -> Sequence[float]:
    """One jitted step of the gradient that JAX derives from a Python function."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    grad = jax.grad(lambda p: rosenbrock(p[0], p[1]))
    return jax.jit(lambda p: p - LR * grad(p))(jnp.array(START)).tolist()


def by_jax_loop() -> Sequence[float]:
    """A jitted loop over such steps, run for one."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    grad = jax.grad(lambda p: rosenbrock(p[0], p[1]))
    run = jax.jit(lambda p, n: jax.lax.fori_loop(0, n, lambda _, p: p - LR * grad(p), p))
    return run(jnp.array(START), 1).tolist()


def by_numba() -> Sequence[float]:
    """A jitted loop over the jitted gradient that SymPy derives from the text."""
    import numba
    import sympy

    x, y = sympy.symbols("x y", real=True)
    loss = sympy.sympify(ROSENBROCK, locals={"x": x, "y": y})
    slopes = [sympy.diff(loss, s) for s in (x, y)]
    grad = numba.njit(sympy.lambdify((x, y), slopes, modules="math", cse=True))

    @numba.njit
    def run(a, b, steps):
        for _ in range(steps):
            ga, gb = grad(a, b)
            a, b = a - LR * ga, b - LR * gb
        return a, b

    return run(*START, 1)


def by_lambdify() -> Sequence[float]:
    """SymPy alone: sympify, diff, lambdify, one step in Python."""
    import sympy

    x, y = sympy.symbols("x y", real=True)
    loss = sympy.sympify(ROSENBROCK, locals={"x": x, "y": y})
    slopes = [sympy.diff(loss, s) for s in (x, y)]
    grad = sympy.lambdify((x, y), slopes, modules="math", cse=True)
    return [a - LR * g for a, g in zip(START, grad(*START), strict=True)]


PEERS: dict[str, First] = {
    "symgd": by_symgd,
    "symgd-auto": lambda: by_symgd("auto"),
    "jax": by_jax,
    "jax-loop": by_jax_loop,
    "numba": by_numba,
    "lambdify": by_lambdify,
}


def timed(peer: str, notes: Path) -> tuple[float, Sequence[float]]:
    """Seconds and the point. notes: the file of modules; written where it is not there yet."""
    for name in json.loads(notes.read_text()) if notes.exists() else ():
        try:
            importlib.import_module(name)
        except Exception:  # a name in sys.modules need not be one to import
            continue
    before, at = set(sys.modules), time.perf_counter()
    point = PEERS[peer]()
    took = time.perf_counter() - at
    if not notes.exists():
        notes.write_text(json.dumps([name for name in sys.modules if name not in before]))
    return took, [float(v) for v in point]
