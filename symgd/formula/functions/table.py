"""THE table of functions that a formula may use.

A row holds everything about one function: how it is called, its derivative (as a formula over
its arguments x, y, z, its own value f and the adjoint a), its stable value on floats, and its
spelling for the backends. A new function is one new row; the tests run over the table.

At kinks and jumps the derivative follows one convention, told in the row's `kink`: the mean of
the two sides for max and min ties and for heaviside, 0 for |x| at 0 and for steps, and relu'(0) = 0
(as PyTorch and JAX have it).
"""

from __future__ import annotations

import sympy

from symgd.formula.functions import reference
from symgd.formula.functions.derivatives import SLOPES
from symgd.formula.functions.function import CHEAP, DIVIDE, ELEMENTARY, SPECIAL, Function
from symgd.formula.functions.function import math_row as _math
from symgd.formula.functions.function import row as _row
from symgd.formula.nodes import Node, Where

__all__ = [
    "BY_CLASS", "CALLABLE", "CHEAP", "DIVIDE", "ELEMENTARY", "FUNCTIONS", "SPECIAL", "Function",
    "flat_arguments",
]  # fmt: skip


def _step(name: str, node: type | None, doc: str, **rest: object) -> Function:
    kink = "derivative 0 everywhere, also at the jumps"
    return _row(name, node, "0", doc, kink=kink, cost=CHEAP, **rest)


_ROWS = (
    _math("exp", sympy.exp, "f", "e to the power x"),
    _math("log", sympy.log, "1/x", "natural logarithm", aliases=("ln",)),
    _math("log10", None, "0.4342944819032518/x", "logarithm to base 10", definition="log(x)/log(10)", exact=("1/(x*log(10))",)),
    _math("log2", None, "1.4426950408889634/x", "logarithm to base 2", definition="log(x)/log(2)", exact=("1/(x*log(2))",)),
    _math("log1p", None, "1/(1 + x)", "log(1 + x), accurate near 0", definition="log(1 + x)"),
    _math("expm1", None, "exp(x)", "exp(x) - 1, accurate near 0", definition="exp(x) - 1"),
    _row("cbrt", None, "1/(3*f**2)", "real cube root", numpy="cbrt", definition="sign(x)*abs(x)**(1/3)"),
    _row(
        "abs", sympy.Abs, "sign(x)", "absolute value, also |x|",
        scalar=abs, numpy="abs", cost=CHEAP, kink="derivative 0 at 0",
    ),
    _step("sign", sympy.sign, "-1, 0 or 1", numpy="sign"),
    _step(
        "heaviside", None, "0 left of 0, 1 right of 0, 1/2 at 0",
        scalar=reference.heaviside, definition="(1 + sign(x))/2",
    ),
    _step("floor", sympy.floor, "largest whole number <= x", numpy="floor"),
    _step("ceil", sympy.ceiling, "smallest whole number >= x", numpy="ceil"),
    # trigonometric
    _math("sin", sympy.sin, "cos(x)", "sine of an angle in radians"),
    _math("cos", sympy.cos, "-sin(x)", "cosine of an angle in radians"),
    _math("tan", sympy.tan, "1 + f**2", "tangent of an angle in radians"),
    _row("cot", sympy.cot, "-(1 + f**2)", "1/tan(x)"),
    _row("sec", sympy.sec, "f*tan(x)", "1/cos(x)"),
    _row("csc", sympy.csc, "-f*cot(x)", "1/sin(x)"),
    _math("asin", sympy.asin, "asin_slope(x)", "inverse sine", numpy="arcsin", aliases=("arcsin",)),
    _math("acos", sympy.acos, "-asin_slope(x)", "inverse cosine", numpy="arccos", aliases=("arccos",)),
    _math("atan", sympy.atan, "1/(1 + x**2)", "inverse tangent", numpy="arctan", aliases=("arctan",)),
    _row("acot", sympy.acot, "-1/(1 + x**2)", "atan(1/x)", aliases=("arccot",)),
    _row("asec", sympy.asec, "asec_slope(x)", "acos(1/x)", aliases=("arcsec",)),
    _row("acsc", sympy.acsc, "-asec_slope(x)", "asin(1/x)", aliases=("arccsc",)),
    _math(
        "atan2", sympy.atan2, ("atan2_slope(x, y)", "-atan2_slope(y, x)"),
        "angle of the point (y, x): atan2(opposite, adjacent)",
        arity=(2, 2), numpy="arctan2", aliases=("arctan2",),
    ),
    # hyperbolic
    _math("sinh", sympy.sinh, "cosh(x)", "hyperbolic sine"),
    _math("cosh", sympy.cosh, "sinh(x)", "hyperbolic cosine"),
    _math("tanh", sympy.tanh, "sech(x)**2", "hyperbolic tangent"),
    _row("coth", sympy.coth, "-csch(x)**2", "1/tanh(x)"),
    _row("sech", sympy.sech, "-f*tanh(x)", "1/cosh(x)"),
    _row("csch", sympy.csch, "-f*coth(x)", "1/sinh(x)"),
    _math("asinh", sympy.asinh, "1/hypot(1, x)", "inverse of sinh", numpy="arcsinh", aliases=("arcsinh",)),
    _math(
        "acosh", sympy.acosh, "acosh_slope(x)", "inverse of cosh",
        numpy="arccosh", aliases=("arccosh",),
    ),
    _math("atanh", sympy.atanh, "atanh_slope(x)", "inverse of tanh", numpy="arctanh", aliases=("arctanh",)),
    _row("acoth", sympy.acoth, "atanh_slope(x)", "atanh(1/x)", aliases=("arccoth",)),
    _row("asech", sympy.asech, "asech_slope(x)", "acosh(1/x)", aliases=("arcsech",)),
    _row("acsch", sympy.acsch, "acsch_slope(x)", "asinh(1/x)", aliases=("arccsch",)),
    # several arguments
    _math(
        "hypot", None, "x/f", "sqrt(x**2 + y**2 + ...) without overflow",
        arity=(1, None), numpy="", cost=3, people=lambda *a: sympy.sqrt(sympy.Add(*(t**2 for t in a))),
        definition="sqrt(x**2 + y**2)",
    ),
    _row(
        "max", None, ("share(a, x, y)", "share(a, y, x)"), "largest argument",
        scalar=reference.maximum, numpy="maximum", arity=(1, None), cost=2, pairwise=True,
        selects=True, people=sympy.Max, kink="a tie shares the derivative equally between the two",
    ),
    _row(
        "min", None, ("share(a, y, x)", "share(a, x, y)"), "smallest argument",
        scalar=reference.minimum, numpy="minimum", arity=(1, None), cost=2, pairwise=True,
        selects=True, people=sympy.Min, kink="a tie shares the derivative equally between the two",
    ),
    _row(
        "clip", None,
        ("share_inside(a, x, y, z)", "share_low(a, x, y, z)", "share_high(a, x, y, z)"),
        "x kept within [y, z]", arity=(3, 3), cost=4,
        selects=True,
        people=lambda x, y, z: sympy.Min(sympy.Max(x, y), z), kink="derivative 1 at both bounds",
    ),
    _row(
        "where", Where, (), "x where the comparison holds, else y; the other is never evaluated",
        arity=(3, 3), cost=CHEAP, scalar=reference.where,
        kink="the derivative of the branch taken",
    ),
    # error function, gamma and Bessel families
    _math("erf", sympy.erf, "1.1283791670955126*bell(x)", "error function", numpy="", exact=("2/sqrt(pi)*bell(x)",)),
    _math("erfc", sympy.erfc, "-1.1283791670955126*bell(x)", "1 - erf(x)", numpy="", exact=("-2/sqrt(pi)*bell(x)",)),
    _row("gamma", sympy.gamma, "f*digamma(x)", "gamma function", fast="gamma", cost=SPECIAL),
    _row(
        "loggamma", sympy.loggamma, "digamma(x)", "log |gamma(x)|",
        fast="lgamma", cost=SPECIAL, aliases=("lgamma",),
    ),
    _row("digamma", sympy.digamma, "polygamma(1, x)", "derivative of loggamma", cost=SPECIAL),
    _row(
        "polygamma", sympy.polygamma, ("", "polygamma(x + 1, y)"), "n-th derivative of digamma",
        arity=(2, 2), cost=SPECIAL, order=True,
    ),
    _row(
        "beta", sympy.beta, ("beta_slope(x, y)", "beta_slope(y, x)"),
        "beta function", arity=(2, 2), cost=3 * SPECIAL,
    ),
    _row(
        "betaln", None, ("digamma_gap(x, y)", "digamma_gap(y, x)"),
        "log of the beta function, x, y > 0", arity=(2, 2), cost=3 * SPECIAL,
        definition="loggamma(x) + loggamma(y) - loggamma(x + y)",
    ),
    _row(
        "besselj", sympy.besselj, ("", "besselj_slope(x, y)"),
        "Bessel function of the first kind", arity=(2, 2), cost=SPECIAL, order=True,
    ),
    _row(
        "bessely", sympy.bessely, ("", "bessely_slope(x, y)"),
        "Bessel function of the second kind", arity=(2, 2), cost=SPECIAL, order=True,
    ),
    _row(
        "besseli", sympy.besseli, ("", "besseli_slope(x, y)"),
        "modified Bessel function of the first kind", arity=(2, 2), cost=SPECIAL, order=True,
    ),
    _row(
        "besselk", sympy.besselk, ("", "besselk_slope(x, y)"),
        "modified Bessel function of the second kind", arity=(2, 2), cost=SPECIAL, order=True,
    ),
    # machine learning
    _row("sigmoid", None, "f*sigmoid(-x)", "1/(1 + exp(-x))", definition="1/(1 + exp(-x))", aliases=("expit",)),
    _row("softplus", None, "sigmoid(x)", "log(1 + exp(x))", definition="log(1 + exp(x))"),
    _row(
        "relu", None, "where(x > 0, a, 0)", "max(x, 0)", cost=2, selects=True,
        people=lambda x: sympy.Max(x, 0), kink="derivative 0 at 0",
    ),
    _row("logcosh", None, "tanh(x)", "log(cosh(x))", definition="log(cosh(x))"),
    _row(
        "logsumexp", None, "softmax(x, m, s)", "log(exp(x) + exp(y) + ...) without overflow",
        arity=(1, None), definition="log(exp(x) + exp(y))",
        shared={"m": "largest", "s": "exp_sum"}, pair=("softmax2(x, y)", "softmax2(y, x)"),
        plain=("exp(x - f)",),
    ),
    _row(
        "huber", None, ("huber_slope(x, y)", "huber_excess(x, y)"),
        "x**2/2 for |x| <= y, y*(|x| - y/2) beyond; y = 1 if left out",
        arity=(1, 2), cost=5, defaults=(1.0,), definition="where(abs(x) <= y, x**2/2, y*(abs(x) - y/2))",
        kink="continuous derivative",
    ),
)  # fmt: skip

#: Every function by name.
FUNCTIONS: dict[str, Function] = {row.name: row for row in _ROWS}

#: Every function by name and by alias, as a formula may call it. sqrt is x**(1/2).
CALLABLE: dict[str, Function] = {
    **{alias: row for row in _ROWS for alias in row.aliases},
    **FUNCTIONS,
}

#: Every row by the class of its nodes, those of the derivatives included.
BY_CLASS: dict[type, Function] = {row.node: row for row in (*_ROWS, *SLOPES.values())}


def flat_arguments(node: Node) -> list[Node]:
    """The arguments of a node, with max(max(a, b), c) opened to a, b, c."""
    row = BY_CLASS.get(node.func)
    args = list(node.args)
    while row is not None and row.pairwise and args[0].func is node.func:
        args[:1] = args[0].args
    return args
