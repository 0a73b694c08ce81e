"""Grids of descents: every one equals the single run, number by number and in its status."""

import gc
import itertools
import random
import weakref

import numpy as np
import pytest

import symgd
from symgd import ArgumentError, Status
from symgd.model.rules import find_rule

ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"


def check(grid, loss, steps, every=1, tol=None, backend="native", fixed=None):
    """Each descent of the grid against `descend` with what its setting says."""
    for k in range(0, len(grid), every):
        setting = grid.setting(k)
        rule, lr, start = (setting.pop(name) for name in ("rule", "lr", "start"))
        known = symgd.Rule if isinstance(rule, symgd.Rule) else None
        names = rule.hyperparameters if known else find_rule(rule).hyperparameters
        one = symgd.descend(
            loss,
            start=[float(v) for v in start],
            lr=lr if isinstance(lr, str) else float(lr),
            rule=rule,
            steps=steps,
            tol=tol,
            set={n: v for n, v in setting.items() if n in names} | (fixed or {}),
            backend=backend,
        )
        assert list(grid.theta[k]) == list(one.x), (k, setting)
        assert grid.steps[k] == one.steps, (k, grid.status[k], one.status)
        assert grid.status[k] is one.status, (k, lr)
        assert grid.value[k] == one.value or (
            grid.value[k] != grid.value[k] and one.value != one.value
        )
        assert grid.grad_norm[k] == pytest.approx(one.grad_norm, rel=1e-15, nan_ok=True)


def test_every_descent_is_that_of_a_loop_by_hand():
    """NumPy over all descents at once; the rules as their papers have them."""
    rates = np.geomspace(1e-5, 8e-4, 37)
    starts = [(-1.2, 1.0), (0.5, 0.2), (1.5, 2.0)]
    rules = ["gd", "momentum", "nesterov", "adam"]
    grid = symgd.sweep(ROSENBROCK, lr=rates, rule=rules, start=starts, steps=150)
    assert grid.shape == (4, 37, 3)
    lr = np.repeat(rates, 3)
    for k, rule in enumerate(rules):
        theta = np.tile(np.array(starts).T, 37)
        v, m, s = np.zeros_like(theta), np.zeros_like(theta), np.zeros_like(theta)
        for t in range(1, 151):
            x, y = theta
            g = np.array([-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)])
            v = 0.9 * v + g
            m, s = 0.9 * m + 0.1 * g, 0.999 * s + 0.001 * g * g
            adam = m / (1 - 0.9**t) / (np.sqrt(s / (1 - 0.999**t)) + 1e-8)
            theta = theta - lr * {"gd": g, "momentum": v, "nesterov": g + 0.9 * v}.get(rule, adam)
        found = grid.theta[111 * k : 111 * (k + 1)]
        np.testing.assert_allclose(found, theta.T, rtol=1e-9)
        value = (1 - theta[0]) ** 2 + 100 * (theta[1] - theta[0] ** 2) ** 2
        np.testing.assert_allclose(grid.value[111 * k : 111 * (k + 1)], value, rtol=1e-8)


def test_learning_rates_from_slow_to_diverging():
    rates = np.geomspace(1e-5, 1.0, 60)
    grid = symgd.sweep(ROSENBROCK, lr=rates, start={"x": -1.2, "y": 1.0}, steps=150)
    assert {Status.COMPLETED, Status.DIVERGED} <= set(grid.status)
    check(grid, ROSENBROCK, 150)


def test_rules_starts_and_hyperparameters():
    how = {"lr": [0.003, 0.05], "start": [-1.2, {"x": 0.5, "y": 3}, (2.0, 2.0)], "steps": 77}
    grid = symgd.sweep(
        ROSENBROCK,
        rule=["gd", "momentum", "adam", "clip_norm+lion"],
        set={"beta1": [0.5, 0.9]},
        **how,
    )
    assert grid.shape == (4, 2, 3, 2)
    check(grid, ROSENBROCK, 77)


@pytest.mark.parametrize("tol", [1e-3, 1e-9, 0.0])
def test_each_stops_by_itself(tol):
    loss = "x**2 + cosh(y)"
    starts = np.array(
        [[0.0, 0.0], [1e-4, 1e-4], [1.0, 2.0], [-3.0, 0.5], [5.0, -5.0], [1.0, 800.0]]
    )
    grid = symgd.sweep(loss, lr=[0.1, 0.3, 0.9, 1.5], start=starts, steps=333, tol=tol)
    check(grid, loss, 333, tol=tol)
    assert len(set(grid.steps.tolist())) > 3


def test_leaving_the_domain_is_told_apart():
    loss = "log(x) + x**2 + 0.01/x"
    grid = symgd.sweep(
        loss, lr=[0.001, 0.2, 0.6, 3.0, 1e200], start=[0.5, 1.0, -1.0, 1e200], steps=40
    )
    assert {Status.NONFINITE, Status.COMPLETED} <= set(grid.status)
    check(grid, loss, 40)


def test_a_clipped_rule_does_not_hide_an_infinite_slope():
    loss = "exp(x**2) + log(y)"
    grid = symgd.sweep(
        loss,
        rule="gd+box",
        set={"lower": -30.0, "upper": [27.0, 40.0]},
        lr=[0.1, 1.0],
        start=[2.0, 5.0],
        steps=50,
    )
    check(grid, loss, 50)


def test_schedules_and_line_search_in_one_grid():
    grid = symgd.sweep("theta**2", lr=[0.1, "0.5/t", 0.2, "auto"], start=[1.0, 3.0], steps=30)
    check(grid, "theta**2", 30, backend="auto")
    assert grid.axes["lr"] == [0.1, "0.5/t", 0.2, "auto"]


@pytest.mark.parametrize("kind", [None, object])
def test_rates_may_be_an_array_of_numbers_and_formulas(kind):
    grid = symgd.sweep("theta**2", lr=np.array(["0.1", "0.5/t"], dtype=kind), steps=5)
    check(grid, "theta**2", 5)
    assert grid.axes["lr"] == ["0.1", "0.5/t"]


@pytest.mark.parametrize("rate", ["0.1", " 1e-1", "1/10"])
def test_a_rate_may_be_a_number_as_text(rate):
    """theta**2: each step multiplies by 1 - 2*lr."""
    grid = symgd.sweep("theta**2", lr=[rate, 0.2], steps=5)
    assert grid.theta[:, 0] == pytest.approx([0.8**5, 0.6**5], rel=1e-14)


@pytest.mark.parametrize("backend", ["native", "lambdify"])
def test_lost_is_the_same_by_every_way(backend):
    """sqrt(0) is finite, its slope is not; sqrt(-1) has no value; from 1 the next point has none"""
    grid = symgd.sweep("sqrt(a)", lr=[0.1, 5.0], start=[0.0, -1.0, 1.0], steps=6, backend=backend)
    assert grid.lost.tolist() == [True, True, False, True, True, True]
    grid = symgd.sweep("a**2", rule="rmsprop", lr=1e308, start=[1.0, 0.0], backend=backend)
    assert grid.lost.tolist() == [True, False]  # a step of 1e309


@pytest.mark.parametrize("tol", [None, 0.5])
def test_without_a_step_there_is_an_end(tol):
    grid = symgd.sweep("theta**2", lr=[0.1, 1.0], start=[0.0, 0.25, 3.0], steps=0, tol=tol)
    check(grid, "theta**2", 0, tol=tol)
    assert grid.value.tolist() == [0.0, 0.0625, 9.0] * 2
    assert grid.grad_norm.tolist() == [0.0, 0.5, 6.0] * 2


def test_threads_and_backends_change_nothing():
    rates = np.geomspace(1e-4, 2.0, 300)
    one, many = (
        symgd.sweep("logcosh(x) + 0.1*y**2", lr=rates, start=3.0, steps=91, threads=n)
        for n in (1, 5)
    )
    slow = symgd.sweep(
        "logcosh(x) + 0.1*y**2", lr=rates[::20], start=3.0, steps=91, backend="lambdify"
    )
    for name in ("theta", "value", "grad_norm", "steps"):
        assert np.array_equal(getattr(one, name), getattr(many, name), equal_nan=True)
        assert np.allclose(getattr(one, name)[::20], getattr(slow, name), rtol=1e-12)
    assert one.status == many.status
    assert one.status[::20] == slow.status


def test_a_result_is_a_whole_one():
    grid = symgd.sweep("theta**2", lr=[0.001, 0.2, 10.0])
    assert len(grid[1].history) == 21
    assert grid[1].theta["theta"] == 3.656158440062973e-05
    assert [r.verdict.kind for r in grid] == ["slow", "converging", "diverging"]
    assert grid.best == 1
    assert [r.steps for r in grid[:2]] == [20, 20]


def test_long_runs_go_in_portions(monkeypatch):
    monkeypatch.setattr("symgd.descent.native_sweep._NANOSECONDS", 1000.0)
    grid = symgd.sweep(ROSENBROCK, lr=np.geomspace(1e-5, 1e-2, 150), start=0.5, steps=300)
    check(grid, ROSENBROCK, 300, every=13)


@pytest.mark.parametrize("call", [1000.0, 3e4, 1e8])
def test_any_number_of_threads_and_calls_gives_the_same(call, monkeypatch):
    monkeypatch.setattr("symgd.descent.native_sweep._NANOSECONDS", call)
    monkeypatch.setattr("symgd._threads._WAKE", 1e-9)
    rates = np.geomspace(1e-5, 1.0, 1101)  # the last ones diverge, some at the last step
    for steps, order in itertools.product((0, 6, 300), (1, -1)):
        one, many = (
            symgd.sweep(ROSENBROCK, lr=rates[::order], start=0.5, steps=steps, threads=threads)
            for threads in (1, 5)
        )
        for name in ("theta", "value", "grad_norm", "steps", "lost"):
            assert np.array_equal(getattr(one, name), getattr(many, name), equal_nan=True)
        assert one.lost.any() == (steps > 0)
        assert np.isfinite(one.value).all()
        last = {*np.flatnonzero(many.steps == steps - 1)[::9].tolist()}
        for k in {0, 1, 500, 1099, 1100} | last:
            lr = float(rates[::order][k])
            alone = symgd.descend(ROSENBROCK, lr=lr, start=0.5, steps=steps, backend="lambdify")
            assert (list(many.theta[k]), many.steps[k]) == (list(alone.x), alone.steps)


def test_a_sweep_that_is_interrupted_ends_in_all_threads(monkeypatch):
    """An exception in one thread stops the others after their call, and is raised."""
    monkeypatch.setattr("symgd.descent.native_sweep._NANOSECONDS", 1000.0)
    calls = []

    class Stopped:
        def check(self):
            calls.append(1)
            if len(calls) == 9:
                raise KeyboardInterrupt

    monkeypatch.setattr("symgd.descent.native_sweep.interrupted", Stopped())
    with pytest.raises(KeyboardInterrupt):
        symgd.sweep(ROSENBROCK, lr=np.geomspace(1e-5, 1e-2, 20000), steps=300, threads=3)
    assert len(calls) < 100  # of thousands


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"lr": []}, "empty"),
        ({"lr": [0.1, -1]}, "above 0"),
        ({"lr": [0.1, "abc"]}, "not a number"),
        ({"lr": np.array([0.1, np.nan])}, "above 0"),
        ({"lr": [True]}, "above 0"),
        ({"lr": [[0.1, 0.2]]}, "no number"),
        ({"lr": [[0.1], [0.2, 0.3]]}, "no number"),
        ({"lr": [1j]}, "no number"),
        ({"lr": [10**400]}, "no number"),
        ({"lr": np.array([5], dtype="timedelta64[D]")}, "no number"),
        ({"start": np.array(["a"])}, "not numbers"),
        ({"start": np.array([1j])}, "not numbers"),
        ({"rule": ["gd", "adma"]}, "adam"),
        ({"set": {"bta": [1, 2]}}, "bta"),
        ({"start": np.ones((2, 3))}, "parameters"),
        ({"start": [np.inf]}, "finite"),
        ({"threads": 0}, "threads"),
        ({"threads": True}, "threads is True; it must be a whole number, 1 or more"),
        ({"backend": "gpu"}, "gpu"),
        ({"steps": -1}, "steps"),
        ({"lr": np.full(5000, 0.1), "start": list(range(5000))}, "10,000,000"),
    ],
)
def test_bad_grids_are_refused(how, words):
    with (
        pytest.raises(ArgumentError, match=words)
        if "rule" not in how
        else pytest.raises(symgd.SymgdError, match=words)
    ):
        symgd.sweep("theta**2", **how)


def test_kernels_outlive_the_memory_of_compiled_modules(monkeypatch):
    """A kernel in use keeps its machine code, however many others were compiled since."""
    from symgd.backends.native import jit

    monkeypatch.setattr(jit, "_memory", {})
    module = jit.compile_module("define i64 @seven() { ret i64 7 }\n")
    engine = weakref.ref(module.engine)
    seven = module.function("seven", 0)
    jit._memory.clear()
    del module
    gc.collect()
    assert engine() is not None
    assert seven() == 7
    del seven
    gc.collect()
    assert engine() is None


def test_threads_may_ask_for_the_same_kernel_at_once(monkeypatch):
    """Looking it up and taking it out are one: between two, another thread takes it."""
    from symgd.backends.native import jit

    class Between(dict):
        """What another thread does as soon as this one has seen that the key is there."""

        def __contains__(self, key):
            return super().pop(key, None) is not None

    monkeypatch.setattr(jit, "_memory", Between())
    assert jit.remembered(("kernel",), lambda: "made") == "made"
    assert jit.remembered(("kernel",), lambda: "made again") == "made"


@pytest.mark.parametrize(
    ("loss", "starts", "rates"),
    [
        ("(theta**2)**2", [0.5, 1e5, -1e40, 3.0], [1e-3, 0.1, 0.4, 10.0]),
        (ROSENBROCK, [(-1.2, 1.0), (300.0, -2.0), (1e30, 1.0), (0.0, 0.0)], [1e-4, 1e-3, 0.2]),
        ("exp(x) - x", [0.0, 600.0, -5.0, 709.5], [0.1, 1.0, 2.5]),
        ("x**2 + abs(y)", [(1.0, 1.0), (1e200, 3.0)], [0.5, 1.0, 1.5]),
    ],
)
@pytest.mark.parametrize("steps", [3, 24, 100])
def test_lanes_inside_and_outside_of_the_box_side_by_side(loss, starts, rates, steps):
    """Some lanes stop, some leave the box in which steps go without the loss, some never do."""
    grid = symgd.sweep(loss, lr=rates, start=starts, steps=steps)
    check(grid, loss, steps)


def test_a_box_is_used():
    """The steps without the loss are really taken; else nothing here tests them."""
    assert box_of(symgd.sweep("theta**2 + 0.125*theta", lr=[0.1, 0.2], steps=50)) > 1
    assert box_of(symgd.sweep("theta - log(theta)", lr=[0.1, 0.2], steps=50)) == 0


@pytest.mark.parametrize("steps", [24, 25, 60])
def test_the_theta_before_is_kept_where_a_block_without_the_loss_ends_beyond_it(steps):
    """|theta| grows by 2**35 a step: inside the box at step 20, no finite loss at step 24."""
    starts = [2.0**-327, -(2.0**-327), 2.0**-400]
    grid = symgd.sweep("theta**2", lr=2.0**34, start=starts, steps=steps)
    assert np.isfinite(grid.value).all()
    assert list(grid.lost[:2]) == [True, True]
    check(grid, "theta**2", steps)


@pytest.mark.parametrize(
    ("rule", "lr"),
    [
        ("momentum", [0.01, 0.02, 0.3]),
        ("nesterov", [0.01, 0.02, 0.3]),
        ("weight_decay+momentum", ["0.05/(1+t/50)", 0.01]),
        ("gd", ["0.1/(1+t/50)", "0.1 + t/5000", "0.01*sqrt(t)"]),
        ("signsgd", [0.01, 0.2]),
    ],
)
def test_long_blocks_without_the_loss_carry_the_state_and_the_number_of_the_step(rule, lr):
    loss = "0.5*x**2 + 0.25*(x - y)**2 + 0.01*y**4"
    for steps in (24, 100, 500):
        grid = symgd.sweep(loss, rule=rule, lr=lr, start=[(1.5, -2.0), (-0.5, 3.0)], steps=steps)
        check(grid, loss, steps)
        assert box_of(grid) > 1


def box_of(grid):
    """The largest |theta| with which the descents of a sweep need no loss."""
    from symgd.backends.native import jit
    from symgd.descent.native_sweep import LanesKernel

    assert len(grid) > 1
    return [k for k in jit._memory.values() if isinstance(k, LanesKernel)][-1].what.box


@pytest.mark.parametrize("beta", [1e10, 3e10, 1e11, 7e11, 1e12, 1e13])
def test_a_state_that_overflows_before_theta_is_seen(beta):
    """The velocity grows beta-fold a step, while theta waits for it to exceed 1/lr."""
    how = {"lr": [1e-290, 1e-295, 1e-300], "rule": "momentum", "start": 1.0, "steps": 80}
    grid = symgd.sweep("theta**2", set={"beta": beta}, **how)
    check(grid, "theta**2", 80, fixed={"beta": beta})
    assert grid.lost.all()
    assert box_of(grid) > 1


@pytest.mark.parametrize(
    ("loss", "rate"), [("theta**2", [1e-3, 1e200]), ("0.5*theta**2", "0.1 + 1e200*max(t - 40, 0)")]
)
def test_a_rate_that_overflows_late_or_in_one_lane_is_seen(loss, rate):
    """From 1 to -1e200, beyond, and to NaN within a block."""
    for start in ([1.0], [1.0, 1.5, -2.0]):
        grid = symgd.sweep(loss, lr=rate, start=start, steps=60)
        check(grid, loss, 60)
        assert grid.lost[-1]


_POWERS = [
    "(1 - x)^2 + 100*(y - x^2)^2", "x^4 + y^4 - 3*x*y", "(4.64 - x) + y^5", "x^6 + y^2 + x",
    "(x + y)^7*1e-3 + x^2 + y^2", "x^8/8 - x*y + y^2", "x^3*y^3 - x + y^2 + x^4", "x^10*1e-4 + y^2",
    "x^11*1e-3 + x^2*y^2 + y^2", "x^2.5 + y^2", "|x|^1.7 + |y|^3", "(x^2 + y^2)^1.3",
    "(x^2 + 1)^-3*x + y^2", "x^2/(1 + y^2)^3 + y^4", "sqrt(1 + x^2)^3 + y^3*0.1 + y^2",
    "log(1 + x^2)^5 + y^2", "(x*y)^4 + 2^x + y^2", "exp(x/5)^3 + y^4",
]  # fmt: skip
_RULES = [
    "gd", "momentum", "nesterov", "adam", "nadam", "radam", "amsgrad", "adamax", "rmsprop",
    "adagrad", "clip_norm+nadam",
]  # fmt: skip
_RATES = ["{0}", "{0}*min(1, t/5)", "{0}/(1 + t/10)^0.7", "{0}*0.97^t", "{0}/t^3"]


@pytest.mark.parametrize("loss", _POWERS)
def test_powers_are_those_of_single_runs_in_python_to_the_last_bit(loss):
    """18 losses x 2 of 11 rules x 8 starts: machine code against Python's arithmetic, 40 steps."""
    source = random.Random(loss)
    for name in source.sample(_RULES, 2):
        drawn = [n for n in find_rule(name).hyperparameters if n in ("beta1", "beta2", "rho")]
        given = {n: source.uniform(0.1, 0.999) for n in drawn}
        given |= {"max_norm": 0.7} if name.startswith("clip") else {}
        rate = source.choice(_RATES).format(source.uniform(1e-3, 0.2))
        words = {"lr": rate, "rule": name, "set": given, "steps": 40}
        starts = [[source.uniform(-2, 2), source.uniform(-2, 2)] for _ in range(8)]
        grid = symgd.sweep(loss, start=starts, backend="native", **words)
        assert list(grid[7].x) == list(grid.theta[7])
        for k, start in enumerate(starts):
            one = symgd.descend(loss, start=start, backend="lambdify", advise=False, **words)
            assert list(grid.theta[k]) == list(one.x), (words, start)
            assert grid.value[k] == one.value or one.value != one.value
            assert grid.steps[k] == one.steps
