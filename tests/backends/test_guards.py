"""What branches alone need is evaluated there alone, and what is read elsewhere is right there.

Version 0.1 divided by the guarded name of a reciprocal outside its branch: silently wrong values,
gradients and Hessians. Right values here: mpmath at 60 digits, slopes by its differences.
"""

import math
import random

import numpy as np
import pytest
import sympy
from scipy import optimize

import symgd
from symgd.backends.program import Loop, Program, StraightLine
from symgd.formula.graph import Graph
from symgd.formula.nodes import Both, Column, Either, Name, Negated, Where
from tests.backends.check_program import check_program
from tests.oracle import mp_derivatives, mp_function

NEAR = {"rel": 1e-9, "abs": 1e-9}


def assert_right(loss, at, data=None):
    """The compiled values, gradients and Hessians are those of mpmath, which are returned."""
    value, grad, hess = mp_derivatives(mp_function(loss.text, loss.params, data), at)
    found, slopes = loss.value_and_grad(at)
    assert (found, *slopes) == pytest.approx((value, *grad), **NEAR)
    assert loss.internals.evaluate_value(*at) == pytest.approx([value], **NEAR)
    assert loss.internals.evaluate(*at) == pytest.approx([value, *grad], **NEAR)
    upper = [hess[i, j] for i in range(len(at)) for j in range(i, len(at))]
    assert loss.evaluate_hess(*at) == pytest.approx(upper, **NEAR)
    return value, grad, hess


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("where(d > 0, y/s - log(1/s), y/s)", [-1.0, 1.5, 2.0]),
        ("where(x > 0, 1/(x*x+1)+sqrt(1/(x*x+1)), 3) + 5/(x*x+1)", [-1.0]),
        ("where(x>0, 1/(x+2) + exp(1/(x+2)), 0) + y/(x+2)", [-1.0, 3.0]),
        ("(relu(x)+1)/(relu(x)+2)*log(x+2)", [-0.5]),
        ("(max(x,7)/max(x,7))/(x*2)", [-0.5]),
        ("where(2 > 1, 2*(1/x), huber(1/x, 2))", [1.5]),
    ],
)
def test_a_reciprocal_of_a_branch_that_is_also_read_outside_it(text, at):
    loss = symgd.Loss(text)
    value, grad, hess = assert_right(loss, at)
    assert loss.value(at) == pytest.approx(value, **NEAR)
    assert loss.grad(at) == pytest.approx(grad, **NEAR)
    assert loss.hess(at) == pytest.approx(hess, **NEAR)


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

DIVISORS = ("(x*x + 1)", "(x + 3)", "(x*x + y*y + 2)", "(exp(y) + 1)", "x")
CONDITIONS = ("x > 0", "y < 0.3", "x*y > 0.1", "1/(x*x + 1) > 0.4")
UNARY = ("sqrt({}^2 + 1)", "tanh({})", "{}^2", "log({}^2 + 0.5)", "abs({})")
UNARY += ("relu({} - 0.2)", "max({}, 0.3)", "clip({}, -0.6, 0.7)")


def piecewise(generator, divisors, depth):
    """A random formula over x and y."""
    kind = generator.choice(["where", "where", "binary", "binary", "unary"] if depth else ["leaf"])

    def below():
        return piecewise(generator, divisors, depth - 1)

    if kind == "leaf":
        top = generator.choice(["1", "1", "y", "(x + 2)"])
        return f"{top}/{generator.choice(divisors)}"
    if kind == "where":
        return f"where({generator.choice(CONDITIONS)}, {below()}, {below()})"
    if kind == "unary":
        return generator.choice(UNARY).format(f"({below()})")
    return f"(({below()}) {generator.choice('+-*')} ({below()}))"


def drawn(seed):
    """A formula with few divisors, so that its branches share them, and two points."""
    generator = random.Random(seed)
    text = piecewise(generator, generator.sample(DIVISORS, 2), 3)
    points = [
        [generator.choice((-1, 1)) * generator.uniform(0.25, 1.5) for _ in "xy"] for _ in range(2)
    ]
    return f"{text} + 0*x + 0*y", points


@pytest.mark.parametrize("seeds", [range(k, k + 50) for k in range(0, 200, 50)], ids=str)
def test_random_piecewise_formulas_that_share_reciprocals(seeds):
    for text, points in map(drawn, seeds):
        loss = symgd.Loss(text)
        for at in points:
            assert_right(loss, at)


@pytest.mark.parametrize("seeds", [range(k, k + 25) for k in range(1000, 1050, 25)], ids=str)
def test_random_piecewise_sums_over_rows(seeds):
    for text, points in map(drawn, seeds):
        data = {"y": [y for _, y in points]}
        loss = symgd.Loss(f"sum({text})", data)
        for x, _ in points:
            assert_right(loss, [x], data)


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
