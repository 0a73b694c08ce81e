"""Write an indexed formula out: every element of an array a variable, every sum its terms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial, reduce

from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.indices import (
    INDEX_REDUCTIONS,
    Array,
    At,
    ColumnVector,
    Count,
    DataArray,
    Index,
    Largest,
    Peak,
    Product,
    Size,
    affine,
    log_sum_of_exponentials,
)
from symgd.formula.nodes import ONE, ZERO, Column, Name, Node, float_of
from symgd.formula.shapes import Shapes


class TooManyPartsError(Exception):
    """What is written out would be larger than its limit."""


@dataclass
class Unroller:
    """Writes nodes out into their graph, which may hold at most `limit` nodes then.

    column: (vector, k) -> the column of its k-th element. cell: (data array, k) -> the number in
    row k. elements: the variables that the elements of arrays are, by (name, subscripts).
    """

    graph: Graph
    shapes: Shapes
    column: Callable[[ColumnVector, int], Column]
    cell: Callable[[DataArray, int], float]
    elements: Mapping[tuple[str, tuple[int, ...]], Name]
    limit: int
    _steps: int = 0  # values of indices that were gone through, equal terms too
    _known: dict[tuple[int, tuple[tuple[Index, int], ...]], Node] = field(default_factory=dict)
    _free: dict[int, frozenset[Index]] = field(default_factory=dict)

    def unroll(self, node: Node, values: Mapping[Index, int]) -> Node:
        """The node at these values of its free indices, or TooManyPartsError."""
        free = self._free_of(node)
        key = (id(node), tuple(sorted(((i, values[i]) for i in free), key=lambda p: p[0].name)))
        if key not in self._known:
            if len(self.graph) > self.limit:
                raise TooManyPartsError
            self._known[key] = self._written(node, values)
        return self._known[key]

    def _free_of(self, node: Node) -> frozenset[Index]:
        """The free indices but for the row, which stays."""
        if id(node) not in self._free:
            own = {node} if isinstance(node, Index) else set()
            found = frozenset(own).union(*(self._free_of(a) for a in node.args))
            self._free[id(node)] = found - {node.args[0]} if _reduces(node) else found
        return self._free[id(node)]

    def _written(self, node: Node, values: Mapping[Index, int]) -> Node:
        graph = self.graph
        if isinstance(node, Index):
            return graph.number(values[node])
        if isinstance(node, Size):
            return graph.number(self.shapes.sizes[node])
        if isinstance(node, Count):
            return graph.number(self.shapes.count(node))
        if not node.args:
            return graph.atom(node)
        if _reduces(node):
            return self._reduced(node, values)
        if node.func is At:
            return self._element(node, values)
        if log_sum_of_exponentials(node) is not None:
            scores = list(self._terms(node.args[0], values))
            return graph.node(FUNCTIONS["logsumexp"].node, *scores)
        return graph.simplified(node, tuple(self.unroll(a, values) for a in node.args))

    def _terms(self, node: Node, values: Mapping[Index, int]) -> Iterator[Node]:
        """The terms of a reduction, and of those of its kind that are its terms."""
        index, term = node.args
        for k in self.shapes.range(index):
            self._steps += 1
            if self._steps > 10 * self.limit:
                raise TooManyPartsError
            if term.func is node.func:
                yield from self._terms(term, {**values, index: k})
            else:
                yield self.unroll(term, {**values, index: k})

    def _reduced(self, node: Node, values: Mapping[Index, int]) -> Node:
        graph, terms = self.graph, list(self._terms(node, values))
        if node.func is Product:
            return graph.mul(*terms)
        if node.func in (Largest, Peak):
            return reduce(partial(graph.node, FUNCTIONS["max"].node), terms)
        return graph.add(*terms)

    def _element(self, node: Node, values: Mapping[Index, int]) -> Node:
        graph, (array, *subscripts) = self.graph, node.args
        places = [self._subscript(s, values) for s in subscripts]
        if isinstance(array, ColumnVector):
            [k] = places
            assert isinstance(k, int)
            return graph.atom(self.column(array, k))
        if isinstance(array, DataArray):
            [k] = places
            assert isinstance(k, int)
            return graph.number(self.cell(array, k))
        return self._chosen(array, places, ())

    def _chosen(self, array: Array, places: list[int | Node], before: tuple[int, ...]) -> Node:
        """The element at `places`; a subscript from the data chooses among all elements."""
        graph = self.graph
        if not places:
            return graph.atom(self.elements[array.text, before])
        first, *rest = places
        if isinstance(first, int):
            return self._chosen(array, rest, (*before, first))
        terms = []
        for k in range(1, self.shapes.extents[array.text][len(before)] + 1):
            here = graph.where(graph.compare("==", first, graph.number(k)), ONE, ZERO)
            terms.append(graph.mul(here, self._chosen(array, rest, (*before, k))))
        return graph.add(*terms)

    def _subscript(self, node: Node, values: Mapping[Index, int]) -> int | Node:
        form = affine(node)
        if form is not None:
            return form.at({**self.shapes.sizes, **values})
        found = self.unroll(node, values)
        value = float_of(found)
        return found if value is None else int(value)


def _reduces(node: Node) -> bool:
    return node.func in INDEX_REDUCTIONS
