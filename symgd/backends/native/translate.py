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
from functools import partial, partialmethod, reduce

from symgd.backends.native.ir import IRBuilder, Value
from symgd.backends.operations import Operand, Operation, function_named, live
from symgd.backends.program import Program
from symgd.formula.functions.function import Function
from symgd.formula.functions.reference import MULTIPLIED


class Emitter(IRBuilder, ABC):
    """A IRBuilder of floating-point operations.

    fused: whether functions may be made of fused multiply-adds, and tests are.
    """

    def __init__(self, lanes: int = 1, fused: bool = False) -> None:
        super().__init__(lanes)
        self.fused = fused

    # -- arithmetic -----------------------------------------------------------------------

    def number(self, value: float) -> Value:
        """A constant, bit for bit."""
        (bits,) = struct.unpack(">Q", struct.pack(">d", value))
        return Value(f"0x{bits:016X}")

    def _binary(self, operation: str, a: Value, b: Value) -> Value:
        (x, y), wide = self.alike([a, b])
        return self.emit(f"{operation} {self.type(wide)} {x}, {y}", wide)

    add = partialmethod(_binary, "fadd")
    sub = partialmethod(_binary, "fsub")
    mul = partialmethod(_binary, "fmul")
    div = partialmethod(_binary, "fdiv")

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

    def all_finite(self, values: Iterable[Value]) -> Value:
        """Whether all are finite: 0*x is 0 for every finite x and NaN for the others."""
        zero = total = self.number(0.0)
        for x in values:
            total = self.multiply_add(x, zero, total)
        return self.compare("ord", total, total)

    def all_small(self, values: Iterable[Value], bound: Value) -> Value:
        """Whether no |value| is above a bound, or NaN."""
        tests = (self.compare("ole", self.intrinsic("fabs", x), bound) for x in values)
        return reduce(partial(self.logic, "and"), tests)

    def all_equal(self, a: Iterable[Value], b: Iterable[Value]) -> Value:
        """Whether two lists of numbers are equal."""
        tests = (self.compare("oeq", x, y) for x, y in zip(a, b, strict=True))
        return reduce(partial(self.logic, "and"), tests)

    def multiply_add(self, a: Value, b: Value, c: Value) -> Value:
        """a*b + c, rounded once where the processor does so, or twice."""
        return self.intrinsic("fma", a, b, c) if self.fused else self.add(self.mul(a, b), c)

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
            operands = ", ".join(f"double {self.lane(a, lane).text}" for a in args)
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

    def outputs(
        self, program: Program, known: dict[str, Value], names: Iterable[str] = ()
    ) -> list[Value]:
        """The outputs of these names, or all, of a program whose inputs are known."""
        wanted = [program.outputs[name] for name in names or program.outputs]
        self.run(live(program.body, wanted, known), known)
        return [self.operand(operand, known) for operand in wanted]

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
    "add": lambda e, a, b: e.add(a, b),
    "sub": lambda e, a, b: e.sub(a, b),
    "mul": lambda e, a, b: e.mul(a, b),
    "div": lambda e, a, b: e.div(a, b),
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
