"""What branches alone need is evaluated there alone, and what is read elsewhere is right there.

Version 0.1 divided by the guarded name of a reciprocal outside its branch: silently wrong values,
gradients and Hessians. Right values here: mpmath at 60 digits, slopes by its differences.
"""

import math
import random

import numpy as np
import pytest
import sympy
from mpmath import mp, mpf
from scipy import optimize

import symgd
from symgd.backends.program import Loop, Program, StraightLine
from symgd.formula.graph import Graph
from symgd.formula.nodes import Both, Column, Either, Name, Negated, Where
from tests.backends.check_program import check_program

STEP = mpf(10) ** -18  # of differences at 60 digits: errors of about 1e-24


def oracle(function, at):
    """Value, gradient and Hessian of a function of mpmath numbers, by central differences."""
    count = range(len(at))

    def moved(*steps):
        point = [mpf(x) for x in at]
        for k, sign in steps:
            point[k] += sign * STEP
        return function(*point)

    with mp.workdps(60):
        grad = [(moved((k, 1)) - moved((k, -1))) / (2 * STEP) for k in count]
        hess = [
            [
                sum(a * b * moved((i, a), (j, b)) for a in (1, -1) for b in (1, -1))
                / (4 * STEP * STEP)
                for j in count
            ]
            for i in count
        ]
        value = float(moved())
    return value, np.array(grad, float), np.array(hess, float)


def assert_right(loss, at, function):
    """Every way to the value, the gradient and the Hessian of a loss gives what mpmath gives."""
    value, grad, hess = oracle(function, at)
    near = {"rel": 1e-9, "abs": 1e-9}
    found, slopes = loss.value_and_grad(at)
    assert (loss.value(at), found) == pytest.approx((value, value), **near)
    assert loss.evaluate_value(*at) == pytest.approx([value], **near)
    assert loss.evaluate(*at) == pytest.approx([value, *grad], **near)
    assert loss.grad(at) == pytest.approx(grad, **near)
    assert slopes == pytest.approx(grad, **near)
    assert loss.hess(at) == pytest.approx(hess, **near)
    upper = [hess[i, j] for i in range(len(at)) for j in range(i, len(at))]
    assert loss.evaluate_hess(*at) == pytest.approx(upper, **near)


def censored(d, s, y):
    return y / s + mp.log(s) if d > 0 else y / s


@pytest.mark.parametrize(
    ("text", "at", "function"),
    [
        ("where(d > 0, y/s - log(1/s), y/s)", [-1.0, 1.5, 2.0], censored),
        (
            "where(x > 0, 1/(x*x+1)+sqrt(1/(x*x+1)), 3) + 5/(x*x+1)",
            [-1.0],
            lambda x: 3 + 5 / (x * x + 1),
        ),
        (
            "where(x>0, 1/(x+2) + exp(1/(x+2)), 0) + y/(x+2)",
            [-1.0, 3.0],
            lambda x, y: y / (x + 2),
        ),
        (
            "(relu(x)+1)/(relu(x)+2)*log(x+2)",
            [-0.5],
            lambda x: (max(x, 0) + 1) / (max(x, 0) + 2) * mp.log(x + 2),
        ),
        ("(max(x,7)/max(x,7))/(x*2)", [-0.5], lambda x: 1 / (2 * x)),
        ("where(2 > 1, 2*(1/x), huber(1/x, 2))", [1.5], lambda x: 2 / x),
    ],
)
def test_a_reciprocal_of_a_branch_that_is_also_read_outside_it(text, at, function):
    assert_right(symgd.Loss(text), at, function)


def test_descent_of_a_censored_likelihood():
    # by hand: dL/dy = 1/s = 2/3, dL/ds = -y/s^2 = -8/9; y = 2 - 1/15, s = 1.5 + 4/45
    start = {"d": -1, "y": 2.0, "s": 1.5}
    found = symgd.descend("where(d > 0, y/s - log(1/s), y/s)", start=start, lr=0.1, steps=1)
    assert found.history.loss == pytest.approx([4 / 3, (2 - 1 / 15) / (1.5 + 4 / 45)], rel=1e-14)


@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_fit_of_a_censored_likelihood(backend):
    generator = np.random.default_rng(5)
    x = generator.uniform(0, 10, 120)
    time, limit = generator.exponential(2 + 0.5 * x), generator.uniform(2, 15, 120)
    data = {"x": x, "d": np.where(time <= limit, 1.0, 0.0), "y": np.minimum(time, limit)}

    def likelihood(theta):
        scale = theta[0] + theta[1] * x
        if scale.min() <= 0:
            return math.inf
        return np.sum(data["y"] / scale + data["d"] * np.log(scale))

    right = optimize.minimize(
        likelihood, [1.0, 0.1], method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12}
    )
    text = "sum(where(d > 0, y/(a+b*x) - log(1/(a+b*x)), y/(a+b*x)))"
    found = symgd.fit(text, data, start={"a": 1.0, "b": 0.1}, backend=backend)
    assert found.status == "converged"
    assert found.loss == pytest.approx(right.fun, rel=1e-10)
    assert [p.value for p in found.params.values()] == pytest.approx(right.x, rel=1e-5)


# -- random piecewise formulas ---------------------------------------------------------------

DIVISORS = {
    "(x*x + 1)": lambda x, y: x * x + 1,
    "(x + 3)": lambda x, y: x + 3,
    "(x*x + y*y + 2)": lambda x, y: x * x + y * y + 2,
    "(exp(y) + 1)": lambda x, y: mp.exp(y) + 1,
    "x": lambda x, y: x,
}
CONDITIONS = {
    "x > 0": lambda x, y: x > 0,
    "y < 0.3": lambda x, y: y < mpf(0.3),
    "x*y > 0.1": lambda x, y: x * y > mpf(0.1),
    "1/(x*x + 1) > 0.4": lambda x, y: 1 / (x * x + 1) > mpf(0.4),
}
UNARY = {
    "sqrt({}^2 + 1)": lambda a: mp.sqrt(a * a + 1),
    "tanh({})": mp.tanh,
    "{}^2": lambda a: a * a,
    "log({}^2 + 0.5)": lambda a: mp.log(a * a + mpf(0.5)),
    "relu({} - 0.2)": lambda a: max(a - mpf(0.2), 0),
    "max({}, 0.3)": lambda a: max(a, mpf(0.3)),
    "clip({}, -0.6, 0.7)": lambda a: min(max(a, mpf(-0.6)), mpf(0.7)),
    "abs({})": abs,
}
BINARY = {
    "({} + {})": lambda a, b: a + b,
    "({} - {})": lambda a, b: a - b,
    "({}*{})": lambda a, b: a * b,
}


def piecewise(generator, divisors, depth):
    """A random formula over x and y, and the same as a function of mpmath numbers."""
    kind = generator.choice(["where", "where", "binary", "binary", "unary"] if depth else ["leaf"])

    def below():
        return piecewise(generator, divisors, depth - 1)

    if kind == "leaf":
        divisor = generator.choice(divisors)
        bottom = DIVISORS[divisor]
        return generator.choice(
            [
                (f"1/{divisor}", lambda x, y: 1 / bottom(x, y)),
                (f"1/{divisor}", lambda x, y: 1 / bottom(x, y)),
                (f"y/{divisor}", lambda x, y: y / bottom(x, y)),
                (f"(x + 2)/{divisor}", lambda x, y: (x + 2) / bottom(x, y)),
            ]
        )
    if kind == "where":
        condition = generator.choice(list(CONDITIONS))
        test, (a, f), (b, g) = CONDITIONS[condition], below(), below()
        return f"where({condition}, {a}, {b})", lambda x, y: f(x, y) if test(x, y) else g(x, y)
    if kind == "unary":
        form, (a, f) = generator.choice(list(UNARY)), below()
        return form.format(f"({a})"), lambda x, y: UNARY[form](f(x, y))
    form, (a, f), (b, g) = generator.choice(list(BINARY)), below(), below()
    return form.format(f"({a})", f"({b})"), lambda x, y: BINARY[form](f(x, y), g(x, y))


def drawn(seed):
    """A formula with few divisors, so that its branches share them, and two points."""
    generator = random.Random(seed)
    divisors = generator.sample(list(DIVISORS), 2)
    text, function = piecewise(generator, divisors, 3)
    low, high = 0.25, 1.5  # away from the pole
    points = [
        [generator.choice((-1, 1)) * generator.uniform(low, high) for _ in range(2)]
        for _ in range(2)
    ]
    return f"{text} + 0*x + 0*y", function, points


@pytest.mark.parametrize("seeds", [range(k, k + 50) for k in range(0, 200, 50)], ids=str)
def test_random_piecewise_formulas_that_share_reciprocals(seeds):
    for seed in seeds:
        text, function, points = drawn(seed)
        loss = symgd.Loss(text)
        for at in points:
            assert_right(loss, at, function)


@pytest.mark.parametrize("seeds", [range(k, k + 25) for k in range(1000, 1050, 25)], ids=str)
def test_random_piecewise_sums_over_rows(seeds):
    for seed in seeds:
        text, function, points = drawn(seed)
        loss = symgd.Loss(f"sum({text})", {"y": [y for _, y in points]})
        for x, _ in points:
            assert_right(loss, [x], lambda x, f=function, p=points: sum(f(x, mpf(y)) for _, y in p))


# -- the proof ---------------------------------------------------------------------------------


def branch(build, reader):
    """A program: t0 = where(guard, 1/x, 0), and an output that reads it. Both are built here."""
    graph = Graph()
    x, p, q = (graph.atom(Name(name)) for name in "xpq")
    conditions = [graph.node(sympy.StrictGreaterThan, c, graph.number(0.0)) for c in (p, q)]
    t0, t1, t2 = (graph.atom(Name(f"t{k}")) for k in range(3))
    inverse = graph.node(sympy.Pow, x, graph.number(-1.0))
    zero = graph.number(0.0)
    guard = build(graph, *conditions)
    lines = [(t0, graph.node(Where, guard, inverse, zero))]
    lines.append((t1, graph.node(sympy.Add, reader(graph, *conditions, t0, x), x)))
    return Program((x, p, q), (StraightLine(tuple(lines)),), {"f": t1}, frozenset({t0}))


def both(graph, p, q):
    return graph.node(Both, p, q)


def neither(graph, p, q):
    return graph.node(Negated, graph.node(Either, p, q))


def either(graph, p, q):
    return graph.node(Either, p, q)


def only_p(graph, p, q):
    return p


def in_both(graph, p, q, t, x):
    return graph.node(Where, p, graph.node(Where, q, t, x), x)


def in_neither(graph, p, q, t, x):
    return graph.node(Where, p, x, graph.node(Where, q, x, t))


def in_p(graph, p, q, t, x):
    return graph.node(Where, p, t, x)


def in_either(graph, p, q, t, x):
    return graph.node(Where, graph.node(Either, p, q), t, x)


def in_not_p(graph, p, q, t, x):
    return graph.node(Where, p, x, t)


def in_a_condition(graph, p, q, t, x):
    positive = graph.node(sympy.StrictGreaterThan, t, x)
    return graph.node(Where, graph.node(Both, p, positive), x, x)


def anywhere(graph, p, q, t, x):
    return t


@pytest.mark.parametrize(
    ("build", "reader"),
    [
        (both, in_both),
        (neither, in_neither),
        (either, in_either),
        (only_p, in_p),
        (only_p, in_both),
        (only_p, in_a_condition),
    ],
)
def test_reads_under_the_guard_are_proved(build, reader):
    program = branch(build, reader)
    assert check_program(program) is program


@pytest.mark.parametrize(
    ("build", "reader"),
    [
        (only_p, anywhere),
        (only_p, in_not_p),
        (only_p, in_either),
        (both, in_p),
        (both, in_either),
        (neither, in_not_p),
        (neither, in_a_condition),
    ],
)
def test_reads_outside_the_guard_are_refused(build, reader):
    with pytest.raises(AssertionError, match="outside its guard"):
        check_program(branch(build, reader))


def test_what_reads_a_guarded_symbol_is_right_only_under_its_guard():
    graph = Graph()
    x, p, c = graph.atom(Name("x")), graph.atom(Name("p")), graph.atom(Column("c", "c"))
    t0, t1, t2, total = (graph.atom(Name(f"t{k}")) for k in range(4))
    zero = graph.number(0.0)
    above = graph.node(sympy.StrictGreaterThan, p, zero)
    lines = (
        (t0, above),
        (t1, graph.node(Where, t0, graph.node(sympy.log, x), zero)),
        (t2, graph.node(sympy.Add, t1, c)),  # not guarded, but right only where t1 is
    )
    for term, right in ((graph.node(Where, t0, t2, c), True), (t2, False)):
        loop = Loop((c,), lines, ((total, term),))
        program = Program((x, p), (loop,), {"f": total}, frozenset({t1}))
        if right:
            check_program(program)
        else:
            with pytest.raises(AssertionError, match="outside its guard"):
                check_program(program)
