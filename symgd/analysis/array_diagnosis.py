"""At which element and row a loss of arrays went non-finite, and with which operands."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgd._numpy import np
from symgd.analysis.nonfinite import NonfiniteCause, blame, is_finite, operands_read
from symgd.backends.compiler import compile_per_row
from symgd.backends.lambdified import compile_array
from symgd.formula.graph import Graph
from symgd.formula.indices import (
    ROW,
    Array,
    At,
    ColumnVector,
    Count,
    FreeIndices,
    Index,
    Largest,
    Peak,
    Product,
    Size,
    reduced_index,
)
from symgd.formula.nodes import ROWS, Column, Name, Node, RowMax, RowMean, float_of, topological
from symgd.model.array_functions import ArrayFunctions

_LARGEST = 20_000_000  # numbers that the values of one node may be


def find_element(functions: ArrayFunctions, x: Sequence[float], at: str) -> NonfiniteCause:
    """What is non-finite in the value of a loss of arrays at x."""
    for root in (functions.model.formula.root, functions.root):
        values = _Values(functions, functions.inputs(x), topological([root]))
        try:
            with np.errstate(all="ignore"):
                found = values.of(root)
        except _TooLargeError:
            break
        if not np.isfinite(found).all():
            return _blame(root, values, x, at)
    return NonfiniteCause(f"the loss or its gradient is not finite{at}", True)


class _TooLargeError(Exception):
    """The values of a node do not fit."""


@dataclass
class _Values:
    """The values of nodes for all values of their indices: an axis each, of length 1 where fixed.

    inputs: of parameters, by identifier.
    """

    functions: ArrayFunctions
    inputs: Mapping[str, Any]
    order: Sequence[Node]
    known: dict[int, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        free = FreeIndices()
        found = {index for node in self.order for index in free(node)}
        self.axes = {index: k for k, index in enumerate(sorted(found, key=lambda i: i.name))}
        self.shapes = self.functions.model.shapes

    def of(self, root: Node) -> Any:
        """The values of a node; `known` has those of all nodes below it."""
        for node in self.order:
            if id(node) not in self.known and not isinstance(node, (Array, ColumnVector)):
                self.known[id(node)] = self._value(node)
                if self.known[id(node)].size > _LARGEST:
                    raise _TooLargeError
        return self.known[id(root)]

    def axis(self, index: Index) -> Any:
        """The values of an index, along its axis."""
        shape = [1] * len(self.axes)
        shape[self.axes[index]] = -1
        return np.array(self.shapes.range(index), dtype=np.float64).reshape(shape)

    def _value(self, node: Node) -> Any:
        if node.func is At:
            return self._element(node)
        index = reduced_index(node)
        if index is not None:
            return self._reduced(node, index)
        if node.args:
            args = [self.known[id(a)] for a in node.args]
            [value] = _function(node)(*args)
            return np.asarray(value)
        if isinstance(node, Index):
            return self.axis(node)
        if isinstance(node, Column):
            shape = [1] * len(self.axes)
            shape[self.axes[ROW]] = -1
            return self.functions.columns[node.name].reshape(shape)
        if isinstance(node, Count):
            return np.float64(self.shapes.count(node))
        if isinstance(node, Size) or node is ROWS:
            return np.float64(self.shapes.sizes[node])
        if isinstance(node, Name):
            return np.float64(self.inputs.get(node.name, math.nan))
        return np.float64(float_of(node))

    def _element(self, node: Node) -> Any:
        array, *subscripts = node.args
        places = [_whole(self.known[id(s)]) - 1 for s in subscripts]
        if isinstance(array, Array):
            return self.inputs[array.name][tuple(places)]
        data = self.functions.columns[array.name]
        if isinstance(array, ColumnVector):
            data = np.stack(data, axis=1)
            return data[(_whole(self.axis(ROW)) - 1, *places)]
        return data[tuple(places)]

    def _reduced(self, node: Node, index: Index) -> Any:
        value, axis = self.known[id(node.args[-1])], self.axes.get(index)
        count = len(self.shapes.range(index))
        if axis is None or value.ndim == 0:
            return value if node.func in (Largest, Peak, RowMean, RowMax) else value * count
        joins: dict[type, Any] = {Product: np.prod, Largest: np.max, RowMean: np.mean}
        join = joins.get(node.func, np.sum)
        if node.func in (Peak, RowMax):
            top = np.fmax.reduce(value, axis=axis, keepdims=True)
            return np.where(np.isfinite(top), top, 0.0)
        return join(value, axis=axis, keepdims=True)


def _whole(values: Any) -> Any:
    """Subscripts as whole numbers."""
    return np.asarray(values).astype(np.int64)


def _function(node: Node) -> Any:
    """The operation of a node, of arrays."""
    graph = Graph()
    inputs = [Name(f"q{k}") for k in range(len(node.args))]
    places = [
        graph.atom(a) if float_of(a) is not None else graph.atom(q)
        for a, q in zip(node.args, inputs, strict=True)
    ]
    return compile_array(compile_per_row(inputs, {"value": graph.node(node.func, *places)}))


def _blame(root: Node, values: _Values, x: Sequence[float], at: str) -> NonfiniteCause:
    """The node whose operands are all finite, at the first element where it is not."""
    place: dict[Index, int] = {}  # of each index, from 0

    def here(node: Node) -> float:
        found = values.known[id(node)]
        where = [place.get(i, 0) for i in values.axes]
        if found.ndim == 0:
            return float(found)
        spot = [k if n > 1 else 0 for k, n in zip(where, found.shape, strict=True)]
        return float(found[tuple(spot)])

    node = root
    while True:
        index = reduced_index(node)
        if index is not None and index in values.axes:
            term = values.known[id(node.args[-1])]
            spots = np.argwhere(~np.isfinite(term))
            wrong = [w for w in spots if all(w[values.axes[i]] == k for i, k in place.items())]
            if not wrong:
                break
            place[index] = int(wrong[0][values.axes[index]])
            node = node.args[-1]
            continue
        bad = [a for a in operands_read(node) if id(a) in values.known and not is_finite(here(a))]
        if not bad:
            break
        node = bad[0]
    listed = ", ".join(
        f"row {k + 1:,}" if i is ROW else f"{i.text} = {values.shapes.range(i)[k]:,}"
        for i, k in place.items()
    )
    known = {id(n): here(n) for n in values.order if id(n) in values.known}
    return blame(node, known, x, f" at {listed}{at}" if listed else at)
