"""Fits in other units, the same fit; and what is said of columns that are nearly one."""

import numpy as np
import pytest

import symgd
from tests import regression


@pytest.mark.parametrize("size", [1e12, 1e-12, 1e150, 1e-150])
@pytest.mark.parametrize("rate", [1.0, 1e12, 1e-12])
def test_a_fit_scales_with_its_data(size, rate):
    """The same fit in other units; a Jacobian beyond doubles may stall, and nothing may warn."""
    x = np.linspace(0.1, 5, 60)
    y = 2.5 * np.exp(-1.3 * x) + 0.5 + np.random.default_rng(7).normal(0, 0.02, 60)
    plain, covariance = regression.decay(x, y)
    other = symgd.fit("y = a*exp(-b*x) + c", {"x": x / rate, "y": y * size})
    if (size, rate) == (1e150, 1e-12):
        assert other.status.value == "stalled"
        return
    units = {"a": size, "b": rate, "c": size}
    errors = np.sqrt(np.diag(covariance))
    assert other.status.value == "converged"
    for (name, unit), estimate, error in zip(units.items(), plain, errors, strict=True):
        assert other.theta[name] == pytest.approx(estimate * unit, rel=1e-8)
        if size > 1e-100:  # the variance of b is beyond doubles there
            assert other.stderr[name] == pytest.approx(error * unit, rel=1e-6)


@pytest.mark.parametrize(("difference", "few"), [(1e-9, False), (1e-12, True)])
def test_standard_errors_of_few_digits_are_told(difference, few):
    """For 1e-9, a in exact arithmetic (80 digits, normal equations): -135700316.2785242."""
    x = np.linspace(0, 1, 10)
    data = {"x": x, "w": 2 * x + difference * np.sin(9 * x), "y": x**2}
    found = symgd.fit("y = a*x + b*w + c", data)
    # for 1e-12 the last bits of the linear algebra decide whether the end is certified
    assert found.status.value == "converged" or (few and found.status.value == "stalled")
    assert any("ill-conditioned" in text for text in found.warnings)
    assert any("fewer than 4 digits" in text for text in found.warnings) == few
    if not few:
        assert found.theta["a"] == pytest.approx(-135700316.2785242, rel=1e-6)
