"""The proof that nothing reads a guarded result outside its guard refuses what it must refuse."""

import pytest

from symgd import Loss
from symgd.backends.operations import Operation
from symgd.backends.program import Load, Nest, Program, Store, StraightLine
from symgd.formula.indices import ROW, Affine
from symgd.formula.nodes import Column, Name
from tests.backends.check_program import check_program

P, Q, NOT_P = ("t0", True), ("t1", True), ("t0", False)


def branch(guard, *reader):
    """A program: t2 = 1/x under the guard, then the reader, whose last result is the output."""
    body = (
        Operation("t0", ">", ("p", 0.0)),
        Operation("t1", ">", ("q", 0.0)),
        Operation("t2", "div", (1.0, "x"), guard),
        *reader,
    )
    inputs = tuple(Name(name) for name in "xpq")
    return Program(inputs, (StraightLine(body),), {"f": reader[-1].result})


def select(result, condition, a, b, guard=()):
    return Operation(result, "select", (condition, a, b), guard)


IN_P, IN_NOT_P = [select("t9", "t0", "t2", "x")], [select("t9", "t0", "x", "t2")]
IN_BOTH = [select("t8", "t1", "t2", "x", (P,)), select("t9", "t0", "t8", "x")]
SQUARE = [Operation("t8", "square", ("t2",), (P,)), select("t9", "t0", "t8", "x")]
UNGUARDED = [Operation("t8", "square", ("t2",)), select("t9", "t0", "t8", "x")]
IN_EITHER = [Operation("t8", "or", ("t0", "t1")), select("t9", "t8", "t2", "x")]
ANYWHERE = [Operation("t9", "add", ("t2", "x"))]


@pytest.mark.parametrize(
    ("guard", "reader"),
    [((P,), IN_P), ((NOT_P,), IN_NOT_P), ((P, Q), IN_BOTH), ((P,), IN_BOTH), ((P,), SQUARE)],
)
def test_reads_under_the_guard_are_proved(guard, reader):
    program = branch(guard, *reader)
    assert check_program(program) is program


@pytest.mark.parametrize(
    ("guard", "reader"),
    [
        ((P,), IN_NOT_P),
        ((NOT_P,), IN_P),
        ((P, Q), IN_P),
        ((P,), IN_EITHER),
        ((P,), ANYWHERE),
        ((P,), UNGUARDED),
        ((P, Q), SQUARE),
    ],
)
def test_reads_outside_the_guard_are_refused(guard, reader):
    with pytest.raises(AssertionError, match="outside its guard"):
        check_program(branch(guard, *reader))


def test_a_sum_over_rows_reads_its_term_always():
    body = (
        Operation("t0", ">", ("p", 0.0)),
        Operation("t1", "log", ("x",), (P,)),
        Operation("t2", "add", ("t1", "c"), (P,)),
        select("t3", "t0", "t2", "c"),
    )
    for term, right in (("t3", True), ("t2", False)):
        loads = {"c": Load("c", (Affine(0, ((ROW, 1),)),))}
        nest = Nest((ROW,), loads, body, (Store("t4", (), "+=", term),))
        program = Program((Name("x"), Name("p")), (nest,), {"f": "t4"}, (Column("c", "c"),))
        if right:
            check_program(program)
        else:
            with pytest.raises(AssertionError, match="outside its guard"):
                check_program(program)


def test_a_guard_asks_outer_conditions_first():
    inner = Operation("t1", ">", ("q", 0.0), (P,))
    for guard, right in (((P, Q), True), ((Q, P), False)):
        body = (
            Operation("t0", ">", ("p", 0.0)),
            inner,
            Operation("t2", "div", (1.0, "x"), guard),
            *IN_BOTH,
        )
        program = Program(tuple(map(Name, "xpq")), (StraightLine(body),), {"f": "t9"})
        if right:
            check_program(program)
        else:
            with pytest.raises(AssertionError, match="outside its guard"):
                check_program(program)


def test_every_program_that_the_tests_compile_is_proved(monkeypatch):
    seen = []
    monkeypatch.setattr("tests.conftest.check_program", lambda program: seen.append(program))
    Loss("where(x > 0, log(x) + sqrt(log(x)), x)").internals.program  # noqa: B018
    assert len(seen) == 1
    assert any(operation.guard for operation in seen[0].body)
