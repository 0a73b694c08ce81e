"""Emit a whole descent whose learning rates a line search finds, all in registers.

As `symgd.backends.native.register_steps`; h[0] is the next trial of the rate, 0 before the first,
and is changed in place, k[RESTARTED] the step at which the rule's state last began anew. The
decisions are those of `symgd.descent.line_search.LineSearchKernel`, operation by operation.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.ir import Value, Variable, set_all
from symgd.backends.native.jit import pointers, source
from symgd.backends.native.register_steps import ARGUMENTS, RegisterLoop
from symgd.backends.program import Program
from symgd.backends.step_checks import DECREASE, HALVINGS, NOISE, TURN, Stop

RESTARTED = 6  # k, after those of `symgd.backends.native.descent_loop`


def line_search_loop(program: Program, params: int, states: int) -> str:
    """The module of a descent; program: whose first tail value is the learning rate."""
    loop = LineSearchLoop(program, params, states, settles=False)
    return source([loop.write(f"i64 @run({pointers(ARGUMENTS)})")], loop.e.declared)


class LineSearchLoop(RegisterLoop):
    """rate: the next trial. restarted: a step. start: the state of this attempt.

    uphill: whether one of its trials went up the slope.
    """

    rate: Variable
    restarted: Variable
    uphill: Variable
    start: list[Variable]

    def begin(self) -> None:
        super().begin()
        e = self.e
        self.corrections = []  # the step that they count from may change
        self.rate = e.variable(value=self.tail[0])
        self.restarted = e.variable("i64", e.load("%k", RESTARTED, "i64"))
        self.uphill = e.variable("i1")
        self.start = [e.variable() for _ in range(self.states)]

    def propose(self, t: Value) -> None:
        e = self.e
        states = list(self.moving.values())[self.params :]
        results = [e.variable() for _ in self.moving]
        set_all(results, [variable.get() for variable in self.moving.values()])
        with e.if_then(e.negated(e.all_equal(self.gradient, [e.number(0.0)] * self.params))):
            with e.if_then(e.compare("oeq", self.rate.get(), e.number(0.0))):
                self._first_rate()
            set_all(self.start, [state.get() for state in states])
            self._attempt(t, results)
        self.new = [result.get() for result in results]

    def _first_rate(self) -> None:
        """A step of a tenth of the parameters' size."""
        e = self.e
        size, steepest = e.number(1.0), e.number(0.0)
        for x, g in zip(self.theta, self.gradient, strict=True):
            size = self._larger(size, e.intrinsic("fabs", x))
            steepest = self._larger(steepest, e.intrinsic("fabs", g))
        rate = e.div(e.mul(e.number(0.1), size), steepest)
        one = e.number(1.0)
        self.rate.set(e.select(e.compare("olt", rate, one), rate, one))

    def _larger(self, a: Value, b: Value) -> Value:
        return self.e.select(self.e.compare("ogt", b, a), b, a)

    def _attempt(self, t: Value, results: Sequence[Variable]) -> None:
        """Halve the rate until a trial is accepted; once more with a fresh state if none is."""
        e = self.e
        done, fails = e.fresh_label("accepted"), e.variable("i64", 0)
        with e.while_loop(lambda: e.icmp("slt", fails.get(), 2)):
            first = self.rate.get()
            self.uphill.set(Value("false"))
            with e.for_range(HALVINGS):
                new = self._trial(t)
                with e.if_then(self._accepts(new)):
                    set_all(results, new)
                    self._longer()
                    e.goto(done)
                self.rate.set(e.mul(self.rate.get(), e.number(0.5)))
            self.rate.set(first)
            fails.set(e.integer("add", fails.get(), 1))
            fresh = e.icmp("eq", self.restarted.get(), t)
            with e.if_then(e.logic("or", fresh, e.icmp("eq", fails.get(), 2))):
                self.stop(Stop.NO_DESCENT)
            self.restarted.set(t)
            set_all(self.start, [e.number(0.0)] * self.states)
            self._first_rate()
        e.label(done)

    def _longer(self) -> None:
        """The next step begins with twice the rate."""
        e = self.e
        twice, most = e.mul(self.rate.get(), e.number(2.0)), e.number(1e300)
        self.rate.set(e.select(e.compare("olt", twice, most), twice, most))

    def _trial(self, t: Value) -> list[Value]:
        """Theta and state after a step of this rate from the state of the attempt."""
        e, names = self.e, self.program.names
        since = e.integer("sub nsw", t, self.restarted.get())
        number = e.emit(f"sitofp i64 {e.integer('add nsw', since, 1).text} to double")
        inputs = [*self.theta, *(s.get() for s in self.start), number, self.rate.get()]
        known = {**self.known, **dict(zip(names, inputs, strict=False))}
        outputs = [name for name in self.program.outputs if name != "|g|"]
        return e.outputs(self.program, known, outputs[: len(self.moving)])

    def _accepts(self, new: Sequence[Value]) -> Value:
        e, zero = self.e, self.e.number(0.0)
        theta = list(new[: self.params])
        known = dict(zip(self.program.names, theta, strict=False))
        for name in self.program.names[self.params :]:
            known[name] = zero  # loss and gradient do not read it
        names = [name for name in self.program.outputs if name != "|g|"][len(self.moving) :]
        [loss] = e.outputs(self.program, known, names[:1])
        moves = [e.sub(a, b) for a, b in zip(theta, self.theta, strict=True)]
        slope = self._dot(self.gradient, moves)
        uphill = e.compare("oge", slope, zero)
        self.uphill.set(e.logic("or", self.uphill.get(), uphill))
        falls = e.compare("ole", loss, e.add(self.loss, e.mul(e.number(DECREASE), slope)))
        below = e.compare("olt", loss, self.loss)
        chosen = e.variable("i1", e.select(uphill, below, falls, "i1"))
        room = e.mul(e.number(NOISE), e.intrinsic("fabs", self.loss))
        near = e.compare("ole", e.neg(slope), room)
        with e.if_then(e.logic("and", near, e.negated(self.uphill.get()))):
            gradient = e.outputs(self.program, known, names[1:])
            turns = e.compare("ole", self._dot(gradient, moves), e.mul(e.number(-TURN), slope))
            level = e.compare("ole", loss, e.add(self.loss, room))
            chosen.set(e.logic("and", level, turns))
        return e.logic("and", e.all_finite(theta), chosen.get())

    def _dot(self, a: Sequence[Value], b: Sequence[Value]) -> Value:
        total = self.e.number(0.0)
        for x, y in zip(a, b, strict=True):
            total = self.e.add(total, self.e.mul(x, y))
        return total

    def end(self) -> None:
        super().end()
        self.e.store(self.rate.get(), "%h", 0)
        self.e.store(self.restarted.get(), "%k", RESTARTED, "i64")
