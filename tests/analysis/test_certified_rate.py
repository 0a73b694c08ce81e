"""Certified rates: what is proven holds at sampled points and in runs, and is nearly as large."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symgd
from symgd.analysis.certified.box_ranges import box_ranges
from symgd.analysis.certified.certified_rate import certified_rate


def rosenbrock(x, y):
    return (1 - x) ** 2 + 100 * (y - x * x) ** 2


def rosenbrock_curvature(x, y):
    """The largest eigenvalue of the Hessian, worked by hand."""
    a, b, c = 2 - 400 * (y - x * x) + 800 * x * x, -400 * x, 200
    return (a + c) / 2 + np.hypot((a - c) / 2, b)


def test_curvature_of_the_sublevel_set_of_rosenbrock():
    found = certified_rate(symgd.Loss("(1-x)^2 + 100*(y-x^2)^2"), [-1.2, 1.0])
    (left, right), (bottom, top) = found.box
    x, y = np.meshgrid(np.linspace(left, right, 2001), np.linspace(bottom, top, 2001))
    inside = rosenbrock(x, y) <= rosenbrock(-1.2, 1)
    largest = rosenbrock_curvature(x, y)[inside].max()
    assert largest <= found.curvature <= 1.1 * largest
    assert found.lr_max == pytest.approx(2 / found.curvature, rel=1e-12)
    assert (left, bottom) < (x[inside].min(), y[inside].min())
    assert (x[inside].max(), y[inside].max()) < (right, top)


@pytest.mark.parametrize(
    ("text", "start"),
    [
        ("theta**4", [1.0]),
        ("(x^2+y-11)^2+(x+y^2-7)^2", [3.2, 2.1]),
        ("exp(x+y)+exp(-x)+exp(-y)", [1.0, 1.0]),
        ("(1.5-x+x*y)^2+(2.25-x+x*y^2)^2+(2.625-x+x*y^3)^2", [2.5, 0.4]),
        ("sqrt(1+x^2)+sqrt(1+(x-y)^2)+0.05*y^2", [2.0, -1.0]),
        ("sum(huber(a*t - y, 1))", [0.5]),
    ],
)
def test_descent_at_the_certified_rate_is_monotone_and_stays_in_the_box(text, start):
    data = {"t": [1.0, 2.0, 3.0], "y": [1.1, 1.9, 30.0]} if "huber" in text else None
    loss = symgd.Loss(text, data)
    found = certified_rate(loss, start)
    run = symgd.descend(loss, start=start, lr=0.99 * found.lr_max, steps=300)
    assert all(b <= a * (1 + 1e-14) for a, b in pairwise(run.history.loss))
    for theta in run.history.theta:
        assert all(low <= v <= high for v, (low, high) in zip(theta, found.box, strict=True))


@pytest.mark.parametrize(
    ("text", "curvature"),
    [("theta**2", 2), ("log(cosh(x)) + x^2/10", 1.2), ("0.26*(x^2+y^2) - 0.48*x*y", 1)],
)
def test_curvature_that_is_bounded_everywhere(text, curvature):
    found = certified_rate(symgd.Loss(text), [3.0] * (1 + ("y" in text)))
    assert found.curvature == pytest.approx(curvature, rel=1e-9)
    assert all(ends == (-math.inf, math.inf) for ends in found.box)
    assert found.lr_max <= 2 / curvature


def test_logistic_regression_has_a_rate_for_every_start():
    """The second derivative of log(1 + exp(-z)) is at most 1/4: Boehning and Lindsay 1988."""
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=200), np.sign(rng.normal(size=200))
    loss = symgd.Loss("mean(log(1 + exp(-y*(a*x + b))))", {"x": x, "y": y})
    found = certified_rate(loss, [0.0, 0.0])
    design = np.stack([x, np.ones_like(x)], axis=1)
    best = np.linalg.eigvalsh(design.T @ design / 200)[-1] / 4
    assert best <= found.curvature <= 1.03 * best
    assert all(ends == (-math.inf, math.inf) for ends in found.box)


def test_poisson_regression_has_a_rate_in_a_box_only():
    """The second derivative of exp(z) has no bound."""
    data = {"x": [0.5, 1.0, -1.0, 2.0], "n": [1.0, 3.0, 0.0, 6.0]}
    found = certified_rate(symgd.Loss("sum(exp(a*x + b) - n*(a*x + b))", data), [0.5, 0.5])
    assert all(math.isfinite(end) for ends in found.box for end in ends)
    run = symgd.descend(
        "sum(exp(a*x + b) - n*(a*x + b))", data=data, start=0.5, lr=found.lr_max, steps=200
    )
    assert all(b <= a + 1e-14 * abs(a) for a, b in pairwise(run.history.loss))


@pytest.mark.parametrize(
    ("text", "start", "why"),
    [
        ("abs(x) + x^2", [1.0], r"has kinks \(abs\)"),
        ("where(x > 0, x^2, x)", [1.0], r"has kinks \(where\)"),
        ("x^3", [1.0], "no box found"),
        ("sqrt(x)", [0.0], "no box found|no bound"),
        ("log(x)", [-1.0], "no box found|not finite"),
    ],
)
def test_why_there_is_none(text, start, why):
    found = certified_rate(symgd.Loss(text), start)
    assert found.lr_max is None
    assert re.search(why, found.why_not)


_SIDE = st.floats(-20, 20)
_TEXTS = [
    "x*y - x^3/(1 + y^2)",
    "exp(x)*sin(y) - tanh(x*y)",
    "sqrt(1 + x^2*y^4) - log(1 + exp(x - y))",
    "hypot(x, y)/(3 + cos(x)) + atan(x*y)^3",
    "erf(x - y)*cosh(y/4) - (x + 21)^1.5",
]


@given(
    x=st.tuples(_SIDE, _SIDE), y=st.tuples(_SIDE, _SIDE), share=st.tuples(*[st.floats(0, 1)] * 2)
)
@pytest.mark.parametrize("text", _TEXTS)
def test_values_in_a_box_lie_within_its_bounds(text, x, y, share):
    loss = symgd.Loss(text)
    root, leaves = loss.internals.stable, loss.internals.atoms
    sides = [sorted(x), sorted(y)]
    ends = {
        leaf: (np.array([[low]]), np.array([[high]]))
        for leaf, (low, high) in zip(leaves, sides, strict=True)
    }
    low, high = box_ranges([root], ends)[id(root)]
    point = [min(a + s * (b - a), b) for (a, b), s in zip(sides, share, strict=True)]
    assert low.item() <= loss.value(point) <= high.item()


def test_explain_says_what_is_proven():
    found = symgd.explain("(1-x)^2+100*(y-x^2)^2", start={"x": -1.2, "y": 1}, certify=True)
    certified = found.to_dict()["certified"]
    assert set(certified) == {"lr_max", "box", "curvature"}
    assert "certified: for every 0 < lr < " in " ".join(str(found).split())
    assert symgd.explain("abs(x)", certify=True).to_dict()["certified"] is None
    assert symgd.explain("x^2").to_dict()["certified"] is None
