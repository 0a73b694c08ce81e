"""What machine code leaves out: never to be seen in a result."""

import random
import struct

import pytest

import symgd
from symgd import Loss
from symgd.backends.native import array_module, loop_rerolling
from symgd.backends.native.dead_store_elimination import eliminate_dead_stores
from tests.backends.test_native import assert_right


def bits(numbers):
    return [struct.pack("d", v) for v in numbers]


def trace(result):
    return bits(result.history.theta.ravel()) + bits(result.history.loss)


def both(loss, **how):
    slow, fast = (symgd.descend(loss, backend=b, **how) for b in ("lambdify", "native"))
    assert (fast.status, fast.message, fast.steps) == (slow.status, slow.message, slow.steps)
    assert trace(fast) == trace(slow)
    assert bits(fast.theta.values()) == bits(slow.theta.values())
    return fast


@pytest.mark.parametrize("rule", ["gd", "momentum", "adam", "theta = theta - lr*sign(g)", "rprop"])
@pytest.mark.parametrize(
    "how",
    [
        {"loss": "sqrt(x)", "start": 0.0},  # an infinite slope at a finite loss
        {"loss": "sqrt(|x - 1|) + y**2", "start": {"x": 1.0, "y": 3.0}},
        {"loss": "1e200*x**2", "start": 1e50, "lr": 1e-3},
        {"loss": "x*1e308 + y", "start": 1.0, "lr": 10.0},
        {"loss": "log(x) + y", "start": {"x": 0.0, "y": 1.0}},
        {"loss": "x**2 + y**2", "lr": 1e-300, "start": 1.0, "tol": 0.0},
    ],
    ids=lambda how: how["loss"],
)
def test_endings_at_numbers_that_are_not_finite_are_the_same(how, rule):
    both(**({"steps": 40} | how), rule=symgd.Rule(rule) if "=" in rule else rule)


SUMS = {
    "a term is an output too": "w*(" + " + ".join(f"(x{i}-{i})**2" for i in range(1, 41)) + ")",
    "two sums of the same terms": " + ".join(f"x{i}**2" for i in range(1, 41))
    + " + exp(-("
    + " + ".join(f"x{i}**2" for i in range(1, 41))
    + "))",
    "terms taken away": " - ".join(f"sin({i}*x{i})" for i in range(1, 41)),
    "terms of two kinds in turn": " + ".join(
        f"cos(x{i})" if i % 2 else f"x{i}*x{i - 1}" for i in range(2, 60)
    ),
    "one slope for two": " + ".join(f"(x{i} + y{i})**2" for i in range(1, 41)),
    "few of many": " + ".join(f"exp(x{i}*x{i + 1})" for i in range(1, 40)) + " + x1*x7*x9",
    "a sum of sums": "*".join(
        "(" + " + ".join(f"x{i}**2/{k}" for i in range(k, k + 20)) + ")" for k in range(1, 8)
    ),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_large_formula_stores_what_is_read(name):
    """Its numbers are those of Python, whoever reads them and wherever they go."""
    loss, source = Loss(SUMS[name]), random.Random(name)
    code = array_module.compile_arrays(loss.program)
    for _ in range(3):
        x = [source.uniform(-1.5, 1.5) for _ in loss.params]
        expected = loss.internals.evaluate(*x)
        scale = max(1.0, *map(abs, expected))
        for got in (code.evaluate(x), [v for p in [loss.compiled(x)] for v in (p[0], *p[1])]):
            assert got == pytest.approx(expected, rel=1e-12, abs=1e-14 * scale)
    assert_right(loss, x, got)


def test_terms_are_added_where_they_are_computed_and_slopes_written_where_they_belong():
    """Chained Rosenbrock: the terms of the value stay in registers, 998 slopes go to the output."""
    text = " + ".join(f"100*(x{i + 1}-x{i}**2)**2 + (1-x{i})**2" for i in range(1, 1000))
    layout = loop_rerolling.reroll(Loss(text).program)
    eliminate_dead_stores(layout)
    loops = [b for b in layout.blocks if isinstance(b, loop_rerolling.Rerolled) and b.count > 1]
    assert [(b.into and b.into.array, b.total is not None) for b in loops] == [
        ("w", False),
        ("w", False),
        (None, True),
        (None, True),
        ("out", False),
    ]
