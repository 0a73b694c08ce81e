"""Sums over the rows that stand inside a model and hold parameters: y = a*exp(-b*x)/sum(exp(-b*x)).

Each such sum S is an input of the rows' formulas, and so is each of its slopes dS/dp; both are
computed by a pass of their own before the rows are gone over. The slope of a row's value f in a
parameter p is then df/dp + df/dS * dS/dp.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgd._locks import cached_property
from symgd.calculus.gradient import gradient
from symgd.formula.graph import Graph
from symgd.formula.nodes import REDUCTIONS, Name, Node, RowMean, topological
from symgd.model.data_binding import Function, RowData


@dataclass(frozen=True)
class Inner:
    """Sums inside a model.

    rows: those of the fit, whatever sample of them is looked at. leaves: the parameters. sums: as
    nodes over these; symbols, slopes: the inputs that stand for them, and for their slopes in each
    parameter.
    """

    rows: RowData
    leaves: tuple[Name, ...]
    sums: tuple[Node, ...]
    symbols: tuple[Name, ...]
    slopes: tuple[tuple[Name, ...], ...]

    @property
    def inputs(self) -> list[Name]:
        """What rows' formulas read beside parameters and columns, in the order of `values`."""
        return [*self.symbols, *(name for names in self.slopes for name in names)]

    @property
    def parameters(self) -> set[Node]:
        """The parameters that the sums hold."""
        return {n for n in topological(self.sums) if n in set(self.leaves)}

    def values(self, theta: Sequence[float]) -> list[float]:
        """The sums and their slopes at these parameters."""
        return self._function(*theta)

    @cached_property
    def _function(self) -> Function:
        graph = self.rows.graph
        atoms = [graph.atom(leaf) for leaf in self.leaves]
        outputs = list(self.sums)
        for node in self.sums:
            outputs += gradient(graph, node, atoms)
        named = {str(k): node for k, node in enumerate(outputs)}
        return self.rows.compile(self.rows.program(self.leaves, named))

    def whole(self, node: Node) -> Node:
        """A formula with the sums themselves in place of what stands for them."""
        graph = self.rows.graph
        values = dict(zip(self.symbols, self.sums, strict=True))
        return graph.replace([node], values)[0]


def take_out(
    rows: RowData, leaves: Sequence[Name], roots: Sequence[Node]
) -> tuple[list[Node], Inner | None]:
    """The roots with inputs in place of their sums over rows, and these; None without any."""
    graph = rows.graph
    sums = [n for n in topological(roots) if n.func in (*REDUCTIONS, RowMean)]
    if not sums:
        return list(roots), None
    symbols = [Name(f"inner{k}", f"#{k}") for k in range(len(sums))]
    by_id = {id(node): graph.atom(s) for node, s in zip(sums, symbols, strict=True)}

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        return by_id[id(node)] if id(node) in by_id else graph.same(node, args)

    slopes = tuple(
        tuple(Name(f"inner{k}_{p}", f"#{k},{p}") for p in range(len(leaves)))
        for k in range(len(sums))
    )
    inner = Inner(rows, tuple(leaves), tuple(sums), tuple(symbols), slopes)
    return graph.rebuild(roots, change), inner


def total_gradient(
    graph: Graph, node: Node, leaves: Sequence[Name], inner: Inner | None
) -> list[Node]:
    """The slopes of a row's value in the parameters, those through the sums included."""
    symbols = () if inner is None else inner.symbols
    atoms = [graph.atom(name) for name in (*leaves, *symbols)]
    slopes = gradient(graph, node, atoms)
    found = slopes[: len(leaves)]
    if inner is not None:
        for through, names in zip(slopes[len(leaves) :], inner.slopes, strict=True):
            found = [
                graph.add(own, graph.mul(through, graph.atom(name)))
                for own, name in zip(found, names, strict=True)
            ]
    return found
