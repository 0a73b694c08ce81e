"""Emit a descent of many parameters: a compiled gradient, and the rule in loops over arrays.

    int64 run(int64 *k, double *f, double *x, double *s, double *h, double *rows, double *ring,
              double *best, double *w, double *c, double *out, double *new, double *low,
              double *high)

As `symgd.backends.native.register_steps`, for arrays of any length: the code does not grow with it.
s: the states of the rule, concatenated, arrays or single numbers. out: [loss, g..]; new: work space
for the next theta and state. w, c: of the function that evaluates loss and gradient. low, high:
bounds of theta, infinite where there are none; they are read only if the loop is bounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate

from symgd.backends.native.descent_loop import DescentLoop
from symgd.backends.native.inline_functions import hypot
from symgd.backends.native.ir import Value
from symgd.backends.native.jit import pointers, source
from symgd.backends.native.register_steps import ARGUMENTS
from symgd.backends.operations import REDUCTIONS, Operand, live
from symgd.backends.program import Program

_Element = Callable[[Value, Value], Value]  # (element, index) -> a number or a condition

ARRAY_ARGUMENTS = (*ARGUMENTS, "w", "c", "out", "new", "low", "high")


def array_loop(
    rule: Program,
    address: int,
    params: int,
    singles: Sequence[bool],
    settles: bool,
    bounded: bool = False,
) -> str:
    """The module. rule: (theta, g, state.., t, tail.., [L]) -> (theta, state..).

    address: of the function of `ArrayProgram`. singles: of each state, whether it is one number.
    """
    loop = ArrayLoop(rule, address, params, singles, settles, bounded)
    return source([loop.write(f"i64 @run({pointers(ARRAY_ARGUMENTS)})")], loop.e.declared)


class ArrayLoop(DescentLoop):
    """theta is in %x, the next theta in %new, the gradient in %out after the loss."""

    gradient: str

    def __init__(
        self,
        rule: Program,
        address: int,
        params: int,
        singles: Sequence[bool],
        settles: bool,
        bounded: bool,
    ) -> None:
        super().__init__(params, settles)
        self.rule, self.address, self.bounded = rule, address, bounded
        self.singles, self.states = singles, len(singles)
        widths = [1 if one else params for one in singles]
        self.first = list(accumulate([0, *widths]))  # where each state begins; the last: their end

    def begin(self) -> None:
        tail = [s for s in self.rule.inputs[2 + self.states + 1 :] if s.text != "L"]
        self.tail = {symbol.name: self.e.load("%h", k) for k, symbol in enumerate(tail)}
        self.loss_name = next((s.name for s in self.rule.inputs if s.text == "L"), None)
        self.gradient = self.e.at("%out", 1)

    def evaluate(self, t: Value) -> None:
        self.call("%x", "%out")
        self.loss = self.e.load("%out", 0)

    def call(self, x: str, out: str) -> None:
        """Write loss and gradient at x."""
        target = f"inttoptr (i64 {self.address} to ptr)"
        self.e.add_line(f"call i64 {target}(ptr {x}, ptr %w, ptr %c, ptr {out})")

    def propose(self, t: Value) -> None:
        e = self.e
        self.step(e.emit(f"sitofp i64 {e.integer('add nsw', t, 1).text} to double"), {})

    def step(self, number: Value, other: Mapping[str, Value]) -> None:
        """First the reductions over whole arrays, then all elements, then single numbers.

        number: of the step. other: values in place of those of the caller.
        """
        e = self.e
        known = {**self.tail, self.rule.names[2 + self.states]: number, **other}
        if self.loss_name is not None:
            known[self.loss_name] = self.loss
        for k, one in enumerate(self.singles):
            if one:
                known[self.rule.names[2 + k]] = e.load("%s", self.first[k])
        for operation in self.rule.body:
            if operation.name in REDUCTIONS:
                kind, operand = operation.name, operation.arguments[0]
                known[operation.result] = self._reduced(kind, operand, known)
        names = [*self.rule.outputs]
        whole = [k for k in range(self.states) if not self.singles[k]]
        with e.for_range(self.params) as i:
            inside = {**known, **self._elements(i)}
            wanted = [names[0], *(names[1 + k] for k in whole)]
            theta, *states = e.outputs(self.rule, inside, wanted)
            e.store(self._clipped(theta, i) if self.bounded else theta, "%new", i)
            for k, value in zip(whole, states, strict=True):
                place = self.params + self.first[k]
                e.store(value, "%new", e.integer("add nsw", i, place))
        for k, one in enumerate(self.singles):
            if one:
                [value] = e.outputs(self.rule, known, [names[1 + k]])
                e.store(value, "%new", self.params + self.first[k])

    def _clipped(self, x: Value, i: Value) -> Value:
        """x within the bounds of parameter i; NaN stays."""
        e = self.e
        for array, beyond in (("%low", "olt"), ("%high", "ogt")):
            end = e.load(array, i)
            x = e.select(e.compare(beyond, x, end), end, x)
        return x

    def _slope(self, g: Value, i: Value, at: str = "%x") -> Value:
        """Of a gradient the part of parameter i, 0 where it points out of the bounds.

        at: the array of the point.
        """
        if not self.bounded:
            return g
        e, x, zero = self.e, self.e.load(at, i), self.e.number(0.0)
        for array, outward in (("%low", "ogt"), ("%high", "olt")):
            held = e.logic(
                "and", e.compare("oeq", x, e.load(array, i)), e.compare(outward, g, zero)
            )
            g = e.select(held, zero, g)
        return g

    def _elements(self, i: Value) -> dict[str, Value]:
        """theta, g and the states of parameter i."""
        e, (theta, gradient, *states) = self.e, self.rule.names[: 2 + self.states]
        found = {theta: e.load("%x", i), gradient: e.load(self.gradient, i)}
        for k, name in enumerate(states):
            if not self.singles[k]:
                found[name] = e.load("%s", e.integer("add nsw", i, self.first[k]))
        return found

    # -- checks and records ---------------------------------------------------------------

    def value_is_finite(self) -> Value:
        return self._finite(self.gradient, self.loss, self._slope)

    def gradient_is_small(self) -> Value:
        return self._all(
            self.gradient, lambda g, i: self.e.all_small([self._slope(g, i)], self.tol)
        )

    def step_is_finite(self) -> Value:
        return self._finite("%new", self.e.number(0.0))

    def step_is_zero(self) -> Value:
        return self._all("%new", lambda new, i: self.e.all_equal([new], [self.e.load("%x", i)]))

    def gradient_norm(self) -> Value:
        return self._norm(self.gradient, self._slope)

    def store_theta(self, pointer: str) -> None:
        self.e.copy(pointer, "%x", 8 * self.params)

    def commit(self) -> None:
        self.e.copy("%x", "%new", 8 * self.params)
        if self.states:
            self.e.copy("%s", self.e.at("%new", self.params), 8 * self.first[-1])

    # -- reductions of arrays -------------------------------------------------------------

    def _sum(self, array: str, term: _Element) -> Value:
        """The sum of term(element, index), in any order, so that LLVM makes vectors of it."""
        e = self.e
        total = e.variable(value=e.number(0.0))
        with e.for_range(self.params) as i:
            before, new = total.get(), term(e.load(array, i), i)
            total.set(e.emit(f"fadd reassoc double {before.text}, {new.text}"))
        return total.get()

    def _all(self, array: str, holds: _Element) -> Value:
        """Whether `holds(element, index)` for every element."""
        e, none, one = self.e, self.e.number(0.0), self.e.number(1.0)
        failures = self._sum(array, lambda x, i: e.select(holds(x, i), none, one))
        return e.compare("oeq", failures, none)

    def _finite(self, array: str, more: Value, of: _Element = lambda x, _: x) -> Value:
        """Whether of(element, index) of all elements, and one more number, are finite."""
        e, zero = self.e, self.e.number(0.0)
        return e.all_finite([self._sum(array, lambda x, i: e.mul(of(x, i), zero)), more])

    def _reduced(self, kind: str, operand: Operand, known: Mapping[str, Value]) -> Value:
        """A reduction of a number of each parameter, put into %new on the way."""
        e = self.e
        largest = e.variable(value=e.number(-math.inf))
        with e.for_range(self.params) as i:
            values = {**known, **self._elements(i)}
            e.run(live(self.rule.body, [operand], values), values)
            x = e.operand(operand, values)
            e.store(x, "%new", i)
            if kind == "peak":
                before = largest.get()
                above = e.logic("or", e.compare("ogt", x, before), e.compare("uno", x, x))
                largest.set(e.select(above, x, before))
        if kind == "peak":
            return largest.get()
        return self._norm("%new") if kind == "norm" else self._sum("%new", lambda x, _: x)

    def _norm(self, array: str, of: _Element = lambda x, _: x) -> Value:
        """The norm of of(element, index).

        Of arrays whose squares overflow or vanish, scaled by their largest element.
        """
        e = self.e

        def square(x: Value, i: Value) -> Value:
            x = of(x, i)
            return e.mul(x, x)

        total = self._sum(array, square)
        norm = e.variable(value=e.intrinsic("sqrt", total))
        low = e.compare("ogt", total, e.number(1e-280))
        usual = e.logic("and", low, e.compare("olt", total, e.number(1e300)))
        with e.if_then(e.negated(usual)):
            norm.set(e.number(0.0))
            with e.for_range(self.params) as i:
                norm.set(hypot(e, norm.get(), of(e.load(array, i), i)))
        return norm.get()
