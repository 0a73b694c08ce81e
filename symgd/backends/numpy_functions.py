"""NumPy implementations of functions that neither NumPy nor a formula of the table provides.

Each works at full double accuracy wherever the scalar one of `symgd.formula.functions.reference`
does, in the same IEEE semantics; the tests compare the two. All other
functions are evaluated in Python, element by element.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np


def logsumexp(*args: Any) -> Any:
    """log(exp(a) + exp(b) + ...): the largest argument is taken out."""
    stack = np.stack(np.broadcast_arrays(*args))
    at = np.expand_dims(np.argmax(stack, axis=0), 0)
    top = np.take_along_axis(stack, at, axis=0)[0]
    powers = np.exp(stack - np.where(np.isfinite(top), top, 0.0))
    np.put_along_axis(powers, at, 0.0, axis=0)
    return np.where(np.isfinite(top), top + np.log1p(powers.sum(axis=0)), top)


def hypot(*args: Any) -> Any:
    """The root of the sum of squares without overflow."""
    result = np.abs(args[0])
    for arg in args[1:]:
        result = np.hypot(result, arg)
    return result


def _elements(f: Callable[[float], float]) -> Callable[[Any], Any]:
    """A function of Python's math that does not raise, over arrays; faster than np.vectorize."""
    universal = np.frompyfunc(f, 1, 1)
    return lambda x: np.asarray(universal(x), dtype=np.float64)


#: By name. All others of the table are NumPy's own or made of the formula in their row.
VECTORS: dict[str, Callable[..., Any]] = {
    "logsumexp": logsumexp,
    "hypot": hypot,
    "erf": _elements(math.erf),
    "erfc": _elements(math.erfc),
}
