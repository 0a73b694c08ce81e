"""Values with first and second derivatives, in mpmath's arithmetic: what an oracle computes with.

A jet is (v, g, h): the value, the derivatives by parameter, the upper triangle of second
derivatives row by row. g and h are None for what depends on no parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mpmath import mp

Real = Any  # mpmath.mpf
Jet = tuple[Real, list[Real] | None, list[Real] | None]

with mp.workdps(30):
    _UP, _DOWN = 1 + mp.ldexp(1, -53), 1 - mp.ldexp(1, -53)
_LEAST, _MOST = 1e-300, 1e300  # between them all doubles have 53 bits
_RANGE = 498  # binary exponents of 1e-150 .. 1e150: their products, too, are doubles
HUGE = 1000  # binary exponent: beyond, mpmath's functions may take forever,
ENDLESS = 2**20  # but logarithms, roots and divisions do not


def nearest() -> object:
    """The noise of doubles: every result is rounded to the nearest one."""
    return None


class PoleError(Exception):
    """The value or a derivative has a pole here."""


class UnlimitedError(Exception):
    """A number too large to go on with."""


class Jets:
    """Operations on jets of `count` parameters.

    order: how many derivatives, 0, 1 or 2. noise: perturbs every result by one rounding of a
    double, up where noise() is true, else down; or `nearest`. sizes: derivatives are the sums of
    the sizes of their terms, in which nothing cancels: a reverse sweep rounds every path by itself,
    whatever the order in which it adds. left_range: whether a number left 1e-150 .. 1e150.
    divisors: the signs of all numbers that were divided by.
    """

    def __init__(
        self,
        count: int,
        order: int = 2,
        noise: Callable[[], object] | None = None,
        sizes: bool = False,
    ) -> None:
        self.count = count
        self.order = order
        self.noise = noise
        self.sizes = sizes
        self.left_range = False
        self.pairs = [(k, m) for k in range(count) for m in range(k, count)]
        self.zero = mp.mpf(0)
        self.no_g = [self.zero] * count
        self.no_h = [self.zero] * (len(self.pairs) if order > 1 else 0)
        self.divisors: list[bool] = []

    # -- leaves --------------------------------------------------------------------------------

    def constant(self, value: Any) -> Jet:
        """A number that is a double."""
        return mp.mpf(value), None, None

    def parameter(self, k: int, value: Any) -> Jet:
        """The k-th parameter."""
        g = [self.zero] * self.count
        g[k] = mp.mpf(1)
        return mp.mpf(value), g, list(self.no_h)

    # -- operations ----------------------------------------------------------------------------

    def add(self, terms: Sequence[tuple[int, Jet]]) -> Jet:
        """The sum of sign*jet."""
        v, g, h = self.zero, None, None
        r = self.term
        for sign, (tv, tg, th) in terms:
            v = v + sign * tv
            if tg is not None:
                g = [a + r(sign * b) for a, b in zip(g or self.no_g, tg, strict=True)]
                h = [a + r(sign * b) for a, b in zip(h or self.no_h, th, strict=self.order > 1)]
        return self.rounded(v, g, h)

    def mul(self, a: Jet, b: Jet) -> Jet:
        """a*b."""
        (av, ag, ah), (bv, bg, bh) = a, b
        if ag is None or bg is None:
            scale, (_, g, h) = (av, b) if ag is None else (bv, a)
            if g is None:
                return self.rounded(av * bv, None, None)
            r = self.term
            return self.rounded(av * bv, [r(scale * x) for x in g], [r(scale * x) for x in h])
        r = self.term
        g = [r(x * bv) + r(av * y) for x, y in zip(ag, bg, strict=True)]
        h = [
            r(x * bv) + r(ag[k] * bg[m]) + r(ag[m] * bg[k]) + r(av * y)
            for (k, m), x, y in zip(self.pairs, ah, bh, strict=False)
        ]
        return self.rounded(av * bv, g, h)

    def unary(
        self,
        x: Jet,
        value: Callable[..., Real],
        slopes: Callable[..., Any],
        largest: int = HUGE,
    ) -> Jet:
        """f(x) from its value(x) and slopes(x, f) -> (f', f'').

        largest: binary exponent up to which mpmath computes it in no time.
        """
        v, g, h = x
        if mp.isnan(v):
            return self.nan(g is not None)
        if v and v._mpf_[2] + v._mpf_[3] > largest:
            raise UnlimitedError
        try:
            f = value(v)
            if not isinstance(f, mp.mpf):
                raise TypeError(f)
            if mp.isnan(f):
                return self.nan(g is not None)
            if mp.isinf(f):
                raise PoleError
            if g is None or self.order == 0:
                return self.rounded(f, g, h)
            first, second = slopes(v, self.round(f))
        except (ZeroDivisionError, ValueError) as error:
            raise PoleError from error
        except OverflowError as error:
            raise UnlimitedError from error
        reached = (first, second) if self.order > 1 else (first,)
        if not all(map(mp.isfinite, reached)):
            raise PoleError
        self.watch(reached)
        r = self.term
        first, second = r(first), r(second)
        new_h = [
            r(first * y) + r(second * g[k] * g[m]) for (k, m), y in zip(self.pairs, h, strict=False)
        ]
        return self.rounded(f, [first * a for a in g], new_h)

    def nan(self, varies: bool) -> Jet:
        """Outside of the domain."""
        if not varies:
            return mp.nan, None, None
        return mp.nan, [mp.nan] * self.count, [mp.nan] * len(self.no_h)

    # -- roundings -----------------------------------------------------------------------------

    def round(self, x: Real) -> Real:
        """x, with noise one rounding away."""
        if self.noise is None:
            return x
        if self.noise is nearest:
            return mp.mpf(float(x)) if _LEAST < abs(x) < _MOST else x
        return x * (_UP if self.noise() else _DOWN)

    def term(self, x: Real) -> Real:
        """A term of a derivative."""
        return abs(x) if self.sizes else self.round(x)

    def rounded(self, v: Real, g: list[Real] | None, h: list[Real] | None) -> Jet:
        """The jet of an operation's results, looked at and rounded."""
        self.watch([v] if g is None else [v, *g, *h])
        if self.noise is None:
            return v, g, h
        r = self.round
        return r(v), None if g is None else list(map(r, g)), None if h is None else list(map(r, h))

    def watch(self, numbers: Sequence[Real]) -> None:
        """Look whether numbers leave the range."""
        for x in numbers:
            _, mantissa, exponent, bits = x._mpf_
            if mantissa and not -_RANGE < exponent + bits < _RANGE:
                self.left_range = True
