"""Derivatives through indices at points where something is not smooth, against the scalar sweep."""

import numpy as np
import pytest

from tests.indexed import Indexed

POINTS = ([0, 0, 0, 0], [0, 1, -1, 2], [1, 0, 0, -3], [0.5, 0.5, 0.5, 0.5])


def at(loss, numbers):
    """A point of these numbers, those of each parameter another turn of them."""
    parts = [np.roll(numbers, k) for k in range(len(loss.model.params))]
    shapes = [loss.model.shape(name) for name in loss.model.params]
    return np.concatenate([np.resize(p, s).ravel() for p, s in zip(parts, shapes, strict=True)])


@pytest.mark.parametrize(
    "text",
    [
        "sum(where(x[i] > 0, sqrt(x[i]), 0), i=1..n)",
        "sum(where(x[i] > 0, c*sqrt(x[i])*c, x[i]^2), i=1..n)",
        "sum(sqrt(sum((x[i] - z[j])^2, j=1..n)), i=1..n)",
        "sum(where(x[1] > 0, norm(x[j]*z[i], j=1..n), 0), i=1..n)",
        "sum(sum(relu(x[i] - z[j]), j=1..n)^0.5, i=1..n)",
        "sqrt(sum(sqrt(x[i]^2 + c^2), i=1..n))",
        "norm(x[i]*c, i=1..n)*norm(z[i]*c, i=1..n)",
        "prod(x[i]*c, i=1..n) + sum(prod(x[i] + z[j], i=1..n), j=1..n)",
        "sum(max(x[i], z[i], 0) + abs(x[i])^1.5, i=1..n)",
        "sum(exp(-exp(700*x[i])) + 1/(1 + exp(900*x[i]*z[1])), i=1..n)",
        "log(sum(exp(800*x[i]), i=1..n))",
        "sum(exp(8*x[i])*z[i], i=1..n)/sum(exp(8*x[i]), i=1..n)",
        "sum(x[i]*log(x[i]), i=1..n)",
    ],
)
@pytest.mark.parametrize("numbers", POINTS)
def test_gradient_is_that_of_the_text_written_out(text, numbers):
    loss = Indexed(text, sizes={"n": 4})
    loss.x = at(loss, numbers)
    theirs = loss.written_out()
    atol = 1e-14 * np.abs(theirs[np.isfinite(theirs)]).max(initial=0.0)
    np.testing.assert_allclose(loss.gradient(loss.x), theirs, rtol=1e-13, atol=atol)


def test_norm_in_rows_has_gradient_0_at_0():
    loss = Indexed("mean(norm(C[j]*X[j], j))", data=True)
    np.testing.assert_array_equal(loss.gradient(np.zeros(3)), np.zeros(4))


def test_largest_terms_share_the_derivative_equally():
    loss = Indexed("max(x[i], i=1..n)", sizes={"n": 4})
    np.testing.assert_array_equal(loss.gradient(np.array([2, 3, 1, 3])), [3, 0, 0.5, 0, 0.5])


@pytest.mark.parametrize("x", [[1, 2, 3, 4], [0, 2, 3, 4], [0, 2, 0, 4], [0, 0, 0, 4], [0] * 4])
def test_products_have_two_derivatives_where_factors_are_0(x):
    loss = Indexed("prod(x[i], i=1..n)", sizes={"n": 4})
    x, v = np.array(x, float), np.array([1.0, 0.25, -2.0, 0.5])
    for k, slope in enumerate(loss.gradient(x)[1:]):
        assert slope == np.prod(np.delete(x, k))
    for k, product in enumerate(loss.product(x, v)):
        rest = [j for j in range(4) if j != k]
        assert product == sum(v[j] * np.prod(np.delete(x, [j, k])) for j in rest)
