"""Programs that read guarded symbols under their guards are proved, all others refused."""

import pytest
import sympy

from symgd import Loss
from symgd.backends.program import Loop, Program, StraightLine
from symgd.formula.graph import Graph
from symgd.formula.nodes import Both, Column, Either, Name, Negated, Where
from tests.backends.check_program import check_program


def branch(build, reader):
    """A program: t0 = where(guard, 1/x, 0), and an output that reads it. Both are built here."""
    graph = Graph()
    x, p, q = (graph.atom(Name(name)) for name in "xpq")
    conditions = [graph.node(sympy.StrictGreaterThan, c, graph.number(0.0)) for c in (p, q)]
    t0, t1, t2 = (graph.atom(Name(f"t{k}")) for k in range(3))
    inverse = graph.node(sympy.Pow, x, graph.number(-1.0))
    zero = graph.number(0.0)
    guard = build(graph, *conditions)
    lines = [(t0, graph.node(Where, guard, inverse, zero))]
    lines.append((t1, graph.node(sympy.Add, reader(graph, *conditions, t0, x), x)))
    return Program((x, p, q), (StraightLine(tuple(lines)),), {"f": t1}, frozenset({t0}))


def both(graph, p, q):
    return graph.node(Both, p, q)


def neither(graph, p, q):
    return graph.node(Negated, graph.node(Either, p, q))


def either(graph, p, q):
    return graph.node(Either, p, q)


def only_p(graph, p, q):
    return p


def in_both(graph, p, q, t, x):
    return graph.node(Where, p, graph.node(Where, q, t, x), x)


def in_neither(graph, p, q, t, x):
    return graph.node(Where, p, x, graph.node(Where, q, x, t))


def in_p(graph, p, q, t, x):
    return graph.node(Where, p, t, x)


def in_either(graph, p, q, t, x):
    return graph.node(Where, graph.node(Either, p, q), t, x)


def in_not_p(graph, p, q, t, x):
    return graph.node(Where, p, x, t)


def in_a_condition(graph, p, q, t, x):
    positive = graph.node(sympy.StrictGreaterThan, t, x)
    return graph.node(Where, graph.node(Both, p, positive), x, x)


def anywhere(graph, p, q, t, x):
    return t


@pytest.mark.parametrize(
    ("build", "reader"),
    [
        (both, in_both),
        (neither, in_neither),
        (either, in_either),
        (only_p, in_p),
        (only_p, in_both),
        (only_p, in_a_condition),
    ],
)
def test_reads_under_the_guard_are_proved(build, reader):
    program = branch(build, reader)
    assert check_program(program) is program


@pytest.mark.parametrize(
    ("build", "reader"),
    [
        (only_p, anywhere),
        (only_p, in_not_p),
        (only_p, in_either),
        (both, in_p),
        (both, in_either),
        (neither, in_not_p),
        (neither, in_a_condition),
    ],
)
def test_reads_outside_the_guard_are_refused(build, reader):
    with pytest.raises(AssertionError, match="outside its guard"):
        check_program(branch(build, reader))


def test_what_reads_a_guarded_symbol_is_right_only_under_its_guard():
    graph = Graph()
    x, p, c = graph.atom(Name("x")), graph.atom(Name("p")), graph.atom(Column("c", "c"))
    t0, t1, t2, total = (graph.atom(Name(f"t{k}")) for k in range(4))
    zero = graph.number(0.0)
    above = graph.node(sympy.StrictGreaterThan, p, zero)
    lines = (
        (t0, above),
        (t1, graph.node(Where, t0, graph.node(sympy.log, x), zero)),
        (t2, graph.node(sympy.Add, t1, c)),  # not guarded, but right only where t1 is
    )
    for term, right in ((graph.node(Where, t0, t2, c), True), (t2, False)):
        loop = Loop((c,), lines, ((total, term),))
        program = Program((x, p), (loop,), {"f": total}, frozenset({t1}))
        if right:
            check_program(program)
        else:
            with pytest.raises(AssertionError, match="outside its guard"):
                check_program(program)


def test_every_program_that_the_tests_compile_is_proved(monkeypatch):
    seen = []
    monkeypatch.setattr("tests.conftest.check_program", lambda program: seen.append(program))
    Loss("where(x > 0, log(x) + sqrt(log(x)), x)").program  # noqa: B018
    assert len(seen) == 1
    assert seen[0].guarded
