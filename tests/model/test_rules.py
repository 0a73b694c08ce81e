"""The rule language: state, hyperparameters, composition, errors with their place."""

import pytest

import symgd
from symgd import CATALOGUE, Rule, RuleError, descend
from symgd.model.rules import find_rule


def test_state_is_what_is_read_before_it_is_assigned():
    rule = Rule("m = b*m + g; d = m + 1; theta = theta - lr*d", {"b": 0.9})
    assert rule.state == ("m",)
    assert rule.hyperparameters == ("b",)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda e: e.name)
def test_defaults_are_hyperparameters(entry):
    text = entry.text if entry.kind == "rule" else f"{entry.text}\ntheta = theta - lr*g"
    assert set(entry.defaults) <= set(Rule(text, dict(entry.defaults)).hyperparameters)


def test_custom_text_equals_the_catalogue():
    text = "v = 0.9*v + g\ntheta = theta - lr*v"
    mine = descend("x**4 + y**2", rule=text, lr=0.01, steps=50)
    theirs = descend("x**4 + y**2", rule="momentum", lr=0.01, steps=50)
    assert (mine.history.theta == theirs.history.theta).all()


def test_lines_run_for_all_parameters_before_the_next():
    # by the time of the second line, norm(g) must see every clipped gradient
    rule = "g = g/norm(g); theta = theta - lr*norm(g)"
    result = descend("3*x + 4*y", start=0.0, rule=rule, lr=0.5, steps=1)
    assert list(result.theta.values()) == pytest.approx([-0.5, -0.5], rel=1e-15)


@pytest.mark.parametrize("one", ["1", "-lr*30", "norm(3*t)", "s", "k"])
@pytest.mark.parametrize("loss", ["x^2", "x^2 + y^2"])
def test_the_norm_of_one_number_is_refused(one, loss):
    # its size, or sqrt(n) times that for n parameters? paper rules mean either
    rule = f"theta = theta - lr*norm({one})*g; s = s + 1"
    with pytest.raises(RuleError, match=r"one number(.|\n)*\^(.|\n)*sum\(1\)"):
        descend(loss, rule=rule, set={"k": 2.0} if one == "k" else {})


def test_sums_of_a_constant_count_the_parameters():
    run = descend("x^2 + y^2", rule="theta = theta - lr*g/sum(1)", lr=0.2, steps=3)
    assert run.x == pytest.approx([(1 - 0.4 / 2) ** 3] * 2, rel=1e-14)
    assert run.verdict.lr_max is None  # what holds for one parameter does not for two


def test_norm_goes_over_one_parameter_of_a_gradient_function():
    rule = "theta = theta - lr*g/norm(g)"
    end = symgd.descend_with(lambda x: 2 * x, 1.0, lr=0.1, steps=3, rule=rule)
    assert end.x == pytest.approx([0.7], rel=1e-15)


def test_rules_add_up():
    both = Rule("g = 2*g", name="double") + Rule("theta = theta - lr*g", name="gd")
    assert both.name == "double+gd"
    assert descend(rule=both, steps=1).theta["theta"] == pytest.approx(1 - 0.2 * 4)


def test_rule_keeps_its_own_default_when_a_prefix_shares_the_name():
    lion = CATALOGUE["lion"].defaults["weight_decay"]
    assert find_rule("weight_decay+lion").defaults["weight_decay"] == lion


def test_comments_and_blank_lines_are_skipped():
    rule = Rule("# plain descent\n\ntheta = theta - lr*g  # the step\n")
    assert descend(rule=rule).theta == descend().theta


def test_t_counts_from_one():
    result = descend("x", start=0.0, rule="theta = theta - t", steps=3)
    assert result.history.theta[:, 0].tolist() == [0, -1, -3, -6]


def test_first_step_condition_initializes_state():
    rule = "s = where(t == 1, 5, s); theta = theta - s; s = s + 1"
    assert descend("x", start=0.0, rule=rule, steps=2).theta["x"] == -11


def test_printed_rule_is_its_text():
    assert str(find_rule("gd")) == "theta = theta - lr*g"


WRONG = [
    ("theta - lr*g == 0", "name = expression"),
    ("theta = ", "nothing is assigned"),
    ("lr = 1; theta = theta", "cannot be assigned"),
    ("theta = theta - lr*(g", "never closed"),
    ("theta = theta - lr*g)", "closes nothing"),
    ("2x = 3; theta = theta", "is not a name"),
    ("v = g", "never assigns theta"),
    ("theta = theta - foo(g)", "not a function"),
    ("__v = g; theta = theta - __v", "do not begin"),
    ("theta = __import__('os')", "do not begin"),
    ("theta = theta; import os", "name = expression"),
]


@pytest.mark.parametrize(("text", "words"), WRONG)
def test_wrong_rules_say_what_is_wrong(text, words):
    with pytest.raises(symgd.SymgdError) as caught:
        Rule(text).resolve({})
    assert words in str(caught.value)


def test_error_points_into_the_line():
    with pytest.raises(symgd.FormulaError) as caught:
        Rule("v = beta*v + g; theta = theta - lr*w$")
    assert str(caught.value).splitlines()[1:3] == [
        "   theta = theta - lr*w$",
        "                       ^",
    ]


def test_missing_hyperparameter_is_named():
    with pytest.raises(RuleError, match="unknown name 'bta1'"):
        Rule("theta = theta - lr*bta1*g").resolve({})


def test_unknown_hyperparameter_is_refused():
    with pytest.raises(RuleError, match="no hyperparameter 'beta1'"):
        find_rule("momentum").resolve({"beta1": 0.5})
