"""Stable learning rates and factors per step, against hand derivations, NumPy, and real runs."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from symgd import Loss, Rule, descend, explain
from symgd.analysis.minima import find_minimum
from symgd.analysis.stable_rates import rates
from symgd.model.rules import find_rule
from tests.grids import grid

MGH = {
    f"{row['no']} {row['name']}": row
    for row in json.loads((Path(__file__).parents[1] / "files" / "mgh.json").read_text("utf-8"))
}
RULES = ("gd", "momentum", "nesterov")


def rates_of(rule, eigenvalues, lr=None, **values):
    found = find_rule(rule)
    return rates(found, found.resolve(values), eigenvalues, lr)


def test_exercise_by_hand():
    # theta -> (1 - 2 lr) theta: stable for 0 < lr < 1, at once at 1/2, 0.6 at 0.2
    found = rates_of("gd", [2.0], 0.2)
    assert found.stable == ((0.0, 1.0),)
    assert (found.best, found.best_rate, found.rate) == (0.5, 0.0, 0.6)
    assert found.steps_per_digit == pytest.approx(math.log(10) / -math.log(0.6))
    assert found.formula == "2/lambda_max"


def test_gd_is_fastest_at_two_over_the_sum_of_the_ends():
    # |1 - lr*1| = |1 - lr*9| at lr = 2/10, where both are 0.8
    found = rates_of("gd", [1.0, 4.0, 9.0])
    assert (found.best, found.best_rate) == (0.2, 0.8)


@pytest.mark.parametrize("beta", [0.0, 0.3, 0.9])
def test_heavy_ball_by_hand(beta):
    # Polyak (1964): stable below 2(1 + beta)/lambda_max. Of one curvature a the eigenvalues are a
    # pair of modulus sqrt(beta) for (1 - sqrt(beta))^2 < lr*a < (1 + sqrt(beta))^2
    found = rates_of("momentum", [0.5, 8.0], beta=beta)
    assert found.lr_max == pytest.approx(2 * (1 + beta) / 8.0, rel=1e-12)
    assert found.formula == "2*(1 + beta)/lambda_max"
    one = rates_of("momentum", [2.0], beta=beta)
    ends = [(1 - math.sqrt(beta)) ** 2 / 2, (1 + math.sqrt(beta)) ** 2 / 2]
    assert list(one.fastest) == pytest.approx(ends, rel=1e-5)
    assert one.best_rate == pytest.approx(math.sqrt(beta), abs=1e-7)


def test_nesterov_by_hand():
    # see test_nesterov_limit_by_hand: (2 + 2 beta)/(1 + 2 beta)/lambda; at lr*lambda = 1 it is done
    found = rates_of("nesterov", [4.0], beta=0.5)
    assert found.lr_max == pytest.approx(3 / 2 / 4)
    assert found.formula == "2*(1 + beta)/lambda_max/(1 + 2*beta)"
    assert found.best == pytest.approx(1 / 4, rel=1e-6)


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.3])
@pytest.mark.parametrize("curvature", [0.5, 2.0, 4.0])
def test_factor_is_the_spectral_radius_of_the_matrix(lr, curvature):
    # (x, v) -> v' = 0.9 v + a x, x' = x - lr v', worked by hand; NumPy finds the eigenvalues
    step = np.array([[1 - lr * curvature, -lr * 0.9], [curvature, 0.9]])
    radius = max(abs(np.linalg.eigvals(step)))
    found = rates_of("v = 0.9*v + g; theta = theta - lr*v", [curvature], lr)
    assert abs(found.rate) == pytest.approx(radius, rel=1e-9)


def test_rule_of_three_states_has_its_limit_between_numpys():
    text = "w = v; v = 0.5*v + g + 0.1*w; theta = theta - lr*v"

    def radius(lr, a=2.0):
        # columns x, v, w
        v = np.array([a, 0.5, 0.1])  # w is the v before, so 0.1*v more
        v = np.array([a, 0.6, 0.0])
        x = np.array([1.0, 0.0, 0.0]) - lr * v
        return max(abs(np.linalg.eigvals(np.array([x, v, [0.0, 1.0, 0.0]]))))

    limit = rates_of(text, [2.0]).lr_max
    assert radius(0.999 * limit) < 1 < radius(1.001 * limit)


def test_stable_range_need_not_reach_down_to_zero():
    # (1 - a)^2 - 1/2 in absolute value below 1 ... by hand: theta' = theta*(1.5 - 2 lr): stable
    # for 0.25 < lr < 1.25
    found = rates_of("theta = 1.5*theta - lr*g", [2.0])
    assert found.why_not  # 1.5 theta is no fixed point for a flat loss: not linearized
    found = rates_of("theta = theta + 0.1*g - lr*g", [2.0], 0.5)
    # theta' = theta*(1.2 - 2 lr): 0.1 < lr < 1.1
    assert found.stable[0] == pytest.approx((0.1, 1.1))
    assert found.lr_max is None
    assert found.best == pytest.approx(0.6, rel=1e-5)


def test_uphill_rule_has_no_stable_learning_rate():
    assert rates_of("theta = theta + lr*g", [2.0]).stable == ()


def test_rule_without_lr_says_so():
    found = rates_of("theta = theta - 0.5*g", [1.0])
    assert "does not use lr" in found.why_not
    assert found.rate == 0.5


@pytest.mark.parametrize("rule", ["adam", "rmsprop", "signsgd", "rprop", "lion", "adagrad"])
def test_rules_without_linearization_say_why(rule):
    found = rates_of(rule, [2.0], 0.01)
    assert found.why_not
    assert found.rate is None
    assert found.stable == ()


def test_kinks_and_vanishing_curvature_have_no_rate():
    assert "kink" in rates_of("gd", []).why_not
    assert "vanishes" in rates_of("gd", [0.0]).why_not


def test_names_of_a_rule_do_not_collide_with_symgds_own():
    rule = Rule("theta = theta - lr*error*g/curvature", {"error": 2.0, "curvature": 4.0})
    found = rates(rule, rule.resolve({}), [1.0], 1.0)
    assert found.rate == 0.5
    assert found.lr_max == pytest.approx(4.0)


# Against real runs


def quadratic(size):
    chance = np.random.default_rng(size)
    factor = chance.normal(size=(size, size))
    matrix = np.round(factor @ factor.T / size + np.eye(size), 3)
    matrix = 0.5 * (matrix + matrix.T)
    terms = [
        f"{float(matrix[i, j])!r}*(x{i} - {i})*(x{j} - {j})/2"
        for i in range(size)
        for j in range(size)
    ]
    return Loss(" + ".join(terms)), np.arange(size, dtype=float), matrix


def slowest(rule, values, lr):
    """The eigenvalue whose error shrinks least."""
    return max(values, key=lambda v: abs(rates_of(rule, [v], lr).rate))


def contraction(loss, rule, lr, minimum, direction, expected):
    """The factor per step of the distance to the minimum: the slope of its logarithm."""
    steps = math.ceil(math.log(1e-7) / math.log(expected))
    start = minimum + 1e-3 * (1 + np.linalg.norm(minimum)) * direction
    run = descend(loss, start=list(start), rule=rule, lr=lr, steps=min(steps, 10_000))
    distance = np.linalg.norm(run.history.theta - minimum, axis=1)
    # above the floor of rounding; momentum swings through the minimum now and then
    assert np.percentile(distance, 5) > 1e-14 * (1 + np.linalg.norm(minimum))
    first = len(distance) // 4
    t = run.history.t[first:]
    return math.exp(np.polyfit(t, np.log(distance[first:]), 1)[0])


@pytest.mark.parametrize("size", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("rule", RULES)
def test_predicted_factor_is_observed_on_quadratics(rule, size):
    loss, minimum, matrix = quadratic(size)
    values, vectors = np.linalg.eigh(matrix)
    lr = 0.02 * rates_of(rule, list(values)).lr_max
    told = rates_of(rule, list(values), lr)
    place = int(np.argmin(abs(values - slowest(rule, list(values), lr))))
    seen = contraction(loss, rule, lr, minimum, 100 * vectors[:, place], abs(told.rate))
    assert seen == pytest.approx(abs(told.rate), rel=0.01)
    assert math.log(seen) == pytest.approx(math.log(abs(told.rate)), rel=0.02)


@pytest.mark.parametrize("size", [1, 2, 5, 10])
@pytest.mark.parametrize("rule", RULES)
def test_limit_separates_runs_on_quadratics(rule, size):
    loss, _, matrix = quadratic(size)
    limit = rates_of(rule, list(np.linalg.eigvalsh(matrix))).lr_max
    below = descend(loss, start=0.3, rule=rule, lr=0.99 * limit, steps=6000)
    above = descend(loss, start=0.3, rule=rule, lr=1.01 * limit, steps=6000)
    assert below.grad_norm < 1e-6
    assert above.status == "diverged"


#: Problems whose Hessian at the minimum is positive definite, and of a condition below 1e5.
DEFINITE = [
    "1 Rosenbrock",
    "2 Freudenstein and Roth",
    "8 Bard",
    "14 Wood",
    "16 Brown and Dennis",
    "28 Discrete boundary value n=10",
    "30 Broyden tridiagonal n=10",
    "32 Linear full rank n=5 m=10",
]


def minimum_of(name):
    problem = MGH[name]
    loss = Loss(problem["expr"])
    found = find_minimum(loss, problem["xmin"], globalized=True)
    assert found is not None
    values, vectors = np.linalg.eigh(loss.hess(found.x))
    assert found.eigenvalues == pytest.approx(values, rel=1e-6)
    assert 0 < values[0] < values[-1] * 1.0001 < 1e5 * values[0]
    return loss, np.array(found.x), values, vectors


@pytest.mark.parametrize(("rule", "name"), grid(RULES, DEFINITE))
def test_predicted_factor_is_observed_at_minima_of_mgh(rule, name):
    loss, minimum, values, vectors = minimum_of(name)
    lr = 0.05 * rates_of(rule, list(values)).lr_max
    told = rates_of(rule, list(values), lr)
    place = int(np.argmin(abs(values - slowest(rule, list(values), lr))))
    seen = contraction(loss, rule, lr, minimum, 0.01 * vectors[:, place], abs(told.rate))
    assert seen == pytest.approx(abs(told.rate), rel=0.01)
    assert math.log(seen) == pytest.approx(math.log(abs(told.rate)), rel=0.02)


@pytest.mark.parametrize(("rule", "name"), grid(RULES, DEFINITE))
def test_limit_separates_runs_at_minima_of_mgh(rule, name):
    loss, minimum, values, vectors = minimum_of(name)
    limit = rates_of(rule, list(values)).lr_max
    start = minimum + 1e-6 * (1 + np.linalg.norm(minimum)) * vectors[:, -1]
    gone = []
    for lr in (0.99 * limit, 1.01 * limit):
        run = descend(loss, start=list(start), rule=rule, lr=lr, steps=2000)
        path = run.history.theta[~np.isnan(run.history.theta).any(axis=1)]
        away = np.linalg.norm(path - minimum, axis=1)
        gone.append((away[-1] / away[0], max(away) / away[0]))
    assert gone[0][0] < 1e-2
    assert gone[1][1] > 30


@pytest.mark.parametrize("beta", [0.35, 0.6, 0.76, 0.88])
@pytest.mark.parametrize("spread", [5.0, 60.0, 3000.0])
def test_fastest_learning_rate_of_the_heavy_ball_is_the_fastest(beta, spread):
    """Against the spectral radius of [[1 - lr*h, -lr*beta], [h, beta]] on a fine grid of rates."""
    curvatures = [1.0, 1.7, spread]

    def radius(lr):
        maps = ([[1 - lr * h, -lr * beta], [h, beta]] for h in curvatures)
        return max(np.abs(np.linalg.eigvals(m)).max() for m in maps)

    found = rates(find_rule("momentum"), {"beta": beta}, curvatures, 0.01)
    limit = 2 * (1 + beta) / spread
    assert found.lr_max == pytest.approx(limit, rel=1e-9)
    assert found.best_rate <= min(map(radius, np.linspace(limit / 2000, limit, 2000))) + 1e-5
    assert radius(found.best) == pytest.approx(found.best_rate, rel=1e-5)


@pytest.mark.parametrize(
    ("rule", "limit"),
    [
        # v is g at the first step and then a running mean: in the long run heavy ball with lr*(1-b)
        ("v = where(t == 1, g, b*v + (1 - b)*g); theta = theta - lr*v", 2 * 1.9 / 0.1 / 2),
        ("v = b*v + (1 - b)*g; theta = theta - lr*v/(1 - b^t)", 2 * 1.9 / 0.1 / 2),
        ("theta = theta - lr*min(1, t/100)*g", 1.0),
        ("theta = theta - where(t < 50 and lr > 0, 0.1, 1)*lr*g", 1.0),
        ("theta = theta - where(t <= 5, 0.1*lr, lr)*g", 1.0),
        ("s = where(t == 1, 0, 0.5*s); theta = theta - lr*(1 + abs(0.5^t))*g", 1.0),
        ("r = where(t > 5, sqrt(1 - b^t), 0); theta = theta - lr*r*g", 1.0),
    ],
)
def test_choices_by_the_step_alone_are_made_in_the_long_run(rule, limit):
    """On x**2, of curvature 2: gradient descent ends at 2/2, the heavy ball at 2*(1 + b)/2."""
    hyper = {"b": 0.9} if "b*" in rule or "b^" in rule else {}
    found = explain("x^2", rule=rule, set=hyper)
    [behavior] = found.behaviors
    assert behavior.rates.lr_max == pytest.approx(limit, rel=1e-6)


@pytest.mark.parametrize("rule", ["theta = theta - lr*where(g > 0, g, 2*g)", "signsgd", "adamax"])
def test_rules_with_kinks_in_the_gradient_are_not_smooth(rule):
    [behavior] = explain("x^2", rule=rule).behaviors
    assert "not smooth" in behavior.rates.why_not
