"""Operations are what every machine and printer knows, and mean the same to all of them."""

import math
import random
import re
from fractions import Fraction

import pytest
import sympy

from symgd import Loss
from symgd.backends import javascript, lambdified, program
from symgd.backends.expressions import ARITHMETIC, Expression, OperationPrinter, statements
from symgd.backends.native import translate
from symgd.backends.operations import OPERATORS, REDUCTIONS, Operation, live
from symgd.calculus import intervals
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Name, Where

SCALAR = OPERATORS.keys() - {*REDUCTIONS}  # of arrays
INTERNAL = re.compile(r"[a-z][a-z0-9_]*")


def test_every_machine_has_every_operation():
    powers = {f"power{n}" for n in range(3, 9)}  # products, so that SymPy's printer writes no **
    assert lambdified.NODES.keys() - {"guarded"} - powers == OPERATORS.keys()
    assert lambdified._REFERENCE.keys() == SCALAR
    assert translate._OPERATIONS.keys() == SCALAR
    numbers = {name for name in SCALAR if OPERATORS[name].gives == "x"}
    assert intervals._OPERATIONS.keys() == numbers
    called = {"sqrt", "square"}  # by their names, as functions
    assert javascript._SPELLINGS.keys() - {"guarded"} == SCALAR - called
    assert program._SPELLINGS.keys() - {"guarded"} == SCALAR - {"sqrt"}


def test_no_two_operations_are_one_sympy_node():
    nodes = [*lambdified.NODES.values(), *(row.node for row in BY_CLASS.values())]
    twice = [node for node in set(nodes) if nodes.count(node) > 1]
    assert twice == [Where]  # the row of where is there for its derivative


def test_sympy_s_lambdify_is_called_and_sees_internal_symbols_only(monkeypatch):
    calls = []

    def spy(arguments, expression, *rest, **options):
        calls.append((arguments, expression, *options["cse"](None)))
        return sympy.lambdify(arguments, expression, *rest, **options)

    monkeypatch.setattr(lambdified, "lambdify", spy)
    user = "os_system"
    loss = Loss(f"where({user} > 0, log({user}), gamma_rate*{user})**2 + {user}/gamma_rate")
    at, log2 = {user: 2.0, "gamma_rate": 4.0}, math.log(2)
    value, *slopes = lambdified.compile_scalar(loss.internals.program)(
        *(at[p] for p in loss.params)
    )
    assert value == pytest.approx(log2**2 + 0.5, rel=1e-15)
    # by hand: 2 log(x)/x + 1/rate, -x/rate^2
    right = {user: log2 + 0.25, "gamma_rate": -0.125}
    assert slopes == pytest.approx([right[p] for p in loss.params], rel=1e-15)
    (call,) = calls
    symbols = set()
    for part in call:
        stack = [part]
        while stack:
            item = stack.pop()
            if isinstance(item, (list, tuple)):
                stack.extend(item)
            else:
                symbols |= item.atoms(sympy.Symbol)
    names = {symbol.name for symbol in symbols}
    assert {"p0", "p1"} < names
    assert all(INTERNAL.fullmatch(name) for name in names)
    assert not any(user in name or "gamma_rate" in name for name in names)


ARITY = {"add": 2, "sub": 2, "mul": 2, "div": 2, "neg": 1}
EXACT = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
    "neg": lambda a: -a,
}


def tree(generator, depth):
    if depth == 0:
        return generator.choice(["a", "b", "c", "d"])
    name = generator.choice(list(ARITY))
    return Expression(name, tuple(tree(generator, depth - 1) for _ in range(ARITY[name])))


def exact(node, values):
    if isinstance(node, str):
        return values[node]
    return EXACT[node.name](*(exact(a, values) for a in node.arguments))


def test_parentheses_stand_where_python_needs_them():
    """Of 500 random expressions: what Python reads is what was written, in exact fractions."""
    generator, write = random.Random(7), OperationPrinter(ARITHMETIC).write
    tried = 0
    while tried < 500:
        node = tree(generator, generator.randint(1, 5))
        values = {name: Fraction(generator.randint(-9, 9), 7) for name in "abcd"}
        try:
            right = exact(node, values)
        except ZeroDivisionError:
            continue
        assert eval(write(node), {}, values) == right, write(node)  # noqa: S307 - our own text
        tried += 1


def test_what_is_read_once_stands_where_it_is_read():
    body = (
        Operation("t0", "mul", ("x", "y")),
        Operation("t1", "add", ("t0", 1.0)),
        Operation("t2", "square", ("t1",)),
        Operation("t3", "sub", ("t1", "t2")),
    )
    found = statements(body, ["t3"])
    assert [s.result for s in found] == ["t1", "t3"]
    write = OperationPrinter(ARITHMETIC).write
    assert [write(s.expression) for s in found] == ["x*y + 1.0", "t1 - square(t1)"]


def test_a_guard_stays_with_what_may_fail():
    guard = (("t0", True),)
    body = (
        Operation("t0", ">", ("x", 0.0)),
        Operation("t1", "add", ("x", "y"), guard),
        Operation("t2", "div", ("t1", "t1"), guard),
        Operation("t3", "mul", ("t2", "t2"), guard),
        Operation("t4", "select", ("t0", "t3", 1.0)),
    )
    found = {s.result: s.guard for s in statements(body, ["t4"])}
    assert found == {"t0": (), "t1": (), "t2": guard, "t4": ()}


def test_live_operations_are_those_that_are_read():
    body = (
        Operation("t0", "square", ("x",)),
        Operation("t1", "square", ("y",)),
        Operation("t2", "add", ("t0", 1.0)),
    )
    assert [o.result for o in live(body, ["t2", 3.0])] == ["t0", "t2"]
    assert [o.result for o in live(body, ["t2"], known={"t0"})] == ["t2"]


def test_costs_and_counts_of_operations():
    """x**2 + y/x - exp(x): a square, a quotient, two sums, a function."""
    found = Loss("x**2 + y/x - exp(x)").internals.value_program
    assert (found.operations, found.cost) == (5, 1 + 4 + 2 + 10)
    assert (
        Loss("-hypot(x, y, z)").internals.value_program.operations == 3
    )  # one by argument, a sign none


def test_a_program_reads_as_formulas_with_the_users_names():
    text = str(Loss("(alpha*beta)**2/(alpha*beta + 1)").internals.value_program)
    assert text == (
        "inputs alpha, beta\n"
        "t0 = alpha*beta\n"
        "t3 = t0**2/(t0 + 1)\n"
        "output value = t3"
    )  # fmt: skip


def test_equal_programs_have_equal_keys_and_others_have_not():
    keys = [
        Loss(text).internals.program.key
        for text in ("x**2 + y", "x**2 + y", "x**2 - y", "x**3 + y")
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_an_input_is_named_as_operations_read_it():
    loss = Loss("theta**2")
    assert loss.internals.program.names == ("p0",)
    assert loss.internals.program.inputs == (Name("p0", "theta"),)
