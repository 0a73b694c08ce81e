"""Losses from SymPy expressions: conditions of every kind, against their truth tables in Python.

(SymPy's own subs is no oracle here: it gets Equivalent of several Xor wrong.)
"""

import itertools
import random

import pytest
import sympy
from sympy.logic import boolalg

from symgd import FormulaError, Loss

X, Y = sympy.symbols("x y", real=True)
P, Q, R = X < 1, Y >= 0, sympy.Eq(X, Y)
POINTS = list(itertools.product((-1, 0, 1, 2), repeat=2))

CONDITIONS = {
    "relation": sympy.Ne(X, 1),
    "and": sympy.And(P, Q, R),
    "or": sympy.Or(P, Q, R),
    "not": sympy.Not(sympy.And(P, Q), evaluate=False),
    "xor": sympy.Xor(P, Q, R),
    "nand": sympy.Nand(P, Q, evaluate=False),
    "nor": sympy.Nor(P, Q, evaluate=False),
    "xnor": boolalg.Xnor(P, Q, evaluate=False),
    "implies": sympy.Implies(P, Q),
    "equivalent": sympy.Equivalent(P, Q, R),
    "ite": sympy.ITE(P, Q, R),
    "ite with a truth value": sympy.ITE(P, Q, sympy.true),
    "equality of conditions": sympy.Eq(P, Q),
    "inequality of conditions": sympy.Ne(P, Q),
    "nested": sympy.Xor(sympy.ITE(P, sympy.Not(R), Q), sympy.Implies(R, P), sympy.Or(Q, R)),
    "a Piecewise compared": sympy.Piecewise((X, P), (Y, True)) < sympy.Piecewise((2, Q), (0, True)),
}
TABLES = {
    sympy.And: lambda *a: all(a),
    sympy.Or: lambda *a: any(a),
    sympy.Not: lambda a: not a,
    sympy.Xor: lambda *a: sum(a) % 2 == 1,
    sympy.Nand: lambda *a: not all(a),
    sympy.Nor: lambda *a: not any(a),
    boolalg.Xnor: lambda *a: sum(a) % 2 == 0,
    sympy.Implies: lambda a, b: b or not a,
    sympy.Equivalent: lambda *a: len(set(a)) == 1,
    sympy.ITE: lambda a, b, c: b if a else c,
}


def evaluated(expr, point):
    """The value of an expression at whole numbers, by Python."""
    if not expr.args:
        return point.get(expr, bool(expr) if expr in (sympy.true, sympy.false) else expr)
    if expr.func is sympy.Piecewise:
        return next(evaluated(e, point) for e, c in expr.args if evaluated(c, point))
    args = [evaluated(a, point) for a in expr.args]
    if expr.func in TABLES:
        return TABLES[expr.func](*args)
    if expr.is_Relational:
        return bool(expr.func(*map(sympy.Integer, args)))
    return expr.func(*args)


def agrees(loss, expr):
    for x, y in POINTS:
        here = {p: {"x": x, "y": y}[p] for p in loss.params}
        right = evaluated(expr, {X: sympy.Integer(x), Y: sympy.Integer(y)})
        assert loss.value(here) == float(right), (x, y)


@pytest.mark.parametrize("name", CONDITIONS)
def test_every_condition_of_sympy_is_read(name):
    expr = sympy.Piecewise((X * Y + 1, CONDITIONS[name]), (X - Y, True))
    loss = Loss(expr)
    agrees(loss, expr)
    agrees(Loss(loss.expr), expr)


def random_condition(source, depth):
    if not depth:
        kind = source.choice([sympy.Lt, sympy.Le, sympy.Gt, sympy.Ge, sympy.Eq, sympy.Ne])
        return kind(source.choice([X, Y, X + Y, X * Y]), source.choice([X, Y, 0, 1, 2]))
    inner = [random_condition(source, source.randrange(depth)) for _ in range(3)]
    kind = source.choice(
        [sympy.And, sympy.Or, sympy.Not, sympy.Xor, sympy.Implies, sympy.Equivalent, sympy.ITE]
    )
    return kind(*inner[: {sympy.Not: 1, sympy.Implies: 2, sympy.ITE: 3}.get(kind, 3)])


@pytest.mark.parametrize("seed", range(60))
def test_random_conditions_are_read(seed):
    source = random.Random(seed)
    first, second = (random_condition(source, 3) for _ in range(2))
    expr = sympy.Piecewise((X * Y + 1, first), (X - Y, second), (X**2, True))
    loss = Loss(expr)
    agrees(loss, expr)
    agrees(Loss(loss.expr), expr)


def test_text_with_nested_conditions_goes_through_sympy():
    loss = Loss("where(where(x < 7, x, 1) < 3, x, 2)")
    again = Loss(loss.expr)
    assert [again.value([x]) for x in (1.0, 5.0, 9.0)] == [1.0, 2.0, 9.0]


def test_a_parameter_alone_is_a_loss():
    assert Loss(X).value_and_grad([3.0]) == (3.0, [1.0])


def test_last_case_may_be_what_no_other_case_covers():
    loss = Loss(sympy.Piecewise((X, X < 0), (2 * X, X >= 0)))
    assert [loss.value([x]) for x in (-1.0, 0.0, 3.0)] == [-1.0, 0.0, 6.0]


def test_heaviside_keeps_its_value_at_zero():
    for at_zero in (0, sympy.Rational(1, 2), 1):
        loss = Loss(sympy.Heaviside(X, at_zero) + 0 * Y)
        assert [loss.value([x]) for x in (-1.0, 0.0, 1.0)] == [0.0, float(at_zero), 1.0]


REFUSED = [
    (sympy.true, "not a condition"),
    (P, "not a condition"),
    (sympy.Piecewise((X < 1, Y < 1), (Y < 2, True)), "not a condition"),
    (sympy.Piecewise((X, sympy.Symbol("b")), (Y, True)), "this is no condition"),
    (sympy.Piecewise((X, P & sympy.Symbol("b")), (Y, True)), "are mixed here"),
    (sympy.Piecewise((X, X < 0), (Y, X > 1)), "no last case for True"),
    (sympy.Piecewise((X, sympy.Q.positive(X)), (Y, True)), "'AppliedPredicate' is not a function"),
    (sympy.Piecewise((X, sympy.Contains(X, sympy.Interval(0, 1))), (Y, True)), "'Contains' is not"),
    (sympy.Sum(X, (Y, 1, 3)), "'Sum' is not a function"),
    (sympy.Function("f")(X), "'f' is not a function"),
    (sympy.log(X, 2, evaluate=False), "log does not take 2 arguments"),
    (sympy.Tuple(X, Y), "'Tuple' is not a function"),
    (sympy.Lambda(X, X), "not a finite real number"),
    (sympy.I * X, "not a finite real number"),
    (sympy.cot(sympy.pi), "not a finite real number"),
    (sympy.S.Reals, "not a finite real number"),
]


@pytest.mark.parametrize(("expr", "piece"), REFUSED, ids=[str(r[0]) for r in REFUSED])
def test_what_is_no_loss_is_refused(expr, piece):
    with pytest.raises(FormulaError) as caught:
        Loss(expr)
    assert piece in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expr"),
    [
        ("max(y, csch(y - y))", sympy.nan),
        ("min(0/(y - y), 0)", sympy.nan),
        ("clip(1/(y - y), y, 2)", sympy.nan),
        ("where(1/(y - y) > 0, y, 2)", sympy.Integer(2)),  # a comparison with nan is false
        ("where(1/(y - y) != 0, y, 2)", sympy.Symbol("y", real=True)),
    ],
)
def test_what_sympy_folds_to_a_pole_has_an_expression(text, expr):
    """SymPy makes 0 of y - y and zoo of 1/0, which it refuses to order."""
    assert Loss(text).expr == expr
