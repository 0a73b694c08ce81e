"""Stable rewriting: right value and gradient where the textbook expression fails."""

import math
import random

import mpmath
import pytest

from symgd import Loss
from symgd.formula.evaluate import evaluate_all
from symgd.formula.printing.plain import write

RELATIVE = 1e-13

# Formula, the same for mpmath at 400 digits (where nothing cancels), points. Each line is one
# rewriting of symgd.calculus.stabilize or one way of typing it.
PATTERNS = [
    ("log(exp(x))", lambda x: x, [-1000.0, 1000.0, 0.3]),
    ("log(1 + exp(x))", None, [-800.0, -50.0, -1e-9, 0.5, 40.0, 1000.0]),
    ("log(exp(x) + 1)", None, [-800.0, -50.0, 0.5, 1000.0]),
    ("log(1 + exp(-x))", None, [-1000.0, 50.0, 800.0]),
    ("log(exp(x) + exp(2*x))", None, [-700.0, 1000.0, 0.1]),
    ("log(exp(x) + exp(-x))", None, [-1000.0, 1000.0, 0.1]),
    ("log(1 + exp(x) + exp(2*x))", None, [-700.0, 1000.0, 0.1]),
    ("log(exp(x) + exp(x + 1) + exp(x - 1))", None, [-1000.0, 1000.0]),
    ("log(cosh(x))", None, [-1000.0, 1e-8, 0.3, 1000.0]),
    ("log(1 + x)", None, [1e-10, -1e-10, 1e-300, 0.5, 1e10]),
    ("log(x + 1)", None, [1e-10, -1e-10, 0.5]),
    ("ln(1 + x**2)", None, [1e-6, 1e-100, 0.5, 1e5]),
    ("log(1 + x + x**2)", None, [1e-10, -1e-10, 0.5]),
    ("log(1/(1 + exp(-x)))", None, [-1000.0, -50.0, 0.5, 50.0, 700.0]),
    ("log(sigmoid(x))", lambda x: -mpmath.log(1 + mpmath.exp(-x)), [-1000.0, 0.5, 700.0]),
    ("exp(x) - 1", None, [1e-10, -1e-10, 1e-300, 0.5, 700.0, -50.0]),
    ("-1 + exp(x)", None, [1e-10, 0.5]),
    ("1 - exp(x)", None, [1e-10, -1e-10, 0.5, -50.0]),
    ("1 - exp(-x)", None, [1e-10, 0.5]),
    ("1 - cos(x)", None, [1e-8, 1e-150, 0.5, 3.0]),
    ("cos(x) - 1", None, [1e-8, 0.5]),
    ("-cos(x) + 1", None, [1e-8, 0.5]),
    ("1/(1 + exp(-x))", None, [-700.0, -50.0, 0.5, 50.0, 800.0]),
    ("1/(1 + exp(x))", None, [-800.0, 0.5, 50.0, 700.0]),
    ("1/(exp(-x) + 1)", None, [-700.0, 0.5]),
    ("exp(x)/(1 + exp(x))", None, [-700.0, 0.5, 1000.0]),
    ("exp(x)/(exp(x) + 1)", None, [-700.0, 0.5, 1000.0]),
    ("exp(x)/(exp(x) + exp(2*x))", None, [-1000.0, 0.5, 700.0]),
    ("3*exp(x)/(exp(x) + exp(-x))", None, [-300.0, 0.5, 1000.0]),
    ("exp(x)/(exp(x) + exp(-x) + exp(2*x))", None, [-300.0, 0.3, 350.0]),
    ("1 - sigmoid(x)", lambda x: 1 / (1 + mpmath.exp(x)), [-50.0, 0.5, 50.0, 700.0]),
    ("1 - 1/(1 + exp(-x))", None, [-50.0, 0.5, 50.0, 700.0]),
    ("exp(x)*exp(x)/(exp(x) + exp(2))", None, [-100.0, 0.5]),
    ("exp(x)/(exp(x) + exp(-x))/(exp(x) + exp(-x))", None, [-100.0, 0.5]),
    ("exp(x)/(1 + exp(x))/(1 + exp(x))", None, [-100.0, 0.5, 100.0]),
    ("log(exp(x) + 1 + 1)", None, [-1.0, 0.5]),
    ("log(exp(x) + 1 + 1 + exp(-x))", None, [-1.0, 0.5]),
    ("log(1 + x + 1)", None, [-1.5, 0.5]),
    ("log(1 + exp(x) + exp(x))", None, [-1.0, 0.5]),
    ("log(1 + exp(x) + x)", None, [-1.0, 0.5]),
    # constants beside exponentials are exponentials
    ("exp(x)/(exp(x) + exp(1) + exp(2*x))", None, [-350.0, -1.0, 0.5, 350.0]),
    ("exp(x)/(2 + exp(x))", None, [-700.0, 0.5, 800.0]),
    ("3*exp(x)/(2*exp(x) + 5)", None, [-700.0, 0.5, 800.0]),
    ("1/(2 + exp(x))", None, [-800.0, 0.5, 700.0]),
    ("1/(2 + 3*exp(-x))", None, [-700.0, 0.5, 800.0]),
    ("1/(exp(x) + exp(-x))", None, [-700.0, 0.5, 800.0]),
    ("1/(exp(x) + exp(-x) + 2)", None, [-700.0, 0.5, 700.0]),
    ("log(2*exp(x))", None, [-800.0, 0.5, 800.0]),
    ("log(2 + exp(x))", None, [-700.0, 0.5, 800.0]),
    ("log(2*exp(x) + 3*exp(-x))", None, [-800.0, 0.5, 800.0]),
    ("log(exp(x)**2 + 1)", None, [-300.0, 0.5, 800.0]),
    ("log(exp(x)^2 + 3*exp(x) + exp(1))", None, [-700.0, 0.5, 800.0]),
    ("log(exp(x)*exp(x) + 1)", None, [-300.0, 0.5, 800.0]),
    ("log(5/exp(x) + 1)", None, [-800.0, 0.5, 700.0]),
    ("log(exp(x) - 1)", None, [1e-10, 0.1, 1.0, 40.0, 800.0]),
    ("log(exp(x) - 2)", None, [0.75, 1.0, 40.0, 800.0]),
    ("log(exp(x) - exp(-x))", None, [1e-3, 0.7, 800.0]),
    ("log(1 - exp(x))", None, [-1e-10, -0.6, -0.8, -40.0, -700.0]),
    ("log(3 - 2*exp(-x))", None, [0.1, 1.0, 800.0]),
    ("log(1/(2 + exp(x)))", None, [-700.0, 0.5, 800.0]),
    ("log(exp(x)/(exp(x) + exp(1) + exp(-x)))", None, [-300.0, 0.5, 300.0]),
    ("log(2*cosh(x))", None, [-800.0, 0.5, 800.0]),
    ("log1p(2*exp(x))", lambda x: mpmath.log(1 + 2 * mpmath.exp(x)), [-700.0, 0.5, 800.0]),
    # ratios of sums
    ("(exp(x) - exp(-x))/(exp(x) + exp(-x))", None, [-800.0, -1e-10, 0.5, 350.0]),
    ("(exp(x) - 1)/(exp(x) + 1)", None, [-800.0, 1e-10, 0.5, 700.0]),
    ("(1 - exp(-x))/(1 + exp(-x))", None, [-700.0, 1e-10, 0.5, 800.0]),
    ("(exp(x) - 1)/(exp(x) + 2)", None, [-700.0, 1e-10, 0.5, 700.0]),
    ("(2*exp(x) - 3)/(2*exp(x) + 3)", None, [-600.0, 0.7, 700.0]),
    ("(exp(x) + exp(-x))/(exp(x) + exp(-x) + 1)", None, [-30.0, 0.5, 30.0]),
    ("(exp(2*x) + 3)/(1 + exp(x))", None, [-30.0, 0.5, 300.0]),
    # products and powers of them
    ("exp(-x)/(1 + exp(-x))^2", None, [-700.0, 0.5, 700.0]),
    ("exp(x)/(2 + exp(x))**2", None, [-700.0, 0.5, 700.0]),
    ("exp(2*x)/(1 + exp(x))**2", None, [-350.0, 0.5, 700.0]),
    ("exp(x)*x/(exp(x) + 1)", None, [-700.0, 0.5, 800.0]),
    ("x*exp(x)/(exp(x) + 1 + exp(-x))", None, [-300.0, 0.5, 700.0]),
    ("(2 + exp(x))**-2", None, [-800.0, 0.5, 350.0]),
    ("1/sqrt(2 + exp(x))", None, [-800.0, 0.5, 800.0]),
    ("1/(1 + exp(x))^3", None, [-800.0, 0.5, 200.0]),
    ("exp(x)/(1 + exp(2*x))", None, [-700.0, 0.5, 700.0]),
    ("exp(x)/(exp(x) + exp(-x) + exp(-2*x))", None, [-200.0, 0.5, 50.0, 300.0]),
    ("1 - exp(x)/(exp(x) + 2)", None, [-50.0, 0.5, 50.0, 700.0]),
    ("1 - exp(x)/(exp(x) + exp(-x) + 2)", None, [-50.0, 0.5, 50.0, 700.0]),
    ("sqrt(x**2 + x**2)", None, [1e200, 1e-200, 2.0]),
    ("sqrt(x**2 + (2*x)**2)", None, [1e200, -1e200, 1e-200, 0.5]),
    ("(x**2 + (3*x)**2)^0.5", None, [1e200, 1e-200, 0.5]),
]
_NAMES = {n: getattr(mpmath, n) for n in ["exp", "log", "cos", "sin", "cosh", "sqrt"]} | {
    "ln": mpmath.log
}


def exact(text, function, x):
    """The value and derivative at x, with 400 digits."""
    source = compile(text.replace("^", "**"), text, "eval")

    def f(t):
        return function(t) if function else eval(source, {"__builtins__": {}}, _NAMES | {"x": t})

    with mpmath.workdps(800):
        x = mpmath.mpf(x)
        step = abs(x) * mpmath.mpf(10) ** -250
        return f(x), (f(x + step) - f(x - step)) / (2 * step)


def agrees(got, wanted, tolerance):
    if abs(wanted) < 2.3e-308:  # underflow: gradual at best
        return abs(got) <= 2.3e-308
    return abs(mpmath.mpf(got) - wanted) <= tolerance * abs(wanted)


@pytest.mark.parametrize(("text", "function", "points"), PATTERNS, ids=[p[0] for p in PATTERNS])
def test_textbook_expression_is_right_to_13_digits_at_extreme_points(text, function, points):
    loss = Loss(text)
    for x in points:
        value, slope = loss.internals.evaluate(x)
        exact_value, exact_slope = exact(text, function, x)
        assert agrees(value, exact_value, RELATIVE), (x, value, mpmath.nstr(exact_value, 17))
        assert agrees(slope, exact_slope, RELATIVE), (x, slope, mpmath.nstr(exact_slope, 17))


@pytest.mark.parametrize("text", [p[0] for p in PATTERNS if "exp(" in p[0] and "+ x)" not in p[0]])
def test_exponentials_stay_finite_where_they_overflow(text):
    """At +-800 value and gradient are finite wherever the exact ones are, and right."""
    function = {p[0]: p[1] for p in PATTERNS}[text]
    loss = Loss(text)
    for x in (-800.0, 800.0):
        try:
            wanted = exact(text, function, x)
        except (ArithmeticError, ValueError):
            continue
        for got, true in zip(loss.internals.evaluate(x), wanted, strict=True):
            if isinstance(true, mpmath.mpc) or not 0 <= abs(true) < 1e308:
                continue
            assert agrees(got, true, 1e-12), (x, got, mpmath.nstr(true, 17))


def test_share_of_exponentials_times_other_factors_is_stable():
    loss = Loss("exp(x)*y/(exp(x) + 1)")
    assert loss.internals.evaluate(800.0, 3.0) == [3.0, 0.0, 1.0]
    assert loss.internals.evaluate(-800.0, 3.0) == [0.0, 0.0, 0.0]
    two = Loss("exp(x)/(exp(x) + 2*exp(y))").internals.evaluate(1000.0, 1000.0)
    assert two == pytest.approx([1 / 3, 2 / 9, -2 / 9], rel=1e-12)


def test_logsumexp_of_two_parameters_is_right_at_1000():
    loss = Loss("log(exp(x) + exp(y))")
    value, dx, dy = loss.internals.evaluate(1000.0, 999.0)
    assert value == pytest.approx(1000 + math.log1p(math.exp(-1)), rel=1e-15)
    assert dx == pytest.approx(1 / (1 + math.exp(-1)), rel=1e-12)
    assert dy == pytest.approx(1 / (1 + math.exp(1)), rel=1e-12)


def test_softmax_of_large_scores_is_right():
    value, *slopes = Loss("exp(x)/(exp(x) + exp(y) + exp(z))").internals.evaluate(
        1000.0, 999.0, 998.0
    )
    total = 1 + math.exp(-1) + math.exp(-2)
    p, q, r = 1 / total, math.exp(-1) / total, math.exp(-2) / total
    assert value == pytest.approx(p, rel=1e-12)
    assert slopes == pytest.approx([p * (1 - p), -p * q, -p * r], rel=1e-12)


def test_hypot_of_two_parameters_neither_overflows_nor_underflows():
    for size in (1e200, 1e-200):
        got = Loss("sqrt(x**2 + y**2)").internals.evaluate(3 * size, 4 * size)
        assert got == pytest.approx([5 * size, 0.6, 0.8], rel=1e-15)


def test_cross_entropy_of_a_confident_classifier_is_finite():
    loss = Loss(
        "-(y*log(1/(1 + exp(-s))) + (1 - y)*log(1 - 1/(1 + exp(-s))))", constants={"y": 1.0}
    )
    assert loss.internals.evaluate(800.0) == [
        pytest.approx(0.0, abs=1e-300),
        pytest.approx(0.0, abs=1e-300),
    ]
    assert loss.internals.evaluate(-800.0) == [800.0, -1.0]


def test_nested_patterns_are_rewritten_inside_out():
    value, slope = Loss("log(1 + exp(log(1 + exp(x))))").internals.evaluate(1000.0)
    assert (value, slope) == (1000.0, 1.0)


def test_rewriting_keeps_what_the_reader_sees():
    loss = Loss("log(1 + exp(x))")
    assert write(loss.internals.root) == "log(1 + exp(x))"
    assert loss.text == "log(1 + exp(x))"
    assert write(loss.internals.stable) == "softplus(x)"


SAME_SUMS = "(1 + exp(acosh(x)))/(1 + exp(acosh(x)))"


@pytest.mark.parametrize(
    "text",
    ["x - x", "x/x", "(sqrt(x))**2", "sqrt(x**2)", "log(x**2)", "exp(log(x))", SAME_SUMS],
)
def test_domain_of_the_formula_as_typed_stays(text):
    """x/x is not 1 at 0, sqrt(x)**2 is not x at -1, exp(acosh(x)) is nan below 1."""
    loss = Loss(text)
    typed = write(loss.internals.root)
    assert typed == text
    at = {"x/x": 0.0, "(sqrt(x))**2": -1.0, "exp(log(x))": -1.0, SAME_SUMS: 0.5}.get(text)
    if at is not None:
        assert math.isnan(loss.value([at]))
        assert math.isnan(loss.internals.evaluate_value(at)[0])


# Anywhere else: no rewriting changes a value


class Writer:
    """Random formulas made of what the rewritings look for."""

    def __init__(self, seed):
        self.source = random.Random(seed)

    def text(self, depth=4):
        pick = self.source
        if depth == 0 or pick.random() < 0.12:
            return pick.choice(("x", "y", "1", "2", "0.5", "1", "x", "y"))
        a, b = self.text(depth - 1), self.text(depth - 1)
        return pick.choice(
            (
                f"log(1 + exp({a}))", f"log(exp({a}) + exp({b}))", f"log(1 + ({a})**2)",
                f"log(cosh({a}))", f"(exp({a}) - 1)", f"(1 - exp({a}))", f"(1 - cos({a}))",
                f"1/(1 + exp({a}))", f"exp({a})/(1 + exp({a}))", f"exp({a})/(exp({a}) + exp({b}))",
                f"sqrt(({a})**2 + ({b})**2)", f"(1 - sigmoid({a}))", f"log(sigmoid({a}))",
                f"({a})*({b})", f"(({a}) + ({b}))", f"(({a}) - ({b}))", f"-({a})", f"sin({a})",
                f"atan({a})", f"log(exp({a}) + 1 + exp({b}))", f"tanh({a})",
                f"log(3 + 2*exp({a}))", f"exp({a})/(2 + exp({a}) + exp({b}))",
                f"1/(exp({b}) + 2)**2", f"(exp({a}) - 2)/(exp({b}) + 3)",
                f"log(exp({a})*exp({b}) + 0.5)",
                f"(exp({a}) - exp({b}))/(exp({a}) + exp({b}))", f"({b})*exp({a})/(exp({a}) + 1)**2",
            )
        )  # fmt: skip


_OTHER = {"sigmoid": lambda x: 1 / (1 + mpmath.exp(-x))}
_OTHER |= {
    n: getattr(mpmath, n) for n in ["exp", "log", "cos", "sin", "cosh", "sqrt", "atan", "tanh"]
}


def test_stable_form_has_the_value_of_the_typed_form_at_ordinary_points():
    """Against mpmath at 60 digits: to 1e-13, or at least as near as the typed form itself."""
    writer = Writer(seed=7)
    at = {"x": 0.8125, "y": -1.375}
    compared = rewritten = 0
    with mpmath.workdps(60):
        numbers = {k: mpmath.mpf(v) for k, v in at.items()}
        for _ in range(1_500):
            text = writer.text()
            try:
                loss = Loss(text)
                wanted = mpmath.mpf(eval(text, {"__builtins__": {}}, _OTHER | numbers))
            except (ArithmeticError, TypeError, ValueError, SyntaxError):
                continue  # a constant part has no value
            if not loss.params or not 1e-6 < abs(wanted) < 1e6:
                continue
            point = [at[p] for p in loss.params]
            leaves = dict(zip(loss.internals.leaves, point, strict=True))
            typed = evaluate_all([loss.internals.root], leaves)[id(loss.internals.root)]
            error = abs(loss.internals.evaluate_value(*point)[0] - wanted) / abs(wanted)
            allowed = abs(typed - wanted) / abs(wanted)
            # where the typed form cancels (a - b with a near b) its own error is a matter of luck
            assert error <= max(1e-13, 8 * allowed), (text, write(loss.internals.stable))
            compared += 1
            rewritten += loss.internals.stable is not loss.internals.root
    assert compared > 700
    assert rewritten > 500


def test_stable_gradient_is_the_derivative_at_ordinary_points():
    writer = Writer(seed=8)
    at = {"x": 0.8125, "y": -1.375}
    compared = 0
    with mpmath.workdps(60):
        for _ in range(500):
            text = writer.text(3)
            try:
                loss = Loss(text)
                source = compile(text, "formula", "eval")

                def f(**numbers):
                    return mpmath.mpf(eval(source, {"__builtins__": {}}, _OTHER | numbers))  # noqa: B023

                for k, name in enumerate(loss.params):
                    exact_at = {p: mpmath.mpf(at[p]) for p in at}
                    step = mpmath.mpf(10) ** -20
                    up = f(**exact_at | {name: exact_at[name] + step})
                    down = f(**exact_at | {name: exact_at[name] - step})
                    wanted = (up - down) / (2 * step)
                    got = loss.internals.evaluate(*[at[p] for p in loss.params])[1 + k]
                    if 1e-4 < abs(wanted) < 1e6:
                        assert abs(got - wanted) <= 1e-11 * abs(wanted), text
                        compared += 1
            except (ArithmeticError, TypeError, ValueError, SyntaxError):
                continue
    assert compared > 300
