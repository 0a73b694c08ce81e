"""The engine: paths, statuses, what is kept when something stops it."""

import math
import re

import jax
import numpy as np
import optax
import pytest

import symgd
from symgd import ArgumentError, Status, descend

jax.config.update("jax_enable_x64", True)


def test_exercise_equals_the_plain_loop_bit_for_bit():
    theta, path = 1.0, [1.0]
    for _ in range(20):
        theta = theta - 0.2 * (2 * theta)
        path.append(theta)
    result = descend("theta**2", start=1.0, lr=0.2, steps=20)
    assert result.history.theta[:, 0].tolist() == path
    assert result.theta == {"theta": 3.656158440062973e-05}


@pytest.mark.parametrize("lr", [0.001, 0.2, 0.9, 1.0, 10.0])
def test_exercise_functions_equal_the_plain_loop(lr):
    theta = 1.0
    for _ in range(20):
        theta = theta - lr * (2 * theta)
    assert symgd.gradient_descent(initial_theta=1.0, learning_rate=lr, number_steps=20) == theta
    assert symgd.single_step_gradient_descent(1.0, lr) == 1.0 - lr * 2.0


def test_defaults_are_the_exercise():
    assert descend().theta == descend("theta**2", start=1.0, lr=0.2, steps=20, rule="gd").theta


def test_history_has_the_start_and_one_row_per_step():
    result = descend("x**2 + y**2", start={"x": 1, "y": 2}, steps=7)
    assert result.history.t.tolist() == list(range(8))
    assert result.history.theta.shape == (8, 2)
    assert result.history.theta[0].tolist() == [1.0, 2.0]
    assert result.history.loss[0] == 5.0
    assert result.history.grad_norm[0] == pytest.approx(math.hypot(2, 4), rel=1e-15)


def test_params_stand_in_natural_order():
    assert symgd.Loss("x10 + x2 + x1").params == ("x1", "x2", "x10")


def test_history_becomes_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = symgd.descend("x**2 + y**2", start={"x": 3, "y": 4}, lr=0.25, steps=1).to_pandas()
    rows = {"t": [0, 1], "x": [3.0, 1.5], "y": [4.0, 2.0], "loss": [25.0, 6.25]}
    pandas.testing.assert_frame_equal(
        frame, pandas.DataFrame(rows | {"grad_norm": [10.0, 5.0]}), check_dtype=False
    )


def test_long_history_is_thinned_and_keeps_first_and_last():
    result = descend("theta**2", lr=1e-6, steps=1_234_567)
    t = result.history.t
    assert t[0] == 0
    assert t[-1] == 1_234_567
    assert len(t) <= 10_002
    assert set(np.diff(t)[:-1].tolist()) == {result.history.stride}
    assert result.history.thinned


def test_three_million_numbers_are_kept_and_as_many_rows_as_are_asked_for():
    steps = 200_000
    whole = descend("theta**2", lr=1e-4, steps=steps).history
    assert whole.t.tolist() == list(range(steps + 1))
    assert len(descend("theta**2", lr=1e-4, steps=steps, history=100).history) <= 101
    long = descend("theta**2", lr=1e-9, steps=1_500_000, history="all").history
    assert (len(long), long.thinned) == (1_500_001, False)
    with pytest.raises(ArgumentError, match="GB"):
        descend("theta**2", steps=10**12, history="all")


def test_each_nth_step_is_kept_exactly():
    every, steps = 70_000, 1_500_001
    kept = descend("theta**2", lr=1e-6, steps=steps, every=every).history
    assert {*range(0, steps, every), steps} <= set(kept.t.tolist())
    whole = descend("theta**2", lr=1e-6, steps=steps, history="all").history
    at = [int(t) for t in kept.t]
    np.testing.assert_array_equal(kept.theta, whole.theta[at])


def test_a_run_at_a_fixed_point_is_the_run_that_goes_on():
    """From there on nothing changes, so that 10^13 steps take no time."""
    steps = 10**13
    result = descend("theta**2", lr=0.5, steps=steps)
    assert (result.theta, result.steps, result.status.value) == ({"theta": 0.0}, steps, "completed")
    t = result.history.t
    assert (t[0], t[-1]) == (0, steps)
    assert set(np.diff(t)[:-1].tolist()) == {result.history.stride}
    assert result.history.theta[1:].max() == 0.0


def test_a_history_is_a_sequence():
    path = descend("x**2 + y**2", start={"x": 3, "y": 4}, lr=0.25, steps=3).history
    assert path[1] == (1, (1.5, 2.0), 6.25, 5.0)
    assert path[-1].t == 3
    assert [row.t for row in path] == [0, 1, 2, 3]
    assert path[1:].loss.tolist() == path.loss[1:].tolist()
    assert path[::2].t.tolist() == [0, 2]
    with pytest.raises(IndexError):
        path[4]
    frame = path[1:3].to_polars()
    assert frame.columns == ["t", "x", "y", "loss", "grad_norm"]
    assert frame["t"].to_list() == path[1:3].to_pandas()["t"].tolist() == [1, 2]
    assert repr(path).startswith("<History: 4 rows, t = 0 to 3")


def test_a_result_has_the_names_of_scipy():
    result = descend("x**2 + y**2", start={"x": 3, "y": 4}, lr=0.25, steps=1)
    assert (result.fun, result.nit, result.nfev, result.success) == (6.25, 1, 2, True)
    assert result.x.tolist() == [1.5, 2.0]
    assert result.jac.tolist() == [3.0, 4.0]
    assert not descend("theta**2", lr=10, steps=50).success


def test_zero_steps_return_the_start():
    result = descend("theta**2", start=3.0, steps=0)
    assert (result.steps, result.theta, result.value) == (0, {"theta": 3.0}, 9.0)


def test_schedule_is_a_formula_of_t():
    result = descend("theta**2", lr="0.1/(1 + t/10)", steps=3)
    theta = 1.0
    for t in (1, 2, 3):
        theta -= 0.1 / (1 + t / 10) * (2 * theta)
    assert result.theta["theta"] == pytest.approx(theta, rel=1e-15)


def test_schedule_takes_constants_from_set():
    result = descend("theta**2", lr="a/t", set={"a": 0.3}, steps=1)
    assert result.theta["theta"] == pytest.approx(0.4, rel=1e-15)


def test_constants_of_the_loss_come_from_set():
    assert descend("(x - c)**2", set={"c": 3.0}, start=0.0, steps=200).theta["x"] == pytest.approx(
        3
    )


@pytest.mark.parametrize("text", ["x=-1.2,y=1", "x = -1.2, y = 1", "y=1;x=-1.2", "-1.2,1"])
def test_start_reads_names_and_lists(text):
    assert descend("x + 2*y", start=text, steps=0).theta == {"x": -1.2, "y": 1.0}


def test_start_may_name_a_constant_as_parameter():
    assert descend("e**2 + pi", start={"e": 1.0}, steps=0).theta == {"e": 1.0}


def test_greek_and_spelled_names_are_one():
    assert descend("θ**2", start={"theta": 2.0}, steps=0).theta == {"theta": 2.0}


STATUSES = [
    ("theta**2", {"tol": 1e-6, "steps": 1000}, Status.CONVERGED),
    ("theta**2", {}, Status.COMPLETED),
    ("theta**2", {"tol": 1e-30}, Status.MAX_STEPS),
    ("theta**2", {"lr": 10}, Status.DIVERGED),
    ("theta**2", {"lr": 10, "steps": 1000}, Status.DIVERGED),
    ("-x**2", {}, Status.DIVERGED),
    ("-exp(x)", {}, Status.DIVERGED),
    ("x**300", {}, Status.DIVERGED),
    ("log(x)", {"start": -1}, Status.NONFINITE),
    ("sqrt(x)", {"start": 0}, Status.NONFINITE),
    ("1/x", {"start": 0}, Status.NONFINITE),
    ("x**0.5", {"start": -1}, Status.NONFINITE),
    ("acosh(x)", {"start": 0.5}, Status.NONFINITE),
    ("log(x - 2)", {"start": 3}, Status.NONFINITE),
    ("x**4 - x**2", {"start": 0}, Status.SADDLE),
    ("x**2 - y**2", {"start": "x=1,y=0", "tol": 1e-9, "steps": 100}, Status.SADDLE),
    ("(x - 1e16)**2", {"start": 1e16 - 4, "lr": 0.01, "tol": 1e-3}, Status.STALLED),
]


@pytest.mark.parametrize(("loss", "arguments", "status"), STATUSES)
def test_status(loss, arguments, status):
    result = descend(loss, **arguments)
    assert result.status is status
    assert all(map(math.isfinite, result.theta.values()))
    assert result.message


def test_converged_carries_its_certificate():
    result = descend("(x-1)**2 + (y+2)**2", tol=1e-7, steps=1000)
    assert result.status is Status.CONVERGED
    assert max(map(abs, result.grad.values())) <= 1e-7


def test_nonfinite_names_the_sub_expression_its_operand_and_the_step():
    result = descend("log(x - 2)", start=3)
    path = 3.0
    for _ in range(4):
        path -= 0.2 / (path - 2)
    told = re.match(r"log\(x - 2\): x - 2 = (\S+) at step 4", result.message)
    assert float(told[1]) == pytest.approx(path - 2, rel=1e-12)
    assert result.steps == 3


def test_nonfinite_gradient_names_the_function():
    assert "the derivative of sqrt(x): x = 0.0" in descend("sqrt(x)", start=0).message


def test_where_that_is_not_taken_is_not_blamed():
    result = descend("where(x > 0, log(x), -x) + 1/(y - 1)", start="x=-1,y=1")
    assert result.message.startswith("1/(y - 1): y - 1 = 0.0")


def test_raise_for_status():
    with pytest.raises(symgd.DescentError, match="nonfinite: log"):
        descend("log(x)", start=-1).raise_for_status()
    assert descend().raise_for_status().steps == 20


def test_callback_sees_every_step_and_may_stop():
    seen = []

    def watch(step):
        seen.append((step.t, step.theta["theta"], step.loss))
        return step.t == 3

    result = descend(callback=watch)
    assert [t for t, _, _ in seen] == [0, 1, 2, 3]
    assert seen[1][1] == 0.6
    assert result.status is Status.STOPPED


def test_interrupt_returns_the_best_point():
    def watch(step):
        if step.t == 5:
            raise KeyboardInterrupt

    result = descend("theta**2", callback=watch)
    assert result.status is Status.INTERRUPTED
    assert result.theta == result.best.theta
    assert result.best.value == min(result.history.loss)


def test_best_is_the_least_loss_on_the_way():
    result = descend("abs(x)", start=1, lr=0.3, steps=50)
    assert result.best.value == min(result.history.loss)


def test_rejected_step_keeps_state():
    # one accepted step of the line search leaves exactly the state of one step at that rate
    found = descend("x**4", start=2.0, rule="momentum", lr="auto", steps=1)
    moved = 2.0 - found.theta["x"]
    lr = moved / (4 * 2.0**3)
    again = descend("x**4", start=2.0, rule="momentum", lr=lr, steps=1)
    assert again.theta["x"] == pytest.approx(found.theta["x"], rel=1e-15)


def test_line_search_never_raises_the_loss():
    loss = "(1-x)**2 + 100*(y-x**2)**2"
    result = descend(loss, start="x=-1.2,y=1", lr="auto", steps=500)
    assert (np.diff(result.history.loss) <= 0).all()


@pytest.mark.parametrize("rule", ["gd", "momentum", "nesterov", "adam"])
def test_line_search_solves_rosenbrock_with_smooth_rules(rule):
    loss = "(1-x)**2 + 100*(y-x**2)**2"
    result = descend(loss, start="x=-1.2,y=1", lr="auto", rule=rule, steps=40_000, tol=1e-6)
    assert result.status is Status.CONVERGED
    assert result.x == pytest.approx([1, 1], abs=1e-5)


def test_box_keeps_every_iterate_inside():
    result = descend("theta**2", rule="gd+box", set={"lower": 0.5, "upper": 2.0})
    assert result.history.theta.min() == 0.5


WRONG = [
    ({"lr": "abc"}, "abc"),
    ({"lr": "nan"}, "nan"),
    ({"lr": "inf"}, "inf"),
    ({"lr": 0}, "above 0"),
    ({"lr": -0.1}, "above 0"),
    ({"lr": "1/0"}, "divides by zero"),
    ({"lr": "q/t"}, "unknown name 'q'"),
    ({"lr": None}, "not a number"),
    ({"steps": -1}, "steps"),
    ({"steps": 1.5}, "steps"),
    ({"tol": -1}, "tol"),
    ({"tol": "x"}, "tol"),
    ({"start": "abc"}, "abc"),
    ({"start": "y=1"}, "no parameter 'y'"),
    ({"start": "theta=1,theta=2"}, "twice"),
    ({"start": float("nan")}, "finite"),
    ({"start": [1, 2]}, "2 numbers for 1 parameter"),
    ({"rule": "adm"}, "did you mean 'adam'"),
    ({"rule": "theta = theta - lr*bta1*g"}, "did you mean 'beta1'"),
    ({"rule": "clip_norm"}, "no rule to join it to"),
    ({"rule": "v = g"}, "never assigns theta"),
    ({"rule": "t = 1; theta = theta"}, "cannot be assigned"),
    ({"rule": "gd+box"}, "lower"),
    ({"set": {"beta": 1}}, "beta"),
    ({"set": {"theta": float("inf")}}, "finite"),
    ({"loss": "3"}, "constant"),
    ({"loss": "theta**"}, "ends too early"),
    ({"loss": 3 + 4j}, "not complex"),
    ({"backend": "cuda"}, "backend"),
]


@pytest.mark.parametrize(("arguments", "words"), WRONG)
def test_wrong_arguments_raise_before_anything_runs(arguments, words):
    with pytest.raises(symgd.SymgdError) as caught:
        descend(**arguments)
    assert words in str(caught.value)


def test_descend_with_runs_any_gradient_function():
    assert symgd.descend_with(lambda x: 2 * x, 1.0, 0.2, 20).theta == descend().theta


@pytest.mark.parametrize("rule", ["gd", "adam", "clip_norm+momentum", "rprop", "radam"])
def test_descend_with_arrays_equals_the_formula(rule):
    loss = "(x0-1)**2 + 10*(x1+2)**2 + x0*x1"
    values = {"max_norm": 1.0} if "clip" in rule else {}

    def grad(x):
        return np.array([2 * (x[0] - 1) + x[1], 20 * (x[1] + 2) + x[0]])

    one = descend(loss, start=[3.0, 4.0], rule=rule, lr=0.03, steps=200, set=values)
    two = symgd.descend_with(grad, [3.0, 4.0], 0.03, 200, rule=rule, set=values)
    assert two.history.theta == pytest.approx(one.history.theta, rel=1e-12)
    optimizer = {
        "gd": optax.sgd(0.03),
        "adam": optax.adam(0.03),
        "clip_norm+momentum": optax.chain(
            optax.clip_by_global_norm(1.0), optax.sgd(0.03, momentum=0.9)
        ),
    }.get(rule)  # the others: test_catalogue
    if optimizer is None:
        return
    theta = np.array([3.0, 4.0])
    state = optimizer.init(theta)
    for _ in range(200):
        updates, state = optimizer.update(grad(theta), state, theta)
        theta = theta + np.array(updates)
    assert two.x == pytest.approx(theta, rel=1e-11)


def test_descend_with_keeps_the_shape_and_takes_a_value():
    shapes = set()

    def grad(x):
        shapes.add(x.shape)
        return 2 * x

    result = symgd.descend_with(
        grad, np.ones((2, 3)), 0.2, 50, value=lambda x: (x**2).sum(), tol=1e-3
    )
    assert shapes == {(2, 3)}
    assert result.status is Status.CONVERGED
    assert result.value == pytest.approx(0, abs=1e-5)


def test_descend_with_refuses_what_it_cannot_do():
    with pytest.raises(symgd.ArgumentError, match="formula"):
        symgd.descend_with(lambda x: x, 1.0, "auto", 5)
    with pytest.raises(symgd.ArgumentError, match="shape"):
        symgd.descend_with(lambda x: x[:1], [1.0, 2.0], 0.1, 5)


def test_descend_with_tells_where_the_gradient_broke():
    result = symgd.descend_with(lambda x: math.nan if x < 0.5 else 2 * x, 1.0, 0.2, 20)
    assert result.status is Status.NONFINITE
    assert "step 2" in result.message


@pytest.mark.parametrize(
    ("rule", "more", "sentence"),
    [
        ("clip_norm+gd", {"start": 0, "set": {"max_norm": 0}},
         "max_norm/max(hypot(g[x], g[y]), max_norm): max_norm = 0.0"),
        ("theta = theta - lr*g/(t - 2)", {}, "lr*g[x]/(t - 2): lr = 0.2, g[x] = 2.8, t - 2 = 0.0"),
        ("v = v + g^2; theta = theta - lr*g/sqrt(v - 4)", {}, "= 0.0 in the rule at step 1"),
        ("s = sqrt(0.5 - t); theta = theta - s*lr*g", {}, "sqrt(0.5 - t): 0.5 - t = -0.5"),
        ("theta = theta - lr*g/norm(g)", {"start": 0, "lr": "0.1/t"}, "lr = 0.1, g[x] = 0.0"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_a_step_that_is_not_finite_names_the_part_of_the_rule(rule, more, sentence, backend):
    run = symgd.descend("x^2 + y^2", rule=rule, steps=5, backend=backend, **more)
    assert run.status is symgd.Status.NONFINITE
    assert sentence in run.message
