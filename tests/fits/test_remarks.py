"""What a fit says of its end beyond the status."""

import re

import numpy as np
import pytest
from scipy import optimize, stats

import symgd
from tests.grids import grid

X = np.linspace(0, 4, 40)
DECAY = {"x": X, "y": 2 * np.exp(-0.5 * X) + np.random.default_rng(8).normal(0, 0.05, 40)}


def said(found, part):
    return any(part in warning for warning in found.warnings)


NOISE_MODELS = {
    "y = a*exp(-k*x) + c": lambda x: 2 * np.exp(-0.9 * x),
    "y = a*exp(-((x - m)/s)^2) + c": lambda x: 2 * np.exp(-(((x - 2.2) / 0.4) ** 2)),
    "y = a*x/(k + x)": lambda x: 3 * x / (1 + x),
    "y = a*x + b": lambda x: x,
    "y = where(x < x0, a, b)": lambda x: np.where(x < 1.7, 0.0, 2.0),
}


@pytest.mark.parametrize(("model", "seed"), grid(NOISE_MODELS, range(3)))
def test_fit_to_noise_says_so_and_a_fit_to_a_signal_does_not(model, seed):
    x, noise = np.linspace(0.1, 4, 40), np.random.default_rng(seed).normal(0, 0.3, 40)
    words = "the mean of the response", "rests on"
    found = symgd.fit(model, {"x": x, "y": noise})
    assert any(said(found, part) for part in words)
    found = symgd.fit(model, {"x": x, "y": noise + NOISE_MODELS[model](x)})
    assert not any(said(found, part) for part in words)


def test_fit_of_one_row_that_stands_out_names_it():
    y = np.random.default_rng(1).normal(0, 0.1, 40)
    y[39] = 30.0
    found = symgd.fit("y = a*exp(-k*x) + c", {"x": X, "y": y})
    assert said(found, "rests on row 40 (x = 4): of the others it explains no more than their mean")


def test_squares_without_a_response_have_no_row_that_stands_out():
    text = "sum((y - a - b*x)^2/(0.01 + b^2*w^2))"
    w = np.where(X > 3.9, 1e-3, 1.0)
    data = {"x": X, "y": X + np.random.default_rng(1).normal(0, 1, 40), "w": w}
    assert not said(symgd.fit(text, data), "rests on")


def test_few_rows_of_noise_may_be_chance():
    noise = np.random.default_rng(4).normal(0, 1, 7)
    found = symgd.fit("y = c + a*sin(w*x + p)", {"x": np.arange(7.0), "y": noise})
    assert found.r2 > 0.5
    assert said(found, "may be chance")


def test_residuals_that_follow_one_another_are_told():
    found = symgd.fit("y = a*x + b", {"x": X, "y": np.sin(X) + 0.01 * np.cos(99 * X)})
    assert said(found, "follow one another along x")


def test_lower_end_than_that_of_the_given_start_is_told():
    x = np.linspace(0, 10, 80)
    y = np.sin(5 * x) + np.random.default_rng(8).normal(0, 0.1, 80)
    found = symgd.fit("y = a*sin(w*x)", {"x": x, "y": y}, start={"a": 1.0, "w": 1.0})
    assert said(found, "without the given start the fit ends lower")
    assert not said(symgd.fit("y = a*sin(w*x)", {"x": x, "y": y}, start={"a": 1, "w": 5}), "lower")


@pytest.mark.parametrize(
    ("model", "what", "remedy"),
    [
        ("y = a*exp(c - k*x)", "only a*exp(c) matters", "c = 0: fix it"),
        ("y = a*b*exp(-k*x)", "only a*b matters", "b = 1: fix it"),
        ("y = (a + b)*exp(-k*x)", "only a + b matters", "b = 0: fix it"),
    ],
)
def test_symmetry_is_named_with_a_remedy_that_works(model, what, remedy):
    found = symgd.fit(model, DECAY)
    assert found.status != "converged"
    assert said(found, what)
    assert said(found, remedy)
    name, value = remedy.removesuffix(": fix it").split(" = ")
    again = symgd.fit(model, DECAY, fixed={name: float(value)})
    assert again.status == "converged"
    assert again.rss == pytest.approx(found.rss, rel=1e-6)


def test_separated_classes_are_named():
    data = {"x": np.arange(10.0), "y": (np.arange(10) > 4).astype(float)}
    found = symgd.fit("sum(log(1 + exp(a + b*x)) - y*(a + b*x))", data)
    assert found.status != "converged"
    assert said(found, "separated")


def test_parameter_that_is_zero_converges():
    s = np.linspace(-1, 1, 21)
    found = symgd.fit("y = a*s + b*s^2", {"s": s, "y": s**2 + 0.1 * np.cos(30 * s)})
    assert found.status == "converged"
    assert abs(found.theta["a"]) < 1e-6 * found.stderr["a"]


def test_stretched_exponential_from_zero_on_converges_below_an_exponent_of_one():
    x = np.linspace(0, 10, 50)
    y = 2 * np.exp(-((x / 2) ** 0.7)) + np.random.default_rng(0).normal(0, 0.02, 50)
    best, _ = optimize.curve_fit(lambda x, a, b, t: a * np.exp(-((x / t) ** b)), x, y, [2, 0.7, 2])
    found = symgd.fit("y = a*exp(-(x/t)^b)", {"x": x, "y": y})
    assert found.status == "converged"
    assert [found.theta[n] for n in "abt"] == pytest.approx(best, rel=1e-5)


def test_kink_that_is_written_by_where_is_found():
    data = {"x": X[1:], "y": DECAY["y"][1:]}
    found = symgd.fit("sum(where(y > a, 0.9*(y - a), 0.1*(a - y)))", data)
    y = np.sort(data["y"])
    assert y[int(0.9 * 39)] == pytest.approx(found.theta["a"], rel=1e-6)


# Sums of squares and families


def test_two_responses_are_stacked():
    noise = np.random.default_rng(9).normal(0, 0.05, 40)
    y, z = DECAY["y"], 3 * np.exp(-0.5 * X) + noise
    texts = [
        "sum((y - a*exp(-k*x))^2 + (z - b*exp(-k*x))^2)",
        "sum((y - a*exp(-k*x))^2) + sum((z - b*exp(-k*x))^2)",
        "0.5*sum(hypot(y - a*exp(-k*x), z - b*exp(-k*x))^2)",
    ]

    def residuals(p):
        return np.concatenate([y - p[0] * np.exp(-p[2] * X), z - p[1] * np.exp(-p[2] * X)])

    end = optimize.least_squares(residuals, [1, 1, 1], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    errors = np.sqrt(np.diag(np.linalg.inv(end.jac.T @ end.jac)) * 2 * end.cost / 77)
    for text in texts:
        found = symgd.fit(text, {"x": X, "y": y, "z": z})
        assert [found.theta[n] for n in "abk"] == pytest.approx(end.x, rel=1e-6)
        assert [found.stderr[n] for n in "abk"] == pytest.approx(errors, rel=1e-5)
        assert found.n == 80


@pytest.mark.parametrize(
    ("text", "count", "more"),
    [
        (
            "sum((y - a*exp(-k*x))^2) + 0.3*(a^2 + k^2)",
            42,
            lambda y, a, k: np.sqrt(0.3) * np.array([a, k]),
        ),
        ("0.02*(k - 1)^2 + mean((y - a*exp(-k*x))^2)", 41, lambda y, a, k: np.sqrt(0.8) * (k - 1)),
        ("sum((y - a*exp(-k*x))^2) + mean((y - k)^2)", 80, lambda y, a, k: (y - k) / np.sqrt(40)),
    ],
)
def test_squares_outside_of_the_sum_and_means_are_residuals(text, count, more):
    y = DECAY["y"]

    def residuals(p):
        return np.append(y - p[0] * np.exp(-p[1] * X), more(y, *p))

    end = optimize.least_squares(residuals, [1, 1], xtol=1e-15, ftol=1e-15, gtol=1e-15)
    variance = 2 * end.cost / (count - 2)
    errors = np.sqrt(np.diag(np.linalg.inv(end.jac.T @ end.jac)) * variance)
    found = symgd.fit(text, DECAY)
    assert [found.theta[n] for n in "ak"] == pytest.approx(end.x, rel=1e-6)
    assert [found.stderr[n] for n in "ak"] == pytest.approx(errors, rel=1e-5)
    assert found.n == count
    assert len({len(column) for column in found.rows().values()}) == 1


def test_squares_over_known_errors_are_a_chi_square():
    data = {**DECAY, "s": np.full(40, 0.2)}
    one = symgd.fit("y = a*x + b", data, sigma="s", absolute_sigma=True)
    for text in ("sum((y - a*x - b)^2/s^2)", "sum(((y - a*x - b)/s)^2)"):
        found = symgd.fit(text, data)
        assert found.stderr == pytest.approx(one.stderr, rel=1e-9)
        assert found.loss == pytest.approx(one.loss, rel=1e-9)


MEAN = np.exp(0.3 + 0.5 * X)
LAWS = {
    "poisson": (
        lambda g: g.poisson(MEAN),
        lambda y, m: stats.poisson.logpmf(y, m),
        (),
    ),
    "negative_binomial": (
        lambda g: g.negative_binomial(2, 2 / (2 + MEAN)),
        lambda y, m, a: stats.nbinom.logpmf(y, 1 / a, 1 / (1 + a * m)),
        ("alpha",),
    ),
    "exponential": (
        lambda g: g.exponential(MEAN),
        lambda y, m: stats.expon.logpdf(y, scale=m),
        (),
    ),
    "gamma": (
        lambda g: g.gamma(3, MEAN / 3),
        lambda y, m, k: stats.gamma.logpdf(y, k, scale=m / k),
        ("shape",),
    ),
    "inverse_gaussian": (
        lambda g: g.wald(MEAN, 5 * MEAN),
        lambda y, m, d: stats.invgauss.logpdf(y, m * d, scale=1 / d),
        ("dispersion",),
    ),
    "lognormal": (
        lambda g: MEAN * np.exp(g.normal(0, 0.3, 40)),
        lambda y, m, s: stats.lognorm.logpdf(y, s, scale=m),
        ("spread",),
    ),
}


@pytest.mark.parametrize("family", LAWS)
def test_family_maximizes_its_likelihood(family):
    draw, law, further = LAWS[family]
    y = draw(np.random.default_rng(8))
    found = symgd.fit("y = exp(a + b*x)", {"x": X, "y": y.astype(float)}, family=family)
    assert found.status == "converged"

    def loss(p):
        return -np.sum(law(y, np.exp(p[0] + p[1] * X), *p[2:]))

    here = [found.theta[n] for n in ("a", "b", *further)]
    assert found.log_likelihood == pytest.approx(-loss(here), rel=1e-9)
    end = optimize.minimize(loss, here, method="Nelder-Mead", options={"xatol": 1e-9})
    assert end.fun == pytest.approx(loss(here), rel=1e-9)
    assert family in found.basis


def test_binomial_family_takes_shares_and_trials():
    generator = np.random.default_rng(8)
    trials = generator.integers(5, 30, 40)
    k = generator.binomial(trials, 1 / (1 + np.exp(2 - X)))
    data = {"x": X, "share": k / trials, "n": trials.astype(float)}
    found = symgd.fit("share = sigmoid(a + b*x)", data, family="binomial", weight="n")

    def loss(p):
        return -np.sum(stats.binom.logpmf(k, trials, 1 / (1 + np.exp(-p[0] - p[1] * X))))

    end = optimize.minimize(loss, [0.0, 0.0], method="BFGS", options={"gtol": 1e-8})
    assert [found.theta["a"], found.theta["b"]] == pytest.approx(end.x, rel=1e-5)


def test_family_that_there_is_not_is_refused():
    with pytest.raises(symgd.ArgumentError, match="poisson"):
        symgd.fit("y = a*x", DECAY, family="poison")


def test_squares_that_where_chooses_are_scanned():
    y = np.where(X < 1.73, 1.0, 3.0) + np.random.default_rng(8).normal(0, 0.1, 40)
    found = symgd.fit("sum(where(x < c, (y - a)^2, (y - b)^2))", {"x": X, "y": y})
    assert found.status == "converged"
    assert found.theta["a"] == pytest.approx(y[X < 1.73].mean(), rel=1e-9)
    assert found.theta["b"] == pytest.approx(y[X > 1.73].mean(), rel=1e-9)
    low, high = X[X < 1.73].max(), X[X > 1.73].min()
    assert said(found, f"c: anywhere in ({low:.10g}, {high:.10g}]")


@pytest.mark.parametrize(
    ("model", "y", "together"),
    [
        ("y = a*(1 - exp(-k*x))", lambda x: 10 * (1 - np.exp(-0.02 * x)), "a*k = "),
        ("y = t*x/(k + x)", lambda x: 10 * x / (20 + x), "k/t = "),
        ("y = a*exp(-k*x) + c", lambda x: 3 - 2 * x, "a + c = "),
        ("y = a*(x + 300) + c", lambda x: 1 + 0.01 * x, "c + 300."),
    ],
)
def test_sloppy_direction_is_named_with_a_remedy_that_was_tried(model, y, together):
    x = np.geomspace(0.01, 1, 30)
    data = {"x": x, "y": y(x) + np.random.default_rng(0).normal(0, 0.02, 30)}
    found = symgd.fit(model, data)
    (sentence,) = [w for w in found.warnings if "one by one" in w]
    assert together in sentence
    remedy = re.search(r"with (\w) = (\S+) held the sum of squares is (\S+) % larger", sentence)
    held, value, percent = remedy[1], float(remedy[2]), float(remedy[3])
    again = symgd.fit(model, data, fixed={held: value})
    assert 100 * (again.rss / found.rss - 1) == pytest.approx(percent, rel=0.06, abs=1e-4)
    for name in again.names:
        if f" {name} = " in sentence:
            assert f"{name} = {again.theta[name]:.4g} +- {again.stderr[name]:.2g}" in sentence
