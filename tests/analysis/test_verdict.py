"""Verdicts: the factor per step, predicted and observed, against values worked out by hand."""

import math

import numpy as np
import pytest

import symgd
from symgd import Loss, descend
from symgd.analysis.minima import find_minimum
from symgd.analysis.stability import LinearRule
from symgd.model.rules import find_rule


@pytest.mark.parametrize(
    ("lr", "kind", "factor"),
    [
        (0.2, "converging", 0.6),
        (0.001, "slow", 0.998),
        (10, "diverging", -19.0),
        (1, "oscillating", -1.0),
        (0.95, "converging", -0.9),
        (1.05, "diverging", -1.1),
        (0.995, "slow", -0.99),
    ],
)
def test_exercise_verdicts(lr, kind, factor):
    # theta**2: one step multiplies theta by 1 - 2*lr; stable for 0 < lr < 1
    verdict = descend("theta**2", lr=lr).verdict
    assert verdict.kind == kind
    assert verdict.rate_observed == pytest.approx(factor, rel=1e-9)
    assert verdict.rate_predicted == pytest.approx(factor, rel=1e-9)
    assert verdict.lr_max == 1.0
    assert "stable for 0 < lr < 1" in verdict.sentence


def test_slow_says_what_a_digit_costs():
    # ln 10 / -ln 0.998 = 1150.1
    assert "one more digit costs 1150 steps" in descend(lr=0.001).verdict.sentence


@pytest.mark.parametrize(
    ("loss", "arguments", "kind"),
    [
        ("theta**2", {"tol": 1e-3}, "converged"),
        ("theta**2", {"start": 0.0}, "converged"),
        ("sign(x)", {}, "flat"),
        ("max(x, 0)", {"start": -1.0}, "flat"),
        ("1/(1 + exp(-x))", {"start": -800.0}, "flat"),
        ("1/(1 + exp(-x))", {"start": -15.0}, "plateau"),
        ("x**4 - x**2", {"start": 0.0}, "saddle"),
        ("x**3", {"start": 0.0}, "inflection"),
        ("abs(x)", {"start": 1.0, "lr": 0.25}, "kink"),
        ("x**4", {"steps": 50}, "descending"),
        ("(x + y)**2", {"start": {"x": 1.0, "y": -1.0}}, "converged"),
        ("abs(x)", {}, "oscillating"),
        ("-x**2", {}, "diverging"),
        ("x", {}, "unbounded"),
        ("log(x)", {"start": -1.0}, "nonfinite"),
        # one of a circle, or a line, of minima: steps are rounding, and never end
        ("(x**2 + y**2 - 1)**2", {"start": 0.5, "lr": 0.1, "steps": 100}, "converged"),
        (
            "x**2 - 2*x*y + y**2",
            {"start": {"x": 3.0, "y": 1.0}, "lr": 0.1, "steps": 99},
            "converged",
        ),
        ("sin(x)", {"start": math.pi / 2, "lr": 0.5}, "saddle"),
        ("huber(x)", {"start": 9.0, "lr": 0.5, "steps": 12}, "approaching"),
        ("theta**2", {"lr": 1.000001, "steps": 100}, "diverging"),
        ("x + 1/x", {"start": 0.01, "lr": 0.5, "steps": 60}, "descending"),
    ],
)
def test_kinds(loss, arguments, kind):
    assert descend(loss, **arguments).verdict.kind == kind


@pytest.mark.parametrize(
    ("loss", "arguments"),
    [
        ("exp(-x)", {"lr": 1.0}),  # convex, and no minimum
        ("log(1 + exp(-x))", {"lr": 1.0}),
        ("1/(1 + x**2)", {"start": 5.0}),
        ("tanh(x)", {"start": 3.0, "tol": 1e-1}),  # curved down, and the loss falls on to -1
        ("exp(-exp(x))", {"lr": 0.5}),
        ("exp(-x) + exp(-2*y)", {"start": {"x": 1.0, "y": 2.0}}),
        ("exp(-x) + 10*y**2", {"lr": 0.01}),
        ("x**3", {"lr": 0.1}),
        ("exp(-x) + y", {"bounds": {"y": (0, None)}}),
    ],
)
def test_a_small_gradient_without_a_minimum_is_told(loss, arguments):
    result = descend(loss, **{"tol": 1e-2, "steps": 10_000, "lr": 0.2} | arguments)
    assert result.status == "converged"  # max|g| <= tol
    assert result.verdict.kind == "descending"
    assert "within tol, but no minimum is near: the loss falls on" in result.verdict.sentence
    assert result.verdict.advice == ""


def test_a_small_gradient_far_from_the_minimum_is_told():
    # 1 - exp(-x**2) has its minimum at 0; its gradient at -4 is -8*exp(-16) = -9e-07
    told = descend("1 - exp(-x**2)", start=-4.0, tol=1e-3).verdict
    assert told.kind == "descending"
    assert told.distance == pytest.approx(4.0)
    assert "within tol, but the minimum found from here is 4 away" in told.sentence
    # in a bowl as flat as this max|g| <= tol says little
    told = descend("1e-9*x**2", start=30.0, tol=1e-3).verdict
    assert told.kind == "converged"
    assert "the minimum is 30 away" in told.sentence
    # of a gradient function, along its negative
    told = symgd.descend_with(lambda x: -np.exp(-x), 1.0, lr=1.0, steps=10_000, tol=1e-2).verdict
    assert "within tol, but no minimum is near" in told.sentence


def test_steps_that_pass_the_minimum_by_promise_no_digit():
    # both parameters move by lr per step: x is there after 1.17/lr steps, y is still 1.0 away then
    told = descend("cosh(x - 1) + y**2/50", start=2.17, rule="signsgd", lr=1e-4, steps=11).verdict
    assert told.kind == "converging"
    assert told.digit_steps is None


def test_sides_of_different_distance_are_no_factor():
    # by steps of 0.3 from 0.2 on: 2.9 and 3.2 by turns
    told = descend("(x - 3)**2", start=0.2, rule="signsgd", lr=0.3, steps=51).verdict
    assert told.kind == "oscillating"
    assert "the error stays between 0.1 and 0.2" in told.sentence


def test_flat_saddle_is_not_taken_for_a_minimum():
    # x**3 has no minimum, but its gradient vanishes at 0
    result = descend("x**3", lr=0.1, steps=100_000, tol=1e-6)
    assert result.status == "saddle"
    assert result.verdict.kind == "inflection"
    assert "not a minimum" in result.verdict.sentence


def test_gd_limit_is_two_over_the_largest_curvature():
    linear = LinearRule(find_rule("gd"), {})
    assert linear.limit([1.0, 8.0]) == 2 / 8


@pytest.mark.parametrize("beta", [0.0, 0.5, 0.9])
def test_heavy_ball_limit_is_polyaks(beta):
    # B. Polyak (1964): stable for lr < 2*(1 + beta)/lambda_max
    linear = LinearRule(find_rule("momentum"), {"beta": beta})
    assert linear.limit([0.3, 5.0]) == pytest.approx(2 * (1 + beta) / 5.0, rel=1e-9)


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_nesterov_limit_by_hand(beta):
    # x -> (1 - a)((1 + beta) x - beta x'), a = lr*lambda; at the limit an eigenvalue is -1:
    # 1 + (1 - a)(1 + beta) + beta (1 - a) = 0, so a = (2 + 2 beta)/(1 + 2 beta)
    linear = LinearRule(find_rule("nesterov"), {"beta": beta})
    assert linear.limit([1.0, 5.0]) == pytest.approx(
        (2 + 2 * beta) / (1 + 2 * beta) / 5.0, rel=1e-9
    )


def test_heavy_ball_factor_is_the_square_root_of_beta():
    # complex eigenvalues have the modulus sqrt(beta)
    linear = LinearRule(find_rule("momentum"), {"beta": 0.81})
    assert linear.factor(1.0, 0.5) == pytest.approx(0.9, rel=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 10])
@pytest.mark.parametrize("rule", ["gd", "momentum", "nesterov"])
def test_prediction_meets_observation_on_quadratics(n, rule):
    terms = [f"{1 + k}*(x{k} - {k})**2" for k in range(n)]
    loss = " + ".join(terms) + "".join(f" + 0.3*x{k}*x{k + 1}" for k in range(n - 1))
    result = descend(loss, start=0.5, rule=rule, lr=0.2 / (2 * n), steps=250)
    told = result.verdict
    assert told.rate_predicted is not None or (n > 1 and rule != "gd")  # modes that beat
    if told.rate_predicted is not None:
        tolerance = 1e-9 if n == 1 else 0.01
        assert abs(told.rate_observed) == pytest.approx(abs(told.rate_predicted), rel=tolerance)


@pytest.mark.parametrize("rule", ["gd", "momentum", "nesterov"])
def test_limit_separates_converging_from_diverging(rule):
    loss = "x**2 + 3*(y - 1)**2 + x*y"
    limit = descend(loss, rule=rule, lr=0.01, steps=50).verdict.lr_max
    below = descend(loss, rule=rule, lr=0.99 * limit, steps=3000)
    above = descend(loss, rule=rule, lr=1.01 * limit, steps=3000)
    assert below.grad_norm < 1e-6
    assert above.status == "diverged"


def test_rules_without_linearization_predict_nothing():
    for rule in ("adam", "signsgd", "rprop", "clip_norm+gd"):
        values = {"max_norm": 1.0} if "clip" in rule else {}
        verdict = descend("theta**2", rule=rule, lr=0.01, set=values).verdict
        assert verdict.rate_predicted is None
        assert verdict.lr_max is None


def test_diverged_run_is_told_the_limit_at_the_minimum():
    # Rosenbrock's Hessian at (1, 1) is [[802, -400], [-400, 200]]
    largest = np.linalg.eigvalsh(np.array([[802.0, -400.0], [-400.0, 200.0]]))[-1]
    result = descend("(1-x)**2 + 100*(y-x**2)**2", start="x=-1.2,y=1", lr=0.1)
    assert result.status == "diverged"
    assert result.verdict.lr_max == pytest.approx(2 / largest, rel=1e-6)


def test_newton_finds_no_minimum_where_there_is_none():
    assert find_minimum(Loss("x**4"), [1.0]) is None
    assert find_minimum(Loss("exp(x)"), [0.0]) is None
    assert find_minimum(Loss("-x**2"), [1.0], globalized=True) is None


def test_newton_finds_the_minimum():
    found = find_minimum(Loss("cosh(x - 2)"), [3.0])
    assert found is not None
    assert found.x == pytest.approx([2.0])
    assert found.eigenvalues == pytest.approx([1.0])


def test_line_search_makes_no_promise_about_rates():
    verdict = descend("exp(x) + exp(-x)", lr="auto", steps=60).verdict
    assert "stable for" not in verdict.sentence
    assert verdict.kind in {"converged", "converging"}
    assert verdict.rate_observed is None or math.isfinite(verdict.rate_observed)


def test_a_run_whose_last_step_leaps_away_has_no_factor():
    run = descend("a^2 + b^2*c^2 + sin(a*b) - c", lr=0.1, steps=50)
    assert run.verdict.rate_observed is None


def test_a_run_into_a_saddle_is_told_so_without_a_tolerance():
    """x**2 - y**2 from y = 0: there is no error to speak of, and y leads down."""
    run = symgd.descend("x**2 - y**2", start={"x": 1, "y": 0}, lr=0.2, steps=50)
    assert run.verdict.kind == "saddle"
    assert "not a minimum" in run.verdict.sentence
    assert "along y" in run.verdict.sentence
    assert run.verdict.distance is None
    down = symgd.descend("x**2 + y**2", start={"x": 1, "y": 0}, lr=0.2, steps=50)
    assert down.verdict.kind == "converging"


@pytest.mark.parametrize(("start", "lr"), [(1e-300, 1e160), (1e-300, 1e200), (5e-324, 1e180)])
def test_factors_whose_squares_overflow_are_told(start, lr):
    """theta**2: each step multiplies theta by 1 - 2*lr."""
    run = descend("theta**2", start=start, lr=lr, steps=2)
    assert run.verdict.kind == "diverging"
    assert run.verdict.rate_observed == pytest.approx(1 - 2 * lr, rel=1e-9)
    assert run.x == pytest.approx([start * (1 - 2 * lr) * (1 - 2 * lr)])


@pytest.mark.parametrize(
    ("loss", "start", "lr"),
    [
        ("a + sinh(b + c)", -1e-300, 0.2),
        ("sqrt(x**2 + y**2) + z*1e250", [5.7e149, -3.9e-21, -3.3e-301], 4e-5),
    ],
)
def test_curvatures_beyond_doubles_warn_nobody(loss, start, lr):
    """Warnings are errors here: a Newton step that overflows is no news for who runs a descent."""
    assert math.isfinite(descend(loss, start=start, lr=lr, steps=1).value)


def test_status_of_a_sweep_from_one_end_of_the_doubles_to_the_other_warns_nobody():
    """34 steps of 1e307, which all leave a slope of 1."""
    runs = symgd.sweep("x", start=[1.7e308, 1.0], lr=1e307, steps=34)
    assert runs.theta[0, 0] == pytest.approx(-1.7e308)
    assert runs.status[0] is descend("x", start=1.7e308, lr=1e307, steps=34).status


def test_an_inflection_is_no_minimum_to_measure_from():
    # x + sin(x): the slope 1 + cos(x) is never negative; steps of (x + pi)^2/4 do not pass -pi
    told = descend("x+sin(x)", lr=0.5, steps=50, start=0).verdict
    assert told.kind == "descending"
    assert "slows down, though L falls without bound as x -> -inf" in told.sentence
    assert told.distance is None
    assert told.lr_max is None


def test_a_rate_of_a_formula_has_no_steady_factor():
    # prod(1 - 0.2/sqrt(t)): the factor of a step changes by a fifth in the next hundred
    told = descend("x^2", lr="0.1/sqrt(t)", steps=100).verdict
    assert told.rate_observed is None
    later = descend("x^2", lr="0.1/sqrt(t)", steps=100 + int(told.digit_steps))
    assert 0.05 < later.theta["x"] / told.distance < 0.2


def test_a_rate_that_stood_still_has_run_down():
    # 0.5*0.9**t: what is left is prod(1 - 0.9**t) over all t
    told = descend("x^2", lr="0.5*0.9^t", steps=600).verdict
    left = math.prod(1 - 0.9**t for t in range(1, 2000))
    assert told.kind == "run_down"
    assert told.distance == pytest.approx(left, rel=1e-6)


def test_a_large_convex_loss_is_converged_by_a_proof():
    """Its curvature vanishes along (1, 1, ..), so no minimum is certified."""
    loss = "+".join(f"(x{k}-x{k + 1})^2" for k in range(100))
    start = {f"x{k}": math.cos(math.pi * (k + 0.5) / 101) for k in range(101)}
    told = descend(loss, start=start, lr=0.2, steps=50_000, tol=1e-6).verdict
    assert told.kind == "converged"
    assert "convex" in told.sentence or "lower bound" in told.sentence


def test_a_gradient_function_is_told_by_its_gradient():
    told = symgd.descend_with(lambda theta: 2 * theta, 1.0, lr=0.2, steps=20).verdict
    assert told.kind == "descending"
    assert told.sentence == "descending: max|g| went from 2 to 7.31e-05"
    swing = symgd.descend_with(lambda theta: 2 * theta, 1.0, lr=1.0, steps=20).verdict
    assert swing.kind == "oscillating"


def test_an_error_that_stood_still_for_half_of_the_run_has_no_law():
    # of 1e200*x**2 the steps are lr*g/(1 + |g|): of one length, then of none
    rule = "theta = theta - lr*g/(1+norm(g))"
    told = descend("1e200*x^2", start=1e-8, lr=0.5, rule=rule, steps=4, tol=1e-6).verdict
    assert told.rate_observed is None or abs(told.rate_observed) == pytest.approx(1.0)


def test_a_minimum_where_large_terms_cancel_is_certified():
    # exp(x - 1) - x is 0 at its minimum 1: values there are all rounding
    run = descend("exp(x - 1) - x", start=6, lr=0.001, steps=30)
    assert run.verdict.distance == pytest.approx(run.x[0] - 1, rel=1e-9)


def test_a_fixed_point_that_is_not_the_minimum_is_told():
    # theta = theta - lr*g - lr*theta/2 ends where 2*(x - 2) + x/2 = 0: at 1.6, 0.4 from 2
    run = descend("(x - 2)**2", start=0, rule="weight_decay+gd", set={"weight_decay": 0.5},
                  lr=0.005, steps=300, advise=False)  # fmt: skip
    assert run.verdict.kind == "descending"
    assert "stays at 0.4" in run.verdict.sentence


def test_a_loss_that_swings_by_less_and_less_is_descending():
    # the steps are 0.5/t: the error is at most that, and smaller by luck
    run = descend("abs(x - 0.3)", start=2, lr="0.5/t", steps=200, advise=False)
    later = descend("abs(x - 0.3)", start=2, lr="0.5/t", steps=2200, advise=False)
    assert run.verdict.kind == "descending"
    assert "it goes to and fro" in run.verdict.sentence
    losses = {t: loss for t, _, loss, _ in later.history.rows()}
    assert run.value < max(v for t, v in losses.items() if t > 2100) < 0.0005


def test_a_run_that_lands_on_the_minimum_is_told_the_limit():
    # x - log(x) from 2.5 by 2.5*(1 - 1/2.5) = 1.5 to its minimum 1, where gd is stable below 2
    told = descend("x-log(x)", start=2.5, lr=2.5, steps=5).verdict
    assert told.kind == "landed"
    assert told.lr_max == pytest.approx(2.0)


def test_swinging_in_the_last_bits_is_converged():
    assert descend("x^2", lr=0.3, steps=100_000, rule="momentum").verdict.kind == "converged"


@pytest.mark.parametrize(
    ("loss", "arguments"),
    [
        ("cosh(x)*cosh(y)", {"start": 5, "lr": "0.1/t", "rule": "adam", "steps": 400,
                             "tol": 1e-300}),
        ("theta**2", {"start": 1e8, "lr": 0.1, "rule": "adagrad", "steps": 2}),
    ],
)  # fmt: skip
def test_numbers_of_steps_that_nobody_waits_for_are_not_told(loss, arguments):
    assert "more steps" not in descend(loss, **arguments).message


@pytest.mark.parametrize(
    ("loss", "arguments", "kind", "words"),
    [
        # x = 1/(3*lr*t) and more: it never passes 0; 1/x leads away from 0
        ("x^3", {"lr": 0.1, "steps": 100}, "descending", "slows down, though L falls without"),
        ("1/x", {"lr": 0.1, "steps": 100}, "descending", "slows down, though L falls without"),
        ("x*y", {"lr": 0.1, "steps": 50}, "descending", "slows down, though L falls without"),
        ("-log(x)", {"lr": 0.1, "steps": 100}, "unbounded", "as x -> inf"),
        ("x^2+abs(x)", {"lr": 0.1, "steps": 50}, "oscillating", "jumps across a kink"),
        ("x^2+100*y^2", {"lr": 0.01, "steps": 100}, "oscillating", "lr = 0.01 is the limit"),
        ("x^2+y^2", {"lr": "x=0,y=0.1"}, "converging", "; x = 1 is held fixed"),
        # the zero of 2*(x - 1) + 0.5*x is 0.8
        ("(x-1)^2", {"rule": "theta = theta - lr*(g + 0.5*theta)", "lr": 0.1, "steps": 99},
         "flat", "at rest 0.2 from the minimum"),
        ("x^2-y^2", {"lr": "auto", "start": {"x": 1, "y": 0.1}}, "unbounded", "as y -> inf"),
        # each step is lr*m/sqrt(v) of the largest v: it shrinks with the gradient
        ("(x-1000)^2", {"rule": "amsgrad", "lr": 0.0467, "steps": 6, "start": 0}, "converging",
         "by no steady factor"),
        ("x^6/6-x", {"rule": "qhadam", "lr": 0.405, "steps": 26, "start": 0.263}, "oscillating",
         "and rises again"),
        ("x^2+y^2", {"rule": "spsa", "lr": 0.01, "steps": 100}, "converging", "the error fell"),
        # three minima are within reach of Newton's step from here; the run goes to that of 3*pi/2
        ("sin(x)", {"start": 3.08, "rule": "adamaxw", "lr": 0.00049, "steps": 50}, "approaching",
         "1.61 from the minimum"),
    ],
)  # fmt: skip
def test_sentence_says_what_the_continued_run_does(loss, arguments, kind, words):
    found = descend(loss, advise=False, **arguments).verdict
    assert (found.kind, words in found.sentence) == (kind, True), found.sentence


def test_error_of_a_reported_point_is_told_beside_that_of_theta():
    run = descend("x^2", rule="gd+averaging", lr=0.05, steps=100)
    assert run.verdict.distance == abs(run.x[0])
    assert "not of the reported point, which is" in run.verdict.sentence


def test_a_rate_too_small_for_a_double_is_told_a_larger_one():
    assert "lr = 0.5 works" in descend("x^2", lr=1e-20).verdict.advice


def test_advice_for_a_random_rule_repeats_its_seed():
    slow = descend("x^2", rule="spsa", lr=0.001, steps=100, seed=3)
    assert "--seed 3" in slow.verdict.advice


def test_a_kink_beside_a_level_floor_is_not_said_to_be_higher_on_every_side():
    found = descend("max(abs(x)-1, 0)", start=3, lr=0.1, steps=50).verdict.sentence
    assert found.endswith("the loss is lower on no side looked at")
