"""The solvers by name: against SciPy, known minima, and what they must not do."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize

import symgd
from symgd.errors import ArgumentError
from tests.outcome import Outcome

SOLVERS = ["newton", "lbfgs", "tr"]
ROSENBROCK = "(1 - x)^2 + 100*(y - x^2)^2"
PROBLEMS = {
    row["name"]: row
    for row in json.loads((Path(__file__).parents[1] / "files" / "mgh.json").read_text("utf-8"))
}
HARD = ["Brown badly scaled", "Meyer", "Biggs EXP6", "Extended Powell singular n=12",
        "Penalty II n=4", "Watson n=9"]  # fmt: skip


@pytest.mark.parametrize("method", ["auto", *SOLVERS, "lm"])
def test_rosenbrock_from_its_standard_start(method):
    result = symgd.descend(ROSENBROCK, start={"x": -1.2, "y": 1.0}, method=method)
    assert result.status == "converged"
    assert list(result.theta.values()) == pytest.approx([1, 1], abs=1e-8)
    assert result.steps < 60
    found = result.to_dict()
    assert (found["rule"], found["lr"], found["verdict"]["kind"]) == (None, None, "converged")
    assert found["method"] == ("newton" if method == "auto" else method)
    assert len(found["history"]) == result.steps + 1


@pytest.mark.parametrize("name", HARD)
def test_auto_certifies_what_first_order_rules_do_not_reach(name):
    row = PROBLEMS[name]
    loss = symgd.Loss(row["expr"], params=row["params"])
    start = {p: v for p, v in zip(row["params"], row["start"], strict=True) if p in loss.params}
    result = symgd.descend(loss, start=start, method="auto")
    legal = [row["fmin"], *(m.get("fmin_published") for m in row["other_minima"])]
    assert result.status == "converged"
    assert any(abs(result.value - f) <= 1e-4 * abs(f) + 1e-8 for f in legal if f is not None)


@pytest.mark.parametrize("method", ["newton", "tr"])
def test_a_saddle_is_left_for_a_minimum(method):
    result = symgd.descend("x^2 - y^2 + y^4", start={"x": 1.0, "y": 0.0}, method=method)
    assert result.status == "converged"
    assert abs(result.theta["y"]) == pytest.approx(0.5**0.5, rel=1e-8)
    assert result.value == pytest.approx(-0.25)


def test_a_saddle_that_holds_gradients_is_no_minimum():
    result = symgd.descend("x^2 - y^2 + y^4", start={"x": 1.0, "y": 0.0}, method="lbfgs")
    assert result.status == "saddle"


@pytest.mark.parametrize("method", ["newton", "tr"])
def test_a_singular_minimum_is_reached_by_the_limit_of_the_steps(method):
    result = symgd.descend("(x - 1)^4 + (x + y)^2", start={"x": 3.0, "y": 1.0}, method=method)
    assert result.status == "converged"
    assert result.steps < 12
    assert result.theta["x"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("method", SOLVERS)
def test_bounds_hold_as_in_scipy(method):
    bounds = {"x": (None, 0.5), "y": (-5.0, None)}
    result = symgd.descend(ROSENBROCK, start=[-1.0, 1.0], method=method, bounds=bounds)

    def value(p):
        return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2

    right = optimize.minimize(value, [-1.0, 1.0], bounds=[(None, 0.5), (-5, None)])
    assert result.value <= right.fun + 1e-9
    assert list(result.theta.values()) == pytest.approx(right.x.tolist(), abs=1e-4)
    assert (result.status, result.verdict.kind) == ("converged", "bound")


@pytest.mark.parametrize("method", SOLVERS)
def test_indefinite_regions_of_an_indexed_loss_are_left(method):
    humps = "sum((sin(2*x[i])*sin(2*x[i+1]))^2 + 0.05*(x[i]^2 + x[i+1]^2), i=1..n-1)"
    result = symgd.descend(humps, sizes={"n": 40}, start="x[i]=where(i==1, -506, 506.2)",
                           method=method)  # fmt: skip
    assert result.status == "converged"
    assert result.value < 1e-6 if method != "lbfgs" else result.value < 1e6


@pytest.mark.parametrize("method", SOLVERS)
def test_long_arrays(method):
    chain = "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)"
    result = symgd.descend(chain, sizes={"n": 30_000}, start=0.9, method=method, tol=1e-5)
    assert result.status == "converged"
    assert np.abs(result.theta["x"] - 1).max() < 1e-3
    assert (result.rule, result.method) == (None, method)


def test_lm_and_the_rows_of_data():
    rows = {
        "t": np.arange(8.0),
        "y": 3 * np.exp(-0.4 * np.arange(8.0)) + 0.1 * (-1) ** np.arange(8),
    }
    right = optimize.least_squares(lambda p: rows["y"] - p[0] * np.exp(-p[1] * rows["t"]), [1, 1])
    for method in ("lm", *SOLVERS):
        result = symgd.descend("sum((y - a*exp(-b*t))^2)", data=rows, method=method)
        assert [result.theta["a"], result.theta["b"]] == pytest.approx(right.x, rel=1e-5), method
        assert result.status == "converged"


def test_a_kink_takes_gradients_only():
    result = symgd.descend("abs(x - 1) + (x + y)^2", start=3.0, method="auto")
    assert result.method == "lbfgs"
    assert result.theta["x"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("loss", ["x^2 - y^2", "-x^2"])
def test_a_loss_without_a_minimum_is_left_early(loss):
    result = symgd.descend(loss, start=0.5, method="auto")
    assert (result.status, result.verdict.kind) == ("diverged", "unbounded")
    assert result.steps < 100


@pytest.mark.parametrize(("loss", "n"), [("exp(-x[i])", 300), ("1/(1+x[i]^2)", 10_000)])
def test_a_small_gradient_on_the_way_to_infinity_is_no_minimum(loss, n):
    result = symgd.descend(f"sum({loss}, i=1..n)", sizes={"n": n}, start=1.1, method="lbfgs",
                           tol=1e-5)  # fmt: skip
    assert "no minimum is near: the loss falls on" in result.verdict.sentence


@pytest.mark.parametrize(
    ("given", "word"),
    [({"lr": 0.2}, "lr"), ({"rule": "gd"}, "rule"), ({"batch": 2}, "batch")],
)
def test_a_method_chooses_its_own_steps(given, word):
    with pytest.raises(ArgumentError, match=f"newton and {word} do not go together"):
        symgd.descend("x^2", method="newton", **given)


def test_lm_wants_squares():
    with pytest.raises(ArgumentError, match="sums of squares"):
        symgd.descend("exp(x) - x", method="lm")


def test_the_command_line():
    outcome = Outcome("x^2 + 1", "--method", "newton", "--format", "json", "--check")
    assert outcome.code == 0
    assert json.loads(outcome.out)["method"] == "newton"
    for more in (["--lr", "0.2"], ["--rule", "gd"]):
        outcome = Outcome("x^2", "--method", "newton", *more)
        assert (outcome.code, len(outcome.err.strip().splitlines())) == (2, 1)
    outcome = Outcome("x^2", "--method", "newtn")
    assert outcome.code == 2
    assert "did you mean 'newton'" in outcome.err


def test_solvers_side_by_side():
    runs = symgd.compare(ROSENBROCK, method="newton,lbfgs", start=[-1.2, 1.0]).runs
    assert [run.method for run in runs] == ["newton", "lbfgs"]
    assert {str(run.status) for run in runs} == {"converged"}


def test_a_callback_sees_each_step_and_stops():
    seen = []
    result = symgd.descend(ROSENBROCK, start=[-1.2, 1.0], method="newton",
                           callback=lambda step: seen.append(step.t) or step.t == 5)  # fmt: skip
    assert (str(result.status), seen) == ("stopped", [0, 1, 2, 3, 4, 5])


def test_a_rule_in_the_place_of_fits_method_is_remarked():
    rows = {"x": [0.0, 1, 2, 3], "y": [1.0, 3, 5, 7]}
    found = symgd.fit("y = a*x + b", rows, method="adam", lr=0.1, steps=50)
    assert any("give it as rule" in warning for warning in found.warnings)
    for method in ("newton", "tr", "lbfgs"):
        found = symgd.fit("y = a*x + b", rows, method=method)
        assert [found.theta["a"], found.theta["b"]] == pytest.approx([2, 1], rel=1e-6)
    with pytest.raises(ArgumentError, match="give one of them"):
        symgd.fit("y = a*x + b", rows, method="lm", rule="adam")


@pytest.mark.parametrize("n", [2, 200])
def test_a_hessian_of_zeros_has_no_way_down(n):
    text = "sum(exp(-x[i]), i=1..n)"
    result = symgd.descend(text, sizes={"n": n}, start=800.0, method="tr")
    assert (result.value, set(result.theta.values())) == (0.0, {800.0})
