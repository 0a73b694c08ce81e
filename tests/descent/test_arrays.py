"""Descents over arrays against loops in NumPy, and against the same formula written out."""

import math
import pickle
import tracemalloc

import numpy as np
import pytest

import symgd
from symgd import Loss, descend
from symgd.errors import ArgumentError, SymgdError
from symgd.model import array_model
from symgd.report.table import loss_lines

CHAIN = "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)"
BOWL = "sum((x[i] - i/n)^2, i=1..n)"
SIZES = [300, 30_000]  # history of theta, and in place without it


def chain(x):
    """Value and gradient of CHAIN."""
    r, s = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    grad = np.zeros_like(x)
    grad[1:] += 200 * r
    grad[:-1] += -400 * r * x[:-1] - 2 * s
    return float((100 * r**2 + s**2).sum()), grad


def start(n):
    return 0.3 * np.cos(np.arange(1, n + 1.0))


def gd(x, lr, steps):
    for _ in range(steps):
        x = x - lr * chain(x)[1]
    return x


def adam(x, lr, steps):
    m, v = np.zeros_like(x), np.zeros_like(x)
    for t in range(1, steps + 1):
        g = chain(x)[1]
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x = x - lr * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
    return x


def momentum(x, lr, steps):
    v = np.zeros_like(x)
    for _ in range(steps):
        v = 0.9 * v + chain(x)[1]
        x = x - lr * v
    return x


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(
    ("rule", "reference"), [("gd", gd), ("adam", adam), ("momentum", momentum)]
)
def test_rules_step_arrays_as_numpy_does(n, rule, reference):
    result = descend(CHAIN, sizes={"n": n}, start={"x": start(n)}, rule=rule, lr=2e-4, steps=15)
    expected = reference(start(n), 2e-4, 15)
    np.testing.assert_allclose(result.theta["x"], expected, rtol=1e-11, atol=1e-13)
    assert math.isclose(result.value, chain(expected)[0], rel_tol=1e-11)
    assert math.isclose(result.grad_norm, np.linalg.norm(chain(expected)[1]), rel_tol=1e-10)
    assert result.history.loss.shape == (16,)
    np.testing.assert_allclose(result.history.theta[0, :3], start(n)[:3])


@pytest.mark.parametrize("n", SIZES)
def test_the_line_search_reaches_the_minimum_of_a_bowl(n):
    result = descend(BOWL, sizes={"n": n}, start=0.0, lr="auto", steps=60, tol=1e-8)
    assert result.status == "converged"
    np.testing.assert_allclose(result.theta["x"], np.arange(1, n + 1) / n, atol=1e-8)


@pytest.mark.parametrize("n", SIZES)
def test_a_tolerance_stops_where_the_largest_slope_is_below_it(n):
    result = descend(BOWL, sizes={"n": n}, start=0.0, lr=0.2, steps=500, tol=1e-6)
    assert result.status == "converged"
    # the slope of x[n] is 2 and falls by 0.6 in each step
    assert result.steps == math.ceil(math.log(1e-6 / 2) / math.log(0.6))


@pytest.mark.parametrize("n", SIZES)
def test_rules_with_norms(n):
    result = descend(BOWL, sizes={"n": n}, start=0.0, rule="clip_norm+gd", lr=0.2, steps=5)
    x, goal = np.zeros(n), np.arange(1, n + 1) / n
    for _ in range(5):
        g = 2 * (x - goal)
        x = x - 0.2 * g * min(1.0, 1.0 / np.linalg.norm(g))
    np.testing.assert_allclose(result.theta["x"], x, rtol=1e-11)


def test_bounds_of_arrays_are_those_of_their_elements():
    bounds = {"x": (0.2, 0.5)}
    result = descend(BOWL, sizes={"n": 300}, start=0.3, lr=0.3, steps=80, tol=1e-9, bounds=bounds)
    np.testing.assert_allclose(
        result.theta["x"], np.clip(np.arange(1, 301) / 300, 0.2, 0.5), atol=1e-8
    )
    assert result.status == "converged"


def test_verdict_and_stable_rates_of_a_thousand_parameters():
    loss = Loss(BOWL, sizes={"n": 1000})
    verdict = descend(loss, start=0.0, lr=0.2, steps=30).verdict
    assert verdict.kind == "converging"
    assert verdict.rate_predicted == pytest.approx(0.6, rel=1e-6)
    assert verdict.lr_max == pytest.approx(1.0, rel=1e-6)
    explanation = symgd.explain(loss)
    assert explanation.convexity.convex
    assert explanation.critical.points[0].kind == "minimum"


@pytest.mark.parametrize("n", SIZES)
def test_the_element_where_it_leaves_the_numbers_is_named(n):
    text = "sum(log(x[i] - i), i=1..n)"
    result = descend(text, sizes={"n": n}, start="x[i]=i+1, x[7]=7.25", lr=0.2, steps=9)
    assert result.status == "nonfinite"
    assert "at i = 7" in result.message
    assert "at step 1" in result.message
    assert result.steps == 0
    assert result.theta["x"][6] == 7.25  # the last finite point


def test_what_a_long_run_holds_in_memory():
    """Theta, the states and the gradient, and next to nothing else that grows with n."""
    n = 400_000
    loss = Loss(CHAIN, sizes={"n": n})
    descend(loss, start=0.1, lr=1e-4, steps=2)  # compiled
    for rule, arrays in [("gd", 2), ("adam", 4)]:
        tracemalloc.start()
        descend(loss, start=0.1, lr=1e-4, steps=3, rule=rule)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8 * n * arrays + 4e6, rule


def test_a_callback_and_an_interruption():
    seen = []

    def stop(step):
        seen.append((step.t, float(step.theta["x"][0])))
        return step.t == 3

    result = descend(BOWL, sizes={"n": 30_000}, start=1.0, lr=0.1, steps=10, callback=stop)
    assert result.status == "stopped"
    assert [t for t, _ in seen] == [0, 1, 2, 3]

    def interrupt(step):
        raise KeyboardInterrupt

    result = descend(BOWL, sizes={"n": 30_000}, start=1.0, lr=0.1, steps=10, callback=interrupt)
    assert result.status == "interrupted"


DATA = {
    "y": [1.0, 2.0, 3.0, 2.5, 0.5, 1.5],
    "X1": [1.0, 2.0, 1.0, 1.0, 0.0, 3.0],
    "X2": [0.0, 1.0, 2.0, 2.0, 1.0, 1.0],
    "site": [1.0, 2.0, 1.0, 3.0, 2.0, 3.0],
}
LINEAR = "mean((y - sum(w[j]*X[j], j) - a[site])^2) + 0.1*sum(w[j]^2, j)"


@pytest.mark.parametrize("options", [{}, {"batch": 2, "seed": 4}, {"lr": "auto"}], ids=str)
def test_arrays_step_as_the_formula_written_out(options, monkeypatch):
    arguments = {"start": 0.1, "lr": 0.05, "steps": 12, "advise": False, **options}
    written_out = descend(LINEAR, data=DATA, **arguments)
    monkeypatch.setattr(array_model, "WRITTEN_OUT", 0)
    arrays = descend(LINEAR, data=DATA, **arguments)
    assert list(arrays.theta) == list(written_out.theta)
    np.testing.assert_allclose(arrays.x, written_out.x, rtol=1e-12)
    np.testing.assert_allclose(arrays.history.loss, written_out.history.loss, rtol=1e-12)


def test_results_nest_arrays():
    result = descend(LINEAR, data=DATA, start=0.1, lr=0.05, steps=3)
    assert result.theta["w"].shape == (2,)
    assert result.theta["w"][1] == result.theta["w[2]"]
    document = result.to_dict()
    assert document["theta"]["w"] == result.theta["w"].tolist()
    assert document["history"][0]["theta"] == {"a": [0.1] * 3, "w": [0.1] * 2}
    again = pickle.loads(pickle.dumps(result))
    assert again.theta["a"].tolist() == result.theta["a"].tolist()


def test_a_long_result_is_arrays():
    n = 30_000
    result = descend(BOWL, sizes={"n": n}, start="x[i]=i/n", lr=0.1, steps=2)
    assert result.x.shape == (n,)
    assert result.start["x"][-1] == 1.0
    document = result.to_dict()
    assert len(document["theta"]["x"]) == n
    assert document["loss"]["params"] == ["x"]
    assert set(document["history"][0]["theta"]) == {"x[1]", "x[2]", "x[3]"}
    assert f"{n:,}" in str(result)


def test_units_that_start_equal_are_told_to_be_drawn():
    network = "mean((y - sum(v[h]*tanh(w[h]*X1), h=1..3))^2)"
    equal = descend(network, data=DATA, start=0.5, lr=0.1, steps=5)
    assert "units along h start equal in v, w" in equal.verdict.advice
    theta = equal.theta["v"]
    assert np.ptp(theta) == 0  # they never part
    drawn = descend(network, data=DATA, start="v~normal(0,1), w~normal(0,1)", lr=0.1, steps=5)
    assert "units" not in drawn.verdict.advice
    told_apart = descend("sum((x[i] - i)^2, i=1..3)", start=0.5, lr=0.1, steps=2)
    assert "units" not in told_apart.verdict.advice


def test_compare_and_sweep_take_arrays():
    found = symgd.compare(BOWL, sizes={"n": 50}, start=0.0, lr=[0.1, 0.3], steps=10)
    assert [run.theta["x"].shape for run in found.runs] == [(50,), (50,)]
    grid = symgd.sweep(Loss(BOWL, sizes={"n": 50}), lr=[0.1, 0.3], start=0.0, steps=10)
    np.testing.assert_allclose(grid.value, [run.value for run in found.runs], rtol=1e-12)


def test_long_runs_stay_within_their_bounds():
    """Projected gradient descent in NumPy."""
    n, lr = 30_000, 0.1
    target = np.arange(1, n + 1) / n
    low, high = np.full(n, 0.25), np.full(n, 0.75)
    low[9], high[9] = -1.0, 0.1
    x = np.clip(np.full(n, 0.5), low, high)
    for _ in range(8):
        x = np.clip(x - lr * (2 * (x - target)), low, high)
    bounds = {"x": (0.25, 0.75), "x[10]": (-1, 0.1)}
    options = {"sizes": {"n": n}, "start": 0.5, "lr": lr, "bounds": bounds}
    result = descend("sum((x[i] - i/n)^2, i=1..n)", steps=8, **options)
    np.testing.assert_allclose(result.x, x, rtol=1e-14)
    end = descend("sum((x[i] - i/n)^2, i=1..n)", steps=500, tol=1e-9, **options)
    assert end.status == "converged"
    np.testing.assert_allclose(end.x, np.clip(target, low, high), atol=1e-9)


def test_long_runs_take_batches():
    """Stochastic gradient descent in NumPy, on the rows in the order of the same generator."""
    rows, sites, lr, size = 900, 30_000, 0.5, 100
    rng = np.random.default_rng(2)
    site, y = rng.integers(1, sites + 1, rows), rng.normal(size=rows)
    site[0] = sites
    a, generator = np.zeros(sites), np.random.default_rng(5)
    for _ in range(2):
        order = generator.permutation(rows)
        for chosen in (order[k : k + size] for k in range(0, rows, size)):
            slope = np.zeros(sites)
            np.add.at(slope, site[chosen] - 1, -2 * (y - a[site - 1])[chosen] / size)
            a = a - lr * slope
    data = {"site": site.astype(float), "y": y}
    options = {"data": data, "start": 0.0, "lr": lr, "steps": 18, "batch": size, "seed": 5}
    result = descend("mean((y - a[site])^2)", **options)
    np.testing.assert_allclose(result.theta["a"], a, rtol=1e-12, atol=1e-15)
    assert result.value == pytest.approx(np.mean((y - a[site - 1]) ** 2), rel=1e-12)


def test_what_long_runs_refuse():
    for options, words in (
        ({"bounds": {"x[30001]": (0, 1)}}, "no parameter"),
        ({"bounds": {"x": (1, 0)}}, "nothing between"),
        ({"batch": 5}, "of rows of data"),
    ):
        with pytest.raises(ArgumentError, match=words):
            descend(BOWL, sizes={"n": 30_000}, start=0.0, **options)
    with pytest.raises(SymgdError):
        descend(BOWL, sizes={"n": 30_000}, start={"x": [1.0, 2.0]})


def test_the_minimum_of_many_parameters_is_certified():
    # all parameters alike move as (x - 1)^2/2 does; the springs have curvatures of 0 to 8
    text = "sum((x[i+1] - x[i])^2, i=1..n-1) + sum((x[i] - 1)^2/2, i=1..n)"
    run = descend(Loss(text, sizes={"n": 30_000}), start=0.0, lr=0.2, steps=10)
    told = run.verdict
    assert told.distance == pytest.approx(0.8**10 * math.sqrt(30_000), rel=1e-9)
    assert told.lr_max == pytest.approx(2 / 9, rel=1e-3)
    assert told.sentence.count(f"{told.distance:.6g} away; stable for 0 < lr <") == 1


def test_many_elements_are_told_by_the_text_that_gave_them():
    options = {"sizes": {"n": 1000}, "start": "x~normal(0,1)", "seed": 3, "lr": 1e-4, "steps": 20}
    result = descend(CHAIN, **options, bounds={"x": (-9.0, 9.0)})
    for part in ("--start 'x~normal(0,1)' ", "--seed 3", "--bound x=-9.0:9.0"):
        assert part in result.verdict.advice
    assert "bounds: -9 <= x <= 9" in loss_lines(result.loss)


@pytest.mark.parametrize("n", [3, 300])
def test_exact_values_take_arrays(n):
    loss, x = Loss(CHAIN, sizes={"n": n}), start(n)
    value, grad = loss.exact.value_and_grad({"x": x})
    assert value == pytest.approx(loss.value({"x": x}), rel=1e-13)
    assert grad == pytest.approx(loss.grad(x), rel=1e-12, abs=1e-12)


def test_a_result_of_many_elements_is_shown_on_one_screen():
    result = descend(CHAIN, sizes={"n": 3000}, start=0.5, lr=1e-4, steps=2, advise=False)
    shown = [result, result.best, result.theta, result.grad]
    assert max(len(repr(one)) for one in shown) < 1100
    assert "x (3,000)" in result._repr_html_()
    assert len(result._repr_html_() + result._repr_latex_() + str(result)) < 3000
