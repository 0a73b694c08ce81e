"""Function: one row of the table of functions, and constructors of rows; Power: one of powers.

The rows themselves: `symgd.formula.functions.table` (those that a formula may call) and
`symgd.formula.functions.derivatives` (those that only derivatives use).
"""

from __future__ import annotations

import math as _math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import sympy

from symgd.formula.functions import bessel, reference, special
from symgd.formula.functions.compile_formula import LETTERS, compile_formula
from symgd.formula.functions.reference import Scalar
from symgd.formula.nodes import Op

# What an operation costs, in units of a floating-point multiplication (order of magnitude on
# x86-64 with a good libm); see Program.cost.
CHEAP, DIVIDE, ELEMENTARY, SPECIAL = 1, 4, 10, 100

Interval = tuple[float, float]
EVERYTHING: Interval = (-_math.inf, _math.inf)


class Power(NamedTuple):
    """A power in call notation. exponent: None if it is the second argument."""

    doc: str
    exponent: float | None
    also: str = ""  # another spelling

    @property
    def signature(self) -> str:
        """Its arguments."""
        return "(x, y)" if self.exponent is None else "(x)"


@dataclass(frozen=True)
class Function:
    """One function of the formula language.

    A row has either a `formula`, from which every backend generates its code, or the names of the
    function in libraries (math, numpy, c, mpmath), or `by_hand`: why it is implemented by hand in
    the backends that have it (other backends call `scalar`).

    name: as typed. node: the SymPy class of its nodes. scalar: float arguments -> float, never
    raises. derivative: one formula per argument; of a variadic function one for all, or one for
    the first and one for the others (x is then that argument). In it x, y, z, w are the arguments
    and f is the value; a formula that contains a, the adjoint, is the argument's whole
    contribution, any other is multiplied by the adjoint. arity: least and most arguments (None:
    any number). cost: in multiplications, of a variadic function per argument.
    """

    name: str
    node: type
    scalar: Scalar
    derivative: tuple[str, ...]
    doc: str
    arity: tuple[int, int | None] = (1, 1)
    cost: int = ELEMENTARY
    aliases: tuple[str, ...] = ()
    variables: tuple[str, ...] = ()  # its names that without parentheses are variables
    kink: str = ""  # the convention for the derivative at a kink or jump
    # -- evaluation --
    formula: str = ""  # numerically stable, over x, y, z, w
    math: str = ""  # in Python's math; raises where the value is not finite
    numpy: str = ""
    c: str = ""  # in the C library
    mpmath: str = ""
    by_hand: str = ""
    # -- properties --
    domain: Interval = EVERYTHING  # of a function of one argument, where it is one interval
    pole: str = ""  # where it is infinite, if the formula does not divide by 0 there
    range: Interval = EVERYTHING  # holds every value, rounded or not
    monotone: int = 0  # in each argument: 1 never falls, -1 never rises
    fraction_of_first: bool = False  # between 0 and its first argument
    even: bool = False  # f(-x) = f(x), and never falling for x > 0
    convexity: str = ""  # where derivatives do not show it: see `symgd.calculus.dcp`
    convex_from: float = _math.inf  # convex right of it, though ranges do not show that
    finite_everywhere: bool = False  # value and derivatives, at every finite argument
    overflows: bool = False  # to inf at ordinary arguments
    steep: bool = False  # its derivative is infinite at an argument where its value is finite
    relative_derivative: str = ""  # of one that does, the derivative divided by the value
    entire: bool = False  # analytic at every real number
    # -- parsing, printing, differentiation --
    definition: str = ""  # in elementary functions, for SymPy's evalf, where `formula` is not
    sympy_form: Callable[..., sympy.Expr] | None = None  # in SymPy's functions; default: node
    order: bool = False  # the first argument is an order: a constant, without derivative
    defaults: tuple[float, ...] = ()  # for arguments left out at the end
    selects: tuple[str, ...] = ()  # for each argument, when it is what is passed through
    pairwise: bool = False  # f(a, b, c) is f(f(a, b), c)
    shared: Mapping[str, str] = field(default_factory=dict)  # names in `derivative` -> functions
    # of all arguments, computed once for all derivatives
    two_argument_derivatives: tuple[str, ...] = ()  # of a variadic function of two arguments
    readable_derivative: tuple[str, ...] = ()  # for display, where it differs
    exact_derivative: tuple[str, ...] = ()  # where `derivative` contains rounded constants
    readable_form: str = ""  # of a derivative row: its display in callable functions

    @property
    def variadic(self) -> bool:
        """Whether one node takes any number of arguments."""
        return self.arity[1] is None and not self.pairwise

    @property
    def meaning(self) -> str:
        """The exact formula in terms of other functions; "" if there is none."""
        return self.definition or self.formula

    def omitted_defaults(self, count: int) -> tuple[float, ...]:
        """The default values of the arguments that a call with `count` arguments omits."""
        return self.defaults[max(0, count - self.arity[0]) :]

    def derivative_formula(self, k: int, count: int, exact: bool = False) -> str:
        """The formula of the derivative in argument k of `count`; exact: without rounding."""
        if exact and self.exact_derivative:
            return self.exact_derivative[k]
        texts = (
            self.two_argument_derivatives
            if self.two_argument_derivatives and count == 2
            else self.derivative
        )
        return texts[min(k, len(texts) - 1)]

    def order_problem(self, order: float | None) -> tuple[str, str] | None:
        """Why the first argument cannot be this order (None: no number), as (sentence, hint)."""
        if order is None:
            hint = "there is no derivative with respect to it"
            return f"the order of {self.name} must be a number", hint
        last = special.MAX_ORDER - 10  # derivatives raise it by up to 10
        whole = self.name != "polygamma" or (order >= 0 and order == int(order))
        if whole and abs(order) <= last:
            return None
        return f"{self.name} has no order {order:g}", f"orders end at {last:g}"

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

    def check(self, known: Iterable[str]) -> None:
        """Raise ValueError if the row is incomplete. known: functions that it may call."""
        for problem in self._problems(known):
            raise ValueError(f"the row of the function {self.name} {problem}")

    def _problems(self, known: Iterable[str]) -> Iterator[str]:
        if not (self.formula or self.c or self.by_hand):
            yield "needs a formula, the C library's name or by_hand"
        _, high = self.arity
        if not self.derivative and self.name != "where":
            yield "has no derivative"
        if self.overflows and not self.relative_derivative:
            yield "overflows and has no derivative relative to its value"
        wanted = (1, 2) if high is None else (high,)
        if self.derivative and len(self.derivative) not in wanted:
            yield f"needs {wanted[-1]} derivatives, not {len(self.derivative)}"
        arguments = {*LETTERS[:high], "pi", "and", "or"}
        texts = [(self.formula, arguments)]
        for text in (*self.derivative, *self.exact_derivative, self.relative_derivative):
            texts.append((text, arguments | {"f", "a", *self.shared}))
        for text, letters in texts:
            for name, called in re.findall(r"\b([a-z_]\w*)(\()?", text):
                if called and name not in known:
                    yield f"calls {name}, which is no function: {text}"
                if not called and name not in letters:
                    yield f"names {name}, which is no argument: {text}"


#: The scalar functions by name; the formulas of the rows call one another through it.
SCALARS: dict[str, Scalar] = {}


def op_node(name: str) -> type:
    """A new class of nodes, for a function that SymPy does not have."""
    return type(name, (Op,), {"__module__": __name__, "__doc__": f"The node of {name}."})


def row(
    name: str, node: type | None, derivative: str | tuple[str, ...], doc: str, **rest: Any
) -> Function:
    """One row; its scalar is compiled from its formula, or is the Python function of its name."""
    texts = (derivative,) if isinstance(derivative, str) else derivative
    scalar = rest.pop("scalar", None)
    if scalar is None and rest.get("formula"):
        required, defaults = rest.get("arity", (1, 1))[0], rest.get("defaults", ())
        scalar = compile_formula(rest["formula"], SCALARS, required, defaults)
    for module in (reference, special, bessel):
        scalar = scalar or getattr(module, name, None)
    if scalar is None:
        raise ValueError(f"the row of the function {name} needs a formula, or a value by hand")
    SCALARS[name] = scalar
    return Function(name, node or op_node(name), scalar, texts, doc, **rest)


def library_row(
    name: str, node: type | None, derivative: str | tuple[str, ...], doc: str, **rest: Any
) -> Function:
    """A row that Python's math, NumPy, the C library and mpmath have under its own name."""
    for library in ("math", "numpy", "c", "mpmath"):
        rest.setdefault(library, name)
    return row(name, node, derivative, doc, **rest)
