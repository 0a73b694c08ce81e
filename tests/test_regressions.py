"""Cases that were once wrong, each with the value worked out by hand."""

import math

import numpy as np
import pytest

import symgd
from symgd import Loss, descend

E = math.e


@pytest.mark.parametrize(
    ("text", "at", "value", "slopes"),
    [
        ("log(1 + exp(x) + 1)", [0.0], math.log(3), [1 / 3]),
        (
            "exp(x)*exp(x)/(exp(x) + exp(y) + 1)",
            [1.0, 1.0],
            E**2 / (1 + 2 * E),
            [2 * E**2 / (1 + 2 * E) - E**3 / (1 + 2 * E) ** 2, -(E**3) / (1 + 2 * E) ** 2],
        ),
        ("exp(x)/(1 + exp(x))", [800.0], 1.0, [0.0]),
        ("-log(exp(x)/(1 + exp(x)))", [-800.0], 800.0, [-1.0]),
        ("1/(1 + exp(-x))^2", [-800.0], 0.0, [0.0]),
        ("x**y", [0.0, 0.0], 1.0, [0.0, 0.0]),
    ],
)
def test_value_and_gradient(text, at, value, slopes):
    got = Loss(text).evaluate(*at)
    assert got == pytest.approx([value, *slopes], rel=1e-14, abs=1e-300)


@pytest.mark.parametrize(
    ("text", "at", "hessian"),
    [
        ("max(sin(x), -5)**2", [0.0], [[2.0]]),
        ("max(sin(x)*sin(y), -3)", [0.0, 0.0], [[0.0, 1.0], [1.0, 0.0]]),
        ("min((3/y)**2, cos(x))", [0.7, -1.5], [[-math.cos(0.7), 0.0], [0.0, 0.0]]),
        ("sqrt(min(x/y, 2))", [9.0, 3.0], [[0.0, 0.0], [0.0, 0.0]]),
    ],
)
def test_hessian_where_an_adjoint_passes_through_zero(text, at, hessian):
    assert Loss(text).hess(at) == pytest.approx(np.array(hessian), rel=1e-14, abs=1e-14)


def test_converged_needs_a_certificate():
    # weight decay moves the fixed point away from the minimum: the gradient there is -10*x
    result = descend(
        "(x - 3)^4 + x^2", lr=0.01, rule="weight_decay+gd", set={"weight_decay": 10.0}, steps=1000
    )
    assert result.verdict.kind != "converged"
    assert result.verdict.lr_max is None
    first = descend("theta**2", lr=0.5, rule="momentum", steps=1)
    assert first.verdict.kind != "converged"


@pytest.mark.parametrize(
    "rule", ["adadelta", "theta = theta - lr*g/t", "theta = theta - lr*g*t", "weight_decay+gd"]
)
def test_no_linearization_where_it_would_say_something_false(rule):
    verdict = descend("x^2 + 10*y^2", rule=rule, lr=0.01, steps=50).verdict
    assert verdict.lr_max is None
    assert verdict.rate_predicted is None


def test_saddle_under_a_max_is_seen():
    assert descend("max(sin(x)*sin(y), -3)", start=0.0, tol=1e-6).status == "saddle"


@pytest.mark.parametrize("rule", ["gd+clip_norm", "box+gd", "adam+adam"])
def test_composition_out_of_order_is_refused(rule):
    with pytest.raises(symgd.RuleError, match="out of order"):
        descend(rule=rule, set={"max_norm": 1.0} if "norm" in rule else {})


@pytest.mark.parametrize("lr", ["-t", "sin(t) - 2", "log(t - 2)", "0.1 - 0.01*t"])
def test_learning_rate_formula_below_zero_is_refused(lr):
    with pytest.raises(symgd.ArgumentError, match="at step"):
        descend(lr=lr)


def test_start_and_set_take_constant_formulas():
    assert descend("x", start="1/4", steps=0).theta == {"x": 0.25}


@pytest.mark.parametrize("text", ["polygamma(2.5, x)", "polygamma(-1, x)", "besselj(1e6, x)"])
def test_order_that_does_not_exist_is_refused(text):
    with pytest.raises(symgd.FormulaError, match="has no order"):
        Loss(text)


def test_relational_is_no_loss():
    import sympy

    with pytest.raises(symgd.FormulaError, match="condition"):
        Loss(sympy.Symbol("x") < 1)


@pytest.mark.parametrize("arguments", [{"rule": None}, {"set": 5}, {"callback": 5}])
def test_wrong_types_are_symgd_errors(arguments):
    with pytest.raises(symgd.SymgdError):
        descend(**arguments)
