"""Fits of odd tables and with every option, against NumPy, SciPy's formulas and themselves."""

import gc
import math
import weakref

import numpy as np
import pytest

import symgd
from symgd import DataError
from symgd.fits import memory

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
    memory._memory.clear()
    fresh = [symgd.fit(DECAY, first).to_dict()]
    memory._memory.clear()
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
    from symgd.fits import squares

    data = curve(250_000)
    sampled = symgd.fit(DECAY, data, start=1.0)
    assert "sample" in sampled.message
    monkeypatch.setattr(squares, "_LONG", 10**9)
    whole = symgd.fit(DECAY, data, start=1.0)
    assert "sample" not in whole.message
    assert sampled.theta == pytest.approx(whole.theta, rel=1e-11)
    assert sampled.covariance == pytest.approx(whole.covariance, rel=1e-9)


def test_a_sample_that_misleads_is_left():
    # one row in 10^5 decides about b: a sample of 16,384 knows nothing of it
    x = np.zeros(250_000)
    x[::100_000] = 1.0
    y = 1.0 + 2.0 * x
    found = symgd.fit("y = a + b*x", {"x": x, "y": y}, start=0.0)
    assert found.status == "converged"
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
    weight = GENERATOR.uniform(0.5, 2.0, 50)
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
