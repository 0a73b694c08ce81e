"""Emit a loop over rows: sums or maxima of terms, computed in SIMD vectors of rows.

    int64 rows(int64 *k, void **columns, double *u, double *out)

k[ROWS]: how many rows. columns: where each column begins, contiguous float64 or float32. u: the
numbers that the terms read. out: (blocks, sums), the sums of each block of BLOCK rows, of which
the last may have fewer. Threads may run it concurrently with the same arguments: each fetches the
next k[SHARE] blocks from the counter k[NEXT], until none is left and it returns 0, or until it has
processed k[TURN] or a few more and returns 1, to be called again. The sums of the blocks do not
depend on the thread.

Within a block the sums of STRIP rows are added to one another, lane by lane, and the lanes at the
end, so that the chain of roundings is short. Remaining rows are copied into a vector whose other
lanes repeat the first of them and are not added: no row beyond the last is read, and every row is
processed by the same instructions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgd.backends.native.jit import source
from symgd.backends.native.row_body import Body
from symgd.backends.native.translate import Value
from symgd.backends.native.vector_emit import VectorEmitter, Vectors, order
from symgd.backends.program import Loop

ROWS, TURN, NEXT, SHARE = range(4)  # k
BLOCK = 8192  # rows whose sums are stored
STRIP = 1024  # rows that are added one after the other
ARGUMENTS = 4


@dataclass(frozen=True)
class RowLoop:
    """What the code is made for.

    inputs: the names whose values are in u. narrow: which of the columns are float32. lanes:
    rows in a vector. vectors: the functions of vectors.
    """

    loop: Loop
    inputs: tuple[str, ...]
    narrow: tuple[bool, ...]
    lanes: int
    vectors: Vectors


def row_module(what: RowLoop) -> str:
    """The module with the function `rows`."""
    writer = _Writer(what)
    text = writer.text()
    return source([text, *writer.e.functions.values()], writer.e.declared)


class _Writer:
    def __init__(self, what: RowLoop) -> None:
        self.what = what
        self.e = VectorEmitter(what.lanes, what.vectors)
        self.wide = self.e.type(True)
        self.sums = len(what.loop.sums)
        self._nothing = self.e.number(-math.inf if what.loop.peaks else 0.0)
        self.body = Body(self.e, what.loop, what.narrow)

    def text(self) -> str:
        """The function."""
        e = self.e
        e.label("entry")
        rows, turn, share = (self._load("%k", place, "i64") for place in (ROWS, TURN, SHARE))
        following = e.emit(f"getelementptr i64, ptr %k, i64 {NEXT}")
        known = self._inputs()
        bases = [self._load("%columns", c, "ptr") for c in range(len(self.what.narrow))]
        self._room()
        e.add_line("br label %blocks")
        e.label("blocks")
        done = e.emit("load i64, ptr %done")
        left = e.emit(f"icmp slt i64 {done.text}, {turn.text}")
        e.add_line(f"br i1 {left.text}, label %take, label %pause")
        e.label("take")
        first = e.emit(f"atomicrmw add ptr {following.text}, i64 {share.text} monotonic")
        last = e.emit(f"add i64 {first.text}, {share.text}")
        e.add_line(f"store i64 {first.text}, ptr %block")
        e.add_line("br label %each")
        e.label("each")
        block = e.emit("load i64, ptr %block")
        at = e.emit(f"mul i64 {block.text}, {BLOCK}")
        more = e.emit(f"icmp ult i64 {at.text}, {rows.text}")
        e.add_line(f"br i1 {more.text}, label %begin, label %end")
        e.label("begin")
        for counter in ("%done", "%block"):
            before = e.emit(f"load i64, ptr {counter}")
            e.add_line(f"store i64 {e.emit(f'add i64 {before.text}, 1').text}, ptr {counter}")
        e.add_line(f"store i64 {at.text}, ptr %at")
        stop = e.least(e.emit(f"add nsw i64 {at.text}, {BLOCK}"), rows)
        self._zero("sum")
        e.add_line("br label %strip")
        e.label("strip")
        self._strip(bases, stop, known)
        e.label("store")
        self._store(block)
        others = e.emit("load i64, ptr %block")
        more = e.emit(f"icmp slt i64 {others.text}, {last.text}")
        e.add_line(f"br i1 {more.text}, label %each, label %blocks")
        e.label("pause")
        e.add_line("ret i64 1")
        e.label("end")
        head = "define i64 @rows(ptr %k, ptr %columns, ptr %u, ptr %out) {"
        return "\n".join([head, *e.lines, "  ret i64 0", "}"])

    def _inputs(self) -> dict[str, Value]:
        loaded = ((n, self._load("%u", k, "double")) for k, n in enumerate(self.what.inputs))
        return {name: self.body.known(name, value) for name, value in loaded}

    def _load(self, array: str, index: int, kind: str) -> Value:
        at = self.e.emit(f"getelementptr {kind}, ptr {array}, i64 {index}")
        return self.e.emit(f"load {kind}, ptr {at.text}")

    def _room(self) -> None:
        """Counters, sums of a strip and of a block, pointers to its columns, the last vector."""
        e = self.e
        e.add_line("%at = alloca i64")
        e.add_line("%block = alloca i64")
        e.add_line("%done = alloca i64")
        e.add_line("store i64 0, ptr %done")
        self.body.room()
        for s in range(self.sums):
            e.add_line(f"%acc{s} = alloca {self.wide}")
            e.add_line(f"%sum{s} = alloca {self.wide}")
        for c, narrow in enumerate(self.what.narrow):
            e.add_line(f"%from{c} = alloca ptr")
            e.add_line(f"%last{c} = alloca {self._kind(narrow)}, align 64")

    def _kind(self, narrow: bool) -> str:
        return self.e.type(True, "float" if narrow else "double")

    def _zero(self, array: str) -> None:
        nothing = self.e.spread(self._nothing).text
        for s in range(self.sums):
            self.e.add_line(f"store {self.wide} {nothing}, ptr %{array}{s}")

    # -- a strip: some whole vectors, or one that is not full -------------------------------

    def _strip(self, bases: Sequence[Value], stop: Value, known: Mapping[str, Value]) -> None:
        e, lanes = self.e, self.what.lanes
        at = e.emit("load i64, ptr %at")
        left = e.emit(f"sub nsw i64 {stop.text}, {at.text}")
        full = e.emit(f"icmp sge i64 {left.text}, {lanes}")
        self._zero("acc")
        e.add_line("store i64 0, ptr %v")
        starts = [self._row(base, c, at) for c, base in enumerate(bases)]
        e.add_line(f"br i1 {full.text}, label %whole, label %part")
        e.label("whole")
        for c, start in enumerate(starts):
            e.add_line(f"store ptr {start.text}, ptr %from{c}")
        taken = e.least(left, Value(str(STRIP)))
        vectors = e.emit(f"sdiv i64 {taken.text}, {lanes}")
        rows = e.emit(f"mul nsw i64 {vectors.text}, {lanes}")
        e.add_line("br label %rows")
        e.label("part")
        for c, start in enumerate(starts):
            self._copy_last(c, start, left)
        e.add_line("br label %rows")
        e.label("rows")
        count = e.emit(f"phi i64 [ {vectors.text}, %whole ], [ 1, %part ]")
        done = e.emit(f"phi i64 [ {rows.text}, %whole ], [ {left.text}, %part ]")
        self.body.write(count, known)
        self._add(done)
        after = e.emit(f"add nsw i64 {at.text}, {done.text}")
        e.add_line(f"store i64 {after.text}, ptr %at")
        more = e.emit(f"icmp slt i64 {after.text}, {stop.text}")
        e.add_line(f"br i1 {more.text}, label %strip, label %store")

    def _row(self, base: Value, c: int, index: Value) -> Value:
        element = "float" if self.what.narrow[c] else "double"
        return self.e.emit(f"getelementptr {element}, ptr {base.text}, i64 {index.text}")

    def _copy_last(self, c: int, start: Value, left: Value) -> None:
        """Fill the last vector with the rows that are left, and with the first of them."""
        e, narrow = self.e, self.what.narrow[c]
        element = "float" if narrow else "double"
        first = e.emit(f"load {element}, ptr {start.text}, align {4 if narrow else 8}")
        e.add_line(f"store {self._kind(narrow)} {e.spread(first, element).text}, ptr %last{c}")
        size = e.emit(f"mul nsw i64 {left.text}, {4 if narrow else 8}")
        e.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        operands = f"ptr %last{c}, ptr {start.text}, i64 {size.text}, i1 false"
        e.add_line(f"call void @llvm.memcpy.p0.p0.i64({operands})")
        e.add_line(f"store ptr %last{c}, ptr %from{c}")

    # -- sums -------------------------------------------------------------------------------

    def _add(self, done: Value) -> None:
        """Add the sums of a strip to those of the block, in the lanes that had a row."""
        e, lanes = self.e, self.what.lanes
        kind = e.type(True, "i64")
        numbers = f"<{', '.join(f'i64 {k}' for k in range(lanes))}>"
        rows = e.spread(done, "i64")
        valid = e.emit(f"icmp slt {kind} {numbers}, {rows.text}", True)
        for s in range(self.sums):
            strip = e.emit(f"load {self.wide}, ptr %acc{s}", True)
            total = e.emit(f"load {self.wide}, ptr %sum{s}", True)
            after = e.kept(total, e.select(valid, strip, self._nothing), self.what.loop.peaks)
            e.add_line(f"store {self.wide} {after.text}, ptr %sum{s}")

    def _store(self, block: Value) -> None:
        """The lanes of each sum added up, halves to halves."""
        e = self.e
        first = e.emit(f"mul i64 {block.text}, {self.sums}")
        to = e.emit(f"getelementptr double, ptr %out, i64 {first.text}")
        for s in range(self.sums):
            total, width = e.emit(f"load {self.wide}, ptr %sum{s}", True), self.what.lanes
            while width > 1:
                kind, width = f"<{width} x double>", width // 2
                low, high = (
                    e.emit(
                        f"shufflevector {kind} {total.text}, {kind} poison, "
                        f"{order(range(first, first + width))}"
                    )
                    for first in (0, width)
                )
                total = e.kept(low, high, self.what.loop.peaks, width)
            number = e.emit(f"extractelement <1 x double> {total.text}, i32 0")
            at = e.emit(f"getelementptr double, ptr {to.text}, i64 {s}")
            e.add_line(f"store double {number.text}, ptr {at.text}")
