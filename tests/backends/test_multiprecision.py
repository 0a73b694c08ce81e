"""`Loss.value`, `grad` and `hess`: the double nearest to the exact value, whatever cancels."""

import math
import pickle
import random
from fractions import Fraction
from threading import Thread

import mpmath
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from mpmath import acos, besseli, besselj, cos, cosh, exp, gamma, log, mpf, sin, sqrt, tan

from symgd import FormulaError, Loss, PrecisionError
from symgd.backends.exact.exact_graph import ExactGraph
from symgd.backends.exact.multiprecision import Precise
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Name, Where
from tests import corpora
from tests.oracle import REFERENCE

nan = math.nan
_TINY = mpmath.mpf(1e-17)
ROSENBROCK = "(1 - x)**2 + 100*(y - x**2)**2"


def test_polynomial_at_doubles_is_rounded_once():
    """Against rational arithmetic: the exact value, gradient and Hessian, rounded once."""
    source = random.Random(4)
    loss = Loss(ROSENBROCK)
    for _ in range(200):
        x, y = source.uniform(-3, 3), source.uniform(-3, 3)
        p, q = Fraction(x), Fraction(y)
        value, grad = (loss.exact.value([x, y]), loss.exact.grad([x, y]))
        assert value == float((1 - p) ** 2 + 100 * (q - p**2) ** 2)
        assert grad.tolist() == [
            float(-2 * (1 - p) - 400 * p * (q - p**2)),
            float(200 * (q - p**2)),
        ]
        assert loss.exact.hess([x, y])[0, 0] == float(2 - 400 * (q - 3 * p**2))
        assert loss.exact.value([x, y]) == value


@pytest.mark.parametrize(
    ("text", "x", "exact"),
    [
        ("cos(exp(x))", 36.75, lambda x: mpmath.cos(mpmath.exp(x))),
        ("sin(x**2)", 123456789.125, lambda x: mpmath.sin(x**2)),
        ("tan(500*pi*x)", 7.25000000001, lambda x: mpmath.tan(500 * mpmath.pi * x)),
        ("(1 + x) - 1", 1e-200, lambda x: x),
        ("log(1 + exp(x))", -200.0, lambda x: mpmath.exp(x)),
        ("log(1 + exp(x))", 800.0, lambda x: x + 0),
        ("exp(x)/exp(x - 1)", 300.0, lambda x: mpmath.e),
        ("x/3 - x*(1/3)", 0.7, lambda x: mpmath.mpf(0)),
        ("x**(1/3) - x**(1/3 + 1e-17)", 5.0, lambda x: mpmath.cbrt(x) * (1 - x**_TINY)),
        ("log10(x) - log(x)/log(10) + 1e-30*x", 3.0, lambda x: mpmath.mpf(1e-30) * x),
        ("erf(x) + erfc(x) - 1 + 1e-40*x", 0.5, lambda x: mpmath.mpf(1e-40) * x),
        ("sin(x)**2 + cos(x)**2 - 1", 0.3, lambda x: mpmath.mpf(0)),
        ("gamma(x + 1) - x*gamma(x)", 3.3, lambda x: mpmath.mpf(0)),
        ("loggamma(x) - log(gamma(x)) + 1e-30*x", 3.3, lambda x: mpmath.mpf(1e-30) * x),
        ("digamma(x + 1) - digamma(x) - 1/x + 1e-30*x", 3.3, lambda x: mpmath.mpf(1e-30) * x),
        ("x*1e-200*1e-200*1e300", 7.0, lambda x: x * mpmath.mpf(1e-200) ** 2 * mpmath.mpf(1e300)),
        ("where(x > 0, sqrt(x), log(-x)) + max(x, 0)", -3.0, lambda x: mpmath.log(-x)),
    ],
)  # fmt: skip
def test_value_and_slope_where_doubles_fail(text, x, exact):
    loss = Loss(text)
    with mpmath.workdps(400):
        wanted = exact(mpmath.mpf(x))
        slope = mpmath.diff(exact, mpmath.mpf(x), h=mpmath.mpf(10) ** -150)
        value, grad = (loss.exact.value([x]), loss.exact.grad([x]))
        # loss.value must not lose either: it has a graph of its own
        assert value == loss.exact.value([x])
        assert abs(value - wanted) <= 0.5001 * math.ulp(float(wanted))
        assert abs(grad[0] - slope) <= 0.5001 * math.ulp(float(slope))


def test_constants_are_the_numbers_that_are_meant():
    """sin(pi*x) at x = 1 is 0, not sin of the double next to pi; 0.1 typed is the double."""
    assert Loss("sin(pi*x)").exact.value([1.0]) == 0.0
    assert Loss("log(e**x) - x").exact.value([0.7]) == 0.0
    assert Loss("0.1*x*10 - x").exact.value([1.0]) == float(Fraction(0.1) * 10 - 1) != 0.0


def test_selections_choose_by_exact_values():
    """10*0.3 is below 3: the double 0.3 is; only its product in doubles is 3."""
    loss = Loss("floor(10*x)")
    assert loss.exact.value([0.3]) == math.floor(10 * Fraction(0.3)) == 2.0
    assert loss.internals.evaluate_value(0.3) == [3.0]


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("log(x)", -1.0),
        ("1/x", 0.0),
        ("exp(exp(x))", 9.0),
        ("sqrt(x)", 0.0),
        ("x", math.inf),
        ("x", math.nan),
        ("exp(exp(exp(x)))", 20.0),
        ("x**x", -0.5),
        ("asin(x)", 2.0),
        ("acosh(x)", 0.5),
        ("atanh(x)", 1.0),
        ("gamma(x)", -2.0),
    ],
)
def test_what_is_not_finite_stays_as_compiled(text, at):
    loss = Loss(text)
    plain = loss.internals.evaluate(at)
    value, grad = (loss.exact.value([at]), loss.exact.grad([at]))
    for got, compiled in zip([value, *grad], plain, strict=True):
        assert got == compiled or math.isnan(compiled) == math.isnan(got)
        assert math.isfinite(got) == math.isfinite(compiled)
    assert not all(map(math.isfinite, plain))


@pytest.mark.parametrize(
    ("text", "right", "slope"),
    [
        ("1/(1 + exp(exp(exp(exp(exp(x))))))", 0.0, None),
        ("atan(exp(exp(exp(exp(exp(x))))))", math.pi / 2, None),
        ("sin(1/(1 + exp(exp(exp(exp(x))))))", 0.0, None),
        ("tanh((((((x**999)**999)**999)**999)**999)**999)", 1.0, None),
        ("erfc((((((x**999)**999)**999)**999)**999)**999)", 0.0, None),
        ("1/(1 + gamma(gamma(gamma(x))))", 0.0, None),
        ("1/(1 + 10**(10**(10**(10**x))))", 0.0, None),
        ("min(exp(exp(exp(exp(exp(x))))), x)", 7.0, 1.0),
        ("where(x > 0, x, digamma(-1e300*x) + besselj(2, 1e300*x))", 7.0, 1.0),
    ],
)
def test_towers_end_at_once(text, right, slope):
    """Numbers whose exponents fill the memory are never formed; the slope of 0*inf is refused.

    In doubles it is 0: what has saturated is flat.
    """
    loss = Loss(text)
    assert loss.exact.value([7.0]) == right
    if slope is None:
        with pytest.raises(PrecisionError, match="too large"):
            loss.exact.grad([7.0])
        assert loss.grad([7.0]) == [0]
    else:
        assert loss.exact.grad([7.0]) == [slope]


def test_squared_again_and_again():
    text = "x"
    for _ in range(150):
        text = f"({text})**2"
    loss = Loss(f"1/(2 + {text})")
    assert loss.exact.value([3.0]) == 0.0
    assert loss.exact.value([1.0]) == float(Fraction(1, 3))


def test_minus_zero_stays():
    assert math.copysign(1.0, Loss("-x").exact.value([0.0])) == -1.0


ROWS = {row.name: row for row in BY_CLASS.values() if row.node is not Where}


@pytest.mark.parametrize("name", sorted(ROWS))
def test_every_function_of_the_table_has_a_precise_form(name):
    """At three points inside its domain: mpmath's value, and the table's own float function's."""
    row = ROWS[name]
    count = row.arity[1] or 3
    graph = ExactGraph()
    leaves = [Name(f"p{k}") for k in range(count)]
    atoms = [graph.atom(leaf) for leaf in leaves]
    compared = 0
    for at in ([1.25, 1.5, 1.75, 2.5], [0.375, 0.25, 0.625, 0.5], [2.5, 0.75, 1.5, 0.25]):
        point = at[:count]
        args = [graph.number(2.0), *atoms[1:]] if row.order else atoms
        plain = row.scalar(*([2.0, *point[1:]] if row.order else point))
        if not math.isfinite(plain):
            continue
        precise = Precise(graph, leaves, [graph.node(row.node, *args)])
        (got,) = precise(point, [1e300])  # nothing to hide behind: a failure gives back 1e300
        assert got == pytest.approx(plain, rel=1e-14, abs=1e-17)  # libm's lgamma has 5e-15
        if name in REFERENCE and name != "where":
            with mpmath.workdps(60):
                given = [2.0, *point[1:]] if row.order else point
                right = REFERENCE[name](*map(mpmath.mpf, given))
                assert abs(got - right) <= math.ulp(float(right))
        compared += 1
    assert compared


# never worse than the compiled program

_LEAF = st.sampled_from(["x", "y", "0.1", "3", "1e-9", "pi", "e", "1e8"])
_TEXTS = st.recursive(
    _LEAF,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/"]), inner).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(
            st.sampled_from(["sin", "exp", "atan", "tanh", "log1p", "sqrt", "abs", "cosh"]), inner
        ).map(lambda t: f"{t[0]}({t[1]})"),
        st.tuples(inner, st.sampled_from(["2", "3"])).map(lambda t: f"({t[0]})**{t[1]}"),
    ),
    max_leaves=12,
)
_NUMBERS = st.floats(-100.0, 100.0, allow_subnormal=False)


@settings(max_examples=250)
@given(text=_TEXTS, x=_NUMBERS, y=_NUMBERS)
def test_never_worse_than_compiled_by_two_ulp(text, x, y):
    at = {"x": x, "y": y}
    try:
        loss = Loss(f"{text} + 0*x + 0*y")
        exact, slopes = corpora.derive(text, at, digits=400)
    except (FormulaError, ArithmeticError, ValueError, TypeError):
        reject()  # a constant part that is no number, or outside the domain
    plain = loss.internals.evaluate(x, y)
    value, grad = (loss.exact.value([x, y]), loss.exact.grad([x, y]))
    wanted = [exact, slopes["x"], slopes["y"]]
    for got, compiled, best in zip([value, *grad], plain, wanted, strict=True):
        if not (math.isfinite(compiled) and isinstance(best, mpmath.mpf)):
            continue
        if not (mpmath.isfinite(best) and abs(best) < 1e300):
            continue
        error, before = abs(got - best), abs(compiled - best)
        assert error <= before + 2 * math.ulp(float(best)), (text, got, compiled, float(best))
        assert error <= math.ulp(float(best)) + 1e-300, (text, got, compiled, float(best))


def test_two_threads_do_not_disturb_each_other():
    loss, found = Loss("cos(exp(x))"), []
    wanted = [loss.exact.value([36.0 + k / 8]) for k in range(8)]

    def work():
        found.append([loss.exact.value([36.0 + k / 8]) for k in range(8)])

    threads = [Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [wanted] * 4


def test_the_callers_precision_is_left_alone():
    with mpmath.workdps(20):
        Loss("cos(exp(x))").exact.value([36.0])
        assert mpmath.mp.dps == 20


def test_survives_pickle():
    loss = Loss(ROSENBROCK)
    loss.exact.grad([-1.2, 1.0])
    again = pickle.loads(pickle.dumps(loss))
    np.testing.assert_array_equal(again.exact.hess([-1.2, 1.0]), loss.exact.hess([-1.2, 1.0]))


def test_grows_linearly():
    """The iterated logistic map, whose expanded gradient has 2**100 terms."""
    loss = Loss(lambda x: _logistic(x, 100))
    with mpmath.workdps(200):
        at = mpmath.mpf(0.3)
        for _ in range(100):
            at = 4 * at * (1 - at)
    assert loss.exact.value([0.3]) == float(at)  # in doubles the map is chaotic: no digit is left
    assert abs(loss.internals.evaluate_value(0.3)[0] - float(at)) > 1e-3


def _logistic(x, times):
    for _ in range(times):
        x = 4 * x * (1 - x)
    return x


# formula, the same in mpmath, where: agreement of two precisions, or of one with the doubles, is
# no proof there, or 424 bits are not enough
HARD = [
    (
        "acos(sin(besseli(0, exp(hypot(x)))))",
        lambda x: acos(sin(besseli(0, exp(abs(x))))), 4.950309817869531,
    ),
    ("log(1 - sigmoid(x))*hypot(x)", lambda x: log(1 - 1/(1 + exp(-x)))*abs(x), 2.6639e-152),
    ("log(1 - sigmoid(x))*hypot(x)", lambda x: log(1 - 1/(1 + exp(-x)))*abs(x), 1e-300),
    ("sin(gamma(x))", lambda x: sin(gamma(x)), 150.25),
    ("cos(besselj(0, x)*1e120)", lambda x: cos(besselj(0, x)*mpf(1e120)), 2.5),
    ("(gamma(1 + x) - 1)*1e250", lambda x: (gamma(1 + x) - 1)*mpf(1e250), 1e-250),
    ("(exp(x) - 1 - x)/x^2", lambda x: (exp(x) - 1 - x)/x**2, 1e-200),
    ("(cosh(x) - 1)*1e300*1e300", lambda x: (cosh(x) - 1)*mpf(1e300)**2, 1e-290),
    ("sqrt(1 + x^2) - sqrt(1 - x^2)", lambda x: sqrt(1 + x*x) - sqrt(1 - x*x), 1e-160),
    ("sin(1e22*x)*exp(-x)", lambda x: sin(mpf(1e22)*x)*exp(-x), 3.7),
    ("tan(exp(x))", lambda x: tan(exp(x)), 300.5),
    ("((1 + x)^8 - 1)/x", lambda x: ((1 + x)**8 - 1)/x, 3e-250),
    ("log(x + 1e-170) - log(x)", lambda x: log(x + mpf(1e-170)) - log(x), 2.5),
    ("x - sin(x)", lambda x: x - sin(x), 2e-100),
]  # fmt: skip


@pytest.mark.parametrize(("text", "same", "x"), HARD)
def test_values_slopes_and_curvatures_that_hide(text, same, x):
    """Against mpmath with 2,000 digits, derivatives by central differences."""
    loss = Loss(text)
    with mpmath.workdps(2000):
        step = mpmath.mpf(10) ** -700
        low, here, high = (same(mpmath.mpf(x) + k * step) for k in (-1, 0, 1))
        right = [here, (high - low) / (2 * step), (high - 2 * here + low) / step**2]
        plain = [*loss.internals.evaluate(x), *loss.internals.evaluate_hess(x)]
        got = [loss.exact.value([x]), loss.exact.grad([x])[0], loss.exact.hess([x])[0, 0]]
        for found, exact, double in zip(got, right, plain, strict=True):
            if math.isfinite(double):
                assert abs(found - exact) <= 0.5001 * math.ulp(float(exact)), (found, exact)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("floor(log(x)/log(10))", 1000.0),  # 3, or 2 and something?
        ("where(sin(x)^2 + cos(x)^2 == 1, x, 2*x)", 0.3),
        ("heaviside(gamma(x + 1) - x*gamma(x))", 3.3),
        ("1/(1/x)", 0.0),
        ("atan(exp(exp(exp(exp(x)))) - exp(exp(exp(exp(x + 1)))))", 3.0),
        ("(besselj(0, x)^2 + 1 - 1)/besselj(0, x)^2 - 1 + atan(1e300*x - 1e300*x/3*3)", 0.7),
    ],
)
def test_what_no_precision_settles_says_so(text, at):
    loss = Loss(text)
    plain = loss.value([at])
    if math.isfinite(plain):
        with pytest.raises(PrecisionError, match=f"in doubles it is {plain!r}"):
            loss.exact.value([at])
    else:
        assert not math.isfinite(loss.exact.value([at]))


@pytest.mark.parametrize(
    ("text", "at", "right"),
    [
        ("max(x, 2*x - x)", 0.3, [0.3, 1.0]),  # a tie of exact numbers: both slopes are 1
        ("max(3*x, x + x)", 0.0, [0.0, 2.5]),
        ("abs(x*x - x^2)", 0.1, [0.0, 0.0]),
        ("sqrt(sin(x)^2 + cos(x)^2 - 1)", 0.3, [0.0]),
        ("abs(log(x))", 1.0, [0.0, 0.0]),
        ("max(cos(x), 1)*x", 0.0, [0.0, 1.0]),
        ("abs(exp(x) - 1)", 0.0, [0.0, 0.0]),
        ("clip(x, 0.1 + 0.2, 1)", 0.30000000000000004, [0.30000000000000004, 1.0]),
    ],
)
def test_ties_of_exact_numbers_are_ties(text, at, right):
    """Doubles and what sums and products make of them are exact, as long as their bits suffice."""
    loss = Loss(text)
    assert loss.exact.value([at]) == right[0]
    if len(right) > 1:
        assert loss.exact.grad([at]).tolist() == right[1:]


_EXTREME = st.sampled_from([1e-300, 3e-160, 2e-80, 1e-17, 0.3, 1.0, 7.5, 40.25, 700.5, 1e17, 1e155])


@settings(max_examples=150)
@given(text=_TEXTS, x=_EXTREME, y=_EXTREME)
def test_right_to_the_last_digit_or_refused_at_extreme_points(text, x, y):
    at = {"x": x, "y": y}
    try:
        loss = Loss(f"{text} + 0*x + 0*y")
        exact, slopes = corpora.derive(text, at, digits=2500)
    except (FormulaError, ArithmeticError, ValueError, TypeError):
        reject()
    plain = loss.internals.evaluate(x, y)
    try:
        value, grad = loss.exact.value_and_grad([x, y])
    except PrecisionError:
        return
    wanted = [exact, slopes["x"], slopes["y"]]
    for got, compiled, best in zip([value, *grad], plain, wanted, strict=True):
        if not (math.isfinite(compiled) and isinstance(best, mpmath.mpf)):
            continue
        with mpmath.workdps(2500):
            if mpmath.isfinite(best) and abs(best) < 1e300:
                error = abs(got - best)
                assert error <= 0.5001 * math.ulp(float(best)), (text, got, float(best))
