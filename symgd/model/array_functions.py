"""Value, gradient and Hessian-vector products of losses with arrays, of any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, TypeAlias

from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.backends.bound_nests import (
    BoundFunction,
    NestLayout,
    bind_native,
    bind_nests,
    bind_numpy,
    called,
    numpy_machine,
)
from symgd.backends.dispatch import compiled
from symgd.backends.nest_compiler import compile_nests
from symgd.backends.nests import NestProgram
from symgd.calculus.index_gradient import Scatter, directional_derivative, index_gradient
from symgd.calculus.reductions import lower
from symgd.calculus.stabilize import stabilize
from symgd.errors import ArgumentError
from symgd.formula.indices import Array, ColumnVector, DataArray
from symgd.formula.nodes import ROWS, Column, Name, Node, topological
from symgd.model.array_model import ArrayModel

if TYPE_CHECKING:
    from symgd.backends.native.nests.nest_machine import BoundNests
    from symgd.backends.numpy_nests import NumpyNests

Floats: TypeAlias = "NDArray[np.float64]"


@dataclass(frozen=True)
class NestWork:
    """How much one evaluation of a nest program is for given sizes.

    operations, cost: as those of `symgd.backends.program.Program`, every pass of a loop counted.
    """

    operations: int
    cost: int
    loops: tuple[()] = ()


class ArrayFunctions:
    """The nest programs of a model, compiled when they are first called."""

    def __init__(self, model: ArrayModel) -> None:
        self.model = model
        graph = model.formula.graph
        constants = {leaf: graph.number(value) for leaf, value in model.values.items()}
        #: the formula as it runs: constants in their places, numerically stable
        [self.root] = lower(graph, stabilize(graph, graph.replace([model.formula.root], constants)))
        leaves = [n for n in topological([self.root]) if not n.args]
        self.data = [n for n in leaves if isinstance(n, (Column, ColumnVector, DataArray))]
        self.scalars: list[Name] = list(model.scalars.values())
        self.arrays: list[Array] = list(model.arrays.values())

    @cached_property
    def derivatives(self) -> tuple[list[Node], dict[Array, list[Scatter]]]:
        """The gradient as nodes: of each number, and the terms of each array."""
        return index_gradient(self.model.formula.graph, self.root, self.scalars, self.arrays)

    @cached_property
    def value_program(self) -> NestProgram:
        """Parameters -> value."""
        inputs = [*self.arrays, *self.data]
        return compile_nests(self.scalars, inputs, {"value": self.root})

    @cached_property
    def program(self) -> NestProgram:
        """Parameters -> value and gradient, as loop nests whose code does not depend on sizes."""
        numbers, scatters = self.derivatives
        outputs = {"value": self.root, **self._named(numbers)}
        return compile_nests(self.scalars, [*self.arrays, *self.data], outputs, scatters)

    @cached_property
    def product_program(self) -> NestProgram:
        """Parameters and a vector v of their kind -> the Hessian times v."""
        graph = self.model.formula.graph
        ways = {a: Array(f"w{a.name}", f"v {a.text}") for a in self.arrays}
        steps = [Name(f"w{s.name}", f"v {s.text}") for s in self.scalars]
        atoms = [graph.atom(step) for step in steps]
        slope = directional_derivative(graph, self.derivatives, atoms, ways)
        numbers, scatters = index_gradient(graph, slope, self.scalars, self.arrays)
        inputs = [*self.arrays, *ways.values(), *self.data]
        return compile_nests([*self.scalars, *steps], inputs, self._named(numbers), scatters)

    def _named(self, derivatives: Sequence[Node]) -> dict[str, Node]:
        return {f"d/d{s.text}": d for s, d in zip(self.scalars, derivatives, strict=True)}

    def work(self, program: NestProgram) -> NestWork:
        """How much one evaluation is."""
        shapes = self.model.shapes
        times = [math.prod(len(shapes.range(i)) for i in nest.indices) for nest in program.nests]
        bodies = [(n, nest.body) for n, nest in zip(times, program.nests, strict=True)]
        operations = sum(n * sum(o.weight for o in body) for n, body in bodies)
        return NestWork(operations, sum(n * sum(o.cost for o in body) for n, body in bodies))

    # -- numbers ------------------------------------------------------------------------------

    @cached_property
    def columns(self) -> dict[str, Any]:
        """The data by identifier: (rows,), of a vector of columns a list of them."""
        return {} if self.model.table is None else self._columns_of(self.model.table.columns)

    def _columns_of(self, rows: Mapping[str, Any]) -> dict[str, Any]:
        indexed = self.model.formula.indexed
        assert indexed is not None
        return {
            name.name: [rows[c] for c in indexed.vectors[name.text]]
            if isinstance(name, ColumnVector)
            else rows[name.text]
            for name in self.data
        }

    def on(self, rows: Mapping[str, Any], bound: dict[int, BoundNests | None]) -> BoundFunction:
        """P numbers -> [value, gradient..] over some rows of the data: columns by name.

        bound: machine code by the number of rows, for the next call, which changes what it sees.
        """
        if any(isinstance(name, DataArray) for name in self.data):
            raise ArgumentError("a batch is of rows, and the loss reads a column by position")
        count, columns, layout = (
            len(next(iter(rows.values()))),
            self._columns_of(rows),
            self.layout(),
        )
        layout = replace(layout, sizes={**layout.sizes, ROWS: count})
        if count not in bound:
            bound[count] = compiled(lambda: bind_native(self.program, layout, columns))
        native = bound[count]
        if native is None:
            return bind_numpy(self.program, layout, columns, self._in_numpy)
        native.see(columns)
        return called(native, layout.length)

    def inputs(self, x: Any) -> dict[str, Any]:
        """P numbers by identifier, arrays in their shapes."""
        point = self.model.nested(self.model.flat(x))
        symbols = {**self.model.scalars, **self.model.arrays}
        return {symbols[name].name: value for name, value in point.items()}

    def value(self, x: Any) -> float:
        """The loss at P numbers in the order of params."""
        return float(self._value(self.model.flat(x))[0])

    def gradient(self, x: Any) -> tuple[float, Floats]:
        """(value, gradient) at P numbers in the order of params; the gradient is (P,) float64."""
        out = self.bound(self.model.flat(x))
        return float(out[0]), out[1:]

    def product(self, x: Any, v: Any) -> Floats:
        """The Hessian at x times v, (P,) each."""
        return self.product_at(x)(self.model.flat(v))

    def product_at(self, x: Any) -> Callable[[Any], Floats]:
        """v, (P,) float64 -> the Hessian at x times v; for many products at one point."""
        count = self.model.count
        both, out = np.empty(2 * count), np.empty(1 + 2 * count)
        both[:count] = self.model.flat(x)

        def product(v: Any) -> Floats:
            both[count:] = v
            return self._product(both, out)[1 : 1 + count].copy()

        return product

    @cached_property
    def _in_numpy(self) -> NumpyNests:
        return numpy_machine(self.program)

    @cached_property
    def bound(self) -> BoundFunction:
        """P numbers -> [value, gradient..]."""
        if self.machine is None:
            return bind_numpy(self.program, self.layout(), self.columns, self._in_numpy)
        return called(self.machine, self.layout().length)

    @cached_property
    def machine(self) -> BoundNests | None:
        """The machine code of value and gradient, where there is some."""
        return compiled(lambda: bind_native(self.program, self.layout(), self.columns))

    @cached_property
    def _value(self) -> BoundFunction:
        return self._bind(self.value_program)

    @cached_property
    def _product(self) -> BoundFunction:
        return bind_nests(self.product_program, self.layout(2), self.columns)

    def _bind(self, program: NestProgram) -> BoundFunction:
        return bind_nests(program, self.layout(), self.columns)

    def layout(self, vectors: int = 1) -> NestLayout:
        """Parameters in the order of params, then a vector of their kind; value, then gradients."""
        model, count = self.model, self.model.count
        symbols = {**model.scalars, **model.arrays}
        sizes = [math.prod(model.shape(name)) for name in model.params]
        starts = dict(zip(model.params, accumulate([0, *sizes]), strict=False))
        offsets = {symbols[name].name: start for name, start in starts.items()}
        extents = {array.name: model.shape(name) for name, array in model.arrays.items()}
        places = {"value": 0, **{f"d/d{name}": 1 + start for name, start in starts.items()}}
        places |= {f"g_{name}": 1 + start for name, start in offsets.items()}
        places |= {f"g_w{name}": 1 + count + start for name, start in offsets.items()}
        return NestLayout(
            model.shapes.sizes,
            extents | {f"w{name}": shape for name, shape in extents.items()},
            offsets | {f"w{name}": count + start for name, start in offsets.items()},
            places,
            1 + vectors * count,
        )
