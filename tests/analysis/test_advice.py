"""Advice: the command that it names works when it is run, and the condition is the right one."""

import math
import shlex

import pytest
from typer.testing import CliRunner

from symgd import Loss, descend
from symgd.analysis.minima import steepest_curve
from symgd.cli.app import app

ROSENBROCK = "(1-x)^2+100*(y-x^2)^2"


def run_the_advised(advice):
    command = advice[advice.index("symgd ") :]
    words = shlex.split(command)
    assert words[0] == "symgd"
    result = CliRunner().invoke(app, words[1:], prog_name="symgd")
    assert result.exit_code == 0
    return result.stdout


@pytest.mark.parametrize(
    ("loss", "arguments"),
    [
        ("theta**2", {"lr": 10}),
        (ROSENBROCK, {"lr": 0.1, "start": {"x": -1.2, "y": 1.0}, "steps": 500}),
        ("exp(x**2)", {"lr": 0.1, "start": 3.0, "rule": "momentum"}),
        ("a*x**2", {"lr": 3.0, "set": {"a": 5.0}}),
        ("x**2/sqrt(x - 1)", {"lr": 3.0, "start": 2.0}),
        ("theta**2", {"lr": 5.0, "rule": "v = 0.5*v + g; theta = theta - lr*v"}),
    ],
)
def test_advised_command_works(loss, arguments):
    result = descend(loss, **arguments)
    assert result.status in ("diverged", "nonfinite")
    said = run_the_advised(result.verdict.advice)
    assert "diverging" not in said
    assert "not finite" not in said
    assert "converg" in said or "slow" in said


def test_exercise_is_told_the_fastest_learning_rate():
    advice = descend("theta**2", lr=10).verdict.advice
    assert advice == "lr = 0.5 works: symgd 'theta**2' --lr 0.5"


def test_loss_without_minimum_is_not_said_to_work():
    assert "is there a minimum at all?" in descend("-x**2", lr=0.5).verdict.advice


def test_runs_that_end_well_get_no_advice():
    assert descend("theta**2").verdict.advice == ""


@pytest.mark.parametrize(
    ("loss", "start", "condition"),
    [
        ("log(x)", -1.0, "x > 0"),
        ("sqrt(x - 1)", 0.0, "x - 1 >= 0"),
        ("asin(x)", 2.0, "-1 <= x <= 1"),
        ("1/(x - 1)", 1.0, "x - 1 != 0"),
        ("2/(x - 1)**2", 1.0, "(x - 1)**2 != 0"),
        ("log1p(x)", -3.0, "x > -1"),
        ("atanh(x)", 2.0, "-1 < x < 1"),
        ("x**-0.5", -1.0, "x > 0"),
    ],
)
def test_remedy_is_the_condition_of_the_domain(loss, start, condition):
    advice = descend(loss, start=start).verdict.advice
    assert advice == f"it needs {condition}"


def test_overflow_says_what_grew():
    advice = descend("exp(x)", start=1000.0).verdict.advice
    assert advice == "exp(x) overflows: keep x smaller"


def test_saddle_names_the_way_out_and_it_leads_down():
    # along y the loss falls; started on the x-axis the run never leaves it
    result = descend("x**2 - y**2", start={"x": 1.0, "y": 0.0}, steps=200, tol=1e-6)
    assert result.status == "saddle"
    assert "along y +1" in result.verdict.sentence
    assert "--start x=1.0,y=0.01" in result.verdict.advice
    moved = descend("x**2 - y**2", start={"x": 1.0, "y": 0.01}, steps=200)
    assert moved.value < result.value


def test_steepest_curve_by_hand():
    # x*y has the Hessian [[0, 1], [1, 0]]: down along (1, -1)/sqrt(2)
    found = steepest_curve(Loss("x*y"), [0.0, 0.0])
    assert [abs(v) for v in found] == pytest.approx([math.sqrt(0.5)] * 2)
    assert found[0] * found[1] < 0


def test_names_in_advice_are_quoted_for_the_shell():
    advice = descend("θ**2", lr=10).verdict.advice
    assert shlex.split(advice[advice.index("symgd") :])[1] == "θ**2"
