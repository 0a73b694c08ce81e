"""Emit the machine code of a plan of loop nests.

    int64 evaluate(double *x, double *w, int64 *c, double *out)
    int64 pass0(double *x, double *w, int64 *c, double *out, int64 thread), ...
    int64 run_stage(double *x, double *w, int64 *c, double *out, int64 stage, int64 thread)

x: the parameters. w: temporaries, then room for each thread and each chunk. c: what the team of
threads shares (`symgd.backends.native.nests.nest_team`), the counters of the passes, and the
*slots*: every size, bound, stride and address, by `Binding`; so the code is the same for all of
them. out: the outputs.

A pass goes over its strip index in chunks, which threads fetch from a counter, and in strips, whose
temporaries fit the cache. What is summed over the strip index is summed for each chunk apart and
added up in their order: the bits do not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.ir import Value
from symgd.backends.native.jit import source
from symgd.backends.native.nests.nest_loop import LoopWriter
from symgd.backends.native.nests.nest_parts import Kind, NestPart, Sink
from symgd.backends.native.nests.nest_places import NOTHING, Home, NestEmitter, Slots
from symgd.backends.native.nests.nest_plan import Pass
from symgd.backends.native.nests.nest_team import COUNTERS, TEAM
from symgd.backends.native.vectors.vector_emit import Vectors
from symgd.backends.program import Load, Nest, Subscript
from symgd.formula.indices import Affine, Array, Index

_ARGUMENTS = "ptr noalias %x, ptr noalias %w, ptr %c, ptr noalias %out"
_PASSED = "ptr %x, ptr %w, ptr %c, ptr %out"


def nest_module(slots: Slots, width: int, vectors: Vectors) -> str:
    """The module. width: doubles of a register."""
    what = slots.plan
    writers: list[_Writer] = [
        _PassWriter(NestEmitter(slots, width, vectors), k, stage)
        for k, stage in enumerate(what.stages)
        if isinstance(stage, Pass)
    ]
    writers.append(_EntryWriter(NestEmitter(slots, width, vectors), len(what.stages)))
    texts = [writer.text() for writer in writers]
    functions = {name: text for w in writers for name, text in w.e.functions.items()}
    declared = {line for w in writers for line in w.e.declared}
    return source([*texts, *functions.values(), _run_stage(slots)], declared)


def _run_stage(slots: Slots) -> str:
    """The function that calls a pass by its number."""
    passes = [k for k, stage in enumerate(slots.plan.stages) if isinstance(stage, Pass)]
    cases = " ".join(f"i64 {k}, label %stage{k}" for k in passes)
    head = f"define i64 @run_stage({_ARGUMENTS}, i64 %stage, i64 %thread) {{"
    calls = [f"stage{k}:\n  call i64 @pass{k}({_PASSED}, i64 %thread)\n  ret i64 0" for k in passes]
    switch = f"  switch i64 %stage, label %other [ {cases} ]"
    return "\n".join([head, switch, *calls, "other:\n  ret i64 0\n}"])


class _Writer:
    """Writes a function. number: of the stage."""

    def __init__(self, e: NestEmitter, number: int) -> None:
        self.e, self.number = e, number
        self.plan = e.slots.plan
        self.rest: Value | None = None  # the lanes before the end

    def text(self) -> str:
        """The function."""
        raise NotImplementedError

    def scalars(self) -> dict[str, Value]:
        """The numbers that are not of an array, by name."""
        e, program = self.e, self.plan.program
        found = {}
        for name in program.scalars:
            offset = e.slot("offset", name.name)
            place = e.at_entry(f"getelementptr double, ptr %x, i64 {offset.text}")
            found[name.name] = e.at_entry(f"load double, ptr {place.text}")
        for name in program.numbers:
            found[name.name] = e.at_entry(f"sitofp i64 {e.slot('size', name).text} to double")
        return found


class _PassWriter(_Writer):
    """The function of a pass: a thread's share of its chunks."""

    def __init__(self, e: NestEmitter, number: int, one: Pass) -> None:
        super().__init__(e, number)
        self.one = one
        self.private: dict[int, Home] = {id(s): ("private", number, n) for n, s in one.summed}

    def text(self) -> str:
        e, k = self.e, self.number
        counter = e.at("%c", COUNTERS + k, "i64")
        chunks, size = e.slot("chunks", k), e.slot("chunk", k)
        first, beyond = e.slot("first", k), e.slot("beyond_all", k)
        room = e.integer("mul", Value("%thread"), e.slot("scratch_room", k))
        e.scratch = e.at("%w", e.integer("add", e.slot("scratch", k), room))
        take = f"atomicrmw add ptr {counter}, i64 1 monotonic"
        chunk = e.variable("i64", e.emit(take))
        shared = self.scalars()
        with e.while_loop(lambda: e.icmp("slt", chunk.get(), chunks)):
            begin = e.integer("add", first, e.integer("mul", chunk.get(), size))
            end = e.least(e.integer("add", begin, size), beyond)
            self._clear_sums(chunk.get())
            with e.for_range(end, begin, e.slot("strip", k)) as at:
                self._strip(at, e.least(e.integer("add", at, e.slot("strip", k)), end), shared)
            chunk.set(e.emit(take))
        return e.define(f"i64 @pass{k}({_ARGUMENTS}, i64 %thread) noinline alignstack(64)")

    def _clear_sums(self, chunk: Value) -> None:
        """The sums of a chunk: in w, or the targets themselves where there is one chunk."""
        e = self.e
        base = e.chunk_sums(self.number, chunk)
        for k, (n, sink) in enumerate(self.one.summed):
            home, mode = ("private", self.number, n), sink.first.store.mode
            e.private[home] = pointer = e.at(base, e.private_place(home, k))
            if not sink.first.place:
                e.store(e.number(NOTHING[mode]), pointer, 0)
                continue
            if e.slots.stored(sink.target)[0] == "out":
                own = e.icmp("ne", e.slot("direct", home), 0)
                target = e.at("%out", e.slot("direct_place", home))
                e.private[home] = pointer = e.select(own, Value(target), Value(pointer), "ptr").text
            e.fill(pointer, e.slot("private_room", home), mode)

    def _strip(self, begin: Value, end: Value, shared: dict[str, Value]) -> None:
        e, k = self.e, self.number
        lanes = e.lanes
        e.strip_index = self.one.index
        wide = (
            e.integer("sub", begin, e.slot("halo_before", k)),
            e.integer("add", end, e.slot("halo_after", k)),
        )
        e.strip_origin = wide[0]
        for _, sink in self.one.sinks:
            if sink.first.kind is Kind.STRIP and not sink.assigns:
                e.clear(("strip", k, sink.target), sink.first.store.mode)
        for loop in self.one.loops:
            ends = wide if loop.parts[0].kind is Kind.STRIP else (begin, end)
            e.set_lanes(lanes * loop.registers)
            LoopWriter(e, k, loop, self.private, shared, ends).write()
            e.set_lanes(lanes)


class _EntryWriter(_Writer):
    """The function `evaluate`: all stages in order."""

    def text(self) -> str:
        e = self.e
        self.shared = self.scalars()
        for array in self.plan.program.arrays:
            if not isinstance(array, Array):
                continue
            target = f"g_{array.name}"
            e.fill(
                e.at("%out", e.slot("start", ("out", target), ())), e.slot("cleared", target), "+="
            )
        for k, stage in enumerate(self.plan.stages):
            if isinstance(stage, Pass):
                self._run(k, stage)
            else:
                self._line(k, stage)
        for name, value in self.plan.program.outputs.items():
            found = self._number(value) if isinstance(value, str) else e.number(value)
            e.store(found, "%out", e.slot("output", name))
        return e.define(f"i64 @evaluate({_ARGUMENTS})")

    def _number(self, name: str) -> Value:
        """A number of the program, or a temporary that is one."""
        if name in self.shared:
            return self.shared[name]
        return self.e.load("%w", self.e.start(("full", name)))

    def _line(self, k: int, nest: Nest) -> None:
        """A straight line."""
        e, known = self.e, dict(self.shared)
        for store in nest.stores:
            part = NestPart(nest, store, Kind.OWNED)
            for name, step in part.steps.items():
                if name not in known and isinstance(step, Load):
                    home = e.slots.loaded(step.array, k)
                    known[name] = e.read(e.place(home, step.subscripts, {}, known, None), None)
                elif name not in known and not isinstance(step, Load):
                    known[name] = e.apply(step.name, [e.operand(a, known) for a in step.arguments])
            place = e.place(e.slots.stored(store.target), store.subscripts, {}, known, None)
            value = e.operand(store.value, known)
            if store.target not in self.plan.axes:
                value = e.combine(store.mode, e.read(place, None), value)
            e.write(value, place, None)

    def _run(self, k: int, one: Pass) -> None:
        """A pass, in one thread or several, and the sums of its chunks added up."""
        e = self.e
        for _, sink in one.sinks:
            if sink.target in self.plan.axes and not sink.assigns:
                e.clear(("full", sink.target), sink.first.store.mode)
        e.store(Value("0"), "%c", COUNTERS + k, "i64")
        with e.if_else(e.icmp("sgt", e.slot("threads", k), 1)) as otherwise:
            team, threads = e.load("%c", TEAM, "ptr").text, e.slot("threads", k).text
            e.add_line(f"call i64 {team}({_PASSED}, i64 {k}, i64 {threads})")
            otherwise()
            e.add_line(f"call i64 @pass{k}({_PASSED}, i64 0)")
        with e.for_range(e.slot("chunks", k)) as chunk:
            base = e.chunk_sums(k, chunk)
            for number, (n, sink) in enumerate(one.summed):
                self._join(("private", k, n), sink, base, number)

    def _join(self, home: Home, sink: Sink, base: str, number: int) -> None:
        """Add the sums of a chunk to the target."""
        e = self.e
        e.private[home] = e.at(base, e.private_place(home, number))
        subscripts = [_by_axis(k, s) for k, s in enumerate(sink.first.place)]
        axes = [a if isinstance(a, Index) else _axis(a) for a in e.slots.axes(home) or ()]
        if not axes or sink.target in self.plan.axes:
            self._add_up(home, sink, subscripts, axes, {})
            return
        with e.if_then(e.icmp("eq", e.slot("direct", home), 0)):
            self._add_up(home, sink, subscripts, axes, {})

    def _add_up(
        self,
        home: Home,
        sink: Sink,
        subscripts: Sequence[Affine],
        axes: Sequence[Index],
        values: dict[Index, Value],
    ) -> None:
        """The loops over the remaining axes of a chunk's sum; lanes along the last, if they fit."""
        e = self.e
        if not axes:
            vector = next(reversed(values), None)
            mask = self.rest if vector is not None and _fits(subscripts, vector) else None
            vector = vector if mask else None
            own, target = (
                e.place(h, subscripts, values, {}, vector)
                for h in (home, e.slots.stored(sink.target))
            )
            total = e.combine(sink.first.store.mode, e.read(target, mask), e.read(own, mask))
            e.write(total, target, mask)
            return
        axis, *rest = axes
        is_wide = not rest and _fits(subscripts, axis)
        if axis.name.startswith(_READ):
            beyond = e.integer("add", e.slot("extent", sink.target, int(axis.text)), 1)
        else:
            beyond = e.integer("add", e.affine(axis.high), 1)
        with e.for_range(beyond, e.affine(axis.low), e.lanes if is_wide else 1) as at:
            if is_wide:
                self.rest = e.icmp("slt", e.lane_numbers, e.integer("sub", beyond, at))
            self._add_up(home, sink, subscripts, rest, {**values, axis: at})


_READ = "read"  # names of the axes whose subscripts are read from data


def _axis(place: int) -> Index:
    """An index for an axis whose subscript is read from data."""
    return Index(f"{_READ}{place}", str(place), Affine(1), Affine())


def _by_axis(place: int, subscript: Subscript) -> Affine:
    return subscript if isinstance(subscript, Affine) else Affine(0, ((_axis(place), 1),))


def _fits(subscripts: Sequence[Affine], axis: Index) -> bool:
    """Whether an axis moves through neighbors in memory."""
    *before, last = subscripts
    return dict(last.terms).get(axis) == 1 and not any(axis in s.indices for s in before)
