"""Python's own arithmetic on a tree: doubles and the math module, in the order of the text."""

from __future__ import annotations

import math
from collections.abc import Callable
from math import inf, nan

from .oracle import Point
from .tree import RELATIONS, Tree


class UnsupportedError(Exception):
    """The math module lacks the function, and its textbook expression loses digits."""


def _total(f: Callable[..., float]) -> Callable[..., float]:
    """f with IEEE's results where Python raises: nan outside the domain, inf for overflow."""

    def call(*args: float) -> float:
        try:
            return float(f(*args))
        except OverflowError:
            return inf
        except (ValueError, ZeroDivisionError):
            return nan

    return call


def divide(a: float, b: float) -> float:
    """a/b; the sign of what is infinite is not modelled, so that nan stands for it."""
    return a / b if b else nan


def power(a: float, b: float) -> float:
    """C's pow; what is infinite is nan as above."""
    return _total(math.pow)(a, b)


def _sum_of_exps(*args: float) -> float:
    return math.log(sum(math.exp(a) for a in args))


_exp, _cosh, _sinh = _total(math.exp), _total(math.cosh), _total(math.sinh)
_NAMES = "exp log log10 log2 log1p expm1 sqrt cbrt sin cos tan asin acos atan atan2 sinh cosh tanh"
_NAMES += " asinh acosh atanh erf erfc gamma floor ceil"

FUNCTIONS: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name) for name in _NAMES.split()},
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "**": power,
    "neg": lambda a: -a,
    "abs": abs,
    "sign": lambda x: math.copysign(1.0, x) if x else x,
    "heaviside": lambda x: 0.5 if x == 0 else float(x > 0),
    "cot": lambda x: divide(1.0, math.tan(x)),
    "sec": lambda x: divide(1.0, math.cos(x)),
    "csc": lambda x: divide(1.0, math.sin(x)),
    "acot": lambda x: math.atan(1 / x) if x else math.pi / 2,
    "coth": lambda x: divide(1.0, math.tanh(x)),
    "sech": lambda x: divide(1.0, _cosh(x)),
    "csch": lambda x: divide(1.0, _sinh(x)),
    "acsch": lambda x: math.asinh(divide(1.0, x)),
    "hypot": math.hypot,
    "max": lambda *args: max(args),
    "min": lambda *args: min(args),
    "clip": lambda x, low, high: min(max(x, low), high),
    "loggamma": math.lgamma,
    "sinc": lambda x: math.sin(x) / x if x else 1.0,
    "softsign": lambda x: x / (1 + abs(x)) if math.isfinite(x) else nan,
    "mod": lambda x, y: x % y,
    "fmod": math.fmod,
    "ndtr": lambda x: math.erfc(-x / math.sqrt(2)) / 2,
    "sigmoid": lambda x: 1 / (1 + _exp(-x)),
    "softplus": lambda x: max(x, 0.0) + math.log1p(_exp(-abs(x))),
    "relu": lambda x: x if x > 0 or math.isnan(x) else 0.0,
    "logcosh": lambda x: (
        math.log1p(2 * _sinh(x / 2) ** 2) if abs(x) < 500 else abs(x) - math.log(2)
    ),
    "logsumexp": _sum_of_exps,
    "huber": lambda x, d=1.0: x * x / 2 if abs(x) <= d else d * (abs(x) - d / 2),
}


def evaluate(root: Tree, point: Point) -> float:
    """The value of a tree without rows; UnsupportedError where Python has no such function."""
    known: dict[int, float] = {}

    def value(node: Tree) -> float:
        if id(node) not in known:
            known[id(node)] = compute(node)
        return known[id(node)]

    def holds(condition: Tree) -> bool:
        if condition.op == "not":
            return not holds(condition.args[0])
        if condition.op in ("and", "or"):
            return (all if condition.op == "and" else any)(map(holds, condition.args))
        a, b = map(value, condition.args)
        return (a < b, a <= b, a > b, a >= b, a == b, a != b)[RELATIONS.index(condition.op)]

    def compute(node: Tree) -> float:
        if node.op == "number":
            return float(node.value)
        if node.op == "name":
            return float(point.params[str(node.value)])
        if node.op == "constant":
            return math.pi if node.value == "pi" else math.e
        if node.op == "where":
            return value(node.args[1 if holds(node.args[0]) else 2])
        if node.op not in FUNCTIONS:
            raise UnsupportedError(node.op)
        args = [value(a) for a in node.args]
        return nan if any(map(math.isnan, args)) else _total(FUNCTIONS[node.op])(*args)

    return value(root)
