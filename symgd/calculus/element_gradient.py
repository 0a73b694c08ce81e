"""The derivative of a loss by one element of an array, dL/dx[i], as one formula of i.

A term that flows to x[i + 1] for i = 1..n-1 flows to x[i] from i - 1, where 2 <= i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import sympy

from symgd.calculus.index_gradient import Scatter
from symgd.calculus.readable import tidy
from symgd.calculus.reductions import total_over
from symgd.formula.graph import Graph
from symgd.formula.indices import (
    Affine,
    At,
    Count,
    FreeIndices,
    Index,
    Size,
    affine,
    reduced_index,
)
from symgd.formula.nodes import ONE, ROWS, ZERO, Conjunction, Name, Node, RowSum, is_inverse


@dataclass
class ElementGradient:
    """The derivatives by elements of one array, which has these extents.

    sizes: all sizes as numbers. targets: the indices of the element.
    """

    graph: Graph
    extents: Sequence[int]
    scatters: Sequence[Scatter]
    sizes: Mapping[Name, int]
    targets: tuple[Index, ...] = ()
    free: FreeIndices = field(default_factory=FreeIndices)

    def __post_init__(self) -> None:
        texts: list[str] = []
        for axis in range(len(self.extents)):
            forms = [affine(s.subscripts[axis]) for s in self.scatters]
            own = [f.indices[0].text for f in forms if f is not None and len(f.indices) == 1]
            spare = [t for t in (*own, *"ijklpqrstuvmgh") if t and t not in texts]
            texts.append(spare[0])
        ends = zip(texts, self.extents, strict=True)
        self.targets = tuple(
            Index(f"t{axis}", text, Affine(1), Affine(extent))
            for axis, (text, extent) in enumerate(ends)
        )

    def formula(self) -> Node:
        """The derivative as a node over the targets."""
        graph = self.graph
        parts: dict[tuple[int, ...], tuple[list[Node], list[Node]]] = {}
        for scatter in self.scatters:
            conditions, term = self._part(scatter)
            key = tuple(sorted(map(id, conditions)))
            parts.setdefault(key, (conditions, []))[1].append(term)
        terms = []
        for conditions, own in parts.values():
            [total] = tidy(graph, [graph.add(*own)])
            terms.append(_where(graph, conditions, total))
        return with_sizes(graph, [graph.add(*terms)], self.sizes)[0]

    def _part(self, scatter: Scatter) -> tuple[list[Node], Node]:
        """What flows along one scatter: (conditions on the targets, term)."""
        graph, free = self.graph, self.free
        bound = free(scatter.term).union(*map(free, scatter.subscripts)) - {*self.targets}
        new: dict[Index, Node] = {}
        outside: list[Node] = []
        inside: list[Node] = []
        for target, subscript in zip(self.targets, scatter.subscripts, strict=True):
            form = affine(subscript)
            index = None if form is None else self._solvable(form, new)
            if form is None or index is None:
                inside.append(graph.compare("==", graph.atom(target), subscript))
                continue
            factor = dict(form.terms)[index]
            value = (Affine(0, ((target, 1),)) - (form - Affine(0, ((index, factor),)))) * factor
            new[index] = _node(graph, value)
            outside += self._within(index, value, target)
        term, *inside = self._moved([scatter.term, *inside], new)
        rest = bound - set(new)
        outside += [c for c in inside if not free(c) & rest]
        term = _where(graph, [c for c in inside if free(c) & rest], term)
        return list({id(c): c for c in outside}.values()), total_over(graph, rest, term, free)

    def _solvable(self, form: Affine, new: Mapping[Index, Node]) -> Index | None:
        """The one index of a subscript, if it stands there once and is not known yet."""
        found = form.indices
        if len(found) != 1 or abs(dict(form.terms)[found[0]]) != 1 or found[0] in new:
            return None
        return found[0]

    def _within(self, index: Index, value: Affine, target: Index) -> list[Node]:
        """The conditions under which a value lies in the range of an index."""
        graph, atom = self.graph, self.graph.atom(target)
        factor = dict(value.terms)[target]
        rest = value - Affine(0, ((target, factor),))
        found = []
        for bound, is_low in ((index.low, True), (index.high, False)):
            end = (bound - rest) * factor
            at_least = is_low == (factor > 0)
            number, extent = end.at(self.sizes), target.high.constant
            if (number > 1) if at_least else (number < extent):
                found.append(graph.compare(">=" if at_least else "<=", atom, _node(graph, end)))
        return found

    def _moved(self, roots: Sequence[Node], new: Mapping[Index, Node]) -> list[Node]:
        """The roots with free indices replaced; those that a reduction binds stay."""
        graph, free = self.graph, self.free
        done: dict[tuple[int, frozenset[Index]], Node] = {}

        def move(node: Node, kept: frozenset[Index]) -> Node:
            kept = kept & free(node)
            if not kept:
                return node
            key = (id(node), kept)
            if key not in done:
                inner = kept - {reduced_index(node)}
                args = tuple(move(a, inner) for a in node.args)
                if node.func is At:
                    args = (args[0], *map(self._subscript, args[1:]))
                done[key] = graph.same(node, args) if args else new[node]
            return done[key]

        return [move(root, frozenset(new)) for root in roots]

    def _subscript(self, node: Node) -> Node:
        """A subscript in its shortest form: i - 1 + 1 is i."""
        form = affine(node)
        return node if form is None else _node(self.graph, form)


def _where(graph: Graph, conditions: Sequence[Node], term: Node) -> Node:
    if not conditions or term is ZERO:
        return term
    both = conditions[0] if len(conditions) == 1 else graph.node(Conjunction, *conditions)
    return graph.where(both, term, ZERO)


def _node(graph: Graph, form: Affine) -> Node:
    ordered = sorted(form.terms, key=lambda term: term[1] < 0)  # n - i + 1
    terms = [graph.mul(graph.number(k), graph.atom(s)) for s, k in ordered]
    return graph.add(*terms, graph.number(form.constant))


def with_sizes(graph: Graph, roots: Sequence[Node], sizes: Mapping[Name, int]) -> list[Node]:
    """The roots with lengths that have no name, and counts, as numbers or in named sizes."""

    def is_named(name: Name) -> bool:
        return not name.text.startswith("#")

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if isinstance(node, Count):
            form = node.index.high - node.index.low + 1
            if all(is_named(symbol) for symbol, _ in form.terms):
                return _node(graph, form)
            return graph.number(form.at(sizes))
        if (isinstance(node, Size) or node is ROWS) and not is_named(node):
            return graph.number(sizes[node])
        if node.func is RowSum and args[0] is ONE:
            return graph.number(sizes[ROWS])
        if node.func is sympy.Mul:  # quotients last: exp(x)/sum(...)
            args = tuple(sorted(args, key=is_inverse))
        kept = all(a is b for a, b in zip(args, node.args, strict=True))
        return graph.same(node, args) if kept else graph.simplified(node, args)

    return graph.rebuild(roots, change)
