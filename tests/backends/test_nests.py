"""Programs of loop nests, run by NumPy: values, gradients and products with the Hessian."""

from functools import cache

import numpy as np
import pytest

from symgd.formula.indices import ROW
from tests.grids import every
from tests.indexed import Indexed
from tests.indexed_losses import LOSSES

each = pytest.mark.parametrize("record", every(2, LOSSES), ids=lambda record: record.name)


@cache
def indexed(k):
    record = LOSSES[k]
    return Indexed(record.text, record.data, record.sizes, record.shapes)


@cache
def by_jax(k):
    return indexed(k).by_jax(LOSSES[k].jax)


def assert_close(ours, theirs, tolerance):
    scale = np.abs(theirs).max(initial=1e-300)
    np.testing.assert_allclose(ours, theirs, rtol=tolerance, atol=tolerance * scale)


@each
def test_value_and_gradient_agree_with_jax(record):
    k = LOSSES.index(record)
    ours, (theirs, _) = indexed(k).gradient(indexed(k).x), by_jax(k)
    assert ours[0] == pytest.approx(theirs[0], rel=1e-12)
    assert_close(ours[1:], theirs[1:], 1e-12)


@each
def test_products_with_the_hessian_agree_with_jax(record):
    k = LOSSES.index(record)
    loss = indexed(k)
    assert_close(loss.product(loss.x, loss.v), by_jax(k)[1], 1e-12)


@each
def test_value_and_gradient_equal_those_of_the_text_written_out(record):
    loss = indexed(LOSSES.index(record))
    ours, theirs = loss.gradient(loss.x), loss.written_out()
    assert ours[0] == pytest.approx(theirs[0], rel=1e-14)
    assert_close(ours[1:], theirs[1:], 1e-14)


@each
def test_passes_read_no_sum_that_they_do_not_have_yet(record):
    """Nor is anything stored twice, or read before it is stored."""
    program = indexed(LOSSES.index(record)).functions.program
    stored: dict[str, int] = {}
    for k, run in enumerate(program.passes):
        strip = run[0].indices[:1]
        for nest in run:
            assert nest.indices[:1] == strip
            for load in nest.loads.values():
                if load.array in program.temporaries:
                    axes = program.temporaries[load.array]
                    assert stored[load.array] < k or axes[:1] == strip
            for store in nest.stores:
                if store.target in program.temporaries:
                    assert store.target not in stored
                    stored[store.target] = k


@pytest.mark.parametrize(("name", "passes"), [("softmax", 1), ("log of a mean over rows", 2)])
def test_as_few_passes_over_the_rows_as_can_be(name, passes):
    program = indexed([r.name for r in LOSSES].index(name)).functions.program
    assert sum(run[0].indices[:1] == (ROW,) for run in program.passes) == passes
    assert sum(run[0].indices[:1] == (ROW,) for run in indexed_product(name).passes) == passes


def indexed_product(name):
    return indexed([r.name for r in LOSSES].index(name)).functions.product_program


def test_sums_of_the_same_nodes_are_swept_together():
    begin = "z[k] = sum(W[k,j]*X[j], j) + b[k], k=1..4; "
    apart = Indexed(begin + "mean(logsumexp(z[k], k)) - mean(z[label])", data=True)
    joined = Indexed(begin + "mean(logsumexp(z[k], k) - z[label])", data=True)
    assert_close(apart.gradient(apart.x), joined.gradient(apart.x), 1e-15)
    apart, joined = apart.functions, joined.functions
    assert len(apart.program.nests) == len(joined.program.nests)
    assert len(apart.product_program.nests) == len(joined.product_program.nests)


def test_a_chain_is_one_nest_of_any_length():
    text = "sum(100*(x[i+1] - x[i]^2)^2 + (1 - x[i])^2, i=1..n-1)"
    short, long = (Indexed(text, sizes={"n": n}).functions.program for n in (3, 10**6))
    assert short.key == long.key
    assert (
        str(short)
        == """\
inputs x
for i0=1..n0-1:
    l0 = x[i0+1]
    l1 = x[i0]
    t1 = l0 - l1**2
    t2 = 200*t1
    t3 = 1 - l1
    t8 = -2*t3 + (-400)*l1*t1
    t12 = 100*t1**2 + t3**2
    g_a0[i0+1] += t2
    g_a0[i0] += t8
    m0[] += t12
output value = m0"""
    )


def test_strips_of_many_rows_and_of_one_give_the_same(monkeypatch):
    loss = indexed([r.name for r in LOSSES].index("classifier of one hidden layer"))
    whole = loss.gradient(loss.x)
    monkeypatch.setattr("symgd.backends.numpy_nests._ELEMENTS", 1)
    assert_close(loss.gradient(loss.x), whole, 1e-14)


def test_empty_ranges_and_sizes():
    text = "sum(x[i]^2, i=1..m) + prod(x[i], i=3..m) + sum(sum(x[i]*x[j], j=2..m), i=1..n)"
    loss = Indexed(text, sizes={"n": 2, "m": 1})
    x = np.array([3.0, 5.0])
    np.testing.assert_array_equal(loss.gradient(x), [10.0, 6.0, 0.0])
