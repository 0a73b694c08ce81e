"""Families of test problems of any size, typed with indices, against JAX."""

import pytest

from benchmarks.families import FAMILIES

CHOSEN = [*FAMILIES[::3], *(f for f in FAMILIES if f.name == "nondia")]


@pytest.mark.parametrize("family", CHOSEN, ids=lambda family: family.name)
def test_value_and_gradient(family):
    assert family.difference(30) <= family.tolerance
