"""Families of test problems of any size, typed with indices, against JAX."""

import pytest

from benchmarks.families import FAMILIES, difference


@pytest.mark.parametrize("family", FAMILIES[::3], ids=lambda family: family.name)
def test_value_and_gradient(family):
    assert difference(family, 30) <= family.tolerance
