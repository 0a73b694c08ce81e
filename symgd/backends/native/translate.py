"""Emit LLVM IR for the operations of a Program: one instruction per operation, in typed order.

A value is a double, or a vector of `lanes` doubles, one lane per descent. A value that is equal in
all lanes (t, a constant, beta**t) stays a scalar and is computed once.
No fast-math flags, and no operation is contracted into a fused multiply-add: a result is the one
that Python's floats give, with its infinities and NaNs.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from symgd.backends.operations import Operand, Operation, function_named
from symgd.formula.functions.function import Function
from symgd.formula.functions.reference import MULTIPLIED


class Value(NamedTuple):
    """A number or condition of the IR: its name or literal, and whether each lane has its own."""

    text: str
    wide: bool = False


class Emitter(ABC):
    """Collects the instructions of one basic block after the other.

    lanes: 1, or the width of the vectors. fused: whether functions may be made of fused
    multiply-adds.
    """

    fused = False

    def __init__(self, lanes: int = 1) -> None:
        self.lanes = lanes
        self.lines: list[str] = []
        self.declared: set[str] = set()
        self._count = 0
        self._splats: dict[str, Value] = {}

    # -- instructions ---------------------------------------------------------------------

    def fresh(self) -> str:
        """A new name."""
        self._count += 1
        return f"%v{self._count}"

    def add_line(self, line: str) -> None:
        """One instruction without a result."""
        self.lines.append("  " + line)

    def emit(self, instruction: str, wide: bool = False) -> Value:
        """One instruction with a result."""
        name = self.fresh()
        self.lines.append(f"  {name} = {instruction}")
        return Value(name, wide)

    def label(self, name: str) -> None:
        """The beginning of a basic block."""
        self.lines.append(f"{name}:")
        self._splats = {}

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

    def least(self, a: Value, b: Value) -> Value:
        """The lesser of two counts."""
        less = self.emit(f"icmp slt i64 {a.text}, {b.text}")
        return self.emit(f"select i1 {less.text}, i64 {a.text}, i64 {b.text}")

    # -- arithmetic -----------------------------------------------------------------------

    def number(self, value: float) -> Value:
        """A constant, bit for bit."""
        (bits,) = struct.unpack(">Q", struct.pack(">d", value))
        return Value(f"0x{bits:016X}")

    def binary(self, operation: str, a: Value, b: Value) -> Value:
        """fadd, fsub, fmul or fdiv."""
        (x, y), wide = self.alike([a, b])
        return self.emit(f"{operation} {self.type(wide)} {x}, {y}", wide)

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        return self.binary("fadd", a, b)

    def sub(self, a: Value, b: Value) -> Value:
        """a - b."""
        return self.binary("fsub", a, b)

    def mul(self, a: Value, b: Value) -> Value:
        """a*b."""
        return self.binary("fmul", a, b)

    def div(self, a: Value, b: Value) -> Value:
        """a/b."""
        return self.binary("fdiv", a, b)

    def neg(self, a: Value) -> Value:
        """-a."""
        return self.emit(f"fneg {self.type(a.wide)} {a.text}", a.wide)

    def intrinsic(self, name: str, *args: Value) -> Value:
        """An operation of the processor: sqrt, fabs, floor, ceil, copysign."""
        texts, wide = self.alike(args)
        kind = self.type(wide)
        suffix = f"v{self.lanes}f64" if wide else "f64"
        self.declared.add(f"declare {kind} @llvm.{name}.{suffix}({', '.join([kind] * len(args))})")
        operands = ", ".join(f"{kind} {t}" for t in texts)
        return self.emit(f"call {kind} @llvm.{name}.{suffix}({operands})", wide)

    def power_of_two_below(self, size: Value) -> Value:
        """The power of two that a positive number's exponent says; the least normal one for 0."""
        kind, bits = self.type(size.wide), self.type(size.wide, "i64")
        as_bits = self.emit(f"bitcast {kind} {size.text} to {bits}", size.wide)
        mask = Value(str(0x7FF0000000000000))
        text = (self.spread(mask, "i64") if size.wide else mask).text
        exponent = self.emit(f"and {bits} {as_bits.text}, {text}", size.wide)
        unit = self.emit(f"bitcast {bits} {exponent.text} to {kind}", size.wide)
        least = self.number(2.0**-1022)
        return self.select(self.compare("olt", unit, least), least, unit)

    def compare(self, predicate: str, a: Value, b: Value) -> Value:
        """A condition: fcmp with this predicate (oeq, ogt, uno, ...)."""
        (x, y), wide = self.alike([a, b])
        return self.emit(f"fcmp {predicate} {self.type(wide)} {x}, {y}", wide)

    def logic(self, operation: str, a: Value, b: Value) -> Value:
        """and, or, xor of two conditions."""
        (x, y), wide = self.alike([a, b], "i1")
        return self.emit(f"{operation} {self.type(wide, 'i1')} {x}, {y}", wide)

    def negated(self, condition: Value) -> Value:
        """not condition."""
        return self.logic("xor", condition, Value("true"))

    def likely(self, condition: Value) -> Value:
        """The condition, for a branch that nearly always finds it true."""
        self.declared.add("declare i1 @llvm.expect.i1(i1, i1)")
        return self.emit(f"call i1 @llvm.expect.i1(i1 {condition.text}, i1 true)")

    def select(self, condition: Value, a: Value, b: Value) -> Value:
        """a where the condition holds, else b."""
        wide = condition.wide or a.wide or b.wide
        if wide:
            a, b = self.spread(a), self.spread(b)
        kind, test = self.type(wide), self.type(condition.wide, "i1")
        return self.emit(f"select {test} {condition.text}, {kind} {a.text}, {kind} {b.text}", wide)

    def call(self, symbol: str, *args: Value) -> Value:
        """A function of doubles outside the module; lane by lane where its arguments are wide.

        The same library serves Python's own math, so that lanes, single runs and Python agree.
        """
        kinds = ", ".join(["double"] * len(args))
        self.declared.add(f"declare double @{symbol}({kinds}) #0")
        if not any(a.wide for a in args):
            operands = ", ".join(f"double {a.text}" for a in args)
            return self.emit(f"call double @{symbol}({operands})")
        result, kind = "poison", self.type(True)
        for lane in range(self.lanes):
            parts = [
                self.emit(f"extractelement {kind} {a.text}, i32 {lane}") if a.wide else a
                for a in args
            ]
            operands = ", ".join(f"double {p.text}" for p in parts)
            one = self.emit(f"call double @{symbol}({operands})")
            result = self.emit(f"insertelement {kind} {result}, double {one.text}, i32 {lane}").text
        return Value(result, True)

    def power(self, base: Value, exponent: float) -> Value:
        """base to a whole power >= 2, by multiplications."""
        whole = int(exponent)
        if whole == 1:
            return base
        half = self.power(base, whole // 2)
        square = self.mul(half, half)
        return self.mul(square, base) if whole % 2 else square

    def pow(self, base: Value, exponent: Value) -> Value:
        """base to any power; small whole ones as `reference.whole_power` computes them."""
        power = constant(exponent)
        if power is not None and power in MULTIPLIED:
            return self.power(base, power)
        return self.call("pow", base, exponent)

    # -- operations -----------------------------------------------------------------------

    def run(self, operations: Iterable[Operation], known: dict[str, Value]) -> None:
        """Put the results of operations into `known`, but for those that are known already."""
        for operation in operations:
            if operation.result not in known:
                arguments = [self.operand(a, known) for a in operation.arguments]
                known[operation.result] = self.apply(operation.name, arguments)

    def operand(self, operand: Operand, known: Mapping[str, Value]) -> Value:
        """The value of a name or number."""
        return known[operand] if isinstance(operand, str) else self.number(operand)

    def apply(self, name: str, arguments: Sequence[Value]) -> Value:
        """The result of one operation."""
        if name in _OPERATIONS:
            return _OPERATIONS[name](self, *arguments)
        return self.function(function_named(name), arguments)

    @abstractmethod
    def function(self, row: Function, arguments: Sequence[Value]) -> Value:
        """The call of a function of the table."""


def constant(value: Value) -> float | None:
    """The number that a value of the IR is, or None where it is none."""
    if not value.text.startswith("0x"):
        return None
    (number,) = struct.unpack(">d", bytes.fromhex(value.text[2:]))
    return float(number)


def _compared(predicate: str) -> Form:
    return lambda e, a, b: e.compare(predicate, a, b)


Form = Callable[..., Value]

#: How a machine computes each operation.
_OPERATIONS: dict[str, Form] = {
    "add": Emitter.add,
    "sub": Emitter.sub,
    "mul": Emitter.mul,
    "div": Emitter.div,
    "neg": Emitter.neg,
    "square": lambda e, a: e.mul(a, a),
    "sqrt": lambda e, a: e.intrinsic("sqrt", a),
    "pow": Emitter.pow,
    "<": _compared("olt"),
    "<=": _compared("ole"),
    ">": _compared("ogt"),
    ">=": _compared("oge"),
    "==": _compared("oeq"),
    "!=": _compared("une"),
    "and": lambda e, a, b: e.logic("and", a, b),
    "or": lambda e, a, b: e.logic("or", a, b),
    "not": Emitter.negated,
    "select": Emitter.select,
}
