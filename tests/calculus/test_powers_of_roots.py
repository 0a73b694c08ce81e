"""Powers of roots where the root vanishes, by hand; elsewhere as JAX has them."""

import math
import random

import jax.numpy as jnp
import numpy as np
import pytest

from symgd import Loss
from tests.jax_oracle import value_grad_and_hess

nan = math.nan

# text, point, value, gradient, Hessian
AT_ZERO = [
    ("hypot(x, y)^2", (0, 0), 0, [0, 0], [[2, 0], [0, 2]]),
    ("hypot(x, y)*hypot(x, y)", (0, 0), 0, [0, 0], [[2, 0], [0, 2]]),
    ("3*hypot(x - 1, y)^2*y", (1, 0), 0, [0, 0], [[0, 0], [0, 0]]),
    ("hypot(x, 3)^2", (0,), 9, [0], [[2]]),
    ("hypot(x, y)^4", (0, 0), 0, [0, 0], [[0, 0], [0, 0]]),
    ("sqrt(x^2 + y^2)^2", (0, 0), 0, [0, 0], [[2, 0], [0, 2]]),
    ("sqrt(x^4 + y^2)^2", (0, 0), 0, [0, 0], [[0, 0], [0, 2]]),
    ("sqrt(x^2*exp(x))^2", (0,), 0, [0], [[2]]),
    ("sqrt(x)^2", (0,), 0, [1], [[0]]),
    ("sqrt(x)*sqrt(x)", (0,), 0, [1], [[0]]),
    ("sqrt(x)^4", (0,), 0, [0], [[2]]),
    ("sqrt(x)^5", (0,), 0, [0], [[0]]),
    ("sqrt(x)*sqrt(x)*sqrt(x)", (0,), 0, [0], [[math.inf]]),
    ("sqrt(x)^2", (-1,), nan, [nan], [[nan]]),
    ("sqrt(x)^4", (-1,), nan, [nan], [[nan]]),
    ("abs(x)^2", (0,), 0, [0], [[2]]),
    ("|x|*|x|", (0,), 0, [0], [[2]]),
    ("abs(x)*abs(x)*y", (0, 2), 0, [0, 0], [[4, 0], [0, 0]]),
    ("abs(x*y)^2", (0, 2), 0, [0, 0], [[8, 0], [0, 0]]),
    ("cbrt(x)^3", (0,), 0, [1], [[0]]),
    ("cbrt(x)^6", (0,), 0, [0], [[2]]),
]


@pytest.mark.parametrize(("text", "point", "value", "grad", "hess"), AT_ZERO)
def test_where_the_root_vanishes(text, point, value, grad, hess):
    loss = Loss(text)
    got, slopes = loss.value_and_grad([float(v) for v in point])
    assert got == value or (math.isnan(value) and math.isnan(got))
    assert np.array_equal(slopes, np.array(grad, dtype=float), equal_nan=True)
    curvature = loss.internals.hess_rows([float(v) for v in point])
    assert np.array_equal(curvature, np.array(hess, dtype=float), equal_nan=True)


ELSEWHERE = [
    ("hypot(x, y)^2*y", lambda x, y: (x**2 + y**2) * y),
    ("x/hypot(x, y)^2", lambda x, y: x / (x**2 + y**2)),
    ("hypot(x, y)^3", lambda x, y: jnp.hypot(x, y) ** 3),
    ("sqrt(x^2 + y)^2 + y", lambda x, y: x**2 + 2 * y),
    ("sqrt(y)^3*x", lambda x, y: y**1.5 * x),
    ("y/sqrt(y)^2", lambda x, y: y / y + 0 * x),
    ("abs(x)^4 + y*abs(x)^-2", lambda x, y: x**4 + y / x**2),
    ("cbrt(x*y)^3 + y^2", lambda x, y: x * y + y**2),
    ("abs(x)*abs(y)*abs(x)", lambda x, y: x**2 * abs(y)),
]


@pytest.mark.parametrize(("text", "same"), ELSEWHERE)
def test_elsewhere_as_jax_has_it(text, same):
    loss, source = Loss(text), random.Random(5)
    theirs = value_grad_and_hess(same, 2)
    for _ in range(5):
        at = {"x": source.uniform(-3, 3), "y": source.uniform(0.1, 3)}
        x = [at[name] for name in loss.params]
        names = [("x", "y").index(name) for name in loss.params]
        point = (at["x"], at["y"])
        right, grad, hess = map(np.array, theirs(*point))
        value, slopes = loss.value_and_grad(x)
        assert value == pytest.approx(right, rel=1e-13)
        assert slopes == pytest.approx(grad[names], rel=1e-12, abs=1e-13)
        hess = hess[np.ix_(names, names)]
        assert np.array(loss.internals.hess_rows(x)) == pytest.approx(hess, rel=1e-12, abs=1e-12)
