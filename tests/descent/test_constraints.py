"""Constraints: problems of Hock and Schittkowski, multipliers by algebra, what has no solution."""

import pytest

import symgd
from benchmarks.hock_schittkowski import PROBLEMS
from symgd.errors import SymgdError
from tests.outcome import Outcome


@pytest.mark.parametrize("number", [7, 10, 24, 43, 71, 76])
def test_hock_and_schittkowski(number):
    problem = PROBLEMS[number]
    result = symgd.descend(problem.loss, **problem.arguments)
    assert result.status == "converged"
    assert result.value == pytest.approx(problem.value, rel=1e-6, abs=1e-6)
    assert result.violation <= 1e-6


def test_a_multiplier_is_what_relaxing_is_worth():
    result = symgd.descend("x^2 + y^2", subject_to="x + y = 1")  # least value b^2/2 for = b
    found = result.to_dict()
    assert result.value == pytest.approx(0.5, abs=1e-8)
    assert found["constraints"][0]["multiplier"] == pytest.approx(-1, abs=1e-6)
    assert "raising its right side by 1 changes the loss by 1" in result.verdict.sentence
    assert (found["rule"], found["violation"] < 1e-7) == (None, True)


def test_indices():
    result = symgd.descend("sum((x[i] - i)^2, i=1..n)", sizes={"n": 5},
                           subject_to=["x[i] >= x[i+1], i=1..n-1"])  # fmt: skip
    assert result.theta["x"] == pytest.approx([3] * 5, abs=1e-6)
    result = symgd.descend("sum(x[i]^2, i=1..n)", sizes={"n": 40},
                           subject_to=["sum(x[i], i=1..n) = 1", "x[2] >= -3"])  # fmt: skip
    assert [end.value for end in result.constraints] == pytest.approx([0, -3 - 1 / 40], abs=1e-7)
    assert result.theta["x"] == pytest.approx([1 / 40] * 40, abs=1e-7)


def test_a_chain_and_bounds():
    result = symgd.descend("(x + y)^2 + y", subject_to="0 <= x <= y", bounds={"y": (0.5, None)})
    assert [result.theta["x"], result.theta["y"]] == pytest.approx([0, 0.5], abs=1e-6)


def test_what_no_point_satisfies():
    outcome = Outcome("x^2", "--subject-to", "x <= 0", "--subject-to", "x >= 1", "--check")
    assert outcome.code == 3
    assert "smallest violation 1 at x = 0.5" in outcome.out
    result = symgd.descend("x^2", subject_to="x^2 <= -1")
    assert result.status == "infeasible"
    assert "never holds" in result.message
    assert "holds for every x" in symgd.descend("x^2", subject_to="x^2 >= -1").verdict.sentence


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x + 1", "needs =, <= or >="),
        ("x < 1", "strict"),
        ("x <= ", "a side is missing"),
        ("", "needs"),
    ],
)
def test_what_is_no_constraint(text, words):
    with pytest.raises(SymgdError, match=words):
        symgd.descend("x^2", subject_to=[text])


def test_constraints_take_no_rule_and_no_batch():
    for given in ({"lr": 0.1}, {"rule": "adam"}, {"batch": 2}, {"method": "lbfgs"}):
        with pytest.raises(SymgdError, match="subject_to|constraints"):
            symgd.descend("x^2", subject_to="x >= 1", **given)
