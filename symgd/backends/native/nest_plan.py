"""Plan the machine code of loop nests: which stores share a loop, its order, its vector index.

A nest is split by its stores. A gradient whose subscripts are shifted indices, g[i+1], is computed
by *owner*: a loop over its elements t evaluates the nest at i = t - 1, so that no two iterations,
vectors or threads write to one element. Stores of equal indices share one loop.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from functools import cached_property
from graphlib import TopologicalSorter
from typing import TypeAlias

from symgd.backends.nests import Load, Nest, NestProgram, Store, Subscript
from symgd.backends.operations import Operation
from symgd.formula.functions.table import ELEMENTARY
from symgd.formula.indices import ROW, Affine, ColumnVector, Index

Step: TypeAlias = "Load | Operation"
Shifts: TypeAlias = "tuple[tuple[Index, Affine], ...]"

_FEW = 12  # operations, of which four registers at a time are computed
_MANY = 40  # operations that fill the registers


class Kind(Enum):
    """Who writes to the target of a store."""

    STRIP = "a temporary that only the strip sees"
    OWNED = "each element belongs to one value of the strip index"
    SUMMED = "summed over the strip index: a copy for each chunk, added up at the end"
    SCATTERED = "anything else: one thread"


@dataclass(frozen=True)
class Part:
    """One store of a nest. shifts: of an owned target, its element minus the index."""

    nest: Nest
    store: Store
    kind: Kind
    shifts: Shifts = ()

    @cached_property
    def steps(self) -> dict[str, Step]:
        """What the store needs, by name, in order of evaluation."""
        made: dict[str, Step] = {**self.nest.loads, **{o.result: o for o in self.nest.body}}
        graph: dict[str, list[str]] = {}
        wanted = [n for n in (self.store.value, *self.store.subscripts) if n in made]
        while wanted:
            name = wanted.pop()
            if isinstance(name, str) and name not in graph:
                graph[name] = [n for n in _read(made[name]) if n in made]
                wanted += graph[name]
        return {name: made[name] for name in TopologicalSorter(graph).static_order()}

    @cached_property
    def varies(self) -> dict[str, frozenset[Index]]:
        """The indices on which each step depends."""
        own = {index.name: index for index in self.nest.indices}
        found = {name: frozenset({index}) for name, index in own.items()}
        for name, step in self.steps.items():
            read = [found.get(n, frozenset()) for n in _read(step)]
            if isinstance(step, Load):
                read += [frozenset(s.indices) for s in step.subscripts if isinstance(s, Affine)]
            found[name] = frozenset[Index]().union(*read)
        return found

    @cached_property
    def target_indices(self) -> frozenset[Index]:
        """The indices on which the place in the target depends."""
        return self.place_varies(self.store.subscripts)

    def place_varies(self, subscripts: Iterable[Subscript]) -> frozenset[Index]:
        """The indices on which subscripts depend."""
        parts = (
            frozenset(s.indices) if isinstance(s, Affine) else self.varies[s] for s in subscripts
        )
        return frozenset[Index]().union(*parts)


@dataclass
class Sink:
    """Parts that add to one element of a target.

    depth: how many loops are around the store. assigns: it is the first, and covers its elements.
    """

    parts: list[Part]
    depth: int
    assigns: bool = False

    @property
    def first(self) -> Part:
        """One part, for what they have in common."""
        return self.parts[0]

    @property
    def target(self) -> str:
        """What is written."""
        return self.first.store.target

    @property
    def place(self) -> tuple[Subscript, ...]:
        """The subscripts, of an owned target in terms of its elements."""
        shifts = dict(self.first.shifts)
        return tuple(
            s - sum((shifts[i] for i in s.indices if i in shifts), Affine())
            if isinstance(s, Affine)
            else s
            for s in self.first.store.subscripts
        )


@dataclass
class NestLoop:
    """Parts with equal indices in one loop nest.

    vector: the index whose values are the lanes. order: all indices, outermost first.
    """

    indices: tuple[Index, ...]
    vector: Index
    parts: list[Part]
    order: tuple[Index, ...] = ()
    sinks: list[Sink] = field(default_factory=list)

    def arrange(self) -> None:
        """Choose the order: what no target has inside, so that registers hold the sums."""
        others = [i for i in self.indices if i != self.vector]
        outer = [i for i in others if any(i in p.target_indices for p in self.parts)]
        inner = [i for i in others if i not in outer]
        is_outer = any(self.vector in p.target_indices for p in self.parts)
        middle = [self.vector, *inner] if is_outer else [*inner, self.vector]
        self.order = (*outer, *middle)
        groups: dict[object, Sink] = {}
        for part in self.parts:
            depth = max((self.order.index(i) + 1 for i in part.target_indices), default=0)
            key: object = id(part)
            if part.kind is Kind.OWNED:
                key = (part.store.target, tuple(_bare(s) for s in part.store.subscripts))
            groups.setdefault(key, Sink([], depth)).parts.append(part)
        self.sinks = list(groups.values())

    @cached_property
    def operations(self) -> list[Operation]:
        """The operations of all parts."""
        own = {id(o): o for p in self.parts for o in p.steps.values()}
        return [o for o in own.values() if isinstance(o, Operation)]

    @cached_property
    def is_heavy(self) -> bool:
        """Whether its vectors have work enough that masks hardly count."""
        return len(self.operations) > _MANY or any(o.cost >= ELEMENTARY for o in self.operations)

    @cached_property
    def registers(self) -> int:
        """How many registers of lanes a vector has."""
        if self.is_heavy:
            return 1
        is_long = self.vector == self.indices[0]
        return 4 if is_long and len(self.order) > 1 and len(self.operations) <= _FEW else 2

    def is_masked(self, local: Container[str]) -> bool:
        """Whether lanes beyond the end would do harm. local: the strip's temporaries, where they
        have room.
        """
        for part in self.parts:
            loads = [s for s in part.steps.values() if isinstance(s, Load)]
            places = [(s.array, s.subscripts) for s in loads]
            for array, subscripts in [*places, (part.store.target, part.store.subscripts)]:
                if array not in local and self.vector in part.place_varies(subscripts):
                    return True
            if self.vector not in part.target_indices:
                return True
        return False

    @property
    def cost(self) -> int:
        """Of one iteration, in multiplications."""
        own = [o.cost for p in self.parts for o in p.steps.values() if isinstance(o, Operation)]
        return 1 + sum(own)

    def shifts(self, index: Index) -> tuple[Affine, ...]:
        """The different shifts of the parts along an index."""
        return tuple(dict.fromkeys(dict(p.shifts).get(index, Affine()) for p in self.parts))


@dataclass
class Pass:
    """Loops that run strip by strip. index: the strip index.

    halo: the shifts at which temporaries of a strip are read; they are computed for those too.
    strip_temporaries: with their axes, the vector index last.
    """

    index: Index
    loops: list[NestLoop]
    halo: tuple[Affine, ...]
    strip_temporaries: dict[str, tuple[Index, ...]]

    @property
    def sinks(self) -> list[tuple[NestLoop, Sink]]:
        """All sinks, with their loops."""
        return [(loop, sink) for loop in self.loops for sink in loop.sinks]

    @property
    def is_serial(self) -> bool:
        """Whether one thread must do it."""
        return any(p.kind is Kind.SCATTERED for loop in self.loops for p in loop.parts)


@dataclass
class Plan:
    """stages: passes, and straight lines between them. axes: of the temporaries that are arrays or
    numbers, in the order of memory. covered: gradients that the first sink writes wholly, if the
    sizes are so: with that sink's loop.
    """

    program: NestProgram
    stages: list[Pass | Nest]
    axes: dict[str, tuple[Index, ...]]
    covered: dict[str, tuple[NestLoop, Sink]]


def plan(program: NestProgram) -> Plan:
    """The plan of a program."""
    program = _packed(program)
    stages: list[Pass | Nest] = []
    axes = dict(program.temporaries)
    for nests in program.passes:
        if not nests[0].indices:
            stages += nests
            continue
        stages.append(_pass(program, nests))
    for stage in stages:
        if isinstance(stage, Pass):
            for loop, sink in stage.sinks:
                name, own = sink.target, axes.get(sink.target, ())
                if loop.vector in own:
                    axes[name] = (*(i for i in own if i != loop.vector), loop.vector)
            stage.strip_temporaries = {name: axes[name] for name in stage.strip_temporaries}
    for stage in stages:
        for name in stage.strip_temporaries if isinstance(stage, Pass) else ():
            del axes[name]
    return Plan(program, stages, axes, _covered(program, stages))


def _packed(program: NestProgram) -> NestProgram:
    """The program with vectors of columns copied into a temporary of each strip.

    Columns begin at equal places of pages, so their rows would evict each other from the cache.
    """
    vectors = {a.name for a in program.arrays if isinstance(a, ColumnVector)}
    nests: list[Nest] = []
    temporaries = dict(program.temporaries)
    for k, run in enumerate(program.passes):
        read = dict.fromkeys(
            load for nest in run for load in nest.loads.values() if load.array in vectors
        )
        copies = {}
        for n, load in enumerate(read):
            row, column = load.subscripts
            if isinstance(column, Affine) and len(column.indices) == 1:
                axes = (ROW, column.indices[0])
                copies[load] = Load(f"packed{k}_{n}", tuple([Affine(0, ((i, 1),)) for i in axes]))
                store = Store(copies[load].array, copies[load].subscripts, "=", "cell")
                nests.append(Nest(axes, {"cell": load}, (), (store,)))
                temporaries[store.target] = axes
        for nest in run:
            loads = {name: copies.get(load, load) for name, load in nest.loads.items()}
            nests.append(replace(nest, loads=loads))
    return replace(program, nests=tuple(nests), temporaries=temporaries)


def _pass(program: NestProgram, nests: tuple[Nest, ...]) -> Pass:
    strip = nests[0].indices[0]
    elsewhere = {
        load.array for n in program.nests if n not in nests for load in n.loads.values()
    } | {o for o in program.outputs.values() if isinstance(o, str)}
    parts = [
        _part(program, nest, store, strip, elsewhere) for nest in nests for store in nest.stores
    ]
    local = {p.store.target: program.temporaries[p.store.target]
             for p in parts if p.kind is Kind.STRIP}  # fmt: skip
    reads = {id(p): {s.array for s in p.steps.values() if isinstance(s, Load)} for p in parts}
    halo = [
        shift for p in parts for i, shift in p.shifts if i == strip and reads[id(p)] & set(local)
    ]
    loops: list[NestLoop] = []
    for part in parts:
        vector = _vector_index(program, part.nest, strip)
        for loop in reversed(loops):
            if _joins(part, loop, vector, bool(halo)):
                loop.parts.append(part)
                break
            if reads[id(part)] & {p.store.target for p in loop.parts}:
                loops.append(NestLoop(part.nest.indices, vector, [part]))
                break
        else:
            loops.append(NestLoop(part.nest.indices, vector, [part]))
    for loop in loops:
        loop.arrange()
        for sink in loop.sinks:
            outside = set(loop.order[: sink.depth])
            if sink.target in program.temporaries and strip in sink.first.target_indices:
                sink.assigns = outside <= sink.first.target_indices
    return Pass(strip, loops, tuple(dict.fromkeys(halo)), local)


def _part(
    program: NestProgram, nest: Nest, store: Store, strip: Index, elsewhere: set[str]
) -> Part:
    """The part of a store, by who writes to its target."""
    own = program.temporaries.get(store.target)
    if own is not None:
        if strip not in own:
            return Part(nest, store, Kind.SUMMED)
        return Part(nest, store, Kind.OWNED if store.target in elsewhere else Kind.STRIP)
    affine = [s for s in store.subscripts if isinstance(s, Affine)]
    if not any(strip in s.indices for s in affine):
        return Part(nest, store, Kind.SUMMED)
    found = [i for s in affine for i in s.indices]
    unit = all(dict(s.terms)[i] == 1 for s in affine for i in s.indices)
    alone = all(len(s.indices) <= 1 for s in affine) and len(set(found)) == len(found)
    if not unit or not alone or len(affine) < len(store.subscripts):
        return Part(nest, store, Kind.SCATTERED)
    by_index = {s.indices[0]: s - Affine(0, ((s.indices[0], 1),)) for s in affine if s.indices}
    return Part(nest, store, Kind.OWNED, tuple((i, by_index[i]) for i in sorted(by_index, key=str)))


def _joins(part: Part, loop: NestLoop, vector: Index, halo: bool) -> bool:
    """Whether a part may stand in a loop: of its nest, or of another where each iteration stores."""
    if (part.nest.indices, vector) != (loop.indices, loop.vector):
        return False
    last = loop.parts[-1]
    if halo and (part.kind is Kind.STRIP) != (last.kind is Kind.STRIP):
        return False
    if part.nest is last.nest:
        return True
    reads = {s.array for s in part.steps.values() if isinstance(s, Load)}
    if reads & {p.store.target for p in loop.parts}:
        return False
    return len(loop.indices) == 1 or all(
        p.target_indices == set(loop.indices) for p in (part, *loop.parts)
    )


def _vector_index(program: NestProgram, nest: Nest, strip: Index) -> Index:
    """The index along which the fewest arrays are not contiguous; the strip index, if in doubt."""
    vectors = {a.name for a in program.arrays if isinstance(a, ColumnVector)}
    part = Part(nest, nest.stores[0], Kind.SCATTERED)
    parts = [Part(nest, s, part.kind) for s in nest.stores]

    def jumps(index: Index) -> int:
        count = 0
        for p in parts:
            places = [(s.array, s.subscripts) for s in p.steps.values() if isinstance(s, Load)]
            for array, subscripts in [*places, (p.store.target, p.store.subscripts)]:
                if array in vectors:
                    count += 1000 * (index in p.place_varies(subscripts[1:]))
                elif array not in program.temporaries and index in p.place_varies(subscripts):
                    count += not contiguous(p, subscripts, index)
        return count

    return min(nest.indices, key=lambda i: (jumps(i), i != strip))


def contiguous(part: Part, subscripts: tuple[Subscript, ...], index: Index) -> bool:
    """Whether the next value of an index is the next place, in the order of memory."""
    *before, last = subscripts
    if index in part.place_varies(before) or not isinstance(last, Affine):
        return False
    return dict(last.terms).get(index) == 1


def _covered(
    program: NestProgram, stages: Iterable[Pass | Nest]
) -> dict[str, tuple[NestLoop, Sink]]:
    """The gradients that are written first by one sink of owners, in their pass by no other."""
    found: dict[str, tuple[NestLoop, Sink]] = {}
    seen: set[str] = set(program.temporaries)
    for stage in stages:
        if isinstance(stage, Nest):
            seen.update(store.target for store in stage.stores)
            continue
        targets = [sink.target for _, sink in stage.sinks]
        for loop, sink in stage.sinks:
            alone = targets.count(sink.target) == 1 and sink.target not in seen
            before = set(loop.order[: sink.depth])
            if alone and sink.first.kind is Kind.OWNED and before == sink.first.target_indices:
                found[sink.target] = (loop, sink)
                sink.assigns = True
        seen.update(targets)
    return found


def _bare(subscript: Subscript) -> object:
    """A subscript without its shift."""
    return subscript.indices or subscript if isinstance(subscript, Affine) else subscript


def _read(step: Step) -> list[str]:
    if isinstance(step, Operation):
        return step.names
    return [s for s in step.subscripts if isinstance(s, str)]
