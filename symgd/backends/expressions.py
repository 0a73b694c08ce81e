"""Inline operations whose result is used once: from operations to nested expressions.

In Python nested expressions run faster than one statement per operation, are easier to read, and
evaluate only the branch of a select that is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import chain as chained
from typing import Any, NamedTuple, TypeAlias

from symgd.backends.operations import Guard, Operand, Operation
from symgd.formula.printing.precedence import ATOM, POWER, PRODUCT, SUM, Printer

_NESTING = 24  # maximum depth of one expression
_TERMS = 64  # maximum terms of a chain in one expression
#: Left-associative operations that need no parentheses among one another.
_CHAINS = {"add": "sum", "sub": "sum", "mul": "product", "div": "product"}


class Expression(NamedTuple):
    """An operation whose arguments may be nested expressions."""

    name: str
    arguments: tuple[Tree, ...]


Tree: TypeAlias = "Expression | Operand"


class Statement(NamedTuple):
    """result = expression; needed only where the guard holds."""

    result: str
    expression: Expression
    guard: Guard = ()

    @property
    def guarded(self) -> Expression:
        """The expression, or `guarded(condition, expression)` for lazy evaluation."""
        if not self.guard:
            return self.expression
        parts = [name if truth else Expression("not", (name,)) for name, truth in self.guard]
        condition: Tree = parts[0]
        for part in parts[1:]:
            condition = Expression("and", (condition, part))
        return Expression("guarded", (condition, self.expression))


class _Part(NamedTuple):
    """An expression to be inlined at its use.

    level: of nesting. length: terms of the chain that it is, of _CHAINS. fails: as in `Operator`.
    """

    expression: Expression
    level: int
    length: int
    fails: bool


def statements(operations: Sequence[Operation], kept: Collection[Operand]) -> list[Statement]:
    """The same operations, in the same order, as statements of nested expressions.

    kept: operands used elsewhere: by other blocks, sums, outputs. A guard is kept only if an
    operation may raise or is expensive.
    """
    uses = _uses(operations, kept)
    found: list[Statement] = []
    pending: dict[Operand, _Part] = {}
    inside: set[str] = set()  # results without a statement
    for operation in operations:
        result, name, arguments, guard = operation
        chain = _CHAINS.get(name)
        level, length, fails = 0, 1, operation.fails
        trees: list[Tree] = []
        for argument in arguments:
            part = pending.pop(argument, None)
            if part is None:
                trees.append(argument)
                continue
            below = part.level
            if not trees and chain and chain == _CHAINS.get(part.expression.name):
                below, length = below - 1, part.length + 1  # no parentheses
            level, fails = max(level, below), fails or part.fails
            trees.append(part.expression)
        expression = Expression(name, tuple(trees))
        if uses.get(result) == 1 and level < _NESTING and length < _TERMS:
            pending[result] = _Part(expression, level + 1, length, fails)
            inside.add(result)
        else:
            needed = guard and fails and inside.isdisjoint(name for name, _ in guard)
            found.append(Statement(result, expression, guard if needed else ()))
    return found


def _uses(operations: Sequence[Operation], kept: Iterable[Operand]) -> dict[Operand, int]:
    """The number of uses of each name; kept operands and guards count twice."""
    uses = Counter(chained.from_iterable([operation.arguments for operation in operations]))
    uses.update(dict.fromkeys(kept, 2))
    for operation in operations:
        if operation.guard and uses.get(operation.result) != 1:
            uses.update({name: 2 for name, _ in operation.guard})
    return uses


class Spelling(NamedTuple):
    """A template, its precedence, and the least precedence of its arguments."""

    template: str
    binds: int
    needs: tuple[int, ...]


#: Spellings common to most languages.
ARITHMETIC: dict[str, Spelling] = {
    "add": Spelling("{} + {}", SUM, (SUM, PRODUCT)),
    "sub": Spelling("{} - {}", SUM, (SUM, PRODUCT)),
    "mul": Spelling("{}*{}", PRODUCT, (PRODUCT, POWER)),
    "div": Spelling("{}/{}", PRODUCT, (PRODUCT, POWER)),
    "neg": Spelling("-{}", SUM, (PRODUCT,)),
    **{op: Spelling(f"({{}} {op} {{}})", ATOM, (SUM, SUM)) for op in ("<", "<=", ">", ">=")},
    **{op: Spelling(f"({{}} {op} {{}})", ATOM, (SUM, SUM)) for op in ("==", "!=")},
}


class OperationPrinter(Printer):
    """Writes expressions by a table operation -> spelling; others are function calls."""

    separator = ", "  # between the arguments of a call

    def __init__(self, spellings: Mapping[str, Spelling]) -> None:
        self.spellings = spellings

    def number(self, value: float) -> str:
        """A double, so that it reads back bit for bit."""
        return repr(value)

    def name(self, name: str) -> str:
        """The name of an input or a result."""
        return name

    def parts(self, tree: Any) -> tuple[str, Sequence[Any]] | None:
        """The operation and its arguments, or None for a leaf."""
        return tree if isinstance(tree, Expression) else None

    def leaf(self, tree: Any) -> str:
        """A name or a number."""
        return self.name(tree) if isinstance(tree, str) else self.number(tree)

    def piece(self, tree: Any) -> tuple[str, int]:
        parts = self.parts(tree)
        if parts is None:
            text = self.leaf(tree)
            return text, SUM if text[0] == "-" else ATOM
        operation, arguments = parts
        spelling = self.spellings.get(operation)
        if spelling is None:
            return f"{operation}({self.separator.join(map(self.write, arguments))})", ATOM
        template, binds, needs = spelling
        return template.format(*map(self.write, arguments, needs)), binds
