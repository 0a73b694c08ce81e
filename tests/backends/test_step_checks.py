"""The table of the checks of a step, and that every machine has a test for each row.

That the machines stop at the same steps for the same reasons: `test_native`, `test_sweep`.
"""

import pytest

from symgd.backends.native.array_steps import ArrayLoop
from symgd.backends.native.lane_steps import LaneSteps
from symgd.backends.native.register_steps import RegisterLoop
from symgd.backends.step_checks import CHECKS, RUNNING, Stop, is_recorded, select_checks
from symgd.descent import kernel


@pytest.mark.parametrize("machine", [RegisterLoop, ArrayLoop, LaneSteps])
def test_machines_have_every_test(machine):
    for row in CHECKS:
        assert row.stop is None or callable(getattr(machine, row.test))


def test_python_has_every_test():
    assert kernel._TESTS.keys() == {row.test for row in CHECKS}


def test_rows_stop_for_different_reasons_and_one_records():
    stops = [row.stop for row in CHECKS]
    assert len(set(stops)) == len(stops)
    # the line search's and the solvers' own
    assert set(stops) == {None, *Stop} - {Stop.NO_DESCENT, Stop.SETTLED}
    assert [bool(stop) for stop in (RUNNING, *Stop)] == [False] + [True] * len(Stop)


def test_a_point_is_recorded_unless_loss_or_gradient_is_not_finite():
    recorded = {stop for stop in Stop if is_recorded(stop)}
    assert recorded == {Stop.CONVERGED, Stop.NONFINITE_STEP, Stop.STUCK, Stop.NO_DESCENT}
    assert not is_recorded(RUNNING)


@pytest.mark.parametrize(
    ("settles", "has_tol", "missing"),
    [
        (True, True, set()),
        (False, True, {Stop.STUCK}),
        (True, False, {Stop.STUCK, Stop.CONVERGED}),
        (False, False, {Stop.STUCK, Stop.CONVERGED}),
    ],
)
def test_checks_that_apply(settles, has_tol, missing):
    left = [row.stop for row in select_checks(settles, has_tol)]
    assert left == [row.stop for row in CHECKS if row.stop not in missing]
