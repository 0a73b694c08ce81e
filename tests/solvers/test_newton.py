"""Newton's method on functions whose derivatives are written by hand."""

import math
from itertools import islice

import numpy as np
import pytest

from symgd.solvers import newton
from symgd.solvers.objectives import Box
from symgd.solvers.symmetric import eigenvalues, solve_definite, spectrum


class Rosenbrock:
    """(1 - x)**2 + 100*(y - x**2)**2, the minimum at (1, 1)."""

    def gradient(self, point):
        x, y = point
        value = (1 - x) ** 2 + 100 * (y - x * x) ** 2
        return value, [-2 * (1 - x) - 400 * x * (y - x * x), 200 * (y - x * x)]

    def hessian(self, point):
        x, y = point
        return [[2 - 400 * (y - 3 * x * x), -400 * x], [-400 * x, 200.0]]


class Himmelblau:
    """(x**2 + y - 11)**2 + (x + y**2 - 7)**2: minima, saddles and one maximum."""

    def gradient(self, point):
        x, y = point
        a, b = x * x + y - 11, x + y * y - 7
        return a * a + b * b, [4 * x * a + 2 * b, 2 * a + 4 * y * b]

    def hessian(self, point):
        x, y = point
        return [
            [12 * x * x + 4 * y - 42, 4 * x + 4 * y],
            [4 * x + 4 * y, 12 * y * y + 4 * x - 26],
        ]


class Power:
    """x**4: the curvature vanishes at the minimum."""

    def gradient(self, point):
        return point[0] ** 4, [4 * point[0] ** 3]

    def hessian(self, point):
        return [[12 * point[0] ** 2]]


def test_a_descent_from_afar_ends_within_its_tolerance_of_the_minimum():
    found = newton.minimize(Rosenbrock(), [-1.2, 1.0], tolerance=1e-9)
    assert found.x == pytest.approx([1.0, 1.0], rel=1e-9)
    assert found.definite
    assert found.is_close(1e-9, [-1.2, 1.0])
    assert found.shrinks(0.05)


def test_few_parameters_with_a_definite_hessian_take_no_eigenvalues(monkeypatch):
    monkeypatch.setattr(newton, "spectrum", None)
    assert newton.minimize(Rosenbrock(), [-1.2, 1.0]).x == pytest.approx([1.0, 1.0], rel=1e-12)


def test_a_local_search_ends_where_the_value_rises_or_the_hessian_is_not_definite():
    # the full step from Rosenbrock's start is downhill, the one after it is not
    found = newton.minimize(Rosenbrock(), [-1.2, 1.0], tolerance=1e-9, local=True)
    assert (found.steps, found.is_close(1e-9, [-1.2, 1.0])) == (1, False)
    found = newton.minimize(Himmelblau(), [0.0, 0.0], tolerance=1e-9, local=True)
    assert (found.steps, found.definite) == (0, False)


def test_a_step_is_held_at_a_bound():
    box = Box(np.array([-math.inf, -math.inf]), np.array([0.5, math.inf]))
    found = newton.minimize(Rosenbrock(), [-1.2, 1.0], box)
    assert found.x == pytest.approx([0.5, 0.25], rel=1e-9)  # y = x**2 minimizes at x = 0.5
    assert found.step[0] == 0.0
    assert found.definite


def test_steps_where_the_curvature_vanishes_shrink_by_a_constant_factor():
    found = newton.minimize(Power(), [1.0], steps=30, tolerance=1e-9)
    assert found.reason == "30 iterations were not enough"
    assert found.x[0] == pytest.approx((2 / 3) ** 30, rel=1e-9)
    assert found.norm(found.step) / found.moved == pytest.approx(2 / 3, rel=1e-9)
    assert not found.shrinks(0.4)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_start_that_is_not_finite_has_no_end(value):
    assert newton.minimize(Rosenbrock(), [value, 1.0]) is None


# Himmelblau's critical points, by mpmath.findroot on the gradient
@pytest.mark.parametrize(
    ("start", "point", "signs"),
    [
        ((0.1, 2.9), (0.0866775046, 2.8842547012), (-1, 1)),
        ((-0.2, -1.0), (-0.2708445907, -0.9230385565), (-1, -1)),
        ((2.9, 2.1), (3.0, 2.0), (1, 1)),
    ],
)
def test_the_gradient_vanishes_at_saddles_maxima_and_minima(start, point, signs):
    *_, (x, gradient) = islice(newton.to_zero_gradient(Himmelblau(), start), 12)
    assert x == pytest.approx(point, abs=1e-9)
    assert math.hypot(*gradient) < 1e-12
    assert tuple(np.sign(eigenvalues(Himmelblau().hessian(x)))) == signs


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7])
def test_cholesky_solves_what_numpy_solves_whatever_the_units(count):
    rng = np.random.default_rng(count)
    for _ in range(50):
        root = rng.normal(size=(count, count))
        units = np.exp(rng.normal(size=count) * 20)
        matrix = (root @ root.T + np.eye(count)) * np.outer(units, units)
        b = rng.normal(size=count) * units
        expected = np.linalg.solve(matrix / np.outer(units, units), b / units) / units
        assert solve_definite(matrix.tolist(), b.tolist()) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("matrix", [[[0.0]], [[-1.0]], [[1.0, 2.0], [2.0, 1.0]],
                                    [[1.0, 1.0], [1.0, 1.0 + 1e-12]]])  # fmt: skip
def test_cholesky_leaves_what_is_not_clearly_definite_to_eigenvalues(matrix):
    assert solve_definite(matrix, [1.0] * len(matrix)) is None


def test_a_spectrum_rebuilds_its_matrix_and_solves():
    matrix = [[2.0, 1.0, 0.0], [1.0, -3.0, 0.5], [0.0, 0.5, 1.0]]
    split = spectrum(matrix)
    rebuilt = [split.apply(split.values, column) for column in np.eye(3).tolist()]
    np.testing.assert_allclose(rebuilt, matrix, atol=1e-14)
    solution = split.apply([1 / v for v in split.values], [1.0, 2.0, 3.0])
    np.testing.assert_allclose(np.array(matrix) @ solution, [1.0, 2.0, 3.0], atol=1e-14)
    assert max(split.lowest, key=abs) > 0
