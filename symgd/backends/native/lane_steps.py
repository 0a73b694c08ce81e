"""Emit one step of a group of SIMD lanes, without tests and with all tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from symgd.backends.native.descent_loop import Code
from symgd.backends.native.register_steps import finite, run_program
from symgd.backends.native.sweep_lanes import Lanes, Writer
from symgd.backends.native.translate import Value

SHARED = 1  # u: the tolerance, then the values that all lanes share


class Point(NamedTuple):
    """Theta and the rule's state, one vector for each number."""

    x: list[Value]
    s: list[Value]


class Step(NamedTuple):
    """Where a step leads, and loss and gradient where it began."""

    new: Point
    loss: Value
    grad: list[Value]


class Stepper(Writer):
    """What the steps of a pack need.

    first: the group that the pack begins with. tol, shared: what `u` holds.
    """

    first: Value
    tol: Value
    shared: dict[str, Value]

    def __init__(self, what: Lanes) -> None:
        super().__init__(what)
        program, moving = what.program, what.params + what.states
        self.number = program.names[moving]  # of the step
        self.tail = program.names[moving + 1 :]

    def read_shared(self) -> None:
        """Load what all lanes share."""
        e = self.e
        names = [n for n, own in zip(self.tail, self.what.own, strict=True) if not own]
        places = [
            e.emit(f"getelementptr double, ptr %u, i64 {k}") for k in range(SHARED + len(names))
        ]
        self.tol, *values = (e.emit(f"load double, ptr {at.text}") for at in places)
        self.shared = dict(zip(names, values, strict=True))

    def group(self, member: int | Value) -> Value:
        text = member.text if isinstance(member, Value) else member
        return self.e.emit(f"add nsw i64 {self.first.text}, {text}")

    # -- one step ---------------------------------------------------------------------------

    def step_number(self, t: Value) -> Value:
        """The number of the step after t, from 1 on."""
        following = self.e.emit(f"add nsw i64 {t.text}, 1")
        return self.e.emit(f"sitofp i64 {following.text} to double")

    def own_values(self, group: Value) -> dict[str, Value]:
        """The values of lr and hyperparameters that each lane has of its own."""
        names = [n for n, own in zip(self.tail, self.what.own, strict=True) if own]
        return dict(zip(names, self.load("%w", group, len(names)), strict=True))

    def one_step(
        self, x: Sequence[Value], s: Sequence[Value], own: dict[str, Value], number: Value
    ) -> Step:
        e, what = self.e, self.what
        known: dict[str, Value] = dict(zip(what.program.names, [*x, *s, number], strict=False))
        known |= self.shared | own
        out = run_program(e, what.program, known, skip=("|g|",))
        end = what.params + what.states
        new = Point([e.spread(v) for v in out[: what.params]], out[what.params : end])
        return Step(new, e.spread(out[end]), [e.spread(g) for g in out[end + 1 :]])

    def small(self, grad: Sequence[Value]) -> Value:
        """max|g| <= tol."""
        e = self.e
        result = Value("true")
        for slope in grad:
            result = e.logic("and", result, e.compare("ole", e.intrinsic("fabs", slope), self.tol))
        return result

    def still(self, x: Sequence[Value], new: Sequence[Value]) -> Value:
        """Whether the step left theta where it was."""
        e = self.e
        result = Value("true")
        for old, now in zip(x, new, strict=True):
            result = e.logic("and", result, e.compare("oeq", old, now))
        return result

    # -- with care --------------------------------------------------------------------------

    def careful_block(self, t: Value, until: Value) -> None:
        """The block once more, group by group, with every question at every step."""
        e = self.e
        e.label("again")
        member = self.open("member", "0", Value(str(self.what.pack)))
        group = self.group(member)
        at = self.open("careful", t.text, until)
        self._careful_step(group, at)
        self.close("careful")
        self.close("member")
        e.add_line("br label %next")

    def running(self, group: Value) -> Value:
        """Which lanes of a group have not stopped."""
        e = self.e
        (code,) = self.load("%code", group, 1, "i64")
        running = e.spread(Value(str(int(Code.DONE))), "i64")
        return e.emit(f"icmp eq {e.type(True, 'i64')} {code.text}, {running.text}", True)

    def _careful_step(self, group: Value, t: Value) -> None:
        e, what = self.e, self.what
        x, s = self.load("%x", group, what.params), self.load("%s", group, what.states)
        step = self.one_step(x, s, self.own_values(group), self.step_number(t))
        active = self.running(group)
        before = self.load("%before", group, what.params)
        good = finite(e, [step.loss, *step.grad])
        lost = e.logic("and", active, e.negated(good))
        earlier = e.emit(f"sub nsw i64 {t.text}, 1")
        none = e.emit(f"icmp slt i64 {earlier.text}, 0")
        earlier = e.emit(f"select i1 {none.text}, i64 0, i64 {earlier.text}")
        self._stop(group, lost, Code.NONFINITE_LOSS, earlier)
        active = e.logic("and", active, good)
        if what.certificate:
            active = self._ask(group, active, self.small(step.grad), Code.CONVERGED, t)
        broken = e.negated(finite(e, step.new.x))
        active = self._ask(group, active, broken, Code.NONFINITE_STEP, t)
        if what.settles and what.certificate:
            active = self._ask(group, active, self.still(x, step.new.x), Code.STUCK, t)
        following = zip(step.new.x, x, before, strict=True)
        now = [e.select(lost, was, e.select(active, new, old)) for new, old, was in following]
        moves = e.logic("or", active, lost)
        last = [e.select(moves, old, was) for old, was in zip(x, before, strict=True)]
        self.store(now, "%x", group)
        self.store(last, "%before", group)
        state = [e.select(active, new, old) for new, old in zip(step.new.s, s, strict=True)]
        if state:
            self.store(state, "%s", group)

    def _ask(self, group: Value, active: Value, condition: Value, code: Code, t: Value) -> Value:
        """Stop the active lanes where it holds; the lanes that go on."""
        e = self.e
        self._stop(group, e.logic("and", active, condition), code, t)
        return e.logic("and", active, e.negated(condition))

    def _stop(self, group: Value, where: Value, code: Code, t: Value) -> None:
        e = self.e
        kind = e.type(True, "i64")
        for value, array in ((Value(str(int(code))), "%code"), (t, "%steps")):
            (old,) = self.load(array, group, 1, "i64")
            new = e.spread(value, "i64")
            chosen = e.emit(
                f"select {e.type(True, 'i1')} {where.text}, {kind} {new.text}, {kind} {old.text}",
                True,
            )
            self.store([chosen], array, group, "i64")
