"""Chained Rosenbrock of n parameters as a callable gradient: x (n,) -> (value, gradient).

BUILT: from the loss as the peer's user writes it (symgd: text; the others: Python operators on
symbols, one term after the other). WRITTEN: by hand, for arrays, to be evaluated only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.losses import chained_rosenbrock, chained_rosenbrock_text

Answer = tuple[float, Sequence[float]]
Gradient = Callable[[Any], Answer]


def by_symgd(n: int) -> Gradient:
    """Text, the reverse sweep, compiled."""
    from symgd.model.loss import Loss

    return Loss(chained_rosenbrock_text(n)).compiled


def by_symgd_code(n: int) -> Gradient:
    """symgd's machine code through ctypes, its arrays made once, as those of the C."""
    import numpy as np

    from symgd.backends.native.array_module import compile_arrays
    from symgd.model.loss import Loss

    code = compile_arrays(Loss(chained_rosenbrock_text(n)).program)
    out, work = np.empty(n + 1), np.empty(code.layout.work)
    places = (work.ctypes.data, code.constants.buffer_info()[0], out.ctypes.data)
    held = [None, 0, work]

    def evaluate(x: Any) -> Answer:
        if held[0] is not x:
            held[:2] = [x, x.ctypes.data]
        code.call(held[1], *places)
        return out[0], out[1:]

    return evaluate


def by_sympy(n: int) -> Gradient:
    """One diff per parameter, lambdify with cse."""
    import sympy

    symbols = sympy.symbols(f"x1:{n + 1}", real=True)
    loss = chained_rosenbrock(symbols)
    outputs = [loss, *(sympy.diff(loss, s) for s in symbols)]
    function = sympy.lambdify(symbols, outputs, modules="math", cse=True)

    def evaluate(x: Sequence[float]) -> Answer:
        value, *grad = function(*x)
        return value, grad

    return evaluate


def by_symengine(n: int) -> Gradient:
    """The same in symengine, through LLVM where it was built with it."""
    import numpy as np
    import symengine

    symbols = [symengine.Symbol(f"x{i + 1}") for i in range(n)]
    loss = chained_rosenbrock(symbols)
    outputs = [loss, *(loss.diff(s) for s in symbols)]
    function = symengine.Lambdify(symbols, outputs, cse=True)
    out = np.empty(n + 1)

    def evaluate(x: Any) -> Answer:
        function.unsafe_real(x, out)
        return out[0], out[1:]

    return evaluate


def by_casadi(n: int) -> Gradient:
    """CasADi's reverse sweep in its virtual machine, called without copies."""
    import casadi
    import numpy as np

    symbols = [casadi.SX.sym(f"x{i + 1}") for i in range(n)]
    loss, point = chained_rosenbrock(symbols), casadi.vertcat(*symbols)
    function = casadi.Function("f", [point], [loss, casadi.gradient(loss, point)])
    buffer, call = function.buffer()
    value, grad = np.empty(1), np.empty(n)
    buffer.set_res(0, memoryview(value))
    buffer.set_res(1, memoryview(grad))
    held = []

    def evaluate(x: Any) -> Answer:
        if not held or held[0] is not x:
            held[:] = [x]
            buffer.set_arg(0, memoryview(x))
        call()
        return value[0], grad

    return evaluate


def by_jax(n: int) -> Gradient:
    """value_and_grad under jit, the sum unrolled as in the formula."""
    import jax

    jax.config.update("jax_enable_x64", True)
    function = jax.jit(jax.value_and_grad(chained_rosenbrock))
    return lambda x: function(list(x))


def by_jax_arrays(n: int) -> Gradient:
    """value_and_grad under jit of the loss written for arrays, called with JAX's own array."""
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)

    def loss(x):
        return (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()

    function = jax.jit(jax.value_and_grad(loss))
    held: list[Any] = [None, None]

    def evaluate(x: Any) -> Answer:
        if held[0] is not x:
            held[:] = [x, jnp.array(x)]
        return jax.block_until_ready(function(held[1]))

    return evaluate


def by_numpy(n: int) -> Gradient:
    """Value and gradient by hand, whole arrays at a time."""
    import numpy as np

    def evaluate(x: Any) -> Answer:
        rest, one = x[1:] - x[:-1] ** 2, 1 - x[:-1]
        grad = np.zeros(n)
        grad[:-1] = -400 * x[:-1] * rest - 2 * one
        grad[1:] += 200 * rest
        return 100 * (rest @ rest) + one @ one, grad

    return evaluate


def by_c(n: int, *flags: str) -> Gradient:
    """chained.c through ctypes, its arrays made once."""
    import ctypes

    import numpy as np

    from benchmarks.peers import c

    function = c.load("chained", *flags).chained
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long]
    function.restype = ctypes.c_double
    grad = np.empty(n)
    out = grad.ctypes.data
    held = [None, 0]

    def evaluate(x: Any) -> Answer:
        if held[0] is not x:
            held[:] = [x, x.ctypes.data]
        return function(held[1], out, n), grad

    return evaluate


def by_c_rounded(n: int) -> Gradient:
    """The same, each operation rounded by itself, as in Python and symgd."""
    return by_c(n, "-ffp-contract=off")


AGAIN = 1000  # evaluations per call of by_c_alone


def by_c_alone(n: int) -> Gradient:
    """AGAIN evaluations in one call: what the C costs without its caller."""
    import ctypes

    import numpy as np

    from benchmarks.peers import c

    function = c.load("chained").chained_again
    function.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_long, ctypes.c_long]
    function.restype = ctypes.c_double
    grad = np.empty(n)
    return lambda x: (function(x.ctypes.data, grad.ctypes.data, n, AGAIN), grad)


BUILT = {
    "symgd": by_symgd,
    "symgd-code": by_symgd_code,
    "sympy": by_sympy,
    "symengine": by_symengine,
    "casadi": by_casadi,
    "jax": by_jax,
}
WRITTEN = {
    "c": by_c,
    "c-rounded": by_c_rounded,
    "c-alone": by_c_alone,
    "jax-arrays": by_jax_arrays,
    "numpy": by_numpy,
}
