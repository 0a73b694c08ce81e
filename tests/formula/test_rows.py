"""A row of the table is all that a function needs: in every backend, with no other change."""

import itertools
import math
import random
import struct

import mpmath
import numpy as np
import pytest
import sympy

import symgd
from symgd import FormulaError, Loss
from symgd.backends import javascript
from symgd.backends.lambdified import array_function, compile_total
from symgd.calculus.dcp import Curvature, curvature
from symgd.calculus.intervals import function_range
from symgd.formula.evaluate import evaluate_all
from symgd.formula.functions import function, table
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import BY_CLASS, CALLABLE, FUNCTIONS, POWERS, VARIABLES
from symgd.formula.parse import parse

inf, nan = math.inf, math.nan
ROWS = {**FUNCTIONS, **DERIVATIVES}
MADE = [name for name, row in ROWS.items() if row.formula]
EDGES = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, inf, -inf, nan, 1e300, -1e-300, 5e-324, 710.0, -745.2]


def bits(x):
    return b"nan" if math.isnan(x) else struct.pack("<d", x)


def points(name, count):
    source = random.Random(name)
    some = EDGES if count < 3 else EDGES[:9:2]
    yield from itertools.product(some, repeat=count)
    for _ in range(200):
        yield tuple(source.choice([-1, 1]) * 10 ** source.uniform(-6, 3) for _ in range(count))


@pytest.mark.parametrize("name", MADE)
def test_both_readings_of_a_formula_agree_bit_for_bit(name):
    """The table's own, on floats, and the parser's, by the reference and by lambdify."""
    row = ROWS[name]
    count = row.arity[1]
    formula = parse(row.formula, table=True)
    letters = formula.variables
    loss = Loss(f"{name}({', '.join('abcd'[:count])})") if name in FUNCTIONS else None
    run = compile_total(loss.internals.value_program) if loss else None
    for args in points(name, count):
        if row.cost >= table.SPECIAL and max(map(abs, args)) > 50:
            continue
        wanted = bits(row.scalar(*args))
        values = {letters[x]: v for x, v in zip("xyzw", args, strict=False) if x in letters}
        assert bits(evaluate_all([formula.root], values)[id(formula.root)]) == wanted, args
        if run:
            assert bits(run(*args)[0]) == wanted, args


# A row that nobody knew before

NAME = "trough"


def _trough(x):
    return mpmath.exp(x / 2) + mpmath.exp(-x)


@pytest.fixture
def trough(monkeypatch):
    """exp(x/2) + exp(-x), by a row of its own for the length of one test."""
    row = function.row(
        NAME, None, "exp(x/2)/2 - exp(-x)", "a convex function", formula="exp(x/2) + exp(-x)"
    )
    row.check([*FUNCTIONS, *DERIVATIVES])
    for where, key in ((FUNCTIONS, NAME), (CALLABLE, NAME), (BY_CLASS, row.node)):
        monkeypatch.setitem(where, key, row)
    javascript._pieces.cache_clear()
    yield row
    javascript._pieces.cache_clear()
    del function.SCALARS[NAME]


def test_a_new_row_has_value_gradient_and_hessian(trough):
    loss = Loss("trough(a)*b")
    value, da, db = loss.internals.evaluate(0.7, 3.0)
    assert db == pytest.approx(float(_trough(mpmath.mpf(0.7))), rel=1e-15)
    assert value == pytest.approx(3 * db, rel=1e-15)
    slope = math.exp(0.35) / 2 - math.exp(-0.7)
    assert da == pytest.approx(3 * slope, rel=1e-14)
    second = math.exp(0.35) / 4 + math.exp(-0.7)
    assert loss.internals.hess_rows([0.7, 3.0]) == pytest.approx(
        [pytest.approx([3 * second, slope]), pytest.approx([slope, 0.0])]
    )
    Loss(loss.gradient_text()["a"])


@pytest.mark.parametrize("backend", ["lambdify", "native"])
def test_a_new_row_descends(trough, backend):
    result = symgd.descend("trough(a)", start=1.0, lr=0.5, steps=200, backend=backend)
    assert result.theta["a"] == pytest.approx(2 / 3 * math.log(2), rel=1e-12)


def test_a_new_row_runs_over_rows_in_machine_code_and_arrays(trough):
    x = np.random.default_rng(1).normal(size=1000)
    loss = Loss("mean(trough(a*x))", {"x": x})
    slope = np.mean(x * (np.exp(0.3 * x / 2) / 2 - np.exp(-0.3 * x)))
    for backend in ("lambdify", "native"):
        result = symgd.descend(loss, start=0.3, lr=0.1, steps=1, backend=backend)
        assert result.theta["a"] == pytest.approx(0.3 - 0.1 * slope, rel=1e-13)
    assert array_function(trough)(x) == pytest.approx(np.exp(x / 2) + np.exp(-x), rel=1e-15)


def test_a_new_row_calls_no_python_from_machine_code(trough):
    from symgd.backends.native.elementary import calls_python_back

    assert not any(map(calls_python_back, Loss("trough(a)").program.body))


def test_a_new_row_has_a_range_and_a_curvature(trough):
    low, high = function_range(trough, [(-1.0, 2.0)])
    assert 0 < low <= math.exp(0.231) + math.exp(-0.462)
    assert math.exp(1.0) <= high < 10
    assert curvature(Loss("trough(2*a - b)").internals.root) is Curvature.CONVEX


def test_a_new_row_has_exact_values(trough):
    with mpmath.workdps(40):
        wanted = float(_trough(mpmath.mpf(0.1)) - 2)
    assert Loss("trough(a) - 2").exact.value([0.1]) == wanted


def test_a_new_row_runs_in_a_page(trough, browser):
    program = Loss("trough(a)").program
    assert javascript.unsupported([program]) == []
    text = javascript.function(program)
    got = browser.js(f"(() => {{{javascript.library([text])}; return ({text})(0.7)}})()")
    assert got == pytest.approx(Loss("trough(a)").internals.evaluate(0.7), rel=1e-15)


def test_a_new_row_reads_as_itself_in_sympy(trough):
    loss = Loss("trough(a)")
    a = loss.symbols["a"]
    assert float(loss.expr.evalf(30, {a: 0.5})) == pytest.approx(float(_trough(mpmath.mpf(0.5))))
    assert float(sympy.diff(loss.expr, a).evalf(30, {a: 0.5})) == pytest.approx(
        math.exp(0.25) / 2 - math.exp(-0.5)
    )


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({}, "needs a formula, or a value by hand"),
        ({"scalar": math.sin}, "needs a formula, the C library's name or by_hand"),
        ({"formula": "sinus(x)"}, r"calls sinus, which is no function: sinus\(x\)"),
        ({"formula": "x + y"}, r"names y, which is no argument: x \+ y"),
        ({"formula": "x", "derivative": ()}, "has no derivative"),
        ({"formula": "x", "derivative": ("1", "2")}, "needs 1 derivatives, not 2"),
        ({"formula": "x", "derivative": "q"}, "names q, which is no argument: q"),
        ({"formula": "x", "arity": (2, 2)}, "needs 2 derivatives, not 1"),
    ],
)
def test_an_incomplete_row_says_what_it_lacks(fields, what):
    def read(derivative="1", **rest):
        function.row("broken", None, derivative, "", **rest).check(FUNCTIONS)

    with pytest.raises(ValueError, match=f"the row of the function broken {what}"):
        read(**fields)
    function.SCALARS.pop("broken", None)


# The spellings that people bring


@pytest.mark.parametrize(
    ("text", "same"),
    [(f"{alias}(a)", f"{row.name}(a)") for row in FUNCTIONS.values() if row.arity[0] == 1
     for alias in row.aliases]
    + [
        ("pow(a, 3)", "a**3"),
        ("power(a, b)", "a**b"),
        ("pow(e, a)", "exp(a)"),
        ("square(a + 1)", "(a + 1)**2"),
        ("sqrt(a)", "a**0.5"),
        ("maximum(a, b)", "max(a, b)"),
        ("arctan2(a, b)", "atan2(a, b)"),
        ("2square(a)", "2*a^2"),
    ],
)  # fmt: skip
def test_alias_is_the_same_formula(text, same):
    assert str(Loss(text).program) == str(Loss(same).program)


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_name_is_a_variable_where_it_is_not_called(name):
    assert Loss(f"{name}**2 + 1").params == (name,)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pow(x)", "pow takes 2 arguments, not 1"),
        ("square(x, y)", "square takes 1 argument, not 2"),
        ("pow(2, 10^7)", "the exponent 1e+07 is too large"),
        ("pow(0, -1)", "divides by zero"),
    ],
)
def test_power_that_cannot_be_is_refused(text, sentence):
    with pytest.raises(FormulaError, match=sentence.replace("+", r"\+")):
        Loss(text)


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        (lambda x, y: sympy.Mod(x, y), "mod(x, y)"),
        (lambda x, y: sympy.sinc(x) * y, "sinc(x)*y"),
        (lambda x, y: sympy.Max(x, y), "max(x, y)"),
    ],
)
def test_sympy_s_own_functions_are_read(expression, text):
    x, y = sympy.symbols("x y", real=True)
    got, wanted = Loss(expression(x, y)), Loss(text)
    assert got.internals.evaluate(5.5, 1.25) == wanted.internals.evaluate(5.5, 1.25)


@pytest.mark.parametrize(
    ("at", "value", "slopes"),
    [
        ((7.5, 2.0), 1.5, [1.0, -3.0]),
        ((-7.5, 2.0), 0.5, [1.0, 4.0]),
        ((7.5, -2.0), -0.5, [1.0, 4.0]),
        ((6.0, 2.0), 0.0, [1.0, -3.0]),  # at the jump: that of the right
    ],
)
def test_mod_has_the_sign_of_the_divisor(at, value, slopes):
    assert Loss("mod(x, y)").internals.evaluate(*at) == [value, *slopes]


@pytest.mark.parametrize(("x", "y"), [(-1.0, 1e-300), (1e300, 0.7), (1.0, 0.1), (-5e-324, 3.0)])
def test_rest_of_a_division_is_that_of_python(x, y):
    """Whose remainder of doubles is exact before its one rounding."""
    assert Loss("mod(x, y)").internals.evaluate(x, y)[0] == x % y
    assert Loss("fmod(x, y)").internals.evaluate(x, y)[0] == math.fmod(x, y)


@pytest.mark.parametrize("x", [-1e150, -1e8, -1e4, -300.3, -38.6, -9.0, -2.5, -1.0, 0.4, 6.0, 30.0])
def test_log_ndtr_is_right_far_in_its_tail(x):
    """Value, gradient and Hessian, against 700 digits: log of the integral, its hazard rate."""
    with mpmath.workdps(700):
        t = mpmath.mpf(x)
        low = mpmath.erfc(-t / mpmath.sqrt(2)) / 2
        hazard = mpmath.exp(-t * t / 2) / mpmath.sqrt(2 * mpmath.pi) / low
        exact = [mpmath.log(low), hazard, -hazard * (t + hazard)]
        loss = Loss("log_ndtr(x)")
        got = [*loss.internals.evaluate(x), loss.internals.hess_rows([x])[0][0]]
        for g, wanted in zip(got, exact, strict=True):
            assert abs(g - wanted) <= 2e-15 * abs(wanted)


def test_powers_are_no_rows_and_rows_no_powers():
    assert not POWERS.keys() & CALLABLE.keys()
