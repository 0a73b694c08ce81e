"""Build LLVM IR as text: instructions, variables, memory, structured control flow.

A variable is a slot of the stack frame. LLVM promotes it to a register and inserts the phi nodes
(its pass mem2reg), so none is written here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias


class Value(NamedTuple):
    """A number or condition of the IR: its name or literal, and whether each lane has its own."""

    text: str
    wide: bool = False


Integer: TypeAlias = "Value | int"


@dataclass(frozen=True)
class Variable:
    """A slot of the stack frame. element: the type of one element. wide: as of a Value."""

    builder: IRBuilder
    pointer: str
    element: str
    wide: bool

    def get(self) -> Value:
        """The value that was set last."""
        kind = self.builder.type(self.wide, self.element)
        return self.builder.emit(f"load {kind}, ptr {self.pointer}", self.wide)

    def set(self, value: Integer) -> None:
        """Another value; a scalar goes to all lanes."""
        kind, new = self.builder.type(self.wide, self.element), as_value(value)
        text = (self.builder.spread(new, self.element) if self.wide else new).text
        self.builder.add_line(f"store {kind} {text}, ptr {self.pointer}")


class IRBuilder:
    """Collects the instructions of one function. lanes: 1, or the width of the vectors."""

    def __init__(self, lanes: int = 1) -> None:
        self.lanes = lanes
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self._entry: list[str] = []
        self._count = 0
        self._splats: dict[str, Value] = {}
        self._open = True  # whether the block still lacks its last instruction

    def define(self, head: str, result: str = "i64 0") -> str:
        """The text of the whole function. head: its name and arguments. result: with its type."""
        body = ["entry:", *self._entry, *self.lines, f"  ret {result}"]
        return "\n".join([f"define {head} {{", *body, "}"])

    # -- instructions ---------------------------------------------------------------------

    def _fresh(self, name: str) -> str:
        self._count += 1
        return f"{name}{self._count}"

    def add_line(self, line: str) -> None:
        """One instruction without a result."""
        self.lines.append("  " + line)

    def emit(self, instruction: str, wide: bool = False) -> Value:
        """One instruction with a result."""
        name = self._fresh("%v")
        self.lines.append(f"  {name} = {instruction}")
        return Value(name, wide)

    def at_entry(self, instruction: str) -> Value:
        """One instruction with a result that every block of the function may use."""
        name = self._fresh("%v")
        self._entry.append(f"  {name} = {instruction}")
        return Value(name)

    def type(self, wide: bool, element: str = "double") -> str:
        """The IR type of one element, or of all lanes."""
        return f"<{self.lanes} x {element}>" if wide else element

    def spread(self, value: Value, element: str = "double") -> Value:
        """The same number in every lane."""
        if value.wide or self.lanes == 1:
            return value
        if value.text[0] != "%":
            literal = ", ".join([f"{element} {value.text}"] * self.lanes)
            return Value(f"<{literal}>", True)
        if value.text not in self._splats:
            wide = self.type(True, element)
            one = self.emit(f"insertelement {wide} poison, {element} {value.text}, i32 0", True)
            zeros = f"<{self.lanes} x i32> zeroinitializer"
            self._splats[value.text] = self.emit(
                f"shufflevector {wide} {one.text}, {wide} poison, {zeros}", True
            )
        return self._splats[value.text]

    def alike(self, values: Sequence[Value], element: str = "double") -> tuple[list[str], bool]:
        """The texts of values brought to one width, and whether that is all lanes."""
        wide = any(v.wide for v in values)
        return [(self.spread(v, element) if wide else v).text for v in values], wide

    def lane(self, value: Value, lane: int) -> Value:
        """The number in one lane."""
        if not value.wide:
            return value
        return self.emit(f"extractelement {self.type(True)} {value.text}, i32 {lane}")

    def select(self, condition: Value, a: Value, b: Value, element: str = "double") -> Value:
        """a where the condition holds, else b."""
        wide = condition.wide or a.wide or b.wide
        if wide:
            a, b = self.spread(a, element), self.spread(b, element)
        kind, test = self.type(wide, element), self.type(condition.wide, "i1")
        return self.emit(f"select {test} {condition.text}, {kind} {a.text}, {kind} {b.text}", wide)

    # -- integers -------------------------------------------------------------------------

    def integer(self, operation: str, a: Integer, b: Integer) -> Value:
        """An operation of 64-bit integers: add, sub, mul, sdiv, srem, and, or, shl, lshr."""
        (x, y), wide = self.alike([as_value(a), as_value(b)], "i64")
        return self.emit(f"{operation} {self.type(wide, 'i64')} {x}, {y}", wide)

    def icmp(self, predicate: str, a: Integer, b: Integer) -> Value:
        """A comparison of 64-bit integers: eq, ne, slt, ..."""
        return self.integer(f"icmp {predicate}", a, b)

    def least(self, a: Integer, b: Integer) -> Value:
        """The lesser of two integers."""
        return self.select(self.icmp("slt", a, b), as_value(a), as_value(b), "i64")

    # -- memory ---------------------------------------------------------------------------

    def variable(
        self, element: str = "double", value: Integer | None = None, *, wide: bool = False
    ) -> Variable:
        """A new variable, of every lane if it is wide."""
        variable = Variable(self, self.allocate(self.type(wide, element)), element, wide)
        if value is not None:
            variable.set(value)
        return variable

    def allocate(self, kind: str) -> str:
        """The pointer to room for a value of this type, aligned for every vector."""
        pointer = self._fresh("%a")
        self._entry.append(f"  {pointer} = alloca {kind}, align {64 if kind[0] in '<[' else 8}")
        return pointer

    def at(self, pointer: str, index: Integer, element: str = "double") -> str:
        """The pointer to an element of an array."""
        text = as_value(index).text
        if text == "0":
            return pointer
        return self.emit(f"getelementptr {element}, ptr {pointer}, i64 {text}").text

    def load(
        self, pointer: str, index: Integer, element: str = "double", *, wide: bool = False
    ) -> Value:
        """An element of an array; wide: that and those after it, one for each lane."""
        at, align = self.at(pointer, index, element), _alignment(element)
        return self.emit(f"load {self.type(wide, element)}, ptr {at}, align {align}", wide)

    def store(self, value: Value, pointer: str, index: Integer, element: str = "double") -> None:
        """Change an element of an array, or as many as the value has lanes."""
        at, kind = self.at(pointer, index, element), self.type(value.wide, element)
        self.add_line(f"store {kind} {value.text}, ptr {at}, align {_alignment(element)}")

    def copy(self, target: str, source: str, size: Integer) -> None:
        """Copy so many bytes."""
        self.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        arguments = f"ptr {target}, ptr {source}, i64 {as_value(size).text}, i1 false"
        self.add_line(f"call void @llvm.memcpy.p0.p0.i64({arguments})")

    # -- control flow ---------------------------------------------------------------------

    def label(self, name: str) -> None:
        """The beginning of a basic block."""
        self.goto(name)
        self.lines.append(f"{name}:")
        self._splats, self._open = {}, True

    def fresh_label(self, name: str) -> str:
        """The name of a block that is yet to come."""
        return self._fresh(name)

    def goto(self, label: str) -> None:
        """Go on at a label, unless the block has ended already."""
        if self._open:
            self.add_line(f"br label %{label}")
        self._open = False

    def branch(self, condition: Value, yes: str, no: str) -> None:
        """Go on at one of two labels."""
        self.add_line(f"br i1 {condition.text}, label %{yes}, label %{no}")
        self._open = False

    def ret(self, value: Value) -> None:
        """Return an integer."""
        self.add_line(f"ret i64 {value.text}")
        self._open = False

    @contextmanager
    def if_then(self, condition: Value) -> Iterator[None]:
        """Code that runs where the condition holds."""
        then, end = self._fresh("then"), self._fresh("end")
        self.branch(condition, then, end)
        self.label(then)
        yield
        self.label(end)

    @contextmanager
    def if_else(self, condition: Value) -> Iterator[Callable[[], None]]:
        """Two branches: the code before and after the call of what this yields."""
        then, other, end = self._fresh("then"), self._fresh("else"), self._fresh("end")
        self.branch(condition, then, other)
        self.label(then)

        def otherwise() -> None:
            self.goto(end)
            self.label(other)

        yield otherwise
        self.label(end)

    @contextmanager
    def while_loop(self, condition: Callable[[], Value]) -> Iterator[None]:
        """Code that is repeated as long as the condition, evaluated anew, holds."""
        head, body, end = self._fresh("head"), self._fresh("body"), self._fresh("end")
        self.label(head)
        self.branch(condition(), body, end)
        self.label(body)
        yield
        self.goto(head)
        self.label(end)

    @contextmanager
    def for_range(
        self, stop: Integer, start: Integer = 0, step: Integer = 1, index: Variable | None = None
    ) -> Iterator[Value]:
        """A counted loop; yields the index. index: the variable that holds it, else a new one."""
        index = index or self.variable("i64")
        index.set(start)
        with self.while_loop(lambda: self.icmp("slt", index.get(), stop)):
            now = index.get()
            yield now
            index.set(self.integer("add nsw", now, step))


def set_all(variables: Iterable[Variable], values: Iterable[Value]) -> None:
    """Give each variable its value."""
    for variable, value in zip(variables, values, strict=True):
        variable.set(value)


def as_value(number: Integer) -> Value:
    """A Value of the IR; of a Python integer, the literal."""
    return number if isinstance(number, Value) else Value(str(number))


def _alignment(element: str) -> int:
    return 4 if element in ("float", "i32") else 8
