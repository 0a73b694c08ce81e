"""The printer of nodes that plain text and LaTeX share: sums, conditions, the limit of length."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, NamedTuple

import sympy

from symgd.formula.nodes import Negation, Node
from symgd.formula.printing.precedence import ROW_SUM, SUM, Printer


class TooLongError(Exception):
    """More nodes than the limit: the tree of a graph with sharing may be exponentially large."""


class Infix(NamedTuple):
    """An n-ary infix operator, its precedence, and the precedence that its operands need."""

    operator: str
    binds: int
    needs: int


class NodePrinter(Printer):
    """Writes at most `limit` nodes."""

    infix: ClassVar[Mapping[type, Infix]]
    negation: ClassVar[tuple[str, int]]  # template and precedence

    def __init__(self, limit: int) -> None:
        self.remaining = limit

    def piece(self, node: Node) -> tuple[str, int]:
        self.remaining -= 1
        if self.remaining < 0:
            raise TooLongError
        cls = node.func
        if not node.args:
            return self.atom(node)
        if cls is sympy.Add:
            return self.sum(node), SUM
        if cls is sympy.Mul:
            return self.product(node)
        if cls is sympy.Pow:
            return self.power(node)
        if cls is Negation:
            template, binds = self.negation
            return template.format(self.write(node.args[0])), binds
        if cls in self.infix:
            operator, binds, needs = self.infix[cls]
            return operator.join(self.write(a, needs) for a in node.args), binds
        return self.call(node)

    def sum(self, node: Node) -> str:
        """The terms, joined by + or -."""
        first, *rest = node.args
        out = [self.write(first, SUM)]
        for term in rest:
            text = self.write(term, ROW_SUM if term.func is sympy.Add else SUM)
            out.append(f" - {text[1:]}" if text.startswith("-") else f" + {text}")
        return "".join(out)

    @abstractmethod
    def atom(self, node: Node) -> tuple[str, int]:
        """A name or a number."""

    @abstractmethod
    def product(self, node: Node) -> tuple[str, int]:
        """A product or quotient."""

    @abstractmethod
    def power(self, node: Node) -> tuple[str, int]:
        """A power, root or reciprocal."""

    @abstractmethod
    def call(self, node: Node) -> tuple[str, int]:
        """A function call."""


def number_text(node: Node) -> str:
    """A number with all digits of its double."""
    return repr(float(node)) if isinstance(node, sympy.Float) else str(node)
