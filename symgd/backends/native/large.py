"""The IR of a large formula: its rolls as loops over arrays, split into functions.

    int64 evaluate(double *x, double *w, double *c, double *out)

x: the program's inputs, w: room for `Layout.work` numbers, c: its constants, out: its outputs.
LLVM's time grows faster than a function's length, so straight-line code is cut into functions of a
few hundred statements and into modules, between which Ctrl-C is heard.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from symgd.backends.native import machine
from symgd.backends.native.emit import Emitter, Value
from symgd.backends.native.rolls import (
    Even,
    Layout,
    Place,
    Roll,
    Scattered,
    Total,
    column,
    roll,
    runs,
)
from symgd.nodes import Node
from symgd.program import Program

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

log = logging.getLogger("symgd")

_FUNCTION = 200  # statements in one function,
_MODULE = 2000  # and in one module
_FUSED = 8  # loops in one loop
_SECONDS = 0.001  # to compile a statement
_PATIENCE = 20.0  # seconds of compilation of which nobody need be told
_ARGUMENTS = "ptr noalias %x, ptr noalias %w, ptr noalias %c, ptr noalias %out"


@dataclass
class Large:
    """A compiled program: its entry point, and what has to live as long as it is called."""

    layout: Layout
    constants: array[float]
    modules: list[machine.Module]
    address: int
    program: Program

    def __post_init__(self) -> None:
        self.call = self.modules[-1].function("evaluate", 4)

    def arrays(self) -> Callable[[Any], NDArray[np.float64]]:
        """The same from a float64 array to a new one, for callers who have and want arrays."""
        import numpy as np

        inputs, count = len(self.program.inputs), len(self.layout.outputs)
        room, fixed = max(1, self.layout.work), self.constants.buffer_info()[0]
        call, caught = self.call, machine.interrupted

        def buffers() -> tuple[Any, Any, Any, list[int]]:
            x, work, out = np.empty(inputs), np.empty(room), np.empty(count)
            places = [a.ctypes.data for a in (x, work, out)]
            return x, work, out, [places[0], places[1], fixed, places[2]]

        spare = [buffers()]  # those that no other thread is using

        def evaluate(x: Any) -> NDArray[np.float64]:
            if len(x) != inputs:
                raise ValueError(f"x has {len(x)} numbers, not {inputs}")
            try:
                mine = spare.pop()
            except IndexError:
                mine = buffers()
            mine[0][...] = x
            call(*mine[3])
            out: NDArray[np.float64] = mine[2].copy()
            spare.append(mine)
            if caught.error is not None:
                caught.check()
            return out

        return evaluate

    def at(self, *x: float) -> list[float]:
        """The same with the inputs one by one."""
        return self.evaluate(x)

    def evaluate(self, x: Sequence[float]) -> list[float]:
        """The outputs at these inputs."""
        inputs, work = array("d", x), array("d", bytes(8 * max(1, self.layout.work)))
        out = array("d", bytes(8 * len(self.layout.outputs)))
        buffers = (inputs, work, self.constants, out)
        self.call(*(b.buffer_info()[0] for b in buffers))
        machine.interrupted.check()
        return out.tolist()


def compile_large(program: Program) -> Large:
    """The compiled program, from memory where it was compiled before."""
    # by identity: the hash of a program of 10^5 lines costs as much as its compilation, and what
    # is remembered keeps the program alive
    return machine.remembered(("large", id(program)), lambda: _compile(program))


def _compile(program: Program) -> Large:
    layout = roll(program)
    pieces = _pieces(layout)
    total = sum(p.statements for p in pieces)
    if total * _SECONDS > _PATIENCE:
        log.warning(
            "compiling %d statements takes about %.0f s; Ctrl-C stops it", total, total * _SECONDS
        )
    modules: list[machine.Module] = []
    names: dict[int, int] = {}
    for kind in (True, False):
        chosen = [k for k, piece in enumerate(pieces) if piece.loops is kind]
        for group in _groups(chosen, pieces):
            modules.append(_module(layout, [pieces[k] for k in group], speed=3 if kind else 1))
            names |= {k: modules[-1].address(f"part{n}") for n, k in enumerate(group)}
    modules.append(_entry(layout, [names[k] for k in range(len(pieces))]))
    constants = array("d", layout.constants or [0.0])
    return Large(layout, constants, modules, modules[-1].address("evaluate"), program)


@dataclass
class _Piece:
    """What goes into one function: loops, which are worth optimizing, or straight-line code."""

    loops: bool
    blocks: list[Roll | Total] = field(default_factory=list)
    statements: int = 0


def _pieces(layout: Layout) -> list[_Piece]:
    pieces: list[_Piece] = []
    for block in layout.blocks:
        loops = isinstance(block, Total) or block.count > 1
        full = bool(pieces) and pieces[-1].statements >= _FUNCTION
        if not pieces or full or pieces[-1].loops is not loops:
            pieces.append(_Piece(loops))
        pieces[-1].blocks.append(block)
        pieces[-1].statements += len(block.parts) if isinstance(block, Total) else 1
    return pieces


def _groups(chosen: Sequence[int], pieces: Sequence[_Piece]) -> Iterator[list[int]]:
    """The pieces of one module after the other."""
    group: list[int] = []
    for k in chosen:
        group.append(k)
        if sum(pieces[g].statements for g in group) > _MODULE:
            yield group
            group = []
    if group:
        yield group


def _module(layout: Layout, pieces: Sequence[_Piece], speed: int) -> machine.Module:
    functions: list[str] = []
    declared: set[str] = set()
    for k, piece in enumerate(pieces):
        writer = _Function(layout, f"part{k}", k)
        functions += writer.text(piece.blocks)
        declared |= writer.e.declared
    return machine.compile_alone(machine.source(functions, declared), speed)


def _entry(layout: Layout, addresses: Iterable[int]) -> machine.Module:
    """The function that calls all the others and puts the outputs in their places."""
    writer = _Function(layout, "evaluate", 0)
    for address in addresses:
        target = f"inttoptr (i64 {address} to ptr)"
        writer.e.add_line(f"call i64 {target}(ptr %x, ptr %w, ptr %c, ptr %out)")
    return machine.compile_alone(
        machine.source(writer.text(outputs=layout.outputs), writer.e.declared)
    )


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


class _Function:
    """One function of the module."""

    def __init__(self, layout: Layout, name: str, number: int) -> None:
        self.layout, self.name, self.number = layout, name, number
        self.e = Emitter()
        self.tables: list[str] = []
        self.loops = 0
        self.here: dict[int, Value] = {}  # values of this loop's index, by their first element
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
            self._copy(start, column([p for (p,) in rows[start:stop]]), stop - start)
        head = f"define i64 @{self.name}({_ARGUMENTS}) {{\nentry:"
        return [*self.tables, "\n".join([head, *self.e.lines, "  ret i64 0", "}"])]

    def _single(self, roll_: Roll) -> None:
        value = self._value(roll_, None)
        self.known[roll_.first] = value
        self._store(value, "w", Value(str(roll_.first)))

    def _loop(self, rolls: Sequence[Roll]) -> None:
        """One loop for rolls of the same length that `_fused` has put together."""
        i = self._open(rolls[0].count)
        for one in rolls:
            self.here[one.first] = self._value(one, i)
            self._store(self.here[one.first], "w", self._shifted(i, one.first, 1))
        self.here = {}
        self._close()

    def _value(self, roll_: Roll, i: Value | None) -> Value:
        places: dict[Node, Value] = {
            leaf: self._operand(operand, i)
            for leaf, operand in zip(roll_.leaves, roll_.operands, strict=True)
        }
        return self.e.node(roll_.expression, places)

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
        """A sum in any order: several partial sums at a time, rounding less than one long one."""
        e = self.e
        e.add_line(f"%sum{self.loops} = alloca double")
        place = f"%sum{self.loops}"
        e.add_line(f"store double 0.0, ptr {place}")
        i = self._open(count)
        value = self._operand(operand, i)
        before = e.emit(f"load double, ptr {place}")
        after = e.emit(f"fadd reassoc double {before.text}, {value.text}")
        e.add_line(f"store double {after.text}, ptr {place}")
        self._close()
        return e.emit(f"load double, ptr {place}")

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
        same_index = bool(self.here) and operand.array == "w" and operand.stride == 1
        if same_index and operand.start in self.here:
            return self.here[operand.start]
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
