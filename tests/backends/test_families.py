"""Families of test problems of any size, typed with indices, against JAX."""

import pytest

from benchmarks.families import NEIGHBORS, ONE_SUM, STRUCTURED
from tests.grids import every

CHOSEN = [
    *ONE_SUM[::3],
    *(f for f in ONE_SUM if f.name == "nondia"),
    *NEIGHBORS[::7],
    *STRUCTURED[::9],
]


@pytest.mark.parametrize("family", every(2, CHOSEN), ids=lambda family: family.name)
def test_value_and_gradient(family):
    assert family.difference(30) <= family.tolerance
