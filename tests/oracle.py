"""Formulas evaluated by code that shares nothing with symgd. For trusted texts only.

Python's own `ast` reads the text, mpmath computes, and slopes are differences at 60 digits.
"""

import ast
import functools
import operator
import re

import mpmath
import numpy as np
from mpmath import mp, mpf

DIGITS = 60
STEP = mpf(10) ** -18  # of differences at 60 digits: errors of about 1e-24 (slopes 1e-36)

_OPERATORS = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def _huber(x, d=1):
    return x * x / 2 if abs(x) <= d else d * (abs(x) - d / 2)


def _normal(x):
    return mpmath.erfc(-x / mpmath.sqrt(2)) / 2


_OF_MPMATH = """exp log log10 log1p expm1 floor ceil erf erfc gamma beta sin cos tan cot sec csc
asin acos atan acot asec acsc sinh cosh tanh coth sech csch asinh acosh atanh acoth asech acsch
atan2 digamma besselj bessely besseli besselk lambertw"""


# The textbook definition of each function, for hundreds of digits, where nothing cancels.
def _faddeeva(x, y):
    if y < 0:
        return mpmath.mpc(mpmath.nan, mpmath.nan)
    z = mpmath.mpc(x, y)
    return mpmath.exp(-z * z) * mpmath.erfc(-1j * z)


def _voigt(x, sigma, gamma):
    width = abs(sigma) * mpmath.sqrt(2)
    return _faddeeva(x / width, abs(gamma) / width).real / (width * mpmath.sqrt(mpmath.pi))


REFERENCE = {name: getattr(mpmath, name) for name in _OF_MPMATH.split()} | {
    "log2": lambda x: mpmath.log(x, 2),
    "cbrt": lambda x: mpmath.sign(x) * mpmath.cbrt(abs(x)),
    "abs": abs,
    "sign": mpmath.sign,
    "heaviside": lambda x: (1 + mpmath.sign(x)) / 2,
    "hypot": lambda *a: mpmath.sqrt(mpmath.fsum(x * x for x in a)),
    "max": max,
    "min": min,
    "clip": lambda x, low, high: min(max(x, low), high),
    "where": lambda x, a, b: a if x > 0 else b,
    "loggamma": lambda x: mpmath.log(abs(mpmath.gamma(x))),
    "polygamma": lambda n, x: mpmath.polygamma(int(n), x),
    "voigt": _voigt,
    "faddeeva_re": lambda x, y: _faddeeva(x, y).real,
    "faddeeva_im": lambda x, y: _faddeeva(x, y).imag,
    "betaln": lambda x, y: mpmath.log(mpmath.beta(x, y)),
    "sigmoid": lambda x: 1 / (1 + mpmath.exp(-x)),
    "softplus": lambda x: mpmath.log(1 + mpmath.exp(x)),
    "relu": lambda x: max(x, 0),
    "logcosh": lambda x: mpmath.log(mpmath.cosh(x)),
    "logsumexp": lambda *a: mpmath.log(mpmath.fsum(map(mpmath.exp, a))),
    "huber": _huber,
    "mod": lambda x, y: x - y * mpmath.floor(x / y),
    "fmod": lambda x, y: x - y * (mpmath.floor if x / y >= 0 else mpmath.ceil)(x / y),
    "sinc": lambda x: mpmath.sin(x) / x if x else mpf(1),
    "logit": lambda x: mpmath.log(x / (1 - x)),
    "softsign": lambda x: x / (1 + abs(x)),
    "ndtr": _normal,
    "log_ndtr": lambda x: mpmath.log(_normal(x)),
}
_CALLABLE = REFERENCE | {"sqrt": mpmath.sqrt}


@functools.cache
def tree(text):
    """The formula as Python reads it."""
    spelled = re.sub(r"\|([^|]*)\|", r"abs(\1)", text).replace("^", "**")
    return ast.parse(spelled.strip(), mode="eval").body


class Walk:
    """One evaluation of a tree over the numbers of `known`; subclasses say what calls are."""

    def __init__(self, known):
        self.known = known

    def __call__(self, node):
        kind = type(node)
        if kind is ast.BinOp:
            return _OPERATORS[type(node.op)](self(node.left), self(node.right))
        if kind is ast.UnaryOp:
            return _OPERATORS[type(node.op)](self(node.operand))
        if kind is ast.Compare:
            return _OPERATORS[type(node.ops[0])](self(node.left), self(node.comparators[0]))
        if kind is ast.BoolOp:
            every = all if type(node.op) is ast.And else any
            return every(self(v) for v in node.values)
        if kind is ast.Call:
            return self.call(node.func.id, node.args)
        return self.known[node.id] if kind is ast.Name else self.number(node.value)


class _Exact(Walk):
    """Over mpmath's numbers; a branch that is not taken is not evaluated."""

    number = mpf

    def __init__(self, known, columns):
        super().__init__({"pi": +mpmath.pi, "e": +mpmath.e} | known)
        self.columns = columns
        self.sums = {}

    def call(self, name, args):
        if name == "where":
            return self(args[1 if self(args[0]) else 2])
        if name not in ("sum", "mean"):
            return _CALLABLE[name](*map(self, args))
        if (name, args[0]) not in self.sums:  # not once per row of a sum around it
            terms = []
            outside = self.known
            for row in zip(*self.columns.values(), strict=True):
                self.known = outside | dict(zip(self.columns, row, strict=True))
                terms.append(self(args[0]))
            self.known = outside
            total = mpmath.fsum(terms)
            self.sums[name, args[0]] = total / len(terms) if name == "mean" else total
        return self.sums[name, args[0]]


def mp_function(text, params, data=None):
    """The formula as a function of mpmath numbers, in the order of `params`.

    data: columns by name, where the formula holds sums over rows.
    """
    columns = {name: [mpf(float(v)) for v in c] for name, c in (data or {}).items()}

    def function(*values):
        return _Exact(dict(zip(params, values, strict=True)), columns)(tree(text))

    return function


def mp_slope(function, at, direction):
    """The derivative in a direction, by central differences at 60 digits."""
    with mp.workdps(DIGITS):
        ends = [
            function(*(mpf(x) + s * STEP * mpf(d) for x, d in zip(at, direction, strict=True)))
            for s in (1, -1)
        ]
        return float((ends[0] - ends[1]) / (2 * STEP))


def mp_derivatives(function, at):
    """Value, gradient and Hessian of a function of mpmath numbers, by central differences."""
    count = len(at)

    def moved(*steps):
        point = [mpf(x) for x in at]
        for k, sign in steps:
            point[k] += sign * STEP
        return function(*point)

    with mp.workdps(DIGITS):
        grad = [mp_slope(function, at, np.eye(count)[k]) for k in range(count)]
        hess = np.empty((count, count))
        for i in range(count):
            for j in range(i, count):
                corners = (a * b * moved((i, a), (j, b)) for a in (1, -1) for b in (1, -1))
                hess[i, j] = hess[j, i] = float(sum(corners) / (4 * STEP * STEP))
        return float(moved()), np.array(grad), hess
