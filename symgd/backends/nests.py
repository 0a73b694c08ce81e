"""Loop nests: the intermediate representation of indexed formulas.

A nest program is a list of nests in order of evaluation. A nest runs a straight line of operations
for every value of its indices and stores what it computes: into temporaries, into the gradient, or
into a sum. Neither the number of nests nor that of operations depends on any size: sizes, the
bounds of indices and the extents of arrays are bound when the program runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from symgd.backends.operations import Operand, Operation
from symgd.formula.indices import Affine, Index
from symgd.formula.nodes import Name

#: Affine in indices and sizes; or the name of a value of the body, a whole number from the data.
Subscript: TypeAlias = "Affine | str"


@dataclass(frozen=True)
class Load:
    """The element of an array that a name of the body stands for.

    array: the identifier of a parameter array, of data, or of a temporary. subscripts: as many as
    the array has axes, each from 1 up. A column of the data, `Column` or `ColumnVector`, has the
    row as its first axis.
    """

    array: str
    subscripts: tuple[Subscript, ...] = ()


@dataclass(frozen=True)
class Store:
    """target[subscripts] = value, or += value, *= value, max= value (nan is ignored by max).

    target: a temporary, or the gradient of an array or number of parameters ("g_" + identifier).
    A target that is accumulated starts at 0, 1 or -inf.
    """

    target: str
    subscripts: tuple[Subscript, ...]
    mode: str
    value: Operand


@dataclass(frozen=True)
class Nest:
    """For all values of `indices`, outermost first: the loads, the body, the stores.

    indices: empty for a straight line, which is evaluated once. loads: by name. body: over loaded
    names, numbers, inputs of the program, indices and counts (their identifiers are numbers).
    """

    indices: tuple[Index, ...]
    loads: Mapping[str, Load]
    body: tuple[Operation, ...]
    stores: tuple[Store, ...]


@dataclass(frozen=True)
class NestProgram:
    """Inputs -> nests -> outputs.

    scalars: the parameters that are numbers, and other numbers. arrays: parameter arrays, then
    arrays of data. temporaries: the indices that are the axes of each; none for a number.
    nests: in order of evaluation. outputs: name -> temporary that is a number, or number.
    """

    scalars: tuple[Name, ...]
    arrays: tuple[Name, ...]
    temporaries: Mapping[str, tuple[Index, ...]]
    nests: tuple[Nest, ...]
    outputs: Mapping[str, Operand]
