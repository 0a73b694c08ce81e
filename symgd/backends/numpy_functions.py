"""Functions of the table on whole arrays, for those that NumPy does not have.

Each works at full double accuracy wherever the scalar one of `symgd.formula.functions.reference`
does, in the same IEEE semantics; the tests compare the two. What is not here runs through Python,
element by element.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

_LOG2 = math.log(2.0)


def sigmoid(x: Any) -> Any:
    """1/(1 + exp(-x)), accurate in both tails."""
    e = np.exp(-np.abs(x))
    return np.where(np.asarray(x) >= 0, 1.0, e) / (1.0 + e)


def softplus(x: Any) -> Any:
    """log(1 + exp(x))."""
    return np.maximum(x, 0.0) + np.log1p(np.exp(-np.abs(x)))


def relu(x: Any) -> Any:
    """max(x, 0)."""
    return np.maximum(x, 0.0)


def logcosh(x: Any) -> Any:
    """log(cosh(x))."""
    a = np.abs(x)
    s = np.sinh(np.minimum(a, 1.0))
    far = a + (np.log1p(np.exp(-2.0 * a)) - _LOG2)
    return np.where(a < 1.0, 0.5 * np.log1p(s * s), np.where(np.isinf(a), a, far))


def logsumexp(*args: Any) -> Any:
    """log(exp(a) + exp(b) + ...): the largest argument is taken out."""
    stack = np.stack(np.broadcast_arrays(*args))
    at = np.expand_dims(np.argmax(stack, axis=0), 0)
    top = np.take_along_axis(stack, at, axis=0)[0]
    powers = np.exp(stack - np.where(np.isfinite(top), top, 0.0))
    np.put_along_axis(powers, at, 0.0, axis=0)
    return np.where(np.isfinite(top), top + np.log1p(powers.sum(axis=0)), top)


def huber(r: Any, delta: Any) -> Any:
    """r**2/2 near 0, linear beyond delta."""
    a = np.abs(r)
    return np.where(a <= delta, 0.5 * np.asarray(r) * r, delta * (a - 0.5 * np.asarray(delta)))


def clip(x: Any, low: Any, high: Any) -> Any:
    """x kept within [low, high]."""
    return np.minimum(np.maximum(x, low), high)


def heaviside(x: Any) -> Any:
    """0, 1/2, 1 left of, at and right of 0."""
    return np.heaviside(x, 0.5)


def hypot(*args: Any) -> Any:
    """The root of the sum of squares without overflow."""
    result = np.abs(args[0])
    for arg in args[1:]:
        result = np.hypot(result, arg)
    return result


def sech(x: Any) -> Any:
    """1/cosh(x)."""
    e = np.exp(-np.abs(x))
    return 2.0 * e / (1.0 + e * e)


def _inverse(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: 1.0 / f(x)


def acot(x: Any) -> Any:
    """atan(1/x)."""
    return np.arctan(np.divide(1.0, x))


def acsch(x: Any) -> Any:
    """asinh(1/x)."""
    return np.arcsinh(np.divide(1.0, x))


def _elements(f: Callable[[float], float]) -> Callable[[Any], Any]:
    """A function of Python's math that does not raise, over arrays; faster than np.vectorize."""
    universal = np.frompyfunc(f, 1, 1)
    return lambda x: np.asarray(universal(x), dtype=np.float64)


VECTORS: dict[str, Callable[..., Any]] = {
    "sigmoid": sigmoid,
    "softplus": softplus,
    "relu": relu,
    "logcosh": logcosh,
    "logsumexp": logsumexp,
    "huber": huber,
    "clip": clip,
    "heaviside": heaviside,
    "hypot": hypot,
    "sech": sech,
    "cot": _inverse(np.tan),
    "sec": _inverse(np.cos),
    "csc": _inverse(np.sin),
    "coth": _inverse(np.tanh),
    "csch": _inverse(np.sinh),
    "acot": acot,
    "acsch": acsch,
    "erf": _elements(math.erf),
    "erfc": _elements(math.erfc),
}
