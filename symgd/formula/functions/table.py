"""THE table of functions that a formula may use.

A row holds everything about one function: how it is called, a numerically stable formula from
which every backend generates its code, its derivative (as a formula over its arguments x, y, z, its
own value f and the adjoint a), and known properties of its values. A new function is one new row;
the tests run over the table.

At kinks and jumps the derivative follows one convention, stated in the row's `kink`: the mean of
the two sides for max and min ties and for heaviside, 0 for |x| at 0 and for steps, and relu'(0) = 0
(as PyTorch and JAX have it).
"""

from __future__ import annotations

import math

import sympy

from symgd.formula.functions import faddeeva, reference
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.function import CHEAP, DIVIDE, ELEMENTARY, SPECIAL, Function, Power
from symgd.formula.functions.function import library_row as _library
from symgd.formula.functions.function import row as _row
from symgd.formula.nodes import Node, Where

__all__ = [
    "BY_CLASS", "CALLABLE", "CHEAP", "DIVIDE", "ELEMENTARY", "FUNCTIONS", "POWERS", "SPECIAL", "VARIABLES", "Function",
    "flat_arguments",
]  # fmt: skip


# Reasons for `by_hand`
_INSTRUCTION = "one instruction of the processor"
_SERIES = "iterates until it converges"

_GAMMA_POLE = "x <= 0 and x == floor(x)"
_BETA_POLE = (
    f"({_GAMMA_POLE} or y <= 0 and y == floor(y)) and not (x + y <= 0 and x + y == floor(x + y))"
)


_QUOTIENT = "derivatives 1 and minus the whole quotient, also at the jumps"

_INFINITE = math.inf
_UNIT, _POSITIVE = (-1.0, 1.0), (0.0, _INFINITE)
_HALF_TURN, _TURN = math.pi / 2, math.pi


def _step(name: str, node: type | None, doc: str, **rest: object) -> Function:
    kink = "derivative 0 everywhere, also at the jumps"
    return _row(
        name, node, "0", doc, kink=kink, cost=CHEAP, monotone=1, finite_everywhere=True, **rest
    )


_ROWS = (
    _library(
        "exp", sympy.exp, "f", "e to the power x",
        range=_POSITIVE, monotone=1, overflows=True, relative_derivative="1", entire=True,
    ),
    _library("log", sympy.log, "1/x", "natural logarithm", aliases=("ln",), domain=_POSITIVE, monotone=1, pole="x == 0"),
    _library(
        "log10", None, "0.4342944819032518/x", "logarithm to base 10", definition="log(x)/log(10)",
        exact_derivative=("1/(x*log(10))",), domain=_POSITIVE, monotone=1, pole="x == 0",
    ),
    _library(
        "log2", None, "1.4426950408889634/x", "logarithm to base 2", definition="log(x)/log(2)",
        exact_derivative=("1/(x*log(2))",), domain=_POSITIVE, monotone=1, mpmath="", pole="x == 0",
    ),
    _library("log1p", None, "1/(1 + x)", "log(1 + x), accurate near 0", definition="log(1 + x)", domain=(-1.0, _INFINITE), monotone=1, pole="x == -1"),
    _library(
        "expm1", None, "exp(x)", "exp(x) - 1, accurate near 0", definition="exp(x) - 1",
        range=(-1.0, _INFINITE), monotone=1, overflows=True, relative_derivative="-1/expm1(-x)", entire=True,
    ),
    _row(
        "cbrt", None, "1/(3*f**2)", "real cube root", numpy="cbrt", monotone=1, steep=True,
        definition="sign(x)*abs(x)**(1/3)", by_hand="the library's, and a Newton step that makes cubes exact",
    ),
    _row(
        "abs", sympy.Abs, "sign(x)", "absolute value, also |x|", aliases=("Abs", "fabs"), variables=("Abs", "fabs"), scalar=abs, numpy="abs", cost=CHEAP,
        kink="derivative 0 at 0", by_hand=_INSTRUCTION,
        range=_POSITIVE, even=True, finite_everywhere=True, convexity="norm",
    ),
    _step("sign", sympy.sign, "-1, 0 or 1", numpy="sign", formula="where(x > 0, 1, where(x < 0, -1, where(x == 0, 0, x)))", range=_UNIT),
    _step(
        "heaviside", None, "0 left of 0, 1 right of 0, 1/2 at 0", aliases=("Heaviside",), variables=("Heaviside",),
        formula="where(x > 0, 1, where(x < 0, 0, where(x == 0, 0.5, x)))", definition="(1 + sign(x))/2",
        range=(0.0, 1.0),
    ),
    _step("floor", sympy.floor, "largest whole number <= x", numpy="floor", mpmath="floor", by_hand=_INSTRUCTION),
    _step("ceil", sympy.ceiling, "smallest whole number >= x", aliases=("ceiling",), variables=("ceiling",), numpy="ceil", mpmath="ceil", by_hand=_INSTRUCTION),
    # trigonometric
    _library("sin", sympy.sin, "cos(x)", "sine of an angle in radians", range=_UNIT, finite_everywhere=True),
    _library("cos", sympy.cos, "-sin(x)", "cosine of an angle in radians", range=_UNIT, finite_everywhere=True),
    _library("tan", sympy.tan, "1 + f**2", "tangent of an angle in radians"),
    _row(
        "sinc", sympy.sinc, "-x*j1_over_x(x)", "sin(x)/x, 1 at 0", formula="where(x == 0, 1, sin(x)/x)",
        variables=("sinc",), cost=ELEMENTARY + DIVIDE, range=(-0.21723362821122172, 1.0), finite_everywhere=True,
    ),
    _row("cot", sympy.cot, "-(1 + f**2)", "1/tan(x)", formula="1/tan(x)"),
    _row("sec", sympy.sec, "f*tan(x)", "1/cos(x)", formula="1/cos(x)"),
    _row("csc", sympy.csc, "-f*cot(x)", "1/sin(x)", formula="1/sin(x)"),
    _library(
        "asin", sympy.asin, "asin_derivative(x)", "inverse sine", numpy="arcsin", aliases=("arcsin",),
        domain=_UNIT, range=(-_HALF_TURN, _HALF_TURN), monotone=1, steep=True,
    ),
    _library(
        "acos", sympy.acos, "-asin_derivative(x)", "inverse cosine", numpy="arccos", aliases=("arccos",),
        domain=_UNIT, range=(0.0, _TURN), monotone=-1, steep=True,
    ),
    _library(
        "atan", sympy.atan, "1/(1 + x**2)", "inverse tangent", numpy="arctan", aliases=("arctan",),
        range=(-_HALF_TURN, _HALF_TURN), monotone=1, finite_everywhere=True,
    ),
    _row("acot", sympy.acot, "-1/(1 + x**2)", "atan(1/x)", aliases=("arccot",), formula="atan(1/x)", finite_everywhere=True),
    _row(
        "asec", sympy.asec, "asec_derivative(x)", "acos(1/x)", aliases=("arcsec",), steep=True,
        formula="atan2(sqrt(abs(x) - 1)*sqrt(abs(x) + 1), where(x < 0, -1, 1))",
    ),
    _row(
        "acsc", sympy.acsc, "-asec_derivative(x)", "asin(1/x)", aliases=("arccsc",), steep=True,
        formula="atan2(where(x < 0, -1, 1), sqrt(abs(x) - 1)*sqrt(abs(x) + 1))",
    ),
    _library(
        "atan2", sympy.atan2, ("atan2_derivative(x, y)", "-atan2_derivative(y, x)"),
        "angle of the point (y, x): atan2(opposite, adjacent)",
        arity=(2, 2), numpy="arctan2", aliases=("arctan2",), range=(-_TURN, _TURN),
    ),
    # hyperbolic
    _library("sinh", sympy.sinh, "cosh(x)", "hyperbolic sine", monotone=1, overflows=True, relative_derivative="coth(x)", entire=True),
    _library(
        "cosh", sympy.cosh, "sinh(x)", "hyperbolic cosine",
        range=(1.0, _INFINITE), even=True, overflows=True, relative_derivative="tanh(x)", entire=True,
    ),
    _library("tanh", sympy.tanh, "sech(x)**2", "hyperbolic tangent", range=_UNIT, monotone=1, finite_everywhere=True),
    _row("coth", sympy.coth, "-csch(x)**2", "1/tanh(x)", formula="1/tanh(x)"),
    _row(
        "sech", sympy.sech, "-f*tanh(x)", "1/cosh(x)", formula="2*exp(-abs(x))/(1 + exp(-abs(x))**2)",
        range=(0.0, 1.0), finite_everywhere=True,
    ),
    _row("csch", sympy.csch, "-f*coth(x)", "1/sinh(x)", formula="1/sinh(x)"),
    _library(
        "asinh", sympy.asinh, "1/hypot(1, x)", "inverse of sinh", numpy="arcsinh", aliases=("arcsinh",),
        monotone=1, finite_everywhere=True,
    ),
    _library(
        "acosh", sympy.acosh, "acosh_derivative(x)", "inverse of cosh", numpy="arccosh", aliases=("arccosh",),
        domain=(1.0, _INFINITE), range=_POSITIVE, monotone=1, steep=True,
    ),
    _library(
        "atanh", sympy.atanh, "atanh_derivative(x)", "inverse of tanh", numpy="arctanh", aliases=("arctanh",),
        domain=_UNIT, monotone=1, pole="abs(x) == 1",
    ),
    _row(
        "acoth", sympy.acoth, "atanh_derivative(x)", "atanh(1/x)", aliases=("arccoth",),
        formula="where(x < 0, -0.5, 0.5)*log1p(2/(abs(x) - 1))",
    ),
    _row(
        "asech", sympy.asech, "asech_derivative(x)", "acosh(1/x)", aliases=("arcsech",), steep=True,
        formula="where(x < 0, sqrt(x), asinh(sqrt((1 - x)*(1 + x))/abs(x)))",
    ),
    _row("acsch", sympy.acsch, "acsch_derivative(x)", "asinh(1/x)", aliases=("arccsch",), formula="asinh(1/x)"),
    # several arguments
    _row(
        "hypot", None, "zero_times_infinity(f, x/f, x/f)", "sqrt(x**2 + y**2 + ...) without overflow", kink="derivative 0 at 0",
        readable_derivative=("x/f",),
        arity=(1, None), math="hypot", cost=3, sympy_form=lambda *a: sympy.sqrt(sympy.Add(*(t**2 for t in a))),
        definition="sqrt(x**2 + y**2)", range=_POSITIVE, convexity="norm",
        by_hand="any number of arguments; correctly rounded as math.hypot, which C's is not",
    ),
    _row(
        "max", None, ("where_greater(a, x, y)", "where_greater(a, y, x)"), "largest argument", aliases=("Max", "maximum"), variables=("Max", "maximum"),
        scalar=reference.maximum, numpy="maximum", arity=(1, None), cost=2, pairwise=True,
        selects=("x >= y", "y >= x"), sympy_form=sympy.Max, kink="a tie shares the derivative equally between the two",
        by_hand="any number of arguments", monotone=1, finite_everywhere=True, convexity="convex",
    ),
    _row(
        "min", None, ("where_greater(a, y, x)", "where_greater(a, x, y)"), "smallest argument", aliases=("Min", "minimum"), variables=("Min", "minimum"),
        scalar=reference.minimum, numpy="minimum", arity=(1, None), cost=2, pairwise=True,
        selects=("x <= y", "y <= x"), sympy_form=sympy.Min, kink="a tie shares the derivative equally between the two",
        by_hand="any number of arguments", monotone=1, finite_everywhere=True, convexity="concave",
    ),
    _row(
        "clip", None,
        ("clip_derivative(a, x, y, z)", "clip_derivative_low(a, x, y, z)", "clip_derivative_high(a, x, y, z)"),
        "x kept within [y, z]", arity=(3, 3), cost=4, formula="min(max(x, y), z)",
        selects=("x >= y and x <= z", "x < y and y <= z", "x > z or y > z"),
        sympy_form=lambda x, y, z: sympy.Min(sympy.Max(x, y), z), kink="derivative 1 at both bounds",
        monotone=1, finite_everywhere=True,
    ),
    _library(
        "fmod", None, ("1", "whole_quotient(f - x, y)"),
        "the rest of a division, exactly, with the sign of x", arity=(2, 2), variables=("fmod",), mpmath="",
        definition="x - y*where(x/y < 0, ceil(x/y), floor(x/y))", kink=_QUOTIENT,
    ),
    _row(
        "mod", None, ("1", "whole_quotient(f - x, y)"), "x - y*floor(x/y): the rest of a division, with the sign of y",
        formula=(
            "where(y > 0, where(fmod(x, y) < 0, fmod(x, y) + y, fmod(x, y)),"
            " where(fmod(x, y) > 0, fmod(x, y) + y, fmod(x, y)))"
        ),
        arity=(2, 2), definition="x - y*floor(x/y)", variables=("mod",), kink=_QUOTIENT,
    ),
    _row(
        "where", Where, (), "x where the comparison holds, else y; the other is never evaluated",
        arity=(3, 3), cost=CHEAP, scalar=reference.where, by_hand="an operation of every machine",
        kink="the derivative of the branch taken",
    ),
    # error function, gamma and Bessel families
    _library(
        "erf", sympy.erf, "2/sqrt(pi)*gaussian(x)", "error function", numpy="",
        exact_derivative=("2/sqrt(pi)*gaussian(x)",), range=_UNIT, monotone=1, finite_everywhere=True,
    ),
    _library(
        "erfc", sympy.erfc, "-2/sqrt(pi)*gaussian(x)", "1 - erf(x)", numpy="",
        exact_derivative=("-2/sqrt(pi)*gaussian(x)",), range=(0.0, 2.0), monotone=-1, finite_everywhere=True,
    ),
    _row(
        "ndtr", None, "ndtr_derivative(x)", "normal distribution: the probability of values below x",
        formula="where(x < -2, ndtr_derivative(x)/log_ndtr_derivative(x), 0.5*erfc(-x/sqrt(2)))",
        definition="erfc(-x/sqrt(2))/2", variables=("ndtr",), cost=5 * ELEMENTARY,
        range=(0.0, 1.0), monotone=1, finite_everywhere=True,
    ),
    _row(
        "log_ndtr", None, "log_ndtr_derivative(x)", "log(ndtr(x)), also far in its left tail",
        formula=(
            "where(x < -2, -0.5*x**2 - (log(log_ndtr_derivative(x)) + log(2*pi)/2),"
            " where(x < 0, log(ndtr(-abs(x))), log1p(-ndtr(-abs(x)))))"
        ),
        definition="log(erfc(-x/sqrt(2))/2)", variables=("log_ndtr",), cost=7 * ELEMENTARY,
        range=(-_INFINITE, 0.0), monotone=1, finite_everywhere=True,
    ),
    _row(
        "lambertw", sympy.LambertW, "exp(-f)/(1 + f)", "Lambert's W: the w >= -1 with w*exp(w) = x",
        by_hand=_SERIES,
        aliases=("LambertW",), mpmath="lambertw", cost=SPECIAL,
        domain=(-0.36787944117144233, _INFINITE), range=(-1.0, _INFINITE), monotone=1, steep=True,
    ),
    _row(
        "voigt", None, ("voigt_x(x, y, z)", "voigt_y(x, y, z)", "voigt_z(x, y, z)"),
        "Voigt's profile of area 1: y the standard deviation of its Gaussian, z the half width of its Lorentzian",
        formula=faddeeva.VOIGT, definition=faddeeva.VOIGT_EXACT,
        arity=(3, 3), cost=60 * ELEMENTARY, range=_POSITIVE,
    ),
    _row(
        "faddeeva_re", None, ("faddeeva_x(x, y)", "faddeeva_y(x, y)"),
        "real part of w(x + iy) = exp(-z^2)*erfc(-iz), y >= 0",
        formula=faddeeva.REAL, sympy_form=faddeeva.FaddeevaReal, arity=(2, 2), cost=30 * ELEMENTARY, range=(0.0, 1.0000001),
    ),
    _row(
        "faddeeva_im", None, ("-faddeeva_y(x, y)", "faddeeva_x(x, y)"),
        "imaginary part of w(x + iy) = exp(-z^2)*erfc(-iz), y >= 0",
        formula=faddeeva.IMAGINARY, sympy_form=faddeeva.FaddeevaImaginary, arity=(2, 2), cost=30 * ELEMENTARY, range=_UNIT,
    ),
    _row(
        "gamma", sympy.gamma, "f*digamma(x)", "gamma function", variables=("gamma",), math="gamma", c="tgamma", cost=SPECIAL,
        overflows=True, relative_derivative="digamma(x)", pole=_GAMMA_POLE,
    ),
    _row(
        "loggamma", sympy.loggamma, "digamma(x)", "log |gamma(x)|", convex_from=0.0,
        math="lgamma", c="lgamma", cost=SPECIAL, aliases=("lgamma", "gammaln"), variables=("gammaln",), pole=_GAMMA_POLE,
    ),
    _row("digamma", sympy.digamma, "polygamma(1, x)", "derivative of loggamma", cost=SPECIAL, by_hand=_SERIES, pole=_GAMMA_POLE),
    _row(
        "polygamma", sympy.polygamma, ("", "polygamma(x + 1, y)"), "n-th derivative of digamma",
        arity=(2, 2), cost=SPECIAL, order=True, by_hand=_SERIES, pole="y <= 0 and y == floor(y)",
    ),
    _row(
        "beta", sympy.beta, ("beta_derivative(x, y)", "beta_derivative(y, x)"),
        "beta function", variables=("beta",), arity=(2, 2), cost=3 * SPECIAL, by_hand=_SERIES, pole=_BETA_POLE,
    ),
    _row(
        "betaln", None, ("digamma_difference(x, y)", "digamma_difference(y, x)"),
        "log of the beta function, x, y > 0", arity=(2, 2), cost=3 * SPECIAL,
        definition="loggamma(x) + loggamma(y) - loggamma(x + y)", by_hand=_SERIES,
    ),
    *(
        _row(
            f"bessel{kind}", getattr(sympy, f"bessel{kind}"), ("", f"bessel{kind}_derivative(x, y)"), doc,
            arity=(2, 2), cost=SPECIAL, order=True, by_hand=_SERIES, pole=pole,
        )
        for kind, pole, doc in (
            ("j", "", "Bessel function of the first kind"),
            ("y", "y == 0", "Bessel function of the second kind"),
            ("i", "", "modified Bessel function of the first kind"),
            ("k", "y == 0", "modified Bessel function of the second kind"),
        )
    ),
    # machine learning
    _row(
        "sigmoid", None, "f*sigmoid(-x)", "1/(1 + exp(-x))", definition="1/(1 + exp(-x))", aliases=("expit",),
        formula="where(x >= 0, 1, exp(-abs(x)))/(1 + exp(-abs(x)))",
        range=(0.0, 1.0), monotone=1, finite_everywhere=True,
    ),
    _row(
        "logit", None, "logit_derivative(x)", "log(x/(1 - x)), the inverse of sigmoid", definition="log(x/(1 - x))",
        formula="where(x < 0.25, log(x) - log1p(-x), log1p((2*x - 1)/(1 - x)))",
        variables=("logit",), domain=(0.0, 1.0), monotone=1, pole="x == 0 or x == 1",
    ),
    _row(
        "softsign", None, "softsign_derivative(x)", "x/(1 + |x|)", definition="x/(1 + abs(x))",
        formula="where(abs(x) < 1e300, x/(1 + abs(x)), sign(x))",
        variables=("softsign",), cost=2 * DIVIDE, range=_UNIT, monotone=1, finite_everywhere=True,
    ),
    _row(
        "softplus", None, "sigmoid(x)", "log(1 + exp(x))",
        formula="where(x > 0, x, 0) + log1p(exp(-abs(x)))",
        range=_POSITIVE, monotone=1, finite_everywhere=True,
    ),
    _row(
        "relu", None, "where(x > 0, a, 0)", "max(x, 0)", cost=2, selects=("x > 0",),
        formula="where(x <= 0, 0, x)", sympy_form=lambda x: sympy.Max(x, 0), kink="derivative 0 at 0",
        range=_POSITIVE, monotone=1, finite_everywhere=True, convexity="convex",
    ),
    _row(
        "logcosh", None, "tanh(x)", "log(cosh(x))",
        formula="where(abs(x) < 1, 0.5*log1p(sinh(min(abs(x), 1))**2), abs(x) + (log1p(exp(-2*abs(x))) - log(2)))",
        range=_POSITIVE, even=True, finite_everywhere=True,
    ),
    _row(
        "logsumexp", None, "softmax_term(x, m, s)", "log(exp(x) + exp(y) + ...) without overflow", aliases=("logaddexp",), variables=("logaddexp",),
        arity=(1, None), definition="log(exp(x) + exp(y))",
        shared={"m": "largest", "s": "exp_sum"}, two_argument_derivatives=("softmax2(x, y)", "softmax2(y, x)"),
        readable_derivative=("exp(x - f)",), by_hand="any number of arguments",
        monotone=1, finite_everywhere=True, convexity="convex",
    ),
    _row(
        "huber", None, ("huber_derivative(x, y)", "huber_derivative_y(x, y)"),
        "x**2/2 for |x| <= y, y*(|x| - y/2) beyond; y = 1 if left out",
        arity=(1, 2), cost=5, defaults=(1.0,), formula="where(abs(x) <= y, 0.5*x*x, y*(abs(x) - 0.5*y))",
        definition="where(abs(x) <= y, x**2/2, y*(abs(x) - y/2))",
        kink="continuous derivative", range=_POSITIVE, finite_everywhere=True, convexity="convex in x",
    ),
)  # fmt: skip

#: Every function by name.
FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}

#: Every function by name and by alias, as a formula may call it.
CALLABLE: dict[str, Function] = {
    **{alias: row for row in _ROWS for alias in row.aliases},
    **FUNCTIONS,
}

#: Powers that are written as calls, by name.
POWERS: dict[str, Power] = {
    "sqrt": Power("square root, x**(1/2)", 0.5, "√x"),
    "square": Power("x**2", 2.0),
    "pow": Power("x**y", None),
    "power": Power("x**y", None),
}

#: The names that without parentheses are variables; all other functions need them.
VARIABLES: frozenset[str] = frozenset(
    {name for row in _ROWS for name in row.variables} | (POWERS.keys() - {"sqrt"})
)

#: Every row by the class of its nodes, those of the derivatives included.
BY_CLASS: dict[type, Function] = {row.node: row for row in (*_ROWS, *DERIVATIVES.values())}

for _function in BY_CLASS.values():
    _function.check({"sqrt", *FUNCTIONS, *DERIVATIVES})


def flat_arguments(node: Node) -> list[Node]:
    """The arguments of a node, with max(max(a, b), c) opened to a, b, c."""
    row = BY_CLASS.get(node.func)
    args = list(node.args)
    while row is not None and row.pairwise and args[0].func is node.func:
        args[:1] = args[0].args
    return args
