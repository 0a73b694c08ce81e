"""Inside the box loss and gradient are finite: tried with Python's own floats."""

import itertools
import math
import random

import pytest

from symgd.backends.lambdified import compile_scalar
from symgd.backends.native.finite_box import finite_box
from symgd.descent.step_program import step_program
from symgd.model.arguments import read_arguments
from symgd.model.loss import Loss


def box_of(text):
    """The largest |theta|, and the loss."""
    loss = Loss(text)
    arguments = read_arguments(0.1, 10, "gd", None, None)
    program = step_program(loss, arguments.rule, arguments.schedule, [])
    return finite_box(program, len(loss.params)), loss


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
        "asin(x)",
        "exp(exp(exp(x**8)))",
    ],
)
def test_everything_inside_is_finite(text):
    """Corners, edges and random points; every assignment of the program."""
    box, loss = box_of(text)
    assert box > 0
    compute = compile_scalar(loss.program)
    rng = random.Random(text)
    corners = list(itertools.product((-box, 0.0, box), repeat=len(loss.params)))
    points = corners + [
        tuple(rng.choice((-1, 1)) * box * 10.0 ** -rng.uniform(0, 3) for _ in loss.params)
        for _ in range(400)
    ]
    for point in points:
        assert all(map(math.isfinite, compute(*point))), point


@pytest.mark.parametrize("text", ["log(x)", "sqrt(x)", "1/x", "x**1.5", "tan(x)", "gamma(x)"])
def test_what_may_fail_anywhere_has_no_box(text):
    """Not defined, or infinite, somewhere near the origin: nothing is proved."""
    assert box_of(text)[0] == 0


def test_boxes_are_as_large_as_useful():
    """theta**2 overflows beyond 2**512, theta**4 beyond 2**256, exp(theta) beyond 709.8."""
    boxes = [box_of(text)[0] for text in ("theta**2", "theta**4", "exp(theta)")]
    assert 2.0**390 <= boxes[0] < 2.0**512
    assert 2.0**230 <= boxes[1] < 2.0**256
    assert boxes[2] == 2.0**9
