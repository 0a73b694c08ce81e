"""Indices, arrays and reductions over an index: the nodes of indexed formulas.

`sum(w[j]*X[j], j=1..n)` is Total(j, Mul(At(w, j), At(X, j))). An index is bound by the reduction
that it belongs to; every other index below a node is *free*: the node has a value for each of its
values. A row of the data is one more index, `ROW`, over which columns vary.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sympy

from symgd.formula.nodes import (
    ROWS,
    Column,
    Name,
    Node,
    Op,
    RowMax,
    RowMean,
    RowSum,
    float_of,
    is_negation,
    topological,
)


class Size(Name):
    """An internal symbol `n0`, `n1`, ... of a size: a whole number known before anything runs.

    Its text does not tell it apart: formulas that differ in names alone share machine code.
    """

    __slots__ = ()

    def _hashable_content(self) -> tuple[Any, ...]:
        return super()._hashable_content()[:-1]


@dataclass(frozen=True)
class Affine:
    """constant + sum of factor*symbol: a bound of a range, or a subscript.

    terms: (index or size, whole factor other than 0), in order of the symbols' identifiers.
    """

    constant: int = 0
    terms: tuple[tuple[Name, int], ...] = ()

    def __add__(self, other: Affine | int) -> Affine:
        if isinstance(other, int):
            return Affine(self.constant + other, self.terms)
        factors = dict(self.terms)
        for symbol, factor in other.terms:
            factors[symbol] = factors.get(symbol, 0) + factor
        kept = sorted(((s, k) for s, k in factors.items() if k), key=lambda term: term[0].name)
        return Affine(self.constant + other.constant, tuple(kept))

    def __mul__(self, factor: int) -> Affine:
        if factor == 0:
            return Affine()
        return Affine(self.constant * factor, tuple((s, k * factor) for s, k in self.terms))

    def __sub__(self, other: Affine) -> Affine:
        return self + other * -1

    def __str__(self) -> str:
        terms = [s.name if k == 1 else f"{k}*{s.name}" for s, k in self.terms]
        if self.constant or not terms:
            terms.append(str(self.constant))
        return "+".join(terms).replace("+-", "-")

    def at(self, values: Mapping[Name, int]) -> int:
        """The number that it is for these values of its symbols."""
        return self.constant + sum(factor * values[symbol] for symbol, factor in self.terms)

    @property
    def indices(self) -> tuple[Index, ...]:
        """The indices in it."""
        return tuple(symbol for symbol, _ in self.terms if isinstance(symbol, Index))


class Index(Name):
    """An internal symbol `i0`, `i1`, ... of an index: whole numbers from low to high inclusive.

    Its bounds hold sizes only. Two indices of one range are the same symbol unless one stands
    inside the reduction of the other, so that equal sums are one node.
    """

    __slots__ = ("high", "low")
    low: Affine
    high: Affine

    def __new__(cls, ident: str, text: str, low: Affine, high: Affine) -> Index:
        index = super().__new__(cls, ident, text)
        index.low, index.high = low, high
        return index

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.name, self.text, self.low, self.high), {}


#: The index of the rows of the data.
ROW = Index("row", "#row", Affine(1), Affine(0, ((ROWS, 1),)))


class Count(Name):
    """An internal symbol of the number of values that an index takes; 0 for an empty range."""

    __slots__ = ("index",)
    index: Index

    def __new__(cls, index: Index) -> Count:
        count = super().__new__(cls, f"count_{index.name}", f"#{index.name}")
        count.index = index
        return count

    def __getnewargs_ex__(self) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (self.index,), {}


class Array(Name):
    """An internal symbol `a0`, `a1`, ... of an array of parameters."""

    __slots__ = ()


class DataArray(Name):
    """An internal symbol `d0`, ... of a column that is read by position: `y[i]`."""

    __slots__ = ()


class ColumnVector(Name):
    """An internal symbol `v0`, ... of columns that are one vector in every row: `X[j]`."""

    __slots__ = ()


class At(Op):
    """At(array, subscript...): an element; subscripts are whole numbers from 1.

    A subscript is affine in indices and sizes, or read from the data (`a[site]`).
    """


class Total(Op):
    """Total(index, term): the sum of a term over an index; 0 for an empty range."""


class Product(Op):
    """Product(index, factor): the product over an index; 1 for an empty range."""


class Largest(Op):
    """Largest(index, term): the largest value over an index.

    The adjoint is shared equally by the terms that are the largest.
    """


class Peak(Op):
    """Peak(index, term): the largest value that is a number, 0 where that is not finite.

    As RowMax: it shifts exponents, and its derivative is 0.
    """


#: The reductions over the index that is their first argument.
INDEX_REDUCTIONS = (Total, Product, Largest, Peak)
_ROW_REDUCTIONS = (RowSum, RowMean, RowMax)


def reduced_index(node: Node) -> Index | None:
    """The index over which a node is a reduction, or None where it is none."""
    if node.func in INDEX_REDUCTIONS:
        return node.args[0]  # type: ignore[no-any-return]
    return ROW if node.func in _ROW_REDUCTIONS else None


class FreeIndices:
    """The free indices of nodes of one graph, each computed once."""

    def __init__(self) -> None:
        self._known: dict[int, frozenset[Index]] = {}

    def __call__(self, node: Node) -> frozenset[Index]:
        if id(node) not in self._known:
            for part in topological([node], known=self._known):
                self._known[id(part)] = _free(part, self._known)
        return self._known[id(node)]


def _free(node: Node, known: Mapping[int, frozenset[Index]]) -> frozenset[Index]:
    if isinstance(node, Index):
        return frozenset({node})
    if isinstance(node, (Column, ColumnVector)):
        return frozenset({ROW})
    inside = frozenset[Index]()
    for arg in node.args:
        inside = inside | own if (own := known[id(arg)]) else inside
    return inside - {reduced_index(node)} if inside else inside


def column_text(node: Node) -> str:
    """The name of the column that a node is the value of, in a row or by position; "" for none."""
    column = node.args[0] if node.func is At else node
    return column.text if isinstance(column, (Column, DataArray)) else ""


def affine(node: Node) -> Affine | None:
    """A node that is affine in indices and sizes with whole numbers, else None."""
    if isinstance(node, (Index, Size)):
        return Affine(0, ((node, 1),))
    value = float_of(node)
    if value is not None:
        return Affine(int(value)) if value == int(value) else None
    if node.func not in (sympy.Add, sympy.Mul):
        return None
    parts = [affine(a) for a in node.args]
    if any(part is None for part in parts):
        return None
    total = parts[0]
    for part in parts[1:]:
        assert total is not None
        assert part is not None
        if node.func is sympy.Add:
            total = total + part
        elif not part.terms:
            total = total * part.constant
        elif not total.terms:
            total = part * total.constant
        else:
            return None
    return total


def log_sum_of_exponentials(node: Node) -> Node | None:
    """The term b of Peak(i, b) + log(Total(i, exp(b - Peak(i, b)))), as the parser builds it."""
    if node.func is not sympy.Add or len(node.args) != 2:
        return None
    peak, log = node.args
    if peak.func is not Peak or log.func is not sympy.log:
        return None
    total = log.args[0]
    while total.func is Total:
        total = total.args[1]
    if total.func is not sympy.exp or total.args[0].func is not sympy.Add:
        return None
    shifted = any(is_negation(a) and a.args[1] is peak for a in total.args[0].args)
    term = peak
    while term.func is Peak:
        term = term.args[1]
    return term if shifted else None
