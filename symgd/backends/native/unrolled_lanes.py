"""Emit the steps of many descents: packs of groups of SIMD lanes, kept in registers.

Steps are executed in blocks, in one of three forms. While theta stays in the box where `finite_box`
has proven loss and gradient finite, only theta is checked and the loss is not computed. Otherwise
all values that must be finite are checked. A block in which a lane fails a check is repeated with
all the tests of a single run at every step. Results of a block are committed only if every check
held; lanes that have stopped keep their values.
"""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.jit import source
from symgd.backends.native.lane_groups import Packed
from symgd.backends.native.lane_steps import Step
from symgd.backends.native.register_steps import finite
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

_COUNTERS = ("pack", "done", "found", "t", "inside", "watched", "member", "careful")
_HEAD = (
    "define i64 @sweep(ptr %k, ptr noalias %u, ptr noalias %w, ptr noalias %x, "
    "ptr noalias %s, ptr noalias %before, ptr noalias %code, ptr noalias %steps, "
    "ptr noalias %theta, ptr noalias %out) alignstack(64) {"
)


def sweep_module(what: Lanes) -> str:
    """The module with both functions of `symgd.backends.native.sweep_lanes`."""
    sweep, look = _Sweep(what), Look(what)
    texts = [sweep.text(), look.text()]
    return source(texts, sweep.e.declared | look.e.declared)


class _Sweep(Packed):
    """The function `sweep`."""

    def text(self) -> str:
        e, what = self.e, self.what
        e.label("entry")
        for name in _COUNTERS:
            e.add_line(f"%{name} = alloca i64")
        e.add_line("%seen = alloca [3 x i64]")
        self.reserve()
        for m in self.members:
            e.add_line(f"%trace.{m} = alloca {e.type(True)}")
        e.add_line("%near = alloca i1")
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
        e.add_line("store i1 true, ptr %near")
        e.add_line("br label %ask")
        e.label("ask")
        running = self._masks()
        t = e.emit("load i64, ptr %t")
        left = e.emit(f"icmp slt i64 {t.text}, {self.end.text}")
        go = e.logic("and", self.any(running), left)
        e.add_line(f"br i1 {go.text}, label %block, label %blocks.end")
        e.label("block")
        until = e.least(e.emit(f"add nsw i64 {t.text}, {_BLOCK}"), self.end)
        if self.what.box:
            near = e.emit("load i1, ptr %near")
            e.add_line(f"br i1 {near.text}, label %in.box, label %watch")
            e.label("in.box")
            self._steps("inside", t, until, "far", in_box=True)
            e.label("far")  # from now on the loss is watched
            e.add_line("store i1 false, ptr %near")
        e.add_line("br label %watch")
        e.label("watch")
        self._steps("watched", t, until, "again", in_box=False)
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

    def _steps(self, name: str, t: Value, until: Value, trouble: str, in_box: bool) -> None:
        """The steps of a block; then on to `accept`, or to the label `trouble`.

        in_box: whether it is watched that theta stays in the box; else that all is finite.
        """
        e, what = self.e, self.what
        wide, bits = e.type(True), e.type(True, "i64")
        self.take()
        for m in self.members:
            e.add_line(f"store {wide} {e.spread(e.number(0.0)).text}, ptr %trace.{m}")
        none = e.spread(Value("0"), "i64")
        e.add_line(f"store {bits} {none.text}, ptr %alarm")
        at = self.open(name, t.text, until)
        number = self.step_number(at)
        for m in self.members:
            x, s = self.local("x", m), self.local("s", m)
            self.keep("before", m, x)
            step = self.one_step(x, s, self.own_values(self.group(m)), number)
            watched = [] if in_box else [step.loss, *step.grad]
            trace = self._trace(m, x, watched, in_box)
            e.add_line(f"store {wide} {trace.text}, ptr %trace.{m}")
            self._raise(m, x, step)
            self.keep("x", m, step.new.x)
            self.keep("s", m, step.new.s)
        self.close(name)
        alarm = e.emit(f"load {bits}, ptr %alarm", True)
        found = e.emit(f"icmp ne {bits} {alarm.text}, {none.text}", True)
        for m in self.members:
            trace = self._trace(m, self.local("x", m), [], in_box)
            good = finite(e, [trace])
            if in_box:
                good = e.compare("ole", trace, e.number(what.box**2))
            mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
            running = e.emit(f"icmp ne {bits} {mask.text}, {none.text}", True)
            found = e.logic("or", found, e.logic("and", running, e.negated(good)))
        e.add_line(f"br i1 {self.any(found).text}, label %{trouble}, label %accept")

    def _trace(self, m: int, x: Sequence[Value], watched: Sequence[Value], in_box: bool) -> Value:
        """What member m came through, this theta and these values included.

        In the box the sum of the squares of theta: NaN or above box**2 if theta ever left it. Else
        NaN if anything was infinite or NaN.
        """
        e = self.e
        trace = e.emit(f"load {e.type(True)}, ptr %trace.{m}", True)
        for value in x:
            trace = e.intrinsic("fma", value, value if in_box else e.number(0.0), trace)
        for value in watched:
            trace = e.intrinsic("fma", value, e.number(0.0), trace)
        return trace

    def _raise(self, m: int, x: Sequence[Value], step: Step) -> None:
        """Note the lanes where a step may converge or stay."""
        e, what = self.e, self.what
        if not what.certificate:
            return
        alarm = self.small(step.grad)
        if what.settles:
            alarm = e.logic("or", alarm, self.still(x, step.new.x))
        bits = e.type(True, "i64")
        raised = e.spread(alarm, "i1")
        now = e.emit(f"sext {e.type(True, 'i1')} {raised.text} to {bits}", True)
        mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
        here = e.emit(f"and {bits} {now.text}, {mask.text}", True)
        before = e.emit(f"load {bits}, ptr %alarm", True)
        both = e.emit(f"or {bits} {before.text}, {here.text}", True)
        e.add_line(f"store {bits} {both.text}, ptr %alarm")
