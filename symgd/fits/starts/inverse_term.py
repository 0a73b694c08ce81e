"""The parameter of a term from the value of the term: c of log(c), 2*c or 10**c."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import sympy

from symgd._numpy import np
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import Name, Node, float_of
from symgd.solvers.objectives import Vector


def inverse(term: Node) -> tuple[Name, Callable[[Vector], Vector]] | None:
    """The parameter of a term that holds one once, and it as a function of the term; else None."""
    if isinstance(term, Name):
        return term, lambda v: v
    name = getattr(BY_CLASS.get(term.func), "name", "")
    step: Callable[[Vector], Vector]
    inner = [a for a in term.args if float_of(a) is None]
    numbers = [f for a in term.args if (f := float_of(a)) is not None]
    if len(inner) != 1:
        return None
    if term.func is sympy.Mul:
        step = partial(np.multiply, 1 / math.prod(numbers))
    elif term.func is sympy.Pow and inner[0] is term.args[0]:
        step = partial(_signed_power, power=1 / numbers[0])
    elif term.func is sympy.Pow and numbers[0] > 0:
        step = partial(_logarithm, base=numbers[0])
    elif name in ("log", "exp"):
        step = np.exp if name == "log" else np.log
    else:
        return None
    if (found := inverse(inner[0])) is None:
        return None
    parameter, further = found
    return parameter, lambda v: further(step(v))


def _signed_power(value: Vector, power: float) -> Vector:
    return np.sign(value) * np.abs(value) ** power


def _logarithm(value: Vector, base: float) -> Vector:
    return np.log(value) / math.log(base)
