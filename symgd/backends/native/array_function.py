"""Emit one function of a large formula: rerolled loops over arrays, adjacent loops fused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symgd.backends.expressions import Tree
from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.ir import Integer, Value, Variable
from symgd.backends.native.jit import pointers
from symgd.backends.native.loop_rerolling import (
    LEAF,
    Gathered,
    LaidOutSum,
    Layout,
    LayoutBlock,
    Operands,
    Place,
    Rerolled,
    column,
    runs,
)
from symgd.backends.operations import gives_condition

_FUSED = 8  # loops in one loop
_ARGUMENTS = ("x", "w", "c", "out")


class ArrayFunction:
    """One function of a module.

    name: its symbol. number: of the module's functions, for the names of its tables.
    """

    def __init__(self, layout: Layout, name: str, number: int) -> None:
        self.layout, self.name, self.number = layout, name, number
        self.e = FunctionEmitter()
        self.tables: list[str] = []
        self.loop_values: dict[int, Value] = {}  # first element -> value at the loop index
        self.known: dict[int, Value] = {}  # elements of w that this basic block has computed

    def text(self, blocks: Sequence[LayoutBlock] = (), outputs: Sequence[Place] = ()) -> list[str]:
        """The function, after its tables."""
        for group in _fused(blocks):
            first = group[0]
            if isinstance(first, LaidOutSum):
                self._set(first.target, self._total(first))
            elif first.count == 1:
                self._set(first.first, self._value(first, None))
            else:
                self._loop([block for block in group if isinstance(block, Rerolled)])
        rows = [(place,) for place in outputs]
        for start, stop in runs(rows):
            if outputs[start].array != "out":  # else a loop has written them there
                self._copy(start, column([p for (p,) in rows[start:stop]]), stop - start)
        return [*self.tables, self.e.define(f"i64 @{self.name}({pointers(_ARGUMENTS)})")]

    def _set(self, target: int, value: Value) -> None:
        """Change an element of w."""
        self.known[target] = value
        self.e.store(value, "%w", target)

    def _loop(self, loops: Sequence[Rerolled]) -> None:
        """One loop for rerolled loops of the same length that `_fused` has put together."""
        e = self.e
        zero = e.number(0.0)
        sums = {r.total: e.variable(value=zero) for r in loops if r.total is not None}
        with e.for_range(loops[0].count) as i:
            for one in loops:
                value = self.loop_values[one.first] = self._value(one, i)
                if one.into is not None:
                    e.store(value, f"%{one.into.array}", self._shifted(i, one.into.index, 1))
                if one.total is not None:
                    self._add_to(sums[one.total], value)
        self.loop_values = {}
        for target, total in sums.items():
            self._set(target, total.get())

    def _value(self, loop: Rerolled, i: Value | None) -> Value:
        value = self._applied(loop.shape, (self._operand(operand, i) for operand in loop.operands))
        if gives_condition(loop.shape.name):  # in memory it is 1 or 0
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

    def _total(self, total: LaidOutSum) -> Value:
        e = self.e
        result: Value | None = None
        for sign, operand, count in total.parts:
            part = self._operand(operand, None) if count == 1 else self._sum_of(operand, count)
            if result is None:
                result = part if sign > 0 else e.neg(part)
            else:
                result = e.add(result, part) if sign > 0 else e.sub(result, part)
        assert result is not None
        return result

    def _sum_of(self, operand: Operands, count: int) -> Value:
        total = self.e.variable(value=self.e.number(0.0))
        with self.e.for_range(count) as i:
            self._add_to(total, self._operand(operand, i))
        return total.get()

    def _add_to(self, total: Variable, value: Value) -> None:
        """Add, in any order: several partial sums at a time, rounding less than one long one."""
        before = total.get()
        total.set(self.e.emit(f"fadd reassoc double {before.text}, {value.text}"))

    def _copy(self, first: int, operand: Operands, count: int) -> None:
        if count == 1:
            self.e.store(self._operand(operand, None), "%out", first)
            return
        with self.e.for_range(count) as i:
            self.e.store(self._operand(operand, i), "%out", self._shifted(i, first, 1))

    def _operand(self, operand: Operands, i: Value | None) -> Value:
        """Operand i of a column; i None: the first."""
        e, array = self.e, operand.array
        if isinstance(operand, Gathered):
            return e.load(f"%{array}", self._table(operand, i))
        if array == "w" and operand.stride == 1 and operand.start in self.loop_values:
            return self.loop_values[operand.start]
        if i is not None and operand.stride:
            return e.load(f"%{array}", self._shifted(i, operand.start, operand.stride))
        if array == "c":
            return e.number(self.layout.constants[operand.start])
        if array == "w" and operand.start in self.known:
            return self.known[operand.start]
        return e.load(f"%{array}", operand.start)

    def _table(self, operand: Gathered, i: Value | None) -> Integer:
        """Where operand i is."""
        if i is None:
            return operand.places[0]
        name = f"@table{self.number}.{len(self.tables)}"
        numbers = ", ".join(f"i32 {p}" for p in operand.places)
        self.tables.append(f"{name} = private constant [{len(operand.places)} x i32] [{numbers}]")
        return self.e.emit(f"zext i32 {self.e.load(name, i, 'i32').text} to i64")

    def _shifted(self, i: Value, start: int, stride: int) -> Value:
        scaled = i if stride == 1 else self.e.integer("mul nsw", i, stride)
        return self.e.integer("add nsw", scaled, start) if start else scaled


def _fused(blocks: Sequence[LayoutBlock]) -> Iterator[list[LayoutBlock]]:
    """Neighboring loops of one length as one, where each reads only its own index of the others."""
    group: list[LayoutBlock] = []
    for block in blocks:
        if group and not _joins(block, group):
            yield group
            group = []
        group.append(block)
    if group:
        yield group


def _joins(block: LayoutBlock, group: Sequence[LayoutBlock]) -> bool:
    first = group[0]
    if isinstance(block, LaidOutSum) or isinstance(first, LaidOutSum):
        return False
    if block.count == 1 or block.count != first.count or len(group) >= _FUSED:
        return False
    begin, end = first.first, group[-1].first + block.count  # type: ignore[union-attr]
    own = {one.first for one in group if isinstance(one, Rerolled)}
    for operand in block.operands:
        if operand.array != "w":
            continue
        if isinstance(operand, Gathered):
            if any(begin <= place < end for place in operand.places):
                return False
            continue
        ends = (operand.start, operand.start + operand.stride * (block.count - 1))
        apart = max(ends) < begin or min(ends) >= end
        if not apart and not (operand.stride == 1 and operand.start in own):
            return False
    return True
