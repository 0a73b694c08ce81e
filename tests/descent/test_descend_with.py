"""`descend_with`: the same steps and the same statuses as those of the formula."""

import math

import numpy as np
import pytest

import symgd
from symgd import Status, descend


def _interrupt(step):
    if step.t == 3:
        raise KeyboardInterrupt


# gradients and values by hand
_SQUARE = (lambda x: 2 * x, lambda x: x**2)
_HUMP = (lambda x: 2 * x - 4 * x**3, lambda x: x**2 - x**4)
_STEEP = (lambda x: 2 * x * math.exp(x * x), lambda x: math.exp(x * x))
_ROOT = (lambda x: 0.5 / math.sqrt(x), math.sqrt)
_ENTROPY = (lambda x: 1 + math.log(x), lambda x: x * math.log(x))
_SADDLE = (lambda v: v * np.array([2, -2]), lambda v: v[0] ** 2 - v[1] ** 2)
_CROSS = (lambda v: 2 * (v[0] * v[1] - 1) * v[::-1], lambda v: (v[0] * v[1] - 1) ** 2)
_FLAT = (lambda v: np.array([4 * v[0] ** 3, 2 * v[1]]), lambda v: v[0] ** 4 + v[1] ** 2)
_UNEVEN = (lambda v: v * np.array([2.0, 2e150]), lambda v: v @ (v * np.array([1.0, 1e150])))
_TILTED = (lambda v: np.array([1e200, 2 * v[1]]), lambda v: 1e200 * v[0] + v[1] ** 2)

_ENDS = [
    ("x**2", *_SQUARE, 1.0, {}, Status.COMPLETED),
    ("x**2", *_SQUARE, 1.0, {"tol": 1e-3}, Status.CONVERGED),
    ("x**2", *_SQUARE, 1.0, {"tol": 1e-30}, Status.MAX_STEPS),
    ("x**2", *_SQUARE, 3.0, {"lr": 1e-20, "tol": 1e-3}, Status.STALLED),
    ("x**2", *_SQUARE, 1.0, {"callback": lambda step: step.t == 3}, Status.STOPPED),
    ("x**2", *_SQUARE, 1.0, {"callback": _interrupt}, Status.INTERRUPTED),
    ("x**2", *_SQUARE, 1.0, {"lr": 1.1}, Status.DIVERGED),
    ("x**2", *_SQUARE, 1.0, {"lr": 1e10, "steps": 99}, Status.DIVERGED),  # overflows
    ("x**2 - x**4", *_HUMP, 1.0, {"lr": 1.0}, Status.DIVERGED),
    ("exp(x**2)", *_STEEP, 2.0, {"lr": 1.0}, Status.DIVERGED),  # at x = -216
    ("log(x)", lambda x: 1 / x, math.log, 1.0, {"lr": 1.0}, Status.NONFINITE),  # the pole at 0
    ("sqrt(x)", *_ROOT, 1.0, {"lr": 10.0}, Status.NONFINITE),
    ("x*log(x)", *_ENTROPY, 1.0, {"lr": 3.0}, Status.NONFINITE),
    ("x**2 - y**2", *_SADDLE, [1.0, 0.0], {"tol": 1e-6, "steps": 400}, Status.SADDLE),
    ("(x*y - 1)**2", *_CROSS, [0.0, 0.0], {}, Status.SADDLE),
    ("x**4 + y**2", *_FLAT, [0.1, 1.0], {"tol": 1e-2}, Status.CONVERGED),
    ("x**2 + 1e150*y**2", *_UNEVEN, [1.0, 1e6], {"lr": 1.0}, Status.DIVERGED),
    ("1e200*x + y**2", *_TILTED, [1.0, 1.0], {"lr": 1e-200}, Status.COMPLETED),  # |g|**2 overflows
]


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize(("loss", "grad", "value", "start", "options", "status"), _ENDS)
def test_status_is_that_of_the_formula(loss, grad, value, start, options, status, known):
    given = {"lr": 0.2, "steps": 20} | options
    with np.errstate(all="ignore"):
        one = descend(loss, start=start, **given)
        lr, steps = given.pop("lr"), given.pop("steps")
        two = symgd.descend_with(grad, start, lr, steps, value=value if known else None, **given)
    assert (one.status, two.status) == (status, status)
    if known:
        assert two.steps == one.steps


def test_every_status_is_among_these_ends():
    without_constraints = set(Status) - {Status.INFEASIBLE}
    assert {end[-1] for end in _ENDS} == without_constraints


def test_errors_at_the_start_are_the_callers():
    with pytest.raises(ValueError, match="domain|positive"):
        symgd.descend_with(math.log, -1.0, 0.1, 5)


def test_what_a_gradient_function_raises_later_is_told():
    result = symgd.descend_with(_ROOT[0], 1.0, 10.0, 5)
    assert result.status is Status.NONFINITE
    assert "the gradient function fails (" in result.message
    assert result.theta == {"theta": 1.0}


@pytest.mark.parametrize("size", [1e200, 1e-200, 1e308])
def test_norm_in_a_rule_neither_overflows_nor_vanishes(size):
    """clip_norm makes steps of length 1 of gradients whose squares are no doubles."""
    result = symgd.descend_with(
        lambda v: np.array([0.6, 0.8]) * size, [0.0, 0.0], 1.0, 1,
        rule="clip_norm+gd", set={"max_norm": min(1.0, size)},
    )  # fmt: skip
    moved = np.array(list(result.theta.values())) / min(1.0, size)
    assert moved == pytest.approx([-0.6, -0.8], rel=1e-15)


def test_a_loss_that_is_nan_at_the_last_point_only_ends_the_run():
    """theta is 0.7, 0.4, 0.1 and -0.2, where the loss sqrt(theta) is no number."""

    def value(theta):
        return math.sqrt(theta) if theta >= 0 else math.nan

    for steps, expected in ((2, Status.COMPLETED), (3, Status.NONFINITE)):
        result = symgd.descend_with(lambda theta: 1.0, 0.7, lr=0.3, steps=steps, value=value)
        assert result.status is expected
    assert result.theta["theta"] == pytest.approx(0.1)
    assert result.steps == 2
