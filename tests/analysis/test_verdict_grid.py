"""No sentence of a verdict is refuted by the same run with more steps."""

import pytest

from benchmarks.verdict_grid import IN_BOUNDS, LOSSES, grid
from benchmarks.verdicts import refutations

CASES = [case for case in grid() if case.steps <= 100][::23]


@pytest.mark.parametrize("loss", list(LOSSES | IN_BOUNDS))
def test_no_sentence_is_refuted(loss):
    found = {case.name: refutations(case)[1] for case in CASES if case.loss == loss}
    assert len(found) > (5 if loss in LOSSES else 1)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
