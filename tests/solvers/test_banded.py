"""Band matrices: found by products, factored by cyclic reduction, against dense algebra."""

import numpy as np
import pytest

from symgd.solvers.banded import Band, BandedHessian, Dense


@pytest.mark.parametrize("count", [5, 33, 100])
@pytest.mark.parametrize("width", [0, 1, 3, 4])
def test_a_band_solves_what_a_dense_matrix_solves(count, width):
    rng = np.random.default_rng(count + width)
    bands = [rng.normal(size=count) for _ in range(width + 1)]
    bands[0] = np.abs(bands[0]) + 2 * width + 1
    band, v = Band(bands), rng.normal(size=count)
    matrix = band.dense()
    np.testing.assert_allclose(band.times(v), matrix @ v, atol=1e-12)
    np.testing.assert_allclose(Band.of(lambda u: matrix @ u, count, width).dense(), matrix)
    for kind in (band, Dense(matrix)):
        solution = kind.factor(0.5)(v)
        right = np.linalg.solve(matrix + 0.5 * np.eye(count), v)
        np.testing.assert_allclose(solution, right, atol=1e-10)


@pytest.mark.parametrize("width", [1, 2])
def test_positive_definite_is_told_to_the_least_eigenvalue(width):
    band = Band([np.zeros(40) for _ in range(width)] + [np.ones(40)])
    least = np.linalg.eigvalsh(band.dense())[0]
    for kind in (band, Dense(band.dense())):
        assert kind.factor(-1.001 * least) is not None
        assert kind.factor(-0.999 * least) is None


def test_the_width_is_found_and_a_dense_matrix_is_no_band():
    rng = np.random.default_rng(0)
    diagonals = [np.full(300, 4.0), rng.normal(size=300), rng.normal(size=300)]
    matrix = Band(diagonals).dense()
    found = BandedHessian(300).at(lambda v: matrix @ v)
    assert len(found.bands) == 3
    half = rng.normal(size=(300, 300))
    assert BandedHessian(300).at(lambda v: (half + half.T) @ v) is None
