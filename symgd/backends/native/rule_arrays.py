"""One step of a rule over arrays of any length, in place: a look at it first, then the step.

    int64 look(double *x, double *g, double *s, double *h, int64 *n, double *found)
    int64 step(the same)

s: the states of the rule, one after the other. h: t, the learning rate if it is a number, the
hyperparameters. n: the length. found: [sum of g*g, sum of 0*new, how many elements move]. `look`
computes all of it, `step` stores the next theta and states.
"""

from __future__ import annotations

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.ir import Value, Variable
from symgd.backends.native.jit import Module, compile_alone, pointers, remembered, source
from symgd.backends.program import Program

ARGUMENTS = ("x", "g", "s", "h", "n", "found")


def compile_rule(rule: Program, states: int) -> Module:
    """The module of a rule without norms. rule: of `symgd.descent.step_program.rule_program`."""
    return remembered(("rule arrays", rule.key), lambda: _compile(rule, states))


def _compile(rule: Program, states: int) -> Module:
    emitters = [_Loop(rule, states), _Loop(rule, states)]
    texts = [emitters[0].look(), emitters[1].step()]
    declared = emitters[0].e.declared | emitters[1].e.declared
    return compile_alone(source(texts, declared))


class _Loop:
    """A loop over all elements."""

    def __init__(self, rule: Program, states: int) -> None:
        self.rule, self.states, self.e = rule, states, FunctionEmitter()
        self.count = self.e.load("%n", 0, "i64")
        tail = rule.names[2 + states :]
        self.tail = {name: self.e.load("%h", k) for k, name in enumerate(tail)}

    def look(self) -> str:
        """The function that stores nothing but what it found."""
        e = self.e
        totals = [e.variable(value=e.number(0.0)) for _ in range(3)]
        with e.for_range(self.count) as i:
            known = self._known(i)
            theta, gradient = (known[name] for name in self.rule.names[:2])
            new = e.outputs(self.rule, known)
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
        with e.for_range(self.count) as i:
            theta, *states = e.outputs(self.rule, self._known(i))
            e.store(theta, "%x", i)
            for k, value in enumerate(states):
                e.store(value, "%s", self._place(i, k))
        return e.define(f"i64 @step({pointers(ARGUMENTS)})")

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
