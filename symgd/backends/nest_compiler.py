"""Compile graph nodes with indices to a NestProgram.

The plan is a list of stages (`symgd.backends.nest_stages`), and a stage a list of units: a value
and where it is stored. Here units that have the same indices and do not wait for one another become
one nest, and their values operations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import sympy

from symgd.backends.lowering import Lowering
from symgd.backends.nest_stages import NestStage, Planner, Unit
from symgd.backends.nests import NestProgram
from symgd.backends.operations import Operand, Operation
from symgd.backends.program import Load, Nest, Store, Subscript
from symgd.calculus.index_gradient import Scatter
from symgd.formula.graph import Graph
from symgd.formula.indices import (
    ROW,
    Affine,
    Array,
    At,
    Count,
    FreeIndices,
    Index,
    Peak,
    Size,
    Total,
    affine,
)
from symgd.formula.nodes import (
    ROWS,
    ZERO,
    Column,
    Name,
    Node,
    RowMax,
    RowMean,
    RowSum,
    is_inverse,
    is_negation,
    topological,
)

_LARGEST_DOUBLE = 1.7976931348623157e308


def compile_nests(
    scalars: Sequence[Name],
    arrays: Sequence[Name],
    outputs: Mapping[str, Node],
    gradient: Mapping[Array, Sequence[Scatter]] | None = None,
) -> NestProgram:
    """The program that evaluates `outputs`, numbers, and adds the entries of `gradient` up.

    scalars, arrays: the inputs; columns of the data are arrays. A gradient of an array without
    entries is 0.
    """
    flat = [(array, scatter) for array, own in (gradient or {}).items() for scatter in own]
    wanted = [*outputs.values(), *(n for _, s in flat for n in (s.term, *s.subscripts))]
    roots = iter(_canonical(wanted))
    values = {name: next(roots) for name in outputs}
    planner = Planner([*values.values()])
    entries = []
    for array, scatter in flat:
        term, *subscripts = (next(roots) for _ in (scatter.term, *scatter.subscripts))
        entries.append((f"g_{array.name}", tuple(subscripts), term))
    stages = planner.plan(values.values(), entries)
    nests = [nest for stage in stages for nest in _nests(stage, planner)]
    found = {name: planner.held(node) for name, node in values.items()}
    read = {
        n.name: n for n in topological(planner.roots) if isinstance(n, (Size, Count)) or n is ROWS
    }
    own = {n.name for n in scalars}
    numbers = tuple(read[name] for name in sorted(read) if name not in own)
    axes = {unit.target: planner.order(unit.axes) for s in stages for unit in s.units if unit.node}
    return NestProgram(tuple(scalars), tuple(arrays), numbers, axes, tuple(nests), found)


def _canonical(roots: Sequence[Node]) -> list[Node]:
    """The roots with reductions over rows as those over `ROW`, and peaks that are finite.

    Products are regrouped so that factors of few indices are multiplied before those of many.
    """
    graph, free = Graph(), FreeIndices()
    row = graph.atom(ROW)

    def change(node: Node, args: tuple[Node, ...]) -> Node:
        if node.func in (RowSum, RowMean):
            total = graph.node(Total, row, *args)
            return total if node.func is RowSum else graph.div(total, graph.atom(ROWS))
        if node.func in (RowMax, Peak):
            top = graph.node(Peak, *args) if node.func is Peak else graph.node(Peak, row, *args)
            size = graph.node(sympy.Abs, top)
            return graph.where(graph.compare("<=", size, graph.number(_LARGEST_DOUBLE)), top, ZERO)
        node = graph.same(node, args)
        return _regrouped(graph, node, free) if node.func is sympy.Mul else node

    return graph.rebuild(roots, change)


def _regrouped(graph: Graph, node: Node, free: FreeIndices) -> Node:
    """A product whose factors with fewer indices than it are multiplied first, the fewest first.

    a[i]*b[i,j]*c becomes (c*a[i])*b[i,j], and b[i,j]/a[i] becomes 1/a[i]*b[i,j]: what stands in
    front is computed once for all j.
    """
    sign = node.args[:1] if is_negation(node) else ()
    groups: dict[frozenset[Index], list[Node]] = {}
    for factor in node.args[len(sign) :]:
        groups.setdefault(free(factor), []).append(factor)
    if len(groups) < 2:
        return node
    whole = free(node)
    for own in sorted(groups, key=len):
        larger = [other for other in groups if own < other < whole]
        if larger:
            nearest = min(larger, key=len)
            groups[nearest] = groups.pop(own) + groups[nearest]
    last = groups.pop(whole, [])
    parts = [_product(graph, groups[own]) for own in sorted(groups, key=len)]
    return graph.times([*sign, *parts, *last])


def _product(graph: Graph, factors: list[Node]) -> Node:
    """The product, with a division where one will do."""
    factors = sorted(factors, key=is_inverse)
    return graph.times(factors)


def _nests(stage: NestStage, planner: Planner) -> list[Nest]:
    return [
        _NestWriter(planner, stage, units).nest()
        for _, units in sorted(stage.merged().items(), key=lambda item: item[0][0])
    ]


class _NestWriter:
    """Writes one nest: the units of a stage that have the same indices and level."""

    def __init__(self, planner: Planner, stage: NestStage, units: Sequence[Unit]) -> None:
        self.planner, self.units = planner, units
        self.apart = stage.boundaries(units)
        self.lowering = Lowering([unit.value for unit in units])
        self.loads: dict[Load, str] = {}
        self.body: list[Operation] = []

    def nest(self) -> Nest:
        """The nest."""
        lowering = self.lowering
        roots = [n for unit in self.units for n in (*unit.subscripts, unit.value)]
        for node in topological(roots, reads=self.reads):
            if (load := self.load(node)) is not None:
                name = self.loads.setdefault(load, f"l{len(self.loads)}")
                lowering.names[id(node)] = name
        self.body += lowering.lower([unit.value for unit in self.units])
        stores = tuple([self.store(unit) for unit in self.units])
        indices = self.planner.order(self.units[0].domain)
        loads = {name: load for load, name in self.loads.items()}
        return Nest(indices, loads, tuple(self.body), stores)

    def reads(self, node: Node) -> Sequence[Node]:
        """What must be known before a node: of an element only its subscripts."""
        if id(node) in self.apart:
            return ()
        return node.args[1:] if node.func is At else self.lowering.reads(node)

    def load(self, node: Node) -> Load | None:
        """The load that a node is, if it is one."""
        if id(node) in self.apart:
            unit = self.apart[id(node)]
            return Load(unit.target, _axes(self.planner.order(unit.axes)))
        if isinstance(node, Column):
            return Load(node.name, _axes((ROW,)))
        if node.func is At:
            array, *subscripts = node.args
            found = tuple(map(self.subscript, subscripts))
            by_row = self.planner.free(array)  # of a vector of columns
            return Load(array.name, _axes(tuple(by_row)) + found)
        return None

    def subscript(self, node: Node) -> Subscript:
        """A subscript: affine, or what the body reads or computes."""
        known = affine(node)
        if known is not None:
            return known
        self.body += self.lowering.lower([node])
        name = self.lowering.names[id(node)]
        assert isinstance(name, str)
        return name

    def store(self, unit: Unit) -> Store:
        """The store of a unit whose value is known."""
        place = tuple(map(self.subscript, unit.subscripts))
        if unit.node is not None:
            place = _axes(self.planner.order(unit.axes))
        value: Operand = self.lowering.names[id(unit.value)]
        return Store(unit.target, place, unit.mode, value)


def _axes(indices: Sequence[Index]) -> tuple[Affine, ...]:
    return tuple([Affine(0, ((index, 1),)) for index in indices])
