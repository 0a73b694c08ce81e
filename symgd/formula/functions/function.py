"""Function: one row of the table of functions, and how rows are written down.

The rows themselves: `symgd.formula.functions.table` (those that a formula may call) and
`symgd.formula.functions.derivatives` (those that only derivatives use).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import sympy

from symgd.formula.functions import bessel, reference, special
from symgd.formula.nodes import Op

# What an operation costs, in units of a floating-point multiplication (order of magnitude on
# x86-64 with a good libm); see Program.cost.
CHEAP, DIVIDE, ELEMENTARY, SPECIAL = 1, 4, 10, 100


@dataclass(frozen=True)
class Function:
    """One function of the formula language.

    name: as typed. node: the SymPy class of its nodes. scalar: float arguments -> float, never
    raises. derivative: one formula per argument; of a variadic function one for all, or one for
    the first and one for the others (x is then that argument). In it x, y, z, w are the arguments
    and f is the value; where it names a, the adjoint, it is what the argument gets of it, else
    the adjoint is multiplied on. fast: the name in Python's math, or "" where `scalar` itself is
    called. arity: least and most arguments (None: any number). cost: in multiplications, of a
    variadic function per argument.
    """

    name: str
    node: type
    scalar: Callable[..., float]
    derivative: tuple[str, ...]
    doc: str
    arity: tuple[int, int | None] = (1, 1)
    fast: str = ""
    numpy: str = ""
    cost: int = ELEMENTARY
    aliases: tuple[str, ...] = ()
    kink: str = ""
    definition: str = ""  # in elementary functions, for SymPy's evalf and the tests
    people: Callable[..., sympy.Expr] | None = None  # how SymPy users write it; default: node
    order: bool = False  # the first argument is an order: a constant, without derivative
    defaults: tuple[float, ...] = ()  # for arguments left out at the end
    selects: bool = False  # passes one of its arguments through and ignores the others
    pairwise: bool = False  # f(a, b, c) is f(f(a, b), c)
    shared: Mapping[str, str] = field(default_factory=dict)  # names in `derivative` -> functions
    # of all the arguments, computed once for all the slopes
    pair: tuple[str, ...] = ()  # the derivatives of a variadic function of just two arguments
    plain: tuple[str, ...] = ()  # the derivatives as people read them, where that differs
    exact: tuple[str, ...] = ()  # the derivatives where `derivative` holds rounded constants
    reading: str = ""  # of a hidden row: what people read instead, in callable functions

    @property
    def variadic(self) -> bool:
        """Whether one node takes any number of arguments."""
        return self.arity[1] is None and not self.pairwise

    def slope(self, k: int, count: int, exact: bool = False) -> str:
        """The formula of the derivative in argument k of `count`; exact: without rounding."""
        if exact and self.exact:
            return self.exact[k]
        texts = self.pair if self.pair and count == 2 else self.derivative
        return texts[min(k, len(texts) - 1)]

    def has_order(self, order: float) -> bool:
        """Whether the first argument may be this order; derivatives raise it by up to 10."""
        whole = self.name != "polygamma" or (order >= 0 and order == int(order))
        return whole and abs(order) <= self.last_order

    @property
    def last_order(self) -> float:
        """The largest order that a formula may ask for."""
        return bessel.MAX_ORDER - 10

    @property
    def everywhere(self) -> bool:
        """Whether value and derivatives are finite at every finite argument."""
        return self.name in _EVERYWHERE

    @property
    def signature(self) -> str:
        """How it is called: `max(x, y, ...)`."""
        low, high = self.arity
        given = ["n", "x"] if self.order else list("xyz")
        if self.name == "where":
            return "where(condition, x, y)"
        if high is None:
            return f"{self.name}({', '.join(given[: max(low, 2)])}, ...)"
        required = given[:low]
        optional = "".join(f"[, {a}]" for a in given[low:high])
        return f"{self.name}({', '.join(required)}{optional})"


_EVERYWHERE = frozenset(
    {"abs", "sign", "heaviside", "floor", "ceil", "max", "min", "clip", "relu", "huber"}
    | {"sin", "cos", "atan", "acot", "tanh", "sech", "asinh", "erf", "erfc"}
    | {"sigmoid", "softplus", "logcosh", "logsumexp"}
    | {"share", "share_inside", "share_low", "share_high", "huber_slope", "huber_excess", "bell"}
    | {"softmax", "softmax2", "largest", "exp_sum", "portion", "complement"}
)


def op_node(name: str) -> type:
    """A new class of nodes, for a function that SymPy does not have."""
    return type(name, (Op,), {"__module__": __name__, "__doc__": f"The node of {name}."})


def row(
    name: str, node: type | None, derivative: str | tuple[str, ...], doc: str, **rest: object
) -> Function:
    """One row; its scalar is that of `reference`, `special` or `bessel` unless given."""
    texts = (derivative,) if isinstance(derivative, str) else derivative
    if "scalar" not in rest:
        found = [getattr(m, name) for m in (reference, special, bessel) if hasattr(m, name)]
        rest["scalar"] = found[0]
    return Function(name, node or op_node(name), derivative=texts, doc=doc, **rest)  # type: ignore[arg-type]


def math_row(
    name: str, node: type | None, derivative: str | tuple[str, ...], doc: str, **rest: object
) -> Function:
    """A row that Python's math and NumPy have under its own name."""
    rest.setdefault("fast", name)
    rest.setdefault("numpy", name)
    return row(name, node, derivative, doc, **rest)
