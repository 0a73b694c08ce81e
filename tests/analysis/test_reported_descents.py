"""Descents that people reported: what is said of them is right, and what is advised works.

The right values are of other tools (SciPy from good starts, mpmath) or derived in the comments.
"""

import json
import math
import shlex
from pathlib import Path

import numpy as np
import pytest

from tests.outcome import Outcome

FILES = Path(__file__).parents[1] / "files"
ROSENBROCK = "(1-x)^2+100*(y-x^2)^2"
LOGISTIC = "mean(-(y*log(1/(1+exp(-(w*x+b)))) + (1-y)*log(1-1/(1+exp(-(w*x+b))))))"
RASTRIGIN = "20 + x^2 - 10*cos(2*pi*x) + y^2 - 10*cos(2*pi*y)"
HOUSE = "mean((t0+t1*size+t2*rooms-price)^2)/2"


@pytest.fixture(autouse=True)
def in_files(monkeypatch):
    monkeypatch.chdir(FILES)


def result(*words):
    return json.loads(Outcome(*words, "--format", "json").out)


def advised(*words):
    """What the advised command prints as JSON, and its learning rate."""
    advice = result(*words)["verdict"]["advice"]
    command = shlex.split(advice[advice.index("symgd ") :])[1:]
    outcome = Outcome(*command, "--format", "json")
    assert outcome.code == 0
    return json.loads(outcome.out)


def test_a_cosine_that_ends_before_the_minimum_has_run_down():
    # the minimum of Rosenbrock's function is (1, 1)
    run = result(ROSENBROCK, "-s", "x=-1.2,y=1", "-l", "1e-3*0.5*(1+cos(pi*t/300))", "-n", "300")
    told = run["verdict"]
    assert told["kind"] == "run_down"
    away = math.dist((1, 1), run["theta"].values())
    assert told["distance"] == pytest.approx(away, rel=1e-9)
    assert told["rate_observed"] is None


def test_rates_of_one_over_t_cost_powers_of_ten():
    # x_t = prod(1 - 0.2/k) ~ t**-0.2: a tenth after t*(10**5 - 1) more steps
    told = result("x^2", "-l", "0.1/t", "-n", "100")["verdict"]
    assert told["kind"] == "sublinear"
    assert told["digit_steps"] == pytest.approx(100 * (10**5 - 1), rel=0.2)


def test_adagrad_promises_no_digit():
    # 1.4186 away after 1000 steps and 0.8136 after 4951: by no factor and no power
    told = result("(x-3)^2", "-r", "adagrad", "-l", "0.01", "-n", "1000")["verdict"]
    assert told["distance"] == pytest.approx(1.4186, abs=1e-3)
    assert told["digit_steps"] is None
    assert told["rate_observed"] is None


def test_a_linear_slope_is_approached_by_steps_of_one_length():
    # from 5 by 0.1*tanh(x): about 0.1 per step
    run = result("log(cosh(x))", "-s", "5", "-l", "0.1", "-n", "20")
    assert run["verdict"]["kind"] == "approaching"
    more = str(20 + run["verdict"]["digit_steps"])
    left = result("log(cosh(x))", "-s", "5", "-l", "0.1", "-n", more)["theta"]["x"]
    assert 0.05 < left / run["theta"]["x"] < 0.2


@pytest.mark.parametrize("steps", ["100", "1000"])
def test_chaos_above_the_limit_oscillates(steps):
    # every minimum of Rastrigin's function has a curvature near 2 + 40*pi**2
    words = (RASTRIGIN, "-s", "x=5.12,y=-5.12", "-l", "0.01", "-n", steps)
    told = result(*words)["verdict"]
    assert told["kind"] == "oscillating"
    assert told["lr_max"] == pytest.approx(2 / (2 + 40 * math.pi**2), rel=0.01)
    if steps == "1000":
        better = advised(*words)
        assert better["lr"] < told["lr_max"]
        assert better["theta"]["x"] == pytest.approx(4.97469, abs=1e-5)


@pytest.mark.parametrize("steps", ["100", "500", "2000"])
def test_logistic_regression_above_the_limit(steps):
    # w saws up and down for ever: in 5000 steps the loss never exceeds the 35.43 of the first 500
    words = (LOGISTIC, "--data", "c3.csv", "-s", "w=0.05,b=0.05", "-l", "0.01", "-n", steps)
    told = result(*words)["verdict"]
    assert told["kind"] == "oscillating"
    assert told["lr_max"] == pytest.approx(0.00129, rel=0.01)
    assert 0.5 * told["lr_max"] < advised(*words)["lr"] < told["lr_max"]


def test_more_steps_are_advised_only_where_they_help():
    words = ("x^2", "-l", "1", "--tol", "1e-6", "-n", "100")
    run = result(*words)
    assert "more steps" not in run["message"]
    assert "more steps" not in run["verdict"]["advice"]
    better = advised(*words)
    assert better["lr"] == 0.5  # 1 - 2*lr is 0
    assert better["status"] == "converged"


def test_the_steps_that_are_missing_are_those_it_takes():
    # 0.6**n <= 1e-6/2, from 1: 29 steps
    run = result("theta**2", "-n", "10", "--tol", "1e-6")
    assert run["status"] == "max_steps"
    more = int(run["message"].split("about ")[1].split()[0])
    assert result("theta**2", "-n", str(10 + more), "--tol", "1e-6")["status"] == "converged"
    assert more < 25


def test_the_advised_command_has_the_data():
    words = ("mean((y-(m*x+b))^2)", "--data", "c1.csv", "-s", "0", "-l", "0.0005", "-n", "1000")
    told = result(*words)["verdict"]
    assert told["kind"] == "diverging"
    better = advised(*words)
    assert 0.5 * told["lr_max"] < better["lr"] < told["lr_max"]
    assert better["status"] == "completed"


def test_the_advised_command_has_every_option():
    words = ("a*mean((y-m*x)^2)", "--data", "c1.csv", "-l", "5", "-s", "0", "-n", "30", "--tol",
             "1e-3", "--set", "a=2", "--backend", "lambdify", "--drop-missing")  # fmt: skip
    advice = result(*words)["verdict"]["advice"]
    given = shlex.split(advice[advice.index("symgd ") :])
    pairs = [given[k : k + 2] for k in range(len(given))]
    for pair in (["--data", "c1.csv"], ["--set", "a=2.0"], ["--backend", "lambdify"],
                 ["--tol", "0.001"], ["--steps", "30"]):  # fmt: skip
        assert pair in pairs
    assert "--drop-missing" in given
    assert advised(*words)["status"] == "converged"


def test_the_advised_rate_is_near_the_limit_of_a_badly_scaled_loss():
    # the largest eigenvalue of the Hessian is 3.62181e6: stable below 5.5221e-7
    words = (HOUSE, "--data", "house.csv", "-s", "0", "-l", "0.01", "-n", "1500")
    told = result(*words)["verdict"]
    assert told["lr_max"] == pytest.approx(5.5221e-7, rel=1e-4)
    # the end of the run is 1e148 away: a minimum found from there would be rounding errors
    rows = np.loadtxt(FILES / "house.csv", delimiter=",", skiprows=1)[:, :2]
    scaled = np.column_stack([np.ones(len(rows)), (rows - rows.mean(0)) / rows.std(0)])
    condition = float(told["advice"].split(" it is ")[1].split()[0])
    assert condition == pytest.approx(np.linalg.cond(scaled.T @ scaled), rel=0.01)
    better = advised(*words)
    assert 0.1 * told["lr_max"] < better["lr"] < told["lr_max"]
    assert better["value"] < 7.2e8


def test_lion_oscillates_and_does_not_diverge():
    outcome = Outcome("(x-1)^2", "-r", "lion", "-l", "0.3", "-n", "50", "--check")
    assert outcome.code == 3
    assert "oscillating" in outcome.out


def test_a_minimum_at_the_bound_of_a_box_is_converged():
    outcome = Outcome(
        *("(x-2)^2", "-r", "gd+box", "--set", "lower=0", "--set", "upper=1", "-l", "0.1"),
        *("-n", "100", "-s", "0.5", "--tol", "1e-6", "--check"),
    )
    assert outcome.code == 0
    assert "converged at a bound" in outcome.out


def test_the_slow_exercise_is_told_what_works():
    assert advised("theta**2", "--lr", "0.001")["lr"] == 0.5
