"""The gradient by one reverse sweep over the shared graph (reverse accumulation).

Every node is visited once, so value and gradient together cost a small multiple of the value,
whatever the number of parameters, and the sweep is linear in the size of the formula (Griewank &
Walther, Evaluating Derivatives, 2nd ed., SIAM 2008, chapters 3 and 4). The term of a sum over
rows is swept once for all rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from symgd.calculus.local_pullback import times
from symgd.calculus.masks import any_of, both, masked, steep
from symgd.calculus.pullback import growing, pull
from symgd.calculus.row_sums import row_sum, row_valued
from symgd.formula.graph import Graph
from symgd.formula.nodes import ONE, ZERO, Node, RowPeak, RowSum, topological


def gradient(graph: Graph, output: Node, wrt: Sequence[Node]) -> list[Node]:
    """The derivatives of `output` with respect to each leaf in `wrt`, as nodes of `graph`.

    The output may be the term of a row without sums in it; then so are the derivatives.
    A leaf that does not enter has derivative 0. What flows back into an argument that is not
    selected (where, max, min, clip, relu) is 0, even where a derivative inside it is infinite.
    """
    order = topological([output])
    sweep = _Sweep(graph, _dependent(order, wrt), steep(order), growing(order), row_valued(order))
    sweep.flow(output, ONE, None)
    per_row = id(output) in sweep.varies  # then so are all derivatives
    sweep.down(n for n in order if per_row or id(n) not in sweep.varies)
    return [graph.add(*sweep.terms.get(id(leaf), ())) for leaf in wrt]


@dataclass
class _Sweep:
    """The state of one reverse sweep.

    wanted: nodes that depend on a leaf of interest. steep: those whose derivative may be infinite.
    growing: those that may overflow. varies: those with a value in every row. terms, uses: by node,
    what has flown back into it, and under which conditions.
    """

    graph: Graph
    wanted: set[int]
    steep: set[int]
    growing: set[int]
    varies: set[int]
    terms: dict[int, list[Node]] = field(default_factory=dict)
    uses: dict[int, list[Node | None]] = field(default_factory=dict)

    def flow(self, node: Node, term: Node, reach: Node | None) -> None:
        """Let `term` flow into the adjoint of `node`, which counts where `reach` holds."""
        self.terms.setdefault(id(node), []).append(term)
        self.uses.setdefault(id(node), []).append(reach)

    def down(self, order: Iterable[Node]) -> None:
        """Pass the adjoint of every node on to its arguments, users before what they use."""
        graph = self.graph
        for node in reversed(list(order)):
            if id(node) not in self.wanted or not node.args or id(node) not in self.terms:
                continue
            adjoint = graph.add(*self.terms.pop(id(node)))
            reach = any_of(graph, self.uses.pop(id(node)))
            mask = reach if id(node) in self.steep else None
            if node.func is RowPeak:
                continue
            if node.func is RowSum:
                self.into_rows(node, adjoint, reach, mask)
                continue
            for arg, term, chosen in pull(graph, node, adjoint, self.wanted, self.growing):
                kept = term if mask is None else masked(graph, mask, term)
                self.flow(arg, kept, both(graph, reach, chosen if arg.args else None))

    def into_rows(self, total: Node, adjoint: Node, reach: Node | None, mask: Node | None) -> None:
        """The sweep through the term of a sum over rows.

        The adjoint of the term is that of the sum in every row; being linear, it stands before
        the sums that flow into what is the same in every row. So these sums need not wait for it.
        """
        graph, (term,) = self.graph, total.args
        inner = _Sweep(graph, self.wanted, self.steep, self.growing, self.varies)
        inner.flow(term, ONE if mask is None else masked(graph, mask, ONE), mask)
        body = topological([term])
        inner.down(n for n in body if id(n) in self.varies)
        for node in body:
            if id(node) in inner.terms and id(node) not in self.varies:
                in_rows = graph.add(*inner.terms[id(node)])
                varies = row_valued(topological([in_rows]))
                term = times(graph, adjoint, row_sum(graph, in_rows, varies))
                self.flow(node, term, both(graph, reach, self.in_some_row(node, inner)))

    def in_some_row(self, node: Node, inner: _Sweep) -> Node | None:
        """The condition that a node of one value counts in a row, where a slope below may break.

        None: it counts always, or it does no harm where it does not.
        """
        graph = self.graph
        counts = any_of(graph, inner.uses[id(node)])
        if counts is None or not any(id(n) in self.steep for n in topological([node])):
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


def _dependent(order: Sequence[Node], wrt: Sequence[Node]) -> set[int]:
    """The nodes that depend on a leaf of `wrt`."""
    wanted = {id(leaf) for leaf in wrt}
    for node in order:
        if any(id(a) in wanted for a in node.args):
            wanted.add(id(node))
    return wanted
