"""No sentence of a verdict is refuted by the same run with more steps."""

import pytest

from benchmarks.verdict_grid import IN_BOUNDS, LOSSES, Case, grid
from benchmarks.verdicts import refutations
from symgd import descend

CASES = [case for case in grid() if case.steps <= 100][::23]


@pytest.mark.parametrize("loss", list(LOSSES | IN_BOUNDS))
def test_no_sentence_is_refuted(loss):
    found = {case.name: refutations(case)[1] for case in CASES if case.loss == loss}
    assert len(found) > (5 if loss in LOSSES else 1)
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize(
    ("loss", "rule", "start", "lr", "steps"),
    [
        ("exp(x)-2*x", "adamw", "1.97", 0.0119, 2282),  # its decay moves it away again
        ("abs(x)", "rprop", "0.638", 0.00212, 82),  # at its smallest step
        ("cosh(x-1)+y^2/50", "lion", "3.79", 0.0185, 2099),  # beats
        ("(x-3)^2+10*(y+1)^2", "adopt", "0.75", "0.4/t^2", 239),  # falls on with its rate
        ("x+sin(x)/2", "gd+averaging", "2.69", 0.002, 116),  # reports another point
    ],
)
def test_no_sentence_is_refuted_off_the_grid(loss, rule, start, lr, steps):
    case = Case(loss, LOSSES[loss][0], {"start": start, "lr": lr, "rule": rule}, steps)
    assert refutations(case)[1] == []


def test_a_small_rate_is_no_fixed_point():
    """Steps of one length go on for ever, however short."""
    run = descend("exp(x)-2*x", start=2.0, lr=1e-6, rule="signsgd", steps=50, advise=False)
    assert "fixed point" not in run.verdict.sentence
