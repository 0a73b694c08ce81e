"""Machine code: every function, operation and rule, and its faults.

Right values: Python's own floats, NumPy, mpmath; the paths of rules: `test_catalogue`.
"""

import functools
import itertools
import math
import random
import subprocess
import sys
from array import array
from pathlib import Path

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import optax
import pytest

import symgd
import symgd.descent.native_kernel
from symgd import Loss
from symgd.backends import lambdified
from symgd.backends.compiler import compile_program
from symgd.backends.native import array_module, jit
from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.jit import compile_module, interrupted, source
from symgd.backends.native.loop_rerolling import reroll
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.graph import Graph
from symgd.formula.nodes import Name
from tests.grids import grid
from tests.hang_guard import HUNG
from tests.oracle import REFERENCE, mp_function, mp_slope

jax.config.update("jax_enable_x64", True)

inf, nan = math.inf, math.nan
SIMPLE = [-inf, -1e300, -700.5, -2.0, -1.0, -0.6, -1e-9, -0.0, 0.0, 1e-300, 0.3, 1.0, 2.5, 40.0]
EDGES = [*SIMPLE, 800.0, 1e10, 1e300, inf, nan]
RULES = [name for name, entry in symgd.CATALOGUE.items() if entry.kind == "rule"]
ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"


def compiled(program, lanes=1):
    """The program as a function of lists, one row of inputs per lane -> one of outputs per lane."""
    e = FunctionEmitter(lanes)
    known = {n: e.load("%x", k * lanes, wide=lanes > 1) for k, n in enumerate(program.names)}
    for k, out in enumerate(e.outputs(program, known)):
        e.store(e.spread(out), "%y", k * lanes)
    body = e.define("i64 @run(ptr %x, ptr %y)")
    function = compile_module(source([body], e.declared)).function("run", 2)
    # a buffer aligned for any vector: 64 bytes more than are used
    width, size = len(program.outputs), 8 * lanes

    def call(*rows):
        x = array("d", bytes(size * len(program.inputs) + 64))
        y = array("d", bytes(size * width + 64))
        at, to = (-(-b.buffer_info()[0] // 64) * 64 for b in (x, y))
        skip, miss = (at - x.buffer_info()[0]) // 8, (to - y.buffer_info()[0]) // 8
        for lane, row in enumerate(rows):
            for k, value in enumerate(row):
                x[skip + k * lanes + lane] = value
        function(at, to)
        interrupted.check()
        return [[y[miss + k * lanes + lane] for k in range(width)] for lane in range(lanes)]

    return call


def same(a, b, rel=1e-12):
    if math.isnan(a) or math.isnan(b):
        return math.isnan(a) and math.isnan(b)
    return a == b or math.isclose(a, b, rel_tol=rel, abs_tol=1e-300)


def rows_of(row):
    """Argument lists for one function: every combination of edges, thinned."""
    low, high = row.arity
    count = high or max(low, 3)
    if row.order:
        values = [[0.0, 1.0, 2.0], *[[-0.6, 0.3, 1.0, 2.5, 40.0, inf, nan]] * (count - 1)]
    elif row.cost >= 100:
        values = [[-0.6, 1e-9, 0.3, 1.0, 2.5, 40.0, 0.0, inf, nan]] * count
    else:
        values = [EDGES] * count
    rows = list(itertools.product(*values))
    random.Random(1).shuffle(rows)
    return rows[:600] if row.cost < 100 else rows[:30]


def by_mpmath(name, args):
    """The value of a function at 60 digits; None where mpmath has no real number, and for -0."""
    if "-0.0" in map(str, args):
        return None
    if name == "betaln" and min(args) <= 0:
        return nan  # defined for x, y > 0
    try:
        with mpmath.workdps(60):
            return float(REFERENCE[name](*map(mpmath.mpf, args)))
    except (ArithmeticError, TypeError, ValueError):
        return None


@pytest.mark.parametrize("row", BY_CLASS.values(), ids=lambda r: r.name)
def test_every_function_is_the_same_in_machine_code(row):
    if row.name == "where":
        return  # a node of its own: below
    rows = rows_of(row)
    graph = Graph()
    leaves = [Name(f"p{k}") for k in range(len(rows[0]))]
    node = graph.node(row.node, *leaves)
    program = compile_program(leaves, {"f": node})
    one, four = compiled(program), compiled(program, lanes=4)
    for start in range(0, len(rows) - 3, 4):
        group = rows[start : start + 4]
        wide = four(*group)
        for args, lane in zip(group, wide, strict=True):
            expected = float(row.scalar(*args))
            (got,) = one(args)[0]
            assert same(got, expected), (args, got, expected)
            assert same(lane[0], got, 0), (args, lane[0], got)
            if row.name in REFERENCE and all(abs(a) <= 40 for a in args):
                right = by_mpmath(row.name, args)
                assert right is None or same(got, right), (args, got, right)


#: text -> its value by NumPy's float64, which computes as IEEE 754 has it
VALUES = {
    "x + y - 3*x*y/7": lambda x, y: x + y - 3 * x * y / 7,
    "-(x - y)**2/(1 + x**2)": lambda x, y: -((x - y) * (x - y)) / (1 + x * x),
    "x**3 + y**4 - x**7 + 2**x + x**y + x**0.5 + x**-2 + x**-1": lambda x, y: (
        x**3 + y**4 - x**7 + 2.0**x + x**y + np.sqrt(x) + 1 / (x * x) + 1 / x
    ),
    "where(x < y, x*y, where(x == y, 1, x/y))": lambda x, y: (
        x * y if x < y else 1.0 if x == y else x / y
    ),
    "where(x <= 0, where(y != 1, exp(y), 0), log(x))": lambda x, y: (
        (np.exp(y) if y != 1 else 0.0) if x <= 0 else np.log(x)
    ),
    "where(x >= y, sqrt(x), sqrt(y))": lambda x, y: np.sqrt(x) if x >= y else np.sqrt(y),
    "|x - y| + max(x, y, 0.5) - min(x, y)": lambda x, y: (
        abs(x - y) + np.maximum(np.maximum(x, y), 0.5) - np.minimum(x, y)
    ),
    "0.1 + 1e-300*x + 1.7976931348623157e308*y": lambda x, y: (
        0.1 + 1e-300 * x + 1.7976931348623157e308 * y
    ),
}


def ordinary(x, y):
    """Whether no slope of these formulas overflows or has a kink here, or a jump."""
    return x != y and 1 not in (x, y) and all(1e-9 <= abs(v) <= 40 for v in (x, y))


@pytest.mark.parametrize("text", VALUES)
def test_operations_are_those_of_python(text):
    program = Loss(text).program
    one, eight = compiled(program), compiled(program, lanes=8)
    points = list(itertools.product(EDGES, EDGES))
    random.Random(2).shuffle(points)
    for start in range(0, len(points) - 7, 8):
        group = points[start : start + 8]
        for point, lane in zip(group, eight(*group), strict=True):
            got = one(point)[0]
            expected = lambdified.evaluate(program, point)
            assert all(map(same, got, expected)), (point, got, expected)
            with np.errstate(all="ignore"):
                value = float(VALUES[text](*map(np.float64, point)))
            assert same(got[0], value), (point, got)
            if ordinary(*point) and all(map(math.isfinite, got)):
                for slope, unit in zip(got[1:], np.eye(2), strict=True):
                    assert same(slope, mp_slope(mp_function(text, "xy"), point, unit), 1e-11), point
            assert all(same(a, b, 0) for a, b in zip(lane, got, strict=True))


POWERS = {
    "x**y": lambda x, y: x**y,
    "(-x)**y": lambda x, y: (-x) ** y,
    "sqrt(x**y)": lambda x, y: np.sqrt(x**y),
    "|x|**y": lambda x, y: abs(x) ** y,
    "x**x": lambda x: x**x,
    "y**2 + x**-y": lambda x, y: y * y + x**-y,
}


@pytest.mark.parametrize("text", POWERS)
def test_powers_of_special_numbers(text):
    """Those of C, whatever else of the formula is not finite: no root for an exponent of 0.5."""
    loss = Loss(text)
    code = array_module.compile_arrays(loss.program)
    special = [0.0, 1.0, 0.5, 2.0, 3.0, math.inf, 5e-324, 1e308, 2.0**53 + 2, 1e16, 1 / 3]
    special += [-v for v in special] + [math.nan]
    for point in itertools.product(special, repeat=len(loss.params)):
        for got, expected in zip(
            code.evaluate(point), loss.internals.evaluate(*point), strict=True
        ):
            assert same(got, expected), (point, got, expected)
            assert got != 0 or math.copysign(1, got) == math.copysign(1, expected)
        with np.errstate(all="ignore"):
            value = float(POWERS[text](*map(np.float64, point)))
        assert same(loss.internals.evaluate(*point)[0], value), point
        assert value != 0 or str(loss.internals.evaluate(*point)[0]) == str(value), point


@functools.cache
def read(text):
    """The loss of a text, read and derived once for all tests."""
    return Loss(text)


def both(loss, **how):
    return [
        symgd.descend(read(loss), backend=b, advise=False, **how) for b in ("lambdify", "native")
    ]


def agree(a, b):
    assert (a.status, a.message, a.steps) == (b.status, b.message, b.steps)
    assert all(same(a.theta[p], b.theta[p]) for p in a.theta), (a.theta, b.theta)
    assert list(a.history.t) == list(b.history.t)
    for mine, other in zip(a.history.rows(), b.history.rows(), strict=True):
        assert same(mine[2], other[2])
        assert same(mine[3], other[3])
        assert all(map(same, mine[1], other[1]))
    assert a.best.step == b.best.step
    assert same(a.best.value, b.best.value)
    assert a.verdict.kind == b.verdict.kind


@pytest.mark.parametrize(
    ("rule", "loss"), grid(RULES, [ROSENBROCK, "x**2 + |y|", "logcosh(x) + huber(y - 1)"])
)
def test_rules_take_the_same_steps(rule, loss):
    agree(*both(loss, rule=rule, lr=1e-3, steps=150, start={"x": -1.2, "y": 1.0}))


@pytest.mark.parametrize(
    "how",
    [
        {"loss": "theta**2"},
        {"loss": "theta**2", "lr": 10},
        {"loss": "theta**2", "lr": 10, "steps": 2000},
        {"loss": "theta**2", "lr": 0.001, "steps": 30000},
        {"loss": "theta**2", "tol": 1e-6, "steps": 1000},
        {"loss": "theta**2", "lr": "0.5/(1 + t/10)", "steps": 300},
        {"loss": "log(x - 2)", "start": 3, "lr": 1.0},
        {"loss": "log(x)", "start": -1},
        {"loss": "sqrt(x)", "start": 0.01},
        {"loss": "x**4", "lr": 1e-3, "start": 1e80, "steps": 3},
        {"loss": "exp(x) - x", "lr": 0.3, "steps": 500, "tol": 1e-16},
        {"loss": "gamma(x) + besselj(0, x)", "start": 2.5, "lr": 0.01, "steps": 40},
        {"loss": "floor(x)", "steps": 5},
        {"loss": ROSENBROCK, "rule": "clip_norm+adam+box", "steps": 50, "start": -1.2}
        | {"set": {"lower": -2.0, "upper": 0.5}},
    ],
    ids=lambda how: " ".join(map(str, how.values())),
)
def test_every_ending_is_the_same(how):
    agree(*both(**how))


def chained(n):
    return " + ".join(f"100*(x{i + 1}-x{i}**2)**2 + (1-x{i})**2" for i in range(1, n))


LARGE = {
    "chained Rosenbrock": chained(150),
    "couplings far apart": " + ".join(f"(x{i}*x{i * i % 131} - {i})**2/{i}" for i in range(1, 131)),
    "two kinds of terms": " + ".join(
        f"exp(-x{i}**2)" if i % 3 else f"log(1 + x{i}**4) - x{i}" for i in range(1, 140)
    ),
    "a product": "*".join(f"(1 + x{i}/100)" for i in range(1, 140)),
    "alone in their shape": " + ".join(
        f"x{i}**2*" + "*".join(f"cos(x{j % 140 + 1}/{j})" for j in range(i, i + 1 + i % 9))
        for i in range(1, 140)
    ),
    "a condition in common": " + ".join(f"(3 + x{i})**y" for i in range(1, 140)),
    "a maximum": f"max({', '.join(f'x{i}**2' for i in range(1, 140))}) + x1*x2",
    "selections": " + ".join(
        f"where(x{i} > x{i % 139 + 1}, x{i}**2, huber(x{i}))" for i in range(1, 140)
    ),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_formulas_are_right(name):
    loss = Loss(LARGE[name])
    assert array_module.compile_arrays(loss.program) is not None  # or Python would do it, slowly
    source = random.Random(name)
    for _ in range(3):
        x = [source.uniform(-2, 2) for _ in loss.params]
        value, grad = loss.compiled(x)
        expected, *slopes = loss.internals.evaluate(*x)
        assert same(value, expected)
        assert all(
            math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-14)
            for a, b in zip(grad, slopes, strict=True)
        )
    assert_right(loss, x, [value, *grad])


def assert_right(loss, x, got):
    """Value and gradient are those of mpmath; the gradient in two random directions."""
    function = mp_function(loss.text, loss.params)
    value, grad = float(function(*map(mpmath.mpf, x))), np.array(got[1:])
    generator = np.random.default_rng(1)
    assert abs(got[0] - value) <= 1e-13 * max(1.0, abs(value))
    for _ in range(2):
        direction = generator.choice((-1.0, 1.0), len(x)) * generator.uniform(0.5, 2.0, len(x))
        error = grad @ direction - mp_slope(function, x, direction)
        assert abs(error) <= 1e-13 * (abs(grad) @ abs(direction))


@pytest.mark.parametrize("seed", range(1, 7))
def test_a_loop_waits_for_what_it_reads_in_any_order(seed):
    """exp(sin(x[p])) needs all sines before: the two loops must not become one."""
    count = 64
    places = random.Random(seed).sample(range(count), count)
    loss = Loss(" + ".join(f"sin(x{k})*exp(sin(x{p}))" for k, p in enumerate(places)))
    x = [0.3 + 0.01 * k for k in range(count)]
    sines, cosines = [math.sin(v) for v in x], [math.cos(v) for v in x]
    value = math.fsum(sines[k] * math.exp(sines[p]) for k, p in enumerate(places))
    slopes = [cosines[k] * math.exp(sines[p]) for k, p in enumerate(places)]
    for k, p in enumerate(places):
        slopes[p] += sines[k] * math.exp(sines[p]) * cosines[p]
    got, grad = loss.compiled(x)
    assert got == pytest.approx(value, rel=1e-14)
    assert grad == pytest.approx(slopes, rel=1e-13)


def test_alike_terms_become_loops():
    sizes = [len(reroll(Loss(chained(n)).program).blocks) for n in (50, 500)]
    assert sizes[0] == sizes[1] < 12


@pytest.mark.parametrize("rule", ["gd", "adam", "clip_norm+momentum", "radam", "lion", "rprop+box"])
def test_descents_of_many_parameters_are_the_same(rule):
    given = {"lower": -0.9, "upper": 1.3} if "box" in rule else None
    how = {"rule": rule, "lr": 5e-4, "steps": 120, "start": 0.7, "set": given}
    slow, fast = both(LARGE["chained Rosenbrock"], **how)
    agree(slow, fast)
    assert fast.best.theta == pytest.approx(slow.best.theta, rel=1e-12)
    if rule in MANY:
        right = by_optax(MANY[rule], np.full(150, 0.7), 120)
        assert fast.x == pytest.approx(right, rel=1e-11)


MANY = {
    "gd": optax.sgd(5e-4),
    "adam": optax.adam(5e-4),
    "clip_norm+momentum": optax.chain(
        optax.clip_by_global_norm(1.0), optax.sgd(5e-4, momentum=0.9)
    ),
    "lion": optax.lion(5e-4, b1=0.9, b2=0.99, weight_decay=0.001),
}


def by_optax(optimizer, start, steps):
    """Where a descent on the chained Rosenbrock function ends."""
    gradient = jax.jit(
        jax.grad(lambda x: jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))
    )
    theta = jnp.array(start)
    state = optimizer.init(theta)
    for _ in range(steps):
        updates, state = optimizer.update(gradient(theta), state, theta)
        theta = optax.apply_updates(theta, updates)
    return np.array(theta)


@pytest.mark.parametrize(
    "how",
    [
        {"lr": 0.02, "steps": 500},
        {"lr": 1e-3, "steps": 3000, "tol": 1.0},
        {"lr": 1e-300, "steps": 60, "tol": 1e-3},
        {"lr": "auto", "steps": 30},
        {"lr": 1e305, "steps": 10},
        {"lr": 2e-4, "steps": 2500, "start": 0.99},
    ],
    ids=str,
)
def test_endings_of_many_parameters_are_the_same(how):
    agree(*both(chained(140), **({"start": -0.4} | how)))


def test_the_best_point_outlives_the_ring():
    slow, fast = both(
        chained(140),
        lr=0.01,
        steps=300,
        rule="gd+box",
        set={"lower": -3.0, "upper": 3.0},
        start=0.9,
    )
    assert 0 < slow.best.step < slow.steps - 60
    agree(slow, fast)
    assert fast.best.theta == pytest.approx(slow.best.theta, rel=1e-12)


@pytest.mark.parametrize("after", [0, 1, 46, 47, 48, 49, 50, 51, 400, 70_000])
@pytest.mark.parametrize("ends", ["by the steps", "not finite"])
def test_the_best_point_of_a_small_loss_outlives_the_ring(after, ends):
    """Step 24 is the best, `after` steps before the last."""
    wall = f" + 0*sqrt({3.0 + (after + 0.5) / 8} - x)" if ends == "not finite" else ""
    how = {"lr": 0.125, "rule": symgd.Rule("theta = theta + lr + 0*g"), "start": 0.0}
    steps = 24 + after + (9 if wall else 0)
    slow, fast = both(f"(x - 3)**2{wall}", steps=steps, **how)
    assert slow.best.step == 24
    assert (slow.status is symgd.Status.NONFINITE) == bool(wall)
    agree(slow, fast)
    assert (fast.best.step, fast.best.theta, fast.best.value) == (24, {"x": 3.0}, 0.0)


def test_without_machine_code_everything_still_runs(monkeypatch, caplog):
    monkeypatch.setattr(jit, "unavailable", lambda: "no llvmlite here")
    with caplog.at_level("INFO", logger="symgd"):
        result = symgd.descend("theta**2", backend="native")
    assert result.theta["theta"] == 3.656158440062973e-05
    assert "no llvmlite here" in caplog.text
    assert symgd.sweep("theta**2", lr=[0.1, 0.2], backend="native").value[1] == result.value
    value, grad = Loss("x**2 + y").compiled([3.0, 1.0])
    assert (value, grad.tolist()) == (10.0, [6.0, 1.0])


def test_a_failing_compiler_is_no_failure(monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("LLVM ERROR: out of registers")

    monkeypatch.setattr("symgd.descent.native_kernel.compile_module", broken)
    monkeypatch.setattr(jit, "_memory", {})
    assert symgd.descend("x**4", backend="native", lr=0.01).status is symgd.Status.COMPLETED


def test_long_runs_move_to_machine_code_on_the_way(monkeypatch):
    made = []
    original = symgd.descent.native_kernel.NativeKernel

    class Counted(original):
        def __init__(self, *args):
            made.append(args)
            super().__init__(*args)

    monkeypatch.setattr("symgd.descent.native_kernel.NativeKernel", Counted)
    symgd.descend("theta**2", steps=1000)
    assert not made
    long = symgd.descend(ROSENBROCK, steps=300_000, lr=1e-3, start=0.5)
    assert len(made) == 1
    agree(symgd.descend(ROSENBROCK, steps=300_000, lr=1e-3, start=0.5, backend="native"), long)


def test_an_interrupt_inside_a_python_function_is_heard(monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setitem(jit._callbacks, "python_digamma_1", None)
    jit._address.cache_clear()
    monkeypatch.setattr(jit, "_memory", {})
    monkeypatch.setattr(jit, "python_function", lambda symbol: (interrupt, 1))
    result = symgd.descend("digamma(x)**2", start=3.0, backend="native")
    assert result.status is symgd.Status.INTERRUPTED
    jit._address.cache_clear()
    monkeypatch.setattr(jit, "_memory", {})


def test_kernels_stay_inside_their_arrays():
    """With a page that must not be touched behind each buffer; in a process of its own."""
    script = Path(__file__).with_name("guarded.py")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=HUNG)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.split() == ["small", "large", "rows", "lanes"]


@pytest.mark.parametrize("beta", [0.5, 0.97, 1.0])
def test_powers_move_on_across_calls(beta, monkeypatch):
    rule = symgd.Rule("theta = theta - lr*g*beta**t/(1 + beta**t)", {"beta": beta})
    whole = symgd.descend(ROSENBROCK, rule=rule, lr=1e-3, steps=2500, start=0.5, backend="native")
    monkeypatch.setattr("symgd.descent.native_kernel._NANOSECONDS", 1000.0)
    parts = symgd.descend(ROSENBROCK, rule=rule, lr=1e-3, steps=2500, start=0.5, backend="native")
    assert parts.theta == whole.theta
    slow = symgd.descend(ROSENBROCK, rule=rule, lr=1e-3, steps=2500, start=0.5, backend="lambdify")
    assert slow.theta == whole.theta


@pytest.mark.parametrize("betas", [(0.5, 0.9), (0.9, 0.5), (0.0, 0.3), (-0.5, 0.6), (0.5, 1.0)])
@pytest.mark.parametrize("name", ["adam", "amsgrad", "nadam", "radam", "adamax"])
def test_corrections_that_have_become_one_are_left_out_without_a_trace(name, betas, monkeypatch):
    """1 - 0.5**t is 1 from t = 54 on, 1 - 0.9**t from t = 356 on: both ways are taken."""
    beta1, beta2 = betas
    words = {"rule": name, "lr": 1e-3, "steps": 500, "start": {"x": -1.2, "y": 1.0}}
    words["set"] = {"beta1": beta1, "beta2": beta2}
    slow = symgd.descend(read(ROSENBROCK), backend="lambdify", **words)
    # and again in each call
    monkeypatch.setattr("symgd.descent.native_kernel._NANOSECONDS", 2000.0)
    fast = symgd.descend(read(ROSENBROCK), backend="native", **words)
    assert (fast.status, fast.message, fast.steps) == (slow.status, slow.message, slow.steps)
    pairs = zip(fast.history.theta.ravel(), slow.history.theta.ravel(), strict=True)
    assert all(a == b for a, b in pairs)


def test_a_correction_of_a_negative_base_may_leave_one_again():
    """1 + 0.99**3653 rounds to 1, and 1 - 0.99**3654 does not."""
    t = next(t for t in range(1, 9999, 2) if 1 - (-0.99) ** t == 1)
    assert 1 - (-0.99) ** (t + 1) != 1
    words = {"rule": "adam", "lr": 1e-3, "steps": t + 400, "start": {"x": -1.2, "y": 1.0}}
    words["set"] = {"beta1": -0.99, "beta2": 0.5}
    slow, fast = (symgd.descend(ROSENBROCK, backend=b, **words) for b in ("lambdify", "native"))
    pairs = zip(fast.history.theta.ravel(), slow.history.theta.ravel(), strict=True)
    assert all(a == b for a, b in pairs)


IRREGULAR = " + ".join(f"{f}({k}*x{k} + x{k + 1}**{k % 5 + 2})" for k, f in enumerate(
    ["sin", "exp", "tanh", "cos", "atan"] * 60
))  # fmt: skip


def test_a_long_compilation_is_announced_before_it_starts(monkeypatch, caplog):
    """The line is there when the first piece is about to be compiled, and says how to stop it."""
    from symgd.backends.native import array_module

    said = []

    def compile_nothing(*_, **__):
        said.extend(caplog.messages)
        raise KeyboardInterrupt

    monkeypatch.setattr(array_module, "_PATIENCE", 0.0)
    monkeypatch.setattr(jit, "compile_alone", compile_nothing)
    monkeypatch.setattr(jit, "compile_module", compile_nothing)
    with pytest.raises(KeyboardInterrupt):
        array_module.compile_arrays(Loss(IRREGULAR).program)
    assert len(said) == 1
    assert "statements takes about" in said[0]
    assert "Ctrl-C stops it" in said[0]
    monkeypatch.undo()
    assert array_module.compile_arrays(Loss(IRREGULAR).program) is not None  # a second try
