"""Functions that occur only in derivatives: one row per derivative of a function of the table.

No formula can call them. A derivative that is one node is computed once, at full accuracy where its
textbook formula would cancel, and keeps the cost of the gradient at a small multiple of the value.
For display, `symgd.calculus.readable` and `symgd.formula.sympy_bridge` replace it by its
`readable_form`. A backend without it runs its `formula`, or calls its scalar if there is none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from symgd.formula.functions import faddeeva, reference
from symgd.formula.functions.function import CHEAP, DIVIDE, ELEMENTARY, SPECIAL, Function, row


def _derivative(
    name: str, derivative: str | tuple[str, ...], doc: str, formula: str = "", **rest: object
) -> Function:
    rest.setdefault("readable_form", rest.get("definition") or formula)
    return row(name, None, derivative, doc, formula=formula, **rest)


def _bessel(kind: str, sign: str, minus: str = "") -> Function:
    """The derivative of a Bessel function: half the sum or difference of orders x - 1 and x + 1."""
    name = f"bessel{kind}_derivative"
    return _derivative(
        name, ("", f"{minus}({name}(x - 1, y) {sign} {name}(x + 1, y))/2"),
        f"derivative of bessel{kind}",
        definition=f"{minus}(bessel{kind}(x - 1, y) {sign} bessel{kind}(x + 1, y))/2",
        arity=(2, 2), cost=2 * SPECIAL, order=True, by_hand=_DIGITS,
    )  # fmt: skip


def _clip_derivative(name: str, chosen: str, condition: str, readable_form: str) -> Function:
    """The contribution of the adjoint x to one argument of clip(y, z, w); nan if one is nan."""
    return _derivative(
        name, (f"{name}(a, y, z, w)", "0", "0", "0"), f"x where clip(y, z, w) is {chosen}, else 0",
        f"where(max(y, z, w) >= y, {readable_form}, y + z + w)", readable_form=readable_form,
        arity=(4, 4), cost=DIVIDE, selects=(condition,), fraction_of_first=True, finite_everywhere=True,
    )  # fmt: skip


# Reasons for `by_hand`
_DIGITS = "carries rounding errors along, or more digits, where a formula cancels"
_MANY = "any number of arguments"

_ROOT = 2 * DIVIDE + 3 * CHEAP  # a square root, a division and what stands under it

# beta's third derivative, twice in x: (f + beta*(...))' by the product rule
_MIXED = (
    "f*digamma_difference({x}, {y}) + beta({x}, {y})*(polygamma_difference(1, {x}, {y})*digamma_difference({y}, {x})"
    " - polygamma(1, {x} + {y})*digamma_difference({x}, {y}) - polygamma(2, {x} + {y}))"
)


def _polynomial(coefficients: Sequence[float], x: str) -> str:
    """The polynomial in `x` with these coefficients, the constant first."""
    first, *rest = coefficients
    return f"({first!r} + {x}*{_polynomial(rest, x)})" if rest else repr(first)


# x + log_ndtr_derivative(x) for x < -2 is -1/x times a quotient of polynomials in 1/x**2 (interpolated at
# Chebyshev points with 60 digits, relative error below 7e-17). All terms have one sign.
_TOP = (
    0.9999999999999999, 101.75330975046917, 4133.34929830731, 87284.02679523421,
    1046917.4317287692, 7331964.876575947, 29762840.27920305, 67459858.24881533,
    79241926.19899438, 42047494.10359187, 7596965.496936258, 196242.76733966792,
)  # fmt: skip
_BOTTOM = (
    1.0, 103.75330975046887, 4330.85591780849, 94982.20553326012, 1200545.0285567965,
    9038628.377022447, 40542170.46645941, 105542224.29072751, 150754461.48862243,
    106713293.11412236, 30868811.58699745, 2317111.673301502,
)  # fmt: skip
_SQUARE = "(1/x**2)"
_TAIL = f"-{_polynomial(_TOP, _SQUARE)}/{_polynomial(_BOTTOM, _SQUARE)}/x"

# j1(x)/x and j2(x)/x**2 of the spherical Bessel functions, for small x by their series
# (Abramowitz & Stegun 10.1.2)


def _bessel_series(order: int, terms: int) -> str:
    return _polynomial(
        [
            (-0.5) ** k / (math.factorial(k) * math.prod(range(1, 2 * (order + k) + 2, 2)))
            for k in range(terms)
        ],
        "x**2",
    )


_ROWS = (
    # of sinc: the derivative of j_n(x)/x**n is -x*(j_(n+1)(x)/x**(n+1))
    _derivative(
        "j1_over_x", "-x*j2_over_x2(x)", "-(derivative of sinc)/x",
        f"where(abs(x) < 1, {_bessel_series(1, 9)}, (sin(x)/x - cos(x))/x**2)",
        definition="where(x == 0, 1/3, (sin(x)/x - cos(x))/x**2)",
        cost=3 * ELEMENTARY, range=(-0.34, 0.34), finite_everywhere=True,
    ),
    _derivative(
        "j2_over_x2", "where(abs(x) < 0.01, -x*(1 - x**2/18)/105, (j1_over_x(x) - 5*f)/x)",
        "-(derivative of j1_over_x)/x",
        f"where(abs(x) < 2, {_bessel_series(2, 13)}, ((3/x**2 - 1)*sin(x)/x - 3*cos(x)/x**2)/x**2)",
        definition="where(x == 0, 1/15, ((3/x**2 - 1)*sin(x)/x - 3*cos(x)/x**2)/x**2)",
        cost=3 * ELEMENTARY, range=(-0.07, 0.07), finite_everywhere=True,
    ),
    _derivative("logit_derivative", "(2*x - 1)*f*f", "derivative of logit", "1/(x*(1 - x))", cost=2 * DIVIDE),
    _derivative(
        "softsign_derivative", "-2*sign(x)*f/(1 + abs(x))", "derivative of softsign", "1/(1 + abs(x))**2",
        cost=2 * DIVIDE, range=(0.0, 1.0), finite_everywhere=True,
    ),
    # of the normal distribution
    _derivative(
        "ndtr_derivative", "-x*f", "normal density",
        "where(abs(x) > 40, 0, exp(-(floor(16*x)/16)**2/2)"
        "*exp(-(x - floor(16*x)/16)*(x + floor(16*x)/16)/2)/sqrt(2*pi))",
        definition="exp(-x**2/2)/sqrt(2*pi)", cost=2 * ELEMENTARY + DIVIDE,
        range=(0.0, 0.4), finite_everywhere=True,
    ),
    _derivative(
        "log_ndtr_derivative", "-f*log_ndtr_derivative_plus_x(x)", "normal density over distribution",
        "where(x < -2, log_ndtr_derivative_plus_x(x) - x, ndtr_derivative(x)/(0.5*erfc(-x/sqrt(2))))",
        definition="exp(-x**2/2)/sqrt(2*pi)/ndtr(x)", readable_form="exp(-x**2/2 - log_ndtr(x))/sqrt(2*pi)", cost=5 * ELEMENTARY,
        range=(0.0, math.inf), monotone=-1, finite_everywhere=True,
    ),
    _derivative(
        "log_ndtr_derivative_plus_x",
        "where(x < -100, (1 - (6 - (50 - (518 - 6354/x**2)/x**2)/x**2)/x**2)/x**2, 1 - f*log_ndtr_derivative(x))",
        "x + log_ndtr_derivative(x)",
        f"where(x < -2, {_TAIL}, x + ndtr_derivative(x)/(0.5*erfc(-x/sqrt(2))))",
        definition="x + exp(-x**2/2)/sqrt(2*pi)/ndtr(x)", cost=5 * ELEMENTARY,
        range=(0.0, math.inf), monotone=1, finite_everywhere=True,
    ),
    # inverse functions
    _derivative("asin_derivative", "x*f*f*f", "derivative of asin", "1/sqrt((1 - x)*(1 + x))", readable_form="1/sqrt(1 - x**2)", cost=_ROOT),
    _derivative("acosh_derivative", "-x*f*f*f", "derivative of acosh", "1/(sqrt(x - 1)*sqrt(x + 1))", cost=_ROOT),
    _derivative(
        "asec_derivative", "-f*(1/x + x/(x - 1)/(x + 1))", "derivative of asec",
        "1/(abs(x)*sqrt(abs(x) - 1)*sqrt(abs(x) + 1))", readable_form="1/(abs(x)*sqrt(x**2 - 1))", cost=_ROOT,
    ),
    _derivative(
        "asech_derivative", "f*(2*x**2 - 1)/x/((1 - x)*(1 + x))", "derivative of asech",
        "-1/(x*sqrt((1 - x)*(1 + x)))", readable_form="-1/(x*sqrt(1 - x**2))", cost=_ROOT,
    ),
    _derivative("atanh_derivative", "2*x*f*f", "derivative of atanh and acoth", "1/((1 - x)*(1 + x))", readable_form="1/(1 - x**2)", cost=2 * DIVIDE),
    _derivative("acsch_derivative", "-f*(1/x + x/(1 + x**2))", "derivative of acsch", "-1/(abs(x)*hypot(1, x))", readable_form="-1/(abs(x)*sqrt(1 + x**2))", cost=_ROOT),
    _derivative(
        "atan2_derivative", ("-2*x/hypot(x, y)/hypot(x, y)*f", "(x - y)/hypot(x, y)*((x + y)/hypot(x, y))/hypot(x, y)/hypot(x, y)"),
        "derivative of atan2(x, y) in x", "y/hypot(x, y)/hypot(x, y)", readable_form="y/(x**2 + y**2)", arity=(2, 2), cost=_ROOT,
    ),
    _derivative(
        "gaussian", "-2*zero_times_infinity(f, x, x)*f", "exp(-x**2)",
        "where(abs(x) > 40, 0, exp(-(floor(16*x)/16)**2)*exp(-(x - floor(16*x)/16)*(x + floor(16*x)/16)))",
        definition="exp(-x**2)", cost=2 * ELEMENTARY, range=(0.0, 1.0), finite_everywhere=True,
    ),
    _derivative(
        "ratio", ("ratio(1, y)", "-ratio(f, y)"), "x/y, 0 where y is infinite whatever x is",
        "where(abs(y) > 1.7976931348623157e308, 0, x/y)", readable_form="x/y", arity=(2, 2), cost=DIVIDE,
    ),
    _derivative(
        "whole_quotient", ("0", "0"), "x/y, rounded to a whole number", "floor(x/y + 0.5)", arity=(2, 2), cost=DIVIDE,
    ),
    _derivative(
        "zero_times_infinity", ("0", "0", "zero_times_infinity(x, y, a)"), "z, but 0 where x is 0 and y is not finite",
        "where(x == 0, where(abs(y) <= 1.7976931348623157e308, z, 0), z)", readable_form="z", arity=(3, 3), cost=2 * CHEAP,
    ),
    # the contribution of the adjoint x to an argument of max, min and clip
    _derivative(
        "where_greater", ("where_greater(a, y, z)", "0", "0"), "x where y > z, half of it at a tie, else 0",
        "where(y > z, x, where(y == z, x/2, where(y < z, 0, y + z)))", readable_form="x*heaviside(y - z)",
        arity=(3, 3), cost=2 * CHEAP, selects=("y >= z",), fraction_of_first=True, finite_everywhere=True,
    ),
    _clip_derivative("clip_derivative", "y", "y >= z and y <= w", "where(y < z, 0, where(y > w, 0, x))"),
    _clip_derivative("clip_derivative_low", "z and not y", "y < z and z <= w", "where(y < z, where(z > w, 0, x), 0)"),
    _clip_derivative("clip_derivative_high", "w only", "y > w or z > w", "where(max(y, z) > w, x, 0)"),
    _derivative(
        "huber_derivative", ("where(abs(x) <= y, a, 0)", "where(abs(x) <= y, 0, sign(x))"),
        "derivative of huber in x", "where(abs(x) <= y, x, sign(x)*y)",
        arity=(2, 2), cost=DIVIDE, finite_everywhere=True,
    ),
    _derivative(
        "huber_derivative_y", ("where(abs(x) <= y, 0, sign(x))", "where(abs(x) <= y, 0, -1)"),
        "derivative of huber in y", "where(abs(x) <= y, 0, abs(x) - y)",
        arity=(2, 2), cost=DIVIDE, finite_everywhere=True,
    ),
    # terms of a sum of exponentials, as fractions of it. `largest` is a constant to the derivatives: it cancels
    _derivative(
        "softmax2", ("f*softmax2(y, x)", "-f*softmax2(y, x)"), "exp(x)/(exp(x) + exp(y))", definition="sigmoid(x - y)",
        arity=(2, 2), cost=2 * ELEMENTARY, by_hand=_DIGITS, finite_everywhere=True,
    ),
    _derivative(
        "largest", "0", "largest argument", definition="max(x, y)", scalar=reference.maximum,
        arity=(1, None), cost=CHEAP, by_hand=_MANY, finite_everywhere=True,
    ),
    _derivative(
        "exp_sum", "softmax_term(x, m, 1)", "sum of exp(argument - largest argument)",
        definition="exp(x - max(x, y)) + exp(y - max(x, y))", arity=(1, None), cost=ELEMENTARY,
        shared={"m": "largest"}, by_hand=_MANY, finite_everywhere=True,
    ),
    _derivative(
        "softmax_term", ("f", "0", "-f/z"), "exp(x - y)/z", definition="exp(x - y)/z",
        arity=(3, 3), cost=ELEMENTARY + DIVIDE, by_hand=_DIGITS, finite_everywhere=True,
    ),
    # what symgd.calculus.stabilize makes of exp(x)/(exp(x) + exp(y) + ...): x is the first argument
    _derivative(
        "softmax", ("f*r", "-f*softmax_term(x, m, s)"), "exp(x)/(exp(x) + exp(y) + ...)", definition="sigmoid(x - y)", by_hand=_MANY,
        finite_everywhere=True, arity=(1, None), cost=ELEMENTARY, shared={"m": "largest", "s": "exp_sum", "r": "softmax_complement"},
    ),
    _derivative(
        "softmax_complement", ("-f*p", "p*softmax_term(x, m, s)"), "1 - softmax(x, y, ...)", definition="sigmoid(y - x)", by_hand=_MANY,
        finite_everywhere=True, arity=(1, None), cost=ELEMENTARY, shared={"m": "largest", "s": "exp_sum", "p": "softmax"},
    ),
    # what symgd.calculus.stabilize makes of logarithms and quotients that overflow
    _derivative(
        "exponent_shift", "0", "x, finite: subtracted from all exponents of a sum, it cancels",
        "min(max(x, -1.7976931348623157e308), 1.7976931348623157e308)", readable_form="0", cost=2 * CHEAP, finite_everywhere=True,
    ),
    _derivative(
        "shifted_one", "0", "exp(-x) - 1 of a shift x", "expm1(-x)", readable_form="0", cost=ELEMENTARY,
    ),
    _derivative(
        "exp_over_expm1", ("f", "f/expm1(-y)"), "exp(x)/(exp(y) - 1)",
        "where(y > 0, exp(x - y)/-expm1(-y), exp(x)/expm1(y))", readable_form="exp(x)/expm1(y)", arity=(2, 2), cost=2 * ELEMENTARY,
    ),
    _derivative(
        "logsinh", "coth(x)", "log(sinh(x))", "where(x > 1, x + log1p(-exp(-2*x)) - 0.6931471805599453, log(sinh(x)))",
        readable_form="log(sinh(x))", cost=2 * ELEMENTARY,
    ),
    # each form is accurate on its side of log(2) (M. Maechler, 2012, Accurately Computing log(1 - exp(-|a|)))
    _derivative(
        "log1mexp", "1/expm1(x)", "log(1 - exp(-x))",
        "where(x < 0.6931471805599453, log(-expm1(-x)), log1p(-exp(-x)))", readable_form="log(1 - exp(-x))", cost=2 * ELEMENTARY,
        range=(-math.inf, 0.0), monotone=1,
    ),
    _derivative(
        "log_erfc", "-1.4142135623730951*log_ndtr_derivative(-1.4142135623730951*x)", "log(erfc(x))",
        "where(x > 1, log_ndtr(-1.4142135623730951*x) + 0.6931471805599453, log1p(-erf(x)))",
        readable_form="log(erfc(x))", cost=8 * ELEMENTARY,
    ),
    # Voigt's profile and the Faddeeva function
    *(
        _derivative(
            name, faddeeva.SECOND[name], f"derivative of {of}", formula,
            arity=(count, count), readable_form=faddeeva.SHOWN.get(name, formula), cost=30 * count * ELEMENTARY - 30 * ELEMENTARY,
        )
        for name, of, formula, count in (
            ("faddeeva_x", "faddeeva_re in x", faddeeva.FADDEEVA_X, 2),
            ("faddeeva_y", "faddeeva_re in y", faddeeva.FADDEEVA_Y, 2),
            ("voigt_x", "voigt in x", faddeeva.VOIGT_X, 3),
            ("voigt_z", "voigt in z", faddeeva.VOIGT_Z, 3),
        )
    ),
    _derivative(
        "voigt_y", faddeeva.SECOND["voigt_y"], "derivative of voigt in y", definition=faddeeva.SHOWN["voigt_y"],
        arity=(3, 3), cost=60 * ELEMENTARY, by_hand=_DIGITS,
    ),
    # gamma and Bessel families
    _derivative(
        "digamma_difference", ("polygamma_difference(1, x, y)", "-polygamma(1, x + y)"), "digamma(x) - digamma(x + y)",
        readable_form="digamma(x) - digamma(x + y)", arity=(2, 2), cost=2 * SPECIAL, by_hand=_DIGITS,
    ),
    _derivative(
        "polygamma_difference", ("", "polygamma_difference(x + 1, y, z)", "-polygamma(x + 1, y + z)"),
        "polygamma(x, y) - polygamma(x, y + z)", readable_form="polygamma(x, y) - polygamma(x, y + z)",
        arity=(3, 3), cost=2 * SPECIAL, order=True, by_hand=_DIGITS,
    ),
    _derivative(
        "beta_derivative", ("f*digamma_difference(x, y) + beta(x, y)*polygamma_difference(1, x, y)", "beta_mixed_derivative(x, y)"),
        "derivative of beta in x", "beta(x, y)*digamma_difference(x, y)",
        readable_form="beta(x, y)*(digamma(x) - digamma(x + y))", arity=(2, 2), cost=4 * SPECIAL,
    ),
    _derivative(
        "beta_mixed_derivative", (_MIXED.format(x="x", y="y"), _MIXED.format(x="y", y="x")),
        "derivative of beta in x and y",
        readable_form="beta(x, y)*((digamma(x) - digamma(x + y))*(digamma(y) - digamma(x + y)) - polygamma(1, x + y))",
        arity=(2, 2), cost=5 * SPECIAL, by_hand=_DIGITS,
    ),
    _bessel("j", "-"), _bessel("y", "-"), _bessel("i", "+"), _bessel("k", "+", "-"),
)  # fmt: skip

#: Every row by name.
DERIVATIVES: dict[str, Function] = {row.name: row for row in _ROWS}
