"""Bounded below or not: losses whose infimum is known by hand."""

import pytest

from symgd import Loss, explain
from symgd.analysis.lower_bound import lower_bound


def told(text):
    loss = Loss(text)
    return lower_bound(loss, [1.0] * len(loss.params))


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("x", "x -> -inf"),
        ("x^3", "x -> -inf"),
        ("x + sin(x)", "x -> -inf"),
        ("x*sin(x)", "x -> -inf"),
        ("-sqrt(x)", "x -> inf"),
        ("log(x)", "x -> 0+"),
        ("1/x", "x -> 0-"),
        ("-log(1 + x^2)", "x -> inf"),
        ("x*exp(-x)", "x -> -inf"),
        ("(x + y)^2 + x", "x -> -inf, y -> inf"),
        ("sin(x+y)+(x-y)^2-1.5*x+2.5*y+1", "x -> -inf, y -> -inf"),  # McCormick
        ("max(x, 2*y)", "x -> -inf, y -> -inf"),
    ],
)
def test_losses_without_a_lower_bound(text, where):
    found = told(text)
    assert found.bounded is False
    assert found.sentence == f"L falls without bound as {where}"


@pytest.mark.parametrize(
    "text",
    ["x^2", "sin(x)", "exp(x)", "x^4 - 10*x^3", "x^6 - x^4 + x", "abs(x)", "(1-x)^2+100*(y-x^2)^2"],
)
def test_losses_with_a_lower_bound(text):
    assert told(text).bounded is True


@pytest.mark.parametrize(
    "text",
    [
        "x*exp(-x^2)",  # least -exp(-1/2)/sqrt(2)
        "x*y*exp(-x^2 - y^2)",
        "-(x^2 + y^2)/(1 + x^2 + y^2)",  # above -1
        "(x^2 + 1)^2 - x^4 + y^2 - y",  # 2*x^2 + 1 + y^2 - y
        "x*log(x)",
        "exp(x) - x",
        "-x/(1 + 1e-9*x^2)",
    ],
)
def test_no_ray_is_invented(text):
    assert told(text).bounded is not False


def test_the_report_and_json_say_so():
    found = explain("x^3 - 3*x")
    assert "unbounded below: L falls without bound as x -> -inf" in str(found)
    assert found.to_dict()["bounded_below"] is False
    assert explain("x^2").to_dict()["bounded_below"] is True
    assert explain("exp(x) - x").to_dict()["bounded_below"] is True  # convex, with a minimum
    assert explain("x*exp(-x^2)").to_dict()["bounded_below"] is None
