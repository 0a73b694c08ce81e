"""The Emitter of vectors of rows: calls vector functions, of symgd or of a vector library."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.translate import Value
from symgd.backends.native.vector_exp import sech_squared
from symgd.backends.native.vector_math import OWN, far_function, far_name
from symgd.backends.operations import Operation


@dataclass(frozen=True)
class Vectors:
    """What there is for vectors.

    own: the C library's names of functions that are computed here. library: (name, arguments) ->
    the library's name for the form for vectors and their width, where there is one; these err by
    up to 4 ulp. fused: whether the processor multiplies and adds in one rounding.
    """

    own: frozenset[str]
    library: Callable[[str, int], tuple[str, int] | None]
    fused: bool


#: An operation of `squares_of_sech` only.
SECH_SQUARED = "sech squared"


def squares_of_sech(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """The operations with sech(x)**2 as one, where nothing else reads the sech."""
    uses = Counter(name for o in operations for name in o.names)
    sech = {o.result: o for o in operations if o.name == "sech" and uses[o.result] == 1}
    squares = {o.names[0] for o in operations if o.name == "square"} & sech.keys()
    return tuple(
        Operation(o.result, SECH_SQUARED, sech[o.names[0]].arguments, o.guard)
        if o.name == "square" and o.names[0] in squares
        else o
        for o in operations
        if o.result not in squares
    )


class VectorEmitter(FunctionEmitter):
    """functions: by name, definitions that the module must hold besides."""

    def __init__(self, lanes: int, vectors: Vectors) -> None:
        super().__init__(lanes)
        self.vectors, self.fused = vectors, vectors.fused
        self.functions: dict[str, str] = {}
        self.block = ""

    def label(self, name: str) -> None:
        """The beginning of a basic block, which is known from now on."""
        super().label(name)
        self.block = name

    def call(self, symbol: str, *args: Value) -> Value:
        """Inlined, or one call for as many lanes as a register has, or lane by lane."""
        if not any(a.wide for a in args):
            return super().call(symbol, *args)
        if symbol in self.vectors.own and symbol in OWN:
            return self._inlined(symbol, *map(self.spread, args))
        found = self.vectors.library(symbol, len(args))
        if found is None or self.lanes % found[1]:
            return super().call(symbol, *args)
        return self._parts(*found, *map(self.spread, args))

    def apply(self, name: str, arguments: Sequence[Value]) -> Value:
        """Also sech(x)**2, the slope of tanh, of the same exponential as tanh."""
        if name != SECH_SQUARED:
            return super().apply(name, arguments)
        (x,) = arguments
        if x.wide and "tanh" in self.vectors.own:
            return sech_squared(self, x)
        sech = self.apply("sech", arguments)
        return self.mul(sech, sech)

    def kept(self, a: Value, b: Value, peaks: bool, width: int = 0) -> Value:
        """Their sum; peaks: the larger one, a where b is NaN. width: of fewer lanes than all."""
        kind = f"<{width or self.lanes} x double>"
        if not peaks:
            return self.emit(f"fadd {kind} {a.text}, {b.text}", True)
        test = self.emit(f"fcmp ogt {kind} {b.text}, {a.text}", True)
        test_kind = f"<{width or self.lanes} x i1>"
        return self.emit(f"select {test_kind} {test.text}, {kind} {b.text}, {kind} {a.text}", True)

    # -- symgd's own ------------------------------------------------------------------------

    def _inlined(self, symbol: str, *args: Value) -> Value:
        function = OWN[symbol]
        value = function.form(self, *args)
        if function.serves is None:
            return value
        return self._completed(symbol, args, function.serves(self, *args), value)

    def _completed(self, symbol: str, args: Sequence[Value], served: Value, value: Value) -> Value:
        """The value, after a branch that is taken where a lane is not served."""
        name, kind = far_name(symbol, self.lanes), self.type(True)
        self.functions[name] = far_function(symbol, len(args), self.lanes)
        doubles = ", ".join(["double"] * len(args))
        self.declared.add(f"declare double @{symbol}({doubles}) #0")
        bits = self.emit(f"bitcast {self.type(True, 'i1')} {served.text} to i{self.lanes}")
        all_of = self.emit(f"icmp eq i{self.lanes} {bits.text}, -1")
        before, far, on = self.block, f"far{self._count}", f"on{self._count}"
        self.add_line(f"br i1 {all_of.text}, label %{on}, label %{far}")
        self.label(far)
        ints = self.type(True, "i64")
        mask = self.emit(f"sext {self.type(True, 'i1')} {served.text} to {ints}", True)
        operands = ", ".join([*(f"{kind} {a.text}" for a in args), f"{ints} {mask.text}"])
        got = self.emit(f"call {kind} @{name}({operands}, {kind} {value.text})", True)
        self.add_line(f"br label %{on}")
        self.label(on)
        return self.emit(f"phi {kind} [ {value.text}, %{before} ], [ {got.text}, %{far} ]", True)

    # -- the library's ----------------------------------------------------------------------

    def _parts(self, name: str, width: int, *args: Value) -> Value:
        """One call for each register."""
        kind = f"<{width} x double>"
        self.declared.add(f"declare {kind} @{name}({', '.join([kind] * len(args))}) #0")
        parts = []
        for first in range(0, self.lanes, width):
            cut = [self._part(a, first, width) for a in args]
            operands = ", ".join(f"{kind} {c.text}" for c in cut)
            parts.append(self.emit(f"call {kind} @{name}({operands})", True))
        while len(parts) > 1:
            width *= 2
            pairs = zip(parts[::2], parts[1::2], strict=True)
            parts = [self._joined(a, b, width) for a, b in pairs]
        return parts[0]

    def _part(self, value: Value, first: int, width: int) -> Value:
        if width == self.lanes:
            return value
        kind, picked = self.type(True), order(range(first, first + width))
        return self.emit(f"shufflevector {kind} {value.text}, {kind} poison, {picked}", True)

    def _joined(self, a: Value, b: Value, width: int) -> Value:
        half = f"<{width // 2} x double>"
        return self.emit(
            f"shufflevector {half} {a.text}, {half} {b.text}, {order(range(width))}", True
        )


def order(places: Sequence[int]) -> str:
    """Which lanes a shufflevector takes."""
    return f"<{len(places)} x i32> <{', '.join(f'i32 {p}' for p in places)}>"
