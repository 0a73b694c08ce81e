"""Functions on arrays against the scalar ones, which the tests of the table check with mpmath."""

import itertools
import math

import mpmath
import numpy as np
import pytest

from symgd.backends.lambdified import array_function
from symgd.backends.numpy_functions import VECTORS
from symgd.formula.functions import bessel
from symgd.formula.functions.table import FUNCTIONS
from tests.grids import grid

NAMES = [n for n, row in FUNCTIONS.items() if n in VECTORS or (row.formula and not row.numpy)]

POINTS = [0.0, -0.0, 1e-300, 1e-9, 0.3, 1.0, 1.5, 2.5, 20.0, 40.0, 710.0, 1e4, 1e155, 1e300]
POINTS += [-x for x in POINTS] + [math.inf, -math.inf, math.nan]


@pytest.mark.parametrize("name", NAMES)
def test_an_array_is_computed_as_its_elements(name):
    row = FUNCTIONS[name]
    count = row.arity[1] or 2
    if name == "clip":
        tuples = [(x, -1.0, 2.0) for x in POINTS]
    elif name == "huber":
        tuples = [(x, d) for x in POINTS for d in (0.5, 1.0)]
    else:
        tuples = list(itertools.product(POINTS, repeat=count))
    with np.errstate(all="ignore"):
        found = array_function(row)(*np.array(tuples).T)
    expected = [row.scalar(*t) for t in tuples]
    assert found.dtype == np.float64
    # 1/sin of a huge angle differs by what the two sines differ by
    tolerance = 1e-13 if name in ("cot", "sec", "csc") else 2e-15
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_numbers_do_as_well_as_arrays(name):
    row = FUNCTIONS[name]
    args = [0.4, 0.2, 0.7][: max(row.arity[0], 1)]
    if row.arity[0] == 1 and name == "huber":
        args.append(1.0)
    with np.errstate(all="ignore"):
        assert float(array_function(row)(*map(np.float64, args))) == pytest.approx(
            row.scalar(*args), nan_ok=True
        )


SERIES = [("digamma", ()), ("polygamma", (1.0,)), ("polygamma", (3.0,))]


@pytest.mark.parametrize(("name", "order"), SERIES)
def test_series_over_arrays_is_mpmaths(name, order):
    left = 0.05 - np.linspace(0.1, 9, 30)
    x = np.concatenate([np.geomspace(1e-8, 1e8, 60), np.linspace(1.3, 1.6, 31), left])
    with mpmath.workdps(30):
        exact = [float(mpmath.psi(int(sum(order)), mpmath.mpf(v))) for v in x.tolist()]
    found = array_function(FUNCTIONS[name])(*order, x)
    # where digamma is 0.1 its terms are 30 times as large
    np.testing.assert_allclose(found, exact, rtol=1e-14 if name == "digamma" else 1e-15)


@pytest.mark.parametrize(("kind", "order"), grid("jyik", [1.0, 2.5]))
def test_long_arrays_of_bessel_functions_are_mpmaths(kind, order):
    x = np.concatenate([np.resize(np.linspace(0.5, 60, 25), 210), [1e-5, 1e5, 700.0]])
    for name in (f"bessel{kind}", f"bessel{kind}_derivative"):
        with np.errstate(all="ignore"):
            found = VECTORS[name](order, x)
        each = {v: getattr(bessel, name)(order, v) for v in set(x.tolist())}
        expected = [each[v] for v in x.tolist()]
        np.testing.assert_allclose(found, expected, rtol=1e-11, atol=0)


def test_lambertw_over_arrays_is_mpmaths():
    x = np.concatenate([np.linspace(-1 / math.e, 1, 60), np.geomspace(1e-12, 1e300, 60)])
    exact = [float(mpmath.lambertw(v).real) for v in x.tolist()]
    np.testing.assert_allclose(array_function(FUNCTIONS["lambertw"])(x), exact, rtol=4e-15)
