"""The operations of a Program: THE table that every backend and printer uses.

An operation maps doubles or conditions to one double or condition, in IEEE arithmetic, rounded
once. A backend is a table from these names to implementations, a printer one from these names to
spellings. Any other name is a function of `symgd.formula.functions.table`.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.function import CHEAP, DIVIDE, ELEMENTARY
from symgd.formula.functions.table import FUNCTIONS, Function


@dataclass(frozen=True)
class Operator:
    """One row: an operation on the arguments a, b, c.

    reads: a letter for each argument, "x" for a number, "c" for a condition. gives: the same of
    the result. cost: in multiplications. fails: whether Python's arithmetic raises where IEEE
    arithmetic gives inf or nan, so that a branch that is not taken must not evaluate it.
    """

    meaning: str
    reads: str
    cost: int
    gives: str = "x"
    fails: bool = False


OPERATORS: dict[str, Operator] = {
    "add": Operator("a + b", "xx", CHEAP),
    "sub": Operator("a - b", "xx", CHEAP),
    "mul": Operator("a*b", "xx", CHEAP),
    "div": Operator("a/b", "xx", DIVIDE, fails=True),
    "neg": Operator("-a", "x", 0),
    "square": Operator("a*a", "x", CHEAP),
    "sqrt": Operator("the square root of a", "x", DIVIDE, fails=True),
    "pow": Operator(
        "a to the power b, as C's pow; to a number 2..8 by products", "xx", ELEMENTARY, fails=True
    ),
    "<": Operator("whether a < b", "xx", CHEAP, gives="c"),
    "<=": Operator("whether a <= b", "xx", CHEAP, gives="c"),
    ">": Operator("whether a > b", "xx", CHEAP, gives="c"),
    ">=": Operator("whether a >= b", "xx", CHEAP, gives="c"),
    "==": Operator("whether a equals b", "xx", CHEAP, gives="c"),
    "!=": Operator("whether a and b differ, or one is nan", "xx", CHEAP, gives="c"),
    "and": Operator("whether a and b hold", "cc", 0, gives="c"),
    "or": Operator("whether a or b holds", "cc", 0, gives="c"),
    "not": Operator("whether a does not hold", "c", 0, gives="c"),
    "select": Operator("b where a holds, else c", "cxx", CHEAP),
    "norm": Operator("the Euclidean norm of an array; in rules only", "x", CHEAP),
    "total": Operator("the sum of an array; in rules only", "x", CHEAP),
    "peak": Operator("the largest element of an array; in rules only", "x", CHEAP),
}

#: The operations that take a whole array to one number.
REDUCTIONS = ("norm", "total", "peak")

#: The name of an input or an earlier result, or a number.
Operand: TypeAlias = "str | float"

#: Conditions, by name, and the truth each must have; all of them.
Guard: TypeAlias = tuple[tuple[str, bool], ...]


class Operation(NamedTuple):
    """result = name(arguments).

    guard: where the result is read: by the branches of selects, and by other operations of this
    guard. Elsewhere it need not be computed, and may be anything.
    """

    result: str
    name: str
    arguments: tuple[Operand, ...]
    guard: Guard = ()

    @property
    def function(self) -> Function | None:
        """The row of the table of functions that is called, if it is no operator."""
        return None if self.name in OPERATORS else function_named(self.name)

    @property
    def cost(self) -> int:
        """The usual time, in multiplications."""
        row = self.function
        if row is None:
            return OPERATORS[self.name].cost
        return row.cost * (len(self.arguments) if row.variadic else 1)

    @property
    def weight(self) -> int:
        """How many operations it counts as: a variadic function one for each argument."""
        row = self.function
        if row is None:
            return 0 if OPERATORS[self.name].cost == 0 else 1
        return len(self.arguments) if row.variadic else 1

    @property
    def is_condition(self) -> bool:
        """Whether the result is a condition."""
        return gives_condition(self.name)

    @property
    def fails(self) -> bool:
        """Whether Python's arithmetic may raise, or the function is expensive."""
        row = OPERATORS.get(self.name)
        return row is None or row.fails

    @property
    def conditions(self) -> tuple[Operand, ...]:
        """The arguments that are conditions."""
        if self.name not in OPERATORS:
            return ()
        letters = zip(OPERATORS[self.name].reads, self.arguments, strict=True)
        return tuple(argument for letter, argument in letters if letter == "c")

    @property
    def names(self) -> list[str]:
        """The names among the arguments."""
        return [a for a in self.arguments if isinstance(a, str)]


def function_named(name: str) -> Function:
    """The row of a function that an operation may call, one of the derivatives or not."""
    return FUNCTIONS[name] if name in FUNCTIONS else DERIVATIVES[name]


def gives_condition(name: str) -> bool:
    """Whether the result of an operation of this name is a condition."""
    return name in OPERATORS and OPERATORS[name].gives == "c"


def condition_names(operations: Iterable[Operation]) -> set[str]:
    """The names that stand for conditions where these operations read them."""
    found = {a for o in operations for a in o.conditions if isinstance(a, str)}
    return found | {name for o in operations for name, _ in o.guard}


def live(
    operations: Sequence[Operation], wanted: Iterable[Operand], known: Container[str] = ()
) -> list[Operation]:
    """The operations, in order, that these operands need. known: what needs no operation."""
    needed = {name for name in wanted if isinstance(name, str) and name not in known}
    found: list[Operation] = []
    for operation in reversed(operations):
        if operation.result in needed:
            found.append(operation)
            needed.update(name for name in operation.names if name not in known)
    return found[::-1]
