"""Moments in place of rows: no fewer digits than the rows themselves give, however bad the data."""

from fractions import Fraction

import numpy as np
import pytest

from symgd import Loss
from tests.grids import every

ROWS = 1000
TEXT = "mean((y - (a*x + b*z + c))**2)"
EPS = np.finfo(float).eps


def hard(seed):
    """x, z, y with offsets, scales and near collinearity drawn from ranges that hurt."""
    rng = np.random.default_rng(seed)
    offset, scale = rng.choice([0, 1, 1e2, 1e4, 1e8]), 10.0 ** rng.integers(-8, 9)
    x = rng.standard_normal(ROWS) + offset
    z = rng.standard_normal(ROWS) * 10.0 ** rng.integers(-8, 9)
    if seed % 2:
        z = x + 10.0 ** rng.integers(-5, 1) * rng.standard_normal(ROWS)
    x *= scale
    slopes = rng.standard_normal(3) / [scale, np.abs(z).max(), 1]
    noise = 10.0 ** rng.integers(-10, 3) * rng.standard_normal(ROWS)
    return {"x": x, "z": z, "y": slopes[0] * x + slopes[1] * z + slopes[2] + noise}


def exactly(data, theta):
    """(value, gradient) in rational numbers, and how much one rounding of each term moves them."""
    a, b, c = map(Fraction, theta)
    value, value_moves = Fraction(0), 0.0
    grad, grad_moves = [Fraction(0)] * 3, [0.0] * 3
    for x, z, y in zip(*(map(Fraction, data[n].tolist()) for n in "xzy"), strict=True):
        r = y - (a * x + b * z + c)
        size = float(abs(y) + abs(a * x) + abs(b * z) + abs(c))
        value += r * r
        value_moves += 2 * size * abs(float(r)) + EPS * size**2
        for k, slope in enumerate((x, z, Fraction(1))):
            grad[k] -= 2 * r * slope
            grad_moves[k] += 2 * size * abs(float(slope))
    share = [[g / ROWS for g in grad], [m / ROWS for m in grad_moves]]
    return value / ROWS, share[0], value_moves / ROWS, share[1]


def condition(data):
    """Of the design with columns of length 1."""
    design = np.column_stack([data["x"], data["z"], np.ones(ROWS)])
    return np.linalg.cond(design / np.linalg.norm(design, axis=0))


def places(data):
    """Points far from the least squares, at them, and near them in every way."""
    design = np.column_stack([data["x"], data["z"], np.ones(ROWS)])
    lengths = np.linalg.norm(design, axis=0)
    best = np.linalg.lstsq(design / lengths, data["y"])[0] / lengths
    _, _, directions = np.linalg.svd(design / lengths, full_matrices=False)
    hardly = directions[-1] / lengths  # along it the residuals hardly change
    return [np.ones(3), np.zeros(3), best, best * (1 + 1e-9), best * 1.001, best + 1e3 * hardly]


@pytest.mark.parametrize("seed", every(2, range(24)))
def test_moments_lose_no_digits_that_rows_keep(seed):
    data = hard(seed)
    loss = Loss(TEXT, data)
    if not loss.internals.reduced:
        assert condition(data) > 1e5  # they are not given up where they would do
        return
    for theta in places(data):
        value, grad, value_moves, grad_moves = exactly(data, theta.tolist())
        found, slopes = loss.value_and_grad(theta.tolist())
        assert abs(float(Fraction(found) - value)) <= 8 * EPS * value_moves
        for slope, g, moves in zip(slopes.tolist(), grad, grad_moves, strict=True):
            assert abs(float(Fraction(slope) - g)) <= 8 * EPS * moves


def test_some_of_them_are_ill_conditioned_and_reduced_all_the_same():
    conditions = [
        condition(data) for data in map(hard, range(24)) if Loss(TEXT, data).internals.reduced
    ]
    assert len(conditions) >= 10
    assert max(conditions) > 1e4


def test_weights_and_several_sums_keep_their_digits():
    rng = np.random.default_rng(0)
    x = 1e6 + rng.standard_normal(ROWS)
    data = {"x": x, "y": 2 * x - 3 + rng.standard_normal(ROWS), "w": rng.uniform(0.1, 10, ROWS)}
    loss = Loss("sum(w*(y - a*x - b)**2) + mean((y - a*x)**2) + a**2", data)
    assert loss.internals.reduced
    w, x, y = ([Fraction(v) for v in data[n].tolist()] for n in "wxy")
    for a, b in ((2.0, -3.0), (2.5, -500_000.0), (0.0, 0.0)):
        p, q = Fraction(a), Fraction(b)
        value = sum(k * (v - p * u - q) ** 2 for k, u, v in zip(w, x, y, strict=True))
        value += sum((v - p * u) ** 2 for u, v in zip(x, y, strict=True)) / ROWS + p**2
        moves = sum(
            k * (abs(v) + abs(p * u) + abs(q)) * abs(v - p * u - q)
            for k, u, v in zip(w, x, y, strict=True)
        )
        assert abs(Fraction(loss.value([a, b])) - value) <= 8 * EPS * float(2 * moves + value)


@pytest.mark.parametrize(
    ("text", "predicted"),
    [
        ("sum((q - z - floor(z))^2)", lambda z: z + np.floor(z)),
        ("sum((q - fmod(z, 0.5))^2)", lambda z: np.fmod(z, 0.5)),
        ("sum((q - 2*mod(z, 0.7))^2)", lambda z: 2 * np.mod(z, 0.7)),
        ("sum((q - z - sign(z))^2)", lambda z: z + np.sign(z)),
        ("sum((q - where(z > 1, z, z + 5))^2)", lambda z: z if z > 1 else z + 5),
    ],
)
def test_residual_with_a_constant_derivative_that_jumps_is_not_linear(text, predicted):
    q = np.linspace(-3, 4, 2000)
    loss = Loss(text, {"q": q})
    for z in (-2.2, 0.3, 2.3, 7.6):
        right = np.sum((q - predicted(z)) ** 2)
        assert loss.value([z]) == pytest.approx(right, rel=1e-12)
