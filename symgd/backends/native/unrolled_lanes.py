"""The IR of the steps of many descents: packs of groups of lanes, kept in registers.

The steps are taken in blocks, and a block goes three ways. Where `finite_box` has proved that
within |theta|, |state| <= u[RADIUS] the next AHEAD steps are finite, the loss is not computed at
all: every AHEAD steps it is asked whether the lanes are still inside. Else the loss (and, with a
tolerance, the gradient) is watched, and asked about after the block. A block that shows a lane in
trouble is taken a third time, with all the questions that a single run asks at every step. What a
block has computed is kept only if no question was left open, and lanes that have stopped keep
their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.boxed import BOXED_COUNTERS, Boxed
from symgd.backends.native.jit import source
from symgd.backends.native.register_steps import finite
from symgd.backends.native.step_powers import FUNCTIONS
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
from symgd.backends.native.translate import Value

_BLOCK = 24  # steps between questions

_COUNTERS = ("pack", "done", "found", "t", "watched", "member", "careful", *BOXED_COUNTERS)
_HEAD = (
    "define i64 @sweep(ptr %k, ptr noalias %u, ptr noalias %w, ptr noalias %x, "
    "ptr noalias %s, ptr noalias %before, ptr noalias %code, ptr noalias %steps, "
    "ptr noalias %theta, ptr noalias %out) alignstack(64) {"
)


def sweep_module(what: Lanes) -> str:
    """The module with both functions of `symgd.backends.native.sweep_lanes`."""
    sweep, look = _Sweep(what), Look(what)
    texts = [sweep.text(), look.text()]
    if sweep.powers:
        texts.insert(0, FUNCTIONS)
    return source(texts, sweep.e.declared | look.e.declared)


class _Sweep(Boxed):
    """The function `sweep`."""

    def text(self) -> str:
        e, what = self.e, self.what
        e.label("entry")
        for name in _COUNTERS:
            e.add_line(f"%{name} = alloca i64")
        e.add_line("%seen = alloca [3 x i64]")
        self.reserve()
        e.add_line(f"%trace = alloca {e.type(True)}")
        e.add_line(f"%alarm = alloca {e.type(True, 'i64')}")
        self.start, self.end = self.k(T), self.k(END)
        self.read_shared()
        last, share, turn = self.k(LAST), self.k(SHARE), self.k(TURN)
        following = e.emit(f"getelementptr i64, ptr %k, i64 {NEXT}")
        for counter in ("done", "found"):
            e.add_line(f"store i64 0, ptr %{counter}")
        e.add_line("br label %take")
        e.label("take")
        first = e.emit(f"atomicrmw add ptr {following.text}, i64 {share.text} monotonic")
        some = e.emit(f"icmp slt i64 {first.text}, {last.text}")
        e.add_line(f"br i1 {some.text}, label %packs, label %end")
        e.label("packs")
        until = e.least(e.emit(f"add nsw i64 {first.text}, {share.text}"), last)
        self.pack = self.open("pack", first.text, until)
        self.first = e.emit(f"mul i64 {self.pack.text}, {what.pack}")
        self._blocks()
        self.close("pack")
        found = self._added("found", "or", self._look(first, until))
        done = self._added("done", "add", e.emit(f"sub nsw i64 {until.text}, {first.text}"))
        left = e.emit(f"icmp slt i64 {done.text}, {turn.text}")
        e.add_line(f"br i1 {left.text}, label %take, label %leave")
        e.label("leave")
        e.add_line(f"ret i64 {e.emit(f'or i64 {found.text}, {MORE}').text}")
        e.label("end")
        e.add_line(f"ret i64 {e.emit('load i64, ptr %found').text}")
        return "\n".join([_HEAD, *e.lines, "}"])

    def _added(self, counter: str, operation: str, value: Value) -> Value:
        """The counter with this added to it."""
        e = self.e
        before = e.emit(f"load i64, ptr %{counter}")
        after = e.emit(f"{operation} i64 {before.text}, {value.text}")
        e.add_line(f"store i64 {after.text}, ptr %{counter}")
        return after

    def _look(self, first: Value, last: Value) -> Value:
        """Call `look` for the groups of these packs."""
        e = self.e
        counts = [e.emit(f"mul i64 {k.text}, {self.what.pack}") for k in (first, last)]
        for place, value in ((FIRST, counts[0]), (LAST, counts[1]), (GROUPS, self.k(GROUPS))):
            at = e.emit(f"getelementptr i64, ptr %seen, i64 {place}")
            e.add_line(f"store i64 {value.text}, ptr {at.text}")
        return e.emit("call i64 @look(ptr %seen, ptr %x, ptr %theta, ptr %out)")

    # -- blocks of steps --------------------------------------------------------------------

    def _blocks(self) -> None:
        e = self.e
        e.add_line(f"store i64 {self.start.text}, ptr %t")
        if self.what.boxed:
            self.begin_boxed()
        e.add_line("br label %ask")
        e.label("ask")
        running = self._masks()
        t = e.emit("load i64, ptr %t")
        left = e.emit(f"icmp slt i64 {t.text}, {self.end.text}")
        go = e.logic("and", self.any(running), left)
        e.add_line(f"br i1 {go.text}, label %block, label %blocks.end")
        e.label("block")
        if self.what.boxed:
            self.boxed_block(t, self.end)
        else:
            e.add_line("br label %watch")
        e.label("watch")
        whole = e.emit(f"add nsw i64 {t.text}, {_BLOCK}")
        until = e.least(whole, self.end)
        self._watched(t, until)
        self.careful_block(t, until)
        e.label("accept")
        self.accept(("x", "s", "before"))
        e.add_line("br label %next")
        e.label("next")
        e.add_line(f"store i64 {until.text}, ptr %t")
        e.add_line("br label %ask")
        e.label("blocks.end")

    def _masks(self) -> Value:
        """Remember which lanes have not stopped: all bits set; whether any has not."""
        e = self.e
        kind = e.type(True, "i64")
        none = any_ = e.spread(Value("0"), "i64")
        for m in self.members:
            running = self.running(self.group(m))
            mask = e.emit(f"sext {e.type(True, 'i1')} {running.text} to {kind}", True)
            e.add_line(f"store {kind} {mask.text}, ptr %mask.{m}")
            any_ = e.emit(f"or {kind} {any_.text}, {mask.text}", True)
        return e.emit(f"icmp ne {kind} {any_.text}, {none.text}", True)

    def _watched(self, t: Value, until: Value) -> None:
        """A block with an eye on the loss; then on, or with care."""
        e = self.e
        wide, bits = e.type(True), e.type(True, "i64")
        self.take()
        e.add_line(f"store {wide} {e.spread(e.number(0.0)).text}, ptr %trace")
        e.add_line(f"store {bits} {e.spread(Value('0'), 'i64').text}, ptr %alarm")
        at = self.open("watched", t.text, until)
        number = self.step_number(at)
        for m in self.members:
            self._watched_step(m, number)
        self.close("watched")
        good = self._trace([value for m in self.members for value in self.masked("x", m)])
        alarm = e.emit(f"load {bits}, ptr %alarm", True)
        none = e.spread(Value("0"), "i64")
        raised = e.emit(f"icmp ne {bits} {alarm.text}, {none.text}", True)
        trouble = self.any(e.logic("or", raised, e.negated(finite(e, [good]))))
        e.add_line(f"br i1 {trouble.text}, label %again, label %accept")

    def _watched_step(self, m: int, number: Value) -> None:
        e, what = self.e, self.what
        x, s = self.local("x", m), self.local("s", m)
        self.keep("before", m, x)
        step = self.one_step(x, s, self.own_values(self.group(m)), number)
        watched = [step.loss]
        if not what.lasting:
            watched += [*step.grad, *step.new.x]
        self._trace([self.mask(m, value) for value in watched])
        if what.certificate:
            alarm = self.small(step.grad)
            if what.settles:
                alarm = e.logic("or", alarm, self.still(x, step.new.x))
            self._raise(m, alarm)
        self.keep("x", m, step.new.x)
        self.keep("s", m, step.new.s)

    def _trace(self, values: Sequence[Value]) -> Value:
        """NaN as soon as one of them is infinite or NaN, and from then on."""
        e, wide = self.e, self.e.type(True)
        trace = e.emit(f"load {wide}, ptr %trace", True)
        for value in values:
            trace = e.intrinsic("fma", value, e.number(0.0), trace)
        e.add_line(f"store {wide} {trace.text}, ptr %trace")
        return trace

    def _raise(self, m: int, alarm: Value) -> None:
        e = self.e
        bits = e.type(True, "i64")
        raised = e.spread(alarm, "i1")
        now = e.emit(f"sext {e.type(True, 'i1')} {raised.text} to {bits}", True)
        mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
        here = e.emit(f"and {bits} {now.text}, {mask.text}", True)
        before = e.emit(f"load {bits}, ptr %alarm", True)
        both = e.emit(f"or {bits} {before.text}, {here.text}", True)
        e.add_line(f"store {bits} {both.text}, ptr %alarm")
