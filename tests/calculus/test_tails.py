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
    "exp(x)/(exp(x) - 1)",
    "x^2*exp(x)/(exp(x) - 1)^2",
    "x^4*exp(x)/(exp(x) - 1)^2",
    "exp(-x)/(exp(x) - 1)",
]

DOUBLE_EXPONENTIALS = [
    "exp(-exp(-x))",
    "exp(-x - exp(-x))",
    "x*exp(-exp(x))",
    "tanh(exp(x))",
    "x^2/(1 + exp(exp(x)))",
]

LOGARITHMS = [
    "log(1 + exp(x) + x^2)",
    "log(1 + x^2*exp(x))",
    "log(3*exp(x) + x^2*exp(-x))",
    "log(x^2*exp(-x)/7)",
    "log(0.25*exp(-(x - 2)^2) + (1 + x^2)*exp(-(x + 3)^2))",
    "log(1 + cosh(x))",
    "log(cosh(x)^3/7)",
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


@pytest.mark.parametrize("text", DOUBLE_EXPONENTIALS)
def test_function_that_saturates_before_its_argument_overflows(text):
    check(text, (0.7, -0.7, 3.0, -3.0, 25.0, -25.0))
    for x in (800.0, -800.0, 1e6, -1e6):  # 0 or 1 beyond the doubles, and flat
        loss = Loss(text)
        assert loss.internals.evaluate(x)[0] == pytest.approx(exact_limit(text, x), abs=1e-300)
        assert [*loss.internals.evaluate(x)[1:], *loss.internals.evaluate_hess(x)] == (
            pytest.approx(exact_slopes(text, x), abs=1e-300)
        )


def exact_limit(text, x):
    """exp(-exp(|x|)) is 0, exp(-exp(-|x|)) is 1."""
    small = 0.0 if x > 0 else 1.0
    return {
        "exp(-exp(-x))": 1.0 - small,
        "exp(-x - exp(-x))": 0.0,
        "x*exp(-exp(x))": small * x,
        "tanh(exp(x))": 1.0 - small,
        "x^2/(1 + exp(exp(x)))": small * x * x / 2,
    }[text]


def exact_slopes(text, x):
    """The derivatives of x and x^2/2 where those factors are all that is left."""
    if x < 0 and text.startswith("x"):
        return [x, 1.0] if text.startswith("x^2") else [1.0, 0.0]
    return [0.0, 0.0]


@pytest.mark.parametrize("text", LOGARITHMS)
def test_logarithm_of_a_weighted_sum_of_exponentials(text):
    """The curvature is a difference of numbers near 1: beside the value its last digit."""
    check(text, [x for p in _POINTS[:5] for x in (p, -p)], beside=1e-14)


@pytest.mark.parametrize("text", ["log(sinh(x))", "log(sinh(x)/3)"])
def test_logarithm_of_sinh(text):
    check(text, [1e-8, *_POINTS])
    assert math.isnan(Loss(text).value([-1.0]))


@pytest.mark.parametrize("text", ["log(gamma(x))", "log(cosh(x) - 1)"])
def test_logarithm_of_a_function_that_overflows(text):
    check(text, [0.7, 3.5, 25.5, 160.0, 300.0, 900.0], beside=1e-14, digits=400)


def test_complementary_log_log_beyond_the_doubles():
    """log(1 - exp(-exp(x))) is 0 and flat on the right, x and straight on the left."""
    loss = Loss("log(1 - exp(-exp(x)))")
    check(loss.text, [-25.0, -3.0, -0.7, 0.7, 3.0], beside=1e-14)
    assert loss.gradient_text() == {"x": "exp(x)/expm1(exp(x))"}
    for x in (710.0, 800.0, 1e6):
        assert (loss.value(x), loss.grad(x)[0], loss.hess(x)[0, 0]) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("text", "upper"),
    [
        ("log(erfc(x))", lambda x: mpmath.erfc(x)),
        ("log(1 - erf(x))", lambda x: mpmath.erfc(x)),
        ("log(0.25 - 0.25*erf(x))", lambda x: mpmath.erfc(x) / 4),
        ("log(erfc(x)/2)", lambda x: mpmath.erfc(x) / 2),
        ("log((1 + erf(-x))/2)", lambda x: mpmath.erfc(x) / 2),
        ("log(ndtr(-x))", lambda x: mpmath.erfc(x / mpmath.sqrt(2)) / 2),
        ("log(1 - ndtr(x))", lambda x: mpmath.erfc(x / mpmath.sqrt(2)) / 2),
    ],
)
def test_logarithm_of_a_tail_of_the_normal_distribution(text, upper):
    loss = Loss(text)
    for x in (-30.0, -5.0, -1.0, 1e-9, 0.5, 1.0, 1.5, 8.0, 25.0, 60.0, 1e4):
        got = loss.internals.evaluate(x), loss.internals.evaluate_hess(x)
        with mpmath.workdps(800):
            step = mpmath.mpf(10) ** -100
            tails = [mpmath.log(upper(mpmath.mpf(x) + k * step)) for k in (-1, 0, 1)]
            slope = (tails[2] - tails[0]) / (2 * step)
            curvature = (tails[2] - 2 * tails[1] + tails[0]) / step**2
            for found, right in zip((*got[0], *got[1]), (tails[1], slope, curvature), strict=True):
                assert abs(found - right) <= 1e-12 * abs(right) + 1e-300, (x, got, right)


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
    assert Loss("exp(-exp(-x))").gradient_text() == {"x": "exp(-x)*exp(-exp(-x))"}
    assert Loss("log(1 + x^2*exp(y))").gradient_text()["x"] == "2*x/(x**2*exp(y) + 1)*exp(y)"
    assert Loss("x/exp(x)").gradient_text() == {"x": "1/exp(x) - x/exp(x)"}
    text = Loss("1/(x + exp(x))").gradient_text()["x"]
    assert "ratio" not in text
    assert "where" not in text
    x = 1.25
    right = Loss("1/(x + exp(x))").grad([x])
    assert Loss(text).value(x) == pytest.approx(right[0], 1e-14)
