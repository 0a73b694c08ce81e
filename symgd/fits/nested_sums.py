"""Sums over rows inside a model that contain parameters: y = a*exp(-b*x)/sum(exp(-b*x)).

Each such sum S and its derivatives dS/dp are inputs of the formulas of a row, computed by a pass
over all rows beforehand. The total derivative of a row's value f is df/dp + df/dS * dS/dp.
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
class NestedSums:
    """The nested sums of a model.

    rows: all rows of the fit, even if a sample is used elsewhere. leaves: the parameters. sums:
    nodes over these. symbols, derivatives: the inputs for the sums, and for their derivatives.
    """

    rows: RowData
    leaves: tuple[Name, ...]
    sums: tuple[Node, ...]
    symbols: tuple[Name, ...]
    derivatives: tuple[tuple[Name, ...], ...]

    @property
    def inputs(self) -> list[Name]:
        """Further inputs of the formulas of a row, in the order of `values`."""
        return [*self.symbols, *(name for names in self.derivatives for name in names)]

    @property
    def parameters(self) -> set[Node]:
        """The parameters in the sums."""
        return {n for n in topological(self.sums) if n in set(self.leaves)}

    def values(self, theta: Sequence[float]) -> list[float]:
        """The sums and their derivatives at these parameters."""
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

    def restore(self, node: Node) -> Node:
        """A node with its symbols replaced by the sums."""
        graph = self.rows.graph
        values = dict(zip(self.symbols, self.sums, strict=True))
        return graph.replace([node], values)[0]


def extract_sums(
    rows: RowData, leaves: Sequence[Name], roots: Sequence[Node]
) -> tuple[list[Node], NestedSums | None]:
    """The roots with their sums over rows replaced by inputs, and these; None without any."""
    graph = rows.graph
    sums = [n for n in topological(roots) if n.func in (*REDUCTIONS, RowMean)]
    if not sums:
        return list(roots), None
    symbols = [Name(f"inner{k}", f"#{k}") for k in range(len(sums))]
    by_id = {id(node): graph.atom(s) for node, s in zip(sums, symbols, strict=True)}

    derivatives = tuple(
        tuple(Name(f"inner{k}_{p}", f"#{k},{p}") for p in range(len(leaves)))
        for k in range(len(sums))
    )
    nested = NestedSums(rows, tuple(leaves), tuple(sums), tuple(symbols), derivatives)
    return graph.substitute(roots, by_id), nested


def total_gradient(
    graph: Graph, node: Node, leaves: Sequence[Name], nested: NestedSums | None
) -> list[Node]:
    """The total derivatives of a row's value in the parameters, those through sums included."""
    symbols = () if nested is None else nested.symbols
    atoms = [graph.atom(name) for name in (*leaves, *symbols)]
    derivatives = gradient(graph, node, atoms)
    found = derivatives[: len(leaves)]
    if nested is not None:
        for through_sum, names in zip(derivatives[len(leaves) :], nested.derivatives, strict=True):
            found = [
                graph.add(direct, graph.mul(through_sum, graph.atom(name)))
                for direct, name in zip(found, names, strict=True)
            ]
    return found
