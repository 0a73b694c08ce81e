"""Formulas over rows evaluated by JAX in float64, read by the oracle's own reader."""

import functools

import jax
import jax.numpy as jnp

from tests.oracle import Walk, tree

jax.config.update("jax_enable_x64", True)

_OF_JAX = "exp log log1p sqrt sin cos tanh abs cbrt where"
_FUNCTIONS = {name: getattr(jnp, name) for name in _OF_JAX.split()} | {
    "atan2": jnp.arctan2,
    "asinh": jnp.arcsinh,
    "erf": jax.scipy.special.erf,
    "sigmoid": jax.nn.sigmoid,
    "softplus": jax.nn.softplus,
    "max": lambda *a: functools.reduce(jnp.maximum, a),
    "min": lambda *a: functools.reduce(jnp.minimum, a),
    "hypot": lambda *a: jnp.sqrt(sum(x * x for x in a)),
    "logsumexp": lambda *a: functools.reduce(jnp.logaddexp, a),
    "logcosh": lambda x: jnp.logaddexp(x, -x) - jnp.log(2.0),
    "huber": lambda x, d=1.0: jnp.where(jnp.abs(x) <= d, x * x / 2, d * (jnp.abs(x) - d / 2)),
}


class _Arrays(Walk):
    """Over arrays of JAX; `count` rows."""

    number = float

    def __init__(self, known, count):
        super().__init__(known)
        self.count = count

    def call(self, name, args):
        args = list(map(self, args))
        if name in ("sum", "mean"):
            return getattr(jnp, name)(jnp.broadcast_to(args[0], (self.count,)))
        return _FUNCTIONS[name](*args)


def value_grad_and_hess(function, count):
    """(value, gradient, Hessian) by JAX of a function of so many numbers, as one program: each
    costs a compilation."""
    places = tuple(range(count))

    def all_three(*x):
        return function(*x), jax.grad(function, places)(*x), jax.hessian(function, places)(*x)

    return jax.jit(all_three)


def jax_value_and_grad(text, at, data):
    """Value and gradient of a formula over rows by JAX, in float64; at: parameters by name."""
    columns = {name: jnp.asarray(c, jnp.float64) for name, c in data.items()}
    value, grad = _over_rows(text)({n: jnp.float64(v) for n, v in at.items()}, columns)
    return float(value), {name: float(g) for name, g in grad.items()}


@functools.cache
def _over_rows(text):
    def function(params, columns):
        count = len(next(iter(columns.values())))
        return _Arrays(columns | params, count)(tree(text))

    return jax.jit(jax.value_and_grad(function))
