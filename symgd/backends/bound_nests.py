"""A nest program for given sizes and data: a function of one array that returns one array."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

from symgd._numpy import NDArray, np
from symgd.backends.dispatch import compiled
from symgd.backends.nests import NestProgram
from symgd.formula.indices import Array
from symgd.formula.nodes import Name

if TYPE_CHECKING:
    from symgd.backends.native.nests.nest_machine import BoundNests
    from symgd.backends.numpy_nests import NumpyNests

    Floats = NDArray[np.float64]

#: (X,) -> (Y,), X and Y as the layout says; into the second array if one is given.
BoundFunction = Callable[..., "Floats"]


@dataclass(frozen=True)
class NestLayout:
    """Where the inputs and outputs of a nest program are.

    sizes: of every `Size`, and `ROWS`. extents: of the arrays of parameters, by identifier.
    offsets: where they and the scalars begin in the input. places: where each output, and the
    gradient of an array as "g_" + identifier, begins in the output. length: of the output.
    """

    sizes: Mapping[Name, int]
    extents: Mapping[str, tuple[int, ...]]
    offsets: Mapping[str, int]
    places: Mapping[str, int]
    length: int


def bind_nests(
    program: NestProgram, layout: NestLayout, data: Mapping[str, Any], threads: int | None = None
) -> BoundFunction:
    """The function, by machine code where there is some.

    data: columns by identifier, of a vector of columns a list of them. threads: at most.
    """
    native = compiled(lambda: bind_native(program, layout, data, threads))
    return bind_numpy(program, layout, data) if native is None else called(native, layout.length)


def called(native: BoundNests, length: int) -> BoundFunction:
    """Machine code as a function of one array."""

    def call(x: Any, out: Floats | None = None) -> Floats:
        out = np.empty(length) if out is None else out
        native.evaluate(np.ascontiguousarray(x, dtype=np.float64), out)
        return out

    return call


def bind_native(
    program: NestProgram, layout: NestLayout, data: Mapping[str, Any], threads: int | None = None
) -> BoundNests:
    """The machine code of a program with its sizes and data."""
    from symgd.backends.native.nests.nest_machine import NativeNests

    extents: dict[str, Sequence[int]] = dict(layout.extents)
    for name, cells in data.items():
        vector = isinstance(cells, list)
        extents[name] = (len(cells[0]), len(cells)) if vector else cells.shape
    return NativeNests(program).bind(
        layout.sizes, extents, data, layout.offsets, layout.places, threads
    )


def bind_numpy(
    program: NestProgram,
    layout: NestLayout,
    data: Mapping[str, Any],
    machine: NumpyNests | None = None,
) -> BoundFunction:
    """The same in NumPy. machine: of the program, if there is one."""
    machine = machine or numpy_machine(program)
    columns = {n: np.stack(c, axis=1) if isinstance(c, list) else c for n, c in data.items()}
    arrays = [a.name for a in program.arrays if isinstance(a, Array)]

    def call(x: Any, out: Floats | None = None) -> Floats:
        x = np.asarray(x, dtype=np.float64)
        parts = {n: x[layout.offsets[n] :][: prod(layout.extents[n])] for n in arrays}
        shaped = {n: part.reshape(layout.extents[n]) for n, part in parts.items()}
        scalars = {s.name: float(x[layout.offsets[s.name]]) for s in program.scalars}
        outputs, gradients = machine.run(layout.sizes, scalars, {**shaped, **columns})
        out = np.empty(layout.length) if out is None else out
        out[...] = 0.0
        for name, value in outputs.items():
            out[layout.places[name]] = value
        for name, gradient in gradients.items():
            out[layout.places[f"g_{name}"] :][: gradient.size] = gradient.ravel()
        return out

    return call


def numpy_machine(program: NestProgram) -> NumpyNests:
    """What runs a program in NumPy, for all sizes."""
    from symgd.backends.numpy_nests import NumpyNests

    return NumpyNests(program)
