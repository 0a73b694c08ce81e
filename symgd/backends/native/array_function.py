"""Emit one function of a large formula: rerolled loops over arrays, adjacent loops fused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symgd.backends.expressions import Tree
from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.loop_rerolling import (
    LEAF,
    Even,
    Layout,
    Place,
    Roll,
    Scattered,
    Total,
    column,
    runs,
)
from symgd.backends.native.translate import Value
from symgd.backends.operations import gives_condition

_FUSED = 8  # loops in one loop
_ARGUMENTS = "ptr noalias %x, ptr noalias %w, ptr noalias %c, ptr noalias %out"


class IRFunction:
    """One function of a module.

    name: its symbol. number: of the module's functions, for the names of its tables.
    """

    def __init__(self, layout: Layout, name: str, number: int) -> None:
        self.layout, self.name, self.number = layout, name, number
        self.e = FunctionEmitter()
        self.tables: list[str] = []
        self.loops = 0
        self.loop_values: dict[int, Value] = {}  # first element -> value at the loop index
        self.known: dict[int, Value] = {}  # elements of w that this basic block has computed

    def text(self, blocks: Sequence[Roll | Total] = (), outputs: Sequence[Place] = ()) -> list[str]:
        """The function, after its tables."""
        for group in _fused(blocks):
            first = group[0]
            if isinstance(first, Total):
                self._total(first)
            elif first.count == 1:
                self._single(first)
            else:
                self._loop([block for block in group if isinstance(block, Roll)])
        rows = [(place,) for place in outputs]
        for start, stop in runs(rows):
            if outputs[start].array == "out":
                continue  # a loop has written them there
            self._copy(start, column([p for (p,) in rows[start:stop]]), stop - start)
        head = f"define i64 @{self.name}({_ARGUMENTS}) {{\nentry:"
        return [*self.tables, "\n".join([head, *self.e.lines, "  ret i64 0", "}"])]

    def _single(self, roll_: Roll) -> None:
        value = self._value(roll_, None)
        self.known[roll_.first] = value
        self._store(value, "w", Value(str(roll_.first)))

    def _loop(self, rolls: Sequence[Roll]) -> None:
        """One loop for rolls of the same length that `_fused` has put together."""
        sums = {one.total: self._sum() for one in rolls if one.total is not None}
        i = self._open(rolls[0].count)
        for one in rolls:
            value = self.loop_values[one.first] = self._value(one, i)
            if one.into is not None:
                self._store(value, one.into.array, self._shifted(i, one.into.index, 1))
            if one.total is not None:
                self._add_to(sums[one.total], value)
        self.loop_values = {}
        self._close()
        for target, place in sums.items():
            self.known[target] = self.e.emit(f"load double, ptr {place}")
            self._store(self.known[target], "w", Value(str(target)))

    def _value(self, roll_: Roll, i: Value | None) -> Value:
        value = self._applied(
            roll_.shape, (self._operand(operand, i) for operand in roll_.operands)
        )
        if gives_condition(roll_.shape.name):  # in memory it is 1 or 0
            return self.e.select(value, self.e.number(1.0), self.e.number(0.0))
        return value

    def _applied(self, shape: Tree, operands: Iterator[Value]) -> Value:
        """The value of a shape over its operands, from left to right."""
        if isinstance(shape, float):
            return self.e.number(shape)
        if isinstance(shape, str):
            operand = next(operands)
            return operand if shape == LEAF else self.e.compare("une", operand, self.e.number(0.0))
        return self.e.apply(shape.name, [self._applied(a, operands) for a in shape.arguments])

    def _total(self, total: Total) -> None:
        e = self.e
        result: Value | None = None
        for sign, operand, count in total.parts:
            part = self._operand(operand, None) if count == 1 else self._sum_of(operand, count)
            if result is None:
                result = part if sign > 0 else e.neg(part)
            else:
                result = e.add(result, part) if sign > 0 else e.sub(result, part)
        assert result is not None
        self.known[total.target] = result
        self._store(result, "w", Value(str(total.target)))

    def _sum_of(self, operand: Even | Scattered, count: int) -> Value:
        place = self._sum()
        i = self._open(count)
        self._add_to(place, self._operand(operand, i))
        self._close()
        return self.e.emit(f"load double, ptr {place}")

    def _sum(self) -> str:
        """The pointer to a new sum."""
        place = self.e.emit("alloca double").text
        self.e.add_line(f"store double 0.0, ptr {place}")
        return place

    def _add_to(self, place: str, value: Value) -> None:
        """Add, in any order: several partial sums at a time, rounding less than one long one."""
        before = self.e.emit(f"load double, ptr {place}")
        after = self.e.emit(f"fadd reassoc double {before.text}, {value.text}")
        self.e.add_line(f"store double {after.text}, ptr {place}")

    def _copy(self, first: int, operand: Even | Scattered, count: int) -> None:
        if count == 1:
            self._store(self._operand(operand, None), "out", Value(str(first)))
            return
        i = self._open(count)
        self._store(self._operand(operand, i), "out", self._shifted(i, first, 1))
        self._close()

    # -- arrays and loops -----------------------------------------------------------------

    def _operand(self, operand: Even | Scattered, i: Value | None) -> Value:
        """Operand i of a column; i None: the first."""
        if isinstance(operand, Scattered):
            return self._load(operand.array, self._table(operand, i))
        same_index = bool(self.loop_values) and operand.array == "w" and operand.stride == 1
        if same_index and operand.start in self.loop_values:
            return self.loop_values[operand.start]
        if operand.array == "c" and (i is None or operand.stride == 0):
            return self.e.number(self.layout.constants[operand.start])
        if i is None or operand.stride == 0:
            if operand.array == "w" and operand.start in self.known:
                return self.known[operand.start]
            return self._load(operand.array, Value(str(operand.start)))
        return self._load(operand.array, self._shifted(i, operand.start, operand.stride))

    def _table(self, operand: Scattered, i: Value | None) -> Value:
        if i is None:
            return Value(str(operand.places[0]))
        e, size = self.e, len(operand.places)
        name = f"@table{self.number}.{len(self.tables)}"
        numbers = ", ".join(f"i32 {p}" for p in operand.places)
        self.tables.append(f"{name} = private constant [{size} x i32] [{numbers}]")
        at = e.emit(f"getelementptr i32, ptr {name}, i64 {i.text}")
        place = e.emit(f"load i32, ptr {at.text}")
        return e.emit(f"zext i32 {place.text} to i64")

    def _shifted(self, i: Value, start: int, stride: int) -> Value:
        scaled = i if stride == 1 else self.e.emit(f"mul nsw i64 {i.text}, {stride}")
        return self.e.emit(f"add nsw i64 {scaled.text}, {start}") if start else scaled

    def _load(self, name: str, index: Value) -> Value:
        at = self.e.emit(f"getelementptr double, ptr %{name}, i64 {index.text}")
        return self.e.emit(f"load double, ptr {at.text}")

    def _store(self, value: Value, name: str, index: Value) -> None:
        at = self.e.emit(f"getelementptr double, ptr %{name}, i64 {index.text}")
        self.e.add_line(f"store double {value.text}, ptr {at.text}")

    def _open(self, count: int) -> Value:
        e, k = self.e, self.loops
        self.loops += 1
        self.count = count
        e.add_line(f"%i{k}.at = alloca i64")
        e.add_line(f"store i64 0, ptr %i{k}.at")
        e.add_line(f"br label %loop{k}")
        e.label(f"loop{k}")
        return e.emit(f"load i64, ptr %i{k}.at")

    def _close(self) -> None:
        e, k = self.e, self.loops - 1
        at = e.emit(f"load i64, ptr %i{k}.at")
        after = e.emit(f"add nuw nsw i64 {at.text}, 1")
        e.add_line(f"store i64 {after.text}, ptr %i{k}.at")
        more = e.emit(f"icmp slt i64 {after.text}, {self.count}")
        e.add_line(f"br i1 {more.text}, label %loop{k}, label %after{k}")
        e.label(f"after{k}")


def _fused(blocks: Sequence[Roll | Total]) -> Iterator[list[Roll | Total]]:
    """Neighboring loops of one length as one, where each reads only its own index of the others."""
    group: list[Roll | Total] = []
    for block in blocks:
        if group and not _joins(block, group):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _joins(block: Roll | Total, group: Sequence[Roll | Total]) -> bool:
    first = group[0]
    if isinstance(block, Total) or isinstance(first, Total):
        return False
    if block.count == 1 or block.count != first.count or len(group) >= _FUSED:
        return False
    begin, end = first.first, group[-1].first + block.count  # type: ignore[union-attr]
    own = {one.first for one in group if isinstance(one, Roll)}
    for operand in block.operands:
        if operand.array != "w":
            continue
        if isinstance(operand, Scattered):
            if any(begin <= place < end for place in operand.places):
                return False
            continue
        ends = (operand.start, operand.start + operand.stride * (block.count - 1))
        apart = max(ends) < begin or min(ends) >= end
        if not apart and not (operand.stride == 1 and operand.start in own):
            return False
    return True
