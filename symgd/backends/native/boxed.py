"""The IR of blocks of steps whose losses are known to be finite, and so need not be computed.

`finite_box` has proved that from |theta|, |state| <= u[RADIUS] the next AHEAD steps are finite,
the loss at the beginning of each included. So it is enough to ask every AHEAD steps whether the
lanes are still inside. At the end of the block it is asked once more: then the loss is finite
there as well, and the theta before it need not be kept.
"""

from __future__ import annotations

from symgd.backends.native.lane_groups import Packed
from symgd.backends.native.sweep_lanes import AHEAD
from symgd.backends.native.translate import Value
from symgd.formula.nodes import Node

_SHORT, _LONG = 6, 48  # chunks of AHEAD steps in a block: the first, and one after many good ones
_PAUSE = 8  # blocks that watch the loss after one that has left the box

BOXED_COUNTERS = ("bare", "ahead", "length", "pause")


class Boxed(Packed):
    """Blocks without the loss. length: chunks of the next one. pause: how long there is none."""

    def reserve(self) -> None:
        """Room for the largest |theta|, |state|, too, and for the values that lanes own."""
        super().reserve()
        e = self.e
        wide = e.type(True)
        e.add_line(f"%top = alloca {wide}")
        for m in self.members:
            for k in range(sum(self.what.own)):
                e.add_line(f"%own.{m}.{k} = alloca {wide}, align {8 * self.what.lanes}")

    def begin_boxed(self) -> None:
        """What is to be known before the first block of a pack."""
        e = self.e
        e.add_line("store i64 0, ptr %pause")
        e.add_line(f"store i64 {_SHORT}, ptr %length")
        for m in self.members:
            for k, value in enumerate(self.own_values(self.group(m)).values()):
                e.add_line(f"store {e.type(True)} {value.text}, ptr %own.{m}.{k}")

    def boxed_block(self, t: Value, end: Value) -> None:
        """A block inside the box and then on to `next`, or back to its beginning, or to `watch`."""
        e, wide = self.e, self.e.type(True)
        chunks = self._choose(t, end)
        e.label("boxed")
        self.take()
        e.add_line(f"store {wide} {e.spread(e.number(0.0)).text}, ptr %top")
        chunk = self.open("bare", "0", chunks)
        self._measure()
        done = e.emit(f"mul nsw i64 {chunk.text}, {AHEAD}")
        first = e.emit(f"add nsw i64 {t.text}, {done.text}")
        ahead = self.open("ahead", "0", Value(str(AHEAD)))
        self._step(e.emit(f"add nsw i64 {first.text}, {ahead.text}"))
        self.close("ahead")
        self.close("bare")
        self._measure()
        top = e.emit(f"load {wide}, ptr %top", True)
        outside = self.any(e.compare("ugt", top, self.radius))
        e.add_line(f"br i1 {outside.text}, label %outside, label %inside")
        e.label("outside")
        e.add_line(f"store i64 {_SHORT}, ptr %length")
        e.add_line(f"store i64 {_PAUSE}, ptr %pause")
        e.add_line("br label %watch")
        e.label("inside")
        self.accept(("x", "s"))
        twice = e.emit(f"shl i64 {chunks.text}, 1")
        few = e.emit(f"icmp slt i64 {twice.text}, {_LONG}")
        following = e.emit(f"select i1 {few.text}, i64 {twice.text}, i64 {_LONG}")
        e.add_line(f"store i64 {following.text}, ptr %length")
        steps = e.emit(f"mul nsw i64 {chunks.text}, {AHEAD}")
        until = e.emit(f"add nsw i64 {t.text}, {steps.text}")
        e.add_line(f"store i64 {until.text}, ptr %t")
        e.add_line("br label %ask")

    def _choose(self, t: Value, end: Value) -> Value:
        """How many chunks the next block has; where there may be none, on to `watch`."""
        e = self.e
        pause = e.emit("load i64, ptr %pause")
        less = e.emit(f"sub nsw i64 {pause.text}, 1")
        over = e.emit(f"icmp sle i64 {pause.text}, 0")
        e.add_line(f"store i64 {less.text}, ptr %pause")
        length = e.emit("load i64, ptr %length")
        left = e.emit(f"sub nsw i64 {end.text}, {t.text}")
        whole = e.emit(f"sdiv i64 {left.text}, {AHEAD}")
        fewer = e.emit(f"icmp slt i64 {whole.text}, {length.text}")
        chunks = e.emit(f"select i1 {fewer.text}, i64 {whole.text}, i64 {length.text}")
        some = e.emit(f"icmp sgt i64 {chunks.text}, 0")
        proved = e.compare("ogt", self.radius, e.number(0.0))
        go = e.logic("and", e.logic("and", some, over), proved)
        e.add_line(f"br i1 {go.text}, label %boxed, label %watch")
        return chunks

    def _measure(self) -> None:
        """The largest |theta|, |state| of the lanes that have not stopped, into `top`."""
        e = self.e
        wide, bits = e.type(True), e.type(True, "i64")
        sign = e.spread(Value(str(0x7FFF_FFFF_FFFF_FFFF)), "i64")
        top = e.emit(f"load {wide}, ptr %top", True)
        for m in self.members:
            mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
            size = e.emit(f"and {bits} {mask.text}, {sign.text}", True)
            for value in (*self.local("x", m), *self.local("s", m)):
                plain = e.emit(f"bitcast {wide} {value.text} to {bits}", True)
                kept = e.emit(f"and {bits} {plain.text}, {size.text}", True)
                here = e.emit(f"bitcast {bits} {kept.text} to {wide}", True)
                top = e.select(e.compare("ogt", here, top), here, top)  # a NaN leaves top as it is
        e.add_line(f"store {wide} {top.text}, ptr %top")

    def _step(self, t: Value) -> None:
        """One step of every member without its loss, one member after the other.

        Left alone, LLVM's scheduler mixes the members until registers run out, and then the
        numbers that the next step waits for go through memory. It moves nothing across a label.
        What lanes own is read where it is used, for the same reason: theta needs the registers.
        """
        e = self.e
        number = self.step_number(t)
        e.declared.add("declare void @llvm.codeview.annotation(metadata)")
        for m in self.members:
            new = self.one_step(
                self.local("x", m), self.local("s", m), self._own(m), number, bare=True
            ).new
            e.add_line('call void @llvm.codeview.annotation(metadata !{!"step"})')
            self.keep("x", m, new.x)
            self.keep("s", m, new.s)

    def _own(self, m: int) -> dict[Node, Value]:
        e, kind = self.e, self.e.type(True)
        names = [n for n, own in zip(self.tail, self.what.own, strict=True) if own]
        return {
            n: e.emit(f"load volatile {kind}, ptr %own.{m}.{k}", True) for k, n in enumerate(names)
        }
