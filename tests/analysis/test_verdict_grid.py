"""No sentence of a verdict is refuted by the same run with more steps."""

import pytest

from benchmarks.verdict_grid import LOSSES, grid
from benchmarks.verdicts import refutations

CASES = [case for case in grid() if case.steps <= 100][::23]


@pytest.mark.parametrize("loss", LOSSES)
def test_no_sentence_is_refuted(loss):
    found = {case.name: refutations(case)[1] for case in CASES if case.loss == loss}
    assert len(found) > 5
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
