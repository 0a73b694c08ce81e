"""What stops a descent: THE table of the checks of a step, in their order.

The Python kernels walk through the table at every step; native code for registers, arrays and SIMD
lanes is generated from it. At theta, a step evaluates the loss, its gradient and the next theta,
makes the checks, and then moves on to the next theta and state.
"""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from typing import NamedTuple


class Stop(IntEnum):
    """Why a descent stopped before its last step; the values are those that native code returns."""

    CONVERGED = 1
    NONFINITE_LOSS = 2  # loss or gradient at theta
    NONFINITE_STEP = 3  # the rule's step from theta
    STUCK = 4  # a fixed point of the step
    NO_DESCENT = 5  # the line search found no smaller loss
    SETTLED = 6  # a further step of a solver is rounding


#: The line search: the part of the predicted fall that is asked for, how often a rate is halved,
#: the fall relative to the loss that rounding hides, and how far the slope may then turn.
DECREASE, HALVINGS, NOISE, TURN = 1e-4, 60, 1e-10, 0.8

#: The limited-memory BFGS method: pairs of steps and changes of the gradient that are kept, trials
#: of one line search, the part of the slope that may be left after it, steps that lower neither
#: the value nor the gradient after which it ends, and the difference of values that is rounding.
PAIRS, TRIALS, CURVATURE, STILL, ROUNDING = 10, 50, 0.9, 20, 2.0**-48

RUNNING = 0  # in place of a Stop: native code has done all of its steps


class Check(NamedTuple):
    """One row: the descent stops if the test gives `stops_if`.

    test: the name of what is tested; each machine implements it for its kind of numbers. stop:
    None where nothing stops and the step is recorded. with_tol: only where there is a tolerance.
    settled: only where the step depends on theta alone, so that a theta that stays does so forever.
    """

    test: str
    stops_if: bool = False
    stop: Stop | None = None
    with_tol: bool = False
    settled: bool = False


VALUE_CHECKS = (
    Check("value_is_finite", False, Stop.NONFINITE_LOSS),  # loss and gradient
    Check("record"),
    Check("gradient_is_small", True, Stop.CONVERGED, with_tol=True),  # max|g| <= tol
)
STEP_CHECKS = (
    Check("step_is_finite", False, Stop.NONFINITE_STEP),  # the next theta
    Check("step_is_zero", True, Stop.STUCK, with_tol=True, settled=True),
)
CHECKS = VALUE_CHECKS + STEP_CHECKS
_RECORD = next(k for k, row in enumerate(CHECKS) if row.stop is None)


@cache
def select_checks(settles: bool, has_tol: bool = True) -> tuple[Check, ...]:
    """The rows that apply. settles: whether the step depends on theta alone."""
    return tuple(row for row in CHECKS if settles >= row.settled and has_tol >= row.with_tol)


def is_recorded(stop: int) -> bool:
    """Whether the step at which a descent stopped had been recorded."""
    return stop == Stop.NO_DESCENT or any(stop == row.stop for row in CHECKS[_RECORD:])
