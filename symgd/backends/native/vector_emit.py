"""An Emitter for vectors of rows: functions of vectors, symgd's own or the library's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import sympy

from symgd.backends.native.translate import Emitter, Value
from symgd.backends.native.vector_exp import sech_squared
from symgd.backends.native.vector_math import OWN, far_function, far_name
from symgd.formula.nodes import Node, float_of


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


class VectorEmitter(Emitter):
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

    def call(self, symbol: str, *args: Value, own: bool = False) -> Value:
        """Inlined, or one call for as many lanes as a register has, or lane by lane."""
        if own or not any(a.wide for a in args):
            return super().call(symbol, *args, own=own)
        if symbol in self.vectors.own and symbol in OWN:
            return self._inlined(symbol, *map(self.spread, args))
        found = self.vectors.library(symbol, len(args))
        if found is None or self.lanes % found[1]:
            return super().call(symbol, *args)
        return self._parts(*found, *map(self.spread, args))

    def _power(self, node: Node, known: Mapping[Node, Value]) -> Value:
        """sech(x)**2, the slope of tanh, comes of the same exponential as tanh."""
        base, exponent = node.args
        if base.func is sympy.sech and float_of(exponent) == 2 and base not in known:
            x = self.node(base.args[0], known)
            if x.wide and "tanh" in self.vectors.own:
                return sech_squared(self, x)
        return super()._power(node, known)

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
