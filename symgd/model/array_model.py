"""ArrayModel: a loss of arrays of parameters, its shapes, and its elements as numbers in a row."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symgd import names
from symgd._locks import cached_property
from symgd._numpy import NDArray, np
from symgd.calculus.unroll import TooManyPartsError, Unroller
from symgd.errors import ArgumentError, DataError
from symgd.formula.categories import element_name
from symgd.formula.indices import Array, ColumnVector, DataArray
from symgd.formula.nodes import Column, Name, Node
from symgd.formula.parse import Formula
from symgd.formula.shapes import ShapeReader, Shapes
from symgd.formula.symbol_table import Columns
from symgd.model.array_options import ArrayOptions
from symgd.model.checks import to_float
from symgd.model.data_binding import RowData
from symgd.model.elements import in_order, place_on_axis, subscripts
from symgd.model.loss_internals import LossInternals

if TYPE_CHECKING:
    from symgd.data import Table

#: Parameters and parts of a loss up to which it is written out: then all analyses hold for it.
WRITTEN_OUT = 128
PARTS = 3_000


@dataclass(eq=False)
class ArrayModel:
    """An indexed formula with its shapes and data.

    values: of the names that are constants. columns: those of the data, by name. options: what was
    given of sizes and shapes.
    """

    formula: Formula
    shapes: Shapes
    values: Mapping[Name, float]
    columns: Columns | None
    table: Table | None
    options: ArrayOptions

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `Loss` that make the same model."""
        return {
            "source": self.formula.text,
            "data": self.table,
            "constants": {leaf.text: value for leaf, value in self.values.items()},
            "params": list(self.scalars),
            "sizes": dict(self.options.sizes),
            "shapes": dict(self.options.shapes),
            "vectors": dict(self.options.vectors),
        }

    @cached_property
    def scalars(self) -> dict[str, Name]:
        """The parameters that are numbers, by name."""
        return {n: leaf for n, leaf in self.formula.variables.items() if leaf not in self.values}

    @cached_property
    def arrays(self) -> dict[str, Array]:
        """The arrays of parameters, by name."""
        assert self.formula.indexed is not None
        found = self.formula.indexed.arrays.items()
        return {name: array for name, array in found if isinstance(array, Array)}

    @cached_property
    def params(self) -> tuple[str, ...]:
        """The names of all parameters in natural order, one for each array."""
        return tuple(sorted([*self.scalars, *self.arrays], key=names.natural))

    def shape(self, name: str) -> tuple[int, ...]:
        """The shape of a parameter; () for a number."""
        return self.shapes.extents[name] if name in self.arrays else ()

    @property
    def described(self) -> list[str]:
        """The parameters with the shapes of arrays: `W (100 x 2)`."""
        return [
            f"{name} ({' x '.join(f'{n:,}' for n in self.shape(name))})"
            if name in self.arrays
            else name
            for name in self.params
        ]

    @cached_property
    def count(self) -> int:
        """How many numbers all parameters are."""
        return sum(math.prod(self.shape(name)) for name in self.params)

    def places(self, name: str) -> tuple[int, int]:
        """Where a parameter, or an element such as `x[3]` or `a[north]`, is in a flat point."""
        array, _, inside = name.partition("[")
        starts, first = {}, 0
        for one in self.params:
            starts[one] = first
            first += math.prod(self.shape(one))
        if name in starts:
            return starts[name], starts[name] + math.prod(self.shape(name))
        shape = self.shape(array) if array in self.arrays else ()
        parts = inside.removesuffix("]").split(",")
        found = [place_on_axis(s.strip(), n) for s, n in zip(parts, shape, strict=False)]
        if len(parts) != len(shape) or any(
            k is None or not 0 <= k < n for k, n in zip(found, shape, strict=True)
        ):
            raise ArgumentError(names.unknown("the loss has no parameter", name, self.params))
        place = 0
        for k, n in zip(found, shape, strict=True):
            place = place * n + (k or 0)
        return starts[array] + place, starts[array] + place + 1

    def subscripts(self, name: str) -> Iterator[tuple[int, ...]]:
        """The subscripts of a parameter, row-major; one empty one for a number."""
        return subscripts(self.shape(name))

    def flat(self, theta: Any) -> NDArray[np.float64]:
        """(P,) float64: a point as numbers in the order of params, arrays row-major.

        theta: a mapping name -> number or array, where an array may be one number for all of its
        elements and `w[2]` names one; or P numbers.
        """
        if not isinstance(theta, Mapping):
            try:
                found = np.asarray(theta, dtype=np.float64)
            except (TypeError, ValueError):
                raise ArgumentError(f"{theta!r} is not a point") from None
            if found.shape != (self.count,):
                raise ArgumentError(
                    f"{found.size} numbers for {self.count} (the elements of "
                    f"{names.escape(', '.join(self.params))})"
                )
            return found
        given = {names.canonical(str(k)): v for k, v in theta.items()}
        for name in given:
            if name not in self.params:
                raise ArgumentError(names.unknown("the loss has no parameter", name, self.params))
        missing = [p for p in self.params if p not in given]
        if missing:
            raise ArgumentError(f"there is no value for parameter '{names.escape(missing[0])}'")
        parts = [self.elements(name, given[name]) for name in self.params]
        return np.concatenate([np.empty(0), *parts])

    def elements(self, name: str, value: Any) -> NDArray[np.float64]:
        """The numbers of one parameter, row-major, from a number or an array of its shape.

        Where an axis has labels, a mapping label -> value is as good as a list.
        """
        shape, shown = self.shape(name), names.escape(name)
        if not shape:
            return np.array([to_float(value, f"the value of '{shown}'")])
        try:
            found = np.asarray(in_order(value, shape), dtype=np.float64)
        except (TypeError, ValueError):
            raise ArgumentError(f"the value of '{shown}' is no array of numbers") from None
        except KeyError as error:
            label = names.escape(str(error.args[0]))
            raise ArgumentError(f"'{shown}' has no value for the category '{label}'") from None
        if found.shape not in ((), shape):
            raise ArgumentError(f"'{shown}' has the shape {shape}, and this has {found.shape}")
        return np.broadcast_to(found, shape).ravel()

    def nested(self, x: Any) -> dict[str, Any]:
        """The numbers of `flat` by parameter: a float, or a view in the shape of an array."""
        found: dict[str, Any] = {}
        start = 0
        for name in self.params:
            shape = self.shape(name)
            end = start + math.prod(shape)
            part = x[start:end]
            found[name] = (
                np.asarray(part, dtype=np.float64).reshape(shape) if shape else float(part[0])
            )
            start = end
        return found

    @cached_property
    def written_out(self) -> LossInternals | None:
        """The same loss of single numbers; None where it is too large for that."""
        return None if self.count > WRITTEN_OUT else self.write_out(PARTS)

    def write_out(self, parts: int) -> LossInternals | None:
        """The same loss of single numbers; None where it has more new nodes than this."""
        graph = self.formula.graph
        unroller = self.unroller(parts)
        try:
            root = unroller.unroll(self.formula.root, {})
        except TooManyPartsError:
            return None
        constants = {leaf: graph.number(value) for leaf, value in self.values.items()}
        [root] = graph.replace([root], constants)
        rows = None if self.table is None else RowData(graph, self.table)
        return LossInternals(graph, root, self.leaves, rows)

    def unroller(self, parts: int) -> Unroller:
        """What writes nodes out, in this many new ones at most."""
        graph, limit = self.formula.graph, len(self.formula.graph) + parts
        return Unroller(graph, self.shapes, self._column, self._cell, self._elements, limit)

    @cached_property
    def _elements(self) -> dict[tuple[str, tuple[int, ...]], Name]:
        places = [(name, place) for name in self.arrays for place in self.subscripts(name)]
        return {
            (name, place): Name(f"e{k}", element_name(name, self.shape(name), place))
            for k, (name, place) in enumerate(places)
        }

    @property
    def leaves(self) -> list[Name]:
        """The symbols of all numbers, in the order of params."""
        return [
            self._elements[name, place] if place else self.scalars[name]
            for name in self.params
            for place in self.subscripts(name)
        ]

    def _column(self, vector: ColumnVector, k: int) -> Column:
        assert self.columns is not None
        assert self.formula.indexed is not None
        return self.columns.symbols[self.formula.indexed.vectors[vector.text][k - 1]]

    def _cell(self, array: DataArray, k: int) -> float:
        assert self.table is not None
        return float(self.table.columns[array.text][k - 1])


def whole_numbers_of(table: Table) -> Callable[[Node], Any]:
    """column of a subscript -> (rows,) its whole numbers; DataError where one is none."""
    found: dict[str, Any] = {}

    def values(node: Node) -> Any:
        name = (node if isinstance(node, Column) else node.args[0]).text
        if name not in found:
            numbers = table.columns[name]
            wrong = np.flatnonzero((numbers != np.floor(numbers)) | (np.abs(numbers) > 2**53))
            if len(wrong):
                row = int(wrong[0])
                raise DataError(
                    f"{names.escape(name)} is a subscript, and it is {float(numbers[row])!r} in "
                    f"row {row + 1}; a subscript is a whole number",
                    source=table.source,
                )
            found[name] = numbers
        return found[name]

    return values


def bind_shapes(formula: Formula, table: Table | None) -> Shapes:
    """The sizes and extents of a formula, or FormulaError or DataError."""
    assert formula.indexed is not None
    reader = ShapeReader(formula.text, formula.indexed)
    if table is not None:
        reader.rows, reader.values = table.rows, whole_numbers_of(table)
        reader.labels = table.labels
    return reader.read()
