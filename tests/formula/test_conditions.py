"""Conditions joined by and, or, not: how they read, what is refused, and every backend's values.

The oracle is Python's own and, or, not and comparisons, which have the same precedence.
"""

import itertools
import json
import math

import numpy as np
import pytest

import symgd
from symgd import FormulaError, Loss
from symgd.backends import javascript
from symgd.backends.native.array_module import compile_arrays
from symgd.backends.numpy_points import compile_points
from symgd.formula.parse import parse
from symgd.formula.printing.plain import write

# in words that Python reads as well
CONDITIONS = [
    "x > 0",
    "x > 0 and y > 0",
    "x > 0 or y > 0 and x < 1",
    "(x > 0 or y > 0) and x < 1",
    "not x > 0",
    "not x > 0 and y > 0",
    "not (x > 0 and y > 0)",
    "not x > 0 or not y > 0",
    "not not x > 0",
    "not (not (x > 0) or y == 1)",
    "((x > 0))",
    "(x) > 0 and (y) > 0",
    "((x + 1)*2 > 3)",
    "(x + 1)**2 > 1 and -(x) < 3",
    "x + (y) > 0 or (y) + x <= 0",
    "x != y and x*y >= 0 and y <= 1 and x < 9",
    "x > 5 or y > 5 or x == y or x < -5",
    "not log(x) > 0",
    "log(x) < 0 or log(y) < 0",
    "not (2 > 1) or x > 0",
    "2 > 1 and x > 0",
]
POINTS = list(itertools.product((-1.0, 0.0, 0.5, 2.0), (-1.0, 0.5, 1.0, 3.0)))


def _log(v):
    return math.log(v) if v > 0 else -math.inf if v == 0 else math.nan


def holds(condition, x, y):
    return eval(condition, {"log": _log, "x": x, "y": y})


def formula(condition):
    return f"where({condition}, x*y, x - y**2)"


def expected(condition, x, y):
    """Value and gradient of the branch that Python takes."""
    return [x * y, y, x] if holds(condition, x, y) else [x - y**2, 1.0, -2 * y]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_conditions_read_as_in_python_and_can_be_typed_again(condition):
    loss = Loss(formula(condition))
    again = Loss(write(loss.internals.root))
    slopes = [Loss(text + " + 0*(x + y)") for text in loss.gradient_text().values()]
    for x, y in POINTS:
        value, *gradient = expected(condition, x, y)
        assert loss.value([x, y]) == value
        assert loss.internals.evaluate(x, y) == again.internals.evaluate(x, y) == [value, *gradient]
        assert [slope.internals.evaluate_value(x, y)[0] for slope in slopes] == gradient


@pytest.mark.parametrize("condition", CONDITIONS)
def test_machine_code_and_arrays_take_the_same_branch(condition):
    loss = Loss(formula(condition))
    code = compile_arrays(loss.program)
    right = [expected(condition, x, y) for x, y in POINTS]
    assert [code.at(*p) for p in POINTS] == right
    values = compile_points(loss.internals.value_program)(np.array(POINTS))
    assert values.tolist() == [value for value, *_ in right]


@pytest.mark.parametrize("condition", CONDITIONS)
def test_rows_and_lanes_take_the_same_branch(condition):
    x, y = np.array(POINTS).T
    right = np.array([expected(condition, *p) for p in POINTS])
    loss = Loss(f"sum(where({condition}, a*x*y, a*(x - y**2)))", {"x": x, "y": y})
    for backend in ("lambdify", "native"):
        value, slope = loss.internals.on(backend).evaluate(2.0)
        assert (value, slope) == (2 * right[:, 0].sum(), right[:, 0].sum())
    ends = symgd.sweep(formula(condition), start=np.array(POINTS), lr=0.5, steps=1).theta
    assert ends.tolist() == (np.array(POINTS) - 0.5 * right[:, 1:]).tolist()


def test_javascript_takes_the_same_branch(browser):
    programs = [Loss(formula(c)).program for c in CONDITIONS]
    functions = [javascript.function(program) for program in programs]
    source = f"""(() => {{ {javascript.library(functions)}
        const functions = [{",".join(functions)}];
        return JSON.stringify(functions.map(f => {json.dumps(POINTS)}.map(p => f(...p)))); }})()"""
    answer = browser.call("Runtime.evaluate", expression=source)
    right = [[expected(c, x, y) for x, y in POINTS] for c in CONDITIONS]
    assert json.loads(answer["result"]["value"]) == right


def test_conditions_are_joined_in_rules_and_schedules():
    # t = 1, 2, 3, 4: lr = 0.5, 0, 0.5, 0.5; the rule steps by 1 where t is not 3
    end = symgd.descend(
        "x", start=0.0, steps=4,
        rule="theta = theta - lr*where(not (t > 2 and t < 4), 1, 0)",
        lr="where(t < 2 or t > 2.5, 0.5, 0)",
    )  # fmt: skip
    assert end.history.theta[:, 0].tolist() == [0, -0.5, -0.5, -0.5, -1.0]


def test_conditions_may_hold_sums_over_rows():
    loss = Loss("where(mean(x) > 1 and not sum(x) > 10, a*sum(x), -a)", {"x": [1.0, 3.0]})
    assert loss.internals.evaluate(2.0) == [8.0, 4.0]


@pytest.mark.parametrize("backend", ["lambdify", "native"])
@pytest.mark.parametrize("words", ["or", "and", "or not", "and not"])
def test_a_condition_of_parameters_is_joined_to_one_of_rows(backend, words):
    # what does not vary from row to row is known before the loop over the rows
    u = [-1.0, 2.0]
    loss = Loss(f"sum(where(u > 0 {words} a > 1, a*u, -u))", {"u": u})
    inner = loss.internals.on(backend)
    for a in (0.5, 3.0):
        right = [a * v if eval(f"v > 0 {words} a > 1", {"v": v, "a": a}) else -v for v in u]
        assert inner.evaluate(a)[0] == sum(right)


def test_a_condition_that_came_through_the_slow_reference_is_joined_over_rows():
    # the slope of a**h asks whether a and h are 0; log(a) is nan there, so that the block before
    # the loop is evaluated by the reference. By hand: (-1.5)^2, (-1.5)^4 and h*(-1.5)^(h - 1)
    loss = Loss("mean(a**(b*u))", {"u": [1.0, 2.0]})
    inner = loss.internals.on("lambdify")
    value, slope, other = inner.evaluate(-1.5, 2.0)
    assert (value, slope) == (3.65625, -8.25)
    assert math.isnan(other)


def test_a_long_chain_is_not_nested():
    text = "where(" + " and ".join(f"x > {-k}" for k in range(2000)) + ", 1, 2)*x"
    assert Loss(text).internals.evaluate(0.5) == [0.5, 1.0]


REFUSED = [
    ("x and y", 2, "'and' stands only inside where(...), in its condition"),
    ("not x", 0, "'not' stands only inside where(...)"),
    ("x > 0 and y > 0", 2, "a comparison stands only inside where(...)"),
    ("and", 0, "'and' stands only"),
    ("f(not)", 0, "'f' is not a function"),
    ("sin(x or y)", 6, "'or' stands only"),
    ("sin(x > 0)", 6, "a comparison stands only"),
    ("where(x > 0, 1 and 2, 3)", 15, "'and' stands only"),
    ("where(x and y > 0, 1, 2)", 8, "a condition needs a comparison"),
    ("where(x > 0 and, 1, 2)", 15, "'and' needs a condition after it"),
    ("where(x > 0 and or y > 0, 1, 2)", 16, "'and' needs a condition after it"),
    ("where(x > 0 and (y), 1, 2)", 19, "a condition needs a comparison"),
    ("where(not x, 1, 2)", 11, "a condition needs a comparison"),
    ("where(not, 1, 2)", 9, "'not' needs a condition after it"),
    ("where(x > not y, 1, 2)", 10, "'not' stands only"),
    ("where((x and y) > 0, 1, 2)", 9, "a condition needs a comparison"),
    ("where((x > 0) + 1, 1, 2)", 14, "a condition is no number"),
    ("where((x > 0)^2, 1, 2)", 13, "a condition is no number"),
    ("where((x > 0)(y > 0), 1, 2)", 13, "a condition is no number"),
    ("where((x > 0) < 2, 1, 2)", 14, "a condition is no number"),
    ("where(-(x > 0), 1, 2)", 10, "a comparison stands only"),
    ("where(2*(x > 0) > 1, 1, 2)", 11, "a comparison stands only"),
    ("where(x > (y < 1), 1, 2)", 13, "a comparison stands only"),
    ("where(0 < x < 1, 1, 2)", 12, "join two with and: a < x and x < b"),
    ("where(0 < x < 1 and y > 0, 1, 2)", 12, "one comparison per condition"),
    ("where((x > 0, 1, 2)", 12, "a comma stands only"),
    ("where(x > 0 & y > 0, 1, 2)", 12, "write and between two conditions"),
    ("where(~(x > 0), 1, 2)", 6, "not before a condition"),
    ("where(x > 0 not y > 0, 1, 2)", 12, "'not' stands only"),
    ("where(" + "not " * 300 + "x > 0, 1, 2)", 806, "too many 'not' in a row"),
    ("where(" + "(" * 300 + "x > 0", 205, "nested too deeply"),
    ("where(x > 0 and y > 0)", 0, "where takes 3 arguments"),
]


@pytest.mark.parametrize(("text", "column", "piece"), REFUSED, ids=[r[0][:40] for r in REFUSED])
def test_mistake_in_a_condition_is_refused_at_its_place(text, column, piece):
    with pytest.raises(FormulaError) as caught:
        parse(text)
    assert piece in str(caught.value)
    assert caught.value.column == column


@pytest.mark.parametrize("depth", [50, 190])
def test_nested_parentheses_of_the_default_depth_are_read(depth):
    assert Loss(f"where({'(' * depth}x > 0{')' * depth}, x, 1)").value([2.0]) == 2.0
