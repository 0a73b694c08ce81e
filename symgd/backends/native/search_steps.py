"""Emit a whole descent whose learning rates a line search finds, in registers or over arrays.

As `register_steps` and `array_steps`; h[0] is the next trial of the rate, 0 before the first,
and is changed in place, k[RESTARTED] the step at which the rule's state last began anew. The
decisions are those of `symgd.descent.line_search.LineSearchKernel`, operation by operation.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence

from symgd.backends.native.array_steps import ARRAY_ARGUMENTS, ArrayLoop
from symgd.backends.native.descent_loop import DescentLoop
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


def array_search_loop(
    rule: Program, address: int, params: int, singles: Sequence[bool], bounded: bool
) -> str:
    """The same over arrays, as `symgd.backends.native.array_steps.array_loop`.

    One more array: the loss and gradient of a trial.
    """
    loop = ArraySearchLoop(rule, address, params, singles, settles=False, bounded=bounded)
    names = (*ARRAY_ARGUMENTS, "trial")
    return source([loop.write(f"i64 @run({pointers(names)})")], loop.e.declared)


class Searching(DescentLoop):
    """The search, wherever the numbers are.

    rate: the next trial. restarted: a step. uphill: whether a trial of this attempt went up the
    slope.
    """

    rate: Variable
    restarted: Variable
    uphill: Variable

    def begin_search(self, rate: Value) -> None:
        """Load what is kept from step to step."""
        e = self.e
        self.rate = e.variable(value=rate)
        self.restarted = e.variable("i64", e.load("%k", RESTARTED, "i64"))
        self.uphill = e.variable("i1")

    def search(self, t: Value) -> None:
        """Halve the rate until a trial is accepted; once more with a fresh state if none is."""
        e = self.e
        with e.if_then(e.compare("oeq", self.rate.get(), e.number(0.0))):
            self.first_rate()
        done, fails = e.fresh_label("accepted"), e.variable("i64", 0)
        with e.while_loop(lambda: e.icmp("slt", fails.get(), 2)):
            first = self.rate.get()
            self.uphill.set(Value("false"))
            with e.for_range(HALVINGS):
                since = e.integer("sub nsw", t, self.restarted.get())
                self.trial(e.emit(f"sitofp i64 {e.integer('add nsw', since, 1).text} to double"))
                with e.if_then(self.accepts()):
                    self.accept()
                    twice, most = e.mul(self.rate.get(), e.number(2.0)), e.number(1e300)
                    self.rate.set(e.select(e.compare("olt", twice, most), twice, most))
                    e.goto(done)
                self.rate.set(e.mul(self.rate.get(), e.number(0.5)))
            self.rate.set(first)
            fails.set(e.integer("add", fails.get(), 1))
            fresh = e.icmp("eq", self.restarted.get(), t)
            with e.if_then(e.logic("or", fresh, e.icmp("eq", fails.get(), 2))):
                self.stop(Stop.NO_DESCENT)
            self.restarted.set(t)
            self.clear_state()
            self.first_rate()
        e.label(done)

    def rate_for(self, size: Value, steepest: Value) -> None:
        """A first step of a tenth of the parameters' size. size: max|theta|, at least 1."""
        e, one = self.e, self.e.number(1.0)
        rate = e.div(e.mul(e.number(0.1), size), steepest)
        self.rate.set(e.select(e.compare("olt", rate, one), rate, one))

    def larger(self, a: Value, b: Value) -> Value:
        """The larger of two numbers."""
        return self.e.select(self.e.compare("ogt", b, a), b, a)

    def decide(self, loss: Value, slope: Value, later: Callable[[], Value]) -> Value:
        """Whether a trial of this loss is accepted.

        slope: the gradient times the step. later: emits the gradient there times the step.
        """
        e = self.e
        uphill = e.compare("oge", slope, e.number(0.0))
        self.uphill.set(e.logic("or", self.uphill.get(), uphill))
        falls = e.compare("ole", loss, e.add(self.loss, e.mul(e.number(DECREASE), slope)))
        below = e.compare("olt", loss, self.loss)
        chosen = e.variable("i1", e.select(uphill, below, falls, "i1"))
        room = e.mul(e.number(NOISE), e.intrinsic("fabs", self.loss))
        near = e.compare("ole", e.neg(slope), room)
        with e.if_then(e.logic("and", near, e.negated(self.uphill.get()))):
            turns = e.compare("ole", later(), e.mul(e.number(-TURN), slope))
            level = e.compare("ole", loss, e.add(self.loss, room))
            chosen.set(e.logic("and", level, turns))
        return chosen.get()

    def end(self) -> None:
        super().end()
        self.e.store(self.rate.get(), "%h", 0)
        self.e.store(self.restarted.get(), "%k", RESTARTED, "i64")

    @abstractmethod
    def first_rate(self) -> None:
        """Set the first rate, by `rate_for`."""

    @abstractmethod
    def trial(self, number: Value) -> None:
        """Evaluate theta and state after a step of this rate; number: of the step."""

    @abstractmethod
    def accepts(self) -> Value:
        """Whether the trial is accepted."""

    @abstractmethod
    def accept(self) -> None:
        """Take the trial as the next step."""

    @abstractmethod
    def clear_state(self) -> None:
        """Let the rule's state begin anew."""


class LineSearchLoop(Searching, RegisterLoop):
    """start: the state of this attempt. tried: theta and state of a trial."""

    start: list[Variable]
    tried: list[Value]

    def begin(self) -> None:
        super().begin()
        self.corrections = []  # the step that they count from may change
        self.begin_search(self.tail[0])
        self.start = [self.e.variable() for _ in range(self.states)]

    def propose(self, t: Value) -> None:
        e = self.e
        states = list(self.moving.values())[self.params :]
        self.results = [e.variable() for _ in self.moving]
        set_all(self.results, [variable.get() for variable in self.moving.values()])
        with e.if_then(e.negated(e.all_equal(self.gradient, [e.number(0.0)] * self.params))):
            set_all(self.start, [state.get() for state in states])
            self.search(t)
        self.new = [result.get() for result in self.results]

    def first_rate(self) -> None:
        e = self.e
        size, steepest = e.number(1.0), e.number(0.0)
        for x, g in zip(self.theta, self.gradient, strict=True):
            size = self.larger(size, e.intrinsic("fabs", x))
            steepest = self.larger(steepest, e.intrinsic("fabs", g))
        self.rate_for(size, steepest)

    def trial(self, number: Value) -> None:
        inputs = [*self.theta, *(s.get() for s in self.start), number, self.rate.get()]
        known = {**self.known, **dict(zip(self.program.names, inputs, strict=False))}
        self.tried = self.e.outputs(self.program, known, self._names[: len(self.moving)])

    @property
    def _names(self) -> list[str]:
        """The outputs of the program, without |g|."""
        return [name for name in self.program.outputs if name != "|g|"]

    def accepts(self) -> Value:
        e, names = self.e, self._names[len(self.moving) :]
        theta = self.tried[: self.params]
        known = dict(zip(self.program.names, theta, strict=False))
        for name in self.program.names[self.params :]:
            known[name] = e.number(0.0)  # loss and gradient do not read it
        [loss] = e.outputs(self.program, known, names[:1])
        moves = [e.sub(a, b) for a, b in zip(theta, self.theta, strict=True)]
        slope = self._dot(self.gradient, moves)

        def later() -> Value:
            return self._dot(e.outputs(self.program, known, names[1:]), moves)

        return e.logic("and", e.all_finite(theta), self.decide(loss, slope, later))

    def accept(self) -> None:
        set_all(self.results, self.tried)

    def clear_state(self) -> None:
        set_all(self.start, [self.e.number(0.0)] * self.states)

    def _dot(self, a: Sequence[Value], b: Sequence[Value]) -> Value:
        total = self.e.number(0.0)
        for x, y in zip(a, b, strict=True):
            total = self.e.add(total, self.e.mul(x, y))
        return total


class ArraySearchLoop(Searching, ArrayLoop):
    """The next theta is in %new, loss and gradient there in %trial."""

    def begin(self) -> None:
        super().begin()
        self.rate_name = self.rule.names[2 + self.states + 1]
        self.begin_search(self.tail[self.rate_name])

    def propose(self, t: Value) -> None:
        e = self.e
        self.e.copy("%new", "%x", 8 * self.params)
        self.e.copy(e.at("%new", self.params), "%s", 8 * self.first[-1])
        zero = e.number(0.0)
        still = self._all(self.gradient, lambda g, i: e.all_equal([self._slope(g, i)], [zero]))
        with e.if_then(e.negated(still)):
            self.search(t)

    def first_rate(self) -> None:
        e = self.e
        size, steepest = (e.variable(value=e.number(v)) for v in (1.0, 0.0))
        with e.for_range(self.params) as i:
            size.set(self.larger(size.get(), e.intrinsic("fabs", e.load("%x", i))))
            g = self._slope(e.load(self.gradient, i), i)
            steepest.set(self.larger(steepest.get(), e.intrinsic("fabs", g)))
        self.rate_for(size.get(), steepest.get())

    def trial(self, number: Value) -> None:
        self.step(number, {self.rate_name: self.rate.get()})

    def accepts(self) -> Value:
        e = self.e
        self.call("%new", "%trial")
        there = e.at("%trial", 1)

        def along(array: str, at: str) -> Value:
            return self._sum(
                array,
                lambda g, i: e.mul(
                    self._slope(g, i, at), e.sub(e.load("%new", i), e.load("%x", i))
                ),
            )

        slope = along(self.gradient, "%x")
        chosen = self.decide(e.load("%trial", 0), slope, lambda: along(there, "%new"))
        return e.logic("and", self.step_is_finite(), chosen)

    def accept(self) -> None:
        """It is in %new already."""

    def clear_state(self) -> None:
        with self.e.for_range(self.first[-1]) as i:
            self.e.store(self.e.number(0.0), "%s", i)
