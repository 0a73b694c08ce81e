"""What branches alone need is evaluated there alone, and what is read elsewhere is right there.

Version 0.1 divided by the guarded name of a reciprocal outside its branch: silently wrong values,
gradients and Hessians. Right values here: mpmath at 60 digits, slopes by its differences.
"""

import math
import random

import numpy as np
import pytest
from scipy import optimize

import symgd
from tests.grids import every
from tests.oracle import mp_derivatives, mp_function

NEAR = {"rel": 1e-9, "abs": 1e-9}


def assert_right(loss, at, data=None):
    """The compiled values, gradients and Hessians are those of mpmath, which are returned."""
    value, grad, hess = mp_derivatives(mp_function(loss.text, loss.params, data), at)
    found, slopes = loss.value_and_grad(at)
    assert (found, *slopes) == pytest.approx((value, *grad), **NEAR)
    assert loss.internals.evaluate_value(*at) == pytest.approx([value], **NEAR)
    assert loss.internals.evaluate(*at) == pytest.approx([value, *grad], **NEAR)
    upper = [hess[i, j] for i in range(len(at)) for j in range(i, len(at))]
    assert loss.internals.evaluate_hess(*at) == pytest.approx(upper, **NEAR)
    return value, grad, hess


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("where(d > 0, y/s - log(1/s), y/s)", [-1.0, 1.5, 2.0]),
        ("where(x > 0, 1/(x*x+1)+sqrt(1/(x*x+1)), 3) + 5/(x*x+1)", [-1.0]),
        ("where(x>0, 1/(x+2) + exp(1/(x+2)), 0) + y/(x+2)", [-1.0, 3.0]),
        ("(relu(x)+1)/(relu(x)+2)*log(x+2)", [-0.5]),
        ("(max(x,7)/max(x,7))/(x*2)", [-0.5]),
        ("where(2 > 1, 2*(1/x), huber(1/x, 2))", [1.5]),
    ],
)
def test_a_reciprocal_of_a_branch_that_is_also_read_outside_it(text, at):
    loss = symgd.Loss(text)
    value, grad, hess = assert_right(loss, at)
    assert loss.value(at) == pytest.approx(value, **NEAR)
    assert loss.grad(at) == pytest.approx(grad, **NEAR)
    assert loss.hess(at) == pytest.approx(hess, **NEAR)


def test_descent_of_a_censored_likelihood():
    # by hand: dL/dy = 1/s = 2/3, dL/ds = -y/s^2 = -8/9; y = 2 - 1/15, s = 1.5 + 4/45
    start = {"d": -1, "y": 2.0, "s": 1.5}
    found = symgd.descend("where(d > 0, y/s - log(1/s), y/s)", start=start, lr=0.1, steps=1)
    assert found.history.loss == pytest.approx([4 / 3, (2 - 1 / 15) / (1.5 + 4 / 45)], rel=1e-14)


@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_fit_of_a_censored_likelihood(backend):
    generator = np.random.default_rng(5)
    x = generator.uniform(0, 10, 120)
    time, limit = generator.exponential(2 + 0.5 * x), generator.uniform(2, 15, 120)
    data = {"x": x, "d": np.where(time <= limit, 1.0, 0.0), "y": np.minimum(time, limit)}

    def likelihood(theta):
        scale = theta[0] + theta[1] * x
        if scale.min() <= 0:
            return math.inf
        return np.sum(data["y"] / scale + data["d"] * np.log(scale))

    right = optimize.minimize(
        likelihood, [1.0, 0.1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    text = "sum(where(d > 0, y/(a+b*x) - log(1/(a+b*x)), y/(a+b*x)))"
    found = symgd.fit(text, data, start={"a": 1.0, "b": 0.1}, backend=backend)
    assert found.status == "converged"
    assert found.loss == pytest.approx(right.fun, rel=1e-10)
    assert [p.value for p in found.params.values()] == pytest.approx(right.x, rel=1e-5)


# -- random piecewise formulas ---------------------------------------------------------------

DIVISORS = ("(x*x + 1)", "(x + 3)", "(x*x + y*y + 2)", "(exp(y) + 1)", "x")
CONDITIONS = ("x > 0", "y < 0.3", "x*y > 0.1", "1/(x*x + 1) > 0.4")
UNARY = ("sqrt({}^2 + 1)", "tanh({})", "{}^2", "log({}^2 + 0.5)", "abs({})")
UNARY += ("relu({} - 0.2)", "max({}, 0.3)", "clip({}, -0.6, 0.7)")


def piecewise(generator, divisors, depth):
    """A random formula over x and y."""
    kind = generator.choice(["where", "where", "binary", "binary", "unary"] if depth else ["leaf"])

    def below():
        return piecewise(generator, divisors, depth - 1)

    if kind == "leaf":
        top = generator.choice(["1", "1", "y", "(x + 2)"])
        return f"{top}/{generator.choice(divisors)}"
    if kind == "where":
        return f"where({generator.choice(CONDITIONS)}, {below()}, {below()})"
    if kind == "unary":
        return generator.choice(UNARY).format(f"({below()})")
    return f"(({below()}) {generator.choice('+-*')} ({below()}))"


def drawn(seed):
    """A formula with few divisors, so that its branches share them, and two points."""
    generator = random.Random(seed)
    text = piecewise(generator, generator.sample(DIVISORS, 2), 3)
    points = [
        [generator.choice((-1, 1)) * generator.uniform(0.25, 1.5) for _ in "xy"] for _ in range(2)
    ]
    return f"{text} + 0*x + 0*y", points


@pytest.mark.parametrize("seeds", every(2, [range(k, k + 50) for k in range(0, 200, 50)]), ids=str)
def test_random_piecewise_formulas_that_share_reciprocals(seeds):
    for text, points in map(drawn, seeds):
        loss = symgd.Loss(text)
        for at in points:
            assert_right(loss, at)


@pytest.mark.parametrize(
    "seeds", every(2, [range(k, k + 25) for k in range(1000, 1050, 25)]), ids=str
)
def test_random_piecewise_sums_over_rows(seeds):
    for text, points in map(drawn, seeds):
        data = {"y": [y for _, y in points]}
        loss = symgd.Loss(f"sum({text})", data)
        for x, _ in points:
            assert_right(loss, [x], data)
