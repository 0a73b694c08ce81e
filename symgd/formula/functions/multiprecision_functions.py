"""The functions of the table in mpmath's arithmetic, at the precision of the context.

Textbook formulas are enough: where they cancel, `symgd.backends.exact.multiprecision` raises the
precision. Arguments and results are real numbers (mpf) of one context; the result is nan where it
is not real, and where mpmath would need seconds or exhaust memory. inf stands for all numbers that
are too large to be formed.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import sympy

from symgd.formula.functions import reference
from symgd.formula.functions.compile_formula import Arithmetic, compile_formula
from symgd.formula.functions.special import MAX_ORDER
from symgd.formula.functions.table import BY_CLASS, Function
from symgd.formula.nodes import Node

#: An mpmath.MPContext and a number of it; mpmath ships no types.
Context: TypeAlias = Any
Real: TypeAlias = Any
Operation: TypeAlias = Callable[..., Real]

_WIDE = 2**64  # larger exponents cannot return to the range of doubles
_DOUBLE = 1100  # bounds the exponents of all doubles
_SATURATING = frozenset({"tanh", "coth", "sech", "csch", "erf", "erfc"})


def operations(ctx: Context) -> dict[str, Operation]:
    """The operations by function name: from mpmath, this module, or formulas of the table."""
    table: dict[str, Operation] = {
        row.name: _limited(ctx, row) for row in BY_CLASS.values() if row.mpmath
    }
    table |= _of_many(ctx, table["exp"]) | _specials(ctx)
    arithmetic = Arithmetic(
        ctx.mpf,
        lambda: +ctx.pi,
        operator.truediv,
        power(ctx),
        lambda x: ctx.sqrt(x) if x >= 0 else ctx.nan,
    )
    for row in BY_CLASS.values():
        text = row.meaning or row.readable_form
        if text and row.name not in table and not row.variadic:
            required, defaults = row.arity[0], row.defaults
            table[row.name] = compile_formula(text, table, required, defaults, arithmetic)
    table["log"] = lambda x: ctx.log(x) if x > 0 else ctx.nan  # of any size
    table |= {f"log{b}": lambda x, b=b: table["log"](x) / ctx.log(b) for b in (2, 10)}
    table["cbrt"] = lambda x: ctx.cbrt(x) if x >= 0 else -ctx.cbrt(-x)
    return table


def atom_value(ctx: Context, atom: Node) -> Real:
    """A number or constant at the precision of the context."""
    if isinstance(atom, sympy.NumberSymbol):
        return ctx.mpf(atom._as_mpf_val(ctx.prec + 20))
    if isinstance(atom, sympy.Rational):
        return ctx.mpf(int(atom.p)) / int(atom.q)
    return ctx.mpf(float(atom))


def node_operation(ctx: Context, node: Node, table: dict[str, Operation]) -> Operation:
    """The operation of a sum, product, power or function. table: that of `operations`."""
    arithmetic = {sympy.Add: reference.add, sympy.Mul: reference.mul, sympy.Pow: power(ctx)}
    return arithmetic.get(node.func) or table[BY_CLASS[node.func].name]


def power(ctx: Context) -> Operation:
    """(base, exponent) -> the power, as C's pow has it; nan at a pole."""

    def call(base: Real, exponent: Real) -> Real:
        if not base:
            return ctx.nan if exponent < 0 else ctx.mpf(not exponent)
        if not (ctx.isfinite(base) and ctx.isfinite(exponent)):
            return _beyond(ctx, base, exponent)
        if abs(exponent) * (abs(ctx.mag(base)) + 1) > _WIDE:
            return _beyond(ctx, base, exponent)
        if base < 0 and not ctx.isint(exponent):
            return ctx.nan
        return base**exponent

    return call


def _beyond(ctx: Context, base: Real, exponent: Real) -> Real:
    """A power that is too large to be formed, or too small, as inf or 0."""
    if ctx.isnan(base) or ctx.isnan(exponent) or not base > 0 or base == 1:
        return ctx.nan
    return ctx.inf if (base > 1) == (exponent > 0) else ctx.zero


def _limited(ctx: Context, row: Function) -> Operation:
    """mpmath's function, nan where it is complex, or would need all digits of a huge argument.

    Beyond 2**largest the function is what it is at infinity; 0: there is no such size.
    """
    f = getattr(ctx, row.mpmath)
    largest = 64 if row.overflows else _DOUBLE if row.name in _SATURATING else 0

    def call(*args: Real) -> Real:
        if any(map(ctx.isnan, args)):
            return ctx.nan
        if any(ctx.isfinite(a) and a and ctx.mag(a) > (largest or _DOUBLE) for a in args):
            if not largest:
                return ctx.nan
            args = (ctx.sign(args[0]) * ctx.inf,)
        value = f(*args)
        return value if isinstance(value, ctx.mpf) else ctx.nan

    return call


def _of_many(ctx: Context, exp: Operation) -> dict[str, Operation]:
    """What takes any number of arguments, by its definition: exponents of mpf do not overflow."""

    def exp_sum(*args: Real) -> Real:
        return reference.add(*(exp(a - max(args)) for a in args))

    return {
        "abs": abs,
        "max": reference.maximum,
        "min": reference.minimum,
        "largest": reference.maximum,
        "hypot": lambda *args: ctx.sqrt(reference.add(*(a * a for a in args))),
        "exp_sum": exp_sum,
        "logsumexp": lambda *args: max(args) + ctx.log(exp_sum(*args)),
        "softmax": lambda *args: exp(args[0] - max(args)) / exp_sum(*args),
        "softmax_complement": lambda *args: (
            reference.add(*(exp(a - max(args)) for a in args[1:])) / exp_sum(*args)
        ),
    }


def _specials(ctx: Context) -> dict[str, Operation]:
    def is_moderate(*args: Real) -> bool:
        return all(not a or (ctx.isfinite(a) and abs(ctx.mag(a)) <= _DOUBLE) for a in args)

    def gamma(x: Real) -> Real:
        if x > 2**40:
            return ctx.inf
        return ctx.gamma(x) if is_moderate(x) and abs(x) < 2**40 else ctx.nan

    def loggamma(x: Real) -> Real:
        return ctx.re(ctx.loggamma(x)) if is_moderate(x) and x > -(2**40) else ctx.nan

    def polygamma(order: Real, x: Real) -> Real:
        if not (is_moderate(x) and x > -1e4 and 0 <= order <= MAX_ORDER and ctx.isint(order)):
            return ctx.nan  # far left mpmath uses the recurrence step by step
        return ctx.psi(int(order), x)

    def digamma(x: Real) -> Real:
        if x < -100 and not ctx.isint(x) and ctx.mag(x) <= _DOUBLE:  # reflection, A&S 6.3.7
            return polygamma(ctx.zero, 1 - x) - ctx.pi * ctx.cot(ctx.pi * x)
        return polygamma(ctx.zero, x)

    def beta(x: Real, y: Real) -> Real:
        return ctx.beta(x, y) if is_moderate(x, y) and max(abs(x), abs(y)) < 2**40 else ctx.nan

    def faddeeva(x: Real, y: Real) -> Any:
        """exp(-z**2)*erfc(-iz) at z = x + iy, as `voigt` needs it."""
        if y < 0 or not (is_moderate(x, y) and max(abs(x), abs(y)) < 2**40):
            return ctx.mpc(ctx.nan, ctx.nan)
        z = ctx.mpc(x, y)
        return ctx.exp(-z * z) * ctx.erfc(z * ctx.mpc(0, -1))

    def lambertw(x: Real) -> Real:
        if not is_moderate(x) or x < -ctx.exp(-1):
            return ctx.inf if x == ctx.inf else ctx.nan
        return ctx.re(ctx.lambertw(x))

    table = {f.__name__: f for f in (gamma, loggamma, digamma, polygamma, beta, lambertw)}
    table |= {
        "faddeeva_re": lambda x, y: faddeeva(x, y).real,
        "faddeeva_im": lambda x, y: faddeeva(x, y).imag,
    }
    return table | {
        name: _bessel(ctx, name, is_moderate)
        for name in ("besselj", "bessely", "besseli", "besselk")
    }


def _bessel(ctx: Context, name: str, is_moderate: Callable[..., bool]) -> Operation:
    unlimited = getattr(ctx, name)

    def call(order: Real, x: Real) -> Real:
        if not (is_moderate(x) and abs(order) <= MAX_ORDER and abs(x) <= 1e100):
            return ctx.nan
        if name in ("bessely", "besselk") and x < 0:
            return ctx.nan  # complex
        if name == "besselk" and order and ctx.mag(order) < -ctx.prec / 2 - 20:
            order = ctx.zero  # K is even in its order, and mpmath takes long for one near 0
        if name == "besseli" and ctx.isint(order):
            order = abs(order)  # I(-n, x) = I(n, x), and mpmath hangs on the left side near 0
        value = unlimited(order, x)
        return value if isinstance(value, ctx.mpf) else ctx.nan

    return call
