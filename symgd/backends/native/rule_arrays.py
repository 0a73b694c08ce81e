"""One step of a rule over arrays of any length, in place: a look at it first, then the step.

    int64 look(double *x, double *g, double *s, double *h, int64 *n, double *found)
    int64 step(the same)

s: the states of the rule, one after the other. h: t, the learning rate if it is a number, the
hyperparameters, and the bounds of these elements where there are some. n: the length, and the first
element and that after the last. found: [sum of g*g, sum of 0*new, how many elements move], where a
part of g that points out of the bounds counts as 0. `look` adds to it, `step` stores the next theta
and states.
"""

from __future__ import annotations

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.ir import Value, Variable
from symgd.backends.native.jit import Module, compile_alone, pointers, remembered, source
from symgd.backends.program import Program

ARGUMENTS = ("x", "g", "s", "h", "n", "found")


def compile_rule(rule: Program, states: int, bounded: bool) -> Module:
    """The module of a rule without norms. rule: of `symgd.descent.array_rule.ArrayRule`."""
    key = ("rule arrays", rule.key, bounded)
    return remembered(key, lambda: _compile(rule, states, bounded))


def _compile(rule: Program, states: int, bounded: bool) -> Module:
    emitters = [_Loop(rule, states, bounded), _Loop(rule, states, bounded)]
    texts = [emitters[0].look(), emitters[1].step()]
    declared = emitters[0].e.declared | emitters[1].e.declared
    return compile_alone(source(texts, declared))


class _Loop:
    """A loop over elements."""

    def __init__(self, rule: Program, states: int, bounded: bool) -> None:
        self.rule, self.states, self.e = rule, states, FunctionEmitter()
        self.count, self.first, self.beyond = (self.e.load("%n", k, "i64") for k in range(3))
        tail = rule.names[2 + states :]
        self.tail = {name: self.e.load("%h", k) for k, name in enumerate(tail)}
        places = range(len(tail), len(tail) + 2) if bounded else ()
        self.bounds = [self.e.load("%h", k) for k in places]

    def look(self) -> str:
        """The function that stores nothing but what it found."""
        e = self.e
        totals = [e.variable(value=e.load("%found", k)) for k in range(3)]
        with e.for_range(self.beyond, self.first) as i:
            known = self._known(i)
            theta, gradient = (known[name] for name in self.rule.names[:2])
            new = self._new(known)
            if self.bounds:
                gradient = self._projected(theta, gradient)
            moved = e.select(e.compare("oeq", new[0], theta), e.number(0.0), e.number(1.0))
            finite = e.number(0.0)
            for value in new:
                finite = e.add(finite, e.mul(value, e.number(0.0)))
            for total, term in zip(totals, (e.mul(gradient, gradient), finite, moved), strict=True):
                self._add(total, term)
        for k, total in enumerate(totals):
            e.store(total.get(), "%found", k)
        return e.define(f"i64 @look({pointers(ARGUMENTS)})")

    def step(self) -> str:
        """The function that takes the step."""
        e = self.e
        with e.for_range(self.beyond, self.first) as i:
            theta, *states = self._new(self._known(i))
            e.store(theta, "%x", i)
            for k, value in enumerate(states):
                e.store(value, "%s", self._place(i, k))
        return e.define(f"i64 @step({pointers(ARGUMENTS)})")

    def _new(self, known: dict[str, Value]) -> list[Value]:
        """The next theta, within its bounds, and the next states."""
        e = self.e
        theta, *states = e.outputs(self.rule, known)
        for end, how in zip(self.bounds, ("olt", "ogt"), strict=False):
            theta = e.select(e.compare(how, theta, end), end, theta)
        return [theta, *states]

    def _projected(self, theta: Value, gradient: Value) -> Value:
        """The gradient, 0 where it points out of the bounds."""
        e, zero = self.e, self.e.number(0.0)
        for end, at, out in zip(self.bounds, ("ole", "oge"), ("oge", "ole"), strict=True):
            held = e.logic("and", e.compare(at, theta, end), e.compare(out, gradient, zero))
            gradient = e.select(held, zero, gradient)
        return gradient

    def _known(self, i: Value) -> dict[str, Value]:
        """The inputs of the rule at element i."""
        e, (theta, gradient, *states) = self.e, self.rule.names[: 2 + self.states]
        found = {theta: e.load("%x", i), gradient: e.load("%g", i), **self.tail}
        for k, name in enumerate(states):
            found[name] = e.load("%s", self._place(i, k))
        return found

    def _place(self, i: Value, state: int) -> Value:
        e = self.e
        return e.integer("add nsw", i, e.integer("mul nsw", self.count, state))

    def _add(self, total: Variable, term: Value) -> None:
        before = total.get()
        total.set(self.e.emit(f"fadd reassoc double {before.text}, {term.text}"))
