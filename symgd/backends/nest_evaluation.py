"""Evaluate one nest with NumPy, for a strip of its first index and all values of the others.

A value is an array with an axis for each index of the nest, of length 1 where it does not vary.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgd.backends.lambdified import compile_array
from symgd.backends.operations import Operand, Operation, live
from symgd.backends.program import Load, Nest, Program, Store, StraightLine, Subscript, names_read
from symgd.formula.indices import Affine, Index
from symgd.formula.nodes import Name

#: mode -> (what a target starts with, how values are joined)
_MODES: dict[str, tuple[float, Any]] = {
    "=": (0.0, None),
    "+=": (0.0, np.add),
    "*=": (1.0, np.multiply),
    "max=": (-math.inf, np.maximum),
    "peak=": (-math.inf, np.fmax),
}

#: For each index, its first and last value.
Ranges = Mapping[Index, tuple[int, int]]


@dataclass(frozen=True)
class Strip:
    """What nests read and write.

    whole: the ranges of all indices. ranges: those of this strip. values: of names that are numbers
    everywhere. arrays: inputs, temporaries and gradients. axes: of temporaries. local: the
    temporaries that hold this strip only.
    """

    sizes: Mapping[Name, int]
    whole: Ranges
    ranges: Ranges
    values: Mapping[str, Any]
    arrays: dict[str, Any]
    axes: Mapping[str, tuple[Index, ...]]
    local: Set[str] = frozenset()

    def length(self, index: Index) -> int:
        """How many values an index takes in this strip."""
        low, high = self.ranges[index]
        return max(0, high - low + 1)

    def start(self, store: Store) -> None:
        """Make a temporary that nothing has been stored in."""
        shape = [self.length(i) for i in self.axes[store.target]]
        self.arrays[store.target] = np.full(shape, _MODES[store.mode][0])

    def view(self, name: str) -> Any:
        """The part of a temporary that belongs to this strip."""
        array = self.arrays[name]
        if name in self.local:
            return array
        places = []
        for index in self.axes[name]:
            start = self.ranges[index][0] - self.whole[index][0]
            places.append(slice(start, start + self.length(index)))
        return array[(*places, ...)]

    def slices(self, subscripts: Sequence[Subscript]) -> tuple[list[Any], list[Index]] | None:
        """Subscripts as slices, and the indices along them; None where they are not."""
        places: list[Any] = []
        along: list[Index] = []
        for subscript in subscripts:
            if isinstance(subscript, str):
                return None
            terms = [t for t in subscript.terms if isinstance(t[0], Index)]
            if not terms:
                places.append(subscript.at(self.sizes) - 1)
                continue
            ((index, factor), *more) = terms
            if more or factor < 1 or index in along:
                return None
            start = subscript.at({**self.sizes, index: self.ranges[index][0]}) - 1
            places.append(slice(start, start + factor * self.length(index), factor))
            along.append(index)
        return places, along


class NestEvaluator:
    """One nest."""

    def __init__(self, nest: Nest) -> None:
        self.nest = nest
        self.axis = {index: k for k, index in enumerate(nest.indices)}
        self.index_named = {index.name: index for index in nest.indices}
        computed = {o.result for o in nest.body}
        wanted = list(dict.fromkeys(s.value for s in nest.stores if s.value in computed))
        self.products = {id(s): _factors(nest, s) for s in nest.stores}
        plain = [s.value for s in nest.stores if not self.products[id(s)] and s.value in wanted]
        self.inputs, self.function = _function(nest.body, list(dict.fromkeys(plain)))
        self.wanted = list(dict.fromkeys(plain))
        places = [p for load in nest.loads.values() for p in load.subscripts]
        places += [p for store in nest.stores for p in store.subscripts]
        #: the subscripts that the body computes
        self.subscripts = {p: _function(nest.body, [p]) for p in places if p in computed}

    def run(self, strip: Strip) -> None:
        """Evaluate the nest for one strip and store the results."""
        known: dict[Operand, Any] = {}
        found = self.function(*(self.value(name, strip, known) for name in self.inputs))
        known.update(zip(self.wanted, found, strict=True))
        for store in self.nest.stores:
            factors = self.products[id(store)]
            values = [self.value(f, strip, known) for f in factors or [store.value]]
            self.store(store, values, strip, known)

    def value(self, name: Operand, strip: Strip, known: dict[Operand, Any]) -> Any:
        """A number, or an array with as many axes as the nest has indices."""
        if not isinstance(name, str):
            return np.float64(name)
        if name not in known:
            if name in self.nest.loads:
                known[name] = self.load(self.nest.loads[name], strip, known)
            elif name in self.index_named:
                known[name] = self.range(self.index_named[name], strip).astype(np.float64)
            elif name in self.subscripts:
                inputs, function = self.subscripts[name]
                (known[name],) = function(*(self.value(n, strip, known) for n in inputs))
            else:
                known[name] = strip.values[name]
        return known[name]

    def range(self, index: Index, strip: Strip) -> Any:
        """The values of an index in this strip, along its axis."""
        low, high = strip.ranges[index]
        return self.along(np.arange(low, high + 1), [index])

    def along(self, array: Any, indices: Sequence[Index]) -> Any:
        """An array whose axes are these indices, with all axes of the nest."""
        order = sorted(range(len(indices)), key=lambda k: self.axis[indices[k]])
        lengths = {self.axis[indices[k]]: array.shape[k] for k in order}
        shape = [lengths.get(k, 1) for k in range(len(self.axis))]
        return array.transpose(order).reshape(shape)

    def place(self, subscript: Subscript, strip: Strip, known: dict[Operand, Any]) -> Any:
        """The positions, from 0, that a subscript stands for."""
        if isinstance(subscript, str):
            return np.asarray(self.value(subscript, strip, known)).astype(np.intp) - 1
        fixed = Affine(subscript.constant, tuple(t for t in subscript.terms if t[0] in strip.sizes))
        total = np.asarray(fixed.at(strip.sizes) - 1)
        for symbol, factor in subscript.terms:
            if isinstance(symbol, Index):
                total = total + factor * self.range(symbol, strip)
        return total

    def load(self, load: Load, strip: Strip, known: dict[Operand, Any]) -> Any:
        """The elements of an array for all values of the indices."""
        if load.array in strip.axes:
            return self.along(strip.view(load.array), strip.axes[load.array])
        array = np.asarray(strip.arrays[load.array])
        if (found := strip.slices(load.subscripts)) is not None:
            places, along = found
            return self.along(array[tuple(places)], along)
        return array[tuple(self.place(p, strip, known) for p in load.subscripts)]

    def store(
        self, store: Store, factors: list[Any], strip: Strip, known: dict[Operand, Any]
    ) -> None:
        """Store the product of some values."""
        shape = tuple(map(strip.length, self.nest.indices))
        joined = _MODES[store.mode][1]
        if store.target in strip.axes:
            target, along = strip.view(store.target), list(strip.axes[store.target])
        elif (found := strip.slices(store.subscripts)) is not None:
            places, along = found
            target = strip.arrays[store.target][(*places, ...)]
        else:
            self.scatter(store, np.broadcast_to(math.prod(factors), shape), strip, known)
            return
        kept = [self.axis[i] for i in along]
        value = _reduced(factors, shape, sorted(kept), store.mode)
        value = value.transpose([sorted(kept).index(k) for k in kept])
        target[...] = value if joined is None else joined(target, value)

    def scatter(self, store: Store, value: Any, strip: Strip, known: dict[Operand, Any]) -> None:
        """Add to elements that the data choose, in order of the rows."""
        places = [self.place(p, strip, known) for p in store.subscripts]
        varies = [k for k in range(value.ndim) if any(p.ndim and p.shape[k] > 1 for p in places)]
        rest = tuple(k for k in range(value.ndim) if k not in varies)
        value = value.sum(axis=rest, keepdims=True)
        where = np.broadcast_arrays(*places, value)[:-1]
        np.add.at(strip.arrays[store.target], tuple(where), value)


def _function(
    body: Sequence[Operation], wanted: Sequence[Operand]
) -> tuple[list[str], Callable[..., list[Any]]]:
    """The names that these results need, and a function of their values."""
    line = StraightLine(tuple(live(body, wanted)))
    inputs = names_read(line)
    outputs = {str(k): name for k, name in enumerate(wanted)}
    if not wanted:
        return [], lambda: []
    return inputs, compile_array(Program(tuple(map(Name, inputs)), (line,), outputs))


def _factors(nest: Nest, store: Store) -> list[Operand]:
    """The factors of a sum of products of what is loaded; empty for anything else."""
    axes = {i for p in store.subscripts if not isinstance(p, str) for i in p.indices}
    data = any(isinstance(p, str) for p in store.subscripts)
    if store.mode != "+=" or data or axes == {*nest.indices}:
        return []
    operations = {o.result: o for o in nest.body}
    found: list[Operand] = []
    stack: list[Operand] = [store.value]
    while stack:
        name = stack.pop()
        operation = operations.get(name) if isinstance(name, str) else None
        if operation is None:
            found.append(name)
        elif operation.name == "mul":
            stack += operation.arguments[::-1]
        else:
            return []
    return found if len(found) > 1 else []


def _reduced(factors: list[Any], shape: tuple[int, ...], kept: list[int], mode: str) -> Any:
    """The product of some values, reduced over the axes that are not kept."""
    axes = tuple(k for k in range(len(shape)) if k not in kept)
    if len(factors) == 1:
        value = np.broadcast_to(factors[0], shape)
        start, joined = _MODES[mode]
        return joined.reduce(value, axis=axes, initial=start) if axes else value
    arrays = [np.asarray(f) for f in factors]
    varies = [[k for k in range(a.ndim) if a.shape[k] != 1] for a in arrays]
    operands: list[Any] = []
    for array, own in zip(arrays, varies, strict=True):
        operands += [array.reshape([shape[k] for k in own]), own]
    present = {k for own in varies for k in own}
    value = np.einsum(*operands, [k for k in kept if k in present], optimize=True)
    value = value * math.prod(shape[k] for k in axes if k not in present)
    full = [shape[k] for k in kept]
    return np.broadcast_to(
        value.reshape([n if k in present else 1 for k, n in zip(kept, full, strict=True)]), full
    )
