"""Columns of categories as subscripts; the oracle is least squares over dummy variables."""

import json

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from typer.testing import CliRunner

import symgd
from symgd.cli.app import app
from symgd.errors import SymgdError

_RANDOM = np.random.default_rng(7)
SITES = ["north", "south", "New York", "pi"]
FRAME = pd.DataFrame({"site": _RANDOM.choice(SITES, 40), "x": _RANDOM.normal(size=40)})
FRAME["y"] = FRAME.site.map(len) + 0.5 * FRAME.x + _RANDOM.normal(size=40)
TEXT = "mean((y - a[site] - b*x)^2)"


def dummies():
    wide = pd.get_dummies(FRAME.site).astype(float)
    wide["b"] = FRAME.x
    solution = np.linalg.lstsq(wide.to_numpy(), FRAME.y.to_numpy(), rcond=None)[0]
    return dict(zip(wide.columns, solution, strict=True))


def test_a_descent_by_category_is_least_squares_over_dummies():
    result = symgd.descend(TEXT, data=FRAME, lr="auto", steps=4000, tol=1e-11)
    expected = dummies()
    for site in SITES:
        assert result.theta[f"a[{site}]"] == pytest.approx(expected[site], rel=1e-8)
    assert result.theta["a"].tolist() == [result.theta[f"a[{site}]"] for site in sorted(SITES)]
    assert result.to_dict()["theta"]["a"]["New York"] == result.theta["a[New York]"]


def test_starts_and_elements_by_category():
    loss = symgd.Loss(f"{TEXT} + (a[north] - a[`New York`])^2 + a[pi]", FRAME)
    codes = pd.Categorical(FRAME.site).codes
    a = np.array([3.0, 2.0, 1.0, -1.0])
    residual = FRAME.y - a[codes] - 0.5 * FRAME.x
    expected = (residual**2).mean() + (a[1] - a[0]) ** 2 + a[2]
    assert loss({"a": a, "b": 0.5}) == pytest.approx(expected, rel=1e-14)
    by_label = dict(zip(sorted(SITES), a, strict=True))
    assert loss({"a": by_label, "b": 0.5}) == loss({"a": a, "b": 0.5})
    start = "a=3, a[north]=2, a[pi]=1, a[south]=-1, b=0.5"
    found = symgd.descend(loss, start=start, steps=0)
    assert found.theta["a"].tolist() == a.tolist()


def test_categories_on_the_command_line(tmp_path):
    FRAME.to_csv(tmp_path / "t.csv", index=False)
    args = [TEXT, "--data", str(tmp_path / "t.csv"), "--start", "a[south]=1", "--steps", "0"]
    found = CliRunner().invoke(app, ["run", *args, "--format", "json"])
    assert found.exit_code == 0, found.output
    theta = json.loads(found.stdout)["theta"]
    assert theta["a"] == {"New York": 0, "north": 0, "pi": 0, "south": 1}


def test_columns_of_one_axis_share_their_categories():
    games = {"home": ["a", "b", "c", "a"], "away": ["b", "c", "a", "d"], "won": [1.0, 0, 0, 1]}
    text = "sum(log(1 + exp(s[home] - s[away])) - won*(s[home] - s[away])) + sum(s^2)"
    found = symgd.descend(text, data=games, lr="auto", steps=2000, tol=1e-11)
    home, away, won = np.array([0, 1, 2, 0]), np.array([1, 2, 0, 3]), np.array(games["won"])

    def loss(s):
        z = s[home] - s[away]
        return np.sum(np.logaddexp(0, z) - won * z) + np.sum(s**2)

    expected = minimize(loss, np.zeros(4), tol=1e-12).x
    assert found.theta["s"] == pytest.approx(expected, abs=1e-6)


def test_a_label_of_text_chooses_an_element_of_a_definition():
    text = "z[k] = W[k,1]*x + W[k,2]*y, k=1..4; mean(logsumexp(z[k], k) - z[site])"
    loss = symgd.Loss(text, FRAME)
    weights = np.random.default_rng(8).normal(size=(4, 2))
    z = FRAME[["x", "y"]].to_numpy() @ weights.T
    own = z[np.arange(40), pd.Categorical(FRAME.site).codes]
    expected = np.mean(np.log(np.exp(z).sum(axis=1)) - own)
    assert loss({"W": weights}) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f"{TEXT} + a[nort]", "a has no category 'nort'"),
        (f"{TEXT} + a[m]", "there are New York, north, pi, south"),
        (f"{TEXT} + c[north]", "north is no index here"),
        (f"{TEXT} + mean(site)", "column 'site': .* is text, not a number"),
        ("z[k] = w[k]*x, k=1..3; mean(z[site])", r"site has 4 categories, and z is z\[1..3\]"),
    ],
)
def test_errors(text, sentence):
    with pytest.raises(SymgdError, match=sentence):
        symgd.Loss(text, FRAME)


def test_the_arrays_of_a_definition_have_its_categories():
    text = "z[k] = W[k,1]*x + b[k], k=1..4; mean(logsumexp(z[k], k) - z[site]) + c[4]^2"
    result = symgd.descend(text, data=FRAME, lr=0.1, steps=3, start="b[north]=1")
    assert result.theta["W[New York,1]"] == result.theta["W"][0, 0]
    assert result.to_dict()["start"]["b"] == {"New York": 0, "north": 1, "pi": 0, "south": 0}
    assert result.theta["c"].shape == (4,)  # which no category indexes
    assert "c[4]" in result.theta


TWO = "mean((y - where(site == north, a, c) - b*x)^2)"


@pytest.mark.parametrize(
    "condition", ["site == north", "'north' == site", 'not (site != "north")', "site[i] == north"]
)
def test_a_text_column_beside_the_name_of_a_category(condition):
    text = TWO.replace("site == north", condition)
    if "[i]" in text:
        text = text.replace("y -", "y[i] -").replace("*x", "*x[i]").replace(")^2)", ")^2, i)")
    loss = symgd.Loss(text, FRAME)
    own = FRAME.site == "north"
    expected = ((FRAME.y - np.where(own, 2.0, -1.0) - 0.5 * FRAME.x) ** 2).mean()
    assert loss({"a": 2, "b": 0.5, "c": -1}) == pytest.approx(expected, rel=1e-14)
    if "[i]" not in text:
        slope = symgd.Loss(loss.gradient_text()["a"], FRAME)  # names the category, too
        by_hand = (-2 * own * (FRAME.y - 2.0 - 0.5 * FRAME.x)).mean()
        assert slope({n: {"a": 2, "b": 0.5, "c": -1}[n] for n in slope.params}) == pytest.approx(
            by_hand, rel=1e-13
        )


def test_a_fit_by_category_is_least_squares_over_its_rows():
    found = symgd.fit("y = where(site == 'New York', a, c) + b*x", FRAME)
    own = (FRAME.site == "New York").astype(float)
    columns = np.stack([own, 1 - own, FRAME.x], axis=1)
    a, c, b = np.linalg.lstsq(columns, FRAME.y.to_numpy(), rcond=None)[0]
    assert list(found.theta.values()) == pytest.approx([a, b, c], rel=1e-9)
    assert found.predict(FRAME[:3]) == pytest.approx(columns[:3] @ [a, c, b], rel=1e-9)


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        ("site == nroth", "did you mean 'north'"),
        ("site != 'West'", "there are New York, north, pi, south"),
        ("site > north", "not a number"),
        ("site > north", "texts stand beside == and !="),
        ("q[site + 1] > 0", "nothing to add to a category"),
        ("x == 'north'", "is a text, and x is a column of numbers"),
        ("q == 'north'", "is compared with a column"),
        ("2*'north' == site", "stands only beside == or !="),
    ],
)
def test_what_a_text_cannot_be_compared_with(condition, sentence):
    with pytest.raises(SymgdError, match=sentence):
        symgd.Loss(TWO.replace("site == north", condition), FRAME)


def test_a_word_beside_a_column_of_numbers_is_a_parameter():
    loss = symgd.Loss("sum(where(x == k, a, x))", {"x": [1.0, 2.0, 3.0]})
    assert loss.params == ("a", "k")
    assert loss({"a": 10, "k": 2}) == 14
