"""Profiles, regions, derived quantities, bands and influence, against SciPy and algebra."""

import io
import json
import pickle

import numpy as np
import pytest
from scipy import optimize, stats
from typer.testing import CliRunner

import symgd
from symgd.cli.app import app
from symgd.errors import ArgumentError, FormulaError

GENERATOR = np.random.default_rng(3)
X = np.linspace(0.0, 4.0, 40)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + GENERATOR.normal(0, 0.05, 40)
N = GENERATOR.poisson(80 * np.exp(-0.5 * X) + 10.0).astype(float)
DATA = {"x": X, "y": Y, "n": N}
DECAY = "y = a*exp(-b*x) + c"
POISSON = "sum(a*exp(-b*x) + c - n*log(a*exp(-b*x) + c))"
NAMES = ("a", "b", "c")


def predicted(p):
    return p[0] * np.exp(-p[1] * X) + p[2]


def squares(p):
    return np.sum((Y - predicted(p)) ** 2)


def poisson(p):
    return np.sum(predicted(p) - N * np.log(predicted(p)))


def end_by_scipy(f, best, k, level, far):
    """The value of parameter k at which the least f over the others is `level`."""

    def excess(value):
        def rest(others):
            return f(np.insert(others, k, value))

        others = np.delete(best, k)
        for _ in range(2):
            found = optimize.minimize(rest, others, method="BFGS", options={"gtol": 1e-9})
            others = optimize.minimize(rest, found.x, method="Nelder-Mead",
                                       options={"xatol": 1e-11, "fatol": 1e-15}).x  # fmt: skip
        return rest(others) - level

    return optimize.brentq(excess, best[k], far, xtol=1e-12)


@pytest.mark.parametrize("k", [0, 1, 2])
def test_profile_of_least_squares_is_scipys(k):
    found = symgd.fit(DECAY, DATA)
    best = np.array([found.theta[name] for name in NAMES])
    level = found.rss * (1 + stats.t.ppf(0.975, 37) ** 2 / 37)
    profile, error = found.profile(NAMES[k]), found.stderr[NAMES[k]]
    for end, side in ((profile.low, -1), (profile.high, 1)):
        expected = end_by_scipy(squares, best, k, level, best[k] + side * 4 * error)
        assert end == pytest.approx(expected, rel=1e-6)


def test_profile_of_a_likelihood_is_scipys():
    found = symgd.fit(POISSON, DATA, start={"a": 50, "b": 0.4, "c": 10})
    best = np.array([found.theta[name] for name in NAMES])
    level = found.loss + stats.chi2.ppf(0.6827, 1) / 2
    profile = found.profile("b", 0.6827)
    for end, side in ((profile.low, -1), (profile.high, 1)):
        expected = end_by_scipy(poisson, best, 1, level, best[1] + side * 3 * found.stderr["b"])
        assert end == pytest.approx(expected, rel=1e-6)


def test_linear_model_has_the_intervals_of_its_errors():
    found = symgd.fit("y = a*x + b", DATA, sigma=0.3, absolute_sigma=True)
    for name, (low, high) in found.intervals(0.9).items():
        profile = found.profile(name, 0.9)
        assert (profile.low, profile.high) == pytest.approx((low, high), rel=1e-9)
        half = stats.norm.ppf(0.95) * found.stderr[name]
        assert (low, high) == pytest.approx((found.theta[name] - half, found.theta[name] + half))
        assert (np.diff(profile.values) > 0).all()


@pytest.mark.parametrize("absolute", [False, True])
def test_region_of_a_linear_model_is_the_ellipse(absolute):
    found = symgd.fit("y = a*x + b", DATA, sigma=0.3, absolute_sigma=absolute)
    boundary = found.contour("a", "b", 0.9, points=12)
    off = boundary - [found.theta["a"], found.theta["b"]]
    square = np.einsum("ki,ij,kj->k", off, np.linalg.inv(found.covariance), off)
    expected = stats.chi2.ppf(0.9, 2) if absolute else 2 * stats.f.ppf(0.9, 2, 38)
    assert square == pytest.approx(expected, rel=1e-9)
    assert boundary[0].tolist() == boundary[-1].tolist()


def test_interval_that_data_do_not_close_is_open():
    data = {"x": [0.5, 1, 2, 4], "y": [1.2, 2.4, 2.1, 4.0]}
    assert symgd.fit("y = V*x/(K + x)", data).profile("K").high is None
    data["y"] = [1.2, 1.9, 2.5, 3.4]
    bounded = symgd.fit("y = V*x/(K + x)", data, bounds={"K": (0, 2)})
    assert bounded.profile("K").high is None
    assert bounded.profile("K").low == pytest.approx(0.7145433517, rel=1e-9)  # as without bounds


def test_what_has_no_profile_is_refused():
    found = symgd.fit(DECAY, DATA)
    with pytest.raises(ArgumentError, match="no free parameter"):
        found.profile("d")
    with pytest.raises(ArgumentError, match="level"):
        found.profile("a", 1.5)
    with pytest.raises(ArgumentError, match="likelihood"):
        symgd.fit(DECAY, DATA, loss="huber(r, 1)").profile("a")
    with pytest.raises(ArgumentError, match="fitted again"):
        pickle.loads(pickle.dumps(found)).profile("a")


def test_derived_quantity_has_an_error():
    found = symgd.fit(DECAY, DATA, derived={"half": "ln(2)/b", "top": "a + c"}, tied={"c": "a/5"})
    b, error = found.theta["b"], found.stderr["b"]
    assert found.theta["half"] == pytest.approx(np.log(2) / b, rel=1e-14)
    assert found.stderr["half"] == pytest.approx(np.log(2) / b**2 * error, rel=1e-12)
    assert found.stderr["top"] == pytest.approx(1.2 * found.stderr["a"], rel=1e-12)
    assert found.params["half"].held == "derived"
    whole = symgd.fit(POISSON, DATA, start={"a": 50, "b": 0.4, "c": 10}, derived={"h": "1/b"})
    expected = whole.stderr["b"] / whole.theta["b"] ** 2
    assert whole.stderr["h"] == pytest.approx(expected, rel=1e-12)
    for text, error in ("a", ArgumentError), ("x", FormulaError), ("1/B", FormulaError):
        with pytest.raises(error):
            symgd.fit(DECAY, DATA, derived={"a" if text == "a" else "h": text})


def test_rows_of_a_line_have_the_influence_of_algebra():
    design = np.column_stack([X, np.ones(40)])
    hat = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
    residual = Y - design @ np.linalg.lstsq(design, Y, rcond=None)[0]
    variance = residual @ residual / 38
    rows = symgd.fit("y = a*x + b", DATA).rows()
    assert rows["residual"] == pytest.approx(residual, abs=1e-12)
    assert rows["leverage"] == pytest.approx(hat, rel=1e-10)
    assert rows["standardized"] == pytest.approx(residual / np.sqrt(variance * (1 - hat)), rel=1e-9)
    cook = residual**2 * hat / (2 * variance * (1 - hat) ** 2)
    assert rows["cook"] == pytest.approx(cook, rel=1e-9)
    assert list(rows)[:2] == ["x", "y"]


def test_prediction_band_of_a_line_is_the_textbooks():
    found = symgd.fit("y = a*x + b", DATA)
    low, high = found.prediction_band({"x": [1.0, 7.0]}, 0.9)
    spread = 1 + 1 / 40 + (np.array([1.0, 7.0]) - X.mean()) ** 2 / np.sum((X - X.mean()) ** 2)
    half = stats.t.ppf(0.95, 38) * found.sigma * np.sqrt(spread)
    assert high - low == pytest.approx(2 * half, rel=1e-9)
    with pytest.raises(ArgumentError, match="weight"):
        symgd.fit("y = a*x + b", DATA, sigma="1 + x").prediction_band(DATA)


def printed(tmp_path, *options):
    path = tmp_path / "p.csv"
    lines = [f"{a!r},{b!r}" for a, b in zip(X.tolist(), Y.tolist(), strict=True)]
    path.write_text("\n".join(["x,y", *lines, ""]))
    found = CliRunner().invoke(app, ["fit", DECAY, str(path), "-q", *options])
    assert found.exit_code == 0, found.output
    return found.stdout


def test_command_prints_intervals_rows_and_bands(tmp_path):
    found = symgd.fit(DECAY, DATA)
    options = ["--profile", "--derived", "h=1/b", "--format", "json"]
    told = json.loads(printed(tmp_path, *options))
    profile = found.profile("a")
    assert told["intervals"]["params"]["a"] == [profile.low, profile.high]
    assert (told["intervals"]["from"], told["params"]["h"]["held"]) == ("profile", "derived")
    assert "95 % profile" in printed(tmp_path, "--profile")
    rows = np.genfromtxt(io.StringIO(printed(tmp_path, "--rows", "--format", "csv")),
                         delimiter=",", names=True)  # fmt: skip
    assert rows["cook"] == pytest.approx(found.rows()["cook"], rel=1e-12)
    at = str(tmp_path / "p.csv")
    bands = json.loads(printed(tmp_path, "--predict", at, "--format", "json"))
    assert bands["prediction_low"] == pytest.approx(found.prediction_band(DATA)[0], rel=1e-12)
