"""Certified rates: what is proven holds at sampled points and in runs, and is nearly as large."""

import math
import re
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import symgd
from symgd.analysis.certified.certified_rate import certified_rate
from symgd.analysis.certified.interval_tape import IntervalTape
from symgd.analysis.certified.sublevel_set import SublevelSet


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


def test_descent_from_any_point_that_is_as_low_as_the_start_never_raises_the_loss():
    found = certified_rate(symgd.Loss("(1-x)^2 + 100*(y-x^2)^2"), [-1.2, 1.0])
    low, high = np.array(found.box).T[:, :, None]
    x, y = low + np.random.default_rng(8).random((2, 20_000)) * (high - low)
    x, y = np.array([x, y])[:, rosenbrock(x, y) <= rosenbrock(-1.2, 1)]
    assert len(x) > 100
    for _ in range(20):
        before = rosenbrock(x, y)
        slope = -2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)
        x, y = x - 0.99 * found.lr_max * slope[0], y - 0.99 * found.lr_max * slope[1]
        assert (rosenbrock(x, y) <= before * (1 + 1e-13)).all()
        for at, left, right in zip((x, y), low, high, strict=True):
            assert left <= at.min()
            assert at.max() <= right


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


def test_a_ridge_adds_its_own_curvature():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=50), np.sign(rng.normal(size=50))
    text = "mean(log(1 + exp(-y*(a*x + b)))) + 0.3*(a^2 + b^2)"
    found = certified_rate(symgd.Loss(text, {"x": x, "y": y}), [5.0, -5.0])
    design = np.stack([x, np.ones_like(x)], axis=1)
    best = np.linalg.eigvalsh(design.T @ design / 50)[-1] / 4 + 0.6
    assert best <= found.curvature <= 1.03 * best
    assert found.everywhere


def test_a_function_of_the_sum_is_no_generalized_linear_model():
    """The second derivative of mean(softplus(a))^2 is 2 f'^2 + 2 f f'', which has no bound < 2."""
    data = {"x": [1.0, 2.0, 3.0]}
    found = certified_rate(symgd.Loss("mean(log(1 + exp(a*x)))^2", data), [1.0])
    assert found.curvature is None or found.curvature >= 2 * np.mean(data["x"]) ** 2


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


def test_a_sublevel_set_without_end_has_a_rate_where_its_curvature_is_bounded():
    """Jennrich and Sampson 1968: the loss stays below its start as both parameters fall."""
    i = np.arange(1, 11)[:, None]
    text = " + ".join(f"({2 + 2 * k} - exp({k}*x) - exp({k}*y))^2" for k in range(1, 11))
    found = certified_rate(symgd.Loss(text), [0.3, 0.4])
    assert [low for low, _ in found.box] == [-math.inf, -math.inf]
    x, y = np.random.default_rng(5).uniform(-1, 0.45, (2, 20_000))
    r = 2 + 2 * i - np.exp(i * x) - np.exp(i * y)
    inside = (r**2).sum(axis=0) <= (
        (2 + 2 * i[:, 0] - np.exp(0.3 * i[:, 0]) - np.exp(0.4 * i[:, 0])) ** 2
    ).sum()
    a, b = (2 * (i**2 * np.exp(i * z) * (np.exp(i * z) - r)).sum(axis=0) for z in (x, y))
    c = 2 * (i**2 * np.exp(i * (x + y))).sum(axis=0)
    largest = ((a + b) / 2 + np.hypot((a - b) / 2, c))[inside].max()
    assert largest <= found.curvature <= 1.2 * largest
    assert max(x[inside].max(), y[inside].max()) <= found.box[0][1]


def test_neighbors_that_limit_each_other_close_a_box():
    """Discrete boundary value problem (More, Garbow, Hillstrom 1981, 28): every residual is small,
    so the parameters are, by the inverse of the tridiagonal matrix."""
    n, h = 10, 1 / 11
    t = h * np.arange(1, n + 1)
    z = ["0", *(f"x{k}" for k in range(n)), "0"]
    text = " + ".join(
        f"(2*{z[k]} - {z[k - 1]} - {z[k + 1]} + {h**2 / 2}*({z[k]} + {t[k - 1] + 1})^3)^2"
        for k in range(1, n + 1)
    )
    start = t * (t - 1)
    found = certified_rate(symgd.Loss(text), start.tolist())
    rng, middle = np.random.default_rng(6), np.array(found.box).mean(axis=1)
    assert all(low < x < high for x, (low, high) in zip(start, found.box, strict=True))

    def residuals(x):
        padded = np.array([0.0, *x, 0.0])
        return 2 * x - padded[:-2] - padded[2:] + h**2 / 2 * (x + t + 1) ** 3

    tridiagonal = 2 * np.eye(n) - np.eye(n, k=1) - np.eye(n, k=-1)
    for _ in range(300):
        x = start + rng.random() * 0.5 * (middle - start) + rng.normal(size=n) * 0.003
        if (residuals(x) ** 2).sum() <= (residuals(start) ** 2).sum():
            slope = tridiagonal + np.diag(1.5 * h**2 * (x + t + 1) ** 2)
            hessian = 2 * slope.T @ slope + np.diag(6 * h**2 * (x + t + 1) * residuals(x))
            assert np.linalg.eigvalsh(hessian)[-1] <= found.curvature


def test_a_step_could_leave_where_the_domain_ends():
    """x^2.5 + x has a bounded curvature for x >= 0, and falls towards 0, its edge."""
    assert certified_rate(symgd.Loss("x^2.5 + x"), [1.0]).lr_max is None
    assert certified_rate(symgd.Loss("x - log(x)"), [0.5]).lr_max > 0


_SIDE = st.floats(-20, 20)
_TEXTS = [
    "x*y - x^3/(1 + y^2)",
    "exp(x)*sin(y) - tanh(x*y)",
    "sqrt(1 + x^2*y^4) - log(1 + exp(x - y))",
    "hypot(x, y)/(3 + cos(x)) + atan(x*y)^3",
    "erf(x - y)*cosh(y/4) - (x + 21)^1.5",
    "sin(3*x)^2 + cos(x*y) - sigmoid(x)/(2 + abs(y))",
]


@given(
    x=st.tuples(_SIDE, _SIDE), y=st.tuples(_SIDE, _SIDE), share=st.tuples(*[st.floats(0, 1)] * 2)
)
@pytest.mark.parametrize("text", _TEXTS)
def test_values_in_a_box_lie_within_its_bounds(text, x, y, share):
    loss = symgd.Loss(text)
    root = loss.internals.stable
    low, high = np.array([sorted(x), sorted(y)]).T
    tape = IntervalTape([root], loss.internals.atoms, {})
    least, most = tape.enclose(low[:, None], high[:, None])
    point = np.minimum(low + np.array(share) * (high - low), high)
    assert least[tape.slot(root)].item() <= loss.value(point) <= most[tape.slot(root)].item()


@given(
    x=st.tuples(_SIDE, _SIDE), y=st.tuples(_SIDE, _SIDE), share=st.tuples(*[st.floats(0, 1)] * 2)
)
@pytest.mark.parametrize(
    "text",
    [
        "(x*y - 3)^2 + (x - y^3)^4",
        "(exp(x/4) - y)^2 + (1/(1 + x^2) - y)^2",
        "log(2 + x^2) + abs(x - y)^1.5 + (x/(y - 7))^2",
        "(2 - tanh(x))^3 + sinh(y/5)^2 + sqrt(3 + x + 20)",
    ],
)
def test_a_point_at_the_level_is_in_what_is_left_of_a_box(text, x, y, share):
    low, high = np.array([sorted(x), sorted(y)]).T
    point = np.minimum(low + np.array(share) * (high - low), high)
    loss = symgd.Loss(text)
    if not math.isfinite(loss.value(point)):
        return
    search = SublevelSet(loss, point.tolist(), {})
    bounds, of = search.contracted(np.stack([low, high], axis=1)[None], 20)
    assert len(of) == 1
    [left] = search.boxes_of(bounds)
    assert (left[:, 0] <= point).all()
    assert (point <= left[:, 1]).all()


def test_explain_says_what_is_proven():
    found = symgd.explain("(1-x)^2+100*(y-x^2)^2", start={"x": -1.2, "y": 1}, certify=True)
    certified = found.to_dict()["certified"]
    assert set(certified) == {"lr_max", "box", "curvature"}
    assert "certified: for every 0 < lr < " in " ".join(str(found).split())
    assert symgd.explain("abs(x)", certify=True).to_dict()["certified"] is None
    assert symgd.explain("x^2").to_dict()["certified"] is None
