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

from symgd.backends.native.emit import Value
from symgd.backends.native.lane_steps import Stepper
from symgd.backends.native.lanes import AHEAD, END, FIRST, LAST, Lanes, Look, T
from symgd.backends.native.machine import source
from symgd.backends.native.powers import FUNCTIONS
from symgd.backends.native.steps import finite

_BLOCK = 24  # steps between questions, a multiple of AHEAD
_PAUSE = 8  # blocks that watch the loss after one that has left the box

_COUNTERS = ("pack", "t", "bare", "watched", "member", "careful", "pause")
_HEAD = (
    "define i64 @sweep(ptr noalias %k, ptr noalias %u, ptr noalias %w, ptr noalias %x, "
    "ptr noalias %s, ptr noalias %before, ptr noalias %code, ptr noalias %steps) alignstack(64) {"
)


def sweep_module(what: Lanes) -> str:
    """The module with both functions of `symgd.backends.native.lanes`."""
    sweep, look = _Sweep(what), Look(what)
    texts = [sweep.text(), look.text()]
    if sweep.powers:
        texts.insert(0, FUNCTIONS)
    return source(texts, sweep.e.declared | look.e.declared)


class _Sweep(Stepper):
    """The function `sweep`."""

    def __init__(self, what: Lanes) -> None:
        super().__init__(what)
        self.members = range(what.pack)

    def text(self) -> str:
        e, what = self.e, self.what
        e.label("entry")
        for name in _COUNTERS:
            e.add_line(f"%{name} = alloca i64")
        wide, masks = e.type(True), e.type(True, "i64")
        for m in self.members:
            e.add_line(f"%mask.{m} = alloca {masks}")
            for name, count in self._moving():
                for k in range(count):
                    e.add_line(f"%{name}.{m}.{k} = alloca {wide}")
        for name in ("top", "trace"):
            e.add_line(f"%{name} = alloca {wide}")
        e.add_line(f"%alarm = alloca {masks}")
        self.start, self.end = self.k(T), self.k(END)
        self.read_shared()
        first, last = self.k(FIRST), self.k(LAST)
        self.pack = self.open("pack", first.text, last)
        self.first = e.emit(f"mul i64 {self.pack.text}, {what.pack}")
        self._blocks()
        self.close("pack")
        e.add_line("ret i64 0")
        return "\n".join([_HEAD, *e.lines, "}"])

    def _moving(self) -> tuple[tuple[str, int], ...]:
        """What a lane carries from step to step, and the theta before."""
        params, states = self.what.params, self.what.states
        return ("x", params), ("s", states), ("before", params)

    # -- blocks of steps --------------------------------------------------------------------

    def _blocks(self) -> None:
        e = self.e
        e.add_line(f"store i64 {self.start.text}, ptr %t")
        e.add_line("store i64 0, ptr %pause")
        e.add_line("br label %ask")
        e.label("ask")
        running = self._masks()
        t = e.emit("load i64, ptr %t")
        left = e.emit(f"icmp slt i64 {t.text}, {self.end.text}")
        go = e.logic("and", self.any(running), left)
        e.add_line(f"br i1 {go.text}, label %block, label %blocks.end")
        e.label("block")
        whole = e.emit(f"add nsw i64 {t.text}, {_BLOCK}")
        fits = e.emit(f"icmp sle i64 {whole.text}, {self.end.text}")
        until = e.emit(f"select i1 {fits.text}, i64 {whole.text}, i64 {self.end.text}")
        if self.what.boxed:
            self._choose(fits)
            self._bare(t)
        else:
            e.add_line("br label %watch")
        self._watched(t, until)
        self.careful_block(t, until)
        e.label("accept")
        self._accept()
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

    def _choose(self, fits: Value) -> None:
        """Whether the next block may go without the loss."""
        e = self.e
        pause = e.emit("load i64, ptr %pause")
        less = e.emit(f"sub nsw i64 {pause.text}, 1")
        over = e.emit(f"icmp sle i64 {pause.text}, 0")
        e.add_line(f"store i64 {less.text}, ptr %pause")
        proved = e.compare("ogt", self.radius, e.number(0.0))
        go = e.logic("and", e.logic("and", fits, over), proved)
        e.add_line(f"br i1 {go.text}, label %boxed, label %watch")

    def _bare(self, t: Value) -> None:
        """A block inside the box, or back to its beginning."""
        e, wide = self.e, self.e.type(True)
        e.label("boxed")
        self._take()
        e.add_line(f"store {wide} {e.spread(e.number(0.0)).text}, ptr %top")
        chunk = self.open("bare", "0", Value(str(_BLOCK // AHEAD)))
        done = e.emit(f"mul nsw i64 {chunk.text}, {AHEAD}")
        at = e.emit(f"add nsw i64 {t.text}, {done.text}")
        self._measure()
        for ahead in range(AHEAD):
            self._advance(e.emit(f"add nsw i64 {at.text}, {ahead}"), ahead == AHEAD - 1)
        self.close("bare")
        top = e.emit(f"load {wide}, ptr %top", True)
        outside = self.any(e.compare("ugt", top, self.radius))
        e.add_line(f"br i1 {outside.text}, label %outside, label %accept")
        e.label("outside")
        e.add_line(f"store i64 {_PAUSE}, ptr %pause")
        e.add_line("br label %watch")

    def _measure(self) -> None:
        """The largest |theta|, |state| of the lanes that have not stopped, into `top`."""
        e = self.e
        wide, bits = e.type(True), e.type(True, "i64")
        sign = e.spread(Value(str(0x7FFF_FFFF_FFFF_FFFF)), "i64")
        top = e.emit(f"load {wide}, ptr %top", True)
        for m in self.members:
            mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
            size = e.emit(f"and {bits} {mask.text}, {sign.text}", True)
            for value in (*self._local("x", m), *self._local("s", m)):
                plain = e.emit(f"bitcast {wide} {value.text} to {bits}", True)
                kept = e.emit(f"and {bits} {plain.text}, {size.text}", True)
                here = e.emit(f"bitcast {bits} {kept.text} to {wide}", True)
                top = e.select(e.compare("ogt", here, top), here, top)  # a NaN leaves top as it is
        e.add_line(f"store {wide} {top.text}, ptr %top")

    def _advance(self, t: Value, last: bool) -> None:
        """One step of every member without its loss. last: remember theta before it."""
        number = self.step_number(t)
        for m in self.members:
            x, s = self._local("x", m), self._local("s", m)
            if last:
                self._keep("before", m, x)
            new = self.one_step(x, s, self.own_values(self.group(m)), number, bare=True).new
            self._keep("x", m, new.x)
            self._keep("s", m, new.s)

    def _watched(self, t: Value, until: Value) -> None:
        """A block with an eye on the loss; then on, or with care."""
        e = self.e
        wide, bits = e.type(True), e.type(True, "i64")
        e.label("watch")
        self._take()
        e.add_line(f"store {wide} {e.spread(e.number(0.0)).text}, ptr %trace")
        e.add_line(f"store {bits} {e.spread(Value('0'), 'i64').text}, ptr %alarm")
        at = self.open("watched", t.text, until)
        number = self.step_number(at)
        for m in self.members:
            self._watched_step(m, number)
        self.close("watched")
        good = self._trace([value for m in self.members for value in self._masked("x", m)])
        alarm = e.emit(f"load {bits}, ptr %alarm", True)
        none = e.spread(Value("0"), "i64")
        raised = e.emit(f"icmp ne {bits} {alarm.text}, {none.text}", True)
        trouble = self.any(e.logic("or", raised, e.negated(finite(e, [good]))))
        e.add_line(f"br i1 {trouble.text}, label %again, label %accept")

    def _watched_step(self, m: int, number: Value) -> None:
        e, what = self.e, self.what
        x, s = self._local("x", m), self._local("s", m)
        self._keep("before", m, x)
        step = self.one_step(x, s, self.own_values(self.group(m)), number)
        watched = [step.loss]
        if not what.lasting:
            watched += [*step.grad, *step.new.x]
        self._trace([self._mask(m, value) for value in watched])
        if what.certificate:
            alarm = self.small(step.grad)
            if what.settles:
                alarm = e.logic("or", alarm, self.still(x, step.new.x))
            self._raise(m, alarm)
        self._keep("x", m, step.new.x)
        self._keep("s", m, step.new.s)

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

    # -- what a block works on --------------------------------------------------------------

    def _take(self) -> None:
        """Theta and state of the pack."""
        for m in self.members:
            group = self.group(m)
            for name, count in self._moving():
                if count:
                    self._keep(name, m, self.load(f"%{name}", group, count))

    def _accept(self) -> None:
        """What the block has come to is where the lanes are that have not stopped."""
        e, bits = self.e, self.e.type(True, "i64")
        none = e.spread(Value("0"), "i64")
        for m in self.members:
            group = self.group(m)
            mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
            active = e.emit(f"icmp ne {bits} {mask.text}, {none.text}", True)
            for name, count in self._moving():
                if not count:
                    continue
                old = self.load(f"%{name}", group, count)
                new = self._local(name, m)
                kept = [e.select(active, a, b) for a, b in zip(new, old, strict=True)]
                self.store(kept, f"%{name}", group)

    def _local(self, name: str, m: int) -> list[Value]:
        count = dict(self._moving())[name]
        wide = self.e.type(True)
        return [self.e.emit(f"load {wide}, ptr %{name}.{m}.{k}", True) for k in range(count)]

    def _keep(self, name: str, m: int, values: Sequence[Value]) -> None:
        for k, value in enumerate(values):
            text = self.e.spread(value).text
            self.e.add_line(f"store {self.e.type(True)} {text}, ptr %{name}.{m}.{k}")

    def _masked(self, name: str, m: int) -> list[Value]:
        return [self._mask(m, value) for value in self._local(name, m)]

    def _mask(self, m: int, value: Value) -> Value:
        """The value, and 0 in the lanes that have stopped."""
        e = self.e
        wide, bits = e.type(True), e.type(True, "i64")
        mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
        plain = e.emit(f"bitcast {wide} {e.spread(value).text} to {bits}", True)
        kept = e.emit(f"and {bits} {plain.text}, {mask.text}", True)
        return e.emit(f"bitcast {bits} {kept.text} to {wide}", True)
