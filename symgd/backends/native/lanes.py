"""The IR of many descents at once: one in each lane of a vector, group after group of lanes.

    int64 sweep(int64 *k, double *u, double *w, double *x, double *s, double *before, int64 *code,
                int64 *steps)
    int64 look(int64 *k, double *x, double *out)

`sweep` takes bundles of BUNDLE groups, k[FIRST] <= bundle < k[LAST], from step k[T] to k[END].
u: the tolerance, then the values of lr and hyperparameters that all descents share. w: those that
each has of its own, (group, value, lane). x, s, before: theta, the rule's state and the theta
before, (group, value, lane), changed in place. code: RUNNING or a `Code`, steps: where a descent
stopped, (group, lane). Where the loss is not finite, x is the last theta where it was, and before
the one where it is not. `look` writes [loss, |g|, g..] at x, (group, value, lane).

Most steps are taken in blocks without a question; a block after which some lane is no longer
finite, or may have converged, is taken again with all the questions that a single run asks at
every step, and lanes that have stopped keep their numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import sympy

from symgd.backends.native.emit import Emitter, Value
from symgd.backends.native.forms import hypot
from symgd.backends.native.machine import source
from symgd.backends.native.powers import FUNCTIONS, powers_of, steady_powers
from symgd.backends.native.steps import Code, assignments, finite
from symgd.nodes import Name, Node, is_inverse
from symgd.program import Program

FIRST, LAST, T, END = range(4)  # k
RUNNING = -1
BUNDLE = 4  # groups that advance together
_BLOCK = 16  # steps between questions


@dataclass(frozen=True)
class Lanes:
    """What the code is made for.

    program: of `symgd.descent.step_program`. own: which of the tail values each lane has of its
    own. certificate: whether there is a tolerance.
    """

    program: Program
    params: int
    states: int
    own: tuple[bool, ...]
    settles: bool
    certificate: bool
    lanes: int


class _Point(NamedTuple):
    x: list[Value]
    s: list[Value]


class _Step(NamedTuple):
    loss: Value
    grad: list[Value]
    new: _Point


def sweep_module(what: Lanes) -> str:
    """The module with both functions."""
    sweep, look = _Sweep(what), _Look(what)
    texts = [sweep.text(), look.text()]
    if sweep.powers:
        texts.insert(0, FUNCTIONS)
    return source(texts, sweep.e.declared | look.e.declared)


class _Writer:
    """What both functions need: arrays of vectors, counters, blocks."""

    def __init__(self, what: Lanes) -> None:
        self.what, self.e = what, Emitter(what.lanes)
        self.wide = self.e.type(True)

    def load(self, array: str, group: Value, count: int, element: str = "double") -> list[Value]:
        """The `count` vectors of one group of an array (group, count, lane)."""
        e, kind = self.e, self.e.type(True, element)
        first = e.emit(f"mul i64 {group.text}, {count * self.what.lanes}")
        base = e.emit(f"getelementptr {element}, ptr {array}, i64 {first.text}")
        return [
            e.emit(f"load {kind}, ptr {self._at(base, k, element).text}, align 8", True)
            for k in range(count)
        ]

    def store(
        self, values: Sequence[Value], array: str, group: Value, element: str = "double"
    ) -> None:
        """Those vectors changed."""
        e, kind = self.e, self.e.type(True, element)
        first = e.emit(f"mul i64 {group.text}, {len(values) * self.what.lanes}")
        base = e.emit(f"getelementptr {element}, ptr {array}, i64 {first.text}")
        for k, value in enumerate(values):
            at = self._at(base, k, element)
            e.add_line(f"store {kind} {e.spread(value, element).text}, ptr {at.text}, align 8")

    def _at(self, base: Value, k: int, element: str) -> Value:
        return self.e.emit(f"getelementptr {element}, ptr {base.text}, i64 {k * self.what.lanes}")

    def k(self, index: int) -> Value:
        """One of the kernel's integers."""
        at = self.e.emit(f"getelementptr i64, ptr %k, i64 {index}")
        return self.e.emit(f"load i64, ptr {at.text}")

    def open(self, name: str, start: str, end: Value) -> Value:
        """The head of a counted loop; close it with the same name."""
        e = self.e
        e.add_line(f"store i64 {start}, ptr %{name}")
        e.add_line(f"br label %{name}.head")
        e.label(f"{name}.head")
        at = e.emit(f"load i64, ptr %{name}")
        more = e.emit(f"icmp slt i64 {at.text}, {end.text}")
        e.add_line(f"br i1 {more.text}, label %{name}.body, label %{name}.end")
        e.label(f"{name}.body")
        return at

    def close(self, name: str) -> None:
        """The end of a counted loop."""
        e = self.e
        at = e.emit(f"load i64, ptr %{name}")
        after = e.emit(f"add nsw i64 {at.text}, 1")
        e.add_line(f"store i64 {after.text}, ptr %{name}")
        e.add_line(f"br label %{name}.head")
        e.label(f"{name}.end")

    def any(self, condition: Value) -> Value:
        """Whether it holds in any lane."""
        e = self.e
        bits = e.emit(f"bitcast {e.type(True, 'i1')} {condition.text} to i{self.what.lanes}")
        return e.emit(f"icmp ne i{self.what.lanes} {bits.text}, 0")


class _Look(_Writer):
    def text(self) -> str:
        e, what = self.e, self.what
        e.label("entry")
        e.add_line("%group = alloca i64")
        first, last = self.k(FIRST), self.k(LAST)
        group = self.open("group", first.text, last)
        x = self.load("%x", group, what.params)
        known: dict[Node, Value] = dict(zip(what.program.inputs, x, strict=False))
        names = [n for n in what.program.outputs if n == "loss" or n.startswith("d/d")]
        rest = [n for n in what.program.outputs if n not in names]
        loss, *grad = assignments(e, what.program, known, skip=rest)
        self.store([loss, hypot(e, *grad), *grad], "%out", group)
        self.close("group")
        e.add_line("ret i64 0")
        head = "define i64 @look(ptr noalias %k, ptr noalias %x, ptr noalias %out) {"
        return "\n".join([head, *e.lines, "}"])


class _Sweep(_Writer):
    """A bundle of groups advances together: while one waits for a result, the others work."""

    def text(self) -> str:
        e, what = self.e, self.what
        e.label("entry")
        for name in ("bundle", "t", "any", *_LOOPS):
            e.add_line(f"%{name} = alloca i64")
        for name, count in (("x", what.params), ("s", what.states), ("before", what.params)):
            e.add_line(f"%old.{name} = alloca double, i64 {max(1, count * what.lanes * BUNDLE)}")
        e.add_line(f"%trace = alloca double, i64 {what.lanes * BUNDLE}")
        e.add_line(f"%alarm = alloca i64, i64 {what.lanes * BUNDLE}")
        self.start, self.end = self.k(T), self.k(END)
        t, *tail = what.program.inputs[what.params + what.states :]
        self.powers = powers_of(what.program, t, tail)
        first, last = self.k(FIRST), self.k(LAST)
        self.shared = self._shared()
        self.bundle = self.open("bundle", first.text, last)
        self.first = e.emit(f"mul i64 {self.bundle.text}, {BUNDLE}")
        self._blocks()
        self.close("bundle")
        e.add_line("ret i64 0")
        arrays = ", ".join(f"ptr noalias %{n}" for n in ("k", "u", "w", *_STATE_ARRAYS))
        return "\n".join([f"define i64 @sweep({arrays}) {{", *e.lines, "}"])

    def _shared(self) -> dict[Node, Value]:
        e = self.e
        self.tol = e.emit("load double, ptr %u")
        known: dict[Node, Value] = {}
        for symbol, own in zip(self._tail_symbols(), self.what.own, strict=True):
            if not own:
                at = e.emit(f"getelementptr double, ptr %u, i64 {len(known) + 1}")
                known[symbol] = e.emit(f"load double, ptr {at.text}")
        return known

    def _tail_symbols(self) -> Sequence[Name]:
        return self.what.program.inputs[self.what.params + self.what.states + 1 :]

    def _group(self, member: Value) -> Value:
        """The group that is this member of the bundle."""
        return self.e.emit(f"add nsw i64 {self.first.text}, {member.text}")

    def _running(self, group: Value) -> Value:
        """Which lanes of a group have not stopped."""
        e = self.e
        (code,) = self.load("%code", group, 1, "i64")
        running = e.spread(Value(str(RUNNING)), "i64")
        return e.emit(f"icmp eq {e.type(True, 'i64')} {code.text}, {running.text}", True)

    def _each(self, name: str) -> Value:
        """The head of a loop over the members of the bundle."""
        return self.open(name, "0", Value(str(BUNDLE)))

    def _blocks(self) -> None:
        e = self.e
        e.add_line(f"store i64 {self.start.text}, ptr %t")
        e.add_line("br label %blocks")
        e.label("blocks")
        e.add_line("store i64 0, ptr %any")
        member = self._each("ask")
        some = self.any(self._running(self._group(member)))
        flag = e.emit(f"zext i1 {some.text} to i64")
        before = e.emit("load i64, ptr %any")
        e.add_line(f"store i64 {e.emit(f'or i64 {before.text}, {flag.text}').text}, ptr %any")
        self.close("ask")
        t = e.emit("load i64, ptr %t")
        left = e.emit(f"icmp slt i64 {t.text}, {self.end.text}")
        anyone = e.emit("load i64, ptr %any")
        some = e.emit(f"icmp ne i64 {anyone.text}, 0")
        go = e.logic("and", some, left)
        e.add_line(f"br i1 {go.text}, label %block, label %blocks.end")
        e.label("block")
        self._block(t)
        e.add_line("br label %blocks")
        e.label("blocks.end")

    def _block(self, t: Value) -> None:
        """_BLOCK steps of the bundle, or as many as are left; then see to the groups in trouble."""
        e = self.e
        whole = e.emit(f"add nsw i64 {t.text}, {_BLOCK}")
        fits = e.emit(f"icmp slt i64 {whole.text}, {self.end.text}")
        until = e.emit(f"select i1 {fits.text}, i64 {whole.text}, i64 {self.end.text}")
        last = e.emit(f"sub nsw i64 {until.text}, 1")
        self._save()
        at = self.open("fast", t.text, last)
        self._steps_of_all("each", at)
        self.close("fast")
        member = self._each("note")
        group = self._group(member)
        self.store(self.load("%x", group, self.what.params), "%before", group)
        self.close("note")
        self._steps_of_all("last", last)
        member = self._each("check")
        self._check(member, t, until)
        self.close("check")
        e.add_line(f"store i64 {until.text}, ptr %t")

    def _save(self) -> None:
        member = self._each("save")
        group = self._group(member)
        for name, count in self._arrays():
            self.store(self.load(f"%{name}", group, count), f"%old.{name}", member)
        self.store([self.e.number(0.0)], "%trace", member)
        self.store([Value("0")], "%alarm", member, "i64")
        self.close("save")

    def _arrays(self) -> list[tuple[str, int]]:
        what = self.what
        found = [("x", what.params), ("s", what.states), ("before", what.params)]
        return [(name, count) for name, count in found if count]

    # -- the steps ------------------------------------------------------------------------

    def _step(self, group: Value, t: Value) -> tuple[_Point, _Step]:
        """Where a group is after t steps, and one step from there."""
        e, what = self.e, self.what
        x, s = self.load("%x", group, what.params), self.load("%s", group, what.states)
        own = [symbol for symbol, own in zip(self._tail_symbols(), what.own, strict=True) if own]
        tail = dict(zip(own, self.load("%w", group, len(own)), strict=True))
        following = e.emit(f"add nsw i64 {t.text}, 1")
        number = e.emit(f"sitofp i64 {following.text} to double")
        known: dict[Node, Value] = dict(zip(what.program.inputs, [*x, *s, number], strict=False))
        known |= self.shared | tail
        steady_powers(e, self.powers, known, number)
        out = assignments(e, what.program, known, skip=("|g|",))
        end = what.params + what.states
        new = _Point([e.spread(v) for v in out[: what.params]], out[what.params : end])
        step = _Step(e.spread(out[end]), [e.spread(g) for g in out[end + 1 :]], new)
        return _Point(x, s), step

    def _steps_of_all(self, loop: str, t: Value) -> None:
        """One step of every group; what is not finite stays visible in `trace` or in x itself."""
        e, what = self.e, self.what
        member = self._each(loop)
        group = self._group(member)
        old, step = self._step(group, t)
        (trace,) = self.load("%trace", member, 1)
        # NaN as soon as one of them is infinite or NaN, and NaN from then on
        watched = [step.loss]
        if not lasting(what):
            watched += [*step.grad, *step.new.x]
        for value in watched:
            trace = e.intrinsic("fma", trace, e.number(0.0), value)
        self.store([trace], "%trace", member)
        if what.certificate:
            alarm = self._small(step.grad)
            if what.settles:
                alarm = e.logic("or", alarm, self._still(old.x, step.new.x))
            raised = e.spread(alarm, "i1")
            kind, wide = e.type(True, "i1"), e.type(True, "i64")
            now = e.emit(f"zext {kind} {raised.text} to {wide}", True)
            (before,) = self.load("%alarm", member, 1, "i64")
            both = e.emit(f"or {wide} {before.text}, {now.text}", True)
            self.store([both], "%alarm", member, "i64")
        self.store(step.new.x, "%x", group)
        if step.new.s:
            self.store(step.new.s, "%s", group)
        self.close(loop)

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

    def _check(self, member: Value, t: Value, until: Value) -> None:
        """Keep the block of one group, or take it again with care."""
        e, what = self.e, self.what
        group = self._group(member)
        active = self._running(group)
        (trace,) = self.load("%trace", member, 1)
        (raised,) = self.load("%alarm", member, 1, "i64")
        none = e.spread(Value("0"), "i64")
        alarm = e.emit(f"icmp ne {e.type(True, 'i64')} {raised.text}, {none.text}", True)
        good = finite(e, [trace, *self.load("%x", group, what.params)])
        trouble = e.logic("and", e.logic("or", alarm, e.negated(good)), active)
        again = self.any(trouble)
        e.add_line(f"br i1 {again.text}, label %careful.start, label %keep")
        e.label("keep")
        for name, count in self._arrays():
            now = self.load(f"%{name}", group, count)
            was = self.load(f"%old.{name}", member, count)
            kept = [e.select(active, new, old) for new, old in zip(now, was, strict=True)]
            self.store(kept, f"%{name}", group)
        e.add_line("br label %checked")
        e.label("careful.start")
        for name, count in self._arrays():
            self.store(self.load(f"%old.{name}", member, count), f"%{name}", group)
        at = self.open("careful", t.text, until)
        self._careful_step(group, at)
        self.close("careful")
        e.add_line("br label %checked")
        e.label("checked")

    def _careful_step(self, group: Value, t: Value) -> None:
        e, what = self.e, self.what
        (x, s), step = self._step(group, t)
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


_STATE_ARRAYS = ("x", "s", "before", "code", "steps")
_LOOPS = ("ask", "fast", "each", "note", "last", "check", "save", "careful")


def lasting(what: Lanes) -> bool:
    """Whether a theta or slope that is not finite makes all later ones of its lane so.

    Along sums, products and numerators infinities and NaNs never become finite again, so it is
    enough that every new theta is reached that way from its old one and from its slope.
    """
    program, count = what.program, what.params
    carried: dict[Node, set[Node]] = {}
    slopes = [n for k, n in program.outputs.items() if k.startswith("d/d")]
    for leaf in [*program.inputs[:count], *slopes]:
        carried.setdefault(leaf, set()).add(leaf)
    for block in program.blocks:
        for symbol, expression in block.assignments:
            carried.setdefault(symbol, set()).update(_carried(expression, carried))
    new = list(program.outputs.values())[:count]
    return all(
        old in carried.get(now, ()) and (slope in carried.get(now, ()) or not slope.free_symbols)
        for old, slope, now in zip(program.inputs, slopes, new, strict=False)
    )


def _carried(node: Node, carried: dict[Node, set[Node]]) -> set[Node]:
    if node in carried:
        return carried[node]
    if node.func is sympy.Add or node.func is sympy.Mul:
        parts = [_carried(a, carried) for a in node.args if not is_inverse(a)]
        return set().union(*parts)
    return set()
