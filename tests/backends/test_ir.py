"""Loops, branches and variables of machine code do what the same Python does."""

from array import array

import pytest

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.ir import Value
from symgd.backends.native.jit import compile_module, pointers, source


def compiled(write):
    """write(emitter) -> its integer result, compiled as a function of n and an array of doubles."""
    e = FunctionEmitter()
    n = e.load("%k", 0, "i64")
    text = e.define(f"i64 @run({pointers(('k', 'x'))})", f"i64 {write(e, n).text}")
    function = compile_module(source([text], e.declared)).function("run", 2)

    def call(number, x=(0.0,)):
        k, numbers = array("q", [number]), array("d", x)
        result = function(k.buffer_info()[0], numbers.buffer_info()[0])
        return result, numbers.tolist()

    return call


@pytest.mark.parametrize(("start", "step"), [(0, 1), (3, 1), (-2, 3), (5, 7)])
def test_a_counted_loop_is_a_range(start, step):
    def write(e, n):
        total = e.variable("i64", 0)
        with e.for_range(n, start, step) as i:
            total.set(e.integer("add", total.get(), e.integer("mul", i, i)))
        return total.get()

    call = compiled(write)
    for n in (-3, 0, 1, 3, 4, 5, 50):
        assert call(n)[0] == sum(i * i for i in range(start, n, step))


def test_loops_within_loops_keep_their_own_index():
    def write(e, n):
        count = e.variable("i64", 0)
        with e.for_range(n) as i, e.for_range(i) as j:
            is_multiple = e.icmp("eq", e.integer("srem", e.integer("add", i, j), 3), 0)
            with e.if_then(is_multiple):
                count.set(e.integer("add", count.get(), 1))
        return count.get()

    expected = sum((i + j) % 3 == 0 for i in range(20) for j in range(i))
    assert compiled(write)(20)[0] == expected


def test_the_index_of_a_loop_that_is_left_stays():
    """As a descent that stops: the step is the one at which a check has failed."""

    def write(e, n):
        index = e.variable("i64")
        with e.for_range(n, index=index) as i:
            is_negative = e.compare("olt", e.load("%x", i), e.number(0.0))
            with e.if_then(is_negative):
                e.goto("out")
        e.label("out")
        return index.get()

    call = compiled(write)
    assert call(4, [1.0, 2.0, -1.0, 5.0])[0] == 2
    assert call(4, [1.0, 2.0, 1.0, 5.0])[0] == 4
    assert call(0)[0] == 0


def test_both_branches_and_the_code_after_them():
    def write(e, n):
        result = e.variable("i64")
        with e.if_else(e.icmp("sgt", n, 10)) as otherwise:
            result.set(e.integer("sub", n, 10))
            otherwise()
            with e.if_then(e.icmp("slt", n, 0)):
                e.ret(Value("-1"))
            result.set(e.least(n, 4))
        return e.integer("mul", result.get(), 2)

    call = compiled(write)
    assert [call(n)[0] for n in (-7, 0, 3, 9, 10, 11, 30)] == [-1, 0, 6, 8, 8, 2, 40]


def test_a_while_loop_evaluates_its_condition_anew():
    """Collatz: 27 takes 111 steps (OEIS A006577)."""

    def write(e, n):
        number, steps = e.variable("i64", n), e.variable("i64", 0)
        with e.while_loop(lambda: e.icmp("ne", number.get(), 1)):
            now = number.get()
            with e.if_else(e.icmp("eq", e.integer("and", now, 1), 0)) as otherwise:
                number.set(e.integer("sdiv", now, 2))
                otherwise()
                number.set(e.integer("add", e.integer("mul", now, 3), 1))
            steps.set(e.integer("add", steps.get(), 1))
        return steps.get()

    assert compiled(write)(27)[0] == 111
