"""A loss that is a sum of weighted squares, however it is written, as stacked residuals.

sum(u^2/s^2), 0.5*sum(w*u^2), sum(u^2 + v^2), sum(u^2) + sum(v^2) and sum(hypot(u, v)^2) are all
least squares. Squares over something that columns give are a chi-square: they are in units of
known errors. A square outside of the sums, as in sum(u^2) + lam*a^2, is one more residual, of which
each row has its share.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import sympy

from symgd.fits.regression_model import Model
from symgd.formula.functions.table import BY_CLASS
from symgd.formula.nodes import (
    ROWS,
    Column,
    Name,
    Node,
    RowMean,
    RowSum,
    Where,
    float_of,
    topological,
)
from symgd.model.data_binding import RowData, columns_below


class Squares:
    """Finds the squares that a loss adds up; graph, rows: those of the loss."""

    def __init__(self, rows: RowData) -> None:
        self.rows, self.graph = rows, rows.graph
        self.chi_square = True  # whether every square is divided by something of the data
        self.means = False  # whether all sums are means: then so much larger is the whole
        self.outside: list[tuple[Node, Node]] = []  # squares outside of the sums

    def model(self, root: Node, model: Model) -> Model | None:
        """The model with these residuals, or None where the loss is no sum of squares."""
        self.means = not any(n.func is RowSum for n in topological([root]))
        found = self._sums(root, 1.0)
        if not found:
            return None
        found += self.outside
        each = self.rows.settle(self.rows.lower([node for pair in found for node in pair]))
        if any(n.func is RowSum for n in topological(each)):
            return None
        parts = list(zip(each[::2], each[1::2], strict=True))
        if len(parts) == 1 and not _parameters(parts[0][1]):
            predicted, response = self._sides(parts[0][0], self.graph.number(1.0))
            root_weight = parts[0][1]
            weight = None if float_of(root_weight) == 1 else self.graph.pow(root_weight, 2)
            return replace(model, predicted=predicted, response=response, weight=weight)
        first, *further = (self._sides(base, weight) for base, weight in parts)
        return replace(
            model,
            predicted=first[0],
            response=first[1],
            further=tuple(further),
            penalties=len(self.outside),
        )

    def _sides(self, base: Node, weight: Node) -> tuple[Node, Node]:
        """(predicted, response) of the residual weight*base, response - predicted."""
        graph = self.graph
        split = not _parameters(weight)
        known = [t for t in _terms(base) if split and _is_data(t)]
        rest = [t for t in _terms(base) if not any(t is k for k in known)]
        predicted = graph.mul(weight, graph.neg(graph.add(*rest)))
        response = graph.mul(weight, graph.add(*known)) if known else graph.number(0.0)
        return predicted, response

    def _sums(self, node: Node, factor: float) -> list[tuple[Node, Node]] | None:
        """(base, weight) of each square that sums over rows add up, times a number."""
        share = factor if self.means else factor / self.rows.table.rows
        if node.func is RowSum:
            return self._squares(node.args[0], factor)
        if node.func is RowMean:
            return self._squares(node.args[0], share)
        if node.func is sympy.Add:
            return _joined([self._sums(a, factor) for a in node.args])
        numbers = [f for a in node.args if (f := float_of(a)) is not None]
        if node.func is sympy.Mul and len(numbers) == len(node.args) - 1:
            (inner,) = (a for a in node.args if float_of(a) is None)
            return self._sums(inner, factor * math.prod(numbers))
        if any(n.func in (RowSum, RowMean) for n in topological([node])):
            return None
        known = self.chi_square
        found = self._squares(node, share)
        self.chi_square = known  # of what the sums add up
        self.outside += found or []
        return None if found is None else []

    def _squares(self, term: Node, factor: float) -> list[tuple[Node, Node]] | None:
        """(base, weight) of each square, (weight*base)^2, of a term of a sum over rows."""
        if term.func is sympy.Add:
            return _joined([self._squares(a, factor) for a in term.args])
        if term.func is Where:  # of squares: the square of where
            found = [self._squares(a, factor) for a in term.args[1:]]
            if any(part is None or len(part) != 1 for part in found):
                return None
            a, b = (self.graph.mul(w, base) for part in found for base, w in part or ())
            return [(self.graph.where(term.args[0], a, b), self.graph.number(1.0))]
        factors = _factors(term)
        numbers = [f for a in factors if (f := float_of(a)) is not None]
        factor *= math.prod(numbers)
        others = [a for a in factors if float_of(a) is None]
        squared = next((a for a in others if _is_square(a) and _parameters(a)), None)
        if squared is None or not factor > 0:
            return None
        others.remove(squared)
        if not all(self._is_positive(a) for a in others):
            return None
        graph = self.graph
        roots = [self._root(a) for a in others]
        inner = _factors(squared.args[0])
        known = [a for a in inner if not _parameters(a)]
        bases = [graph.mul(*(a for a in inner if _parameters(a)))]
        name = _name(bases[0])
        if name in ("abs", "hypot"):
            bases = list(bases[0].args)
        divided = [a for a in (*others, *known) if _divides(a) and columns_below([a])]
        self.chi_square &= bool(divided)
        scale = [graph.number(math.sqrt(factor))] if factor != 1 else []
        weight = graph.mul(*scale, *roots, *known) if (scale or roots or known) else None
        return [(base, graph.number(1.0) if weight is None else weight) for base in bases]

    def _root(self, node: Node) -> Node:
        """The square root of a positive factor."""
        if node.func is sympy.Pow and (power := float_of(node.args[1])) is not None:
            base = node.args[0]
            if power == -1 and _is_square(base):
                return self.graph.pow(base.args[0], -1)
            if power % 2 == 0:
                return self.graph.pow(base, power / 2)
        return self.graph.sqrt(node)

    def _is_positive(self, node: Node) -> bool:
        """Whether a factor is nowhere negative."""
        value = float_of(node)
        if value is not None:
            return value >= 0
        if isinstance(node, Column):
            return self.rows.ranges([node])[node][0] >= 0
        if node is ROWS:
            return True
        if node.func is sympy.Pow and (power := float_of(node.args[1])) is not None:
            return power % 2 == 0 or self._is_positive(node.args[0])
        if node.func in (sympy.Add, sympy.Mul):
            return all(self._is_positive(a) for a in node.args)
        return _name(node) in ("exp", "abs", "hypot")


def _joined(
    parts: Sequence[list[tuple[Node, Node]] | None],
) -> list[tuple[Node, Node]] | None:
    return None if None in parts else [pair for part in parts if part for pair in part]


def _name(node: Node) -> str:
    return getattr(BY_CLASS.get(node.func), "name", "")


def _factors(node: Node) -> list[Node]:
    """The factors of a product, those of its products included."""
    if node.func is not sympy.Mul:
        return [node]
    return [f for a in node.args for f in _factors(a)]


def _terms(node: Node) -> list[Node]:
    return list(node.args) if node.func is sympy.Add else [node]


def _is_square(node: Node) -> bool:
    return node.func is sympy.Pow and float_of(node.args[1]) == 2


def _divides(node: Node) -> bool:
    return node.func is sympy.Pow and (float_of(node.args[1]) or 0.0) < 0


def _parameters(node: Node) -> list[Name]:
    """The names in a node that are no columns."""
    leaves = [n for n in topological([node]) if isinstance(n, Name)]
    return [n for n in leaves if not isinstance(n, Column) and n is not ROWS]


def _is_data(term: Node) -> bool:
    """Whether a term holds a column and no parameter."""
    return bool(columns_below([term])) and not _parameters(term)
