"""Rosenbrock from one start at many learning rates: rates (N,), steps -> theta (N, 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.losses import ROSENBROCK
from benchmarks.peers.descents import START, rosenbrock

Sweep = Callable[[Any, int], Any]


def by_symgd(threads: int) -> Sweep:
    """symgd.sweep, each descent with its status."""
    import symgd

    def sweep(rates, steps):
        return symgd.sweep(ROSENBROCK, lr=rates, start=START, steps=steps, threads=threads).theta

    return sweep


def by_c(threads: int, *flags: str) -> Sweep:
    """sweeps.c: blocks of descents in vector registers, shared out over threads."""
    import ctypes

    import numpy as np

    from benchmarks.peers import c

    function = c.load("sweeps", *flags).sweep
    function.argtypes = [*[ctypes.c_void_p] * 2, *[ctypes.c_long] * 3]

    def sweep(rates, steps):
        theta = np.empty((len(rates), 2))
        failed = function(c.pointer(rates), c.pointer(theta), len(rates), steps, threads)
        assert not failed, "a thread could not be started"
        return theta

    return sweep


def by_c_rounded(threads: int) -> Sweep:
    """The same, each operation rounded by itself, as in Python and symgd."""
    return by_c(threads, "-ffp-contract=off")


def by_c_scalar(threads: int) -> Sweep:
    """One descent after the other, in one thread."""
    import ctypes

    import numpy as np

    from benchmarks.peers import c

    function = c.load("sweeps").one_by_one
    function.argtypes = [*[ctypes.c_void_p] * 2, *[ctypes.c_long] * 2]
    function.restype = None

    def sweep(rates, steps):
        theta = np.empty((len(rates), 2))
        function(c.pointer(rates), c.pointer(theta), len(rates), steps)
        return theta

    return sweep


def by_jax(threads: int) -> Sweep:
    """vmap over the rates of a fori_loop, under jit; XLA uses the processors it is given."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    grad = jax.grad(lambda p: rosenbrock(p[0], p[1]))

    def one(rate, steps):
        start = jnp.array(START)
        return jax.lax.fori_loop(0, steps, lambda _, p: p - rate * grad(p), start)

    many = jax.jit(jax.vmap(one, in_axes=(0, None)))
    return lambda rates, steps: np.asarray(many(rates, steps))


def by_jax_scalars(threads: int) -> Sweep:
    """JAX again, x and y as two scalars: each is one long vector under vmap."""
    import jax
    import jax.numpy as jnp
    import numpy as np

    jax.config.update("jax_enable_x64", True)
    grad = jax.grad(rosenbrock, argnums=(0, 1))

    def one(rate, steps):
        def step(_, p):
            g = grad(*p)
            return p[0] - rate * g[0], p[1] - rate * g[1]

        x, y = jax.lax.fori_loop(0, steps, step, tuple(map(jnp.float64, START)))
        return jnp.stack([x, y])

    many = jax.jit(jax.vmap(one, in_axes=(0, None)))
    return lambda rates, steps: np.asarray(many(rates, steps))


PEERS = {
    "symgd": by_symgd,
    "c": by_c,
    "c-rounded": by_c_rounded,
    "c-scalar": by_c_scalar,
    "jax": by_jax,
    "jax-scalars": by_jax_scalars,
}
