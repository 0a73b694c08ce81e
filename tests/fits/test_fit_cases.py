"""Fits of odd tables and with every option, against NumPy and SciPy."""

import gc
import math
import pickle
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import optimize

import symgd
from symgd import DataError
from symgd.fits import least_squares_problem as cache
from tests import regression

GENERATOR = np.random.default_rng(5)
X = np.linspace(0.0, 4.0, 50)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + GENERATOR.normal(0, 0.05, 50)
DECAY = "y = a*exp(-b*x) + c"


def curve(rows, seed=20):
    generator = np.random.default_rng(seed)
    x = generator.uniform(0.0, 4.0, rows)
    return {"x": x, "y": 2.5 * np.exp(-1.3 * x) + 0.5 + generator.normal(0.0, 0.1, rows)}


# What is remembered of a formula


def test_a_formula_read_again_gives_the_same_bits_on_other_rows():
    first, second = curve(300, 1), curve(400, 2)
    cache._problems.clear()
    fresh = [symgd.fit(DECAY, first).to_dict()]
    cache._problems.clear()
    fresh.append(symgd.fit(DECAY, second).to_dict())
    again = [symgd.fit(DECAY, first).to_dict(), symgd.fit(DECAY, second).to_dict()]
    assert again == fresh


def test_options_are_part_of_what_is_remembered():
    data = {"x": X, "y": Y}
    free = symgd.fit(DECAY, data)
    assert symgd.fit(DECAY, data, fixed={"c": 0.4}).theta["c"] == 0.4
    assert symgd.fit(DECAY, data, bounds={"b": (0, 1)}).theta["b"] == 1.0
    assert symgd.fit(DECAY, data, bounds={"b": (0, 1.1)}).theta["b"] == 1.1
    assert symgd.fit(DECAY, data).theta == free.theta


def test_the_least_recently_used_formula_is_forgotten_first(monkeypatch):
    monkeypatch.setattr(cache, "_CAPACITY", 2)
    cache._problems.clear()
    for model in ("y = a*x", "y = b*x", "y = a*x", "y = c*x"):
        symgd.fit(model, {"x": X, "y": Y})
    assert [key[0] for key in cache._problems] == ["y = a*x", "y = c*x"]


def test_threads_may_fit_one_formula_at_once():
    tables = [curve(500, seed) for seed in range(6)]
    expected = [symgd.fit(DECAY, data).theta for data in tables]
    for _ in range(2):
        cache._problems.clear()
        with ThreadPoolExecutor(6) as pool:
            assert list(pool.map(lambda data: symgd.fit(DECAY, data).theta, tables)) == expected


def test_what_is_remembered_holds_no_rows():
    column = np.linspace(1.0, 2.0, 1000)
    held = weakref.ref(column)
    symgd.fit("y = slope*column", {"column": column, "y": 2 * column})
    del column
    gc.collect()
    assert held() is None


def test_means_inside_a_model_are_those_of_its_own_rows():
    for shift in (0.0, 5.0):
        data = {"x": X + shift, "y": 3 * X}
        found = symgd.fit("y = a*(x - mean(x)) + b", data)
        assert found.theta == pytest.approx({"a": 3.0, "b": 6.0}, rel=1e-12)


# Long tables


def test_a_long_table_is_begun_on_a_sample_and_ended_on_all_rows(monkeypatch):
    from symgd.fits import least_squares

    data = curve(250_000)
    sampled = symgd.fit(DECAY, data, start=1.0)
    assert "sample" in sampled.message
    monkeypatch.setattr(least_squares, "_SAMPLE_FROM", 10**9)
    whole = symgd.fit(DECAY, data, start=1.0)
    assert "sample" not in whole.message
    right, covariance = regression.decay(data["x"], data["y"])
    for found in (sampled, whole):
        assert list(found.theta.values()) == pytest.approx(right, rel=1e-10)
        assert found.covariance == pytest.approx(covariance, rel=1e-8)


def test_a_sample_that_misleads_is_left():
    # one row in 10^5 decides about b: a sample of 16,384 knows nothing of it
    x = np.zeros(250_000)
    x[::100_000] = 1.0
    y = 1.0 + 2.0 * x
    found = symgd.fit("y = a + b*x", {"x": x, "y": y}, start=0.0)
    assert found.status == "converged"
    assert found.theta == pytest.approx({"a": 1.0, "b": 2.0}, rel=1e-9)


def test_a_sample_without_any_weight_is_left():
    x = np.linspace(0.0, 1.0, 250_000)
    weight = np.zeros(250_000)
    weight[[10, 100_000, 200_000, 249_000]] = 1.0
    found = symgd.fit("y = a + b*x", {"x": x, "y": 1 + 2 * x, "w": weight}, weight="w", start=0.0)
    assert found.n == 4
    assert found.theta == pytest.approx({"a": 1.0, "b": 2.0}, rel=1e-9)


# Weights


def test_r2_and_criteria_leave_out_rows_of_weight_zero():
    weight = np.where(np.arange(50) % 5 == 0, 0.0, 1.0)
    some = weight > 0
    weighted = symgd.fit("y = a*x + b", {"x": X, "y": Y, "w": weight}, weight="w")
    without = symgd.fit("y = a*x + b", {"x": X[some], "y": Y[some]})
    for name in ("n", "dof", "sigma", "r2", "aic", "bic"):
        assert getattr(weighted, name) == pytest.approx(getattr(without, name), rel=1e-11), name
    assert weighted.covariance == pytest.approx(without.covariance, rel=1e-10)


def test_r2_is_weighted_about_the_weighted_mean_whatever_the_offset():
    weight = np.random.default_rng(5).uniform(0.5, 2.0, 50)
    for offset in (0.0, 1e6):
        data = {"x": X, "y": Y + offset, "w": weight}
        found = symgd.fit("y = a*x + b", data, weight="w")
        y = data["y"] - offset  # exact but for the rounding of the addition
        mean = np.average(y, weights=weight)
        expected = 1 - found.rss / np.sum(weight * (y - mean) ** 2)
        assert found.r2 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("option", "column", "part"),
    [
        ("sigma", [1, 0, 1, 1], "sigma in row 2 is 0.0; it must be above 0"),
        ("sigma", [1, 1, -2, 1], "sigma in row 3 is -2.0; it must be above 0"),
        ("weight", [1, 1, 1, -1], "the weight in row 4 is -1.0; it must be 0 or more"),
        ("weight", [0, 0, 0, 0], "the weight is 0 in every row"),
    ],
)
def test_a_weight_that_is_none_is_refused(option, column, part):
    data = {"x": [0, 1, 2, 3], "y": [0, 1, 2, 4], "s": column}
    with pytest.raises(DataError, match=part):
        symgd.fit("y = a*x + b", data, **{option: "s"})
    assert math.isfinite(symgd.fit("y = a*x + b", data).theta["a"])


# Descents within bounds


@pytest.mark.parametrize("method", ["gd", "adam", "momentum"])
def test_a_descent_within_bounds_ends_where_scipy_does(method):
    bounds = {"a": (None, -0.5), "b": (0.8, None)}
    found = symgd.fit(
        "y = a*x + b", {"x": X, "y": Y}, bounds=bounds, method=method, lr=0.05, steps=4000
    )
    exact = symgd.fit("y = a*x + b", {"x": X, "y": Y}, bounds=bounds)
    limits = ([-np.inf, 0.8], [-0.5, np.inf])
    right = optimize.lsq_linear(np.column_stack([X, np.ones(50)]), Y, limits, tol=1e-14).x
    for one, rel in ((found, 1e-6), (exact, 1e-8)):
        assert [one.theta["a"], one.theta["b"]] == pytest.approx(right, rel=rel)
    assert -0.5 in found.theta.values() or 0.8 in found.theta.values()
    assert found.status == "converged"


def test_no_step_of_a_descent_leaves_the_bounds():
    loss = symgd.Loss("mean((y - a*x)**2)", {"x": X, "y": 3 * X})
    for options in ({"lr": 0.05}, {"lr": "auto"}, {"lr": 0.05, "batch": 8}):
        path = symgd.descend(
            loss, start=1.0, steps=50, bounds={"a": (0, 2)}, **options
        ).history.theta
        assert path.max() == 2.0
        assert path.min() >= 0.0
    whole = symgd.fit(
        "sum((y - a*x)**2)", {"x": X, "y": 3 * X}, method="gd", bounds={"a": (0, 2)}, lr=1e-3
    )
    assert (whole.theta, whole.status) == ({"a": 2.0}, "converged")


# Whole losses


def test_a_tied_parameter_of_a_loss_is_its_formula_put_in():
    data = {"x": X, "k": np.round(np.exp(0.3 + 0.4 * X))}
    text = "sum(exp(a + b*x) - k*(a + b*x))"
    tied = symgd.fit(text, data, tied={"b": "2*a + c"}, fixed={"c": -0.1})
    put = symgd.fit("sum(exp(a + (2*a - 0.1)*x) - k*(a + (2*a - 0.1)*x))", data)
    a = 0.3
    for _ in range(20):  # Newton for one number: the linear predictor is a*(1 + 2*x) - 0.1*x
        mean = np.exp(a * (1 + 2 * X) - 0.1 * X)
        a -= ((mean - data["k"]) @ (1 + 2 * X)) / (mean @ (1 + 2 * X) ** 2)
    for found in (tied, put):
        assert found.theta["a"] == pytest.approx(a, rel=1e-12)
        assert found.stderr["a"] == pytest.approx((mean @ (1 + 2 * X) ** 2) ** -0.5, rel=1e-10)
    assert tied.theta["b"] == pytest.approx(2 * tied.theta["a"] - 0.1, rel=1e-15)
    assert tied.stderr["b"] == pytest.approx(2 * tied.stderr["a"], rel=1e-12)
    assert (tied.params["b"].held, tied.params["c"].held) == ("tied", "fixed")
    squares = symgd.fit("sum((k - a - b*x)**2)", data, tied={"a": "3*b"})
    model = symgd.fit("k = a + b*x", data, tied={"a": "3*b"})
    slope = data["k"] @ (3 + X) / ((3 + X) @ (3 + X))
    for found in (squares, model):
        assert found.theta == pytest.approx({"a": 3 * slope, "b": slope}, rel=1e-12)


@pytest.mark.parametrize(
    ("options", "part"),
    [
        ({"tied": {"q": "a"}}, "no parameter 'q'"),
        ({"tied": {"b": "x"}}, "column"),
        ({"tied": {"b": "mean(z)"}}, "column 'z', which the loss does not"),
        ({"tied": {"b": "a", "a": "b"}}, "tied itself"),
        ({"fixed": {"q": 1.0}}, "no parameter 'q'"),
        ({"fixed": {"b": 1.0}, "tied": {"b": "a"}}, "fixed and tied"),
        ({"tied": {"b": "a"}, "bounds": {"b": (0, 1)}}, "takes no bounds"),
        ({"backend": "gpu"}, "no backend 'gpu'"),
        ({"threads": 0}, "threads is 0"),
        ({"bounds": [(0, 1)]}, "bounds go by names"),
        ({"fixed": {1: 2.0}}, "fixed goes by names"),
    ],
)
def test_a_mistake_about_a_loss_is_refused(options, part):
    with pytest.raises(symgd.SymgdError, match=part):
        symgd.fit("sum(cosh(y - a - b*x))", {"x": X, "y": Y, "z": Y}, **options)


# What runs it


def test_backends_and_threads_give_one_fit():
    data = curve(60_000)
    python = symgd.fit(DECAY, data, backend="lambdify")
    one = symgd.fit(DECAY, data, backend="native", threads=1)
    two = symgd.fit(DECAY, data, backend="native", threads=2)
    assert one.to_dict() == two.to_dict()
    right, covariance = regression.decay(data["x"], data["y"])
    for found in (python, one):
        assert list(found.theta.values()) == pytest.approx(right, rel=1e-10)
        assert found.covariance == pytest.approx(covariance, rel=1e-8)


# Pickles


@pytest.mark.parametrize(
    ("model", "options"),
    [
        (DECAY, {}),
        ("log(y + 1) = a*(x - mean(x)) + b", {}),
        ("y = a*`dose (mg)` + b", {"fixed": {"b": 0.5}}),
        ("sum((y - a*x)**2)", {}),
        ("mean(cosh(y - a*x))", {}),
        ("y = a*x + b", {"loss": "huber(r, 1)"}),
    ],
)
def test_a_fit_survives_pickle(model, options):
    data = {"x": X, "y": Y, "dose (mg)": X**2}
    found = symgd.fit(model, data, **options)
    again = pickle.loads(pickle.dumps(found))
    assert again.to_dict() == found.to_dict()
    assert str(again) == str(found)
    if found.curve is not None:
        other = {name: column[:7] for name, column in data.items()}
        assert np.array_equal(again.predict(other), found.predict(other))
        assert np.array_equal(again.band(other), found.band(other), equal_nan=True)
        assert np.array_equal(
            again.curve.observed_and_predicted(), found.curve.observed_and_predicted()
        )


def test_dropped_rows_survive_pickle():
    found = symgd.fit("y = a*x", {"x": [1, 2, math.nan], "y": [2, 4, 6]}, drop_missing=True)
    assert pickle.loads(pickle.dumps(found)).to_dict() == found.to_dict()
    assert found.dropped == 1


def test_a_descent_on_batches_survives_pickle():
    loss = symgd.Loss("mean((y - a*(x - mean(x)) - b)**2)", {"x": X, "y": Y})
    found = symgd.descend(loss, batch=10, lr=0.1, start=0.0)
    again = pickle.loads(pickle.dumps(found))
    assert again.theta == found.theta
    assert again.loss.internals.evaluate(0.3, 0.2) == found.loss.internals.evaluate(0.3, 0.2)


# What is said of an end


def test_an_exact_fit_is_converged_and_its_errors_are_called_nothing():
    for offset in (0.0, 1.0, 1e9):
        found = symgd.fit("y = a*x + b", {"x": X, "y": 2 * X + offset})
        assert found.status == "converged"
        assert "rounding" in found.message
        assert any("mean nothing" in w for w in found.warnings)
    # noise of 1e-12 is no rounding
    found = symgd.fit("y = a*x + b", {"x": X, "y": 2 * X + 1 + 1e-12 * (Y - Y.mean())})
    assert "rounding" not in found.message


def test_aic_with_known_sigma_is_that_of_the_normal_density():
    s = np.random.default_rng(5).uniform(0.05, 0.2, 50)
    data = {"x": X, "y": Y, "s": s}
    found = symgd.fit(DECAY, data, sigma="s", absolute_sigma=True)
    z = (Y - found.predict(data)) / s
    deviance = np.sum(z**2 + np.log(2 * np.pi * s**2))
    assert found.aic == pytest.approx(deviance + 6, rel=1e-11)
    assert found.bic == pytest.approx(deviance + 3 * math.log(50), rel=1e-11)
    # with sigma known the band is normal: 1.959964 standard errors on each side
    low, high = found.band({"x": [0.0]})
    middle, error = found.curve.predict_with_error({"x": [0.0]})
    assert (high - low) / 2 == pytest.approx(1.959963984540054 * error, rel=1e-9)


def test_a_parameter_at_its_bound_has_no_correlation():
    found = symgd.fit(DECAY, {"x": X, "y": Y}, bounds={"b": (None, 1.0)})
    assert np.isnan(found.correlation[1]).all()
    assert list(np.diag(found.correlation)[[0, 2]]) == [1.0, 1.0]
    assert np.nanmax(np.abs(found.correlation)) <= 1.0
    assert "nan" not in str(found)
    design = np.column_stack([np.exp(-X), np.ones_like(X)])
    expected = found.sigma**2 * np.linalg.inv(design.T @ design)
    assert found.covariance[np.ix_([0, 2], [0, 2])] == pytest.approx(expected, rel=1e-9)


def test_what_a_likelihood_does_not_determine_is_named():
    counts = np.round(np.exp(0.3 + 0.4 * X))
    loss = "sum(exp(a + b + c*x) - k*(a + b + c*x))"
    found = symgd.fit(loss, {"x": X, "k": counts})
    assert found.status != "converged"
    assert any("determine a, b:" in w for w in found.warnings)


@pytest.mark.parametrize("method", ["gd", "momentum"])
def test_a_loss_of_residuals_goes_by_a_rule_too(method):
    options = {"loss": "logcosh(r)", "start": 1.0}
    newton = symgd.fit("y = a*exp(-x) + c", {"x": X, "y": Y}, **options)
    rule = symgd.fit(
        "y = a*exp(-x) + c", {"x": X, "y": Y}, method=method, lr=0.3, steps=3000, **options
    )
    right, sandwich = regression.m_estimate(
        np.column_stack([np.exp(-X), np.ones(50)]), Y, np.tanh, lambda r: np.cosh(r) ** -2
    )
    for found, near in ((newton, 1e-9), (rule, 1e-6)):
        assert list(found.theta.values()) == pytest.approx(right, rel=near)
        assert found.covariance == pytest.approx(sandwich, rel=100 * near)
    assert "sandwich" in str(rule)


@pytest.mark.parametrize(
    ("loss", "scipy"),
    [
        # scipy.optimize.least_squares(loss=..., ftol=xtol=gtol=1e-14): x and twice the cost
        ("2*(sqrt(1 + r**2) - 1)", "soft_l1"),
        ("log1p(r**2)", "cauchy"),
        ("atan(r**2)", "arctan"),
        ("2*huber(r, 1)", "huber"),
    ],
)
def test_robust_losses_are_those_of_scipy(loss, scipy):
    y = Y.copy()
    y[::9] += 3.0
    found = symgd.fit(DECAY, {"x": X, "y": y}, loss=loss)
    theirs = optimize.least_squares(
        lambda p: p[0] * np.exp(-p[1] * X) + p[2] - y,
        [2.5, 1.3, 0.5],
        loss=scipy,
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
    )
    assert list(found.theta.values()) == pytest.approx(list(theirs.x), rel=1e-5)
    assert found.loss == pytest.approx(2 * theirs.cost, rel=1e-12)


def test_a_loss_of_residuals_sees_them_in_units_of_sigma():
    s = np.linspace(0.02, 0.4, 50)
    y = Y.copy()
    y[::9] += 1.0
    found = symgd.fit(DECAY, {"x": X, "y": y, "s": s}, sigma="s", loss="2*(sqrt(1 + r**2) - 1)")
    theirs = optimize.least_squares(
        lambda p: (p[0] * np.exp(-p[1] * X) + p[2] - y) / s,
        [2.5, 1.3, 0.5],
        loss="soft_l1",
        ftol=1e-14,
        xtol=1e-14,
        gtol=1e-14,
    )
    assert list(found.theta.values()) == pytest.approx(list(theirs.x), rel=1e-5)
    assert found.loss == pytest.approx(2 * theirs.cost, rel=1e-11)
    weighted = symgd.fit("y = a + b*x", {"x": X, "y": Y, "w": s}, weight="w", loss="huber(r, 0.2)")
    twice = symgd.fit("y = a + b*x", {"x": X, "y": Y, "w": 2 * s}, weight="w", loss="huber(r, 0.2)")
    assert twice.loss == pytest.approx(2 * weighted.loss, rel=1e-10)


def test_a_bounded_start_solves_for_the_linear_parameters_within_the_bounds():
    bounds = {"a": (0, None), "b": (None, 0.5), "c": (0.7, None)}
    found = symgd.fit(DECAY, {"x": X, "y": Y}, bounds=bounds)
    assert found.status == "converged"
    assert (found.theta["b"], found.theta["c"]) == (0.5, 0.7)
    e = np.exp(-0.5 * X)
    assert found.theta["a"] == pytest.approx(e @ (Y - 0.7) / (e @ e), rel=1e-12)


@pytest.mark.parametrize(
    ("data", "options", "part"),
    [
        ({"x": [0.0, 1, 2], "y": [1, 2, 3]}, {}, "in row 1, whatever was tried"),
        ({"x": [1.0, 1, 2], "y": [1, 2, 3]}, {"absolute_sigma": True}, "absolute_sigma goes with"),
    ],
)
def test_a_fit_that_cannot_be_is_refused(data, options, part):
    with pytest.raises(symgd.ArgumentError, match=part):
        symgd.fit("y = a*log(x)", data, **options)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_quantile_regression_is_that_of_linear_programming(level):
    generator = np.random.default_rng(3)
    x = generator.uniform(0, 3, 80)
    y = 1 + 2 * x + generator.standard_t(2, 80)
    design = np.column_stack([np.ones(80), x, np.eye(80), -np.eye(80)])
    cost = np.r_[0, 0, np.full(80, level), np.full(80, 1 - level)]
    limits = [(None, None)] * 2 + [(0, None)] * 160
    exact = optimize.linprog(cost, A_eq=design, b_eq=y, bounds=limits)
    text = f"max({level}*r, {level - 1}*r)"
    found = symgd.fit("y = a + b*x", {"x": x, "y": y}, loss=text)
    assert list(found.theta.values()) == pytest.approx(list(exact.x[:2]), abs=1e-6)
    assert found.loss == pytest.approx(exact.fun, rel=1e-8)
    assert found.status == "stalled"
    assert "kinks" in found.message
    assert found.stderr == {"a": None, "b": None}
    residual = text.replace("r", "(y - a - b*x)")
    whole = symgd.fit(f"mean({residual})", {"x": x, "y": y})
    assert list(whole.theta.values()) == pytest.approx(list(exact.x[:2]), abs=1e-6)


def test_separated_classes_are_said_to_run_away():
    found = symgd.fit("sum(softplus(-(2*z - 1)*(a + b*x)))", {"x": X, "z": (X > 1.5) * 1.0})
    assert found.status != "converged"
    assert any("runs away" in w for w in found.warnings)


@pytest.mark.parametrize("options", [{"start": {"e": 1.0}}, {"bounds": {"e": (0, 9)}}])
@pytest.mark.parametrize("model", ["y = e*x + b", "sum(cosh(y - e*x - b))"])
def test_a_constant_that_is_named_as_a_parameter_is_one(model, options):
    slopes = (np.sinh, np.cosh) if "cosh" in model else (lambda r: r, np.ones_like)
    right = regression.m_estimate(np.column_stack([X, np.ones(50)]), Y, *slopes)[0]
    found = symgd.fit(model, {"x": X, "y": Y}, **options)
    assert found.theta["e"] == pytest.approx(right[0] if not options.get("bounds") else 0)


# Sums over the rows inside a model


def share(x, a, b):
    return a * np.exp(-b * x) / np.exp(-b * x).sum()


SHARE = "y = a*exp(-b*x)/sum(exp(-b*x))"


@pytest.mark.parametrize("start", [None, 1.0])
def test_a_sum_inside_a_model_may_hold_parameters(start):
    y = share(X, 50, 1.2) + np.random.default_rng(6).normal(0, 0.05, 50)
    found = symgd.fit(SHARE, {"x": X, "y": y}, start=start)
    p, covariance = optimize.curve_fit(share, X, y, [40, 1], xtol=1e-14, ftol=1e-14)
    assert found.status == "converged"
    assert list(found.theta.values()) == pytest.approx(list(p), rel=1e-6)
    assert found.covariance == pytest.approx(covariance, rel=1e-4)  # theirs by differences
    # the sum is that of the fit's rows at any others
    assert found.predict({"x": X[:3]}) == pytest.approx(share(X, *p)[:3], rel=1e-6)
    again = pickle.loads(pickle.dumps(found))
    assert np.array_equal(again.band({"x": X[:3]}), found.band({"x": X[:3]}))


def test_sums_inside_a_model_go_by_every_method():
    data = {"x": X, "y": share(X, 50, 1.2) + np.random.default_rng(6).normal(0, 0.05, 50)}
    mean = SHARE.replace("sum", "mean")
    exact = symgd.fit(mean, data)
    p, _ = optimize.curve_fit(
        lambda x, a, b: share(x, a, b) * 50, X, data["y"], [1, 1], xtol=1e-14, ftol=1e-14
    )
    assert list(exact.theta.values()) == pytest.approx(list(p), rel=1e-6)
    rule = symgd.fit(mean, data, method="gd", lr=0.1, start=1.0, steps=5000)
    assert rule.theta == pytest.approx(exact.theta, rel=1e-7)
    robust = symgd.fit(mean, data, loss="r**2/2")  # least squares, with the sandwich
    assert robust.theta == pytest.approx(exact.theta, rel=1e-9)
    x = X
    e = np.exp(-exact.theta["b"] * x)
    shape, centre = e / e.mean(), (x * e).mean() / e.mean()
    jacobian = np.column_stack([shape, exact.theta["a"] * shape * (centre - x)])
    r = data["y"] - exact.predict(data)
    bread = np.linalg.inv(robust_hessian(exact.theta, x, data["y"]))
    meat = jacobian.T @ (jacobian * (r**2)[:, None])
    assert robust.covariance == pytest.approx(bread @ meat @ bread * 50 / 48, rel=1e-5)
    with pytest.raises(symgd.ArgumentError, match="of all rows"):
        symgd.fit(mean, data, method="gd", batch=5)


def robust_hessian(theta, x, y):
    """Second differences of half the sum of squares."""

    def value(p):
        e = np.exp(-p[1] * x)
        return 0.5 * np.sum((y - p[0] * e / e.mean()) ** 2)

    p, h = np.array(list(theta.values())), np.array([1e-4, 1e-4])
    steps = np.diag(h)
    out = np.empty((2, 2))
    for i in range(2):
        for j in range(2):
            corners = [value(p + s * steps[i] + t * steps[j]) for s in (1, -1) for t in (1, -1)]
            out[i, j] = (corners[0] - corners[1] - corners[2] + corners[3]) / (4 * h[i] * h[j])
    return out


def test_long_tables_take_sums_inside_a_model():
    generator = np.random.default_rng(9)
    x = generator.uniform(0, 4, 30_000)
    y = 5 * np.exp(-1.2 * x) / np.exp(-1.2 * x).mean() + generator.normal(0, 0.5, 30_000)
    found = symgd.fit("y = a*exp(-b*x)/mean(exp(-b*x))", {"x": x, "y": y})
    assert found.status == "converged"
    for name, true in (("a", 5.0), ("b", 1.2)):
        assert abs(found.theta[name] - true) < 5 * found.stderr[name]


def test_a_mean_in_a_tied_formula_is_a_number():
    found = symgd.fit("y = a*x + b", {"x": X, "y": Y}, tied={"b": "-a*mean(x) + c"})
    assert found.theta["b"] == pytest.approx(found.theta["c"] - 2.0 * found.theta["a"], rel=1e-13)
    assert found.theta["c"] == pytest.approx(np.mean(Y), rel=1e-13)


# Data that were rounded


@pytest.mark.parametrize(("digits", "told"), [(6, None), (12, "fewer than 4"), (16, "last digits")])
def test_residuals_of_the_size_of_roundings_are_told(digits, told):
    """Lanczos (1956): three exponentials without noise but that of the digits printed."""
    x = np.arange(24) / 20
    y = 0.0951 * np.exp(-x) + 0.8607 * np.exp(-3 * x) + 1.5576 * np.exp(-5 * x)
    result = symgd.fit(
        "y = a*exp(-b*x) + c*exp(-d*x) + e*exp(-f*x)",
        {"x": x, "y": np.round(y, digits) if digits < 16 else y},
        start={"a": 0.1, "b": 1.1, "c": 0.8, "d": 3.1, "e": 1.5, "f": 5.1},
    )
    said = [w for w in result.warnings if "digits" in w]
    assert bool(said) == bool(told)
    assert not told or told in said[0]
