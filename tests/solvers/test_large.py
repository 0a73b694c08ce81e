"""Many parameters: Lanczos' method and truncated Newton against dense and tridiagonal algebra."""

import numpy as np
import pytest
from scipy.linalg import eigh_tridiagonal

import symgd
from symgd.solvers import trust_region
from symgd.solvers.difference_product import difference_product
from symgd.solvers.lanczos import extreme_eigenvalues


def chain(x):
    """Value and gradient of the chained Rosenbrock function, by hand."""
    a, b = x[1:] - x[:-1] ** 2, 1 - x[:-1]
    grad = np.zeros_like(x)
    grad[1:] += 200 * a
    grad[:-1] += -400 * a * x[:-1] - 2 * b
    return float(100 * a @ a + b @ b), grad


class Chain:
    """The same for a solver; products by differences."""

    def gradient(self, x):
        return chain(x)

    def products(self, x):
        return difference_product(chain, x)


def chain_spectrum(count):
    """Of its Hessian at (1, ..): diagonal 802, 1002, .., 200, beside it -400."""
    diagonal = np.full(count, 1002.0)
    diagonal[0], diagonal[-1] = 802.0, 200.0
    return eigh_tridiagonal(diagonal, np.full(count - 1, -400.0), eigvals_only=True)


@pytest.mark.parametrize("seed", range(5))
def test_both_ends_of_a_dense_spectrum(seed):
    rng = np.random.default_rng(seed)
    half = rng.normal(size=(80, 80))
    matrix = half + half.T
    found = extreme_eigenvalues(lambda v: matrix @ v, 80, tolerance=1e-9)
    right = np.linalg.eigvalsh(matrix)
    assert [found.low, found.high] == pytest.approx(right[[0, -1]], rel=1e-9)
    assert abs(found.high - right[-1]) <= found.high_error + 1e-12 * right[-1]


def test_a_multiple_of_the_identity_ends_at_once():
    found = extreme_eigenvalues(lambda v: 3 * v, 50)
    assert (found.low, found.high) == pytest.approx((3.0, 3.0))


def test_ten_thousand_parameters_take_few_products():
    count = 10_000
    product, calls = difference_product(chain, np.ones(count)), []
    found = extreme_eigenvalues(lambda v: calls.append(1) or product(v), count)
    assert len(calls) <= 120
    right = chain_spectrum(count)
    assert found.high == pytest.approx(right[-1], rel=2e-3)
    assert found.high <= right[-1] * (1 + 1e-9)  # Ritz values are within the spectrum
    assert abs(found.high - right[-1]) <= found.high_error


def test_differences_of_gradients_are_products_with_the_hessian():
    x = np.linspace(-1, 2, 50)
    loss = symgd.Loss(" + ".join(
        f"100*(x{k + 1} - x{k}^2)^2 + (1 - x{k})^2" for k in range(1, 50)))  # fmt: skip
    order = np.argsort([int(p[1:]) for p in loss.params])
    hessian = loss.hess(x[np.argsort(order)])[np.ix_(order, order)]
    v = np.sin(np.arange(50.0))
    assert difference_product(chain, x)(v) == pytest.approx(hessian @ v, rel=1e-7, abs=1e-5)


def test_a_minimum_of_a_chain():
    *_, found = trust_region.iterate(Chain(), np.full(200, 0.5))
    assert found.x == pytest.approx(np.ones(200), abs=1e-12)
    assert np.linalg.norm(found.gradient) < 1e-10


def test_explain_gives_the_stable_rates_of_a_long_chain():
    count = 300
    text = " + ".join(f"100*(x{k + 1} - x{k}^2)^2 + (1 - x{k})^2" for k in range(1, count))
    found = symgd.explain(text, start=0.5)
    [point], [behavior] = found.critical.points, found.behaviors
    right = chain_spectrum(count)
    assert point.kind == "minimum"
    assert np.allclose(point.x, 1, atol=1e-9)
    assert point.eigenvalues == pytest.approx((right[0], right[-1]), rel=1e-3)
    assert behavior.rates.lr_max == pytest.approx(2 / right[-1], rel=1e-3)
