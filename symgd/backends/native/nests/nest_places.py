"""Where the elements of arrays are, in machine code that is made for no size.

A *slot* is a number that the code reads when it is called: the name of a method of
`symgd.backends.native.nests.nest_binding.Binding`, and its arguments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import cached_property
from typing import Any, NamedTuple, TypeAlias

from symgd.backends.native.ir import Value
from symgd.backends.native.nests.nest_parts import NestLoop, Sink
from symgd.backends.native.nests.nest_plan import Pass, Plan
from symgd.backends.native.nests.nest_team import COUNTERS
from symgd.backends.native.vectors.vector_emit import VectorEmitter, Vectors
from symgd.backends.program import Subscript
from symgd.formula.indices import Affine, Array, ColumnVector, Index

#: Where an array is: ("x", name) parameters, ("out", name) their gradient, ("data", name), ("full",
#: name) a temporary, ("strip", stage, name) one of a strip, ("private", stage, sink) of a chunk.
Home: TypeAlias = "tuple[Any, ...]"

#: An axis of a temporary or of a chunk's sum; an int: the subscript that is read from data.
Axis: TypeAlias = "Index | int"

NOTHING = {"=": 0.0, "+=": 0.0, "*=": 1.0, "max=": -float("inf"), "peak=": -float("inf")}


class Slots:
    """The slots of a module. numbers: their places in c. narrow: the data that are float32."""

    def __init__(self, what: Plan, narrow: Set[str] = frozenset()) -> None:
        self.plan, self.narrow = what, narrow
        self.first = COUNTERS + len(what.stages)
        self.numbers: dict[tuple[Any, ...], int] = {}
        #: where the temporaries that are numbers are in w
        numbers = [name for name, own in what.axes.items() if not own]
        self.numbers_first = {name: k for k, name in enumerate(numbers)}

    def number(self, what: tuple[Any, ...]) -> int:
        """The place of a slot in c."""
        return self.numbers.setdefault(what, self.first + len(self.numbers))

    @cached_property
    def parameters(self) -> set[str]:
        """The arrays of parameters."""
        return {a.name for a in self.plan.program.arrays if isinstance(a, Array)}

    @cached_property
    def vectors(self) -> set[str]:
        """The data that are one column for each value of an index."""
        return {a.name for a in self.plan.program.arrays if isinstance(a, ColumnVector)}

    def loaded(self, array: str, stage: int) -> Home:
        """Where what a nest of this stage loads is."""
        here = self.plan.stages[stage]
        if isinstance(here, Pass) and array in here.strip_temporaries:
            return ("strip", stage, array)
        if array in self.plan.axes:
            return ("full", array)
        return ("x" if array in self.parameters else "data", array)

    def stored(self, target: str) -> Home:
        """Where a target that is no temporary of a strip is."""
        return ("full", target) if target in self.plan.axes else ("out", target)

    def axes(self, home: Home) -> tuple[Axis, ...] | None:
        """The axes in the order of memory; None: those of an array, row-major."""
        if home[0] == "full":
            return self.plan.axes[home[1]]
        stage = self.plan.stages[home[1]] if home[0] in ("strip", "private") else None
        if not isinstance(stage, Pass):
            return None
        if home[0] == "strip":
            return stage.strip_temporaries[home[2]]
        return private_axes(*stage.sinks[home[2]])

    def in_memory_order(self, home: Home, subscripts: Sequence[Subscript]) -> tuple[Subscript, ...]:
        """The subscripts of a temporary, that of the axis with neighbors in memory last."""
        axes = self.axes(home)
        if axes is None:
            return tuple(subscripts)
        if home[0] == "private":
            return tuple(
                subscripts[a] if isinstance(a, int) else Affine(0, ((a, 1),)) for a in axes
            )
        own = self.plan.program.temporaries[home[-1]]
        return tuple(subscripts[own.index(a)] for a in axes if isinstance(a, Index))


def private_axes(loop: NestLoop, sink: Sink) -> tuple[Axis, ...]:
    """The axes of a chunk's sum: the indices of its subscripts, and those read from data."""
    found: list[Axis] = []
    for k, subscript in enumerate(sink.first.store.subscripts):
        found += subscript.indices if isinstance(subscript, Affine) else (k,)
    own = [axis for axis in dict.fromkeys(found) if axis != loop.vector]
    return (*own, *([loop.vector] if loop.vector in found else []))


class ElementPlace(NamedTuple):
    """base + offset. offset: of every lane, or of the first where they are neighbors.

    element: the type of the numbers there.
    """

    base: str
    offset: Value
    neighbors: bool
    element: str = "double"


class NestEmitter(VectorEmitter):
    """A VectorEmitter that reads slots.

    scratch: the pointer to the temporaries of the strip. private: to the sums of the chunk.
    strip_index, strip_origin: the value of the index at which the strip's temporaries begin.
    """

    def __init__(self, slots: Slots, width: int, vectors: Vectors) -> None:
        super().__init__(width, vectors)
        self.slots = slots
        self.scratch = ""
        self.private: dict[Home, str] = {}
        self.strip_index: Index | None = None
        self.strip_origin = Value("0")
        self._read: dict[tuple[Any, ...], Value] = {}

    def set_lanes(self, lanes: int) -> None:
        """Other vectors from here on."""
        self.lanes = lanes
        self._splats = {}

    # -- slots ----------------------------------------------------------------------------

    def slot(self, *what: Any) -> Value:
        """The number in a slot, read at the entry of the function."""
        if what not in self._read:
            place = self.at_entry(f"getelementptr i64, ptr %c, i64 {self.slots.number(what)}")
            self._read[what] = self.at_entry(f"load i64, ptr {place.text}")
        return self._read[what]

    def affine(self, what: Affine) -> Value:
        """An affine number of sizes."""
        return self.slot("affine", what) if what.terms else Value(str(what.constant))

    # -- places ---------------------------------------------------------------------------

    def chunk_sums(self, stage: int, chunk: Value) -> str:
        """The pointer to the sums of a chunk."""
        place = self.integer("mul", chunk, self.slot("privates_room", stage))
        return self.at("%w", self.integer("add", self.slot("privates", stage), place))

    def private_place(self, home: Home, number: int) -> Value:
        """Where a sum of a chunk begins. number: of those before it; numbers come first."""
        return self.slot("private", home) if self.slots.axes(home) else Value(str(number))

    def pointer(self, home: Home) -> str:
        """The pointer from which the places of an array count."""
        if home[0] == "data":
            address = self.slot("address", home[1]).text
            return self.emit(f"inttoptr i64 {address} to ptr").text
        if home[0] == "private":
            return self.private[home]
        return {"x": "%x", "out": "%out", "full": "%w", "strip": self.scratch}[home[0]]

    def place(
        self,
        home: Home,
        subscripts: Sequence[Subscript],
        values: Mapping[Index, Value],
        data: Mapping[str, Value],
        vector: Index | None,
    ) -> ElementPlace:
        """Where an element is. values: of the indices; of the vector index, of its first lane."""
        base, subscripts = self.pointer(home), self.slots.in_memory_order(home, subscripts)
        if home[0] == "data" and home[1] in self.slots.vectors:
            base = self.load(base, self._column(subscripts[1], values, data), "ptr").text
            subscripts = subscripts[:1]
        terms: dict[Index, list[tuple[int, int]]] = {}
        constants = []
        last = len(subscripts) - 1
        for k, s in enumerate(subscripts):
            constants.append(Affine())
            if isinstance(s, Affine):
                sizes = [(symbol, f) for symbol, f in s.terms if not isinstance(symbol, Index)]
                constants[k] = Affine(s.constant, tuple(sizes))
                for symbol, factor in s.terms:
                    if isinstance(symbol, Index):
                        terms.setdefault(symbol, []).append((last - k, factor))
        offset = self.start(home, tuple(constants))
        neighbors = terms.get(vector) == [(0, 1)] if vector is not None else False
        for index, own in terms.items():
            value = values[index]
            if home[0] == "strip" and index == self.strip_index:
                value = self.integer("sub", value, self.strip_origin)
            if index == vector and not neighbors:
                value = self.integer("add", value, self.lane_numbers)
            offset = self._plus(offset, value, self._step(home, own))
        for k, s in enumerate(subscripts):
            if isinstance(s, str):
                neighbors = neighbors and not data[s].wide
                offset = self._plus(offset, self._whole(data[s]), self._step(home, [(last - k, 1)]))
        is_narrow = home[0] == "data" and home[1] in self.slots.narrow
        return ElementPlace(base, offset, neighbors, "float" if is_narrow else "double")

    def start(self, home: Home, constants: tuple[Affine, ...] = ()) -> Value:
        """The place of an element without what its indices add; numbers stand before arrays."""
        if home[0] == "full" and home[1] in self.slots.numbers_first:
            return Value(str(self.slots.numbers_first[home[1]]))
        return self.slot("start", home, constants)

    def _column(
        self, subscript: Subscript, values: Mapping[Index, Value], data: Mapping[str, Value]
    ) -> Value:
        """The number, from 0, of a column of a vector of columns."""
        if isinstance(subscript, str):
            return self.integer("sub", self._whole(data[subscript]), 1)
        own = {i: f for i, f in subscript.terms if isinstance(i, Index)}
        sizes = tuple((s, f) for s, f in subscript.terms if not isinstance(s, Index))
        found = self.affine(Affine(subscript.constant - 1, sizes))
        for index, factor in own.items():
            found = self._plus(found, values[index], Value(str(factor)))
        return found

    def _step(self, home: Home, terms: list[tuple[int, int]]) -> Value:
        """By how much a place moves with an index. terms: (axis from the last, factor)."""
        if all(axis == 0 for axis, _ in terms):
            return Value(str(sum(factor for _, factor in terms)))
        return self.slot("step", home, tuple(terms))

    def _plus(self, offset: Value, value: Value, step: Value) -> Value:
        scaled = value if step.text == "1" else self.integer("mul", value, step)
        return self.integer("add", offset, scaled)

    def _whole(self, number: Value) -> Value:
        """A double that is a whole number; 32 bits, which every processor converts in vectors."""
        kind = self.type(number.wide)
        short, long = self.type(number.wide, "i32"), self.type(number.wide, "i64")
        small = self.emit(f"fptosi {kind} {number.text} to {short}", number.wide)
        return self.emit(f"sext {short} {small.text} to {long}", number.wide)

    @property
    def lane_numbers(self) -> Value:
        """0, 1, ... for the lanes."""
        return Value(f"<{', '.join(f'i64 {k}' for k in range(self.lanes))}>", True)

    # -- memory ---------------------------------------------------------------------------

    def read(self, place: ElementPlace, mask: Value | None) -> Value:
        """The number at a place, or those of the lanes; of neighbors without a mask all."""
        found = self._read_as_stored(place, mask)
        if place.element == "double":
            return found
        narrow, wide = self.type(found.wide, place.element), self.type(found.wide)
        return self.emit(f"fpext {narrow} {found.text} to {wide}", found.wide)

    def _read_as_stored(self, place: ElementPlace, mask: Value | None) -> Value:
        element = place.element
        if not place.neighbors and not place.offset.wide:
            return self.load(place.base, place.offset, element)
        if mask is None and place.neighbors:
            return self.load(place.base, place.offset, element, wide=True)
        kind = self.type(True, element)
        if place.neighbors:
            name, at, pointers = "load", self.at(place.base, place.offset, element), "ptr"
        else:
            name, pointers = "gather", self.type(True, "ptr")
            offsets = f"{self.type(True, 'i64')} {place.offset.text}"
            at = self.emit(f"getelementptr {element}, ptr {place.base}, {offsets}", True).text
        mask = self.spread(mask or Value("true"), "i1")
        size = 8 if element == "double" else 4
        where = "p0" if place.neighbors else f"v{self.lanes}p0"
        function = f"@llvm.masked.{name}.v{self.lanes}f{8 * size}.{where}"
        bits = self.type(True, "i1")
        self.declared.add(f"declare {kind} {function}({pointers}, i32, {bits}, {kind})")
        arguments = f"{pointers} {at}, i32 {size}, {bits} {mask.text}, {kind} zeroinitializer"
        return self.emit(f"call {kind} {function}({arguments})", True)

    def write(self, value: Value, place: ElementPlace, mask: Value | None) -> None:
        """Change the number at a place, or those of neighbors; without a mask all."""
        if not value.wide or mask is None:
            self.store(value, place.base, place.offset)
            return
        kind, bits = self.type(True), self.type(True, "i1")
        name = f"llvm.masked.store.v{self.lanes}f64.p0"
        self.declared.add(f"declare void @{name}({kind}, ptr, i32, {bits})")
        at = self.at(place.base, place.offset)
        arguments = f"{kind} {value.text}, ptr {at}, i32 8, {bits} {mask.text}"
        self.add_line(f"call void @{name}({arguments})")

    def fill(self, pointer: str, count: Value, mode: str) -> None:
        """Nothing, of this mode, in so many numbers."""
        if NOTHING[mode] == 0.0:
            self.declared.add("declare void @llvm.memset.p0.i64(ptr, i8, i64, i1)")
            size = self.integer("mul", count, 8).text
            self.add_line(f"call void @llvm.memset.p0.i64(ptr {pointer}, i8 0, i64 {size}, i1 0)")
            return
        with self.for_range(count) as k:
            self.store(self.number(NOTHING[mode]), pointer, k)

    def clear(self, home: Home, mode: str) -> None:
        """The same in a whole temporary."""
        start = self.at(self.pointer(home), self.start(home))
        self.fill(start, self.slot("room", home), mode)

    def combine(self, mode: str, old: Value, new: Value) -> Value:
        """An accumulated number and one more."""
        if mode == "+=":
            return self.add(old, new)
        if mode == "*=":
            return self.mul(old, new)
        if mode == "peak=":  # the larger one, the old one where the new one is nan
            return self.select(self.compare("ogt", new, old), new, old)
        keep = self.logic("or", self.compare("oge", old, new), self.compare("uno", old, old))
        return self.select(keep, old, new)  # nan where either is
