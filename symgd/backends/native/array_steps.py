"""Emit a descent of many parameters: a compiled gradient, and the rule in loops over arrays.

    int64 run(int64 *k, double *f, double *x, double *s, double *h, double *rows, double *ring,
              double *best, double *w, double *c, double *out, double *new, double *low,
              double *high)

As `symgd.backends.native.register_steps`, for arrays of any length: the code does not grow with it.
s: the state arrays of the rule, concatenated. out: [loss, g..]; new: work space for the next theta
and state. w, c: of the function that evaluates loss and gradient. low, high: bounds of theta,
infinite where there are none; they are read only if the loop is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symgd.backends.native.descent_loop import DescentLoop
from symgd.backends.native.inline_functions import hypot
from symgd.backends.native.ir import Value
from symgd.backends.native.jit import pointers, source
from symgd.backends.native.register_steps import ARGUMENTS
from symgd.backends.operations import Operand, live
from symgd.backends.program import Program

_Element = Callable[[Value, Value], Value]  # (element, index) -> a number or a condition

ARRAY_ARGUMENTS = (*ARGUMENTS, "w", "c", "out", "new", "low", "high")


def array_loop(
    rule: Program, address: int, params: int, states: int, settles: bool, bounded: bool = False
) -> str:
    """The module. rule: of `rule_program`; address: of the function of `ArrayProgram`."""
    loop = ArrayLoop(rule, address, params, states, settles, bounded)
    return source([loop.write(f"i64 @run({pointers(ARRAY_ARGUMENTS)})")], loop.e.declared)


class ArrayLoop(DescentLoop):
    """theta is in %x, the next theta in %new, the gradient in %out after the loss."""

    gradient: str

    def __init__(
        self,
        rule: Program,
        address: int,
        params: int,
        states: int,
        settles: bool,
        bounded: bool,
    ) -> None:
        super().__init__(params, settles)
        self.rule, self.address, self.states, self.bounded = rule, address, states, bounded

    def begin(self) -> None:
        tail = self.rule.names[2 + self.states + 1 :]
        self.tail = {name: self.e.load("%h", k) for k, name in enumerate(tail)}
        self.gradient = self.e.at("%out", 1)

    def evaluate(self, t: Value) -> None:
        target = f"inttoptr (i64 {self.address} to ptr)"
        self.e.add_line(f"call i64 {target}(ptr %x, ptr %w, ptr %c, ptr %out)")
        self.loss = self.e.load("%out", 0)

    def propose(self, t: Value) -> None:
        """First the norms over whole arrays, then all elements."""
        e = self.e
        number = e.emit(f"sitofp i64 {e.integer('add nsw', t, 1).text} to double")
        known = self.tail | {self.rule.names[2 + self.states]: number}
        for operation in self.rule.body:
            if operation.name == "norm":
                known[operation.result] = self._norm_of(operation.arguments[0], known)
        with e.for_range(self.params) as i:
            for k, value in enumerate(e.outputs(self.rule, known | self._elements(i))):
                if self.bounded and k == 0:
                    value = self._clipped(value, i)
                e.store(value, "%new", e.integer("add nsw", i, k * self.params))

    def _clipped(self, x: Value, i: Value) -> Value:
        """x within the bounds of parameter i; NaN stays."""
        e = self.e
        for array, beyond in (("%low", "olt"), ("%high", "ogt")):
            end = e.load(array, i)
            x = e.select(e.compare(beyond, x, end), end, x)
        return x

    def _slope(self, g: Value, i: Value) -> Value:
        """Of a gradient the part of parameter i, 0 where it points out of the bounds."""
        if not self.bounded:
            return g
        e, x, zero = self.e, self.e.load("%x", i), self.e.number(0.0)
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
            found[name] = e.load("%s", e.integer("add nsw", i, k * self.params))
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
            self.e.copy("%s", self.e.at("%new", self.params), 8 * self.params * self.states)

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

    def _norm_of(self, operand: Operand, known: Mapping[str, Value]) -> Value:
        """The Euclidean norm of a number of each parameter, put into %new on the way."""
        e = self.e
        with e.for_range(self.params) as i:
            values = {**known, **self._elements(i)}
            e.run(live(self.rule.body, [operand], values), values)
            e.store(e.operand(operand, values), "%new", i)
        return self._norm("%new")

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
