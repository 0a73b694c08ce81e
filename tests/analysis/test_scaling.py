"""What to center and scale where a loss is ill-conditioned, against NumPy's condition numbers."""

import shlex
from pathlib import Path

import numpy as np
import pytest

from symgd import Loss, descend
from symgd.analysis.minima import certified_minimum
from symgd.analysis.verdicts.scaling import condition_number, rescaled
from tests.outcome import Outcome

HOUSE = Path(__file__).parents[1] / "files" / "house.csv"
LINEAR = "mean((t0+t1*size+t2*rooms-price)^2)/2"


def columns():
    return np.genfromtxt(HOUSE, delimiter=",", names=True)


def test_condition_number_is_that_of_the_columns():
    data = columns()
    design = np.column_stack([np.ones(len(data)), data["size"], data["rooms"]])
    found = certified_minimum(Loss(LINEAR, str(HOUSE)), [0.0, 0.0, 0.0])
    assert condition_number(found) == pytest.approx(np.linalg.cond(design) ** 2, rel=1e-6)


def test_columns_are_centered_and_scaled_and_the_target_is_not():
    loss = Loss(LINEAR, str(HOUSE))
    found = rescaled(loss, certified_minimum(loss, [0.0, 0.0, 0.0]), {})
    assert set(found.replaced) == {"size", "rooms"}
    data = columns()
    standard = [(data[c] - data[c].mean()) / data[c].std() for c in ("size", "rooms")]
    design = np.column_stack([np.ones(len(data)), *standard])
    assert found.condition == pytest.approx(np.linalg.cond(design) ** 2, rel=1e-2)
    least = np.linalg.lstsq(design, data["price"], rcond=None)[1][0] / len(data) / 2
    assert found.loss.value(found.minimum.x) == pytest.approx(least, rel=1e-9)


@pytest.mark.parametrize("far", [1e12, 1e53, 1e93, 1e140])
def test_the_minimum_is_found_from_where_a_run_has_diverged_to(far):
    data = columns()
    design = np.column_stack([np.ones(len(data)), data["size"], data["rooms"]])
    right = np.linalg.lstsq(design, data["price"], rcond=None)[0]
    found = certified_minimum(Loss(LINEAR, str(HOUSE)), [-far, -200 * far, far / 3])
    assert found.x == pytest.approx(right, rel=1e-6)


def test_advice_of_a_run_that_diverged_far():
    advice = descend(LINEAR, start=0, lr=0.01, steps=20, data=str(HOUSE)).verdict.advice
    assert "condition number 1.37e+08; with ((size - 1834)/508.2) for size" in advice


def test_parameters_are_scaled_where_there_are_no_columns():
    loss = Loss("x^2 + 1e6*(y - 1)^2")
    found = rescaled(loss, certified_minimum(loss, [0.5, 0.5]), {})
    assert found.replaced == {"y": "(0.001*y)"}
    assert found.condition == pytest.approx(1.0)


def test_a_valley_askew_to_the_axes_is_left_as_it_is():
    loss = Loss("(1-x)^2 + 1000*(y-x^2)^2")
    assert rescaled(loss, certified_minimum(loss, [1.1, 1.2]), {}) is None


def test_the_advised_command_in_other_units_converges():
    advice = descend(LINEAR, start=0, lr=1e-7, steps=1500, data=str(HOUSE)).verdict.advice
    assert "condition number 1.37e+08" in advice
    command = shlex.split(advice[advice.rindex("symgd ") :])[1:]
    assert "converg" in Outcome(*command).out
