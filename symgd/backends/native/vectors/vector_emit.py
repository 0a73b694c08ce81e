"""The Emitter of vectors of rows: calls vector functions, of symgd or of a vector library."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.ir import Value
from symgd.backends.native.vectors.vector_exp import sech_squared
from symgd.backends.native.vectors.vector_math import OWN


@dataclass(frozen=True)
class Vectors:
    """The functions of vectors that are available.

    own: the functions of `vector_math` to use, by the C library's names.
    library: (name, arguments) -> the symbol of the vector library and its width, or None; these
    functions err by up to 4 ulp. fused: whether the processor has fused multiply-adds.
    """

    own: frozenset[str]
    library: Callable[[str, int], tuple[str, int] | None]
    fused: bool


class VectorEmitter(FunctionEmitter):
    """functions: by name, further functions that the module must define."""

    def __init__(self, lanes: int, vectors: Vectors) -> None:
        super().__init__(lanes, vectors.fused)
        self.vectors = vectors
        self.functions: dict[str, str] = {}
        self._sech: dict[Value, Value] = {}  # sech(x) -> x

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
        """Also sech(x)**2, the derivative of tanh, by the same exponential as tanh."""
        if name == "square" and arguments[0] in self._sech:
            return sech_squared(self, self._sech[arguments[0]])
        result = super().apply(name, arguments)
        if name == "sech" and result.wide and "tanh" in self.vectors.own:
            self._sech[result] = arguments[0]
        return result

    # -- symgd's own ------------------------------------------------------------------------

    def _inlined(self, symbol: str, *args: Value) -> Value:
        function = OWN[symbol]
        value = function.form(self, *args)
        if function.serves is None:
            return value
        return self._completed(symbol, args, function.serves(self, *args), value)

    def _completed(self, symbol: str, args: Sequence[Value], served: Value, value: Value) -> Value:
        """The value; the lanes that are not served are computed by the C library."""
        result, kind = self.variable(value=value, wide=True), self.type(True)
        bits = self.emit(f"bitcast {self.type(True, 'i1')} {served.text} to i{self.lanes}")
        with self.if_then(self.emit(f"icmp ne i{self.lanes} {bits.text}, -1")):
            name = f"complete_{symbol}_{self.lanes}"
            self.functions[name] = _complete(name, symbol, len(args), self.lanes)
            self.declared.add(f"declare double @{symbol}({', '.join(['double'] * len(args))}) #0")
            mask = self.emit(
                f"sext {self.type(True, 'i1')} {served.text} to {self.type(True, 'i64')}", True
            )
            operands = ", ".join(f"{kind} {v.text}" for v in (value, *args))
            masked = f"{self.type(True, 'i64')} {mask.text}"
            result.set(self.emit(f"call {kind} @{name}({operands}, {masked})", True))
        return result.get()

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
        kind, picked = self.type(True), _order(range(first, first + width))
        return self.emit(f"shufflevector {kind} {value.text}, {kind} poison, {picked}", True)

    def _joined(self, a: Value, b: Value, width: int) -> Value:
        half = f"<{width // 2} x double>"
        return self.emit(
            f"shufflevector {half} {a.text}, {half} {b.text}, {_order(range(width))}", True
        )


def _order(places: Sequence[int]) -> str:
    """Which lanes a shufflevector takes."""
    return f"<{len(places)} x i32> <{', '.join(f'i32 {p}' for p in places)}>"


def _complete(name: str, symbol: str, arguments: int, lanes: int) -> str:
    """IR: the values, those of the lanes that are not served computed by the C library."""
    e = FunctionEmitter(lanes)
    kind, names = e.type(True), ["value", *"xy"[:arguments]]
    result, *args = (e.variable(value=Value(f"%{n}", True), wide=True) for n in names)
    served = e.variable("i64", Value("%served", True), wide=True)
    with e.for_range(lanes) as lane:
        is_served = e.icmp("ne", e.load(served.pointer, lane, "i64"), 0)
        with e.if_then(e.negated(is_served)):
            found = e.call(symbol, *(e.load(a.pointer, lane) for a in args))
            e.store(found, result.pointer, lane)
    heads = ", ".join(f"{kind} %{n}" for n in names)
    head = f"internal {kind} @{name}({heads}, {e.type(True, 'i64')} %served) noinline cold nounwind"
    return e.define(head, f"{kind} {result.get().text}")
