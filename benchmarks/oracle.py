"""A formula's value in any arithmetic, read by Python's own parser: nothing of symgd is in it.

Only numbers, names, + - * / ** and calls of listed functions are evaluated.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_BINARY = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_UNARY = {ast.USub: operator.neg, ast.UAdd: operator.pos}


@dataclass(frozen=True)
class Arithmetic:
    """How numbers are made from a formula's constants, and the functions by name."""

    number: Callable[[float], Any]
    functions: Mapping[str, Callable[..., Any]]
    pi: Any = math.pi
    e: Any = math.e

    def evaluate(self, text: str, values: Mapping[str, Any]) -> Any:
        """The value of `text`; LookupError for a function or name that is not known."""
        constants = {"pi": +self.pi, "e": +self.e}
        return self._walk(ast.parse(text.strip(), mode="eval").body, constants | dict(values))

    def _walk(self, node: ast.AST, values: Mapping[str, Any]) -> Any:
        match node:
            case ast.Constant(value=int() | float() as value):
                return self.number(value)
            case ast.Name(id=name):
                return values[name]
            case ast.BinOp(left, op, right):
                return _BINARY[type(op)](self._walk(left, values), self._walk(right, values))
            case ast.UnaryOp(op, operand):
                return _UNARY[type(op)](self._walk(operand, values))
            case ast.Call(func=ast.Name(id=name), args=args):
                return self.functions[name](*(self._walk(a, values) for a in args))
        raise LookupError(ast.dump(node))


def with_mpmath() -> Arithmetic:
    """Arithmetic of mpmath at its current precision; literals are doubles, pi and e themselves."""
    from mpmath import mp

    same = "exp log sqrt cbrt sin cos tan sec cot csc asin acos atan sinh cosh tanh csch"
    same += " asinh acosh atanh erf gamma loggamma atan2"
    functions = {name: getattr(mp, name) for name in same.split()}
    functions |= {"abs": abs, "max": max, "min": min}
    return Arithmetic(lambda v: mp.mpf(v), functions, mp.pi, mp.e)


def with_jax() -> Arithmetic:
    """Arithmetic of JAX arrays; whole numbers stay Python's, as a user would write them."""
    import jax.numpy as jnp
    from jax.scipy import special

    same = "exp log sqrt cbrt sin cos tan sinh cosh tanh atan2"
    functions = {name: getattr(jnp, name) for name in same.split()}
    inverse = "sin cos tan sinh cosh tanh"
    functions |= {f"a{name}": getattr(jnp, f"arc{name}") for name in inverse.split()}
    functions |= {
        "erf": special.erf,
        "gamma": special.gamma,
        "loggamma": special.gammaln,
        "abs": jnp.abs,
        "max": jnp.maximum,
        "min": jnp.minimum,
        "sec": lambda x: 1 / jnp.cos(x),
        "csc": lambda x: 1 / jnp.sin(x),
        "cot": lambda x: 1 / jnp.tan(x),
        "csch": lambda x: 1 / jnp.sinh(x),
    }
    return Arithmetic(lambda v: v, functions)
