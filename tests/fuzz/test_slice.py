"""A slice of the fuzzer with fixed seeds, and the fuzzer on planted faults."""

from collections import Counter
from dataclasses import replace

import pytest

import symgd
from symgd.formula.functions.table import BY_CLASS, FUNCTIONS
from tests.grids import every
from tests.hang_guard import HUNG

from . import checks, rules
from .case import Case, draw
from .compare import BOUND, compare
from .floats import evaluate as in_floats
from .oracle import Point, evaluate, rounding_spread
from .run import CHECKS, run
from .shrink import shrink
from .text import write
from .tree import call, name, nodes, num, size

x, y = name("x"), name("y")

# The slice


@pytest.mark.parametrize("seed", every(3, range(101, 107)))
def test_random_formulas_agree_with_the_oracles(seed):
    """240 formulas of a seed by every check, 5 s; longer runs: python -m tests.fuzz --seed 1."""
    report = run(seed, count=240)
    assert not report.faults, "\n\n".join(map(str, report.faults))
    assert {item.name for item in CHECKS} == set(report.ran)


def test_every_function_of_the_table_is_drawn():
    drawn = {node.op for k in range(4000) for node in nodes(draw(1, k).tree)}
    assert set(FUNCTIONS) <= drawn


# The oracles, on numbers worked by hand


@pytest.mark.parametrize(
    ("tree", "at", "numbers"),
    [
        (call("*", call("*", x, x), call("*", x, y)), (2, 3), (24, 36, 8, 36, 12, 0)),
        (call("exp", call("*", x, y)), (0, 2), (1, 2, 0, 4, 1, 0)),
        (call("/", x, y), (3, 2), (1.5, 0.5, -0.75, 0, -0.25, 0.75)),
        (call("max", x, y), (1, 1), (1, 0.5, 0.5, 0, 0, 0)),
        (call("huber", x, y), (3, 2), (4, 2, 1, 0, 1, -1)),
        (call("**", x, y), (1, 0), (1, 0, 0, 0, 1, 0)),
        (call("atan2", x, y), (1, 1), (0.7853981633974483, 0.5, -0.5, -0.5, 0, 0.5)),
        (call("clip", x, y, num(3.0)), (1, 1), (1, 1, 0, 0, 0, 0)),
    ],
)  # fmt: skip
def test_oracle_worked_by_hand(tree, at, numbers):
    found = evaluate(tree, Point(dict(zip("xy", at, strict=True))))
    assert [float(n) for n in found.numbers] == pytest.approx(numbers, rel=1e-15)
    assert in_floats(tree, Point(dict(zip("xy", at, strict=True)))) == pytest.approx(numbers[0])


def test_oracle_does_not_look_at_the_other_branch():
    tree = call("where", call(">", x, num(0.0)), call("log", x), num(3.0))
    assert [float(n) for n in evaluate(tree, Point({"x": -1.0})).numbers] == [3, 0, 0]


def test_oracle_claims_nothing_at_poles():
    root = evaluate(call("sqrt", x), Point({"x": 0.0}))
    assert (root.order, root.reason) == (0, "pole")
    assert evaluate(call("/", num(1.0), x), Point({"x": 0.0})).order == -1
    assert evaluate(call("log", x), Point({"x": -1.0})).reason == "nan"


def test_path_of_a_rule_worked_by_hand():
    """theta**2 from 1 with lr = 0.2: every step multiplies by 0.6."""
    line = ("theta", call("-", name("theta"), call("*", name("lr"), name("g"))))
    path = rules.path(call("**", x, num(2.0)), Point({"x": 1.0}), rules.Descent((line,), num(0.2)))
    assert [float(row[0]) for row in path] == pytest.approx([0.6**t for t in range(6)], rel=1e-15)


def test_spread_is_the_condition_number_times_a_rounding():
    """x - y at neighbors loses what the exponentials round: about 2**-53*exp(1)."""
    tree = call("-", call("exp", x), call("exp", y))
    point = Point({"x": 1.0, "y": 1.0 + 1e-12})
    spread = rounding_spread(tree, point, evaluate(tree, point))
    assert 2.0**-53 * 2.7 < spread[0] < 2.0**-53 * 6
    assert BOUND * spread[0] < 1e-12


# Planted faults


def plant(monkeypatch, function, **wrong):
    row = FUNCTIONS[function]
    monkeypatch.setitem(BY_CLASS, row.node, replace(row, **wrong))


def test_wrong_derivative_is_found_and_shrunk(monkeypatch):
    plant(monkeypatch, "tan", derivative=("1 + f",))
    due = [item for item in CHECKS if item.name == "numbers"]
    report = run(1, count=200, due=due, shrinking=HUNG)
    assert report.faults
    smallest = min(report.faults, key=lambda fault: size(fault.smallest.tree)).smallest
    assert smallest.text in {f"tan({n})" for n in smallest.point.params}
    assert any("tan" in fault.case.text for fault in report.faults)


def test_slightly_wrong_derivative_is_found(monkeypatch):
    """A relative error of 1e-10: far below what looking at a plot would show."""
    plant(monkeypatch, "log1p", derivative=("1.0000000001/(1 + x)",))
    case = Case(call("log1p", call("*", x, y)), Point({"x": 0.5, "y": 0.25}), "log1p(x*y)")
    found = checks.numbers(case, Counter())
    assert found is not None
    assert found.what == "d/dx"


def test_wrong_number_is_shrunk_to_its_formula():
    """A check that takes exp(x)*sin(x) for wrong wherever sin stands in a formula."""
    case = draw(1, 1)
    tree = call("+", call("*", call("exp", x), call("sin", x)), call("**", y, num(2.5)))

    def check(case, tally):
        off = 1.0 if "sin" in case.text else 0.0
        numbers = [float(n) for n in case.answer.numbers]
        return compare("planted", case, [numbers[0] + off, *numbers[1:]], tally)

    case = Case(tree, Point({"x": 0.3, "y": 1.7}), write(tree), "1:1")
    smallest, found = shrink(case, check, HUNG)
    assert smallest.text in ("sin(x)", "sin(y)")
    assert found is not None
    assert found.check == "planted"


def test_cancellation_is_no_fault():
    """(1 + x) - 1 at 1e-12 is off by 1e-4: that is its conditioning."""
    tree = call("-", call("+", num(1.0), x), num(1.0))
    case = Case(tree, Point({"x": 1e-12}), write(tree))
    tally = Counter()
    assert compare("planted", case, [1.000088900582341e-12, 1.0, 0.0], tally) is None
    assert tally == {"agree": 2, "conditioning": 1}
    assert compare("planted", case, [1.1e-12, 1.0, 0.0], Counter()) is not None


def test_reciprocals_shared_between_branches():
    """Before the guards were mended, the first was (3.0, [-0.0])."""
    text = "where(x > 0, 1/(x*x+1)+sqrt(1/(x*x+1)), 3) + 5/(x*x+1)"
    value, grad = symgd.Loss(text).value_and_grad([-1.0])
    assert (value, grad.tolist()) == (5.5, [2.5])
    assert symgd.Loss("1/where(x >= 0, x, 0.5)*x**2").hess([-0.5]).tolist() == [[4.0]]
