"""Loop nests in machine code: they agree with NumPy for all sizes, strips, chunks and threads."""

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import numpy as np
import pytest

from symgd import Loss
from symgd.backends.bound_nests import bind_native, bind_numpy
from symgd.model.array_functions import ArrayFunctions
from tests.backends.guarded_arrays import output_of
from tests.calculus.test_random_indices import assert_close, losses
from tests.grids import every
from tests.indexed_losses import DATA, LOSSES

pytest.importorskip("llvmlite")

from symgd.backends.native.jit import fused, lanes, vector_symbol
from symgd.backends.native.nests import nest_binding
from symgd.backends.native.nests.nest_code import nest_module
from symgd.backends.native.nests.nest_places import Slots
from symgd.backends.native.nests.nest_plan import plan
from symgd.backends.native.vectors.vector_emit import Vectors
from symgd.backends.native.vectors.vector_math import OWN

CHAIN = "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)"


class Machines:
    """value, product: [value, gradient...] and the Hessian times a vector, by both machines."""

    def __init__(self, text, data=None, sizes=None, shapes=None):
        self.functions = own = ArrayFunctions(
            Loss(text, data, sizes=sizes or {}, shapes=shapes or {}).arrays
        )
        self.count = own.model.count
        self.x = np.random.default_rng(3).uniform(0.2, 0.9, self.count)

    def native(self, threads=1, vectors=1):
        own = self.functions
        program = own.program if vectors == 1 else own.product_program
        return bind_native(program, own.layout(vectors), own.columns, threads)

    def check(self, threads=1, vectors=1):
        own, x = self.functions, np.concatenate([self.x, self.x[::-1]])[: vectors * self.count]
        program = own.program if vectors == 1 else own.product_program
        theirs = bind_numpy(program, own.layout(vectors), own.columns)(x)
        ours = run(self.native(threads, vectors), x)
        value, gradient = slice(0, 1), slice(1, 1 + self.count)
        for part in (value, gradient) if vectors == 1 else (gradient,):
            scale = np.abs(theirs[part]).max(initial=1e-300)
            np.testing.assert_allclose(ours[part], theirs[part], 1e-12, 1e-13 * scale)
        return ours


def run(bound, x):
    out = np.full(1 + len(x), np.nan)
    bound.evaluate(x, out)
    return out


@pytest.mark.parametrize("record", every(2, LOSSES), ids=lambda record: record.name)
def test_value_and_gradient_agree_with_numpy(record):
    machines = Machines(record.text, DATA if record.data else None, record.sizes, record.shapes)
    machines.check()


@pytest.mark.parametrize("record", LOSSES[::4], ids=lambda record: record.name)
def test_products_with_the_hessian_agree_with_numpy(record):
    machines = Machines(record.text, DATA if record.data else None, record.sizes, record.shapes)
    machines.check(vectors=2)


@pytest.mark.parametrize("n", [2, 3, 8, 9, 16, 17, 31, 32, 33, 64, 65, 200])
def test_a_chain_of_any_length(n):
    machines = Machines(CHAIN, sizes={"n": n})
    x = machines.x
    rest, one = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    gradient = np.zeros(n)
    gradient[:-1] = -400 * x[:-1] * rest - 2 * one
    gradient[1:] += 200 * rest
    ours = run(machines.native(), x)
    assert ours[0] == pytest.approx(100 * rest @ rest + one @ one, rel=1e-14)
    np.testing.assert_allclose(ours[1:], gradient, 1e-13, 1e-12)


ROWS = 2500
LONG = [
    ("chain", CHAIN, {"n": 3000}, None),
    ("halo", "sum(exp(sum(A[j]*x[i+j], j=1..3)), i=1..n-3) + sum(x[i]^2, i)", {"n": 700}, None),
    ("plane", "sum((4*u[i,j] - u[i-1,j] - u[i+1,j] - u[i,j-1] - u[i,j+1])^2, i=2..n-1, j=2..n-1)",
     {"n": 90}, None),
    ("surface", "sum(sqrt(1 + (u[i+1,j] - u[i,j])^2 + (u[i,j+1] - u[i,j])^2), i=1..n-1, j=1..n-1)",
     {"n": 70}, None),
    ("exponentials", "sum(exp(x[i+1] - x[i]) + exp(x[i] - x[i+2]), i=1..n-2)", {"n": 900}, None),
    ("every second", "sum((x[2*i] - x[2*i-1]^2)^2, i=1..m) + sum(x[n+1-i]*x[i], i=1..n)",
     {"m": 350, "n": 700}, None),
    ("strides", "sum((x[2*i-1] - x[2*i])^4 + (x[2*i] - x[2*i+1])^2*x[2*i+2], i=1..m-1)",
     {"m": 350}, None),
    ("different lengths", "sum((a[i-3] - a[i-4])^2*(b[i-4] - b[i+1])^2, i=5..n-1)", {"n": 700},
     None),
    ("transposed", "sum((W[i,j]*W[j,i])^2, i=1..n, j=1..n)", {"n": 70}, None),
    ("window", "sum(sum(x[j], j=i..i+4)^2, i=1..n-4)", {"n": 700}, None),
    ("network", "mean((y - sum(v[h]*tanh(sum(W[h,j]*X[j], j) + b[h]), h=1..5) - c)^2)", {}, None),
    ("softmax", "z[k] = sum(W[k,j]*X[j], j), k=1..4; mean(logsumexp(z[k], k) - z[label])", {},
     None),
    ("factors", "sum((y - dot(U[item], V[site]))^2) + sum(U^2)", {"f": 5},
     {"U": ("item", "f"), "V": ("site", "f")}),
    ("groups", "sum((y - a[site]*exp(a[item]))^2) + sum(a[g]^2, g)", {}, None),
    ("data by position", "sum((u[i] - y[i])^2, i) + sum(sqrt((u[i+1] - u[i])^2 + 1), i=1..n-1)",
     {"n": ROWS}, None),
]  # fmt: skip


@pytest.fixture
def _many_chunks(monkeypatch):
    """Strips, chunks and threads as of larger data."""
    monkeypatch.setattr(nest_binding, "_CACHE", 64)
    monkeypatch.setattr(nest_binding, "BLOCK", 64)
    monkeypatch.setattr(nest_binding, "_LONGEST", 64)
    monkeypatch.setattr(nest_binding, "_CHUNKS", 7)
    monkeypatch.setattr(nest_binding, "_SHARE", 1)
    monkeypatch.setattr(nest_binding, "worthwhile", lambda most, nanoseconds: most)


@pytest.mark.usefixtures("_many_chunks")
@pytest.mark.parametrize(("name", "text", "sizes", "shapes"), LONG, ids=[row[0] for row in LONG])
def test_the_bits_do_not_depend_on_the_threads(name, text, sizes, shapes):
    rng = np.random.default_rng(1)
    data = {name: rng.normal(size=ROWS) for name in ("X1", "X2", "X3", "y")}
    for column, most in (("label", 4), ("site", 6), ("item", 6)):
        data[column] = rng.integers(1, most + 1, ROWS).astype(float)
        data[column][0] = most
    machines = Machines(text, data if name in NEED_DATA else None, sizes, shapes)
    one = machines.check()
    for threads in (2, 3, 4):
        assert run(machines.native(threads), machines.x).tobytes() == one.tobytes()


@pytest.mark.usefixtures("_many_chunks")
def test_random_formulas_agree_with_numpy():
    """Seed 86: a loop read what it was about to write."""
    for seed in (86, *range(8)):
        for text, loss in islice(losses([seed]), 1):
            own, out = loss.functions, np.full(1 + len(loss.x), np.nan)
            bind_native(own.program, own.layout(), own.columns, 3).evaluate(loss.x, out)
            assert_close(out, loss.gradient(loss.x), text)


NEED_DATA = ("network", "softmax", "factors", "groups", "data by position")


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
def test_nothing_beyond_the_ends_of_arrays_is_read_or_written():
    output_of("guarded_nests")


def test_calls_from_several_threads_at_once():
    machines = Machines(CHAIN, sizes={"n": 20_000})
    bound = machines.native()
    expected = run(bound, machines.x)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: run(bound, machines.x), range(20)))
    assert all(out.tobytes() == expected.tobytes() for out in found)


@pytest.mark.parametrize("name", ["chain", "plane", "network"])
def test_the_code_does_not_depend_on_sizes(name):
    (text, sizes), *_ = [(row[1], row[2]) for row in LONG if row[0] == name]
    data = {"X1": [1.0, 2.0, 3.0], "X2": [2.0, 1.0, 5.0], "y": [1.0, 4.0, 2.0]}
    codes = set()
    for times in (1, 2):
        columns = {key: cells * times for key, cells in data.items()}
        larger = {key: 10 * size if times > 1 else size for key, size in sizes.items()}
        program = ArrayFunctions(Loss(text, columns if "y" in text else None, sizes=larger).arrays)
        vectors = Vectors(frozenset(OWN), vector_symbol, fused())
        codes.add(nest_module(Slots(plan(program.program)), lanes(), vectors))
    assert len(codes) == 1


def room(machines):
    """Megabytes that a call needs beside the parameters and the gradient."""
    return 8 * machines.native().binding.room_for_all / 1e6


def test_a_call_needs_no_memory_that_grows_with_the_parameters():
    assert room(Machines(CHAIN, sizes={"n": 10**7})) < 1
    data = {"user": [1.0, 2.0], "item": [1.0, 2.0], "y": [1.0, 2.0]}
    shapes = {"U": (600_000, 8), "V": (600_000, 8)}
    assert room(Machines("sum((y - dot(U[user], V[item]))^2)", data, shapes=shapes)) < 64
