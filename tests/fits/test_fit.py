"""Fits against what others certify: NIST, scikit-learn and statsmodels, NumPy, SciPy, mpmath."""

import json
import math
import subprocess
import sys
from pathlib import Path

import mpmath
import numpy as np
import pytest

import symgd
from symgd import ArgumentError, DataError, DescentError, FormulaError
from tests import regression
from tests.hang_guard import HUNG
from tests.outcome import Outcome

DATA = Path(__file__).parents[1] / "files"
NIST = json.loads((DATA / "nist.json").read_text())
REGRESSIONS = json.loads((DATA / "regressions.json").read_text())

GENERATOR = np.random.default_rng(11)
X = np.linspace(0.0, 4.0, 60)
CURVE = {
    "x": X,
    "y": 2.5 * np.exp(-1.3 * X) + 0.5 + GENERATOR.normal(0, 0.05, 60),
    "w": GENERATOR.uniform(0.5, 2.0, 60),
}


def digits(found, certified):
    return -math.log10(
        max(abs(f - c) / abs(c) for f, c in zip(found, certified, strict=True)) + 1e-12
    )


@pytest.mark.parametrize("start", range(8))
def test_last_digits_where_gauss_newton_steps_shrink_slowly(start):
    """By 0.67 each near the minimum of Thurber's: so many are taken that it does not show."""
    record = next(r for r in NIST if r["name"] == "Thurber")
    names, rng = record["params"], np.random.default_rng(start)
    near = np.array(record["certified"]) * (1 + rng.uniform(-0.01, 0.01, len(names)))
    result = symgd.fit(
        f"{record['lhs']} = {record['expr']}",
        record["data"],
        start=dict(zip(names, near.tolist(), strict=True)),
    )
    assert result.status == "converged"
    assert digits([result.theta[n] for n in names], record["certified"]) >= 10


@pytest.mark.parametrize("start", ["start1", "start2"])
@pytest.mark.parametrize("record", NIST, ids=lambda r: r["name"])
def test_nist_to_eight_digits_from_both_starts(record, start):
    names = record["params"]
    result = symgd.fit(
        f"{record['lhs']} = {record['expr']}",
        record["data"],
        start=dict(zip(names, record[start], strict=True)),
    )
    assert result.status == "converged"
    assert result.steps > 0
    assert digits([result.theta[n] for n in names], record["certified"]) >= 8
    assert digits([result.stderr[n] for n in names], record["certified_sd"]) >= 8
    assert result.rss == pytest.approx(record["rss"], rel=1e-8)
    assert result.sigma == pytest.approx(record["resid_sd"], rel=1e-8)
    assert result.dof == record["dof"]


@pytest.mark.parametrize("record", NIST, ids=lambda r: r["name"])
def test_nist_without_a_start_reaches_the_certified_sum_of_squares(record):
    result = symgd.fit(f"{record['lhs']} = {record['expr']}", record["data"])
    assert result.status == "converged"
    assert result.rss == pytest.approx(record["rss"], rel=1e-7)


@pytest.mark.parametrize("wrap", ["sum", "mean"])
@pytest.mark.parametrize("record", REGRESSIONS, ids=lambda r: r["name"])
def test_regressions_are_those_of_statsmodels(record, wrap):
    result = symgd.fit(f"{wrap}({record['row_loss']})", record["data"])
    assert result.status == "converged"
    for name, coef, stderr in zip(record["params"], record["coef"], record["stderr"], strict=True):
        assert result.theta[name] == pytest.approx(coef, rel=1e-9)
        assert result.stderr[name] == pytest.approx(stderr, rel=1e-9)


@pytest.mark.parametrize(
    "record", [r for r in REGRESSIONS if r["kind"] == "ols"], ids=lambda r: r["name"]
)
def test_the_model_and_its_squares_are_one_fit(record):
    model = symgd.fit(f"{record['response']} = {record['model']}", record["data"])
    squares = symgd.fit(f"sum({record['row_loss']})", record["data"])
    assert model.theta == pytest.approx(squares.theta, rel=1e-12)
    assert model.r2 == pytest.approx(squares.r2, rel=1e-12)
    y = np.array(record["data"][record["response"]])
    assert model.r2 == pytest.approx(1 - model.rss / np.sum((y - y.mean()) ** 2), rel=1e-12)


def test_an_ill_conditioned_polynomial_keeps_the_digits_that_qr_can():
    # the shape of NIST's Filip: degree 10 far from 0; the oracle solves it with 60 digits
    x = np.linspace(-9.0, -3.0, 82)
    y = np.cos(x) + 0.01 * np.sin(50 * x)
    powers = " + ".join(f"b{k}*x**{k}" for k in range(11))
    result = symgd.fit(f"y = {powers}", {"x": x, "y": y})
    with mpmath.workdps(60):
        design = mpmath.matrix(82, 11)
        for i in range(82):
            for k in range(11):
                design[i, k] = mpmath.mpf(float(x[i])) ** k
        right = design.T * mpmath.matrix([mpmath.mpf(float(v)) for v in y])
        exact = mpmath.lu_solve(design.T * design, right)
        certified = [float(v) for v in exact]
    longer = np.finfo(np.longdouble).eps < 1e-18  # then the last steps are iterative refinement
    assert digits([result.theta[f"b{k}"] for k in range(11)], certified) >= (9 if longer else 6)
    assert result.status == "converged"


def test_weights_are_those_of_weighted_least_squares():
    x, y, w = CURVE["x"], CURVE["y"], CURVE["w"]
    design = np.column_stack([np.exp(-x), np.ones_like(x)])
    root = np.sqrt(w)
    coef, rss, *_ = np.linalg.lstsq(design * root[:, None], y * root)
    cov = np.linalg.inv(design.T @ (design * w[:, None])) * rss[0] / 58
    for options in ({"weight": "w"}, {"sigma": "1/sqrt(w)"}):
        result = symgd.fit("y = a*exp(-x) + b", CURVE, **options)
        assert list(result.theta.values()) == pytest.approx(list(coef), rel=1e-12)
        assert result.covariance == pytest.approx(cov, rel=1e-10)
    absolute = symgd.fit("y = a*exp(-x) + b", CURVE, sigma="1/sqrt(w)", absolute_sigma=True)
    assert absolute.covariance == pytest.approx(cov * 58 / rss[0], rel=1e-10)


def test_a_thousand_pieces_of_rows_reduce_to_one_triangle():
    x = np.tile(X, 1000)
    y = np.tile(CURVE["y"], 1000)
    many = symgd.fit("y = a*exp(-b*x) + c", {"x": x, "y": y})
    few = symgd.fit("y = a*exp(-b*x) + c", CURVE)
    assert many.theta == pytest.approx(few.theta, rel=1e-10)
    ratio = math.sqrt((60_000 - 3) / (60 - 3))
    for name in few.names:
        assert many.stderr[name] * ratio == pytest.approx(few.stderr[name], rel=1e-9)


def test_aic_and_bic_are_those_of_the_normal_log_likelihood():
    result = symgd.fit("y = a*exp(-b*x) + c", CURVE, weight="w")
    spread = result.rss / 60
    with mpmath.workdps(30):
        residual = CURVE["y"] - result.predict(CURVE)
        log_likelihood = mpmath.fsum(
            mpmath.log(mpmath.npdf(float(r), 0, mpmath.sqrt(spread / float(w))))
            for r, w in zip(residual, CURVE["w"], strict=True)
        )
    assert result.aic == pytest.approx(float(8 - 2 * log_likelihood), rel=1e-10)
    assert result.bic == pytest.approx(float(4 * math.log(60) - 2 * log_likelihood), rel=1e-10)


def test_fixed_and_tied_parameters_are_put_in():
    free = symgd.fit("y = a*exp(-b*x) + 0.5", CURVE)
    fixed = symgd.fit("y = a*exp(-b*x) + c", CURVE, fixed={"c": 0.5})
    assert fixed.theta["a"] == pytest.approx(free.theta["a"], rel=1e-12)
    assert fixed.params["c"] == symgd.Estimate(0.5, None, "fixed")
    tied = symgd.fit("y = a*exp(-b*x) + c", CURVE, tied={"c": "a/5 + d"}, fixed={"d": 0.0})
    plain = symgd.fit("y = a*exp(-b*x) + a/5", CURVE)
    assert tied.theta["a"] == pytest.approx(plain.theta["a"], rel=1e-10)
    assert tied.stderr["c"] == pytest.approx(plain.stderr["a"] / 5, rel=1e-8)


def test_a_bound_holds_and_is_told():
    result = symgd.fit("y = a*exp(-b*x) + c", CURVE, bounds={"b": (None, 1.0), "a": (0, 100)})
    held = symgd.fit("y = a*exp(-b*x) + c", CURVE, fixed={"b": 1.0})
    assert result.theta["b"] == 1.0
    assert result.params["b"].held == "at its bound"
    assert result.params["b"].stderr is None
    assert result.theta["a"] == pytest.approx(held.theta["a"], rel=1e-9)
    assert any("b is at its bound" in w for w in result.warnings)
    assert result.status == "converged"


def test_what_the_data_do_not_determine_is_not_called_converged():
    result = symgd.fit("y = a*b*x + c", CURVE, start={"a": 1.0, "b": 1.0, "c": 0.0})
    assert result.status != "converged"
    assert result.stderr["a"] is None
    assert any("a, b" in w and "non-identifiable" in w for w in result.warnings)
    with pytest.raises(DescentError):
        result.raise_for_status()


def test_a_rate_that_runs_away_is_not_called_converged():
    data = {
        "x": np.arange(1.0, 9.0),
        "y": np.full(8, 2.0) + np.random.default_rng(8).normal(0, 0.1, 8),
    }
    result = symgd.fit("y = a*(1 - exp(-b*x))", data, start={"a": 1.0, "b": 900.0})
    assert result.status != "converged" or result.stderr["b"] is not None


def test_separated_classes_have_no_logit_fit():
    data = {"x": np.arange(10.0), "y": (np.arange(10) > 4).astype(float)}
    result = symgd.fit("sum(log(1 + exp(a + b*x)) - y*(a + b*x))", data)
    assert result.status != "converged"


def test_huber_is_the_m_estimate_and_its_sandwich():
    y = CURVE["y"].copy()
    y[::7] += 3.0
    data = {"x": X, "y": y}
    result = symgd.fit("y = a*x + b", data, loss="huber(r, 0.5)")
    # the estimating equations, by iteratively reweighted least squares
    design = np.column_stack([X, np.ones_like(X)])
    coef = np.linalg.lstsq(design, y)[0]
    for _ in range(2000):
        r = y - design @ coef
        w = np.sqrt(np.minimum(1.0, 0.5 / np.abs(r)))
        coef = np.linalg.lstsq(design * w[:, None], y * w)[0]
    assert [result.theta["a"], result.theta["b"]] == pytest.approx(list(coef), rel=1e-8)
    r = y - design @ coef
    bread = np.linalg.inv(design.T @ (design * (np.abs(r) < 0.5)[:, None]))
    meat = design.T @ (design * (np.clip(r, -0.5, 0.5) ** 2)[:, None])
    sandwich = bread @ meat @ bread * 60 / 58
    assert result.covariance == pytest.approx(sandwich, rel=1e-7)


def test_a_rule_of_the_catalogue_reaches_the_same_fit():
    exact = symgd.fit("y = a*exp(-x) + c", CURVE)
    rule = symgd.fit("y = a*exp(-x) + c", CURVE, method="gd", start=1.0, lr=0.3, steps=3000)
    assert rule.theta == pytest.approx(exact.theta, rel=1e-5)
    assert rule.stderr == pytest.approx(exact.stderr, rel=1e-3)
    short = symgd.fit("y = a*exp(-x) + c", CURVE, method="gd", start=5.0, lr=1e-4, steps=3)
    assert short.status != "converged"


def test_batches_come_near():
    exact = symgd.fit("y = a*exp(-x) + c", CURVE)
    noisy = symgd.fit(
        "y = a*exp(-x) + c",
        CURVE,
        method="gd",
        start=1.0,
        lr="0.5/(1+t/20)",
        steps=4000,
        batch=16,
        seed=1,
    )
    assert noisy.theta == pytest.approx(exact.theta, abs=0.02)
    again = symgd.fit(
        "y = a*exp(-x) + c",
        CURVE,
        method="gd",
        start=1.0,
        lr="0.5/(1+t/20)",
        steps=4000,
        batch=16,
        seed=1,
    )
    assert again.theta == noisy.theta


def test_predictions_need_the_columns_of_the_model_only():
    result = symgd.fit("log(y) = a + b*(x - mean(x))", {"x": X, "y": np.exp(1 + 2 * X)})
    assert result.predict({"x": [0.0, 1.0]}) == pytest.approx([1.0, 3.0], rel=1e-12)
    constant = symgd.fit("y = a", CURVE)
    assert constant.theta["a"] == pytest.approx(np.mean(CURVE["y"]), rel=1e-14)


def test_named_columns_in_back_quotes():
    data = {"dose (mg)": X, "θ": 2 * X + 1}
    result = symgd.fit("theta = a*`dose (mg)` + b", data)
    assert result.theta == pytest.approx({"a": 2.0, "b": 1.0})


def test_the_result_is_plain_data():
    result = symgd.fit("y = a*exp(-b*x) + c", CURVE)
    found = json.loads(json.dumps(result.to_dict()))
    for key in ("params", "covariance", "rss", "n", "dof", "sigma", "r2", "status", "message"):
        assert key in found
    assert found["params"]["a"]["value"] == result.theta["a"]
    assert "standard error" in str(result)
    assert "<table>" in result._repr_html_()


@pytest.mark.parametrize(
    ("model", "options", "error", "part"),
    [
        ("y = a*x = b", {}, FormulaError, "one '='"),
        ("= a*x", {}, FormulaError, "left"),
        ("y =", {}, FormulaError, "right"),
        ("z = a*x", {}, FormulaError, "no column"),
        ("y = 2*x", {}, ArgumentError, "no free parameter"),
        ("y = a*x + ", {}, FormulaError, "too early"),
        ("y = a*x + b", {"tied": {"b": "sum(exp(a*x))"}}, FormulaError, "holds no parameter"),
        ("y = a*x", {"weight": "w", "sigma": "w"}, ArgumentError, "not both"),
        ("y = a*x", {"weight": "q"}, FormulaError, "no column"),
        ("y = a*x", {"weight": "x - 2"}, DataError, "row 1"),
        ("y = a*x", {"loss": "huber(s)"}, FormulaError, "is not r"),
        ("y = a*x", {"loss": "2"}, FormulaError, "does not hold"),
        ("y = a*x", {"fixed": {"b": 1.0}}, ArgumentError, "no parameter 'b'"),
        ("y = a*x", {"fixed": {"x": 1.0}}, ArgumentError, "parameter"),
        ("y = a*x + b", {"fixed": {"b": math.nan}}, ArgumentError, "finite"),
        ("y = a*x + b", {"fixed": {"b": 1}, "tied": {"b": "a"}}, ArgumentError, "fixed and tied"),
        ("y = a*x + b", {"tied": {"b": "a", "a": "b"}}, ArgumentError, "tied itself"),
        ("y = a*x + b", {"bounds": {"b": (2, 1)}}, ArgumentError, "nothing between"),
        ("y = a*x + b", {"bounds": {"q": (2, 1)}}, ArgumentError, "no parameter 'q'"),
        ("y = a*x + b", {"start": {"q": 1}}, ArgumentError, "no free parameter 'q'"),
        ("y = a*x + b", {"start": [1.0]}, ArgumentError, "1 numbers for 2"),
        ("y = a*log(b*x + 1)", {"start": {"a": 1, "b": -1}}, ArgumentError, "in row"),
        ("y = a*x", {"method": "nope"}, ArgumentError, "no method .nope.; it has auto"),
        ("y = a*x", {"lr": 0.1}, ArgumentError, "belong to the descent rules"),
        ("y = a*x", {"steps": 0}, ArgumentError, "steps"),
        ("sum((y - a*x)**2)", {"weight": "w"}, ArgumentError, "belong to a model"),
    ],
)  # fmt: skip
def test_a_mistake_is_refused_before_the_fit(model, options, error, part):
    with pytest.raises(error, match=part):
        symgd.fit(model, CURVE, **options)


# The command line


@pytest.fixture
def curve(tmp_path):
    path = tmp_path / "curve.csv"
    rows = zip(CURVE["x"], CURVE["y"], CURVE["w"], strict=True)
    path.write_text(
        "x,y,w\n" + "".join(f"{float(a)!r},{float(b)!r},{float(c)!r}\n" for a, b, c in rows)
    )
    return str(path)


def command(*words):
    done = Outcome("fit", *words)
    return done.code, done.out, done.err


def test_the_command_prints_the_same_fit(curve):
    expected = symgd.fit("y = a*exp(-b*x) + c", CURVE)
    words = ["y = a*exp(-b*x) + c", curve, "--format", "json"]
    done = subprocess.run(  # a process of its own, as people start it; the others stay in this one
        [sys.executable, "-m", "symgd", "fit", *words], capture_output=True, text=True, timeout=HUNG
    )
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert {n: p["value"] for n, p in found["params"].items()} == pytest.approx(expected.theta)
    assert "parameters: a, b, c; columns: x, y; 60 rows" in done.stderr
    code, out, _ = command("y = a*exp(-b*x) + c", curve, "--fix", "c=0.5", "--bound", "b=0:", "-q")
    assert code == 0
    assert "fixed" in out
    assert "degrees of freedom" in out
    code, out, _ = command("y = a*exp(-b*x) + c", curve, "--format", "csv")
    assert out.splitlines()[0] == "name,value,stderr,low,high"
    code, out, _ = command("y = a*exp(-b*x) + c", curve, "--predict", curve)
    assert np.array(out.split(), dtype=float) == pytest.approx(expected.predict(CURVE))


def test_check_tells_what_did_not_converge(curve):
    assert command("y = a*b*x", curve, "--start", "1", "--check")[0] == 3
    assert command("y = a*x", curve, "--check")[0] == 0


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["y = a*x", "--bound", "a=1"], "LOW:HIGH"),
        (["y = a*x", "--tie", "a"], "--tie"),
        (["y = a*x", "--format", "xml"], "--format"),
        (["y = a*x", "--steps", "x"], "--steps"),
        (["y == a*x"], "column"),
        (["y = a*q("], "not a function"),
    ],
)
def test_a_mistake_on_the_command_line_is_one_message(words, part, curve):
    code, out, err = command(words[0], curve, *words[1:])
    assert (code, out) == (2, "")
    assert part in err
    assert "Traceback" not in err


def test_the_sample_for_a_start_is_not_drawn_like_the_data():
    generator = np.random.default_rng(0)
    x = generator.uniform(0, 4, 50_000)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + generator.normal(0, 0.1, 50_000)
    result = symgd.fit("y = a*exp(-b*x) + c", {"x": x, "y": y})
    assert result.status == "converged"
    assert result.theta == pytest.approx({"a": 2.5, "b": 1.3, "c": 0.5}, rel=0.02)
    assert result.steps < 10  # from a good start


def test_sums_of_products_and_the_triangle_give_the_same_fit(monkeypatch):
    from symgd.fits import qr_reduction

    generator = np.random.default_rng(3)
    x = generator.uniform(0, 4, 30_000)
    data = {"x": x, "y": 2.5 * np.exp(-1.3 * x) + generator.normal(0, 0.1, 30_000)}
    many = symgd.fit("y = a*exp(-b*x) + c", data, start=1.0)
    monkeypatch.setattr(qr_reduction, "_GRAM_FROM", 10**9)
    few = symgd.fit("y = a*exp(-b*x) + c", data, start=1.0)
    right, covariance = regression.decay(data["x"], data["y"])
    for found in (many, few):
        assert list(found.theta.values()) == pytest.approx(right, rel=1e-10, abs=1e-12)
        assert found.covariance == pytest.approx(covariance, rel=1e-8)
