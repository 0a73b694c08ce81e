"""Emit the machine code of a plan of loop nests.

    int64 evaluate(double *x, double *w, int64 *c, double *out)
    int64 pass0(double *x, double *w, int64 *c, double *out, int64 thread), ...

x: the parameters. w: temporaries, then room for each thread and each chunk. c: the address of a
function that runs a pass in threads, the counters of the passes, and the *slots*: every size,
bound, stride and address, by `Binding`; so the code is the same for all of them. out: the outputs.

A pass goes over its strip index in chunks, which threads fetch from a counter, and in strips, whose
temporaries fit the cache. What is summed over the strip index is summed for each chunk apart and
added up in their order: the bits do not depend on the threads.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.jit import source
from symgd.backends.native.nest_loop import LoopWriter, View
from symgd.backends.native.nest_plan import Kind, NestLoop, Part, Pass, Plan, Sink
from symgd.backends.native.nest_places import COUNTERS, NestEmitter, Slots
from symgd.backends.native.vector_emit import Vectors
from symgd.backends.nests import Nest
from symgd.formula.indices import Affine

_ARGUMENTS = "ptr noalias %x, ptr noalias %w, ptr noalias %c, ptr noalias %out"


def nest_module(what: Plan, width: int, vectors: Vectors) -> tuple[str, Slots]:
    """The module, and its slots. width: doubles of a register."""
    slots = Slots(what)
    functions: dict[str, str] = {}
    declared: set[str] = set()
    texts = []
    for k, stage in enumerate(what.stages):
        if isinstance(stage, Pass):
            writer = _PassWriter(slots, k, stage, width, vectors)
            texts.append(writer.text())
            functions |= writer.e.functions
            declared |= writer.e.declared
    entry = _EntryWriter(slots, width, vectors)
    texts.append(entry.text())
    functions |= entry.e.functions
    return source([*texts, *functions.values()], declared | entry.e.declared), slots


class _PassWriter:
    """The function of a pass. number: of the stage."""

    def __init__(
        self, slots: Slots, number: int, one: Pass, width: int, vectors: Vectors
    ) -> None:
        self.e = NestEmitter(slots, width, vectors)
        self.slots, self.number, self.one, self.width = slots, number, one, width

    def text(self) -> str:
        e, k = self.e, self.number
        counter = e.at("%c", COUNTERS + k, "i64")
        chunks, size = e.slot("chunks", k), e.slot("chunk", k)
        first, last = e.slot("first", k), e.slot("last", k)
        strip = e.slot("strip", k)
        e.scratch = e.at("%w", e.integer("add", e.slot("scratch", k), e.integer(
            "mul", Value("%thread"), e.slot("scratch_size", k))))  # fmt: skip
        chunk = e.variable("i64", e.emit(f"atomicrmw add ptr {counter}, i64 1 monotonic"))
        with e.while_loop(lambda: e.icmp("slt", chunk.get(), chunks)):
            begin = e.integer("add", first, e.integer("mul", chunk.get(), size))
            end = e.least(e.integer("add", begin, size), last)
            for n, (_, sink) in enumerate(self.one.sinks):
                if sink.first.kind is Kind.SUMMED:
                    e.set_private(k, n, chunk.get())
                    e.fill(e.private[k, n], e.slot("cleared", k, n), sink.first.store.mode)
            with e.for_range(end, begin, strip) as at:
                stop = e.least(e.integer("add", at, strip), end)
                self._strip(at, stop)
            chunk.set(e.emit(f"atomicrmw add ptr {counter}, i64 1 monotonic"))
        return e.define(f"i64 @pass{k}({_ARGUMENTS}, i64 %thread) noinline")

    def _strip(self, begin: Value, end: Value) -> None:
        e, k = self.e, self.number
        e.strip_index = self.one.index
        wide_begin = e.integer("sub", begin, e.slot("halo_before", k))
        wide_end = e.integer("add", end, e.slot("halo_after", k))
        e.strip_origin = wide_begin
        for n, (loop, sink) in enumerate(self.one.sinks):
            if sink.first.kind is Kind.STRIP and not sink.assigns:
                place = e.at(e.scratch, e.slot("base", ("strip", k, sink.target), ()))
                e.fill(place, e.slot("room", ("strip", k, sink.target)), sink.first.store.mode)
        for loop in self.one.loops:
            is_wide = loop.parts[0].kind is Kind.STRIP
            ends = (wide_begin, wide_end) if is_wide else (begin, end)
            numbers = {id(sink): n for n, (_, sink) in enumerate(self.one.sinks)}
            LoopWriter(e, k, loop, self.width, numbers).write(ends)
