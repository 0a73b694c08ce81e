"""Advice: the command that it names works when it is run, and the condition is the right one."""

import math
import re
import shlex

import pytest
from typer.testing import CliRunner

from benchmarks import advice as scan
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
    advice = result.verdict.advice
    said = run_the_advised(advice)
    assert "diverging" not in said
    assert "not finite" not in said
    if "gets nearest" in advice:  # within 20 steps, on a swing about the minimum
        lr, nearest = map(float, re.search(r"lr = (\S+) gets nearest, to (\S+):", advice).groups())
        end = descend(loss, **{**arguments, "lr": lr}).x[0]  # the minimum is 0
        assert abs(end) == pytest.approx(nearest, rel=0.05)
        assert nearest < 0.1 * arguments["start"]
    else:
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


def test_advised_rates_are_within_a_factor_2_of_the_best_of_a_fine_scan():
    assert [case.name for case in scan.cases(6, seed=3) if not case.within] == []


def test_slow_batches_are_told_a_rate_and_every_option():
    asked = {"data": "examples/decay.csv", "batch": 4, "seed": 2, "steps": 100}
    slow = descend("mean((counts - (a*t + b))**2)", lr=0.001, **asked)
    advice = slow.verdict.advice
    assert "--batch 4 --seed 2" in advice
    rate = float(advice.split("lr = ")[1].split()[0])
    assert descend("mean((counts - (a*t + b))**2)", lr=rate, **asked).value < 0.3 * slow.value
    assert "converg" not in run_the_advised(advice)  # of batches, loss and gradient are told


def test_a_loss_without_a_certified_minimum_is_told_a_rate_that_ends_lower():
    slow = descend("(x*y-1)^2", start={"x": 2, "y": 1}, lr=0.001, steps=100)
    rate = float(slow.verdict.advice.split("lr = ")[1].split()[0])
    assert descend("(x*y-1)^2", start={"x": 2, "y": 1}, lr=rate, steps=100).value < 1e-20


def test_no_rate_is_told_where_larger_ones_are_ever_better():
    assert descend("exp(-x)", start=0.0, lr=0.5).verdict.advice == ""


def test_a_missed_tolerance_is_told_a_rate_that_reaches_it():
    missed = descend("log(1+exp(-a))+a^2/10", lr=0.1, tol=1e-8, steps=100)
    assert "converged" in run_the_advised(missed.verdict.advice)


def test_a_sign_rule_is_told_the_rate_that_gets_nearest():
    # n steps of lr reach 1.24 for lr >= 1.24/n, and then swing by lr
    advice = descend("theta**2", start=1.24, lr=1.64, rule="signsgd", steps=20).verdict.advice
    assert "gets nearest" in advice
    assert 0.5 * 1.24 / 20 <= float(advice.split("lr = ")[1].split()[0]) <= 2 * 1.24 / 20
