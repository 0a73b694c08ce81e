"""The rows that only derivatives use: value, derivatives, formulas for backends and for readers."""

import itertools
import math
import random

import mpmath
import pytest

import symgd
from symgd import Loss
from symgd.calculus.gradient import gradient
from symgd.calculus.readable import readable
from symgd.formula.evaluate import evaluate_all
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.table import BY_CLASS, FUNCTIONS
from symgd.formula.nodes import topological
from symgd.formula.parse import parse
from tests.oracle import REFERENCE as ORACLE

inf, nan = math.inf, math.nan
BY_NAME = {**FUNCTIONS, **DERIVATIVES}


def _digamma(n, x):
    return mpmath.polygamma(int(n), x)


def _beta(i, j):
    """The derivative of beta, i times in x and j times in y."""

    def call(x, y):
        both = mpmath.digamma(x + y)
        p, q = mpmath.digamma(x) - both, mpmath.digamma(y) - both
        mixed = p * q - mpmath.polygamma(1, x + y)
        return mpmath.beta(x, y) * (p if (i, j) == (1, 0) else mixed)

    return call


def _bessel(name, sign, minus=1):
    f = getattr(mpmath, name)
    return lambda n, x: minus * (f(n - 1, x) + sign * f(n + 1, x)) / 2


def _step(y, z):
    return (1 + mpmath.sign(y - z)) / 2


def _density(x):
    return mpmath.exp(-x * x / 2) / mpmath.sqrt(2 * mpmath.pi)


def _hazard(x):
    return _density(x) / (mpmath.erfc(-x / mpmath.sqrt(2)) / 2)


def _sum(*args):
    return mpmath.fsum(mpmath.exp(a - max(args)) for a in args)


def _slope(name, place):
    """The derivative of a function of the oracle, by central differences."""
    return lambda *at: mpmath.diff(ORACLE[name], at, tuple(int(k == place) for k in range(len(at))))


REFERENCE = {
    "faddeeva_x": _slope("faddeeva_re", 0),
    "faddeeva_y": _slope("faddeeva_re", 1),
    "voigt_x": _slope("voigt", 0),
    "voigt_y": _slope("voigt", 1),
    "voigt_z": _slope("voigt", 2),
    "asin_derivative": lambda x: 1 / mpmath.sqrt(1 - x * x),
    "acosh_derivative": lambda x: 1 / mpmath.sqrt(x * x - 1),
    "asec_derivative": lambda x: 1 / (abs(x) * mpmath.sqrt(x * x - 1)),
    "asech_derivative": lambda x: -1 / (x * mpmath.sqrt(1 - x * x)),
    "atanh_derivative": lambda x: 1 / (1 - x * x),
    "acsch_derivative": lambda x: -1 / (abs(x) * mpmath.sqrt(1 + x * x)),
    "atan2_derivative": lambda y, x: x / (x * x + y * y),
    "gaussian": lambda x: mpmath.exp(-x * x),
    "j1_over_x": lambda x: (mpmath.sin(x) / x - mpmath.cos(x)) / x**2,
    "j2_over_x2": lambda x: ((3 - x * x) * mpmath.sin(x) - 3 * x * mpmath.cos(x)) / x**5,
    "softsign_derivative": lambda x: 1 / (1 + abs(x)) ** 2,
    "logit_derivative": lambda x: 1 / (x * (1 - x)),
    "ndtr_derivative": _density,
    "log_ndtr_derivative": _hazard,
    "log_ndtr_derivative_plus_x": lambda x: x + _hazard(x),
    "ratio": lambda x, y: x / y,
    "exponent_shift": lambda x: x,
    "shifted_one": lambda x: mpmath.expm1(-x),
    "exp_over_expm1": lambda x, y: mpmath.exp(x) / mpmath.expm1(y),
    "logsinh": lambda x: mpmath.log(mpmath.sinh(x)),
    "log1mexp": lambda x: mpmath.log(-mpmath.expm1(-x)),
    "log_erfc": lambda x: mpmath.log(mpmath.erfc(x)),
    "whole_quotient": lambda x, y: mpmath.nint(x / y),
    "zero_times_infinity": lambda x, y, z: z if x or mpmath.isfinite(y) else mpmath.mpf(0),
    "where_greater": lambda a, y, z: a * _step(y, z),
    "clip_derivative": lambda a, x, low, high: a if low <= x <= high else mpmath.mpf(0),
    "clip_derivative_low": lambda a, x, low, high: a if x < low <= high else mpmath.mpf(0),
    "clip_derivative_high": lambda a, x, low, high: a if max(x, low) > high else mpmath.mpf(0),
    "huber_derivative": lambda x, d: x if abs(x) <= d else mpmath.sign(x) * d,
    "huber_derivative_y": lambda x, d: max(abs(x) - d, mpmath.mpf(0)),
    "softmax2": lambda x, y: mpmath.exp(x) / (mpmath.exp(x) + mpmath.exp(y)),
    "largest": max,
    "exp_sum": _sum,
    "softmax_term": lambda x, m, s: mpmath.exp(x - m) / s,
    "softmax": lambda *a: mpmath.exp(a[0]) / mpmath.fsum(map(mpmath.exp, a)),
    "softmax_complement": lambda *a: 1 - mpmath.exp(a[0]) / mpmath.fsum(map(mpmath.exp, a)),
    "digamma_difference": lambda x, y: mpmath.digamma(x) - mpmath.digamma(x + y),
    "polygamma_difference": lambda n, x, y: _digamma(n, x) - _digamma(n, x + y),
    "beta_derivative": _beta(1, 0),
    "beta_mixed_derivative": _beta(1, 1),
    "besselj_derivative": _bessel("besselj", -1),
    "bessely_derivative": _bessel("bessely", -1),
    "besseli_derivative": _bessel("besseli", 1),
    "besselk_derivative": _bessel("besselk", 1, -1),
}

_UNIT = [(x,) for x in (-0.999999, -0.7, -0.25, 1e-9, 0.1, 0.5, 0.9, 0.999999)]
_OUTSIDE = [(x,) for x in (-1e10, -50.0, -1.000001, 1.000001, 1.25, 3.0, 1e10)]
_GAMMA = [
    (0.5, 0.25),
    (2.0, 3.5),
    (30.0, 40.0),
    (1e-3, 5.0),
    (1e10, 0.5),
    (0.5, 1e10),
    (5.0, 1e-12),
]
_SCORES = [(1.0, 2.0), (50.0, 0.5, -1.5), (0.5, 50.0, -1.5), (1e5, 99300.7, 99999.5), (-600.3, 0.1)]
_ORDERS = [(n, x) for n in (0, 1, 2, 5) for x in (0.3, 1.0, 2.5, 7.0, 20.0)]
_LOG_NDTR = [(x,) for x in (-1e8, -1e4, -5.1, -2.001, -1.999, -0.5, 0.3, 5.1, 20.5)]
_CLIPS = [(2.5, 0.3, 0.0, 1.0), (2.5, -0.3, 0.0, 1.0), (-2.5, 1.3, 0.0, 1.0), (1.5, 0.5, 2.0, 1.0)]

POINTS = {
    **dict.fromkeys(
        ("faddeeva_x", "faddeeva_y"), [(0.3, 0.5), (-2.0, 0.1), (5.0, 0.3), (0.1, 3.0)]
    ),
    **dict.fromkeys(
        ("voigt_x", "voigt_y", "voigt_z"),
        [(0.3, 1.0, 0.5), (-2.0, 0.7, 0.1), (5.0, 1.0, 0.3), (0.1, 2.0, 3.0)],
    ),
    "asin_derivative": _UNIT,
    "acosh_derivative": [(1.000001,), (1.25,), (1e10,), (1e60,)],
    "asec_derivative": _OUTSIDE,
    "asech_derivative": [(1e-10,), (0.1,), (0.5,), (0.9,), (0.999,)],
    "atanh_derivative": [*_UNIT, *_OUTSIDE],
    "acsch_derivative": [(-30.5,), (-0.3,), (1e-10,), (0.7,), (1e60,)],
    "atan2_derivative": [
        (-2.5, 0.75),
        (0.5, 3.0),
        (1e-8, 2.0),
        (4.0, -1.5),
        (1e70, 2e70),
        (1e-60, 3e-60),
    ],
    "gaussian": [(x,) for x in (-26.3, -6.0, -0.5, 1e-10, 0.03, 1.7, 5.1, 26.49)],
    "j1_over_x": [(x,) for x in (-5.0, -0.7, 1e-9, 0.1, 0.999, 1.001, 2.5, 30.0)],
    "j2_over_x2": [(x,) for x in (-5.0, -0.7, 1e-9, 0.1, 0.999, 1.999, 2.5, 30.0)],
    "softsign_derivative": [(x,) for x in (-1e10, -0.7, 1e-9, 0.5, 3.0)],
    "logit_derivative": [(x,) for x in (1e-10, 0.1, 0.4999, 0.5001, 0.9, 0.999999)],
    "ndtr_derivative": [(x,) for x in (-37.5, -6.0, -0.5, 1e-10, 0.03, 1.7, 5.1, 26.49)],
    "log_ndtr_derivative": _LOG_NDTR,
    "log_ndtr_derivative_plus_x": _LOG_NDTR,
    "ratio": [(2.5, -0.75), (0.0, 3.0), (1e300, 1e308), (-3.0, 1e-100)],
    "exponent_shift": [(0.0,), (-800.0,), (1e300,)],
    "shifted_one": [(0.0,), (1e-10,), (-3.0,), (800.0,)],
    "exp_over_expm1": [(0.5, 1e-9), (3.0, 2.0), (1.0, -2.0), (700.0, 720.0)],
    "logsinh": [(1e-9,), (0.5,), (1.0,), (1.5,), (30.0,), (1e5,)],
    "log1mexp": [(1e-9,), (0.5,), (0.69,), (0.7,), (3.0,), (700.0,)],
    "log_erfc": [(-6.0,), (-1e-9,), (0.5,), (1.0,), (1.5,), (30.0,), (1e4,)],
    "whole_quotient": [(6.0, 3.0), (-6.000000000000001, 3.0), (1e300, 1e100), (-7e-310, 7e-310)],
    "zero_times_infinity": [(0.0, 1e300, 2.0), (-1e-320, 2.5, 2.0), (3.0, -0.75, -5.0)],
    "where_greater": [(2.5, 0.3, 0.1), (-2.5, 0.1, 0.3)],
    "clip_derivative": _CLIPS,
    "clip_derivative_low": _CLIPS,
    "clip_derivative_high": _CLIPS,
    "huber_derivative": [(0.3, 1.0), (-4.0, 1.5), (4.0, 0.5)],
    "huber_derivative_y": [(0.3, 1.0), (-4.0, 1.5), (4.0, 0.5)],
    "softmax2": [
        (0.3, -1.5),
        (-1.5, 0.3),
        (1e5, 99300.7),
        (99300.7, 1e5),
        (-0.1, 700.3),
        (40.0, 0.5),
    ],
    "largest": [(1.0, 2.0, -3.0)],
    "exp_sum": [(1.0, 2.0, -3.0), (1e5, 99999.5), (0.1, 600.3, 2.0)],
    "softmax_term": [(1.0, 2.0, 1.5), (0.1, 600.3, 2.25), (99999.5, 1e5, 1.25)],
    "softmax": _SCORES,
    "softmax_complement": _SCORES,
    "digamma_difference": _GAMMA,
    "polygamma_difference": [(n, *p) for n in (0, 1, 2, 3) for p in _GAMMA],
    "beta_derivative": _GAMMA,
    "beta_mixed_derivative": [(0.5, 0.25), (2.0, 3.5), (30.0, 40.0), (1e-3, 5.0), (5.0, 1e-12)],
    "besselj_derivative": _ORDERS,
    "bessely_derivative": _ORDERS,
    "besseli_derivative": _ORDERS,
    "besselk_derivative": _ORDERS,
}

#: Relative errors that are allowed beyond 4e-15 in a value and 1e-14 in a derivative (name').
LOOSE = {
    "beta_derivative": 2e-14,  # beta of mpmath, rounded, times a gap
    "beta_mixed_derivative'": 2e-13,  # the third derivative of beta: a difference of two products
    "j2_over_x2'": 1e-10,  # the fourth derivative of sinc: a difference
    "log_ndtr_derivative_plus_x'": 4e-14,  # third derivative of log_ndtr: 1 - a product near 1
    "asech_derivative'": 2e-14,  # next to its zero at 0.707
    # differences of terms that are larger by |z|**2, in each derivative
    **dict.fromkeys(("faddeeva_x", "faddeeva_y", "voigt_x", "voigt_y", "voigt_z"), 2e-12),
    **dict.fromkeys(("faddeeva_x'", "faddeeva_y'", "voigt_x'", "voigt_y'", "voigt_z'"), 2e-10),
}
# What is not a derivative on purpose: `largest` cancels where it is used; the sum and the share
# of softmax count it as a constant.
DETACHED = {"largest", "exp_sum", "softmax_term", "exponent_shift", "shifted_one"}

rows = pytest.mark.parametrize("name", list(DERIVATIVES))


def letters(point):
    return list("xyzw"[: len(point)])


def built(name, point):
    """The node over one leaf per argument, its graph and its leaves; an order is a number."""
    args = letters(point)
    if DERIVATIVES[name].order:
        args[0] = str(point[0])
    formula = parse(f"{name}({', '.join(args)})", table=True)
    leaves = [formula.variables[a] for a in args if a in formula.variables]
    return formula.graph, formula.root, leaves


def at(leaves, point):
    return dict(zip(leaves, point[-len(leaves) :], strict=True))


def relative(got, exact):
    if abs(exact) < 1e-300:
        return abs(got)
    return float(abs((mpmath.mpf(got) - exact) / exact))


def slopes(name, point):
    """The exact partial derivatives, by central differences with many digits."""
    f = REFERENCE[name]
    args = [mpmath.mpf(p) for p in point]

    def partial(k):
        def g(t):
            return f(*args[:k], t, *args[k + 1 :])

        step = (abs(args[k]) or 1) * mpmath.mpf(10) ** (-(mpmath.mp.dps // 3))
        return (g(args[k] + step) - g(args[k] - step)) / (2 * step)

    return [partial(k) for k in range(DERIVATIVES[name].order, len(args))]


def test_reference_covers_the_rows():
    assert REFERENCE.keys() == POINTS.keys() == DERIVATIVES.keys()


def digits(text):
    """How many to compute with; mpmath's K of so many would take seconds, and nothing cancels."""
    if "bessel" in text:
        return 60
    return 120 if text in DERIVATIVES and DERIVATIVES[text].cost >= 100 else 800


@rows
def test_value_and_derivative_agree_with_mpmath(name):
    for point in POINTS[name]:
        graph, root, leaves = built(name, point)
        grad = gradient(graph, root, [graph.atom(leaf) for leaf in leaves])
        values = evaluate_all([root, *grad], at(leaves, point))
        with mpmath.workdps(digits(name)):
            exact = REFERENCE[name](*map(mpmath.mpf, point))
            got = values[id(root)]
            assert relative(got, exact) <= LOOSE.get(name, 4e-15), (point, got, float(exact))
            if name in DETACHED or (name == "beta_mixed_derivative" and min(point) < 0.1):
                continue  # beta's third derivative cancels where an argument is small
            for node, wanted in zip(grad, slopes(name, point), strict=True):
                got = values.get(id(node), 0.0)
                error = relative(got, wanted)
                assert error <= LOOSE.get(f"{name}'", 1e-14), (point, got, float(wanted))


@rows
def test_scalar_never_raises_and_nan_stays_nan(name):
    row = DERIVATIVES[name]
    edges = [0.0, -0.0, 1.0, -1.0, 0.5, -2.0, inf, -inf, nan, 1e308, -1e308, 5e-324, 710.0, -746.0]
    count = row.arity[1] or 3
    some = edges if count < 3 else edges[:2] + edges[4:10]
    first = [0.0, 1.0, 2.0] if row.order else some
    for args in itertools.product(first, *[some] * (count - 1)):
        if row.order and args[1] < -1e4:
            continue
        got = row.scalar(*args)
        assert isinstance(got, float), args
        decides = args[1:] if name.startswith(("where_greater", "clip_", "ratio")) else args
        if name == "zero_times_infinity":
            decides = args[2:] if args[0] or math.isfinite(args[1]) else ()
        if any(math.isnan(a) for a in decides):
            assert math.isnan(got), args


@rows
def test_definition_is_the_same_function(name):
    """To 13 digits; gaps may cancel there. Formulas are compared bit for bit in test_rows."""
    row = DERIVATIVES[name]
    if row.formula or not row.definition:
        return
    formula = parse(row.definition, table=True)
    for point in POINTS[name]:
        if row.variadic and len(point) > 2 or name == "polygamma_difference" or max(point) > 1e100:
            continue
        leaves = [v for k, v in sorted(formula.variables.items(), key=lambda p: "xyzw".index(p[0]))]
        given = [p for k, p in zip("xyzw", point, strict=False) if k in formula.variables]
        got = evaluate_all([formula.root], dict(zip(leaves, given, strict=True)))[id(formula.root)]
        assert got == pytest.approx(row.scalar(*point), rel=2e-13, abs=0), point


@rows
def test_readers_see_callable_functions_of_the_same_value(name):
    for point in POINTS[name]:
        if DERIVATIVES[name].cost >= 100 and max(point) > 100 or min(point[1:], default=1) < 1e-9:
            continue  # what people read may cancel
        if name in ("exponent_shift", "shifted_one"):
            continue  # they cancel, so readers do not see them
        if name in ("exp_over_expm1", "logsinh", "log_erfc") and max(point) > 20:
            continue  # what people read overflows
        if name.startswith(("j1", "j2", "log_ndtr")) and not 1e-3 < abs(point[0]) < 30:
            continue
        graph, root, leaves = built(name, point)
        (shown,) = readable(graph, [root])
        values = evaluate_all([root, shown], at(leaves, point))
        assert values[id(shown)] == pytest.approx(values[id(root)], rel=1e-8, abs=1e-300), point
        assert not {n.func for n in topological([shown])} & {
            row.node for row in DERIVATIVES.values()
        }


@rows
def test_no_formula_can_call_a_slope(name):
    assert name not in FUNCTIONS
    assert BY_CLASS[DERIVATIVES[name].node] is DERIVATIVES[name]
    refusal = "is an array" if name == "softmax" else "is not a function"
    with pytest.raises(symgd.FormulaError, match=refusal):
        Loss(f"{name}(x)")


@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_gradient_text_can_be_typed_again(name):
    row = FUNCTIONS[name]
    count = 3 if row.variadic else row.arity[1] or 3
    args = ["a > 0" if name == "where" else "2" if row.order else "a", *"bc"][:count]
    loss = Loss(f"{name}({', '.join(args)})")
    for text in loss.gradient_text().values():
        Loss(text, params=loss.params)


# Second derivatives through the slopes


@pytest.mark.parametrize(
    ("text", "at", "function"),
    [
        ("asin(x)", (0.999,), mpmath.asin),
        ("acosh(x)", (1.001,), mpmath.acosh),
        ("asec(x)", (-1.001,), mpmath.asec),
        ("acoth(x)", (1e5,), mpmath.acoth),
        ("acsch(x)", (-0.2,), mpmath.acsch),
        ("erfc(x)", (20.3,), mpmath.erfc),
        ("besselj(2, x)", (3.5,), lambda x: mpmath.besselj(2, x)),
        ("besselk(0, x)", (3.5,), lambda x: mpmath.besselk(0, x)),
        ("atan2(x, y)", (1e-3, 2.0), mpmath.atan2),
        ("betaln(x, y)", (1e5, 0.5), lambda x, y: mpmath.log(mpmath.beta(x, y))),
        ("beta(x, y)", (1e5, 0.5), mpmath.beta),
        ("beta(x, y)", (5.0, 1e-6), mpmath.beta),
        ("logsumexp(x, y)", (40.0, 0.5), lambda *a: mpmath.log(_total(a))),
        ("logsumexp(x, y, z)", (1.0, 2.5, -30.0), lambda *a: mpmath.log(_total(a))),
        ("logsumexp(x, y, z)", (40.0, 0.5, -1.0), lambda *a: mpmath.log(_total(a))),
        ("logsumexp(x, y, z)", (0.5, 60.0, -1.0), lambda *a: mpmath.log(_total(a))),
        ("logsumexp(x, y, x)", (40.0, 0.5), lambda x, y: mpmath.log(_total((x, y, x)))),
        (
            "logsumexp(x, y, z, w)",
            (1e5, 1e5 - 0.3, 99998.5, 99999.0),
            lambda *a: mpmath.log(_total(a)),
        ),
    ],
)
def test_hessian_agrees_with_mpmath(text, at, function):
    loss = Loss(text)
    here = dict(zip([c for c in "xyzw" if c in loss.params], at, strict=True))
    got = loss.hess(here).tolist()
    order = list(here)
    with mpmath.workdps(min(digits(text), 400)):
        point = [mpmath.mpf(p) for p in at]
        for i, j in itertools.combinations_with_replacement(range(len(at)), 2):
            wanted = second(function, point, i, j)
            entry = got[loss.params.index(order[i])][loss.params.index(order[j])]
            assert relative(entry, wanted) <= 1e-13, (i, j, entry, float(wanted))


def _total(args):
    return mpmath.fsum(map(mpmath.exp, args))


def second(f, point, i, j):
    steps = [abs(p) * mpmath.mpf(10) ** -(mpmath.mp.dps // 4) for p in point]

    def value(a, b):
        here = list(point)
        here[i] += a * steps[i]
        here[j] += b * steps[j]
        return f(*here)

    corners = value(1, 1) - value(1, -1) - value(-1, 1) + value(-1, -1)
    return corners / (4 * steps[i] * steps[j])


def test_softmax_of_random_scores_is_right():
    source = random.Random("softmax")
    for count in (2, 3, 5):
        scores = [source.uniform(-1e5, -1e5 + 700) for _ in range(count)]
        loss = Loss(f"logsumexp({', '.join(f'x{k}' for k in range(count))})")
        with mpmath.workdps(60):
            whole = _total(map(mpmath.mpf, scores))
            for got, score in zip(loss.internals.evaluate(*scores)[1:], scores, strict=True):
                assert relative(got, mpmath.exp(mpmath.mpf(score)) / whole) <= 1e-15


@pytest.mark.parametrize("name", list(FUNCTIONS))
@pytest.mark.parametrize("count", [2, 3, 5, 40])
def test_gradient_costs_at_most_four_values(name, count):
    """By operations and by weight, of every function, and the adjoint multiplied on."""
    row = FUNCTIONS[name]
    if row.arity[1] is not None and count > 2:
        return
    args = [f"x{k}" for k in range(row.arity[1] or count)]
    args[:1] = ["x0 < 1"] if name == "where" else ["2"] if row.order else args[:1]
    loss = Loss(f"{name}({', '.join(args)})")
    assert loss.program.operations <= 4 * loss.internals.value_program.operations
    assert loss.program.cost <= 4 * loss.internals.value_program.cost


def test_hessian_of_many_scores_is_right():
    """Beyond 16 scores the diagonal is f - f*f: right to rounding of the largest entry."""
    scores = [math.sin(k) for k in range(20)]
    shares = [math.exp(s) / math.fsum(map(math.exp, scores)) for s in scores]
    got = Loss(f"logsumexp({', '.join(f'x{k}' for k in range(20))})").internals.hess_rows(scores)
    for i, j in itertools.product(range(20), repeat=2):
        wanted = shares[i] * ((i == j) - shares[j])
        assert got[i][j] == pytest.approx(wanted, rel=1e-13)


def test_product_of_equal_factors_costs_at_most_four_values():
    loss = Loss("*".join(["(x*y + 1)"] * 299))
    assert loss.program.operations <= 4 * loss.internals.value_program.operations
    assert loss.program.cost <= 4 * loss.internals.value_program.cost
    value, dx, dy = loss.internals.evaluate(0.5, 0.01)
    assert value == pytest.approx(1.005**299, rel=1e-12)
    assert [dx, dy] == pytest.approx([299 * 1.005**298 * 0.01, 299 * 1.005**298 * 0.5], rel=1e-12)


@pytest.mark.parametrize(
    ("text", "at", "slopes"),
    [
        ("x*x*y*x", (2.0, 3.0), [36.0, 8.0]),
        ("y/x/x", (2.0, 3.0), [-0.75, 0.25]),
        ("x*y*x/x/y", (2.0, 4.0), [1.0, 0.0]),
        ("2*x*2*x", (3.0,), [24.0]),
    ],
)
def test_product_with_repeated_factors(text, at, slopes):
    assert Loss(text).internals.evaluate(*at)[1:] == pytest.approx(slopes, rel=1e-15)


@pytest.mark.parametrize(
    "name", [n for n, row in BY_NAME.items() if row.definition and n != "hypot"]
)
def test_definition_is_nan_where_the_function_is(name):
    """Backends without the function run its definition. hypot(inf, nan) is inf, as IEEE has it."""
    row = BY_NAME[name]
    formula = parse(row.meaning, table=True)
    count = 2 if row.variadic else row.arity[1]
    for args in itertools.product([0.0, -0.5, 2.0, inf, -inf, nan], repeat=count):
        if nan in args and not (row.order and args[0] != 2):
            places = dict(zip("xyzw", args, strict=False))
            leaves = {leaf: places[letter] for letter, leaf in formula.variables.items()}
            got = evaluate_all([formula.root], leaves)[id(formula.root)]
            assert math.isnan(got) == math.isnan(row.scalar(*args)), args
