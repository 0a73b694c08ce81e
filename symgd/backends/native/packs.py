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
from typing import NamedTuple

from symgd.backends.native.emit import Value
from symgd.backends.native.lanes import AHEAD, END, FIRST, LAST, RUNNING, Lanes, Look, T, Writer
from symgd.backends.native.machine import source
from symgd.backends.native.powers import FUNCTIONS, powers_of, steady_powers
from symgd.backends.native.steps import Code, assignments, finite
from symgd.nodes import Name, Node

TOL, RADIUS, SHARED = range(3)  # u
_BLOCK = 24  # steps between questions, a multiple of AHEAD
_PAUSE = 8  # blocks that watch the loss after one that has left the box

_COUNTERS = ("pack", "t", "bare", "watched", "member", "careful", "pause")
_HEAD = (
    "define i64 @sweep(ptr noalias %k, ptr noalias %u, ptr noalias %w, ptr noalias %x, "
    "ptr noalias %s, ptr noalias %before, ptr noalias %code, ptr noalias %steps) {"
)


class _Point(NamedTuple):
    x: list[Value]
    s: list[Value]


class _Step(NamedTuple):
    new: _Point
    loss: Value
    grad: list[Value]


def sweep_module(what: Lanes) -> str:
    """The module with both functions of `symgd.backends.native.lanes`."""
    sweep, look = _Sweep(what), Look(what)
    texts = [sweep.text(), look.text()]
    if sweep.powers:
        texts.insert(0, FUNCTIONS)
    return source(texts, sweep.e.declared | look.e.declared)


class _Sweep(Writer):
    """The function `sweep`."""

    def __init__(self, what: Lanes) -> None:
        super().__init__(what)
        self.members = range(what.pack)
        program, moving = what.program, what.params + what.states
        self.number: Name = program.inputs[moving]  # of the step
        self.tail: Sequence[Name] = program.inputs[moving + 1 :]
        self.powers = powers_of(program, self.number, self.tail)

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
        self.tol, self.radius, *shared = self._shared()
        first, last = self.k(FIRST), self.k(LAST)
        names = [n for n, own in zip(self.tail, what.own, strict=True) if not own]
        self.shared: dict[Node, Value] = dict(zip(names, shared, strict=True))
        self.pack = self.open("pack", first.text, last)
        self.first = e.emit(f"mul i64 {self.pack.text}, {what.pack}")
        self._blocks()
        self.close("pack")
        e.add_line("ret i64 0")
        return "\n".join([_HEAD, *e.lines, "}"])

    def _shared(self) -> list[Value]:
        e = self.e
        count = SHARED + sum(not own for own in self.what.own)
        places = [e.emit(f"getelementptr double, ptr %u, i64 {k}") for k in range(count)]
        return [e.emit(f"load double, ptr {at.text}") for at in places]

    def _moving(self) -> tuple[tuple[str, int], ...]:
        """What a lane carries from step to step, and the theta before."""
        params, states = self.what.params, self.what.states
        return ("x", params), ("s", states), ("before", params)

    def _group(self, member: int | Value) -> Value:
        text = member.text if isinstance(member, Value) else member
        return self.e.emit(f"add nsw i64 {self.first.text}, {text}")

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
        self._careful(t, until)
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
            running = self._running(self._group(m))
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
        number = self._number(t)
        for m in self.members:
            x, s = self._local("x", m), self._local("s", m)
            if last:
                self._keep("before", m, x)
            new = self._step(x, s, self._own(self._group(m)), number, bare=True).new
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
        number = self._number(at)
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
        step = self._step(x, s, self._own(self._group(m)), number)
        watched = [step.loss]
        if not what.lasting:
            watched += [*step.grad, *step.new.x]
        self._trace([self._mask(m, value) for value in watched])
        if what.certificate:
            alarm = self._small(step.grad)
            if what.settles:
                alarm = e.logic("or", alarm, self._still(x, step.new.x))
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
            group = self._group(m)
            for name, count in self._moving():
                if count:
                    self._keep(name, m, self.load(f"%{name}", group, count))

    def _accept(self) -> None:
        """What the block has come to is where the lanes are that have not stopped."""
        e, bits = self.e, self.e.type(True, "i64")
        none = e.spread(Value("0"), "i64")
        for m in self.members:
            group = self._group(m)
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

    # -- one step ---------------------------------------------------------------------------

    def _number(self, t: Value) -> Value:
        """The number of the step after t, from 1 on."""
        following = self.e.emit(f"add nsw i64 {t.text}, 1")
        return self.e.emit(f"sitofp i64 {following.text} to double")

    def _own(self, group: Value) -> dict[Node, Value]:
        """The values of lr and hyperparameters that each lane has of its own."""
        names = [n for n, own in zip(self.tail, self.what.own, strict=True) if own]
        return dict(zip(names, self.load("%w", group, len(names)), strict=True))

    def _step(
        self,
        x: Sequence[Value],
        s: Sequence[Value],
        own: dict[Node, Value],
        number: Value,
        bare: bool = False,
    ) -> _Step:
        """bare: of the step alone, without loss and gradient."""
        e, what = self.e, self.what
        known: dict[Node, Value] = dict(zip(what.program.inputs, [*x, *s, number], strict=False))
        known |= self.shared | own
        steady_powers(e, self.powers, known, number)
        skip = ["|g|"]
        if bare:
            skip += [n for n in what.program.outputs if n == "loss" or n.startswith("d/d")]
        out = assignments(e, what.program, known, skip=skip)
        end = what.params + what.states
        new = _Point([e.spread(v) for v in out[: what.params]], out[what.params : end])
        if bare:
            return _Step(new, e.number(0.0), [])
        return _Step(new, e.spread(out[end]), [e.spread(g) for g in out[end + 1 :]])

    def _small(self, grad: Sequence[Value]) -> Value:
        """max|g| <= tol."""
        e = self.e
        result = Value("true")
        for slope in grad:
            result = e.logic("and", result, e.compare("ole", e.intrinsic("fabs", slope), self.tol))
        return result

    def _still(self, x: Sequence[Value], new: Sequence[Value]) -> Value:
        """Whether the step left theta where it was."""
        e = self.e
        result = Value("true")
        for old, now in zip(x, new, strict=True):
            result = e.logic("and", result, e.compare("oeq", old, now))
        return result

    # -- with care --------------------------------------------------------------------------

    def _careful(self, t: Value, until: Value) -> None:
        """The block once more, group by group, with every question at every step."""
        e = self.e
        e.label("again")
        member = self.open("member", "0", Value(str(self.what.pack)))
        group = self._group(member)
        at = self.open("careful", t.text, until)
        self._careful_step(group, at)
        self.close("careful")
        self.close("member")
        e.add_line("br label %next")

    def _running(self, group: Value) -> Value:
        """Which lanes of a group have not stopped."""
        e = self.e
        (code,) = self.load("%code", group, 1, "i64")
        running = e.spread(Value(str(RUNNING)), "i64")
        return e.emit(f"icmp eq {e.type(True, 'i64')} {code.text}, {running.text}", True)

    def _careful_step(self, group: Value, t: Value) -> None:
        e, what = self.e, self.what
        x, s = self.load("%x", group, what.params), self.load("%s", group, what.states)
        step = self._step(x, s, self._own(group), self._number(t))
        active = self._running(group)
        before = self.load("%before", group, what.params)
        good = finite(e, [step.loss, *step.grad])
        lost = e.logic("and", active, e.negated(good))
        earlier = e.emit(f"sub nsw i64 {t.text}, 1")
        none = e.emit(f"icmp slt i64 {earlier.text}, 0")
        earlier = e.emit(f"select i1 {none.text}, i64 0, i64 {earlier.text}")
        self._stop(group, lost, Code.NONFINITE_LOSS, earlier)
        active = e.logic("and", active, good)
        if what.certificate:
            active = self._ask(group, active, self._small(step.grad), Code.CONVERGED, t)
        broken = e.negated(finite(e, step.new.x))
        active = self._ask(group, active, broken, Code.NONFINITE_STEP, t)
        if what.settles and what.certificate:
            active = self._ask(group, active, self._still(x, step.new.x), Code.STUCK, t)
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
