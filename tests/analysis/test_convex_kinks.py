"""Minima of convex losses with kinks in rows, against linear programs by SciPy (HiGHS)."""

import numpy as np
import pytest
from scipy.optimize import linprog

from symgd import Loss, explain
from symgd.analysis.critical.convex_kinks import convex_minimum


def quantile(design, y, tau):
    """The least mean pinball loss (R. Koenker, G. Bassett, 1978, as a linear program)."""
    n, p = design.shape
    cost = np.concatenate([np.zeros(p), np.full(n, tau / n), np.full(n, (1 - tau) / n)])
    parts = np.hstack([design, np.eye(n), -np.eye(n)])
    free = [(None, None)] * p + [(0, None)] * (2 * n)
    return linprog(cost, A_eq=parts, b_eq=y, bounds=free).fun


def drawn(seed, tied):
    chance = np.random.default_rng(seed)
    n, p = int(chance.choice([5, 8, 20, 60, 200])), int(chance.integers(1, 5))
    design = chance.integers(-2, 3, (n, p)).astype(float) if tied else chance.normal(size=(n, p))
    design[:, 0] = 1.0
    y = design @ chance.normal(size=p) + chance.standard_t(2, n)
    return design, np.round(y) if tied else y


@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("tau", [0.5, 0.9])
@pytest.mark.parametrize("seed", range(6))
def test_quantile_regression_is_the_linear_programs(seed, tau, tied):
    design, y = drawn(seed, tied)
    count = design.shape[1]
    line = " + ".join(["b0", *(f"b{j}*x{j}" for j in range(1, count))])
    data = {"y": y} | {f"x{j}": design[:, j] for j in range(1, count)}
    loss = Loss(f"mean(max({tau}*(y - ({line})), {tau - 1}*(y - ({line}))))", data)
    found = convex_minimum(loss, [1.0] * count)
    assert found.value == pytest.approx(quantile(design, y, tau), rel=1e-9)


def test_median_of_an_even_number_is_an_interval():
    found = explain("mean(abs(y - b))", data={"y": np.array([4.0, 1.0, 2.0, 9.0])})
    assert found.critical.complete
    assert found.critical.points[0].x[0] in (2.0, 4.0)  # one of its ends
    assert found.critical.points[0].note.endswith("not the only one")


def test_hinge_with_a_penalty_is_the_quadratic_programs():
    # min mean(max(0, 1 - c*w*x)) + w^2/20 by its derivative, between breakpoints 1/(c*x)
    x, c = np.array([0.5, 1.0, 2.0, -1.0]), np.array([1.0, 1.0, 1.0, 1.0])
    found = convex_minimum(Loss("mean(relu(1 - c*w*x)) + w^2/20", {"x": x, "c": c}), [0.0])
    grid = np.linspace(-5, 5, 2_000_001)
    value = np.mean([np.maximum(0, 1 - grid * v) for v in x], axis=0) + grid**2 / 20
    assert found.x[0] == pytest.approx(grid[value.argmin()], abs=5e-6)
    assert found.value <= value.min()


def test_lasso_by_its_soft_threshold():
    # columns orthonormal over the rows: each coefficient is shrunk by lambda/2
    x, z = np.array([1.0, 1.0, -1.0, -1.0]), np.array([1.0, -1.0, 1.0, -1.0])
    y = 2 * x + 0.1 * z
    loss = Loss("mean((y - a*x - b*z)^2) + |a| + |b|", {"x": x, "z": z, "y": y})
    found = convex_minimum(loss, [1.0, 1.0])
    assert found.x == pytest.approx((1.5, 0.0), abs=1e-12)
    assert found.shape == "kink"


def test_kinks_that_are_not_convex_are_left_to_the_search():
    data = {"x": np.arange(5.0), "y": np.exp(-np.arange(5.0))}
    assert convex_minimum(Loss("mean(abs(y - a*exp(-b*x)))", data), [1.0, 1.0]) is None


def test_no_minimum_where_the_loss_falls_for_ever():
    assert convex_minimum(Loss("mean(abs(y - b)) - 2*b", {"y": np.arange(3.0)}), [0.0]) is None
