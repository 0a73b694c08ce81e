"""Plan the machine code of loop nests: passes, and which stores share a loop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from symgd.backends.native.nests.nest_fission import SUMS, fissioned
from symgd.backends.native.nests.nest_parts import Kind, NestLoop, NestPart, Sink, contiguous
from symgd.backends.nests import NestProgram
from symgd.backends.program import Load, Nest, Store
from symgd.formula.functions.function import DIVIDE, ELEMENTARY
from symgd.formula.indices import ROW, Affine, ColumnVector, Index


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
    def summed(self) -> list[tuple[int, Sink]]:
        """The sinks that are summed over the strip index, numbers first, with their numbers."""
        found = [(n, s) for n, (_, s) in enumerate(self.sinks) if s.first.kind is Kind.SUMMED]
        return sorted(found, key=lambda item: bool(item[1].first.place))

    @property
    def is_plain(self) -> bool:
        """Whether it has no other index, and all that is summed over it are numbers."""
        numbers = not any(sink.first.place for _, sink in self.summed)
        return numbers and not self.is_serial and all(len(loop.order) == 1 for loop in self.loops)

    @property
    def is_serial(self) -> bool:
        """Whether one thread must do it."""
        return any(p.kind is Kind.SCATTERED for loop in self.loops for p in loop.parts)


@dataclass
class Plan:
    """What machine code does.

    stages: passes, and straight lines between them. axes: of the temporaries that outlive a strip,
    in the order of memory. covered: the gradients that one sink writes wholly before all others, if
    the sizes are so; with that sink's loop.
    """

    program: NestProgram
    stages: list[Pass | Nest]
    axes: dict[str, tuple[Index, ...]]
    covered: dict[str, tuple[NestLoop, Sink]]


def plan(program: NestProgram) -> Plan:
    """The plan of a program."""
    program = fissioned(_kept(_packed(program)))
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
            _, column = load.subscripts
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


def _kept(program: NestProgram) -> NestProgram:
    """The program with costly gradients that go to several shifts kept in temporaries of a strip.

    By owners they would be computed once for each shift.
    """
    nests: list[Nest] = []
    temporaries = dict(program.temporaries)
    for n, nest in enumerate(program.nests):
        gradients = [s for s in nest.stores if s.target not in temporaries]
        shifts = {s.subscripts for s in gradients if _is_whole(nest, s)}
        if not nest.indices or len(shifts) < 2 or not any(o.cost >= DIVIDE for o in nest.body):
            nests.append(nest)
            continue
        axes = tuple([Affine(0, ((i, 1),)) for i in nest.indices])
        stays = [s for s in nest.stores if nest.indices[0] in temporaries.get(s.target, ())]
        moved = tuple(s for s in nest.stores if s not in stays)
        values = dict.fromkeys(s.value for s in moved if isinstance(s.value, str))
        loads = {value: Load(f"kept{n}_{k}", axes) for k, value in enumerate(values)}
        stays += [Store(load.array, axes, "=", value) for value, load in loads.items()]
        nests.append(replace(nest, stores=tuple(stays)))
        nests.append(Nest(nest.indices, loads, (), moved))
        temporaries.update({load.array: nest.indices for load in loads.values()})
    return replace(program, nests=tuple(nests), temporaries=temporaries)


def _is_whole(nest: Nest, store: Store) -> bool:
    """Whether each iteration of a nest stores into an element of its own."""
    found = [s.indices for s in store.subscripts if isinstance(s, Affine)]
    return len(found) == len(store.subscripts) and {i for own in found for i in own} == set(
        nest.indices
    )


def _pass(program: NestProgram, nests: tuple[Nest, ...]) -> Pass:
    strip = nests[0].indices[0]
    elsewhere = {
        load.array for n in program.nests if n not in nests for load in n.loads.values()
    } | {o for o in program.outputs.values() if isinstance(o, str)}
    bases = _bases(store for nest in nests for store in nest.stores)
    parts = [
        _part(program, nest, store, strip, elsewhere, bases)
        for nest in nests
        for store in nest.stores
    ]
    parts = _one_owner(parts, strip)
    local = {p.store.target: program.temporaries[p.store.target]
             for p in parts if p.kind is Kind.STRIP}  # fmt: skip
    reads = {id(p): {s.array for s in p.steps.values() if isinstance(s, Load)} for p in parts}
    halo = [
        shift for p in parts for i, shift in p.shifts if i == strip and reads[id(p)] & set(local)
    ]
    loops: list[NestLoop] = []
    for part in parts:
        vector = _vector_index(program, part, strip)
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
    program: NestProgram,
    nest: Nest,
    store: Store,
    strip: Index,
    elsewhere: set[str],
    bases: Mapping[tuple[str, object], int],
) -> NestPart:
    """The part of a store, by who writes to its target. bases: as in `_bases`."""
    own = program.temporaries.get(store.target)
    if own is not None:
        if strip not in own:
            return NestPart(nest, store, Kind.SUMMED)
        return NestPart(nest, store, Kind.OWNED if store.target in elsewhere else Kind.STRIP)
    own_strip = [s for s in store.subscripts if isinstance(s, Affine) and strip in s.indices]
    if not own_strip:
        return NestPart(nest, store, Kind.SUMMED)
    if len(own_strip) > 1 or len(own_strip[0].indices) > 1:
        return NestPart(nest, store, Kind.SCATTERED)
    part = NestPart(nest, store, Kind.OWNED)
    if not part.is_injective:
        alone = own_strip
    else:
        alone = [s for s in store.subscripts if isinstance(s, Affine) and s.indices]
    shifts = {s.indices[0]: _shift(s, bases[store.target, s.terms]) for s in alone}
    return replace(part, shifts=tuple((i, shifts[i]) for i in sorted(shifts, key=str)))


def _shift(subscript: Affine, base: int) -> Affine:
    """By how much the element of a subscript of one index is before or behind the index."""
    (index,) = subscript.indices
    factor = dict(subscript.terms)[index]
    if factor == 1:
        return subscript - Affine(0, ((index, 1),))
    return Affine((subscript.constant - base) // factor)


def _bases(stores: Iterable[Store]) -> dict[tuple[str, object], int]:
    """The least constant of the subscripts of each target that differ in a constant only."""
    found: dict[tuple[str, object], int] = {}
    for store in stores:
        for s in store.subscripts:
            if isinstance(s, Affine):
                key = (store.target, s.terms)
                found[key] = min(found.get(key, s.constant), s.constant)
    return found


def _one_owner(parts: Sequence[NestPart], strip: Index) -> list[NestPart]:
    """The parts, scattered where two of a target would count its elements in different ways.

    g[i,j] and g[j,i], or g[i] and g[2*i], have different owners of one element.
    """
    ways: dict[str, object] = {}
    found = []
    for part in parts:
        if part.kind is Kind.OWNED:
            way = [
                (axis, [t for t in s.terms if t[0] == strip or s.indices == (strip,)])
                for axis, s in enumerate(part.place)
                if isinstance(s, Affine) and strip in s.indices
            ]
            if ways.setdefault(part.store.target, way) != way:
                part = replace(part, kind=Kind.SCATTERED, shifts=())
        found.append(part)
    return found


def _joins(part: NestPart, loop: NestLoop, vector: Index, halo: bool) -> bool:
    """Whether a part may stand in a loop: of its nest, or of one whose iterations store all."""
    if (part.nest.indices, vector) != (loop.indices, loop.vector):
        return False
    last = loop.parts[-1]
    if halo and (part.kind is Kind.STRIP) != (last.kind is Kind.STRIP):
        return False
    if len(loop.indices) == 1 and sum(p.kind is Kind.SUMMED for p in loop.parts) >= SUMS:
        return False
    reads = {s.array for s in part.steps.values() if isinstance(s, Load)}
    if reads & {p.store.target for p in loop.parts}:
        return False
    if part.nest is last.nest:
        return True
    return len(loop.indices) == 1 or all(
        p.target_indices == set(loop.indices) for p in (part, *loop.parts)
    )


def _vector_index(program: NestProgram, part: NestPart, strip: Index) -> Index:
    """The index along which the fewest arrays are not contiguous; the strip index, if in doubt.

    Of all stores of a nest with costly functions, which are not to be computed twice.
    """
    vectors = {a.name for a in program.arrays if isinstance(a, ColumnVector)}
    nest = part.nest
    is_heavy = any(o.cost >= ELEMENTARY for o in nest.body)
    stores = nest.stores if is_heavy else (part.store,)
    parts = [NestPart(nest, store, part.kind) for store in stores]

    def jumps(index: Index) -> int:
        count = 0
        for p in parts:
            for array, subscripts in p.places:
                if array in vectors:
                    count += 1000 * (index in p.place_varies(subscripts[1:]))
                elif array not in program.temporaries and index in p.place_varies(subscripts):
                    count += not contiguous(p, subscripts, index)
        return count

    return min(nest.indices, key=lambda i: (jumps(i), i != strip))


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
            first = sink.first
            whole = first.is_injective and before == first.target_indices
            if alone and first.kind is Kind.OWNED and whole:
                found[sink.target] = (loop, sink)
                sink.assigns = True
        seen.update(targets)
    return found
