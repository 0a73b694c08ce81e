"""Cases that were once wrong, each with the value worked out by hand."""

import copy
import math
import pickle

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
    got = Loss(text).internals.evaluate(*at)
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
    loss = Loss(text)
    for found in (loss.hess(at), np.array(loss.internals.hess_rows(at))):
        assert found == pytest.approx(np.array(hessian), rel=1e-14, abs=1e-14)


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
    with pytest.raises(symgd.RuleError, match="out of order|more than one rule"):
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


@pytest.mark.parametrize(
    ("order", "name"), [("5/2", "polygamma"), ("200", "polygamma"), ("500", "besselj")]
)
def test_order_in_a_sympy_expression_is_refused_as_in_text(order, name):
    import sympy

    expr = getattr(sympy, name)(sympy.Rational(order), sympy.Symbol("x"))
    with pytest.raises(symgd.FormulaError, match="has no order"):
        Loss(expr)


def test_sympy_constant_of_two_numbers():
    import sympy

    x = sympy.Symbol("x")
    assert Loss(x * sympy.log(2 * sympy.pi)).value(1.0) == pytest.approx(math.log(2 * math.pi))


PICKLED = [
    "x**2 + 0*y", "logsumexp(x, y, z) + log10(x)", "where(x > 0, exp(x)/(exp(x) + 2), max(x, y))",
    "0.1*pi*e*x", "besselj(2, x) + beta(x, y)", "(θ - 1e-3)**2",
]  # fmt: skip


@pytest.mark.parametrize("source", [*PICKLED, lambda x, y: x * y - 3])
@pytest.mark.parametrize("used", [False, True])
def test_loss_survives_pickle(source, used):
    loss = Loss(source)
    at = [0.5 + k for k in range(len(loss.params))]
    if used:
        loss.internals.evaluate(*at), loss.expr, loss.hess(at)
    again = pickle.loads(pickle.dumps(loss))
    assert (again.text, again.params, repr(again)) == (loss.text, loss.params, repr(loss))
    assert again.read_as() == loss.read_as()
    assert again.program.key == loss.program.key
    assert again.internals.evaluate(*at) == loss.internals.evaluate(*at)
    assert again.gradient_text() == loss.gradient_text()
    assert again.expr == loss.expr


def test_loss_with_constants_survives_pickle():
    loss = pickle.loads(pickle.dumps(Loss("a*x**2 + e", constants={"a": 3.0}, params=["e"])))
    assert loss.internals.evaluate(1.0, 2.0) == Loss("3*x**2 + y").internals.evaluate(2.0, 1.0)[
        :1
    ] + [
        1.0,
        12.0,
    ]


def test_deep_loss_survives_pickle():
    text = "x"
    for _ in range(60):
        text = f"sin({text})"
    loss = Loss("+".join([text] * 50) + "+".join([""] + [f"x{k}**2" for k in range(2000)]))
    assert pickle.loads(pickle.dumps(loss)).program.key == loss.program.key


@pytest.mark.parametrize("rule", ["gd", "adam", "clip_norm+momentum", "theta = theta - lr*g/t"])
def test_result_survives_pickle(rule):
    given = {"max_norm": 1.0} if "norm" in rule else {}
    result = descend("log10(x)**2 + x**2", rule=rule, set=given, steps=7)
    again = pickle.loads(pickle.dumps(result))
    assert again.to_dict() == result.to_dict()
    assert str(again) == str(result)
    assert again.rule == result.rule
    assert again.loss.internals.evaluate(2.0) == result.loss.internals.evaluate(2.0)
    assert copy.deepcopy(result).theta == result.theta


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("max()", "at least 1 argument, not 0"),
        ("x//2", "floor"),
        ("log(0)*x", "log is infinite there"),
        ("loggamma(-3)", "loggamma is infinite there"),
        ("atanh(1)*x", "atanh is infinite there"),
        ("0**-2*x", "divides by zero"),
        ("exp(1000)*x", "too large for a double"),
        ("(1e200*1e200)*x", "too large for a double"),
        ("x//", "floor"),
        ("x/ /2", "nothing to work on"),
    ],
)
def test_message_says_what_is_wrong(text, sentence):
    with pytest.raises(symgd.FormulaError, match=sentence):
        Loss(text)


def test_loss_over_data_survives_pickle():
    data = {"x": [1.0, 2.0, 3.0], "y": [2.0, 4.0, 6.5]}
    loss = Loss("mean((y - a*x - b)**2) + c*a", data, constants={"c": 0.5})
    again = pickle.loads(pickle.dumps(loss))
    assert (again.params, again.columns) == (loss.params, loss.columns)
    assert again.value([1.5, 0.25]) == loss.value([1.5, 0.25])
    result = symgd.descend(loss, lr=0.01, steps=5)
    assert pickle.loads(pickle.dumps(result)).theta == result.theta
