"""The printer of nodes that plain text and LaTeX share: sums, conditions, the limit of length."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, NamedTuple

import sympy

from symgd._locks import cached_property
from symgd.formula.indices import Count, Index
from symgd.formula.nodes import Name, Negation, Node, compared, topological
from symgd.formula.printing.index_names import (
    Reduction,
    index_names,
    is_named,
    read_reduction,
    spare_name,
)
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

    def __init__(self, limit: int, root: Node, first: Sequence[Index] = ()) -> None:
        self.remaining, self.root, self.first = limit, root, first
        self.around: list[tuple[Index, str]] = []  # the indices of the reductions around

    @cached_property
    def names(self) -> dict[Index, str]:
        """What the indices are called."""
        return index_names([self.root], self.first)

    @cached_property
    def taken(self) -> set[str]:
        """The names that are no indices, sizes of ranges included."""
        bounds = {s.text for i in self.names for b in (i.low, i.high) for s, _ in b.terms}
        leaves = (n for n in topological([self.root]) if isinstance(n, Name))
        return bounds.union(n.text for n in leaves if not isinstance(n, Index))

    def piece(self, node: Node) -> tuple[str, int]:
        self.remaining -= 1
        if self.remaining < 0:
            raise TooLongError
        cls = node.func
        if not node.args:
            return self.atom(node)
        if (reduction := read_reduction(node)) is not None:
            return self._inside(reduction)
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
            return operator.join(self.write(a, needs) for a in compared(node)), binds
        return self.call(node)

    def _inside(self, reduction: Reduction) -> tuple[str, int]:
        """A reduction; an index that one around it has, too, gets another name."""
        known = dict(self.names)
        for index in reduction.indices:
            if index in dict(self.around):
                around = {name for _, name in self.around}
                self.names[index] = spare_name(self.taken | around | {*self.names.values()})
            self.around.append((index, self.names[index]))
        found = self.reduction(reduction)
        del self.around[-len(reduction.indices) :]
        self.names |= known
        return found

    def sum(self, node: Node) -> str:
        """The terms, joined by + or -."""
        first, *rest = node.args
        out = [self.write(first, SUM)]
        for term in rest:
            text = self.write(term, ROW_SUM if term.func is sympy.Add else SUM)
            out.append(f" - {text[1:]}" if text.startswith("-") else f" + {text}")
        return "".join(out)

    def size(self, node: Node) -> Node:
        """A size or count as a number or as what it is made of."""
        if not isinstance(node, Count) or not is_named(node.index.high):
            return node
        form = node.index.high - node.index.low + 1
        terms = [s if k == 1 else sympy.Mul(k, s, evaluate=False) for s, k in form.terms]
        if form.constant or not terms:
            terms.append(sympy.Integer(form.constant))
        return terms[0] if len(terms) == 1 else sympy.Add(*terms, evaluate=False)

    @abstractmethod
    def reduction(self, node: Reduction) -> tuple[str, int]:
        """A reduction over indices."""

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
