"""The corpora that nobody here wrote, and the 50-digit oracle for their values and gradients.

The oracle shares nothing with symgd: Python's own `ast` reads the formula, and dual numbers over
mpmath carry the derivatives, those of functions by mpmath's numerical `diff`. Only trusted texts
(mgh, test_functions, feynman, expressions) may go through it; hostile ones never do.
"""

import ast
import json
import random
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import mpmath
import pytest

DIGITS = 50
FOLDER = Path(__file__).parents[2] / "shared" / "corpora"
DATA = Path(__file__).parent / "files"


def load(name):
    """The records of `../shared/corpora/name.json`, or of its copy in tests/files/, or None."""
    for folder in (FOLDER, DATA):
        path = folder / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
    return None


def each(name, keep=lambda record: True, label=lambda record: record["name"]):
    """Parametrise a test over records as `record`; skip with the reason where they are missing."""
    found = load(name)
    if found is None:
        reason = f"../shared/corpora/{name}.json is not there"
        params = [pytest.param(None, marks=pytest.mark.skip(reason=reason), id=name)]
    else:
        params = [pytest.param(r, id=label(r)[:60]) for r in found if keep(r)]
    return pytest.mark.parametrize("record", params)


# The oracle: dual numbers


class Dual:
    """A value and its derivatives in the parameters; `shake` perturbs each rounded result."""

    def __init__(self, value, slopes, shake):
        self.shake = shake
        self.value = shake(value)
        self.slopes = [shake(s) for s in slopes]

    def lift(self, other):
        if isinstance(other, Dual):
            return other
        return Dual(mpmath.mpf(other), [mpmath.mpf(0)] * len(self.slopes), lambda v: v)

    def new(self, value, *parts):
        """The value, and the sum of factor * slope over (factor, dual) parts."""
        slopes = [
            mpmath.fsum(f * d.slopes[k] for f, d in parts if d.slopes[k])
            for k in range(len(self.slopes))
        ]
        return Dual(value, slopes, self.shake)

    def __add__(self, other):
        other = self.lift(other)
        return self.new(self.value + other.value, (1, self), (1, other))

    def __sub__(self, other):
        other = self.lift(other)
        return self.new(self.value - other.value, (1, self), (-1, other))

    def __mul__(self, other):
        other = self.lift(other)
        return self.new(self.value * other.value, (other.value, self), (self.value, other))

    def __truediv__(self, other):
        other = self.lift(other)
        ratio = self.value / other.value
        return self.new(ratio, (1 / other.value, self), (-ratio / other.value, other))

    def __pow__(self, other):
        other = self.lift(other)
        base, power = self.value, other.value
        if not any(other.slopes):
            if power == 0:
                return self.new(mpmath.mpf(1))
            return self.new(base**power, (power * base ** (power - 1), self))
        value = base**power
        return self.new(
            value, (power * base ** (power - 1), self), (value * mpmath.log(base), other)
        )

    def __neg__(self):
        return self.new(-self.value, (-1, self))

    def __pos__(self):
        return self


def _call(f):
    """f on duals, its partial derivatives by mpmath's diff (numerical, at full precision)."""

    def call(*args):
        point = [a.value for a in args]
        count = len(args)
        parts = []
        for k, arg in enumerate(args):
            if any(arg.slopes):
                order = tuple(int(j == k) for j in range(count))
                parts.append((mpmath.diff(f, tuple(point), order), arg))
        return args[0].new(f(*point), *parts)

    return call


def _abs(x):
    return x.new(abs(x.value), (mpmath.sign(x.value), x))


def _max(*args):
    return max(args, key=lambda a: a.value)


def _where(condition, a, b):
    return a if condition else b


_MPMATH = [
    "exp",
    "log",
    "sin",
    "cos",
    "tan",
    "sinh",
    "cosh",
    "tanh",
    "asin",
    "acos",
    "atan",
    "atan2",
    "asinh",
    "acosh",
    "atanh",
    "sqrt",
    "cbrt",
    "sec",
    "csc",
    "cot",
    "sech",
    "csch",
    "coth",
    "erf",
    "erfc",
    "gamma",
    "loggamma",
    "log10",
    "log1p",
    "expm1",
    "factorial",
]
_FUNCTIONS = {name: _call(getattr(mpmath, name)) for name in _MPMATH} | {"abs": _abs, "max": _max}
_OPERATORS = {
    ast.Add: Dual.__add__,
    ast.Sub: Dual.__sub__,
    ast.Mult: Dual.__mul__,
    ast.Div: Dual.__truediv__,
    ast.Pow: Dual.__pow__,
    ast.USub: Dual.__neg__,
    ast.UAdd: Dual.__pos__,
}


@cache
def _tree(text):
    return ast.parse(text.strip(), mode="eval").body


def derive(text, at, *, shake=lambda v: v, digits=DIGITS):
    """(value, gradient by name) of a trusted formula, in mpmath at `digits` digits.

    A literal stands for the double that Python reads, as in symgd; pi is the number itself.
    """
    with mpmath.workdps(digits):
        names = list(at)
        one = [[mpmath.mpf(int(j == k)) for j in range(len(names))] for k in range(len(names))]
        known = {n: Dual(mpmath.mpf(at[n]), one[k], shake) for k, n in enumerate(names)}
        zeros = [mpmath.mpf(0)] * len(names)
        fixed = {"pi": mpmath.pi, "E": mpmath.e, "e": mpmath.e}

        def walk(node):
            if isinstance(node, ast.BinOp):
                return _OPERATORS[type(node.op)](walk(node.left), walk(node.right))
            if isinstance(node, ast.UnaryOp):
                return _OPERATORS[type(node.op)](walk(node.operand))
            if isinstance(node, ast.Call):
                return _FUNCTIONS[node.func.id](*map(walk, node.args))
            if isinstance(node, ast.Name) and node.id in known:
                return known[node.id]
            number = fixed[node.id] if isinstance(node, ast.Name) else node.value
            return Dual(+mpmath.mpf(number), zeros, shake)

        result = walk(_tree(text))
        return result.value, dict(zip(names, result.slopes, strict=True))


def rounding_noise(text, at, runs=4):
    """What double precision does to this formula here: (value, gradient by name), each the
    largest deviation when every operation's result is wrong by one unit roundoff at random.

    (Stochastic arithmetic; Vignes, Math. Comput. Simul. 35, 1993.) Where terms cancel, no
    evaluation of the formula as typed can be more accurate than about this.
    """
    exact, slopes = derive(text, at, digits=40)
    source = random.Random(1)
    noise = SimpleNamespace(value=mpmath.mpf(0), slopes=dict.fromkeys(at, mpmath.mpf(0)))
    for _ in range(runs):
        value, moved = derive(
            text,
            at,
            digits=40,
            shake=lambda v: v * (1 + source.choice((-1, 1)) * mpmath.mpf(2) ** -53),
        )
        noise.value = max(noise.value, abs(value - exact))
        for name in at:
            noise.slopes[name] = max(noise.slopes[name], abs(moved[name] - slopes[name]))
    return noise
