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
from collections.abc import Sequence
from dataclasses import dataclass

from symgd.backends.native.ir import Value, Variable
from symgd.backends.native.jit import source
from symgd.backends.native.row_body import RowBody
from symgd.backends.native.vectors.vector_emit import VectorEmitter, Vectors
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
    writer = _RowFunction(what)
    text = writer.text()
    return source([text, *writer.e.functions.values()], writer.e.declared)


class _RowFunction:
    """sums: of a block. last: for each column, room for a vector that is not full."""

    def __init__(self, what: RowLoop) -> None:
        self.what, self.peaks = what, what.loop.peaks
        self.e = e = VectorEmitter(what.lanes, what.vectors)
        self.nothing = e.number(-math.inf if self.peaks else 0.0)
        self.sums = [e.variable(wide=True) for _ in what.loop.sums]
        self.elements = ["float" if narrow else "double" for narrow in what.narrow]
        self.last = [e.allocate(e.type(True, element)) for element in self.elements]
        self.body = RowBody(e, what.loop, self.elements, STRIP // what.lanes)

    def text(self) -> str:
        """The function."""
        e = self.e
        rows, turn, share = (e.load("%k", place, "i64") for place in (ROWS, TURN, SHARE))
        for k, name in enumerate(self.what.inputs):
            self.body.set_input(name, e.load("%u", k))
        starts = [e.load("%columns", c, "ptr").text for c in range(len(self.elements))]
        counter, done = e.at("%k", NEXT, "i64"), e.variable("i64", 0)
        with e.while_loop(lambda: e.icmp("slt", done.get(), turn)):
            first = e.emit(f"atomicrmw add ptr {counter}, i64 {share.text} monotonic")
            with e.for_range(e.integer("add", first, share), first) as block:
                row = e.variable("i64", e.integer("mul", block, BLOCK))
                with e.if_then(e.icmp("uge", row.get(), rows)):
                    e.ret(Value("0"))
                stop = e.least(e.integer("add nsw", row.get(), BLOCK), rows)
                for total in self.sums:
                    total.set(self.nothing)
                with e.while_loop(lambda: e.icmp("slt", row.get(), stop)):
                    self._strip(starts, row, stop)
                self._store(block)
                done.set(e.integer("add", done.get(), 1))
        return e.define("i64 @rows(ptr %k, ptr %columns, ptr %u, ptr %out)", "i64 1")

    def _strip(self, starts: Sequence[str], row: Variable, stop: Value) -> None:
        """Add some whole vectors to the sums, or one that is not full; advance the row."""
        e, lanes = self.e, self.what.lanes
        first = row.get()
        left = e.integer("sub nsw", stop, first)
        count, done = e.variable("i64"), e.variable("i64")
        cells = [
            e.at(start, first, element)
            for start, element in zip(starts, self.elements, strict=True)
        ]
        with e.if_else(e.icmp("sge", left, lanes)) as otherwise:
            self.body.set_columns(cells)
            count.set(e.integer("sdiv", e.least(left, STRIP), lanes))
            done.set(e.integer("mul nsw", count.get(), lanes))
            otherwise()
            for pointer, last, element in zip(cells, self.last, self.elements, strict=True):
                e.store(e.spread(e.load(pointer, 0, element), element), last, 0, element)
                e.copy(last, pointer, e.integer("mul nsw", left, 4 if element == "float" else 8))
            self.body.set_columns(self.last)
            count.set(1)
            done.set(left)
        terms = self.body.write(count.get(), self.nothing)
        lane_numbers = Value(f"<{', '.join(f'i64 {k}' for k in range(lanes))}>", True)
        valid = e.icmp("slt", lane_numbers, done.get())  # the lanes that had a row
        for total, term in zip(self.sums, terms, strict=True):
            added = e.select(valid, term, self.nothing)
            total.set(e.accumulate(total.get(), added, self.peaks))
        row.set(e.integer("add nsw", first, done.get()))

    def _store(self, block: Value) -> None:
        """The lanes of each sum added up, halves to halves."""
        e = self.e
        to = e.at("%out", e.integer("mul", block, len(self.sums)))
        for s, total in enumerate(self.sums):
            wide = total.get()
            numbers = [e.lane(wide, k) for k in range(self.what.lanes)]
            while len(numbers) > 1:
                half = len(numbers) // 2
                pairs = zip(numbers[:half], numbers[half:], strict=True)
                numbers = [e.accumulate(a, b, self.peaks) for a, b in pairs]
            e.store(numbers[0], to, s)
