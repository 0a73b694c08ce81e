"""Gradient and Hessian by reverse accumulation over the shared graph.

Every node is visited once, so value and gradient together cost a small multiple of the value,
whatever the number of parameters, and the sweep is linear in the size of the formula (Griewank &
Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapters 3 and 4). The term of a sum over
rows is swept once for all rows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symgd.calculus.cones import cones, only_below, saturates
from symgd.calculus.local_pullback import scaled_adjoint
from symgd.calculus.masks import conjunction, disjunction, mask_term, singular
from symgd.calculus.pullback import overflowing, pullback
from symgd.calculus.row_sums import row_sum, row_valued
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.graph import Graph
from symgd.formula.nodes import ONE, ZERO, Node, RowMax, RowSum, float_of, topological

_ZERO_TIMES_INFINITY = DERIVATIVES["zero_times_infinity"].node


def gradient(graph: Graph, output: Node, wrt: Sequence[Node]) -> list[Node]:
    """The derivatives of `output` with respect to each leaf in `wrt`, as nodes of `graph`.

    The output may be the term of a row without sums in it; then so are the derivatives.
    A leaf on which the output does not depend has derivative 0. The adjoint of an argument that is
    not selected (where, max, min, clip, relu) is 0, even where its derivative is infinite.
    """
    order = topological([output])
    sweep = _Sweep(
        graph,
        _active_nodes(order, wrt),
        singular(order),
        overflowing(order),
        row_valued(order),
        cones(order),
        Counter(a for node in order for a in {id(a) for a in node.args}),
    )
    sweep.accumulate(output, ONE, None)
    per_row = id(output) in sweep.varies  # then so are all derivatives
    sweep.propagate(n for n in order if per_row or id(n) not in sweep.varies)
    return [sweep.total(leaf) for leaf in wrt]


@dataclass
class _Adjoint:
    """The terms of the adjoint of a node, and the conditions under which they contribute."""

    node: Node
    terms: list[Node] = field(default_factory=list)
    conditions: list[Node | None] = field(default_factory=list)


@dataclass
class _Sweep:
    """The state of one reverse sweep.

    active: nodes that depend on a leaf of `wrt`. singular: those whose derivative may be infinite.
    overflowing: those that may overflow. varies: row-valued nodes. cones: as in
    `symgd.calculus.cones`. uses: in how many nodes each node is an argument. adjoints: by node.
    steep: nodes below cones, whose adjoint may be infinite. vanishing: nodes
    that may overflow where their adjoint is 0.
    """

    graph: Graph
    active: set[int]
    singular: set[int]
    overflowing: set[int]
    varies: set[int]
    cones: set[int]
    uses: Mapping[int, int]
    adjoints: dict[int, _Adjoint] = field(default_factory=dict)
    steep: set[int] = field(default_factory=set)
    vanishing: set[int] = field(default_factory=set)

    def accumulate(self, node: Node, term: Node, condition: Node | None) -> None:
        """Add `term` to the adjoint of `node`; it contributes where `condition` holds."""
        adjoint = self.adjoints.setdefault(id(node), _Adjoint(node))
        adjoint.terms.append(term)
        adjoint.conditions.append(condition)

    def total(self, node: Node) -> Node:
        """The adjoint of a node."""
        found = self.adjoints.get(id(node))
        return self.graph.add(*found.terms) if found else ZERO

    def propagate(self, order: Iterable[Node]) -> None:
        """Propagate the adjoint of every node to its arguments, in reverse topological order."""
        graph = self.graph
        for node in reversed(list(order)):
            if id(node) not in self.active or not node.args or id(node) not in self.adjoints:
                continue
            adjoint = self.total(node)
            condition = disjunction(graph, self.adjoints.pop(id(node)).conditions)
            mask = condition if id(node) in self.singular else None
            if id(node) in self.steep or id(node) in self.vanishing:
                self.propagate_apart(node, adjoint, condition)
            elif node.func is RowSum:
                self.propagate_rows(node, adjoint, condition, mask)
            elif node.func is not RowMax:
                for arg, term, selected in pullback(
                    graph, node, adjoint, self.active, self.overflowing
                ):
                    kept = term if mask is None else mask_term(graph, mask, term)
                    self.accumulate(
                        arg, kept, conjunction(graph, condition, selected if arg.args else None)
                    )
                    if id(node) in self.cones:
                        self.steep.add(id(arg))
                    elif node.func is _ZERO_TIMES_INFINITY or (
                        id(arg) in self.overflowing and saturates(node)
                    ):
                        self.vanishing.add(id(arg))

    def inner(self) -> _Sweep:
        """A sweep over the same nodes that starts with other adjoints."""
        return replace(self, adjoints={}, steep=set(), vanishing=set())

    def propagate_apart(self, node: Node, adjoint: Node, condition: Node | None) -> None:
        """Sweep the derivatives of a node apart from its adjoint; 0 times infinity is 0.

        At the tip of a cone, such as sqrt(x**2 + y**2) at 0, the adjoint is infinite. The
        derivatives of the node are 0 there, and by convention their products are 0, as the
        derivative of abs is. In exp(-exp(x)) for large x, the adjoint of exp(x) is 0, and so are
        its products with derivatives that overflow.
        """
        graph, inner = self.graph, self.inner()
        steep = id(node) in self.steep
        inner.accumulate(node, ONE, condition)
        varies = id(node) in self.varies
        own = [n for n in only_below(node, self.uses) if (id(n) in self.varies) == varies]
        inner.propagate(reversed([node, *own]))
        for found in inner.adjoints.values():
            derivative = graph.add(*found.terms)
            first, second = (derivative, adjoint) if steep else (adjoint, derivative)
            if float_of(derivative) is None:
                second = graph.node(_ZERO_TIMES_INFINITY, first, second, second)
            term = scaled_adjoint(graph, second, first)
            if condition is not None:
                term = mask_term(graph, condition, term)
            self.accumulate(found.node, term, disjunction(graph, found.conditions))
            (self.steep if steep else self.vanishing).add(id(found.node))

    def propagate_rows(
        self, total: Node, adjoint: Node, condition: Node | None, mask: Node | None
    ) -> None:
        """The sweep through the term of a sum over rows.

        The adjoint of the term is that of the sum, in every row. It is a common factor of the sums
        over rows in the adjoints of nodes that do not vary, so these sums do not depend on it.
        """
        graph, (term,) = self.graph, total.args
        inner = self.inner()
        inner.accumulate(term, ONE if mask is None else mask_term(graph, mask, ONE), mask)
        body = topological([term])
        inner.propagate(n for n in body if id(n) in self.varies)
        for node in body:
            if id(node) in inner.adjoints and id(node) not in self.varies:
                in_rows = inner.total(node)
                varies = row_valued(topological([in_rows]))
                term = scaled_adjoint(graph, adjoint, row_sum(graph, in_rows, varies))
                self.accumulate(
                    node, term, conjunction(graph, condition, self.active_in_a_row(node, inner))
                )
                self.steep |= inner.steep & {id(node)}
                self.vanishing |= inner.vanishing & {id(node)}

    def active_in_a_row(self, node: Node, inner: _Sweep) -> Node | None:
        """The condition that some row depends on a node that does not vary.

        None: always, or no derivative below the node is singular.
        """
        graph = self.graph
        counts = disjunction(graph, inner.adjoints[id(node)].conditions)
        if counts is None or not any(id(n) in self.singular for n in topological([node])):
            return None
        one_or_zero = graph.where(counts, ONE, ZERO)
        varies = row_valued(topological([one_or_zero]))
        if id(one_or_zero) not in varies:
            return counts
        return graph.compare(">", row_sum(graph, one_or_zero, varies), ZERO)


def hessian(graph: Graph, output: Node, wrt: Sequence[Node]) -> list[list[Node]]:
    """The rows of the symmetric matrix of second derivatives: one sweep per gradient entry."""
    rows = [gradient(graph, g, wrt) for g in gradient(graph, output, wrt)]
    for i, row in enumerate(rows):
        for j in range(i):  # one expression for both halves
            row[j] = rows[j][i]
    return rows


def _active_nodes(order: Sequence[Node], wrt: Sequence[Node]) -> set[int]:
    """The nodes that depend on a leaf of `wrt`."""
    active = {id(leaf) for leaf in wrt}
    for node in order:
        if any(id(a) in active for a in node.args):
            active.add(id(node))
    return active
