"""Emit the body of a loop over rows: evaluate the terms and add them to the sums of a strip."""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.ir import Value
from symgd.backends.native.loop_fission import Stage, stages
from symgd.backends.native.vectors.vector_emit import VectorEmitter
from symgd.backends.operations import condition_names
from symgd.backends.program import Loop

_CACHE = 24 * 1024  # bytes of cells and values that pass the stages together: the first cache
_FEWEST = 4  # vectors of a turn


class RowBody:
    """Writes the loops over the vectors of a strip.

    elements: the type of the cells of each column. most: vectors of a strip. turn: how many
    vectors pass the stages together. known: the inputs.
    """

    def __init__(self, e: VectorEmitter, loop: Loop, elements: Sequence[str], most: int) -> None:
        self.e, self.loop, self.elements = e, loop, elements
        self.conditions = condition_names(loop.body)
        self.stages = stages(loop)
        kept = [name for stage in self.stages for name in stage.keeps]
        row = 8 * (len(elements) + len(kept))
        self.turn = most if len(self.stages) == 1 else max(_FEWEST, _CACHE // (row * e.lanes))
        self.kept = {name: e.allocate(f"[{self.turn} x {e.type(True)}]") for name in kept}
        self.columns = [e.variable("ptr") for _ in elements]
        self.sums = [e.variable(wide=True) for _ in loop.sums]
        self.known: dict[str, Value] = {}

    def set_input(self, name: str, value: Value) -> None:
        """The value of an input."""
        self.known[name] = self._restored(name, value)

    def set_columns(self, pointers: Sequence[str]) -> None:
        """Where the columns of the strip begin."""
        for column, pointer in zip(self.columns, pointers, strict=True):
            column.set(Value(pointer))

    def write(self, count: Value, nothing: Value) -> list[Value]:
        """The sums over so many vectors, lane by lane. nothing: the sum of no rows."""
        e = self.e
        for total in self.sums:
            total.set(nothing)
        with e.for_range(count, step=self.turn) as first:
            last = e.least(e.integer("add nsw", first, self.turn), count)
            for stage in self.stages:
                with e.for_range(last, first) as vector:
                    self._stage(stage, vector, e.integer("sub nsw", vector, first))
        return [total.get() for total in self.sums]

    def _stage(self, stage: Stage, vector: Value, place: Value) -> None:
        """The operations of a stage for a vector of rows. place: of what is kept for others."""
        e = self.e
        read = {name for o in stage.body for name in o.names}
        read.update(str(self.loop.sums[s][1]) for s in stage.sums)
        values = dict(self.known)
        row, kept_at = e.integer("mul nsw", vector, e.lanes), e.integer("mul nsw", place, e.lanes)
        for c, column in enumerate(self.loop.columns):
            if column.name in read:
                values[column.name] = self._cells(c, row)
        for name in read - {o.result for o in stage.body}:
            if name in self.kept:
                values[name] = self._restored(name, e.load(self.kept[name], kept_at, wide=True))
        if stage.functions:
            self._prefetch(row)
        e.run(stage.body, values)
        for name in stage.keeps:
            value = values[name]
            if name in self.conditions:
                value = e.select(value, e.number(1.0), e.number(0.0))
            e.store(e.spread(value), self.kept[name], kept_at)
        for s in stage.sums:
            term = e.spread(e.operand(self.loop.sums[s][1], values))
            self.sums[s].set(e.accumulate(self.sums[s].get(), term, self.loop.peaks))

    def _prefetch(self, row: Value) -> None:
        """Fetch the cells of the next turn, while functions are computed.

        Beyond the last row the address may be of any memory, even unreadable.
        """
        e = self.e
        e.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        later = e.integer("add nsw", row, self.turn * e.lanes)
        for column, element in zip(self.columns, self.elements, strict=True):
            cell = e.at(column.get().text, later, element)
            e.add_line(f"call void @llvm.prefetch.p0(ptr {cell}, i32 0, i32 3, i32 1)")

    def _restored(self, name: str, value: Value) -> Value:
        """A number as what stands for this name: a condition is 1 or 0 where it is kept."""
        return (
            self.e.compare("une", value, self.e.number(0.0)) if name in self.conditions else value
        )

    def _cells(self, c: int, row: Value) -> Value:
        e, element = self.e, self.elements[c]
        cells = e.load(self.columns[c].get().text, row, element, wide=True)
        if element == "double":
            return cells
        narrow, wide = e.type(True, element), e.type(True)
        return e.emit(f"fpext {narrow} {cells.text} to {wide}", True)
