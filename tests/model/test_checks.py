"""Numbers from users, and the loss argument of the verbs: one sentence wherever they are given."""

import math

import numpy as np
import pytest

import symgd
from symgd.model.checks import finite_or_none

HUGE = 10**400  # an integer beyond the doubles


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: symgd.descend("x**2", start=HUGE), "the start is inf; it must be finite"),
        (lambda: symgd.descend("x**2", lr=HUGE), "it must be a number above 0"),
        (lambda: symgd.descend("x**2", tol=HUGE), "it must be a number, 0 or more"),
        (lambda: symgd.descend("a*x**2", set={"a": HUGE}), "'a' is inf; it must be finite"),
        (lambda: symgd.Loss("a*x", constants={"a": -HUGE}), "'a' is -inf; it must be finite"),
        (lambda: symgd.sweep("x**2", rule="momentum", set={"beta": HUGE}), "'beta' is inf; it"),
        (lambda: symgd.sweep("a*x**2", set={"a": "y"}), "'a' is 'y', not a number"),
        (
            lambda: symgd.fit("y = a*x", {"x": [1.0], "y": [1.0]}, fixed={"a": HUGE}),
            "the value of a is inf; it",
        ),
        (
            lambda: symgd.fit("y = a", {"y": [1.0]}, bounds={"a": ("u", 1)}),
            "'a' is 'u', which",
        ),
    ],
)
def test_what_is_no_finite_number_is_refused(call, message):
    with pytest.raises(symgd.ArgumentError, match=message):
        call()


def test_an_array_of_no_dimension_is_a_start():
    assert symgd.descend("x**2", start=np.array(1.0)).start == {"x": 1.0}


@pytest.mark.parametrize("verb", [symgd.descend, symgd.explain, symgd.compare])
def test_a_loss_with_data_takes_no_other(verb):
    loss = symgd.Loss("mean((y - a)**2)", {"y": [1.0, 2.0]})
    with pytest.raises(symgd.ArgumentError, match="this Loss has its data already"):
        verb(loss, data={"y": [1.0]})


def test_a_hyperparameter_that_no_rule_has_is_refused():
    loss = symgd.Loss("x**2")
    with pytest.raises(symgd.ArgumentError, match="gd has no hyperparameter 'momentun'"):
        symgd.descend(loss, set={"momentun": 0.9})
    with pytest.raises(symgd.ArgumentError, match="gd, momentum have no hyperparameter 'momentun'"):
        symgd.compare(loss, rule="gd, momentum", set={"momentun": 0.9})
    with pytest.raises(symgd.ArgumentError, match="hyperparameters of gd, momentum: beta"):
        symgd.sweep("x**2", rule=["gd", "momentum"], set={"momentun": 0.9})


def test_what_json_cannot_hold_is_none_at_any_depth():
    data = {"a": (1.0, math.inf), "b": [{"c": math.nan, "d": "inf"}], "e": np.float64("nan")}
    assert finite_or_none(data) == {"a": [1.0, None], "b": [{"c": None, "d": "inf"}], "e": None}
