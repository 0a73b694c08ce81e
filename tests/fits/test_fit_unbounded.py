"""Losses without a minimum say so; those that only have no curvature, or no end, do not."""

import numpy as np
import pytest

import symgd
from tests.outcome import Outcome

RNG = np.random.default_rng(0)
X = RNG.uniform(0.5, 2, 40)
DATA = {"x": X, "y": 3 * X + RNG.normal(0, 0.1, 40), "two": np.full(40, 2.0)}

# By hand: along which parameter each goes to minus infinity.
FALLING = {
    "sum(b*x)": "b = -",
    "mean(b*x)": "b = -",
    "sum(b*x - c*y)": "c = ",
    "sum(b**3*x)": "b = -",  # Newton's steps to 0, which is no minimum, are each half as long
    "sum(-log(b)*x)": "b = ",
    "sum(-x*exp(b))": "b = ",
    "sum(a**2 - b**2*x)": "b = ",
    "sum((y - a*x)**2) + b": "b = -",
    "sum(a*y - x*c**2 + c*b)": "a = -",
    "sum(log(s) + (two - m)**2/(2*s**2))": "s = ",  # all rows are the same: s -> 0
}

BOUNDED = [
    "sum(exp(-b*x))",  # falls to 0, which it never reaches
    "sum(log(1 + exp(-b*x)))",
    "sum((a - b)**2*x)",  # a valley
    "sum(x/(1 + b**2))",
    "sum(-tanh(b/1e6)*x)",
    "sum(|y - a*x|)",
    "sum(x*atan(b))",
]


@pytest.mark.parametrize("loss", FALLING)
def test_loss_that_falls_without_bound_says_so(loss):
    found = symgd.fit(loss, DATA)
    assert found.status.value == "diverged"
    assert "falls without bound" in found.message
    assert FALLING[loss] in found.message
    assert not any("non-identifiable" in text for text in found.warnings)
    assert set(found.stderr.values()) == {None}
    assert found.basis == "none, since the loss has no minimum"
    assert found.to_dict()["status"] == "diverged"


@pytest.mark.parametrize("loss", ["r", "r**3", "-r**2", "-|r|"])
def test_loss_of_residuals_that_falls_without_bound_says_so(loss):
    found = symgd.fit("y = a*x", DATA, loss=loss)
    assert found.status.value == "diverged"
    assert "falls without bound" in found.message


@pytest.mark.parametrize("loss", BOUNDED)
def test_bounded_loss_is_not_called_unbounded(loss):
    found = symgd.fit(loss, DATA)
    assert found.status.value != "diverged"
    assert "without bound" not in found.message


def test_by_a_rule_it_is_said_too():
    assert "falls without bound" in symgd.fit("sum(b*x)", DATA, method="adam", steps=20).message


def test_bounds_of_the_parameters_bound_the_loss():
    found = symgd.fit("sum(-b*x)", DATA, bounds={"b": (0, 5)})
    assert (found.status.value, found.theta) == ("converged", {"b": 5.0})
    half = symgd.fit("sum(-b*x)", DATA, bounds={"b": (0, None)})
    assert "falls without bound" in half.message


def test_command_exits_with_4_under_check(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("x\n1\n2\n")
    ran = Outcome("fit", "sum(b*x)", str(path), "--check")
    assert ran.code == 4
    assert "falls without bound" in ran.out
