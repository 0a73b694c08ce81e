"""What machine code leaves out or begins early: never to be seen in a result."""

import math
import random
import struct

import pytest

import symgd
from symgd import Loss
from symgd.backends.native import array_module, loop_rerolling, register_steps
from symgd.backends.native.dead_store_elimination import arrange
from symgd.descent.native_kernel import NativeKernel

ROSENBROCK = "(1-x)**2+100*(y-x**2)**2"
OSCILLATING = "(x**2+y**2-1)**2+x*y"


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


@pytest.fixture
def wrong(monkeypatch):
    """How often the machine code guessed a step wrongly, call by call; it goes on guessing."""
    seen = []
    monkeypatch.setattr(NativeKernel, "learn", lambda self, share, left: seen.append(share))
    return seen


@pytest.mark.parametrize("rule", ["gd", "momentum", "nesterov", "clip_norm+gd", "gd+box"])
@pytest.mark.parametrize("loss", [ROSENBROCK, OSCILLATING, "sin(3*x)*cos(y) + x**2/9"])
def test_a_step_that_begins_early_gives_the_same_bits(loss, rule, wrong):
    lr = 1e-3 if loss is ROSENBROCK else 0.21
    words = {"set": {"lower": -2.0, "upper": 2.0}} if "box" in rule else {}
    both(loss, rule=rule, lr=lr, steps=3000, start={"x": -0.3, "y": 0.4}, **words)


def test_wrong_guesses_are_made_and_mended(wrong):
    both(OSCILLATING, lr=0.35, steps=4000, start={"x": 0.3, "y": 0.4})
    assert 0.05 < wrong[0] < 1
    both(ROSENBROCK, lr=1e-5, steps=4000, start={"x": -1.2, "y": 1.0})
    assert wrong[1] < 0.01


def test_a_zero_keeps_its_sign_where_the_change_is_too_small_for_a_double():
    """0 - 1e-330 rounds to -0 at once, but to +0 in two steps, 1e-330 being 0 as a double."""
    fast = both("1e-310*sin(x)", lr=1e-20, start=0.0, steps=50)
    assert math.copysign(1, fast.theta["x"]) == 1


def test_guesses_end_where_they_cost_more_than_other_code(monkeypatch):
    monkeypatch.setattr("symgd.descent.native_kernel._COMPILED_NANOSECONDS", 10.0)
    monkeypatch.setattr("symgd.descent.native_kernel._NANOSECONDS", 5000.0)
    made = []
    compiled = NativeKernel._compile
    monkeypatch.setattr(
        NativeKernel, "_compile", lambda self: (made.append(self.guesses), compiled(self))
    )
    both(OSCILLATING, lr=0.35, steps=4000, start={"x": 0.3, "y": 0.4})
    assert made == [True, False]
    made.clear()
    both("theta**2", lr=1e-3, steps=4000)
    assert made == [True]


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
def test_one_question_for_all_numbers_gives_the_same_ending(how, rule):
    both(**({"steps": 40} | how), rule=symgd.Rule(rule) if "=" in rule else rule)


@pytest.mark.parametrize(("rule", "told"), [("gd", True), ("momentum", True), ("rprop", False)])
def test_only_what_a_step_passes_on_is_told_by_it(rule, told, monkeypatch):
    seen = []
    made = register_steps._Loop.__init__

    def spy(self, *words):
        made(self, *words)
        seen.append(self.told)

    monkeypatch.setattr(register_steps._Loop, "__init__", spy)
    symgd.descend("x**4 + (x - y)**2", rule=rule, steps=3, lr=1e-3, backend="native")
    assert seen == [[told, told]]


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
    code = array_module.compile_large(loss.program)
    for _ in range(3):
        x = [source.uniform(-1.5, 1.5) for _ in loss.params]
        expected = loss.evaluate(*x)
        scale = max(1.0, *map(abs, expected))
        for got in (code.evaluate(x), [v for p in [loss.compiled(x)] for v in (p[0], *p[1])]):
            assert got == pytest.approx(expected, rel=1e-12, abs=1e-14 * scale)


def test_terms_are_added_where_they_are_computed_and_slopes_written_where_they_belong():
    """Chained Rosenbrock: the terms of the value stay in registers, 998 slopes go to the output."""
    text = " + ".join(f"100*(x{i + 1}-x{i}**2)**2 + (1-x{i})**2" for i in range(1, 1000))
    layout = loop_rerolling.roll(Loss(text).program)
    arrange(layout)
    loops = [b for b in layout.blocks if isinstance(b, loop_rerolling.Roll) and b.count > 1]
    assert [(b.into and b.into.array, b.total is not None) for b in loops] == [
        ("w", False),
        ("w", False),
        (None, True),
        (None, True),
        ("out", False),
    ]
