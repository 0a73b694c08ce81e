"""The operations of the formula language on jets, from their textbook definitions."""

from __future__ import annotations

from collections.abc import Callable

from mpmath import mp

from .jets import ENDLESS, HUGE, Jet, Jets, PoleError, Real, UnlimitedError
from .slopes import FAR, UNARY, bessel, polygamma

SPECIAL = ("gamma", "loggamma", "digamma", "polygamma", "beta", "betaln", "lambertw")
FADDEEVA = ("voigt", "faddeeva_re", "faddeeva_im")
BESSEL = ("besselj", "bessely", "besseli", "besselk")
_STEPS: dict[str, Callable[[Real], Real]] = {
    "sign": mp.sign,
    "floor": mp.floor,
    "ceil": mp.ceil,
    "heaviside": lambda x: (1 + mp.sign(x)) / 2,
}
_RECIPROCAL = (lambda x: 1 / x, lambda x, f: (-f * f, 2 * f * f * f))


def apply(jets: Jets, op: str, args: list[Jet]) -> Jet:
    """One operation other than where, a relation and a sum over rows."""
    if op in UNARY and op not in SPECIAL:
        return jets.unary(args[0], *UNARY[op], ENDLESS if op in FAR else HUGE)
    if op in SPECIAL or op in BESSEL:
        return _special(jets, op, args)
    if op in FADDEEVA:
        return _voigt(jets, *args) if op == "voigt" else _faddeeva(jets, op, *args)
    return _OPERATIONS[op](jets, *args)


def divided(jets: Jets, a: Jet, b: Jet) -> Jet:
    """a/b."""
    jets.divisors.append(b[0] > 0)
    return jets.mul(a, jets.unary(b, *_RECIPROCAL, ENDLESS))


def power(jets: Jets, base: Jet, exponent: Jet) -> Jet:
    """base**exponent on the reals: nan for a negative base unless the exponent is whole."""
    b, e = base[0], exponent[0]
    if b == 1 or e == 0:  # C's pow is 1 there whatever the other is
        if mp.isnan(b) or mp.isnan(e):
            raise PoleError
    elif mp.isnan(b) or mp.isnan(e):
        return jets.nan(True)
    if abs(e) > 2**30 or (b and abs(e) * (abs(mp.mag(b)) + 1) > 2**20):
        raise UnlimitedError
    if exponent[1] is None:
        if e == 0:
            return jets.constant(1)
        if b < 0 and not mp.isint(e):
            if abs(e - mp.nint(e)) < mp.ldexp(e, -50):  # a whole number in doubles, perhaps
                raise PoleError
            return jets.nan(base[1] is not None)
        if e < 0:
            jets.divisors.append(b > 0)
        return jets.unary(base, lambda x: x**e, lambda x, f: _power_slopes(x, e), ENDLESS)
    if b < 0:
        if not mp.isint(e):
            return jets.nan(True)
        raise PoleError  # no derivative by the exponent
    if b == 0:
        if e <= 0 or base[1] is not None:
            raise PoleError
        return jets.unary(exponent, lambda _: mp.mpf(0), lambda _x, _f: (mp.mpf(0), mp.mpf(0)))
    return jets.unary(jets.mul(exponent, jets.unary(base, *UNARY["log"])), *UNARY["exp"])


def _power_slopes(x: Real, e: Real) -> tuple[Real, Real]:
    first = e * x ** (e - 1) if e != 1 else mp.mpf(1)
    if e == 1 or e == 2:
        return first, mp.mpf(2 * (e - 1))
    return first, e * (e - 1) * x ** (e - 2)


def _special(jets: Jets, op: str, args: list[Jet]) -> Jet:
    """Gamma and Bessel functions; their arguments are rounded, too: they are no better than that.

    mpmath takes forever far out.
    """
    *order, x = args if op not in ("beta", "betaln") else [args[1], args[0]]
    if any(abs(a[0]) > 1000 for a in args) or (op != "gamma" and x[0] < -50):
        raise UnlimitedError
    x = jets.rounded(*x)
    if op in UNARY:
        return jets.unary(x, *UNARY[op])
    if op == "polygamma":
        return jets.unary(x, *polygamma(int(order[0][0])))
    if op in BESSEL:
        if op in ("bessely", "besselk") and x[0] < 0:
            return jets.nan(x[1] is not None)
        return jets.unary(x, *bessel(op[-1], order[0][0]))
    y = jets.rounded(*order[0])
    if not (x[0] > 0 and y[0] > 0):
        raise PoleError  # nothing is stated of betaln there
    log = UNARY["loggamma"]
    total = jets.unary(jets.add([(1, x), (1, y)]), *log)
    found = jets.add([(1, jets.unary(x, *log)), (1, jets.unary(y, *log)), (-1, total)])
    return found if op == "betaln" else jets.unary(found, *UNARY["exp"])


def _voigt(jets: Jets, x: Jet, sigma: Jet, gamma: Jet) -> Jet:
    """The real part of w((x + i|gamma|)/(|sigma|*sqrt(2)))/(|sigma|*sqrt(2*pi))."""
    width = jets.mul(jets.constant(mp.sqrt(2)), _absolute(jets, sigma))
    u, v = divided(jets, x, width), divided(jets, _absolute(jets, gamma), width)
    value = _faddeeva(jets, "faddeeva_re", u, v)
    return divided(jets, value, jets.mul(jets.constant(mp.sqrt(mp.pi)), width))


def _faddeeva(jets: Jets, op: str, x: Jet, y: Jet) -> Jet:
    """A part of w(z) = exp(-z**2)*erfc(-iz), with w' = 2i/sqrt(pi) - 2zw, w'' = -2w - 2zw'.

    f(x, y) is a function of x, one of y, and one of x + y to second order. Far out, where the
    terms of w' cancel, nothing is stated.
    """
    if y[0] < 0:
        return jets.nan(x[1] is not None or y[1] is not None)
    if abs(x[0]) + abs(y[0]) > 3:
        raise UnlimitedError
    x, y = jets.rounded(*x), jets.rounded(*y)
    z = mp.mpc(x[0], y[0])
    w = mp.exp(-z * z) * mp.erfc(-1j * z)
    first = 2j / mp.sqrt(mp.pi) - 2 * z * w
    second = -2 * w - 2 * z * first
    if op == "faddeeva_im":  # Im w = Re(-iw)
        w, first, second = -1j * w, -1j * first, -1j * second
    mixed = -second.imag
    along_x = jets.unary(x, lambda _: w.real, lambda *_: (first.real, second.real - mixed))
    along_y = jets.unary(y, lambda _: mp.mpf(0), lambda *_: (-first.imag, -second.real - mixed))
    both = jets.add([(1, x), (1, y)])
    across = jets.unary(both, lambda _: mp.mpf(0), lambda *_: (mp.mpf(0), mixed))
    return jets.add([(1, along_x), (1, along_y), (1, across)])


def _absolute(jets: Jets, x: Jet) -> Jet:
    """abs(x), with derivative 0 at 0; no second one is claimed there: abs(x)**2 has 2."""
    if not x[0]:
        if jets.order > 1 and not jets.sizes and x[1] is not None and any(x[1]):
            raise PoleError
        return jets.mul(jets.constant(0), x)
    return x if x[0] > 0 or mp.isnan(x[0]) else jets.add([(-1, x)])


def _step(f: Callable[[Real], Real]) -> Callable[[Jets, Jet], Jet]:
    zero = mp.mpf(0)
    return lambda jets, x: jets.unary(x, f, lambda _x, _f: (zero, zero))


def _chosen(sign: int) -> Callable[..., Jet]:
    """max (sign 1) or min (-1), two by two from the left; a tie is the mean of the two."""

    def call(jets: Jets, first: Jet, *rest: Jet) -> Jet:
        for other in rest:
            if mp.isnan(first[0]) or mp.isnan(other[0]):
                return jets.nan(True)
            gap = sign * (first[0] - other[0])
            if gap == 0:
                first = jets.mul(jets.constant(0.5), jets.add([(1, first), (1, other)]))
            elif gap < 0:
                first = other
        return first

    return call


def _clip(jets: Jets, x: Jet, low: Jet, high: Jet) -> Jet:
    if mp.isnan(x[0] + low[0] + high[0]):
        return jets.nan(True)
    if low[0] <= x[0] <= high[0]:
        return x
    below = low if x[0] < low[0] else x
    return high if below[0] > high[0] else below


def _relu(jets: Jets, x: Jet) -> Jet:
    return x if x[0] > 0 or mp.isnan(x[0]) else jets.mul(jets.constant(0), x)


def _softsign(jets: Jets, x: Jet) -> Jet:
    return divided(jets, x, jets.add([(1, jets.constant(1)), (1, _absolute(jets, x))]))


def _remainder(whole: Callable[[Real], Real]) -> Callable[..., Jet]:
    """x - y*q, whose q = whole(x/y) has derivative 0."""

    def call(jets: Jets, x: Jet, y: Jet) -> Jet:
        if mp.isnan(x[0]) or mp.isnan(y[0]):
            return jets.nan(True)
        if not y[0]:
            raise PoleError
        if mp.mag(x[0]) - mp.mag(y[0]) > 45:  # the last bits of x decide
            raise UnlimitedError
        quotient = (whole(x[0] / y[0]), None, None)
        return jets.add([(1, x), (-1, jets.mul(quotient, y))])

    return call


def _huber(jets: Jets, x: Jet, delta: Jet | None = None) -> Jet:
    delta = jets.constant(1) if delta is None else delta
    size, half = _absolute(jets, x), jets.constant(0.5)
    if size[0] <= delta[0]:
        return jets.mul(half, jets.mul(x, x))
    return jets.mul(delta, jets.add([(1, size), (-1, jets.mul(half, delta))]))


def _hypot(jets: Jets, *args: Jet) -> Jet:
    return jets.unary(jets.add([(1, jets.mul(a, a)) for a in args]), *UNARY["sqrt"], ENDLESS)


def _logsumexp(jets: Jets, *args: Jet) -> Jet:
    exps = [jets.unary(a, *UNARY["exp"]) for a in args]
    return jets.unary(jets.add([(1, e) for e in exps]), *UNARY["log"], ENDLESS)


def _atan2(jets: Jets, y: Jet, x: Jet) -> Jet:
    """The angle, by the half plane in which atan of a quotient is smooth.

    On the cut it is pi or -pi by the sign of a zero.
    """
    if mp.isnan(x[0]) or mp.isnan(y[0]):
        return jets.nan(True)
    if not y[0] and x[0] <= 0:
        raise PoleError
    if abs(x[0]) >= abs(y[0]):
        angle = jets.unary(divided(jets, y, x), *UNARY["atan"])
        turn = mp.mpf(0) if x[0] > 0 else mp.pi if y[0] >= 0 else -mp.pi
        return jets.add([(1, angle), (1, (turn, None, None))])
    angle = jets.unary(divided(jets, x, y), *UNARY["atan"])
    turn = mp.pi / 2 if y[0] > 0 else -mp.pi / 2
    return jets.add([(1, (turn, None, None)), (-1, angle)])


_OPERATIONS: dict[str, Callable[..., Jet]] = {
    "+": lambda jets, *args: jets.add([(1, a) for a in args]),
    "-": lambda jets, a, b: jets.add([(1, a), (-1, b)]),
    "*": lambda jets, a, b: jets.mul(a, b),
    "/": divided,
    "**": power,
    "neg": lambda jets, a: jets.add([(-1, a)]),
    "abs": _absolute,
    "max": _chosen(1),
    "min": _chosen(-1),
    "clip": _clip,
    "relu": _relu,
    "huber": _huber,
    "softsign": _softsign,
    "mod": _remainder(mp.floor),
    "fmod": _remainder(lambda q: mp.floor(q) if q > 0 else mp.ceil(q)),
    "hypot": _hypot,
    "logsumexp": _logsumexp,
    "atan2": _atan2,
} | {name: _step(f) for name, f in _STEPS.items()}
