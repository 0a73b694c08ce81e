"""Fits of models with indices; the oracles are least squares over dummy variables and SciPy."""

import json
import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import curve_fit, minimize
from typer.testing import CliRunner

from symgd import fit
from symgd.cli.app import app
from symgd.errors import SymgdError

_RANDOM = np.random.default_rng(3)
N = 60
SITES = ["New York", "north", "south"]
FRAME = pd.DataFrame({"site": _RANDOM.choice(SITES, N), "x": _RANDOM.uniform(0, 2, N)})
FRAME = FRAME.assign(X1=_RANDOM.normal(size=N), X2=_RANDOM.normal(size=N))
FRAME["y"] = FRAME.site.map(len) * np.exp(0.5 * FRAME.x) + FRAME.X1 + _RANDOM.normal(size=N)
CODES = pd.Categorical(FRAME.site).codes


def ordinary(matrix):
    """Coefficients and standard errors of ordinary least squares."""
    y = FRAME.y.to_numpy()
    solution, rss, *_ = np.linalg.lstsq(matrix, y, rcond=None)
    covariance = np.linalg.inv(matrix.T @ matrix) * rss / (N - matrix.shape[1])
    return solution, np.sqrt(np.diag(covariance))


def check(found, names, solution, errors, rel=1e-8):
    assert [found.theta[n] for n in names] == pytest.approx(list(solution), rel=rel)
    assert [found.stderr[n] for n in names] == pytest.approx(list(errors), rel=rel)


POWERS = FRAME[["x"]].to_numpy() ** [0, 1, 2]
DUMMIES = pd.get_dummies(FRAME.site).to_numpy(float)
LINEAR = {
    "y = a[site] + b*x": (["a[New York]", "a[north]", "a[south]", "b"], [DUMMIES, FRAME[["x"]]]),
    "y = sum(w[j]*X[j], j) + b": (["w[1]", "w[2]", "b"], [FRAME[["X1", "X2"]], np.ones((N, 1))]),
    "y = dot(w, X) + a[site]": (["w[1]", "w[2]", "a[south]"], [FRAME[["X1", "X2"]], DUMMIES]),
    "y = sum(c[k]*x^(k - 1), k=1..3)": ([f"c[{k}]" for k in (1, 2, 3)], [POWERS]),
    "s[k] = X[k]^2; y = sum(w[k]*s[k], k)": (["w[1]", "w[2]"], [FRAME[["X1", "X2"]] ** 2]),
    "s = m*x\ny = s + b": (["m", "b"], [FRAME[["x"]], np.ones((N, 1))]),
    "sum((y - a[site])^2)": (["a[New York]", "a[north]", "a[south]"], [DUMMIES]),
}  # fmt: skip


@pytest.mark.parametrize("text", LINEAR)
def test_linear_models_are_ordinary_least_squares(text):
    names, columns = LINEAR[text]
    solution, errors = ordinary(np.hstack(columns))
    kept = [*range(len(names) - 1), -1]  # the last parameter stands last
    check(fit(text, FRAME), names, solution[kept], errors[kept])


def test_a_curve_of_each_group_against_scipy():
    def model(_, *p):
        return np.array(p[:3])[CODES] * np.exp(p[3] * FRAME.x)

    solution, covariance = curve_fit(model, None, FRAME.y, [8, 5, 5, 0.5], xtol=1e-15, ftol=1e-15)
    names = ["a[New York]", "a[north]", "a[south]", "b"]
    text = "y = a[site]*exp(b*x)"
    for start in (None, "a=5, a[New York]=8, b=0.5", {"a": [8, 5, 5]}, {"a[north]": 5.0}):
        found = fit(text, FRAME, start=start)
        check(found, names, solution, np.sqrt(np.diag(covariance)), rel=1e-5)
    assert found.theta["a"] == pytest.approx(solution[:3], rel=1e-6)


def test_elements_are_fixed_tied_and_bounded():
    model = "y = a[site] + b*x"
    found = fit(model, FRAME, tied={"a[south]": "2*a[north]"}, fixed={"a[New York]": 8.0})
    matrix = np.column_stack([DUMMIES[:, 1] + 2 * DUMMIES[:, 2], FRAME.x])
    y = FRAME.y - 8 * DUMMIES[:, 0]
    solution = np.linalg.lstsq(matrix, y, rcond=None)[0]
    assert [found.theta[n] for n in ("a[north]", "b")] == pytest.approx(solution.tolist())
    assert found.theta["a"].tolist() == [8.0, found.theta["a[north]"], 2 * found.theta["a[north]"]]
    held = fit(model, FRAME, bounds={"a[south]": (None, 1.0)})
    assert held.theta["a[south]"] == 1.0
    assert held.params["a[south]"].held == "at its bound"


def test_a_hierarchical_loss_against_scipy():
    text = "sum((y - a[site])^2)/2 + sum((a[k] - m)^2, k)/(2*3^2) + m^2"

    def loss(p):
        a, m = p[:3], p[3]
        return np.sum((FRAME.y - a[CODES]) ** 2) / 2 + np.sum((a - m) ** 2) / 18 + m**2

    found = fit(text, FRAME)
    expected = minimize(loss, np.ones(4), tol=1e-10)
    assert list(found.theta.values()) == pytest.approx(expected.x, rel=1e-6)
    counts = np.bincount(CODES)
    hessian = np.diag([*(counts + 1 / 9), 3 / 9 + 2])
    hessian[:3, 3] = hessian[3, :3] = -1 / 9
    errors = np.sqrt(np.diag(np.linalg.inv(hessian)))
    assert list(found.stderr.values()) == pytest.approx(errors, rel=1e-8)


def test_predictions_for_other_rows_and_categories():
    found = fit("y = a[site] + b*x", FRAME)
    rows = pd.DataFrame({"site": ["south", "New York"], "x": [1.0, 2.0]})
    expected = [found.theta[f"a[{s}]"] + found.theta["b"] * x for s, x in rows.to_numpy()]
    for curve in (found, pickle.loads(pickle.dumps(found))):
        assert curve.predict(rows) == pytest.approx(expected)
    with pytest.raises(SymgdError, match="'west' is none of the categories New York, north, south"):
        found.predict({"site": ["west"], "x": [1.0]})


def test_on_the_command_line(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    args = ["fit", "y = sum(w[j]*Z[j], j) + a[site]", str(tmp_path / "t.csv"), "--format", "json"]
    args += ["--vector", "Z=x,X1", "--fix", "a[New York]=8", "--bound", "w[1]=0:"]
    found = CliRunner().invoke(app, args)
    assert found.exit_code == 0, found.output
    params = json.loads(found.stdout)["params"]
    matrix = np.column_stack([FRAME.x, FRAME.X1, DUMMIES[:, 1:]])
    solution = np.linalg.lstsq(matrix, FRAME.y - 8 * DUMMIES[:, 0], rcond=None)[0]
    names = ["w[1]", "w[2]", "a[north]", "a[south]"]
    assert [params[n]["value"] for n in names] == pytest.approx(solution.tolist())
    assert params["a[New York]"] == {"value": 8.0, "stderr": None, "held": "fixed"}


@pytest.mark.parametrize(
    ("model", "options", "sentence"),
    [
        ("a[1] = x", {}, "'a' is no column of the data"),
        ("y = a[k]", {}, "k is no index here"),
        ("y = a[site]", {"fixed": {"a[west]": 1}}, r"no parameter 'a\[west\]'"),
        ("y = a[site]", {"tied": {"a[north]": "a[west]"}}, "a has no category 'west'"),
        ("y = a[site] + c[1]", {"tied": {"a[north]": "c[2]"}}, "the model does not have"),
        ("y = a[site]", {"sizes": {"n": 2}}, "no size 'n'"),
        ("y = sum(a[k]*x, k=1..30000)", {}, "too many elements and terms for a fit"),
        ("sum((y - a[k]*x)^2, k=1..3)", {}, "column of the data"),
    ],
)
def test_errors(model, options, sentence):
    with pytest.raises(SymgdError, match=sentence):
        fit(model, FRAME, **options)
