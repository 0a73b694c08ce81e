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

from symgd.formula.functions import bessel, special
from symgd.formula.functions.faddeeva import POINTS, STEP


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


def _each(f: Callable[..., float]) -> Callable[..., Any]:
    """A function on floats over arrays: once for each value, which in data often repeat."""

    def call(*args: Any) -> Any:
        *orders, x = np.broadcast_arrays(*args)
        if x.size == 0:
            return np.empty(x.shape)
        values, places = np.unique(x, return_inverse=True)
        first = [np.unique(order) for order in orders]
        if all(len(order) == 1 for order in first):
            given = [float(order[0]) for order in first]
            found = np.array([f(*given, float(v)) for v in values])
            return found[places.reshape(x.shape)]
        return np.vectorize(lambda *a: f(*map(float, a)), otypes=[float])(*args)

    return call


_LONG = 200  # elements, from which SciPy is asked
_NEAR_ZERO = 1e-3  # of its envelope: nearer to a zero of the function SciPy loses digits


def _bessel(name: str) -> Callable[[Any, Any], Any]:
    """A Bessel function, or its derivative in x, over arrays: SciPy's where that is installed.

    mpmath's for few elements, and where SciPy's has fewer than 12 digits or another domain.
    """
    exact, kind = getattr(bessel, name), name[6]
    is_slope = name.endswith("_derivative")

    def call(order: Any, x: Any) -> Any:
        order, x = np.broadcast_arrays(order, np.asarray(x, dtype=np.float64))
        n = float(order.flat[0]) if x.size else 0.0
        if x.size < _LONG or abs(n) > 20 or not (order == n).all():
            return _each(exact)(order, x)
        try:
            from scipy import special as functions
        except ImportError:
            return _each(exact)(order, x)
        f = getattr(functions, f"{kind}v")
        sign = 1.0 if kind in "ik" else -1.0
        with np.errstate(all="ignore"):
            value = f(n, x)
            if is_slope:
                value = (f(n - 1, x) + sign * f(n + 1, x)) * (-0.5 if kind == "k" else 0.5)
            known = (x > 1e-3) & (x < 1e4) & np.isfinite(value) & (np.abs(value) > 1e-290)
            if kind in "jy":
                envelope = np.sqrt(2 / (math.pi * np.maximum(np.abs(x), abs(n) + 1)))
                known &= (np.abs(value) > _NEAR_ZERO * envelope) | (np.abs(x) < abs(n))
        return _replaced(value, ~known, x, lambda v: exact(n, v))

    return call


def lambertw(x: Any) -> Any:
    """Lambert's W as the scalar one: three approximations, and two steps of order four."""
    x = np.asarray(x, dtype=np.float64)
    near_0 = np.abs(x) < 1e-9
    with np.errstate(all="ignore"):
        p = np.sqrt(np.maximum(2 * ((math.e * x + 1) + special.E_REST * x), 0.0))
        series = -1 + p * (1 - p * (1 / 3 - p * (11 / 72 - p * (43 / 540 - p * (769 / 17280)))))
        power = np.log1p(np.where(near_0, 1.0, x))
        w = np.where(x < -0.25, series, power * (1 - np.log1p(power) / (2 + power)))
        for _ in range(2):
            z = np.log(x / w) - w
            q = 2 * (1 + w) * (1 + w + 2 * z / 3)
            w = w + w * z / (1 + w) * (q - z) / (q - 2 * z)
        w = np.where((x < -0.25) & (p < 1e-3), series, w)
        w = np.where(near_0, x * (1 - x), w)
        return np.where(x == np.inf, x, np.where(x >= -1 / math.e, w, np.nan))


def digamma(x: Any) -> Any:
    """The logarithmic derivative of Gamma, as the scalar one: recurrence and asymptotic series."""
    x = np.asarray(x, dtype=np.float64)
    with np.errstate(all="ignore"):
        low, high = _raised(np.where((x > 1e-30) & (x < np.inf), x, 1.0), 10.0, 1)
        square = high * high
        tail, power = np.zeros_like(x), np.ones_like(x)
        for k, bernoulli in enumerate(special.BERNOULLI, start=1):
            power = power * square
            tail += bernoulli / (2 * k * power)
        value = np.log(high) - 0.5 / high - tail - low
    # near its zero the terms cancel
    rest = ~((x > 1e-30) & (x < np.inf) & (np.abs(value) > 0.1))
    return _replaced(value, rest, x, special.digamma)


def polygamma(order: Any, x: Any) -> Any:
    """The derivative of digamma of this order, as the scalar one."""
    orders = np.unique(order)
    n = float(orders[0])
    if len(orders) > 1 or not 1 <= n <= 8 or n != int(n):
        return digamma(x) if len(orders) == 1 and n == 0 else _each(special.polygamma)(order, x)
    n, x = int(n), np.broadcast_to(np.asarray(x, dtype=np.float64), np.broadcast(order, x).shape)
    usual = (x > 1e-30) & (x <= 1e15)
    factorial = math.factorial(n)
    with np.errstate(all="ignore"):
        low, high = _raised(np.where(usual, x, 1.0), 10.0 + n, n + 1)
        tail = math.factorial(n - 1) / high**n + 0.5 * factorial / high ** (n + 1)
        for k, bernoulli in enumerate(special.BERNOULLI, start=1):
            ratio = math.factorial(2 * k + n - 1) / math.factorial(2 * k)
            tail += bernoulli * ratio / high ** (2 * k + n)
        value = (1 if n % 2 else -1) * (factorial * low + tail)
    return _replaced(value, ~usual, x, lambda v: special.polygamma(n, v))


def _faddeeva(z: Any) -> Any:
    """exp(-z**2)*erfc(-iz) over complex numbers, as `symgd.formula.functions.faddeeva` says."""
    left, x = z.real < 0, np.abs(z.real)
    z = x + 1j * z.imag
    phase = x / STEP - np.floor(x / STEP)
    trapezoidal = (z.imag < x) & (phase >= 0.25) & (phase <= 0.75)
    sums = np.zeros_like(z)
    for k in range(POINTS):
        nodes = np.where(trapezoidal, k * STEP, (k + 0.5) * STEP)
        weights = np.where(nodes == 0, 0.5, np.exp(-(nodes**2)))
        sums += weights / (z * z - nodes**2)
    sign = np.where(trapezoidal, -1, 1)
    residue = 2 * np.exp(-z * z) / (1 + sign * np.exp(-2j * math.pi / STEP * z))
    near = z.imag < math.pi / STEP
    w = 2j * STEP / math.pi * z * sums + np.where(near, residue, 0)
    return np.where(left, w.conj(), w)


def voigt_y(x: Any, y: Any, z: Any) -> Any:
    """The derivative of voigt in y, in complex numbers; it loses a digit or two."""
    with np.errstate(all="ignore"):
        width = math.sqrt(2) * np.abs(y)
        place = (x + 1j * np.abs(z)) / width
        w = _faddeeva(place)
        slope = 2j / math.sqrt(math.pi) - 2 * place * w
        homogeneous = w.real + place.real * slope.real - place.imag * slope.imag
        return np.asarray(-homogeneous / (math.sqrt(math.pi) * width * y))


def _raised(x: Any, end: float, power: int) -> tuple[Any, Any]:
    """(the sum of (x + k)**-power over the k with x + k < end, the first x + k beyond)."""
    low, high = np.zeros_like(x), np.array(x)
    while (below := high < end).any():
        low += np.where(below, high**-power if power > 1 else 1 / high, 0.0)
        high += below
    return low, high


def _replaced(value: Any, where: Any, x: Any, f: Callable[[float], float]) -> Any:
    """`value` with f(x) at some places."""
    if where.any():
        value = np.array(value)
        value[where] = _each(f)(x[where])
    return value


#: By name. All others of the table are NumPy's own or made of the formula in their row.
VECTORS: dict[str, Callable[..., Any]] = {
    "logsumexp": logsumexp,
    "hypot": hypot,
    "erf": _elements(math.erf),
    "erfc": _elements(math.erfc),
    "loggamma": _each(special.loggamma),
    "digamma": digamma,
    "polygamma": polygamma,
    "lambertw": lambertw,
    "voigt_y": voigt_y,
    **{
        name: _bessel(name)
        for kind in "jyik"
        for name in (f"bessel{kind}", f"bessel{kind}_derivative")
    },
}
