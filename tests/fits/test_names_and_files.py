"""Fits of files and formulas as people type them: the right numbers, or a hint that helps."""

import io

import numpy as np
import pytest

import symgd
from symgd.errors import DataError, FormulaError

X = np.round(np.linspace(0, 9, 51), 4)
Y = np.round(2 * X + 1 + 0.01 * np.sin(7 * X), 4)
ROWS = list(zip(X, Y, strict=True))
SLOPE, OFFSET = np.polyfit(X, Y, 1)
POINTS = {"x": [1.0, 2, 3, 4, 5], "y": [1.0, 3, 4, 8, 9]}
COSTS = {"reductions": [50.0, 55, 60, 70], "cost.per.car": [45.0, 55, 62, 90]}


def written(rows, header, mark=",", decimal="."):
    lines = [mark.join(f"{v:.4f}".replace(".", decimal) for v in row) for row in rows]
    return io.StringIO("\n".join([*header, *lines, ""]))


@pytest.mark.parametrize(
    ("model", "source", "columns"),
    [
        ("y = a*x + b", written(ROWS, ["# x y"], " "), None),
        ("y = a*x + b", written(ROWS, ["# measured 12 March", "x,y"]), None),
        ("`y [V]` = a*`x [mm]` + b", written(ROWS, ["x [mm];y [V]"], ";", ","), None),
        ("y = a*x + b", written(ROWS, ["x [mm]\ty [V]"], "\t", ","), None),
        ("x2 = a*x1 + b", written(ROWS, [], "|"), None),
        ("u = a*t + b", written(ROWS, []), ["t", "u"]),
        ("u = a*t + b", np.column_stack([X, Y]), ["t", "u"]),
    ],
    ids=["commented names", "comments", "decimal commas", "units", "bars", "columns", "array"],
)  # fmt: skip
def test_file_is_fitted(model, source, columns):
    found = symgd.fit(model, source, columns=columns)
    assert found.theta["a"] == pytest.approx(SLOPE, rel=1e-9)
    assert found.theta["b"] == pytest.approx(OFFSET, rel=1e-9)


HINTS = [
    ("cost.per.car = a*exp(b*reductions) + c", COSTS, "write `cost.per.car`"),
    ("y = a*my x + b", {"my x": [1.0, 2], "y": [1.0, 2]}, "write `my x`"),
    ("y = a*x [mm] + b", {"x [mm]": [1.0, 2], "y": [1.0, 2]}, "write `x [mm]`"),
    ("y [V] = a*x", {"x": [1.0, 2], "y [V]": [1.0, 2]}, "write `y [V]`"),
    ("y ~ a*x + b", POINTS, "write for example y = a*x + b"),
    ("y ~ x", POINTS, "write for example y = a*x + b"),
    ("y = np.exp(a*x)", POINTS, "write exp, not np.exp"),
    ("y = ax + b", POINTS, "did you mean a*x?"),
    ("y = xa + b", POINTS, "did you mean x*a?"),
    ("y = a*X + b", POINTS, "did you mean the column x?"),
    ("y = a*temprature + b", {"temperature": [1.0, 2], "y": [1.0, 2]}, "the column temperature?"),
    ("y = a*x + y", POINTS, "y stands on both sides"),
    ("log(y) = a + b*y", POINTS, "y stands on both sides"),
]  # fmt: skip


@pytest.mark.parametrize(("model", "data", "hint"), HINTS)
def test_hint_tells_what_was_meant(model, data, hint):
    with pytest.raises(FormulaError) as caught:
        symgd.fit(model, data)
    assert hint in str(caught.value)


REMARKS = [
    ("y = a*x + max(e, 1)", POINTS, "e is Euler's number"),
    ("y = a*x*log(e) + b", POINTS, "--start e=1"),
    ("y = a*x + b*Z", {**POINTS, "z": [1.0, 4, 2, 3, 3]}, "did you mean the column z?"),
    ("y = a*x + b*temprature", {**POINTS, "temperature": [1.0] * 5}, "the column temperature?"),
    ("y = a*x + b + bx", POINTS, "did you mean b*x?"),
    ("y = a*x + p-q", {**POINTS, "p-q": [1.0, 4, 2, 3, 3]}, "the column is written `p-q`"),
]


@pytest.mark.parametrize(("model", "data", "word"), REMARKS)
def test_name_that_may_be_meant_otherwise_is_remarked(model, data, word):
    assert word in " ".join(symgd.fit(model, data).warnings)


@pytest.mark.parametrize(
    "model", ["y = a*e^(b*x)", "y = 1e-1*a*x + e**2*b", "y = c", "y = a*exp(x/5)", "y/x = c - a*y",
              "y = a*exp(x/5) + sx"]
)  # fmt: skip
def test_usual_formula_has_no_hint(model):
    told = " ".join(symgd.fit(model, POINTS, start=1).warnings)
    assert "Euler" not in told
    assert "mean" not in told


def test_e_is_a_parameter_where_it_is_started():
    found = symgd.fit("y = a*x + e", POINTS, start={"e": 1})
    assert found.theta["e"] == pytest.approx(np.polyfit(POINTS["x"], POINTS["y"], 1)[1])
    assert not any("Euler" in told for told in found.warnings)


def test_arrays_are_sigma_and_weight():
    sigma = np.array([1.0, 2, 1, 0.5, 1])
    design = np.column_stack([POINTS["x"], np.ones(5)]) / sigma[:, None]
    expected = np.linalg.lstsq(design, POINTS["y"] / sigma, rcond=None)[0]
    for given in ({"sigma": sigma}, {"weight": list(sigma**-2)}):
        found = symgd.fit("y = a*x + b", POINTS, **given)
        assert [found.theta["a"], found.theta["b"]] == pytest.approx(expected, rel=1e-10)
    error = symgd.fit("y = a*x + b", POINTS, sigma=0.1, absolute_sigma=True).stderr["a"]
    assert error == pytest.approx(0.1 / np.sqrt(10), rel=1e-10)  # sum (x - 3)^2 = 10
    for wrong, word in (
        ([1.0], "1 number"),
        (np.ones(9), "9 numbers"),
        ([1, 2, np.nan, 1, 1], "row 3"),
    ):
        with pytest.raises(DataError, match=word):
            symgd.fit("y = a*x + b", POINTS, sigma=wrong)


def test_dose_response_whose_ec50_is_called_e():
    """R's drc calls it so; the values are SciPy's from a good start."""
    data = {"dose": [0.1, 1.0, 3.0, 10.0, 100.0, 0.01], "y": [9.0, 40.0, 62.0, 88.0, 97.0, 5.0]}
    model = "y = c + (d-c)/(1 + exp(b*(log(dose) - log(e))))"
    found = symgd.fit(model, data, start={"e": 1})
    assert found.theta["e"] == pytest.approx(1.7646, rel=1e-4)
    assert found.rss == pytest.approx(14.93435, rel=1e-6)
    assert "Euler" in " ".join(symgd.fit(model, data).warnings)
