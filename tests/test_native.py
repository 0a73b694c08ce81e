"""Machine code against Python's functions: every function, operation and rule, and its faults."""

import itertools
import math
import random
from array import array

import pytest

import symgd
from symgd import Loss
from symgd.backends import lambdified
from symgd.backends.native.emit import Emitter, Value
from symgd.backends.native.machine import compile_module, interrupted, source
from symgd.backends.native.steps import assignments, load, store
from symgd.functions import BY_CLASS
from symgd.graph import Graph, Name
from symgd.program import compile_program

inf, nan = math.inf, math.nan
SIMPLE = [-inf, -1e300, -700.5, -2.0, -1.0, -0.6, -1e-9, -0.0, 0.0, 1e-300, 0.3, 1.0, 2.5, 40.0]
EDGES = [*SIMPLE, 800.0, 1e10, 1e300, inf, nan]
RULES = [name for name, entry in symgd.CATALOGUE.items() if entry.kind == "rule"]
ROSENBROCK = "(1-x)**2 + 100*(y-x**2)**2"


def compiled(program, lanes=1):
    """The program as a function of lists, one row of inputs per lane -> one of outputs per lane."""
    e = Emitter(lanes)
    kind = e.type(lanes > 1)
    known = {}
    for k, symbol in enumerate(program.inputs):
        value = load(e, "%x", k, kind)
        known[symbol] = Value(value.text, lanes > 1)
    for k, out in enumerate(assignments(e, program, known)):
        store(e, e.spread(out) if lanes > 1 else out, "%y", k, kind)
    body = "\n".join(["define i64 @run(ptr %x, ptr %y) {", *e.lines, "  ret i64 0", "}"])
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


@pytest.mark.parametrize("row", BY_CLASS.values(), ids=lambda r: r.name)
def test_every_function_is_the_same_in_machine_code(row):
    if row.name == "where":
        return  # a node of its own: below
    rows = rows_of(row)
    graph = Graph()
    leaves = [Name(f"p{k}") for k in range(len(rows[0]))]
    node = graph.node(row.node, *leaves)
    program = compile_program(graph, leaves, {"f": node})
    one, four = compiled(program), compiled(program, lanes=4)
    for start in range(0, len(rows) - 3, 4):
        group = rows[start : start + 4]
        wide = four(*group)
        for args, lane in zip(group, wide, strict=True):
            expected = float(row.scalar(*args))
            (got,) = one(args)[0]
            assert same(got, expected), (args, got, expected)
            assert same(lane[0], got, 0), (args, lane[0], got)


EXPRESSIONS = [
    "x + y - 3*x*y/7",
    "-(x - y)**2/(1 + x**2)",
    "x**3 + y**4 - x**7 + 2**x + x**y + x**0.5 + x**-2 + x**-1",
    "where(x < y, x*y, where(x == y, 1, x/y))",
    "where(x <= 0, where(y != 1, exp(y), 0), log(x))",
    "where(x >= y, sqrt(x), sqrt(y))",
    "|x - y| + max(x, y, 0.5) - min(x, y)",
    "0.1 + 1e-300*x + 1.7976931348623157e308*y",
]


@pytest.mark.parametrize("text", EXPRESSIONS)
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
            assert all(same(a, b, 0) for a, b in zip(lane, got, strict=True))


def both(loss, **how):
    return [symgd.descend(loss, backend=b, **how) for b in ("lambdify", "native")]


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


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("loss", [ROSENBROCK, "x**2 + |y|", "logcosh(x) + huber(y - 1)"])
def test_rules_take_the_same_steps(rule, loss):
    agree(*both(loss, rule=rule, lr=1e-3, steps=500, start={"x": -1.2, "y": 1.0}))


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
