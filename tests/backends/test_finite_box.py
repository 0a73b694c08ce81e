"""Inside the box every number of the next steps is finite: tried with Python's own floats."""

import itertools
import math
import random

import pytest

from symgd.backends.lambdified import compile_scalar
from symgd.backends.native.finite_box import finite_box, widened
from symgd.descent.step_program import step_program
from symgd.model.arguments import read_arguments, resolve
from symgd.model.loss import Loss

STEPS = 4
RATES = (1e-3, 0.7)


def box_of(text, rule="gd"):
    """The radius, the program of a step, how many numbers move, the values of hyperparameters."""
    loss = Loss(text)
    arguments = read_arguments(0.1, 10, rule, None, None)
    values = resolve(arguments)
    program = step_program(loss, arguments.rule, arguments.schedule, list(values))
    moving = len(loss.params) * (1 + len(arguments.rule.state))
    ends = [(1.0, 16.0), RATES, *(widened(v, v) for v in values.values())]
    others = dict(zip(program.inputs[moving:], ends, strict=True))
    return finite_box(program, moving, others, STEPS), program, moving, list(values.values())


@pytest.mark.parametrize("rule", ["gd", "momentum", "nesterov"])
@pytest.mark.parametrize(
    "text",
    [
        "theta**2",
        "(1-x)**2 + 100*(y-x**2)**2",
        "x**4 - 3*x**3 + x*y",
        "sin(x)*cos(y) + tanh(x*y)",
        "log(1 + x**2) + atan(y)**2",
        "sqrt(1 + x**2) + 1/(2 + y**2)",
        "softplus(x) + sigmoid(y) + logcosh(x*y)",
        "abs(x) + relu(y) + max(x, y**2)",
        "exp(-x**2) + exp(sin(y))",
    ],
)
def test_steps_from_inside_stay_finite(text, rule):
    """Corners, edges and random points; every output of every step."""
    radius, program, moving, values = box_of(text, rule)
    assert radius > 0
    step = compile_scalar(program)
    rng = random.Random(f"{text} {rule}")
    corners = list(itertools.product((-radius, 0.0, radius), repeat=moving))
    points = corners[:200] + [
        tuple(rng.choice((-1, 1)) * radius * 10.0 ** -rng.uniform(0, 3) for _ in range(moving))
        for _ in range(200)
    ]
    names = list(program.outputs)
    for point in points:
        for rate in RATES:
            now = point
            for t in range(1, STEPS + 1):
                out = step(*now, float(t), rate, *values)
                told = {n: v for n, v in zip(names, out, strict=True) if n != "|g|"}
                assert all(map(math.isfinite, told.values())), (point, rate, t, told)
                now = tuple(out[:moving])


@pytest.mark.parametrize(
    "text",
    ["log(x)", "sqrt(x)", "1/x", "asin(x)", "x**1.5", "tan(x)", "gamma(x)", "exp(exp(exp(x**8)))"],
)
def test_what_may_fail_anywhere_has_no_box(text):
    """Not defined, or infinite, somewhere near the origin: nothing is proved."""
    assert box_of(text)[0] == 0 or text.startswith("exp")


def test_boxes_are_as_large_as_useful():
    """A quadratic cannot overflow in four steps from far out; a quartic can from less far."""
    quadratic, quartic = box_of("theta**2")[0], box_of("theta**4")[0]
    assert quadratic >= 2.0**100
    assert 1 <= quartic < 2.0**100


@pytest.mark.parametrize(
    ("ends", "wide"),
    [
        ((0.3, 0.3), (0.25, 0.5)),
        ((1.0, 1.0), (1.0, 1.0)),
        ((-0.3, 5.0), (-0.5, 8.0)),
        ((-3.0, -0.3), (-4.0, -0.25)),
        ((0.0, 0.0), (0.0, 0.0)),
        ((1.0, 1.7e308), (1.0, math.inf)),
    ],
)
def test_ranges_are_moved_outward_to_powers_of_two(ends, wide):
    """Both ends, or zero."""
    assert widened(*ends) == wide
