"""An expression of a rule, once for each parameter, as nodes of the graph of a step."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import sympy

from symgd.formula.functions.table import FUNCTIONS
from symgd.formula.graph import Graph
from symgd.formula.nodes import (
    DRAWS,
    EVALUATIONS,
    OVER_PARAMS,
    GradAt,
    LossAt,
    Name,
    Node,
    Norm,
    ParamSum,
    topological,
)
from symgd.model.random_draws import draw


class Evaluations(Protocol):
    """What knows the loss: its nodes at points with a node for each parameter."""

    def loss(self, point: Sequence[Node]) -> Node: ...
    def grad(self, point: Sequence[Node]) -> Sequence[Node]: ...
    def product(self, v: Sequence[Node]) -> Sequence[Node]: ...


@dataclass
class Surroundings:
    """What a step sees beside theta, its gradient and state.

    index: the number of each parameter, from 0. size: how many there are. array: one node of each
    stands for a whole array, so that reductions go over its elements. loss: at theta. known,
    reduced: what was evaluated, and which terms of a single parameter were reduced.
    """

    index: Sequence[Node]
    size: Node
    array: bool = False
    loss: Node | None = None
    evaluations: Evaluations | None = None
    known: dict[tuple[int, ...], Sequence[Node]] = field(default_factory=dict)
    reduced: list[tuple[type, Node]] = field(default_factory=list)

    @classmethod
    def of(
        cls, graph: Graph, count: int, loss: Node | None = None, at: Evaluations | None = None
    ) -> Surroundings:
        """Those of so many parameters, each by itself."""
        index = [graph.number(k) for k in range(count)]
        return cls(index, graph.number(count), loss=loss, evaluations=at)

    def loss_here(self) -> Node:
        """The loss at theta."""
        assert self.loss is not None
        return self.loss

    def evaluate(self, kind: type, at: Sequence[Node]) -> Sequence[Node]:
        """The loss at a point, the gradient there, or the Hessian times a vector."""
        key = (id(kind), *map(id, at))
        if key not in self.known:
            known = self.evaluations
            assert known is not None
            if kind is LossAt:
                self.known[key] = [known.loss(at)] * len(at)
            else:
                self.known[key] = known.grad(at) if kind is GradAt else known.product(at)
        return self.known[key]


def alike_below(root: Node, alike: Container[Node]) -> set[int]:
    """The ids of expressions with one value for all parameters, given the names that have one."""
    found: set[int] = set()
    for node in topological([root]):
        one = not isinstance(node, Name) or node in alike
        own = node.func in (*DRAWS, *EVALUATIONS) and node.func is not LossAt
        whole = node.func in OVER_PARAMS or node.func is LossAt
        if whole or (one and not own and all(id(a) in found for a in node.args)):
            found.add(id(node))
    return found


def instantiate(
    graph: Graph,
    root: Node,
    values: Sequence[Mapping[Name, Node]],
    alike: Container[Node],
    around: Surroundings,
) -> list[Node]:
    """The expression once per parameter. values: of its names, for each parameter."""
    count, one = len(values), alike_below(root, alike)
    done: dict[int, Sequence[Node]] = {}
    for node in topological([root]):
        if not node.args:
            done[id(node)] = [values[k].get(node, graph.atom(node)) for k in range(count)]
            continue
        parts = [done[id(a)] for a in node.args]
        if node.func in OVER_PARAMS:
            shared = id(node.args[0]) in one
            done[id(node)] = [_reduced(graph, node.func, parts[0], shared, around)] * count
        elif node.func in EVALUATIONS:
            done[id(node)] = around.evaluate(node.func, parts[0])
        elif node.func in DRAWS:
            seed, t, call = (part[0] for part in parts)
            done[id(node)] = [draw(graph, node.func, seed, t, call, i) for i in around.index]
        else:
            done[id(node)] = [
                graph.same(node, tuple(part[k] for part in parts)) for k in range(count)
            ]
    return list(done[id(root)])


def _reduced(
    graph: Graph, kind: type, parts: Sequence[Node], shared: bool, around: Surroundings
) -> Node:
    """A reduction over all parameters. shared: they all have the same value."""
    if kind is Norm and len(parts) == 1 and not around.array:
        return graph.node(sympy.Abs, parts[0])
    if shared:
        if len(parts) == 1:
            around.reduced.append((kind, parts[0]))
        return graph.mul(around.size, parts[0]) if kind is ParamSum else parts[0]
    if around.array:
        return graph.node(kind, parts[0])
    if len(parts) == 1:
        around.reduced.append((kind, parts[0]))
    if kind is Norm:
        return graph.node(FUNCTIONS["hypot"].node, *parts)
    if kind is ParamSum:
        return graph.add(*parts)
    found = parts[0]
    for part in parts[1:]:
        found = graph.node(FUNCTIONS["max"].node, found, part)
    return found
