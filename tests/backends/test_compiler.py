"""What becomes of a graph: short expressions, no work that a branch does not ask for."""

import math

import pytest
import sympy

import symgd
from symgd import Loss
from symgd.backends.compiler import compile_program
from symgd.backends.lambdified import compile_scalar
from symgd.formula.graph import Graph
from symgd.formula.nodes import Column, Name, RowSum, Where


def test_deep_formulas_become_expressions_that_python_reads():
    graph, x = Graph(), Name("p0")
    node, expected = graph.atom(x), 0.5
    for _ in range(1000):  # as one expression: too many nested parentheses for Python's parser
        node, expected = graph.node(sympy.sin, node), math.sin(expected)
    program = compile_program([x], {"value": node})
    assert compile_scalar(program)(0.5) == [expected]


def test_long_sums_become_expressions_that_python_reads():
    graph, x = Graph(), Name("p0")
    terms = [graph.node(sympy.Mul, graph.number(float(k)), graph.atom(x)) for k in range(2, 20_002)]
    program = compile_program([x], {"value": graph.node(sympy.Add, *terms)})
    assert compile_scalar(program)(1.0) == [float(sum(range(2, 20_002)))]


@pytest.mark.parametrize("text", ["where(x > 0, sqrt(x) + y*sqrt(x), y)", "where(x > 0, 1/x, y)"])
def test_what_only_a_branch_needs_is_evaluated_there_alone(text):
    """math.sqrt(-1) and 1/0 would raise, and leave the point to the slow reference."""
    program = Loss(text).internals.value_program
    assert compile_scalar(program)(0.0 if "1/x" in text else -1.0, 3.0) == [3.0]


def test_a_folded_factor_of_one_costs_nothing():
    assert (
        Loss("2*0.5*x*y").internals.value_program.operations
        == Loss("x*y").internals.value_program.operations
        == 1
    )


def test_constants_whose_product_overflows_stay_apart():
    # by hand: d/dy of 1e200*x * 1e200*y is 1e200*x*1e200, at x = 1e-300 about 1e100
    slopes = Loss("(1e200*x)*(1e200*y)").internals.evaluate(1e-300, 1.0)[1:]
    assert slopes[1] == pytest.approx(1e100, rel=1e-15)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_guard_asks_outer_conditions_first_wherever_they_lie_in_memory(sign):
    graph, x, a = Graph(), Column("x", "x"), Name("a")
    above = [graph.node(sympy.StrictGreaterThan, graph.atom(a), graph.number(k)) for k in (1, 2, 3)]
    above.sort(key=lambda condition: sign * id(condition))
    root = graph.node(sympy.log, graph.atom(x))
    term = graph.node(sympy.Mul, root, graph.node(sympy.sin, root))
    for condition in reversed(above):  # known before the loop over the rows begins
        term = graph.node(Where, condition, term, graph.atom(x))
    program = compile_program([a], {"f": graph.node(RowSum, term)})
    assert "= log(x) if t0 and t1 and t2\n" in str(program)


@pytest.mark.parametrize("backend", ["lambdify", "native"])
@pytest.mark.parametrize("rule", ["gd", "momentum", "adam"])
def test_a_step_is_made_of_the_slope_that_is_told(rule, backend):
    """lr*g with g = 1/(x - 2) rounded, not lr/(x - 2): else pages and callbacks would differ."""
    x, v, m, s, path = 3.0, 0.0, 0.0, 0.0, [3.0]
    for t in range(1, 4):
        g = 1 / (x - 2)
        v, m, s = 0.9 * v + g, 0.9 * m + (1 - 0.9) * g, 0.999 * s + (1 - 0.999) * g * g
        adam = m / (1 - 0.9**t) / (math.sqrt(s / (1 - 0.999**t)) + 1e-8)
        x -= 0.03 * {"gd": g, "momentum": v}.get(rule, adam)
        path.append(x)
    found = symgd.descend("log(x - 2)", start=3, lr=0.03, rule=rule, steps=3, backend=backend)
    near = 0 if rule != "adam" else 1e-15
    assert found.history.theta[:, 0].tolist() == pytest.approx(path, rel=near, abs=0)
