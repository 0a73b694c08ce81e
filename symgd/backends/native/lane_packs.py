"""Emit the steps of many descents: packs of groups of SIMD lanes, kept in registers.

Steps are executed in blocks, in one of three forms. While theta stays in the box where `finite_box`
has proven loss and gradient finite, only theta is checked and the loss is not computed. Otherwise
all values that must be finite are checked. A block in which a lane fails a check is repeated with
all the checks of a single run at every step. Results of a block are committed only if every check
held; lanes that have stopped keep their values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgd.backends.native.ir import Value, Variable, set_all
from symgd.backends.native.jit import pointers, source
from symgd.backends.native.lane_steps import LaneStep, LaneSteps
from symgd.backends.native.sweep_lanes import (
    END,
    FIRST,
    GROUPS,
    LAST,
    MORE,
    NEXT,
    SHARE,
    TURN,
    Lanes,
    Look,
    T,
)

_BLOCK = 24  # steps of a block
_SWEEP = ("u", "w", "x", "s", "before", "code", "steps", "theta", "out")


def sweep_module(what: Lanes) -> str:
    """The module with both functions of `symgd.backends.native.sweep_lanes`."""
    sweep, look = LanePacks(what), Look(what)
    texts = [sweep.text(), look.text()]
    return source(texts, sweep.e.declared | look.e.declared)


@dataclass(frozen=True)
class _Member:
    """A group of the pack during a block of steps.

    moving: x, s and before, by the name of the array. running: which of its lanes have not
    stopped. trace: the accumulated check of the block, see `_extend`.
    """

    place: int
    moving: dict[str, list[Variable]]
    running: Variable
    trace: Variable

    def values(self, name: str) -> list[Value]:
        """The numbers of one array."""
        return [variable.get() for variable in self.moving[name]]

    def set(self, name: str, values: Sequence[Value]) -> None:
        """Change those numbers."""
        set_all(self.moving[name], values)


class LanePacks(LaneSteps):
    """The function `sweep`. alarm: in which lanes a step of the block may be the last."""

    def __init__(self, what: Lanes) -> None:
        super().__init__(what)
        sizes = {"x": what.params, "s": what.states, "before": what.params}
        self.members = [
            _Member(
                m,
                {n: [self.e.variable(wide=True) for _ in range(k)] for n, k in sizes.items()},
                self.e.variable("i1", wide=True),
                self.e.variable(wide=True),
            )
            for m in range(what.pack)
        ]
        self.alarm = self.e.variable("i1", wide=True)

    def text(self) -> str:
        e, what = self.e, self.what
        seen = e.allocate("[3 x i64]")
        self.start, self.end = self.k(T), self.k(END)
        self.read_shared()
        last, share, turn = self.k(LAST), self.k(SHARE), self.k(TURN)
        counter = e.at("%k", NEXT, "i64")
        done, found = e.variable("i64", 0), e.variable("i64", 0)
        with e.while_loop(lambda: e.icmp("slt", done.get(), turn)):
            first = e.emit(f"atomicrmw add ptr {counter}, i64 {share.text} monotonic")
            with e.if_then(e.icmp("sge", first, last)):
                e.ret(found.get())
            stop = e.least(e.integer("add nsw", first, share), last)
            with e.for_range(stop, first) as pack:
                self.first = e.integer("mul", pack, what.pack)
                self._blocks()
            ends = (e.integer("mul", k, what.pack) for k in (first, stop))
            for place, value in zip((FIRST, LAST, GROUPS), (*ends, self.k(GROUPS)), strict=True):
                e.store(value, seen, place, "i64")
            result = e.emit(f"call i64 @look(ptr {seen}, ptr %x, ptr %theta, ptr %out)")
            found.set(e.integer("or", found.get(), result))
            done.set(e.integer("add", done.get(), e.integer("sub", stop, first)))
        head = f"i64 @sweep(ptr %k, {pointers(_SWEEP)}) alignstack(64)"
        return e.define(head, f"i64 {e.integer('or', found.get(), MORE).text}")

    # -- blocks of steps --------------------------------------------------------------------

    def _blocks(self) -> None:
        """All steps of one pack."""
        e = self.e
        step, in_box = e.variable("i64", self.start), e.variable("i1", Value("true"))
        good = e.variable("i1")
        with e.while_loop(lambda: self._goes_on(step.get())):
            t = step.get()
            stop = e.least(e.integer("add nsw", t, _BLOCK), self.end)
            good.set(Value("false"))
            if self.what.box:
                with e.if_then(in_box.get()):
                    good.set(self._steps(t, stop, in_box=True))
                    in_box.set(good.get())  # once it is left, the loss is watched
            with e.if_then(e.negated(good.get())):
                good.set(self._steps(t, stop, in_box=False))
            with e.if_else(good.get()) as otherwise:
                self._commit()
                otherwise()
                self.checked_block(t, stop)
            step.set(stop)

    def _goes_on(self, t: Value) -> Value:
        """Note which lanes have not stopped; whether any has not, and steps remain."""
        e = self.e
        found = Value("false")
        for member in self.members:
            running = self.running(self.group(member.place))
            member.running.set(running)
            found = e.logic("or", found, running)
        return e.logic("and", self.any(found), e.icmp("slt", t, self.end))

    def _commit(self) -> None:
        """Store the results of a block in the lanes that have not stopped."""
        e = self.e
        for member in self.members:
            group, running = self.group(member.place), member.running.get()
            for name, variables in member.moving.items():
                old = self.load(f"%{name}", group, len(variables))
                pairs = zip(member.values(name), old, strict=True)
                self.store([e.select(running, a, b) for a, b in pairs], f"%{name}", group)

    def _steps(self, start: Value, stop: Value, in_box: bool) -> Value:
        """Make the steps of a block; whether all checks held.

        in_box: whether it is checked that theta stays in the box; else that all is finite.
        """
        e, what = self.e, self.what
        own = []
        for member in self.members:
            group = self.group(member.place)
            own.append(self.own_values(group))
            for name, variables in member.moving.items():
                member.set(name, self.load(f"%{name}", group, len(variables)))
            member.trace.set(e.number(0.0))
        self.alarm.set(Value("false"))
        with e.for_range(stop, start) as t:
            for member, values in zip(self.members, own, strict=True):
                x, s = member.values("x"), member.values("s")
                step = self.step(x, s, values, t)
                checked = [] if in_box else [step.loss, *step.gradient]
                self._extend(member.trace, x, checked, in_box)
                self._raise(member, step)
                for name, new in (("before", x), ("x", step.new), ("s", step.state)):
                    member.set(name, new)
        failed = self.alarm.get()
        for member in self.members:
            self._extend(member.trace, member.values("x"), [], in_box)
            end, limit = member.trace.get(), e.number(what.box**2)
            good = e.compare("ole", end, limit) if in_box else e.all_finite([end])
            failed = e.logic("or", failed, e.logic("and", member.running.get(), e.negated(good)))
        return e.negated(self.any(failed))

    def _extend(
        self, trace: Variable, x: Sequence[Value], checked: Sequence[Value], in_box: bool
    ) -> None:
        """Add this theta and these values to a trace.

        In the box it is the sum of the squares of theta: NaN or above box**2 if theta ever left it.
        Else it is NaN if anything was infinite or NaN.
        """
        e, total = self.e, trace.get()
        for value in x:
            total = e.multiply_add(value, value if in_box else e.number(0.0), total)
        for value in checked:
            total = e.multiply_add(value, e.number(0.0), total)
        trace.set(total)

    def _raise(self, member: _Member, step: LaneStep) -> None:
        """Note the lanes that a check with a tolerance may stop at this step."""
        e = self.e
        for check in self.checks:
            if check.with_tol:
                holds = e.logic("and", getattr(self, check.test)(step), member.running.get())
                self.alarm.set(e.logic("or", self.alarm.get(), holds))
