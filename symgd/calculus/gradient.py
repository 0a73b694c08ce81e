"""Gradient and Hessian by reverse accumulation over the shared graph.

Every node is visited once, so value and gradient together cost a small multiple of the value,
whatever the number of parameters, and the sweep is linear in the size of the formula (Griewank &
Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapters 3 and 4). The term of a sum over
rows, or over another index, is swept once for all values of the index.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from symgd.calculus.cones import cones, only_below, saturates
from symgd.calculus.local_pullback import scaled_adjoint
from symgd.calculus.masks import conjunction, disjunction, mask_term, singular
from symgd.calculus.pullback import overflowing, pullback
from symgd.calculus.reductions import reduction_derivative, total_over
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.graph import Graph
from symgd.formula.indices import At, FreeIndices, Index, Peak, reduced_index
from symgd.formula.nodes import ONE, ZERO, Node, RowMax, dependents, float_of, topological

_ZERO_TIMES_INFINITY = DERIVATIVES["zero_times_infinity"].node


def gradient(graph: Graph, output: Node, wrt: Sequence[Node]) -> list[Node]:
    """The derivatives of `output` with respect to each leaf in `wrt`, as nodes of `graph`.

    The output may be the term of a row without sums in it; then so are the derivatives.
    A leaf on which the output does not depend has derivative 0. The adjoint of an argument that is
    not selected (where, max, min, clip, relu) is 0, even where its derivative is infinite.
    """
    found = sweep(graph, output, wrt)
    return [found.total(leaf) for leaf in wrt]


def sweep(graph: Graph, output: Node, wrt: Sequence[Node], together: bool = False) -> ReverseSweep:
    """The finished sweep: adjoints of the leaves, and of the elements of arrays among them.

    together: sweep the terms of sums that have nodes in common at once.
    """
    order = topological([output])
    free = FreeIndices()
    # peaks count as constants
    active = dependents([n for n in order if n.func not in (RowMax, Peak)], wrt)
    found = ReverseSweep(
        graph,
        active,
        singular(order),
        overflowing(order),
        free,
        cones(order),
        Counter(a for node in order for a in {id(a) for a in node.args}),
        free(output),
        _overlapping(order, active, free) if together else set(),
    )
    found.accumulate(output, ONE, None)
    found.propagate(order)
    return found


@dataclass
class _Adjoint:
    """The terms of the adjoint of a node, and the conditions under which they contribute."""

    node: Node
    terms: list[Node] = field(default_factory=list)
    conditions: list[Node | None] = field(default_factory=list)


@dataclass
class ReverseSweep:
    """The state of one reverse sweep.

    active: nodes that depend on a leaf of `wrt`. singular: those whose derivative may be infinite.
    overflowing: those that may overflow. free: the free indices of nodes. cones: as in
    `symgd.calculus.cones`. uses: in how many nodes each node is an argument. scope: the indices
    over which this sweep does not sum: those of the output, or of the reduction whose term it
    sweeps. together: reductions whose terms have nodes in common. adjoints: by node; what the
    adjoint of a node varies with, the node or the scope has. steep: nodes below cones, whose
    adjoint may be infinite. vanishing: nodes that may overflow where their adjoint is 0.
    """

    graph: Graph
    active: set[int]
    singular: set[int]
    overflowing: set[int]
    free: FreeIndices
    cones: set[int]
    uses: Mapping[int, int]
    scope: frozenset[Index]
    together: set[int]
    adjoints: dict[int, _Adjoint] = field(default_factory=dict)
    steep: set[int] = field(default_factory=set)
    vanishing: set[int] = field(default_factory=set)

    def accumulate(self, node: Node, term: Node, condition: Node | None) -> None:
        """Add `term` to the adjoint of `node`; it contributes where `condition` holds."""
        adjoint = self.adjoints.setdefault(id(node), _Adjoint(node))
        adjoint.terms.append(term)
        adjoint.conditions.append(condition)

    def contribute(
        self, domain: frozenset[Index], node: Node, term: Node, condition: Node | None
    ) -> None:
        """Add what users of all values of `domain` contribute to the adjoint of `node`."""
        extra = domain and domain - self.free(node) - self.scope
        if extra:
            term = total_over(self.graph, extra, term, self.free)
            condition = self.anywhere(extra, node, condition)
        self.accumulate(node, term, condition)

    def anywhere(
        self, indices: frozenset[Index], node: Node, condition: Node | None
    ) -> Node | None:
        """Whether a condition holds for some values of these indices.

        None: always, or no derivative below the node is singular.
        """
        graph = self.graph
        if condition is None or not any(id(n) in self.singular for n in topological([node])):
            return None
        varies = indices & self.free(condition)
        if not varies:
            return condition
        one_or_zero = graph.where(condition, ONE, ZERO)
        return graph.compare(">", total_over(graph, varies, one_or_zero, self.free), ZERO)

    def total(self, node: Node) -> Node:
        """The adjoint of a node."""
        found = self.adjoints.get(id(node))
        if found is None or len(found.terms) == 1:
            return found.terms[0] if found else ZERO
        return self.graph.add(*found.terms)

    def propagate(self, order: Iterable[Node]) -> None:
        """Propagate the adjoint of every node to its arguments, in reverse topological order."""
        graph = self.graph
        for node in reversed(list(order)):
            if id(node) not in self.active or id(node) not in self.adjoints:
                continue
            if not node.args or node.func is At:
                continue
            adjoint = self.total(node)
            condition = disjunction(graph, self.adjoints.pop(id(node)).conditions)
            mask = condition if id(node) in self.singular else None
            if id(node) in self.steep or id(node) in self.vanishing:
                self.propagate_apart(node, adjoint, condition)
            elif (index := reduced_index(node)) is None:
                self.propagate_node(node, adjoint, condition, mask)
            elif self.free(node) or (id(node) in self.together and not _waits(adjoint, index)):
                domain, term = self.free(node) | {index}, node.args[-1]
                adjoint = scaled_adjoint(graph, adjoint, reduction_derivative(graph, node))
                kept = adjoint if mask is None else mask_term(graph, mask, adjoint)
                self.contribute(domain, term, kept, condition)
            else:
                self.propagate_reduction(node, index, adjoint, condition, mask)

    def propagate_node(
        self, node: Node, adjoint: Node, condition: Node | None, mask: Node | None
    ) -> None:
        """Propagate the adjoint of a node that is no reduction to its arguments."""
        graph = self.graph
        for arg, term, selected in pullback(graph, node, adjoint, self.active, self.overflowing):
            kept = term if mask is None else mask_term(graph, mask, term)
            chosen = conjunction(graph, condition, selected if arg.args else None)
            self.contribute(self.free(node), arg, kept, chosen)
            if id(node) in self.cones:
                self.steep.add(id(arg))
            elif node.func is _ZERO_TIMES_INFINITY or (
                id(arg) in self.overflowing and saturates(node)
            ):
                self.vanishing.add(id(arg))

    def inner(self, indices: frozenset[Index]) -> ReverseSweep:
        """A sweep over the same nodes that starts with other adjoints; it keeps these indices."""
        scope = self.scope | indices
        return replace(self, scope=scope, adjoints={}, steep=set(), vanishing=set())

    def propagate_apart(self, node: Node, adjoint: Node, condition: Node | None) -> None:
        """ReverseSweep the derivatives of a node apart from its adjoint; 0 times infinity is 0.

        At the tip of a cone, such as sqrt(x**2 + y**2) at 0, the adjoint is infinite. The
        derivatives of the node are 0 there, and by convention their products are 0, as the
        derivative of abs is. In exp(-exp(x)) for large x, the adjoint of exp(x) is 0, and so are
        its products with derivatives that overflow.
        """
        graph, domain = self.graph, self.free(node)
        inner = self.inner(domain)
        steep = id(node) in self.steep
        inner.accumulate(node, ONE, condition)
        own = [n for n in only_below(node, self.uses) if self.free(n) >= domain]
        inner.propagate(reversed([node, *own]))
        for found in inner.adjoints.values():
            derivative = graph.add(*found.terms)
            first, second = (derivative, adjoint) if steep else (adjoint, derivative)
            if float_of(derivative) is None:
                second = graph.node(_ZERO_TIMES_INFINITY, first, second, second)
            term = scaled_adjoint(graph, second, first)
            if condition is not None:
                term = mask_term(graph, condition, term)
            below = domain | self.free(found.node)
            self.contribute(below, found.node, term, disjunction(graph, found.conditions))
            (self.steep if steep else self.vanishing).add(id(found.node))

    def propagate_reduction(
        self, node: Node, index: Index, adjoint: Node, condition: Node | None, mask: Node | None
    ) -> None:
        """The sweep through the term of a reduction that is one number, such as a sum over rows.

        The adjoint of the reduction is a common factor of the sums over the index in the adjoints
        of nodes that do not vary with it, so these sums do not depend on it, and one pass is
        enough. Elements of arrays that vary with the index are not summed.
        """
        graph, term = self.graph, node.args[-1]
        inner = self.inner(frozenset({index}))
        start = reduction_derivative(graph, node)
        inner.accumulate(term, start if mask is None else mask_term(graph, mask, start), mask)
        body = topological([term])
        inner.propagate(n for n in body if index in self.free(n))
        for below in body:
            if id(below) not in inner.adjoints:
                continue
            found = inner.total(below)
            inside = disjunction(graph, inner.adjoints[id(below)].conditions)
            if index not in self.free(below):
                found = total_over(graph, frozenset({index}), found, self.free)
                inside = self.anywhere(frozenset({index}), below, inside)
            elif below.func is not At:
                continue
            flow = scaled_adjoint(graph, adjoint, found)
            self.accumulate(below, flow, conjunction(graph, condition, inside))
            self.steep |= inner.steep & {id(below)}
            self.vanishing |= inner.vanishing & {id(below)}


def hessian(graph: Graph, output: Node, wrt: Sequence[Node]) -> list[list[Node]]:
    """The rows of the symmetric matrix of second derivatives: one sweep per gradient entry."""
    rows = [gradient(graph, g, wrt) for g in gradient(graph, output, wrt)]
    for i, row in enumerate(rows):
        for j in range(i):  # one expression for both halves
            row[j] = rows[j][i]
    return rows


def _overlapping(order: Sequence[Node], active: set[int], free: FreeIndices) -> set[int]:
    """The reductions to one number whose terms have in common what varies with their index."""
    below: dict[int, list[tuple[Index, int]]] = {}
    for node in order:
        index = reduced_index(node)
        if index is not None and not free(node):
            parts = [n for n in topological(node.args[-1:]) if n.args and n.func is not At]
            varying = [n for n in parts if id(n) in active and index in free(n)]
            below[id(node)] = [(index, id(n)) for n in varying]
    uses = Counter(key for keys in below.values() for key in keys)
    return {node for node, keys in below.items() if any(uses[key] > 1 for key in keys)}


def _waits(adjoint: Node, index: Index) -> bool:
    """Whether an adjoint is known only after a pass over an index."""
    return any(reduced_index(node) == index for node in topological([adjoint]))
