"""Emit the body of a loop over rows: evaluate the terms and add them to the sums of the strip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from symgd.backends.native.loop_fission import Stage, stages
from symgd.backends.native.translate import Value
from symgd.backends.native.vector_emit import VectorEmitter, squares_of_sech
from symgd.backends.operations import condition_names
from symgd.backends.program import Loop
from symgd.formula.nodes import Column

_SUMS = 8  # more sums than these do not fit the registers
_CACHE = 24 * 1024  # bytes of cells and values that pass the stages together: the first cache
_FEWEST = 4  # vectors of a turn


class Body:
    """Writes the loops over the vectors of a strip.

    Where %from<column> point to the strip's columns, and %acc<sum> are its sums.
    """

    def __init__(self, e: VectorEmitter, loop: Loop, narrow: Sequence[bool]) -> None:
        loop = replace(loop, body=squares_of_sech(loop.body))
        self.e, self.loop, self.narrow = e, loop, narrow
        self.wide = e.type(True)
        self.conditions = condition_names(loop.body)
        self.stages: list[Stage] = stages(loop) if len(loop.sums) > _SUMS else []
        self.kept = [name for stage in self.stages for name in stage.keeps]
        row = 8 * (len(narrow) + len(self.kept))
        self.turn = max(_FEWEST, _CACHE // (row * e.lanes))  # vectors

    def room(self) -> None:
        """In the entry block: the counters, and what a stage keeps for later ones."""
        e = self.e
        e.add_line("%v = alloca i64")
        e.add_line("%turn = alloca i64")
        for k in range(len(self.kept)):
            e.add_line(f"%kept{k} = alloca [{self.turn} x {self.wide}], align 64")

    def known(self, name: str, value: Value) -> Value:
        """A number as what stands for this name: a condition is 1 or 0 where it is kept."""
        if name in self.conditions:
            return self.e.compare("une", value, self.e.number(0.0))
        return value

    def write(self, count: Value, known: Mapping[str, Value]) -> None:
        """All vectors of the strip, `count` of them."""
        if not self.stages:
            self._each("row", Value("0"), count, lambda v: self._one(v, known))
            return
        e = self.e
        e.add_line("store i64 0, ptr %turn")
        e.add_line("br label %turn.begin")
        e.label("turn.begin")
        first = e.emit("load i64, ptr %turn")
        last = e.least(e.emit(f"add nsw i64 {first.text}, {self.turn}"), count)
        functions = [k for k, stage in enumerate(self.stages) if stage.functions]
        first_function_stage = functions[0] if functions else 0
        for k, stage in enumerate(self.stages):
            self._stage(k, stage, (first, last), known, first_function_stage)
        e.add_line(f"store i64 {last.text}, ptr %turn")
        more = e.emit(f"icmp slt i64 {last.text}, {count.text}")
        e.add_line(f"br i1 {more.text}, label %turn.begin, label %turn.end")
        e.label("turn.end")

    def _each(self, name: str, first: Value, last: Value, body: Callable[[Value], None]) -> None:
        e = self.e
        e.add_line(f"store i64 {first.text}, ptr %v")
        e.add_line(f"br label %{name}")
        e.label(name)
        v = e.emit("load i64, ptr %v")
        body(v)
        following = e.emit(f"add nsw i64 {v.text}, 1")
        e.add_line(f"store i64 {following.text}, ptr %v")
        more = e.emit(f"icmp slt i64 {following.text}, {last.text}")
        e.add_line(f"br i1 {more.text}, label %{name}, label %{name}.end")
        e.label(f"{name}.end")

    def _one(self, v: Value, known: Mapping[str, Value]) -> None:
        """A whole row."""
        values, loop = dict(known), self.loop
        self._columns(v, loop.columns, values)
        self.e.run(loop.body, values)
        self._sums(range(len(loop.sums)), values)

    def _stage(
        self,
        k: int,
        stage: Stage,
        turn: tuple[Value, Value],
        known: Mapping[str, Value],
        first_function_stage: int,
    ) -> None:
        e, (first, last) = self.e, turn
        read = {name for o in stage.body for name in o.names}
        read.update(str(self.loop.sums[s][1]) for s in stage.sums)
        columns = [c for c in self.loop.columns if c.name in read]
        own = {o.result for o in stage.body}

        def body(v: Value) -> None:
            values = dict(known)
            self._columns(v, columns, values)
            if k == first_function_stage:
                self._ask_ahead(v)
            place = e.emit(f"sub nsw i64 {v.text}, {first.text}")
            for name in self.kept:
                if name in read and name not in own:
                    at = self._kept(name, place)
                    value = e.emit(f"load {self.wide}, ptr {at.text}, align 64", True)
                    values[name] = self.known(name, value)
            e.run(stage.body, values)
            for name in stage.keeps:
                value = values[name]
                if name in self.conditions:
                    value = e.select(value, e.number(1.0), e.number(0.0))
                at = self._kept(name, place)
                e.add_line(f"store {self.wide} {e.spread(value).text}, ptr {at.text}")
            self._sums(stage.sums, values)

        self._each(f"stage{k}", first, last, body)

    def _kept(self, name: str, place: Value) -> Value:
        array = f"%kept{self.kept.index(name)}"
        return self.e.emit(f"getelementptr {self.wide}, ptr {array}, i64 {place.text}")

    def _sums(self, places: Iterable[int], values: Mapping[str, Value]) -> None:
        e = self.e
        for s in places:
            before = e.emit(f"load {self.wide}, ptr %acc{s}", True)
            term = e.spread(e.operand(self.loop.sums[s][1], values))
            after = e.kept(before, term, self.loop.peaks)
            e.add_line(f"store {self.wide} {after.text}, ptr %acc{s}")

    # -- columns ----------------------------------------------------------------------------

    def _columns(self, v: Value, columns: Sequence[Column], values: dict[str, Value]) -> None:
        """The cells of a vector of rows."""
        first = self._first(v)
        for c, column in enumerate(self.loop.columns):
            if column in columns:
                values[column.name] = self._cells(c, first)

    def _first(self, v: Value) -> Value:
        return self.e.emit(f"mul nsw i64 {v.text}, {self.e.lanes}")

    def _place(self, c: int, row: Value) -> Value:
        element = "float" if self.narrow[c] else "double"
        start = self.e.emit(f"load ptr, ptr %from{c}")
        return self.e.emit(f"getelementptr {element}, ptr {start.text}, i64 {row.text}")

    def _cells(self, c: int, first: Value) -> Value:
        e, narrow = self.e, self.narrow[c]
        at = self._place(c, first)
        kind = e.type(True, "float" if narrow else "double")
        cells = e.emit(f"load {kind}, ptr {at.text}, align {4 if narrow else 8}", True)
        if not narrow:
            return cells
        return e.emit(f"fpext {kind} {cells.text} to {self.wide}", True)

    def _ask_ahead(self, v: Value) -> None:
        """Ask for the cells of the next turn: they come while the functions are computed.

        Beyond the last row it may be any memory, even unreadable.
        """
        e = self.e
        row = e.emit(f"add nsw i64 {self._first(v).text}, {self.turn * e.lanes}")
        e.declared.add("declare void @llvm.prefetch.p0(ptr, i32, i32, i32)")
        for c in range(len(self.narrow)):
            at = self._place(c, row)
            e.add_line(f"call void @llvm.prefetch.p0(ptr {at.text}, i32 0, i32 3, i32 1)")
