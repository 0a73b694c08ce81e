"""0.99 of the limit of lr converges, 1.01 does not; predicted factors are those of errors."""

import pytest

from benchmarks.limits import LOSSES, limits

SLICE = [text for text in LOSSES if len(text) < 300][::3]


@pytest.mark.parametrize("text", SLICE)
def test_limit_separates_and_factor_is_met(text):
    for found in limits({text: LOSSES[text]}):
        assert found.separates, found
        assert found.off <= 0.01, found
