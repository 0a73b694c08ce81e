"""`python -m benchmarks.peers NAME N`: chained Rosenbrock -> callable gradient, in one process.

Prints {"seconds": ..., "value": ..., "grad": [...]} at the standard start. The seconds run from
the loss as the peer's user writes it (symgd: text; all others: Python operators on symbols) to the
end of the first call, without imports, after a small loss has warmed everything.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence

from benchmarks.losses import chained_rosenbrock, chained_rosenbrock_text, standard_start

Answer = tuple[float, Sequence[float]]


def by_symgd(x: list[float]) -> Answer:
    """Text, the reverse sweep, one compiled function."""
    from symgd.loss import Loss

    value, *grad = Loss(chained_rosenbrock_text(len(x))).evaluate(*x)
    return value, grad


def by_sympy(x: list[float]) -> Answer:
    """One diff per parameter, lambdify with cse."""
    import sympy

    symbols = sympy.symbols(f"x1:{len(x) + 1}", real=True)
    loss = chained_rosenbrock(symbols)
    outputs = [loss, *(sympy.diff(loss, s) for s in symbols)]
    value, *grad = sympy.lambdify(symbols, outputs, modules="math", cse=True)(*x)
    return value, grad


def by_symengine(x: list[float]) -> Answer:
    """The same in symengine."""
    import symengine

    symbols = [symengine.Symbol(f"x{i + 1}") for i in range(len(x))]
    loss = chained_rosenbrock(symbols)
    outputs = [loss, *(loss.diff(s) for s in symbols)]
    value, *grad = symengine.Lambdify(symbols, outputs, cse=True)(x)
    return value, grad


def by_casadi(x: list[float]) -> Answer:
    """CasADi's reverse sweep in its virtual machine."""
    import casadi

    symbols = [casadi.SX.sym(f"x{i + 1}") for i in range(len(x))]
    loss, point = chained_rosenbrock(symbols), casadi.vertcat(*symbols)
    function = casadi.Function("f", [point], [loss, casadi.gradient(loss, point)])
    value, grad = function(x)
    return float(value), grad.full().ravel()


def by_jax(x: list[float]) -> Answer:
    """value_and_grad under jit, the sum unrolled as in the formula."""
    import jax

    jax.config.update("jax_enable_x64", True)
    value, grad = jax.jit(jax.value_and_grad(chained_rosenbrock))(x)
    return float(value), grad


PEERS = {
    "symgd": by_symgd,
    "sympy": by_sympy,
    "symengine": by_symengine,
    "casadi": by_casadi,
    "jax": by_jax,
}


def main(name: str, n: int) -> None:
    """Warm up, time once, print."""
    peer = PEERS[name]
    peer(standard_start(5))
    point = standard_start(n)
    before = time.perf_counter()
    value, grad = peer(point)
    took = time.perf_counter() - before
    print(json.dumps({"seconds": took, "value": float(value), "grad": [float(g) for g in grad]}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
