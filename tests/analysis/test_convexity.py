"""Convexity: proofs hold at random midpoints, counterexamples hold in mpmath, ranges enclose."""

import math
import random
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy

from symgd import FUNCTIONS, Loss
from symgd.analysis.convexity import convexity
from symgd.calculus.intervals import function_range, ranges
from symgd.calculus.polynomial import derivative, inertia, polynomial, solve_linear, to_node, value
from symgd.formula.printing.plain import write

CONVEX = [
    "theta**2",
    "x",
    "abs(x) + abs(y - 1)",
    "x**4 - x**3 + x**2",  # 12x^2 - 6x + 2 has discriminant 36 - 96 < 0
    "log(1 + exp(-x)) + x**2/10",
    "x*log(x)",
    "-log(x) + 1/2",
    "exp(x**2)",
    "sqrt(1 + x**2 + (y - x)**2)",
    "x**2 + sin(x)",  # 2 - sin(x) >= 1
    "max(x, 2*x + 1) + huber(x)",
    "logsumexp(x, 2*y, -x)",
    "(x + y)**2",
    "2**x + 0.5**x",
    "log(cosh(x))",
    "max(x, 0)**2",
    "(x + 2*y - 3)**2 + 3*(x - y)**2",
    "-sqrt(x) - cbrt(3)*x",
    "exp(x) + exp(-y) + cosh(x - y)",
    "x**2 - x*y + y**2",
    "min(1, 2)*x**2",
    "-min(x, -x)",
]

NOT_CONVEX = {
    "sin(x)": lambda x: mpmath.sin(x),
    "floor(x)": lambda x: mpmath.floor(x),
    "x**4 - x**2": lambda x: x**4 - x**2,
    "(1 - x)**2 + 100*(y - x**2)**2": lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    "1/x": lambda x: 1 / x,
    "x*y": lambda x, y: x * y,
    "x**3": lambda x: x**3,
    "tanh(x)**2": lambda x: mpmath.tanh(x) ** 2,
    "-exp(x) - x**2": lambda x: -mpmath.exp(x) - x**2,
    "sign(x)": lambda x: mpmath.sign(x),
    "min(x, 0)": lambda x: min(x, mpmath.mpf(0)),
    "besselj(0, x)": lambda x: mpmath.besselj(0, x),
    "exp(-x**2 - y**2)": lambda x, y: mpmath.exp(-(x**2) - y**2),
    "1/(1 + exp(-x))": lambda x: 1 / (1 + mpmath.exp(-x)),
}


@pytest.mark.parametrize("text", CONVEX)
def test_convex_is_proved_and_holds_at_random_midpoints(text):
    loss = Loss(text)
    assert convexity(loss).convex is True
    chance = random.Random(3)
    for _ in range(300):
        a, b = ([chance.gauss(0, 3) for _ in loss.params] for _ in range(2))
        middle = [0.5 * (u + v) for u, v in zip(a, b, strict=True)]
        low, high, between = (loss.internals.evaluate_value(*p)[0] for p in (a, b, middle))
        if math.isfinite(low) and math.isfinite(high):
            assert between <= 0.5 * (low + high) + 1e-9 * (1 + abs(low) + abs(high))


@pytest.mark.parametrize("text", NOT_CONVEX)
def test_counterexample_holds_in_mpmath(text):
    found = convexity(Loss(text))
    assert found.convex is False
    with mpmath.workdps(60):
        a, b = ([mpmath.mpf(v.numerator) / v.denominator for v in p] for p in found.points)
        middle = [(u + v) / 2 for u, v in zip(a, b, strict=True)]
        function = NOT_CONVEX[text]
        values = [function(*p) for p in (a, b, middle)]
        assert values[2] > (values[0] + values[1]) / 2
        assert found.values == pytest.approx([float(v) for v in values], rel=1e-12)


@pytest.mark.parametrize(
    "text",
    [
        "x*exp(x) + 1000",
        "(x**2 - 1)**1.5",
        "sqrt(x**2 - 1)",
        "where(x > 0, x, -x)",
    ],
)
def test_nothing_false_is_proved(text):
    # each is convex nowhere, only in part, or by an argument that the rules do not know
    assert convexity(Loss(text)).convex is not True


@pytest.mark.parametrize(
    "name", [n for n, f in FUNCTIONS.items() if f.arity[0] == 1 and not f.pairwise]
)
def test_range_of_a_function_encloses_its_values(name):
    row, chance = FUNCTIONS[name], random.Random(name)
    for _ in range(200):
        a, b = sorted(chance.gauss(0, 4) for _ in range(2))
        low, high = function_range(FUNCTIONS[name], [(a, b)])
        for _ in range(10):
            seen = row.scalar(chance.uniform(a, b), *row.defaults)
            assert math.isnan(seen) or low <= seen <= high


@pytest.mark.parametrize(
    "text", ["x*x - y*y*y/3", "(x - 2)**3*y", "1/(1 + x**2)", "x - x", "(x*y)**4 - 1e-3", "x**-2*y"]
)
def test_range_of_a_formula_encloses_its_values(text):
    loss, chance = Loss(text), random.Random(text)
    for _ in range(100):
        box = {leaf: sorted(chance.gauss(0, 2) for _ in range(2)) for leaf in loss.internals.leaves}
        low, high = ranges([loss.internals.root], {k: tuple(v) for k, v in box.items()})[
            id(loss.internals.root)
        ]
        for _ in range(10):
            point = [chance.uniform(*box[leaf]) for leaf in loss.internals.leaves]
            assert low <= loss.internals.evaluate_value(*point)[0] <= high


def test_underflow_does_not_make_a_sign():
    # exp(-800) is 0 in doubles and positive in truth
    assert function_range(FUNCTIONS["exp"], [(-900.0, -800.0)])[1] > 0


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_inertia_agrees_with_numpy(size):
    chance = np.random.default_rng(size)
    for _ in range(30):
        rank = chance.integers(1, size + 1)
        factor = chance.integers(-3, 4, (size, rank))
        matrix = factor @ np.diag(chance.choice([-1, 1], rank)) @ factor.T
        values = np.linalg.eigvalsh(matrix.astype(float))
        expected = (int((values < -1e-9).sum()), int((values > 1e-9).sum()))
        assert inertia([[Fraction(int(v)) for v in row] for row in matrix]) == expected


@pytest.mark.parametrize(
    "text",
    ["(1 - x)**2 + 100*(y - x**2)**2", "x/3 - 0.1*y**3 + 7", "-(x - y)**3*x", "(x + 1)**8", "0*x"],
)
def test_polynomials_agree_with_sympy(text):
    loss = Loss(text)
    terms = polynomial(loss.internals.root, loss.internals.leaves)
    names = sympy.symbols(loss.params)
    exact = sympy.sympify(text, rational=True)  # the test's own text, not a user's
    poly = sympy.Poly(exact, *names)
    point = [Fraction(3, 7), Fraction(-5, 2)][: len(names)]
    at = dict(zip(names, [sympy.Rational(v.numerator, v.denominator) for v in point], strict=True))
    assert value(terms, point) == Fraction(str(exact.subs(at)))
    for place, name in enumerate(names):
        slope = sympy.diff(exact, name).subs(at)
        assert value(derivative(terms, place), point) == Fraction(str(slope))
    again = Loss(
        write(to_node(loss.internals.graph, terms, loss.internals.atoms)), params=loss.params
    )
    assert len(terms) == len([c for c in poly.coeffs() if c])
    theta = dict(zip(loss.params, map(float, point), strict=True))
    if again.params == loss.params:
        assert again.value(theta) == pytest.approx(loss.value(theta))


def test_linear_equations_are_solved_exactly_or_refused():
    half = Fraction(1, 2)
    assert solve_linear([[Fraction(2), Fraction(0)], [Fraction(0), Fraction(4)]], [half, half]) == (
        [Fraction(1, 4), Fraction(1, 8)],
        [],
    )
    one = Fraction(1)
    assert solve_linear([[one, one], [one, one]], [one, one]) == ([one, Fraction(0)], [1])
    assert solve_linear([[one, one], [one, one]], [one, half]) is None


@pytest.mark.parametrize(
    ("loss", "convex"),
    [
        ("exp(x)*exp(y)", True),  # exp(x + y)
        ("exp(x)/exp(2*y)", True),
        ("exp(x^2)*exp(y^2)", True),
        ("3*exp(x)*0.5^(-y^2)*exp(2)", True),  # 3*exp(x + log(2)*y**2 + 2)
        ("exp(x)*exp(y)^2*exp(-z)", True),
        ("exp(x^2)*exp(-y^2)", False),
        ("-exp(x)*exp(y)", False),
        ("x*exp(x)", False),  # its second derivative (x + 2)*exp(x) is < 0 below -2
        ("exp(x)*y", False),
    ],
)
def test_products_of_exponentials_bend_as_their_exponents(loss, convex):
    assert convexity(Loss(loss)).convex is convex


@pytest.mark.parametrize(
    "text",
    [
        "mean(-(y*log(1/(1+exp(-(w*x+b)))) + (1-y)*log(1-1/(1+exp(-(w*x+b))))))",
        "mean(-y*log(sigmoid(w*x+b)) - (1-y)*log(1-sigmoid(w*x+b)))",
        "mean(y*softplus(-(w*x+b)) + (1-y)*softplus(w*x+b))",
    ],
)
def test_logistic_regression_is_convex(text):
    """1 - y is in [0, 1] where y is: a sum of convex functions with such weights."""
    data = {"x": [-3.0, 0.5, 2.0, 7.25], "y": [0.0, 1.0, 0.0, 1.0]}
    assert convexity(Loss(text, data)).convex is True
    assert convexity(Loss(text, {**data, "y": [0.0, 1.0, 0.0, 2.0]})).convex is not True


def test_a_choice_by_the_data_alone_is_as_convex_as_what_it_chooses():
    data = {"g": ["a", "b", "a"], "y": [1.0, 0.0, 2.0]}
    assert convexity(Loss("mean((y - where(g == a, u, v))^2)", data)).convex is True
    assert convexity(Loss("mean(where(g == a, u^2, -v^2))", data)).convex is False
    assert convexity(Loss("mean(where(u > y, u, v))", data)).convex is not True
