"""Numbers of mpmath with bounds of their errors: running error analysis of a formula.

N. J. Higham, 2002, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM, section 3.3. A
bound is kept as its binary logarithm: -inf for an exact number. Sums and products have the bounds
of the textbook. A function is evaluated at both ends of its argument's interval, too, which tells
how far its value may be off if it is monotone there, or bends little: at the relative errors with
which values are accepted, below 2**-60, only a function made for that does neither. mpmath's own
functions are taken to be right but for some last bits.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

Context: TypeAlias = Any
Real: TypeAlias = Any

EXACT = -math.inf
_FUNCTION_BITS, _SPECIAL_BITS = 4, 16  # that a function of mpmath, or one it sums up, may lose
_BEYOND = 2**60  # exponents that are not formed: such a number is inf, or 0
_VANISHING = -float(2**50)  # the bound of what is 0 for that reason


class Bounded(NamedTuple):
    """A number, and log2 of a bound of its error; nan where nothing is known.

    inf stands for all numbers that are too large to be formed.
    """

    value: Real
    error: float


class Bounds:
    """The operations on bounded numbers, at the precision that an mpmath context has."""

    def __init__(self, ctx: Context) -> None:
        self.ctx = ctx
        self.unknown = Bounded(ctx.nan, EXACT)

    def constant(self, value: Real, is_exact: bool) -> Bounded:
        """A number of the formula."""
        return Bounded(value, EXACT if is_exact else log2_size(value) - self.ctx.prec + 1)

    def add(self, *terms: Bounded) -> Bounded:
        """The sum, from left to right."""
        total, error = terms[0]
        for value, other in terms[1:]:
            error = log2_sum(error, other)
            if error != EXACT or not self._is_exact_sum(total, value):
                error = log2_sum(error, log2_size(total + value) - self.ctx.prec)
            total = total + value
        return self._result(total, error)

    def multiply(self, *factors: Bounded) -> Bounded:
        """The product, from left to right."""
        a, error = factors[0]
        for b, other in factors[1:]:
            exact = error == other == EXACT and a._mpf_[3] + b._mpf_[3] <= self.ctx.prec
            if not exact:
                size_a, size_b = log2_size(a), log2_size(b)
                rounding = size_a + size_b - self.ctx.prec
                error = log2_sum(error + size_b, other + size_a, error + other, rounding)
            a = a * b
            if abs(a._mpf_[2]) > _BEYOND and a - a == 0:
                a = self.ctx.sign(a) * self.ctx.inf if a._mpf_[2] > 0 else self.ctx.zero
                error = _VANISHING
        return self._result(a, error)

    def negate(self, a: Bounded) -> Bounded:
        """-a."""
        return Bounded(-a.value, a.error)

    def invert(self, a: Bounded) -> Bounded:
        """1/a."""
        size = log2_size(a.value)
        if size == math.inf:
            return Bounded(self.ctx.zero, _VANISHING)
        if not a.error < size - 1:  # it may be 0
            return self.unknown
        error = log2_sum(a.error - 2 * size + 1, -size - self.ctx.prec)
        return self._result(1 / a.value, error)

    def sqrt(self, a: Bounded) -> Bounded:
        """The square root; of what may be 0, 0."""
        size = log2_size(a.value)
        if a.error == EXACT or a.error < size - 1:
            return self.function(lambda x: self.ctx.sqrt(x) if x >= 0 else self.ctx.nan, 1, a)
        return self._result(self.ctx.zero, (log2_sum(size, a.error) + 1) / 2)

    def function(self, f: Callable[..., Real], bits: float, *args: Bounded) -> Bounded:
        """f of the arguments. bits: how many its own value may lose; -inf: none is rounded."""
        values = [a.value for a in args]
        value = self._at(f, values)
        if _is_exact(value, args):
            return self._result(value, EXACT)
        error = log2_size(value) - self.ctx.prec + bits
        if bits != EXACT:  # exp(-inf) may stand here
            error = log2_sum(error, _VANISHING)
        for k, a in enumerate(args):
            if a.error == EXACT or self.ctx.isinf(a.value):
                continue
            # an interval that ends in other numbers of this precision
            wide = max(a.error, log2_size(a.value) - self.ctx.prec + 2)
            radius = self.ctx.ldexp(1, math.ceil(wide))
            for end in (a.value - radius, a.value + radius):
                there = self._at(f, [*values[:k], end, *values[k + 1 :]])
                if there != value:
                    error = log2_sum(error, log2_size(there - value) + 1)
        return self._result(value, error)

    def _at(self, f: Callable[..., Real], args: list[Real]) -> Real:
        try:
            return f(*args)
        except (ArithmeticError, ValueError):  # poles; what mpmath cannot sum up
            return self.ctx.nan

    def _result(self, value: Real, error: float) -> Bounded:
        if self.ctx.isinf(value):
            return Bounded(value, EXACT)
        return self.unknown if value != value or error != error else Bounded(value, error)

    def _is_exact_sum(self, a: Real, b: Real) -> bool:
        """Whether a + b has no more bits than the precision."""
        if not (a and b):
            return True
        highest = max(a._mpf_[2] + a._mpf_[3], b._mpf_[2] + b._mpf_[3]) + 1
        return bool(highest - min(a._mpf_[2], b._mpf_[2]) <= self.ctx.prec)


def _is_exact(value: Real, args: tuple[Bounded, ...]) -> bool:
    """Whether a value is not rounded, as log(1) = 0 and cos(0) = 1; an mpf has no underflow."""
    if any(a.error != EXACT or abs(a.value) > _BEYOND for a in args):
        return False
    few_bits = value._mpf_[3] <= 2 and value == value
    return bool(not value or (few_bits and not any(a.value for a in args)))


def rounding_bits(is_exact: bool, is_special: bool) -> float:
    """For `Bounds.function`: what a function of the table may lose."""
    return EXACT if is_exact else _SPECIAL_BITS if is_special else _FUNCTION_BITS


def log2_size(x: Real) -> float:
    """log2|x|, not below it by more than a float's rounding; -inf for 0; nan for nan."""
    _, mantissa, exponent, bits = x._mpf_
    if mantissa:
        shift = max(0, bits - 60)
        top: float = math.log2(int(mantissa >> shift) + (shift > 0))
        return top + float(exponent + shift)
    if x != x:
        return math.nan
    return math.inf if x else -math.inf


def log2_sum(*sizes: float) -> float:
    """log2 of the sum of 2**size, rounded up a little; nan if one is."""
    largest = max(sizes)
    if math.isinf(largest) or any(map(math.isnan, sizes)):
        return math.nan if any(map(math.isnan, sizes)) else largest
    parts: float = math.fsum(2.0 ** (s - largest) for s in sizes)
    return largest + math.log2(parts) + 1e-9


def certainly_apart(a: Bounded, b: Bounded) -> bool:
    """Whether the two numbers differ, whatever they are within their errors."""
    if a.value == b.value:
        return False
    return log2_size(a.value - b.value) > log2_sum(a.error, b.error)
