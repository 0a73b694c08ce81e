"""The derivative by one element of an array, x[i], as people write it: with cases at the ends.

A `Scatter` is read from the side of the sum: where does its term go? Here it is read from the side
of the element: which terms come to x[i]? In x[i+1] of a sum over i, that of i - 1, from i = 2 on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from symgd.calculus.index_gradient import Scatter
from symgd.calculus.readable import tidy
from symgd.calculus.reductions import total_over
from symgd.formula.graph import Graph
from symgd.formula.indices import Affine, At, Count, FreeIndices, Index, Size, affine
from symgd.formula.nodes import ZERO, Conjunction, Name, Node, topological

_LETTERS = "ijklmnopqrst"


def element_derivative(
    graph: Graph, scatters: Sequence[Scatter], extents: Sequence[int], sizes: Mapping[Name, int]
) -> tuple[tuple[Index, ...], Node]:
    """The subscripts of an element, and the derivative by it in readable form.

    extents: of the array. sizes: the numbers that sizes are. Conditions that hold for all elements
    are left out, and sizes that the formula does not name are numbers.
    """
    free = FreeIndices()
    places = tuple(Index(f"e{k}", "", Affine(1), Affine(n)) for k, n in enumerate(extents))
    terms = [_Solver(graph, places, sizes, free).term(scatter) for scatter in scatters]
    [whole] = tidy(graph, [_with_numbers(graph, graph.add(*terms), sizes)])
    taken = {n.text for n in topological([whole]) if isinstance(n, Name)}
    letters = [letter for letter in _LETTERS if letter not in taken]
    element = tuple(
        Index(place.name, letter, place.low, place.high)
        for place, letter in zip(places, letters, strict=False)
    )
    return element, graph.replace([whole], dict(zip(places, element, strict=True)))[0]


class _Solver:
    """Solves the subscripts of one scatter for its indices."""

    def __init__(
        self, graph: Graph, element: Sequence[Index], sizes: Mapping[Name, int], free: FreeIndices
    ) -> None:
        self.graph, self.element, self.sizes, self.free = graph, element, sizes, free
        self.conditions: list[Node] = []

    def term(self, scatter: Scatter) -> Node:
        """What comes to the element."""
        graph, nodes = self.graph, [scatter.term, *scatter.subscripts]
        for k, place in enumerate(self.element):
            index, solved = self._solved(nodes[1 + k], place)
            if index is None:
                condition = graph.compare("==", graph.atom(place), nodes[1 + k])
                self.conditions.append(condition)
                continue
            nodes = self._replaced(nodes, index, solved)
            self.conditions = self._replaced(self.conditions, index, solved)
            self._add_ends(index, place, solved)
        outside, inside = self._split(nodes[0])
        if self.conditions:
            first, *more = self.conditions
            where = graph.node(Conjunction, first, *more) if more else first
            inside = graph.where(where, inside, ZERO)
        summed = self.free(inside) - {*self.element}
        return graph.mul(outside, total_over(graph, summed, inside, self.free))

    def _split(self, term: Node) -> tuple[Node, Node]:
        """The product of the factors of a term that have no index, and that of the others."""
        stack, factors = [term], list[Node]()
        while stack:
            node = stack.pop()
            if node.func is sympy.Mul:
                stack += node.args[::-1]
            else:
                factors.append(node)
        outside = [f for f in factors if not self.free(f)]
        return self.graph.mul(*outside), self.graph.mul(*(f for f in factors if self.free(f)))

    def _solved(self, subscript: Node, place: Index) -> tuple[Index | None, Affine]:
        """The index in a subscript i + 1, n - i, and its value where the subscript is `place`."""
        known = affine(subscript)
        indices = [i for i in known.indices if i not in self.element] if known is not None else []
        if known is None or len(indices) != 1 or len(known.indices) != 1:
            return None, Affine()
        [index] = indices
        factor = dict(known.terms)[index]
        rest = known - Affine(0, ((index, factor),))
        return (index if abs(factor) == 1 else None), (Affine(0, ((place, 1),)) - rest) * factor

    def _add_ends(self, index: Index, place: Index, solved: Affine) -> None:
        """The conditions that the solved index is in its range, for some elements not so."""
        factor = dict(solved.terms)[place]
        rest = solved - Affine(0, ((place, factor),))
        ends = [(index.low - rest) * factor, (index.high - rest) * factor]
        low, high = ends[::factor]
        here = self.graph.atom(place)
        if low.at(self.sizes) > 1:
            self.conditions.append(self.graph.compare(">=", here, _node(self.graph, low)))
        if high.at(self.sizes) < place.high.at(self.sizes):
            self.conditions.append(self.graph.compare("<=", here, _node(self.graph, high)))

    def _replaced(self, roots: Sequence[Node], index: Index, value: Affine) -> list[Node]:
        """The nodes with an index replaced where it is free."""
        graph, new = self.graph, _node(self.graph, value)
        done: dict[int, Node] = {}
        for node in topological(roots):
            args = tuple(done[id(a)] for a in node.args)
            if index not in self.free(node):
                done[id(node)] = node
            elif node is graph.atom(index):
                done[id(node)] = new
            else:
                if node.func is At:
                    args = tuple(_node(graph, a) if (a := affine(b)) else b for b in args)
                done[id(node)] = graph.same(node, args)
        return [done[id(root)] for root in roots]


def _node(graph: Graph, form: Affine) -> Node:
    """An affine form as a node."""
    parts = [graph.mul(graph.number(k), graph.atom(symbol)) for symbol, k in form.terms]
    return graph.add(*parts, graph.number(form.constant))


def _with_numbers(graph: Graph, root: Node, sizes: Mapping[Name, int]) -> Node:
    """The node with counts written out, and numbers for sizes without a name."""

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if isinstance(node, Count):
            node = _node(graph, node.index.high - node.index.low + 1)
            return _with_numbers(graph, node, sizes)
        if isinstance(node, Size) and node.text.startswith("#"):
            return graph.number(sizes[node])
        return graph.same(node, args)

    return graph.rebuild([root], change)[0]
