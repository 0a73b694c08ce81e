"""Tails: quotients whose divisor, or whose parts, leave the doubles: never 0*inf, never 0 too soon.

The right values come from mpmath, most with 1000 digits, derivatives by central differences.
"""

import math

import mpmath
import pytest

from symgd import Loss

_POINTS = (0.7, 3.0, 25.0, 375.5, 800.0, 1e4, 1e6)

_NAMES = "exp expm1 sinh cosh tanh sech csch coth log log1p sin cos sqrt hypot gamma"
_FUNCTIONS = {name: getattr(mpmath, name) for name in _NAMES.split()} | {"abs": abs}

TAILS = [
    "1/exp(x)",
    "x/exp(x)",
    "x^2/exp(2*x)",
    "x/exp(x)^2",
    "x*exp(x)^-3",
    "x/exp(x^2)",
    "x/exp(sqrt(1 + x^2))",
    "sin(x)/exp(x)",
    "log1p(x^2)/exp(x)",
    "x^2*exp(-x)",
    "x*exp(-x^2)",
    "x*exp(-abs(x))",
    "1/(x*exp(x))",
    "x/(x^2*exp(x))",
    "1/2^x",
    "x/10^x",
    "x/1.5^(x^2)",
    "1/cosh(x)",
    "1/cosh(x)^2",
    "x^2/cosh(x)",
    "tanh(x)/cosh(x)",
    "x*sech(x)^2",
    "1/sinh(x)",
    "x/sinh(x)",
    "x^3/expm1(x)",
    "x/(exp(x) - 1)",
    "1/(exp(x) + exp(-x))",
    "x/(exp(x) + 3)^2",
    "1/(1 + exp(x) + x^2)",
    "1/(exp(x) + x)",
    "x/(1 + x*exp(x) + x^2)",
    "x/(2 + x^12 + cosh(x))",
    "1/(1 + cosh(x))",
    "1/(1 + sinh(x)^2)",
    "x^2/(3 + exp(x) + sin(x))",
    "1/abs(sinh(x) + x)",
    "x/(1 + x^60)",
    "1/x^60",
    "x/(1 + exp(-x))",
    "exp(-x)*sin(x)",
    "exp(exp(-x))/exp(x)",
]


QUOTIENTS = [
    "sinh(x)/cosh(x)",
    "sinh(x)/cosh(x)^2",
    "cosh(x)/sinh(x)",
    "x*cosh(x)/sinh(x)^2",
    "exp(x)/cosh(x)",
    "exp(-x)/cosh(x)^2",
    "exp(x)/exp(2*x)",
    "x*exp(x)/exp(x^2)",
    "exp(x)*exp(-x)",
    "exp(x)*exp(-x^2)",
    "exp(2*x)/exp(x)^3",
    "cosh(x)*exp(-x)",
    "cosh(x)*exp(-x^2)",
    "x*sinh(x)*exp(-x)",
    "exp(x)/(1 + exp(x) + x^2)",
    "exp(x)/(x^2 + exp(2*x))",
    "exp(2*x)/(1 + exp(x) + x^2)^2",
    "exp(x)*sin(x)/(2 + x^2*exp(x) + x^4)",
    "exp(-x)/(3 + exp(-x) + cos(x))",
]


def exact(text, x, digits):
    """Value, slope and curvature."""
    f = eval("lambda x: " + text.replace("^", "**"), dict(_FUNCTIONS))
    with mpmath.workdps(digits):
        x, step = mpmath.mpf(x), mpmath.mpf(10) ** (-digits // 5)
        below, here, above = f(x - step), f(x), f(x + step)
        return (here, (above - below) / (2 * step), (above - 2 * here + below) / step**2)


@pytest.mark.parametrize("text", QUOTIENTS)
def test_factors_that_overflow_together(text):
    """Slopes next to 0 beside the value are differences: 1e-14 of the value is their last digit."""
    check(text, [x for p in _POINTS for x in (p, -p)], beside=1e-14)


def check(text, points, within=1e-12, beside=0.0, digits=1000):
    loss = Loss(text)
    for x in points:
        got = (*loss.internals.evaluate(x), *loss.internals.evaluate_hess(x))
        value, *slopes = exact(text, x, digits)
        for found, right in zip(got, (value, *slopes), strict=True):
            if abs(right) < 1e308:
                allowed = within * abs(right) + beside * abs(value) + 1e-306
                near = abs(mpmath.mpf(found) - right) <= allowed
                assert near, (x, got, found, mpmath.nstr(right, 17))
            else:
                assert not math.isfinite(found), (x, got)


@pytest.mark.parametrize("text", TAILS)
def test_value_slope_and_curvature_of_a_tail(text):
    check(text, [x for p in _POINTS for x in (p, -p) if not (p > 4000 and "exp(exp" in text)])


@pytest.mark.parametrize("text", ["x/gamma(x)", "x*2^x/gamma(x + 1)", "1/(x + gamma(x))"])
def test_factorial_tail(text):
    check(text, (3.5, 25.5, 120.25, 160.0, 300.0, 900.0), digits=150)


def test_many_growing_terms_in_a_divisor():
    """Beyond 64 of them the divisor passes its slope on as every node does."""
    parts = " + ".join(f"exp({k}*x)" for k in range(2, 80))
    check(f"x/(sin(x) + {parts})", (0.7, 3.0, -25.0))


def test_reader_sees_no_guard():
    assert Loss("x/exp(x)").gradient_text() == {"x": "1/exp(x) - x/exp(x)"}
    text = Loss("1/(x + exp(x))").gradient_text()["x"]
    assert "ratio" not in text
    assert "where" not in text
    x = 1.25
    right = Loss("1/(x + exp(x))").grad([x])
    assert Loss(text).value(x) == pytest.approx(right[0], 1e-14)
