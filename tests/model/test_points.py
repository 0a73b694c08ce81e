"""Points in the space of parameters: what `Loss` takes for theta, and what it refuses."""

import numpy as np
import pytest

from symgd import ArgumentError, Loss
from symgd.model.checks import read_point


@pytest.mark.parametrize(
    "theta", [{"x": 2, "y": 5.0}, {"y": 5, "x": 2.0}, [2, 5], (2.0, 5.0), np.array([2.0, 5.0])]
)
def test_a_point_is_a_mapping_or_numbers_in_the_order_of_params(theta):
    loss = Loss("10*x + y")
    assert read_point(loss.params, theta) == [2.0, 5.0]
    assert loss.value(theta) == 25.0


def test_a_greek_letter_and_its_spelling_are_one_parameter():
    assert Loss("theta**2").value({"θ": 3.0}) == 9.0


@pytest.mark.parametrize(
    ("theta", "part"),
    [
        ({"x": 1.0}, "no value for parameter 'y'"),
        ({"x": 1.0, "y": 1.0, "z": 1.0}, "no parameter 'z'"),
        ([1.0], r"1 numbers for 2 parameters \(x, y\)"),
        ([1.0, 2.0, 3.0], "3 numbers for 2 parameters"),
        (1.0, "1 numbers for 2 parameters"),
        (None, "None is not a point"),
        ({"x": 1.0, "y": "one"}, "the value of 'y' is 'one', which is not a number"),
        ([1.0, None], "the value of 'y' is None"),
    ],
)
def test_what_is_no_point_is_refused(theta, part):
    with pytest.raises(ArgumentError, match=part):
        Loss("10*x + y").value(theta)
