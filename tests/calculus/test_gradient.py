"""The reverse sweep: exact, linear in the formula's size, silent about branches not taken."""

import math
import random

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
import sympy

import symgd
from symgd import Loss, names
from tests import corpora

jax.config.update("jax_enable_x64", True)


# Hessians


@corpora.each("mgh")
def test_hessian_agrees_with_50_digits_on_mgh(record):
    """At the standard start, to 1e-12 of the largest entry; differences of the exact gradient."""
    params, start = record["params"], record["start"]
    with mpmath.workdps(60):
        step = mpmath.mpf(10) ** -25
        rows = []
        for p in params:
            up, down = (
                {q: mpmath.mpf(x) for q, x in zip(params, start, strict=True)} for _ in "ab"
            )
            up[p] += step
            down[p] -= step
            above, below = (corpora.derive(record["expr"], at, digits=60)[1] for at in (up, down))
            rows.append([float((above[q] - below[q]) / (2 * step)) for q in params])
    compare_hessians(record, np.array(rows))


def compare_hessians(record, theirs):
    params = record["params"]
    loss = Loss(record["expr"])
    here = dict(zip(params, record["start"], strict=True))
    ours = np.array(loss.internals.hess_rows([here[p] for p in loss.params]))
    places = [params.index(p) for p in loss.params]
    scale = np.abs(theirs).max()
    np.testing.assert_allclose(ours, theirs[np.ix_(places, places)], rtol=0, atol=1e-12 * scale)
    np.testing.assert_array_equal(ours, ours.T)
    assert not np.delete(theirs, places, axis=0).any()  # parameters that the formula lacks


@corpora.each("mgh", lambda r: len(r["expr"]) < 400 and r["n"] <= 4)
def test_hessian_agrees_with_jax_on_mgh(record):
    """The same from JAX, on the problems that it differentiates quickly without compiling."""
    params = record["params"]
    code = compile(record["expr"], record["name"], "eval")
    space = {"__builtins__": {}, "pi": float(np.pi)}
    space |= {n: getattr(jnp, n) for n in ["exp", "log", "sin", "cos", "sqrt", "abs"]}

    def formula(x):
        return eval(code, space | {p: x[k] for k, p in enumerate(params)}) * 1.0

    theirs = np.asarray(jax.hessian(formula)(jnp.array(record["start"])))
    compare_hessians(record, theirs)


@pytest.mark.parametrize(
    ("text", "at", "hessian"),
    [
        ("x**2*y**3", (2.0, 3.0), [[54.0, 108.0], [108.0, 72.0]]),
        ("exp(x*y)", (0.0, 2.0), [[4.0, 1.0], [1.0, 0.0]]),
        ("x/y", (3.0, 2.0), [[0.0, -0.25], [-0.25, 0.75]]),
        ("abs(x)*y", (2.0, 5.0), [[0.0, 1.0], [1.0, 0.0]]),
        ("max(x, y)**2", (2.0, 1.0), [[2.0, 0.0], [0.0, 0.0]]),
        ("where(x > 0, x**3, x**2)*y", (-2.0, 3.0), [[6.0, -4.0], [-4.0, 0.0]]),
        ("relu(x)**2 + y", (3.0, 1.0), [[2.0, 0.0], [0.0, 0.0]]),
        ("huber(x) + y**2", (0.5, 1.0), [[1.0, 0.0], [0.0, 2.0]]),
        ("3*x + 2*y", (1.0, 1.0), [[0.0, 0.0], [0.0, 0.0]]),
        # d2(x**y)/dxdy = x**(y - 1)*(1 + y*log(x)), also where y is 0
        ("x**y", (1.0, 0.0), [[0.0, 1.0], [1.0, 0.0]]),
        ("exp(x)**x", (0.0,), [[2.0]]),  # exp(x**2)
    ],
)
def test_hessian_worked_by_hand(text, at, hessian):
    assert Loss(text).internals.hess_rows(at) == hessian
    assert Loss(text).hess(at).tolist() == hessian


# Branches that are not taken give neither nan nor inf to the gradient

BRANCHES = [
    # the double-where cases
    ("where(x > 0, log(x), 0)", (-1.0,), 0.0, (0.0,)),
    ("where(x > 0, log(x), 0)", (0.0,), 0.0, (0.0,)),
    ("where(x > 0, log(x), 0)", (2.0,), math.log(2), (0.5,)),
    ("where(x > 0, sqrt(x), 0)", (0.0,), 0.0, (0.0,)),
    ("where(x == 0, 1, sin(x)/x)", (0.0,), 1.0, (0.0,)),
    ("where(x != 0, sin(x)/x, 1)", (0.0,), 1.0, (0.0,)),
    ("where(x < 1, x, x**0.5)", (-2.0,), -2.0, (1.0,)),
    ("where(x > 0, 1/x, x)", (0.0,), 0.0, (1.0,)),
    ("where(x < 100, exp(x), x)", (1000.0,), 1000.0, (1.0,)),
    ("where(x < 100, exp(x)*exp(x), x)", (1000.0,), 1000.0, (1.0,)),
    ("where(x > 0, acosh(x + 1), -x)", (-3.0,), 3.0, (-1.0,)),
    # a shared sub-expression, once safe and once not
    ("where(x > 0, log(x), 0) + where(x > 0, log(x)**2, 0)", (-1.0,), 0.0, (0.0,)),
    ("where(x > 0, sqrt(x), 0)*where(x > 0, sqrt(x), 1)", (-1.0,), 0.0, (0.0,)),
    ("where(x > 0, log(x), 0)*y", (-1.0, 3.0), 0.0, (0.0, 0.0)),
    ("where(x > 0, log(x), y)*y", (-1.0, 3.0), 9.0, (0.0, 6.0)),
    # nested
    ("where(x > 0, where(y > 0, log(x)/sqrt(y), x), y)", (-1.0, -1.0), -1.0, (0.0, 1.0)),
    ("where(x > 0, where(y > 0, log(x)/sqrt(y), x), y)", (2.0, -1.0), 2.0, (1.0, 0.0)),
    ("where(x > 0, where(log(x) > 0, sqrt(log(x)), 0), 5)", (-1.0,), 5.0, (0.0,)),
    ("where(x > 0, where(log(x) > 0, sqrt(log(x)), 0), 5)", (0.5,), 0.0, (0.0,)),
    ("where(x > 0, log(x), where(x < -1, log(-x), x))", (-0.5,), -0.5, (1.0,)),
    ("where(x > 0, log(x), where(x < -1, log(-x), x))", (-math.e,), 1.0, (-1 / math.e,)),
    ("exp(where(x > 0, 1/x, x))", (0.0,), 1.0, (1.0,)),
    ("sqrt(where(x > 0, x, 1))", (0.0,), 1.0, (0.0,)),
    ("log(where(x > 0, x, 1))", (-4.0,), 0.0, (0.0,)),
    # max, min, clip and relu ignore an argument
    ("max(sqrt(x), 1)", (0.0,), 1.0, (0.0,)),
    ("min(1/x, 2)", (0.001,), 2.0, (0.0,)),
    ("max(log(x), 0)", (1e-300,), 0.0, (0.0,)),
    ("clip(sqrt(x), 1, 2)", (0.0,), 1.0, (0.0,)),
    ("clip(log(x), -1, 1)", (0.0,), -1.0, (0.0,)),
    ("clip(1/x, -1, 1)", (0.0,), 1.0, (0.0,)),
    ("relu(-sqrt(x))", (0.0,), 0.0, (0.0,)),
    ("relu(log(x))", (0.0,), 0.0, (0.0,)),
    ("max(sqrt(x), y)", (0.0, 1.0), 1.0, (0.0, 1.0)),
    ("max(max(sqrt(x), y), 2)", (0.0, 1.0), 2.0, (0.0, 0.0)),
    ("max(0, relu(sqrt(x)) - 1)", (0.0,), 0.0, (0.0,)),
    ("clip(cbrt(x), 0.5, 1)", (0.0,), 0.5, (0.0,)),
    # an infinite derivative at the value of the other branch stays outside
    ("sqrt(relu(x))", (-1.0,), 0.0, (0.0,)),
    ("sqrt(relu(x))", (0.0,), 0.0, (0.0,)),
    ("sqrt(relu(x))", (4.0,), 2.0, (0.25,)),
    ("sqrt(max(x, 0))", (-1.0,), 0.0, (0.0,)),
    ("sqrt(max(x*y, 0))*y", (-1.0, 2.0), 0.0, (0.0, 0.0)),
    ("sqrt(1 + min(x, -1))", (2.0,), 0.0, (0.0,)),
    ("cbrt(clip(x, 0, 1))*y", (-1.0, 2.0), 0.0, (0.0, 0.0)),
    ("sqrt(where(x > 0, x, 0))", (-1.0,), 0.0, (0.0,)),
]


@pytest.mark.parametrize(("text", "at", "value", "slopes"), BRANCHES, ids=[b[0] for b in BRANCHES])
def test_branch_not_taken_does_not_poison_the_gradient(text, at, value, slopes):
    got = Loss(text).internals.evaluate(*at)
    assert got[0] == pytest.approx(value, rel=1e-15)
    assert got[1:] == pytest.approx(list(slopes), rel=1e-15)


@pytest.mark.parametrize(("text", "at", "value", "slopes"), BRANCHES, ids=[b[0] for b in BRANCHES])
def test_branch_not_taken_does_not_poison_the_hessian(text, at, value, slopes):
    assert np.isfinite(Loss(text).internals.hess_rows(at)).all()
    assert np.isfinite(Loss(text).hess(at)).all()


@pytest.mark.parametrize("backend", ["lambdify", "native"])
@pytest.mark.parametrize(
    ("text", "u", "slope"),
    [
        ("sum(where(u > 0, u*a, u*sqrt(a)))", [1.0, 2.0], 3.0),
        ("sum(where(u > 0, u*a, u*sqrt(a)))", [-1.0, 2.0], -math.inf),
        ("mean(where(a > 0 or u > 0, u, log(a)*u))", [1.0, 2.0], 0.0),
        ("sum(where(u > 0, u*a, u*sqrt(a)*exp(u/a)))", [1.0, 2.0], 3.0),
        ("sum(where(u > 0, u*a, where(u < 0, sqrt(a), 1)))", [0.0, 2.0], 2.0),
    ],
)
def test_branch_that_no_row_takes_does_not_poison_the_gradient(backend, text, u, slope):
    loss = Loss(text, {"u": u}).internals.on(backend)
    assert loss.evaluate(0.0)[1:] == [slope]


def test_true_singularity_is_not_hidden():
    assert Loss("sqrt(x)").internals.evaluate(0.0) == [0.0, math.inf]
    assert Loss("abs(x)**0.5").internals.evaluate(4.0) == [2.0, 0.25]
    assert math.isnan(Loss("log(x)").internals.evaluate(-1.0)[0])
    assert Loss("where(x > -1, sqrt(x), 0)").internals.evaluate(0.0)[1] == math.inf
    assert Loss("1/x").internals.evaluate(0.0)[0] == math.inf


# Powers at 0


@pytest.mark.parametrize(
    ("text", "at", "slopes"),
    [
        ("x**2", (0.0,), [0.0]),
        ("x**1", (0.0,), [1.0]),
        ("x**0", (0.0,), [0.0]),
        ("x**3", (0.0,), [0.0]),
        ("x**1.5", (0.0,), [0.0]),
        ("x**-1", (2.0,), [-0.25]),
        ("x**y", (0.0, 2.0), [0.0, 0.0]),
        ("x**y", (0.0, 1.0), [1.0, 0.0]),
        ("x**y", (0.0, 3.5), [0.0, 0.0]),
        ("x**y", (-2.0, 3.0), [12.0, math.nan]),
        ("x**y", (1.0, 5.0), [5.0, 0.0]),
        ("2**x", (3.0,), [8 * math.log(2)]),
        ("0**x", (2.0,), [0.0]),
        ("x**x", (1.0,), [1.0]),
        ("(x**2)**y", (0.0, 1.0), [0.0, 0.0]),
    ],
)
def test_power_at_and_around_zero(text, at, slopes):
    assert Loss(text).internals.evaluate(*at)[1:] == pytest.approx(slopes, rel=1e-15, nan_ok=True)


# Parameters that do not enter, or cancel


def test_absent_parameter_has_derivative_zero():
    assert Loss("x - x + y", params=["x"]).internals.evaluate(3.0, 1.0)[1:] == [0.0, 1.0]
    assert Loss("0*x + y").internals.evaluate(3.0, 1.0)[1:] == [0.0, 1.0]
    assert Loss("floor(x) + y").internals.evaluate(3.5, 1.0)[1:] == [0.0, 1.0]
    assert Loss("x**0*y").internals.evaluate(3.5, 1.0)[1:] == [0.0, 1.0]


def test_callable_s_unused_argument_is_a_parameter_with_derivative_zero():
    loss = Loss(lambda x, y: x**2)
    assert loss.params == ("x", "y")
    assert loss.internals.evaluate(3.0, 1.0) == [9.0, 6.0, 0.0]


def test_constant_loss_has_an_empty_gradient():
    assert Loss("3").internals.evaluate() == [3.0]
    assert Loss("3").grad([]).shape == (0,)
    assert Loss("3").hess([]).shape == (0, 0)


# Ties share


def test_tie_shares_the_gradient_and_its_sum_is_that_of_one():
    assert Loss("max(x, y)").internals.evaluate(1.0, 1.0)[1:] == [0.5, 0.5]
    assert Loss("min(x, y, z)").internals.evaluate(1.0, 1.0, 1.0)[1:] == [0.25, 0.25, 0.5]
    assert sum(Loss("max(a, b, c, d)").internals.evaluate(*[2.0] * 4)[1:]) == 1.0
    assert Loss("max(x, -x)").internals.evaluate(0.0)[1:] == [0.0]
    assert Loss("max(x**2, y**2)").internals.evaluate(2.0, -2.0)[1:] == [2.0, -2.0]


# Growth: value and gradient cost at most four times the value, and everything is linear


def rosenbrock(n):
    return " + ".join(f"100*(x{k + 1} - x{k}**2)**2 + (1 - x{k})**2" for k in range(1, n))


def speelpenning(n):
    return "*".join(f"x{k}" for k in range(1, n + 1))


def logistic(iterations):
    def loss(x):
        for _ in range(iterations):
            x = 4 * x * (1 - x)
        return x

    return loss


GROWTH = {
    "Rosenbrock": (rosenbrock, (10, 100, 300)),
    "Speelpenning": (speelpenning, (10, 100)),
    "logistic": (logistic, (10, 50, 100)),
}


@pytest.mark.parametrize(
    ("family", "size"), [(f, n) for f, (_, sizes) in GROWTH.items() for n in sizes]
)
def test_value_and_gradient_cost_at_most_four_values(family, size):
    loss = Loss(GROWTH[family][0](size))
    assert loss.program.cost <= 4 * loss.internals.value_program.cost
    assert loss.program.operations <= 4 * loss.internals.value_program.operations


@pytest.mark.parametrize("family", GROWTH)
def test_operations_and_graph_grow_linearly(family):
    make, (small, *_, large) = GROWTH[family]
    first, last = Loss(make(small)), Loss(make(large))
    ratio = 1.25 * large / (small - 1)
    assert last.program.operations <= ratio * first.program.operations
    assert len(last.internals.graph) <= ratio * len(first.internals.graph)
    assert len(str(last.program)) <= 1.5 * ratio * len(str(first.program))


def test_chained_rosenbrock_gradient_is_the_textbook_one():
    n = 50
    loss = Loss(rosenbrock(n))
    x = [math.sin(k) for k in range(1, n + 1)]
    expected = [0.0] * n
    for k in range(n - 1):
        expected[k] += -400 * x[k] * (x[k + 1] - x[k] ** 2) - 2 * (1 - x[k])
        expected[k + 1] += 200 * (x[k + 1] - x[k] ** 2)
    assert loss.internals.evaluate(*x)[1:] == pytest.approx(expected, rel=1e-13, abs=1e-12)


@pytest.mark.parametrize(
    ("text", "at", "slope"),
    [  # by the chain rule, in the order in which nothing overflows
        ("1e100*tanh((1e300*x*1e100)*1e-150) + x", 5e-53, 1.0),  # tanh is flat at 5e197
        ("1e140*sin(1e140*(x*1e-140)**2*1e-150)", 1.0, 2.0 * 1e-150),
        ("1e-150*(1e150*x)**2", 1e-100, 2.0 * 1e50),
    ],
)
def test_large_and_tiny_numbers_stay_where_they_keep_each_other_finite(text, at, slope):
    assert Loss(text).internals.evaluate(at)[1] == pytest.approx(slope, rel=1e-5)


def test_product_gradient_survives_a_zero_factor():
    n = 20
    x = [1.0 + 0.1 * k for k in range(n)]
    x[7] = 0.0
    slopes = Loss(speelpenning(n)).internals.evaluate(*x)[1:]
    rest = math.prod(x[:7] + x[8:])
    assert slopes == pytest.approx([rest if k == 7 else 0.0 for k in range(n)], rel=1e-14)


@pytest.mark.parametrize("iterations", [1, 2, 5, 10])
def test_logistic_map_agrees_with_its_closed_form(iterations):
    """x_n = sin(2**n asin(sqrt(x)))**2, differentiated at 50 digits."""
    value, slope = Loss(logistic(iterations)).internals.evaluate(0.3)

    def closed(x):
        return mpmath.sin(2**iterations * mpmath.asin(mpmath.sqrt(x))) ** 2

    with mpmath.workdps(50):
        assert value == pytest.approx(float(closed(mpmath.mpf(0.3))), rel=1e-11)
        assert slope == pytest.approx(float(mpmath.diff(closed, mpmath.mpf(0.3))), rel=1e-11)


def test_logistic_map_at_100_iterations_equals_the_plain_loop():
    x, slope = 0.3, 1.0
    for _ in range(100):
        x, slope = 4 * x * (1 - x), slope * (4 * (1 - x) - 4 * x)
    value, got = Loss(logistic(100)).internals.evaluate(0.3)
    assert value == x
    assert got == pytest.approx(slope, rel=1e-12)


# Sources


def test_text_sympy_and_callable_have_the_same_gradient():
    x, y = sympy.symbols("x y", real=True)
    at = {"x": -1.2, "y": 1.0}
    sources = [
        "(1 - x)**2 + 100*(y - x**2)**2",
        (1 - x) ** 2 + 100 * (y - x**2) ** 2,
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2,
    ]
    for source in sources:
        loss = Loss(source)
        assert loss.value(at) == pytest.approx(24.2, rel=1e-15)
        assert loss.grad(at) == pytest.approx([-215.6, -88.0], rel=1e-14)
        assert loss.hess(at) == pytest.approx(
            np.array([[1330.0, 480.0], [480.0, 200.0]]), rel=1e-14
        )


@corpora.each("mgh", lambda r: r["n"] <= 4)
def test_gradient_for_people_is_the_gradient_that_runs(record):
    loss = Loss(record["expr"])
    here = dict(zip(record["params"], record["start"], strict=True))
    values = {s: sympy.Float(here[p], 50) for p, s in loss.symbols.items()}
    ours = dict(zip(loss.params, loss.grad({p: here[p] for p in loss.params}), strict=True))
    scale = max(map(abs, ours.values()))
    right = {names.canonical(p): v for p, v in corpora.derive(record["expr"], here)[1].items()}
    for name, symbolic in loss.gradient.items():
        near = pytest.approx(float(right[names.canonical(name)]), rel=1e-9, abs=1e-12 * scale)
        assert ours[names.canonical(name)] == near
        assert float(symbolic.xreplace(values).evalf(40)) == near


# Random piecewise formulas against differences at 60 digits


class Writer:
    """Random formulas in which branches guard what fails beside them."""

    def __init__(self, seed):
        self.source = random.Random(seed)

    def text(self, depth=4):
        pick = self.source
        if depth == 0 or pick.random() < 0.1:
            return pick.choice(("x", "y", "2.0", "0.5", "x", "y", "1.25"))
        a, b, c, d = (self.text(depth - 1) for _ in "abcd")
        relation = pick.choice(("<", "<=", ">", ">="))
        return pick.choice(
            (
                f"where({a} {relation} {b}, {c}, {d})", f"where({a} > 0, log({a}), {b})",
                f"where({a} > 0, {b}/sqrt({a}), {c})", f"where({a} < 5, exp({a}), {b})",
                f"where({a} >= 1, ({a})**1.5, {b})", f"max({a}, {b})", f"min({a}, {b}, {c})",
                f"max(sqrt(0.5 + abs({a})), {b})", f"clip({a}, -1.0, 1.0 + abs({b}))",
                f"relu({a})", f"abs({a})",
                f"({a})*({b})", f"({a} + {b})", f"({a} - ({b}))", f"({a})/({b})", f"sin({a})",
                f"-({a})", f"({a})**2", f"sqrt(1.5 + {a})", f"log({a} - 0.1)", f"atan({a})*({b})",
            )
        )  # fmt: skip


def python_of(text):
    """The same with Python's own lazy conditional, for `eval`."""
    while (start := text.rfind("where(")) >= 0:
        depth, parts, last = 0, [], start + 6
        for k in range(start + 6, len(text)):
            if text[k] == "(":
                depth += 1
            elif text[k] == ")" and depth == 0:
                break
            elif text[k] == ")":
                depth -= 1
            elif text[k] == "," and depth == 0:
                parts.append(text[last:k])
                last = k + 1
        condition, a, b = *parts, text[last:k]
        text = f"{text[:start]}(({a}) if ({condition}) else ({b})){text[k + 1 :]}"
    return text


_EXACT = {n: getattr(mpmath, n) for n in ("exp", "log", "sin", "sqrt", "atan")}
_EXACT |= {
    "abs": abs,
    "max": max,
    "min": min,
    "relu": lambda x: max(x, 0),
    "clip": lambda x, low, high: min(max(x, low), high),
}


def _real(function):
    """The function, or ValueError where mpmath would leave the finite real numbers."""

    def call(*args):
        value = function(*args)
        if any(isinstance(v, mpmath.mpc) or not mpmath.isfinite(v) for v in (*args, value)):
            raise ValueError("no finite real number")
        return value

    return call


_EXACT = {name: _real(function) for name, function in _EXACT.items()}


def test_random_piecewise_formulas_have_the_gradient_of_the_branch_taken():
    writer = Writer(seed=11)
    at = {"x": 0.8125, "y": -1.375}
    compared = 0
    with mpmath.workdps(60):
        step = mpmath.mpf(10) ** -20
        for _ in range(500):
            text = writer.text()
            try:
                loss = Loss(text)
                source = compile(python_of(text), "formula", "eval")
                slopes = []
                for name in loss.params:
                    ends = []
                    for shift in (step, -step, 0):
                        here = {p: mpmath.mpf(v) for p, v in at.items()}
                        here[name] += shift
                        ends.append(eval(source, {"__builtins__": {}}, _EXACT | here))
                    right, left = (ends[0] - ends[2]) / step, (ends[2] - ends[1]) / step
                    if abs(right - left) > 1e-6 * (1 + abs(right)):
                        raise ValueError("a kink")
                    slopes.append((right + left) / 2)
            except (ArithmeticError, TypeError, ValueError, SyntaxError, symgd.FormulaError):
                continue  # no value here, or a kink
            if any(isinstance(s, mpmath.mpc) or not mpmath.isfinite(s) for s in slopes):
                continue
            got = loss.internals.evaluate(*[at[p] for p in loss.params])[1:]
            scale = max([abs(s) for s in slopes], default=0)
            for a, b in zip(got, slopes, strict=True):
                assert abs(a - b) <= 1e-10 * scale + 1e-12, (text, got, [float(s) for s in slopes])
            compared += 1
    assert compared > 200


@pytest.mark.parametrize(
    ("text", "tip"),
    [
        ("hypot(x, y)", (0, 0)),
        ("sqrt(x^2 + 4*y^2)", (0, 0)),
        ("sqrt(x^2 - 2*x*y + y^2)", (1, 1)),
        ("sqrt((x - 1)^4 + y^2) + 3*x*0", (1, 0)),
        ("(x^2 + 4*y^2)^(1/4)", (0, 0)),
        ("cbrt(x^2 + y^4)", (0, 0)),
        ("acosh(1 + x^2 + y^2)", (0, 0)),
        ("acos(1 - x^2 - y^2)", (0, 0)),
        ("asin(cos(x)*cos(y))", (0, 0)),
        ("exp(-sqrt(x^2 + 3*y^2))", (0, 0)),
        ("sqrt(sqrt(x^2 + 2*y^2) + 1)", (0, 0)),
        ("hypot(x, y)^3", (0, 0)),
        ("sqrt(x^2 + 2*y^2) + sqrt(x^2 + 3*y^2) + x^2*y^2", (0, 0)),
        ("sqrt(x^2 + 2*y^2)*sqrt(x^2 + 3*y^2)*(2 + x)", (0, 0)),
    ],
)
def test_gradient_at_the_tip_of_a_cone_is_0_as_that_of_abs(text, tip):
    """The mean of the slopes on both sides, which are opposite; near the tip it is mpmath's."""
    loss = Loss(text)
    assert list(loss.value_and_grad(tip)[1]) == [0, 0]
    assert not np.isnan(loss.hess(tip)).any()
    beside = [t + d for t, d in zip(tip, (0.375, -0.25), strict=True)]
    formula = sympy.lambdify(sympy.symbols("x y"), loss.expr, "mpmath")
    with mpmath.workdps(40):
        for k, got in enumerate(loss.value_and_grad(beside)[1]):
            order = [int(k == i) for i in range(2)]
            assert got == pytest.approx(float(mpmath.diff(formula, beside, order)), rel=1e-13)


def test_infinite_slope_remains_where_the_base_is_not_stationary():
    assert list(Loss("sqrt(x) + y").value_and_grad([0, 0])[1]) == [math.inf, 1]
    assert list(Loss("sqrt(x + y^2)").value_and_grad([0, 0])[1]) == [math.inf, 0]


def test_hessian_of_a_root_away_from_its_tip():
    """sqrt(c - b^2) at b = 0, where the derivative of the radicand is 0: -1/sqrt(c)."""
    assert Loss("sqrt(6 - b^2)").hess([0.0])[0][0] == pytest.approx(-1 / math.sqrt(6), rel=1e-15)
    rows = Loss("sqrt(sum(u - b**2))", {"u": [606.75]})
    assert rows.hess([0.0])[0][0] == pytest.approx(-1 / math.sqrt(606.75), rel=1e-15)
    norm = Loss("sqrt(x^2 + 4*y^2)").hess([2.0, 0.0])
    assert norm.ravel() == pytest.approx([0, 0, 0, 2], rel=1e-15)


@pytest.mark.parametrize(
    ("text", "f"),
    [
        ("sqrt(0.5**b/(b*0.5**b) - b*0.5**b)", lambda b: mpmath.sqrt(1 / b - b / 2**b)),
        ("1/(exp(b)/(b*exp(b)) + b*exp(b))", lambda b: 1 / (1 / b + b * mpmath.exp(b))),
    ],
)
def test_hessian_of_a_divisor_with_a_divisor_of_its_own(text, f):
    """The inner divisor b*exp(b) is an addend of the outer one, too."""
    with mpmath.workdps(40):
        right = float(mpmath.diff(f, mpmath.mpf(0.5), 2))
    assert Loss(text).hess([0.5])[0][0] == pytest.approx(right, rel=1e-13)


def test_cone_over_rows():
    """The root of a mean of squares, and of a sum from which the parameter drops out in every row.

    Worked by hand: a perfect fit is the tip of a cone; sum(u) - sum(u) is constant.
    """
    fit = Loss("sqrt(mean((z*u - v)^2))", {"u": [2.5, 1.0], "v": [5.0, 2.0]})
    assert fit.value_and_grad([2.0]) == (0, [0])
    assert fit.value_and_grad([3.0])[1][0] == pytest.approx(math.sqrt(7.25 / 2), rel=1e-15)
    constant = Loss("sqrt(sum(where(z < 0, u, z) - u))", {"u": [2.5]})
    assert constant.value_and_grad([-0.5]) == (0, [0])
    norms = Loss("mean(sqrt((z*u - 2)^2 + 2*w^2))", {"u": [2.5, 1.0]})
    assert norms.value_and_grad([0.0, 2.0])[1] == pytest.approx([0, 1.25])  # w, z


def test_readers_see_the_textbook_gradient_of_a_cone():
    assert Loss("sqrt(x^2 + 4*y^2)").gradient_text()["x"] == "x/sqrt(x**2 + 4*y**2)"


@pytest.mark.parametrize("formula", ["(x/t)^b", "(k*x)^b", "(x*k/t)^b", "a*exp(-(k*x/t)^b)"])
@pytest.mark.parametrize("x", [0.0, 0.7])
def test_power_of_a_product_that_is_zero_has_no_slope_in_its_other_factors(formula, x):
    values = {"a": 2.0, "b": 0.6, "k": 0.4, "t": 1.5}
    loss = symgd.Loss(f"sum({formula})", {"x": [x]})
    slopes = loss.internals.evaluate(*(values[p] for p in loss.params))[1:]
    found = dict(zip(loss.params, slopes, strict=True))
    k = values["k"] if "k" in found else 1.0
    t = values["t"] if "t" in found else 1.0
    power = (k * x / t) ** 0.6
    outer = -2 * math.exp(-power) if "a" in found else 1.0
    expected = {"k": outer * 0.6 * power / k, "t": -outer * 0.6 * power / t}
    expected["b"] = outer * power * math.log(k * x / t) if x else 0.0
    for name in set(found) - {"a"}:
        assert found[name] == pytest.approx(expected[name], rel=1e-13, abs=1e-300)
