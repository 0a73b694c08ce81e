"""Emit one step of a group of SIMD lanes, and the block of steps in which lanes may stop."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from symgd.backends.native.ir import Integer, Value
from symgd.backends.native.sweep_lanes import LaneArrays, Lanes
from symgd.backends.step_checks import RUNNING, Stop, is_recorded, select_checks

SHARED = 1  # u: the tolerance, then the values that all lanes share


class LaneStep(NamedTuple):
    """A step from x: loss and gradient there, the next x and the next state; vectors."""

    x: Sequence[Value]
    loss: Value
    gradient: list[Value]
    new: list[Value]
    state: list[Value]


class LaneSteps(LaneArrays):
    """What the steps of a pack need.

    first: the group that the pack begins with. tol, shared: what `u` holds. The tests of
    `symgd.backends.step_checks` are methods.
    """

    first: Value
    tol: Value
    shared: dict[str, Value]

    def __init__(self, what: Lanes) -> None:
        super().__init__(what)
        self.tail = what.program.names[what.params + what.states + 1 :]
        self.checks = select_checks(what.settles, what.has_tol)

    def read_shared(self) -> None:
        """Load what all lanes share."""
        names = [n for n, own in zip(self.tail, self.what.own, strict=True) if not own]
        self.tol = self.e.load("%u", 0)
        self.shared = {name: self.e.load("%u", SHARED + k) for k, name in enumerate(names)}

    def group(self, member: Integer) -> Value:
        """The group that a member of the pack is."""
        return self.e.integer("add nsw", self.first, member)

    def own_values(self, group: Value) -> dict[str, Value]:
        """The values of lr and hyperparameters that each lane has of its own."""
        names = [n for n, own in zip(self.tail, self.what.own, strict=True) if own]
        return dict(zip(names, self.load("%w", group, len(names)), strict=True))

    def step(
        self, x: Sequence[Value], s: Sequence[Value], own: dict[str, Value], t: Value
    ) -> LaneStep:
        """The step after t."""
        e, program, params = self.e, self.what.program, self.what.params
        number = e.emit(f"sitofp i64 {e.integer('add nsw', t, 1).text} to double")
        known: dict[str, Value] = dict(zip(program.names, [*x, *s, number], strict=False))
        names = [name for name in program.outputs if name != "|g|"]
        values = [e.spread(v) for v in e.outputs(program, known | self.shared | own, names)]
        end = params + self.what.states
        return LaneStep(x, values[end], values[end + 1 :], values[:params], values[params:end])

    # -- tests ------------------------------------------------------------------------------

    def value_is_finite(self, step: LaneStep) -> Value:
        return self.e.all_finite([step.loss, *step.gradient])

    def gradient_is_small(self, step: LaneStep) -> Value:
        return self.e.all_small(step.gradient, self.tol)

    def step_is_finite(self, step: LaneStep) -> Value:
        return self.e.all_finite(step.new)

    def step_is_zero(self, step: LaneStep) -> Value:
        return self.e.all_equal(step.x, step.new)

    # -- steps with all checks --------------------------------------------------------------

    def checked_block(self, start: Value, stop: Value) -> None:
        """Steps, group by group, with every check at every step."""
        e = self.e
        with e.for_range(self.what.pack) as member:
            group = self.group(member)
            with e.for_range(stop, start) as t:
                self._checked_step(group, t)

    def running(self, group: Value) -> Value:
        """Which lanes of a group have not stopped."""
        (code,) = self.load("%code", group, 1, "i64")
        return self.e.icmp("eq", code, RUNNING)

    def _checked_step(self, group: Value, t: Value) -> None:
        e, what = self.e, self.what
        x, s = self.load("%x", group, what.params), self.load("%s", group, what.states)
        before = self.load("%before", group, what.params)
        step = self.step(x, s, self.own_values(group), t)
        active = self.running(group)
        back = Value("false")  # lanes whose theta is again the one before
        for check in self.checks:
            if check.stop is None:
                continue
            holds = getattr(self, check.test)(step)
            where = e.logic("and", active, holds if check.stops_if else e.negated(holds))
            active = e.logic("and", active, e.negated(where))
            self._stop(group, where, check.stop, t)
            if not is_recorded(check.stop):
                back = e.logic("or", back, where)
        following = zip(step.new, x, before, strict=True)
        now = [e.select(back, was, e.select(active, new, old)) for new, old, was in following]
        moves = e.logic("or", active, back)
        self.store(now, "%x", group)
        pairs = zip(x, before, strict=True)
        self.store([e.select(moves, old, was) for old, was in pairs], "%before", group)
        pairs = zip(step.state, s, strict=True)
        self.store([e.select(active, new, old) for new, old in pairs], "%s", group)

    def _stop(self, group: Value, where: Value, stop: Stop, t: Value) -> None:
        """Stop these lanes at step t, or at the one before where t is not recorded."""
        e = self.e
        if not is_recorded(stop):
            t = e.integer("sub nsw", t, 1)
            t = e.select(e.icmp("slt", t, 0), Value("0"), t, "i64")
        for value, array in ((Value(str(int(stop))), "%code"), (t, "%steps")):
            (old,) = self.load(array, group, 1, "i64")
            self.store([e.select(where, value, old, "i64")], array, group, "i64")
