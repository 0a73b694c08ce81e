"""Rows in machine code and by NumPy: every function, many losses, odd lengths, any threads.

Right values: JAX, mpmath, and `rose`, worked by hand.
"""

import collections
import contextlib
import functools
import gc
import math
import os
import signal
import subprocess
import sys
import threading
import time
import types
import weakref

import numpy as np
import pytest

import symgd
from symgd import Loss
from symgd._threads import THREADS, default_threads, run_in_threads, worthwhile
from symgd.backends import dispatch
from symgd.backends.compiler import compile_program
from symgd.backends.native import elementary, jit, row_blocks
from symgd.backends.native.nests import nest_machine
from symgd.backends.native.row_blocks import compile_native
from symgd.backends.numpy_rows import BLOCK, compile_rows
from symgd.backends.operations import Operation
from symgd.descent import native_kernel
from symgd.formula.functions.table import BY_CLASS, FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import Column, RowSum
from tests import regression
from tests.backends.guarded_arrays import output_of
from tests.backends.test_native import EDGES, rows_of, same
from tests.grids import grid
from tests.hang_guard import HUNG
from tests.jax_oracle import jax_value_and_grad
from tests.oracle import mp_function, mp_slope

inf, nan = math.inf, math.nan
ROSE = "mean((y - (a*exp(-b*x) + c))**2)"


class Rows:
    """A table of one piece, or of pieces of a length."""

    def __init__(self, data, length=None):
        self.data, self.length = data, length

    def blocks(self):
        count = len(next(iter(self.data.values())))
        step = self.length or max(count, 1)
        for start in range(0, count, step):
            yield {n: a[start : start + step] for n, a in self.data.items()}


LIBRARIES = ["own", "own, no fma", "libmvec", "scalar"]

# What is computed is float64 in any case: cells of float32 are widened when they are read.
KINDS = [*((library, np.float64) for library in LIBRARIES), ("own", np.float32)]


def by_library_and_kind(name, values):
    """Tests of values with libraries and types of cells."""
    cases = [(value, *kind) for value, kind in grid(values, KINDS)]
    return pytest.mark.parametrize((name, "library", "kind"), cases, indirect=["library"])


def by_library(name, values):
    """The same without the types."""
    cases = grid(values, LIBRARIES)
    ids = [f"{getattr(value, 'name', value)}-{library}" for value, library in cases]
    return pytest.mark.parametrize((name, "library"), cases, ids=ids, indirect=["library"])


@pytest.fixture
def library(request, monkeypatch):
    """symgd's functions of vectors, the library's, and as where there is neither."""
    original = nest_machine.remembered
    own = lambda key, make: original((request.param, *key), make)  # noqa: E731
    monkeypatch.setattr(nest_machine, "remembered", own)
    if "own" not in request.param:
        monkeypatch.setattr(nest_machine, "OWN", ())
    if "no fma" in request.param:
        monkeypatch.setattr(nest_machine, "fused", lambda: False)
    if request.param != "libmvec":
        monkeypatch.setattr(nest_machine, "vector_symbol", lambda symbol, arguments: None)
    elif jit.vector_symbol("exp", 1) is None:
        pytest.skip("this platform has no libmvec")
    return request.param


def per_row(row, count):
    """The sum over rows of a function of the columns c0, c1, ..."""
    graph = Graph()
    columns = [Column(f"c{k}", f"c{k}") for k in range(count)]
    node = graph.node(RowSum, graph.node(row.node, *columns))
    return compile_program([], {"f": node})


@by_library("row", BY_CLASS.values())
def test_every_function_is_that_of_numpy(row, library):
    if row.name == "where":
        return  # among the losses below
    rows = rows_of(row)
    count = len(rows[0])
    program = per_row(row, count)
    if library != "own" and any(map(elementary.calls_python_back, program.body)):
        return  # a call of Python's function, whatever the library
    ours = compile_native(program, 1)
    table = {f"c{k}": np.array([r[k] for r in rows]) for k in range(count)}
    # in rows of their own: a sum would hide all but the largest, and all where one is NaN
    for k, args in enumerate(rows):
        (got,) = ours([], Rows({n: a[k : k + 1] for n, a in table.items()}))
        expected = float(row.scalar(*args))
        assert same(got, expected), (args, got, expected)


@by_library("row", FUNCTIONS.values())
def test_gradients_of_every_function_are_those_of_numpy(row, library):
    if row.name == "where":
        return
    low, high = row.arity
    count = high or max(low, 2)
    names = "abc"[:count]
    start = "" if not row.order else "2, "
    args = ", ".join(f"{p}*x{k}" for k, p in enumerate(names[1:] if row.order else names))
    generator = np.random.default_rng(5)
    ranges = {"acosh": (1.1, 3), "asec": (1.1, 3), "acsc": (1.1, 3), "acoth": (1.1, 3)}
    low_x, high_x = ranges.get(row.name, (0.1, 0.9))
    few = {f"x{k}": generator.uniform(low_x, high_x, 40) for k in range(count)}
    text = f"mean({row.name}({start}{args}))"
    loss = Loss(text, {n: np.tile(c, 1 if row.cost >= 100 else 25) for n, c in few.items()})
    theta = [1.0, 1.05, 1.1][: len(loss.params)]
    assert_right(loss, theta, by_mpmath(text, loss.params, tuple(theta), frozen(few)))


def frozen(columns):
    """Columns as what a cache takes."""
    return tuple((name, column.tobytes(), column.dtype) for name, column in columns.items())


def thawed(columns):
    return {name: np.frombuffer(held, kind) for name, held, kind in columns}


@functools.cache
def by_mpmath(text, params, theta, columns):
    """[value, slopes...] of a mean or sum over rows."""
    function = mp_function(text, params, thawed(columns))
    slopes = [mp_slope(function, theta, unit) for unit in np.eye(len(theta))]
    return [float(function(*theta)), *slopes]


@functools.cache
def by_jax(text, params, theta, columns):
    value, grad = jax_value_and_grad(text, dict(zip(params, theta, strict=True)), thawed(columns))
    return [value, *(grad[p] for p in params)]


def compare(loss, theta):
    """Both backends against JAX."""
    columns = frozen(dict(loss.table.columns))
    assert_right(loss, theta, by_jax(loss.text, loss.params, tuple(theta), columns))


def assert_right(loss, theta, right, rel=1e-12):
    program = loss.internals.by_rows().program
    values = [*theta, *loss.internals.rows.more(program)]
    scale = max(map(abs, right))
    for run in (compile_rows(program), compile_native(program, 2)):
        for got, expected in zip(run(values, loss.table), right, strict=True):
            assert same(got, expected, rel) or abs(got - expected) <= rel * scale, (got, right)


def rose(columns, theta):
    """Value and gradient of ROSE, by hand."""
    a, b, c = theta
    x, y = (columns[n].astype(np.longdouble) for n in "xy")
    e = np.exp(-b * x)
    r = y - (a * e + c)
    slopes = [np.mean(-2 * r * d) for d in (e, -a * x * e, np.ones_like(x))]
    return [float(np.mean(r * r)), *map(float, slopes)]


LOSSES = [
    ROSE,
    "mean((y - (a*x + b))**2) + 0.1*a**2",
    "mean(softplus(a*x + b) - y*(a*x + b)) + c**2",
    "mean((y - mean(y))**2)*a + sqrt(mean((a*x - b)**2))",
    "log(sum(exp(a*x - b*y)))",
    "sum((y - a*x - b)**2)/sum(exp(b*x)) + mean(|a*x - c|)",
    "mean(where(x > b, (y - a*x)**2, where(y < 0, c*x, log(x))))",
    "mean(where(x > 1, log(x - 1), a*x)**2)",
    "mean((y - a*sin(b*x) - c*cos(b*x))**2)",
    "mean((y - a*tanh(b*x + c))**2) + mean((y - a*log(1 + exp(b)*x))**2)",
    "mean((y - a*x**b)**2)",
    "mean(huber(y - a*x - b, 0.3)) + mean(logcosh(c*x))",
    "mean(max(a*x, b*y, c) - min(x, y))",
    "mean((y - a*sigmoid(b*(x - mean(x)/mean(a*x + 3)))))**2",
    "mean((y - a*x)**2)*mean(exp(b*x)) + mean(hypot(a*x, b*y, c))",
    "mean((mean(x*a) - x)**2)",
    "mean(where(a > 1, x, b*y)) + mean(where(b < 0, x, where(y > 1, c*x, y*b)))",
    "mean((1 + abs(softplus(x) - sqrt(1 + c**2)))**b)",
    "sum(y*exp(a*x))/sum(exp(a*x)) + log(mean(exp(b*y + c)))",
    "sum(y*exp(asinh(where(a > 2, x, a*y))))/sum(exp(where(a > 1, x, a*y) - 3*b*x))",
    "mean(where(a > 2, log(x), sqrt(a*y)))",
    "sum(a)",
    "mean(cbrt(a*x) + atan2(b*y, x) + erf(c*x) + logsumexp(a*x, b*y, c))",
]


def long_row(term):
    """A loss of a dozen columns, whose rows go through stages; term: of z and y."""
    z = " + ".join(["w0", *(f"w{k}*x{k}" for k in range(1, 13))])
    return f"mean({term.replace('z', f'({z})')})"


#: term -> its value in each row and what times x_k has the slope in w_k as its mean, by hand
STAGED = {
    "softplus(z) - y*z": lambda z, y, x1: (np.logaddexp(0, z) - y * z, 1 / (1 + np.exp(-z)) - y),
    "(y - z)**2": lambda z, y, x1: ((y - z) ** 2, 2 * (z - y)),
    "where(z > y, (z - y)**2, exp(z))": lambda z, y, x1: (
        np.where(z > y, (z - y) ** 2, np.exp(z)),
        np.where(z > y, 2 * (z - y), np.exp(z)),
    ),
    "where(w0 > 0, huber(z - y), z) + sin(z)**2": lambda z, y, x1: (  # w0 is above 0
        np.where(abs(z - y) <= 1, (z - y) ** 2 / 2, abs(z - y) - 0.5) + np.sin(z) ** 2,
        np.clip(z - y, -1, 1) + np.sin(2 * z),
    ),
    "y*tanh(z)": lambda z, y, x1: (y * np.tanh(z), y / np.cosh(z) ** 2),
    "log(1 + z**2)*x1 + abs(z)*mean(z)": lambda z, y, x1: (
        np.log1p(z**2) * x1 + abs(z) * np.mean(z),
        2 * z / (1 + z**2) * x1 + np.sign(z) * np.mean(z) + np.mean(abs(z)),
    ),
}


@by_library_and_kind("term", STAGED)
def test_long_rows_are_right(term, kind, library):
    generator = np.random.default_rng(6)
    for rows in (1, 7, 8, 9, 500, 1023, 1025, BLOCK + 3):
        columns = {f"x{k}": generator.normal(size=rows).astype(kind) for k in range(1, 13)}
        y = generator.normal(size=rows)
        loss = Loss(long_row(term), columns | {"y": y})
        loop = loss.internals.by_rows().program.loops[-1]
        assert len(loop.stores) > 8
        w = [0.3 * (-1) ** k for k in range(13)]
        x = [np.ones(rows), *(columns[f"x{k}"].astype(np.longdouble) for k in range(1, 13))]
        values, slopes = STAGED[term](sum(a * b for a, b in zip(w, x, strict=True)), y, x[1])
        right = [float(np.mean(v)) for v in (values, *(slopes * c for c in x))]
        assert_right(loss, w, right)


def data(rows, kind=np.float64, seed=1):
    generator = np.random.default_rng(seed)
    x = generator.uniform(0.2, 3.0, rows)
    y = 2.0 * np.exp(-x) + 0.5 + generator.normal(0.0, 0.3, rows)
    return {"x": x.astype(kind), "y": y.astype(kind)}


def point(loss):
    return [1.3, 0.7, 0.4][: len(loss.params)]


@by_library_and_kind("text", LOSSES)
def test_losses_are_those_of_numpy(text, kind, library):
    loss = Loss(text if "x" in text else f"{text} + mean(x)", data(3 * BLOCK + 77, kind))
    compare(loss, point(loss))


@pytest.mark.parametrize(
    ("rows", "library"),
    grid([*range(1, 21), 1023, 1024, 1025, *range(BLOCK - 1, BLOCK + 2), 2 * BLOCK + 3], LIBRARIES),
    indirect=["library"],
)
def test_any_number_of_rows_is_summed_once(rows, library):
    for kind in (np.float64, np.float32):
        loss = Loss(ROSE, data(rows, kind))
        assert_right(loss, point(loss), rose(loss.table.columns, point(loss)))
        ones = Loss("sum(where(x > a, 1, 0))", data(rows, kind))
        assert native(ones)([0.0]) == rows


def native(loss, threads=1):
    program = loss.internals.by_rows().value_program
    more = loss.internals.rows.more(program)
    function = compile_native(program, threads)
    return lambda theta: function([*theta, *more], loss.table)[0]


def test_every_row_gives_the_same_number_wherever_it_stands():
    for rows in (1, 5, 8, 9, 1025):
        for value in (0.3, 1.7):
            loss = Loss("sum(exp(a*x))", {"x": np.full(rows, value)})
            found = native(loss)([-1.3])
            alone = native(Loss("sum(exp(a*x))", {"x": np.array([value])}))([-1.3])
            assert found == pytest.approx(rows * alone, rel=4e-16 * (1 + rows / 4))
            if rows in (1, 8):
                assert found == rows * alone


@pytest.mark.parametrize("text", [ROSE, LOSSES[2], LOSSES[5]])
def test_threads_change_no_bit(text, monkeypatch):
    monkeypatch.setattr("symgd._threads._WAKE", 1e-9)  # a task is one block
    for kind in (np.float64, np.float32):
        loss = Loss(text, data(7 * BLOCK + 5, kind))
        program = loss.internals.by_rows().program
        values = [*point(loss), *loss.internals.rows.more(program)]
        found = {tuple(compile_native(program, n)(values, loss.table)) for n in (1, 2, 5)}
        assert len(found) == 1
        cut = Rows(dict(loss.table.columns), 2 * BLOCK)
        assert tuple(compile_native(program, 2)(values, cut)) in found


@pytest.mark.parametrize("piece", [BLOCK, 3 * BLOCK, 1 << 20])
def test_blocks_taken_several_at_a_time_are_all_done(piece, monkeypatch):
    """0 + 1 + ... + n - 1 = n*(n - 1)/2, exactly, as long as that is below 2**53."""
    monkeypatch.setattr("symgd._threads._WAKE", 1e-9)
    monkeypatch.setattr(row_blocks, "_PIECE", piece)
    for blocks in (1, 2, 5, 13):
        rows = blocks * BLOCK - 3
        loss = Loss("sum(abs(x - a))", {"x": np.arange(float(rows))})
        for threads in (1, 2, 3):
            assert native(loss, threads)([0.0]) == rows * (rows - 1) / 2


def test_machine_code_returns_after_every_piece(monkeypatch):
    """Or else nothing could interrupt it: a piece of one block here."""
    returned = []
    patched = types.SimpleNamespace(check=lambda: returned.append(1))
    monkeypatch.setattr(row_blocks, "_PIECE", BLOCK)
    monkeypatch.setattr(nest_machine, "interrupted", patched)
    loss = Loss("sum(abs(x - a))", {"x": np.ones(5 * BLOCK)})
    assert native(loss)([0.0]) == 5 * BLOCK
    assert len(returned) == 5


def test_sums_keep_their_digits():
    ones = np.ones(9 * BLOCK)  # in blocks that no large number stands in
    column = np.concatenate([np.full(BLOCK, 1e17), ones, np.full(BLOCK, -1e17)])
    assert native(Loss("sum(max(x, a))", {"x": column}))([-1e18]) == len(ones)
    assert float(np.cumsum(column)[-1]) != len(ones)
    tenth = np.full(1_000_000, 0.1)
    found = native(Loss("sum(max(x, a))", {"x": tenth}))([-1.0])
    assert found == pytest.approx(math.fsum(tenth), rel=1e-13)


@pytest.mark.parametrize("place", [0, 3, 8, 8190, 8191, 8192, 8199, 9999])
@pytest.mark.parametrize("bad", [inf, -inf, nan])
def test_what_is_not_finite_stays_visible(place, bad):
    columns = data(10_000)
    columns["x"][place] = bad
    graph = Graph()
    x, y = Column("x", "x"), Column("y", "y")
    node = graph.node(RowSum, graph.mul(x, y))
    program = compile_program([], {"f": node})
    for run in (compile_rows(program), compile_native(program, 2)):
        (got,) = run([], Rows(columns))
        assert same(got, bad * columns["y"][place])


@pytest.mark.parametrize("row", [1, 4097, 9998, 10_000])
def test_the_row_that_is_not_finite_is_found(row):
    columns = data(10_000)
    columns["x"][row - 1] = 0.0
    result = symgd.descend(
        "mean((y - a*log(x) - b)**2)", data=columns, backend="native", lr=0.1, steps=5
    )
    assert result.status is symgd.Status.NONFINITE
    assert f"in row {row:,}" in result.message


def test_functions_of_python_get_python_s_numbers():
    """A parameter comes as np.float64, whose comparisons do not subtract and whose 1/0 warns.

    huber(0.3, -1.8) is -1.8*(0.3 + 0.9), its slope -1.8; huber(0.3, 2) is 0.3**2/2, its slope 0.3.
    """
    loss = Loss("sum(huber(x, v))", {"v": [-1.8, 2.0]})
    value, slope = loss.value_and_grad([0.3])
    assert (value, slope[0]) == pytest.approx((-2.16 + 0.045, -1.5), rel=1e-15)


def test_conditions_stay_conditions_where_a_number_is_not_finite():
    """log(0) before the rows leaves the fast path; then a > 0 came as 0.0, which has no `or`."""
    loss = Loss("mean(where(a > 0 or u > 0, u, log(a)*u))", {"u": [1.0, 2.0]})
    assert loss.value([0.0]) == 1.5


def test_infinities_of_both_signs_are_nan():
    graph = Graph()
    node = graph.node(RowSum, Column("x", "x"))
    program = compile_program([], {"f": node})
    for rows in ([inf, -inf], [inf, *[1.0] * BLOCK, -inf]):
        (got,) = compile_native(program, 1)([], Rows({"x": np.array(rows)}))
        assert math.isnan(got)
    (got,) = compile_native(program, 1)([], Rows({"x": np.array([1e308] * 20_000)}))
    assert got == inf


@pytest.mark.parametrize("edge", EDGES)
def test_the_lanes_of_a_last_vector_are_not_added(edge):
    """They repeat a row: what is infinite in it must not turn up twice, nor as NaN."""
    graph = Graph()
    node = graph.node(RowSum, graph.node(BY_CLASS_NAME["exp"], Column("x", "x")))
    program = compile_program([], {"f": node})
    (got,) = compile_native(program, 1)([], Rows({"x": np.array([edge])}))
    assert same(got, float(FUNCTIONS["exp"].scalar(edge)))


BY_CLASS_NAME = {row.name: node for node, row in BY_CLASS.items()}


def test_columns_of_any_layout_are_read():
    plain = data(10_000)
    loss = Loss(ROSE, plain)
    program = loss.program
    values = [*point(loss), *loss.internals.rows.more(program)]
    function = compile_native(program, 2)
    expected = function(values, Rows(plain))
    assert expected == pytest.approx(rose(plain, point(loss)), rel=1e-12)
    table = np.empty((10_000, 3))
    table[:, 1], table[:, 2] = plain["x"], plain["y"]
    every = np.repeat(plain["x"], 2)[::2]
    raw = np.empty(80_001, np.uint8)[1:].view(np.float64)
    raw[:] = plain["y"]
    swapped = plain["x"].astype(">f8")
    for x, y in ((table[:, 1], table[:, 2]), (every, raw), (swapped, plain["y"][::-1][::-1])):
        assert function(values, Rows({"x": x, "y": y})) == expected
    whole = {"x": np.arange(10_000), "y": np.arange(10_000)}
    doubles = {n: a.astype(float) for n, a in whole.items()}
    assert function(values, Rows(whole)) == function(values, Rows(doubles))
    mixed = {"x": plain["x"].astype(np.float32), "y": plain["y"]}
    right = rose(mixed, point(loss))
    assert function(values, Rows(mixed)) == pytest.approx(right, rel=1e-12)
    assert compile_rows(program)(values, Rows(mixed)) == pytest.approx(right, rel=1e-12)


def path(columns, rule, lr, steps, batches=None):
    """(theta, losses) of a descent on ROSE from 1, by hand; batches: the rows of each step."""
    theta, losses = np.ones(3), []
    m, v = np.zeros(3), np.zeros(3)
    for t in range(1, steps + 1):
        losses.append(rose(columns, theta)[0])
        rows = slice(None) if batches is None else next(batches)
        g = np.array(rose({n: c[rows] for n, c in columns.items()}, theta)[1:])
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        adam = m / (1 - 0.9**t) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        theta = theta - lr * (adam if rule == "adam" else g)
    return theta, [*losses, rose(columns, theta)[0]]


@pytest.mark.parametrize("backend", ["lambdify", "native"])
@pytest.mark.parametrize(("rule", "rows"), [("gd", 5000), ("adam", 5000), ("gd", BLOCK + 9)])
def test_descents_take_the_steps_worked_by_hand(rule, rows, backend):
    columns = data(rows)
    found = symgd.descend(
        ROSE, data=columns, rule=rule, lr=0.05, steps=200, start=1.0, backend=backend
    )
    theta, losses = path(columns, rule, 0.05, 200)
    assert found.status == "completed"
    assert found.x == pytest.approx(theta, rel=1e-11)
    assert found.history.loss == pytest.approx(losses, rel=1e-11)


def shuffled(rows, batch, seed):
    """Batches of a pass in random order; the last may be short."""
    generator = np.random.default_rng(seed)
    while True:
        order = generator.permutation(rows)
        yield from (order[k : k + batch] for k in range(0, rows, batch))


@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_batches_take_the_steps_worked_by_hand(backend):
    columns = data(3000)
    found = symgd.descend(
        ROSE, data=columns, lr=0.05, steps=200, batch=100, seed=3, start=1.0, backend=backend,
        tol=1e-9,
    )  # fmt: skip
    theta, _ = path(columns, "gd", 0.05, 200, shuffled(3000, 100, 3))
    assert found.x == pytest.approx(theta, rel=1e-11)


def test_the_line_search_takes_the_same_steps():
    columns = data(3000)
    slow, fast = (
        symgd.descend(ROSE, data=columns, lr="auto", steps=40, backend=b)
        for b in ("lambdify", "native")
    )
    for p in slow.theta:
        assert fast.theta[p] == pytest.approx(slow.theta[p], rel=1e-9)


def spy(monkeypatch):
    seen = []
    original = row_blocks.compile_native

    def compile_spied(*args):
        seen.append(args[0])
        return original(*args)

    over_rows = native_kernel.CompiledGradient.over_rows

    def steps_spied(*args):
        seen.append(args[0])
        return over_rows(*args)

    monkeypatch.setattr(row_blocks, "compile_native", compile_spied)
    monkeypatch.setattr(native_kernel.CompiledGradient, "over_rows", steps_spied)
    return seen


def test_backends_are_those_that_were_asked_for(monkeypatch):
    seen = spy(monkeypatch)
    columns = data(300_000)
    symgd.descend(ROSE, data=columns, lr=0.01, steps=3, backend="lambdify")
    assert not seen
    symgd.descend(ROSE, data=columns, lr=0.01, steps=60)
    assert seen
    del seen[:]
    few = data(10)
    symgd.descend(ROSE, data=few, lr=0.01, steps=3)
    assert not seen
    symgd.descend(ROSE, data=few, lr=0.01, steps=3, backend="native")
    assert seen


def test_a_big_table_is_fitted_and_evaluated_in_machine_code(monkeypatch):
    seen = spy(monkeypatch)
    columns = data(300_000)
    right, covariance = regression.decay(columns["x"], columns["y"])
    for machine_code in (True, False):
        del seen[:]
        found = symgd.fit("y = a*exp(-b*x) + c", columns, start=1.0)
        assert bool(seen) is machine_code
        assert list(found.theta.values()) == pytest.approx(right, rel=1e-9)
        assert list(found.stderr.values()) == pytest.approx(np.sqrt(np.diag(covariance)), rel=1e-9)
        monkeypatch.setattr(jit, "unavailable", lambda: "no llvmlite here")


def test_the_choice_depends_on_the_work_alone():
    program = Loss(ROSE, data(10)).program
    assert not dispatch.rows_pay(program, 10, 10)
    assert not dispatch.rows_pay(program, 1000, 1)
    assert dispatch.rows_pay(program, 1000, 100_000)
    assert dispatch.rows_pay(program, 2_000_000, 10)


def test_functions_that_ask_python_are_left_to_numpy():
    program = Loss("mean(digamma(a*x))", data(10)).program
    assert not dispatch.rows_pay(program, 10**9, 10)
    for row in BY_CLASS.values():
        if row.name == "where":
            continue
        low, high = row.arity
        count = high or max(low, 2)
        call = Operation("f", row.name, tuple(f"p{k}" for k in range(count)))
        program = compile_native_source(call)
        assert (elementary.PYTHON in program) is elementary.calls_python_back(call), row.name


def compile_native_source(call):
    from symgd.backends.native.ir import Value

    e = elementary.FunctionEmitter()
    e.run([call], {name: Value(f"%x{k}") for k, name in enumerate(call.names)})
    return "\n".join(e.declared)


def test_without_llvmlite_numpy_runs_and_the_log_says_so(monkeypatch, caplog):
    monkeypatch.setattr(jit, "unavailable", lambda: "no llvmlite here")
    columns = data(1000)
    with caplog.at_level("INFO", logger="symgd"):
        fast = symgd.descend(ROSE, data=columns, lr=0.05, steps=20, backend="native")
    assert "no llvmlite here" in caplog.text
    slow = symgd.descend(ROSE, data=columns, lr=0.05, steps=20, backend="lambdify")
    assert fast.theta == slow.theta


def test_threads_are_those_that_the_environment_says(monkeypatch):
    for told, expected in (("3", 3), ("1", 1), ("0", None), ("many", None), ("", None)):
        monkeypatch.setenv(THREADS, told)
        count = default_threads()
        assert count == expected or (expected is None and count >= 1)


def test_threads_are_no_more_than_pay(monkeypatch):
    """n of them take work/n + n*50 microseconds: least at the root of work/50 microseconds."""
    for most, work, expected in ((16, 3.4e6, 8), (16, 1e9, 16), (2, 3.4e6, 2), (1, 1e12, 1)):
        assert worthwhile(most, work) == expected
        took = {n: work / n + n * 5e4 for n in range(1, most + 1)}
        assert took[expected] == min(took.values())
    assert [worthwhile(16, work) for work in (0.0, 1.9e5, 2e5)] == [1, 1, 2]
    monkeypatch.setenv(THREADS, "3")
    assert worthwhile(None, 1e12) == 3


def test_threads_are_as_many_as_asked_for():
    for threads in (1, 2, 3):
        seen, all_there = set(), threading.Barrier(threads)

        def work(seen=seen, all_there=all_there):
            all_there.wait(HUNG)
            seen.add(threading.get_ident())

        run_in_threads(work, threads, seen.clear)
        assert len(seen) == threads
        assert threading.get_ident() in seen


@pytest.mark.parametrize("threads", [1, 4])
def test_errors_of_any_thread_come_back(threads):
    main, halted, begun = threading.get_ident(), [], threading.Event()

    def work():
        if threads == 1 or threading.get_ident() != main:
            begun.set()
            raise ZeroDivisionError
        begun.wait(HUNG)

    with pytest.raises(ZeroDivisionError):
        run_in_threads(work, threads, lambda: halted.append(1))
    assert halted


def test_an_interruption_ends_the_other_threads():
    main, stopped, ended, begun = threading.get_ident(), threading.Event(), [], threading.Event()

    def work():
        if threading.get_ident() == main:
            begun.wait(HUNG)
            raise KeyboardInterrupt
        begun.set()
        stopped.wait(HUNG)
        ended.append(stopped.is_set())

    with pytest.raises(KeyboardInterrupt):
        run_in_threads(work, 3, stopped.set)
    assert ended
    assert all(ended)


def test_an_error_of_one_thread_ends_the_others():
    main, stopped, ended = threading.get_ident(), threading.Event(), []
    first, all_there = threading.Lock(), threading.Barrier(3)

    def work():
        all_there.wait(HUNG)
        if threading.get_ident() == main:
            return
        if first.acquire(blocking=False):
            raise ZeroDivisionError
        ended.append(stopped.wait(HUNG))

    for _ in range(9):  # the one that fails may be waited for first, or last
        with pytest.raises(ZeroDivisionError):
            run_in_threads(work, 3, stopped.set)
        assert ended.pop() is True
        first.release()
        stopped.clear()


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_an_interruption_while_waiting_ends_the_other_threads():
    main, stopped, ended, begun = threading.get_ident(), threading.Event(), [], threading.Event()

    def work():
        if threading.get_ident() == main:
            begun.wait(HUNG)
            signal.setitimer(signal.ITIMER_REAL, 0.05)
            return
        begun.set()
        ended.append(stopped.wait(HUNG))

    def stop(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_in_threads(work, 2, stopped.set)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert ended == [True]


def test_work_that_no_helper_has_begun_is_let_go():
    """The pool is busy; a task in its queue must not hold its arrays."""
    busy, go_on = threading.Barrier(3), threading.Event()

    def long():
        busy.wait(HUNG)
        go_on.wait(HUNG)

    caller = threading.Thread(target=run_in_threads, args=(long, 2, go_on.set))
    with another_pool():
        caller.start()
        busy.wait(HUNG)
        held = np.zeros(3)
        seen = weakref.ref(held)
        run_in_threads(held.sum, 2, go_on.set)
        del held
        gc.collect()
        assert seen() is None
        go_on.set()
        caller.join()


def another_pool():
    """Helpers that nobody has used yet."""
    patch = pytest.MonkeyPatch()
    module = sys.modules["symgd._threads"]
    patch.setattr(module, "_idle", collections.deque())
    return contextlib.closing(types.SimpleNamespace(close=patch.undo))


def test_work_is_done_alone_where_no_thread_can_be_started(monkeypatch):
    def refuse(self):
        raise RuntimeError("can't start new thread")

    ran = []
    with another_pool():
        monkeypatch.setattr(threading.Thread, "start", refuse)
        run_in_threads(lambda: ran.append(threading.get_ident()), 4, ran.clear)
    assert ran == [threading.get_ident()]


def test_what_interrupts_one_thread_is_not_told_in_another():
    """A kernel that waits in one thread must not take the error that a callback had in another."""
    failed, asked, looked = threading.Event(), threading.Event(), []

    def fail():
        jit.interrupted.error = KeyboardInterrupt()
        failed.set()
        asked.wait(HUNG)
        try:
            jit.interrupted.check()
        except KeyboardInterrupt as error:
            looked.append(error)

    thread = threading.Thread(target=fail)
    thread.start()
    assert failed.wait(HUNG)
    jit.interrupted.check()
    asked.set()
    thread.join()
    assert len(looked) == 1


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_thread_that_does_not_begin_leaves_its_share_to_the_others(error, monkeypatch):
    """There can be no more of them, or Ctrl-C comes in between: then it is raised at the end."""
    monkeypatch.setattr("symgd._threads._WAKE", 1e-9)
    loss = Loss(ROSE, data(40 * BLOCK))
    program = loss.internals.by_rows().program
    function = compile_native(program, 3)
    values = [*point(loss), *loss.internals.rows.more(program)]
    expected = compile_native(program, 1)(values, loss.table)
    original, asked = nest_machine.begin_in_thread, []

    def begin(work):
        asked.append(work)
        if len(asked) == 2:
            raise error
        original(work)

    monkeypatch.setattr(nest_machine, "begin_in_thread", begin)
    with pytest.raises(error) if error is KeyboardInterrupt else contextlib.nullcontext():
        assert function(values, loss.table) == expected
    assert len(asked) == 2
    assert function(values, loss.table) == expected


def test_members_of_a_team_come_and_go(monkeypatch):
    """Threads stay for less than a millisecond, one pass may begin as they leave: the same bits."""
    monkeypatch.setattr("symgd._threads._WAKE", 1e-9)
    loss = Loss(ROSE, data(5 * BLOCK))
    program = loss.internals.by_rows().program
    values = [*point(loss), *loss.internals.rows.more(program)]
    expected = compile_native(program, 1)(values, loss.table)
    function = compile_native(program, 4)
    for k in range(100):
        assert function(values, loss.table) == expected
        time.sleep(1e-5 * k)


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_ctrl_c_ends_a_descent_over_rows(monkeypatch):
    loss = Loss(ROSE, data(200_000))
    original, passes = nest_machine.BoundNests.chunk_sums, []

    def passed(*args):
        passes.append(args)
        if len(passes) == 20:  # in the middle of the steps
            signal.setitimer(signal.ITIMER_REAL, 0.05)
        return original(*args)

    def stop(number, frame):
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    try:
        monkeypatch.setattr(nest_machine.BoundNests, "chunk_sums", passed)
        result = symgd.descend(loss, lr=1e-9, steps=10**8, backend="native")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert result.status is symgd.Status.INTERRUPTED
    assert all(map(math.isfinite, result.theta.values()))


@pytest.mark.parametrize(("function", "threads"), [("digamma", 1), ("exp", 2)])
def test_machine_code_that_calls_python_runs_in_one_thread(function, threads, monkeypatch):
    """More would queue for the interpreter: 20,000 digammas took 1.5 times as long in two."""
    from symgd.descent import native_sweep

    monkeypatch.setattr("symgd._threads._WAKE", 1e-9)
    begun, shared = [], []
    begin, share = nest_machine.begin_in_thread, native_sweep.run_in_threads
    monkeypatch.setattr(
        nest_machine, "begin_in_thread", lambda work: (begun.append(1), begin(work))
    )
    monkeypatch.setattr(
        native_sweep,
        "run_in_threads",
        lambda work, n, halt: (shared.append(n), share(work, n, halt)),
    )
    loss = Loss(f"sum({function}(a + x))", {"x": np.linspace(0.5, 2.0, 2 * BLOCK)})
    native(loss, 2)([0.5])
    symgd.sweep(
        f"{function}(a)", lr=np.geomspace(1e-4, 1e-3, 100), steps=3, threads=2, backend="native"
    )
    assert (len(begun), shared) == (threads - 1, [threads])


def test_an_error_in_a_function_of_python_is_raised(monkeypatch):
    graph = Graph()
    row = FUNCTIONS["digamma"]
    node = graph.node(RowSum, graph.node(row.node, Column("x", "x")))
    function = compile_native(compile_program([], {"f": node}), 2)
    columns = {"x": np.linspace(0.5, 2.0, 100)}
    assert math.isfinite(function([], Rows(columns))[0])
    interrupted = jit.interrupted
    monkeypatch.setattr(interrupted, "error", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        function([], Rows(columns))


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs timers")
def test_no_interruption_is_lost_at_the_entry_of_a_callback():
    """Of a sweep that calls Python's digamma: interrupted, or right; pytest has a hook of its own,
    so this is a process of its own."""
    script = """
import signal, numpy as np, symgd
def stop(*_):
    raise KeyboardInterrupt
def run():
    return symgd.sweep("digamma(a)**2 + a", lr=rates, start=2.0, steps=200, threads=1).theta
rates = np.geomspace(1e-5, 1e-3, 8)
right = run()
signal.signal(signal.SIGALRM, stop)
told = 0
for k in range(12):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.02 + 0.003*k)
        while True:
            assert (run() == right).all()
    except KeyboardInterrupt:
        told += 1
print(told)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=HUNG
    )
    assert done.stdout == "12\n", done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_has_threads_of_its_own():
    script = """
import os, numpy as np
from symgd import Loss
from symgd._threads import run_in_threads
import threading

os.environ["SYMGD_THREADS"] = "3"
data = {"x": np.linspace(0, 1, 200_000)}
loss = Loss("sum(exp(a*x)) + a^2", data)
expected = loss.value_and_grad([0.5])

def same():
    return all(loss.value_and_grad([0.5]) == expected for _ in range(5))

def count():
    ran, all_there = [], threading.Barrier(3)
    def work():
        all_there.wait()
        ran.append(threading.get_ident())
    run_in_threads(work, 3, ran.clear)
    return len(set(ran))

assert count() == 3 and same()
child = os.fork()
if child == 0:
    os._exit(0 if count() == 3 and same() else 1)
assert same()
assert os.waitpid(child, 0)[1] == 0
print("both")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=HUNG
    )
    assert done.stdout == "both\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
def test_no_row_beyond_the_last_is_read():
    assert output_of("guarded_rows").split() == [b"float64", b"float32", b"mixed"]
