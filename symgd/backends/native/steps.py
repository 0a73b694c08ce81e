"""The IR of a whole descent of few parameters: loss, rule and loop, everything in registers.

    int64 run(int64 *k, double *f, double *x, double *s, double *h, double *rows, double *ring)

advances from step k[T] to step k[END] and returns a `Code`; x and s (theta and the rule's state)
are changed in place. h: the values of lr and the hyperparameters. f[TOL]: the tolerance, negative
for none; f[BEST]: the least loss so far, whose x follows from f[BEST_X] on. rows: for each
k[STRIDE]-th step, first the step k[NEXT], [loss, |g|, x..]; k[ROWS] counts them. ring: x of step t
at t % RING, for the verdict. The order of tests is that of `symgd.kernel.StepKernel`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import IntEnum

from symgd.backends.native.emit import Emitter, Value
from symgd.backends.native.forms import hypot
from symgd.backends.native.machine import source
from symgd.backends.native.powers import Powers, powers_of
from symgd.nodes import Name, Node, float_of
from symgd.program import Program

RING = 48
T, END, NEXT, STRIDE, ROWS, BEST_T = range(6)  # k
TOL, BEST, BEST_X = 0, 1, 2  # f
_COUNTERS = (("t.now", T), ("next", NEXT), ("rows.used", ROWS), ("best.t", BEST_T))


class Code(IntEnum):
    """Why the loop ended."""

    DONE = 0
    CONVERGED = 1
    NONFINITE_LOSS = 2
    NONFINITE_STEP = 3
    STUCK = 4


def step_loop(program: Program, params: int, states: int, settles: bool) -> str:
    """The module of the descent of one step program of `symgd.descent.step_program`."""
    return _Loop(program, params, states, settles).text()


class _Loop:
    def __init__(self, program: Program, params: int, states: int, settles: bool) -> None:
        self.program, self.params, self.states, self.settles = program, params, states, settles
        self.e = Emitter()
        t, *tail = program.inputs[params + states :]
        self.powers = Powers(self.e, powers_of(program, t, tail))

    def text(self) -> str:
        e = self.e
        self._entry()
        e.label("loop")
        t = e.emit("load i64, ptr %t.now")
        end = e.emit(f"icmp slt i64 {t.text}, %end")
        e.add_line(f"br i1 {end.text}, label %body, label %done")
        e.label("body")
        following = e.emit(f"add nsw i64 {t.text}, 1")
        x, loss, grad, new, state = self._step(following)
        self._record(t, x, loss, grad)
        self._converged(grad)
        self._finite_step(x, new)
        for k, value in enumerate(new):
            e.add_line(f"store double {value.text}, ptr %x.{k}")
        for k, value in enumerate(state):
            e.add_line(f"store double {value.text}, ptr %s.{k}")
        e.add_line(f"store i64 {following.text}, ptr %t.now")
        e.add_line("br label %loop")
        self._exits()
        head = (
            "define i64 @run(ptr noalias %k, ptr noalias %f, ptr noalias %x, ptr noalias %s, "
            "ptr noalias %h, ptr noalias %rows, ptr noalias %ring) {"
        )
        whole = "\n".join([head, *e.lines, "}"])
        return source([*self.powers.functions(), whole], e.declared)

    # -- parts ----------------------------------------------------------------------------

    def _entry(self) -> None:
        e = self.e
        e.label("entry")
        for name, count, kind in (("x", self.params, "double"), ("s", self.states, "double")):
            for k in range(count):
                e.add_line(f"%{name}.{k} = alloca {kind}")
                value = load(e, f"%{name}", k)
                e.add_line(f"store double {value.text}, ptr %{name}.{k}")
        for name, index in _COUNTERS:
            e.add_line(f"%{name} = alloca i64")
            value = load(e, "%k", index, "i64")
            e.add_line(f"store i64 {value.text}, ptr %{name}")
        for name, index in (("end", END), ("stride", STRIDE)):
            e.add_line(f"%{name}.at = getelementptr i64, ptr %k, i64 {index}")
            e.add_line(f"%{name} = load i64, ptr %{name}.at")
        e.add_line("%best = alloca double")
        e.add_line("%code = alloca i64")
        best, self.tol = load(e, "%f", BEST), load(e, "%f", TOL)
        e.add_line(f"store double {best.text}, ptr %best")
        first = load(e, "%k", T, "i64")
        place = e.emit(f"srem i64 {first.text}, {RING}")
        e.add_line("%place = alloca i64")
        e.add_line(f"store i64 {place.text}, ptr %place")
        tail = self.program.inputs[self.params + self.states + 1 :]
        self.tail = {symbol: load(e, "%h", k) for k, symbol in enumerate(tail)}
        self.powers.begin(self.tail.__getitem__, e.emit(f"add i64 {first.text}, 1"))
        e.add_line("br label %loop")

    def _step(
        self, following: Value
    ) -> tuple[list[Value], Value, list[Value], list[Value], list[Value]]:
        """(x, loss, gradient, next x, next state) as values of the IR."""
        e, inputs = self.e, self.program.inputs
        x = [e.emit(f"load double, ptr %x.{k}") for k in range(self.params)]
        state = [e.emit(f"load double, ptr %s.{k}") for k in range(self.states)]
        t = e.emit(f"sitofp i64 {following.text} to double")
        known: dict[Node, Value] = dict(zip(inputs, [*x, *state, t], strict=False)) | self.tail
        known |= self.powers.values(t)
        self.powers.advance()
        out = assignments(e, self.program, known, skip=("|g|",))
        end = self.params + self.states
        return x, out[end], out[end + 1 :], out[: self.params], out[self.params : end]

    def _record(self, t: Value, x: Sequence[Value], loss: Value, grad: Sequence[Value]) -> None:
        e = self.e
        good = finite(e, [loss, *grad])
        e.add_line(f"br i1 {good.text}, label %finite, label %nonfinite.loss")
        e.label("finite")
        due = e.emit(f"icmp eq i64 {t.text}, " + e.emit("load i64, ptr %next").text)
        e.add_line(f"br i1 {due.text}, label %row, label %recorded")
        e.label("row")
        used = e.emit("load i64, ptr %rows.used")
        start = e.emit(f"mul i64 {used.text}, {self.params + 2}")
        e.add_line(f"%row.at = getelementptr double, ptr %rows, i64 {start.text}")
        for k, value in enumerate([loss, hypot(e, *grad), *x]):
            store(e, value, "%row.at", k)
        more = e.emit(f"add i64 {used.text}, 1")
        e.add_line(f"store i64 {more.text}, ptr %rows.used")
        later = e.emit(f"add i64 {t.text}, %stride")
        e.add_line(f"store i64 {later.text}, ptr %next")
        e.add_line("br label %recorded")
        e.label("recorded")
        place = e.emit("load i64, ptr %place")
        at = e.emit(f"mul i64 {place.text}, {self.params}")
        e.add_line(f"%ring.at = getelementptr double, ptr %ring, i64 {at.text}")
        for k, value in enumerate(x):
            store(e, value, "%ring.at", k)
        after = e.emit(f"add i64 {place.text}, 1")
        around = e.emit(f"icmp eq i64 {after.text}, {RING}")
        wrapped = e.emit(f"select i1 {around.text}, i64 0, i64 {after.text}")
        e.add_line(f"store i64 {wrapped.text}, ptr %place")
        better = e.compare("olt", loss, e.emit("load double, ptr %best"))
        e.add_line(f"br i1 {better.text}, label %better, label %compared")
        e.label("better")
        e.add_line(f"store double {loss.text}, ptr %best")
        e.add_line(f"store i64 {t.text}, ptr %best.t")
        for k, value in enumerate(x):
            store(e, value, "%f", BEST_X + k)
        e.add_line("br label %compared")
        e.label("compared")

    def _converged(self, grad: Sequence[Value]) -> None:
        """max|g| <= tol."""
        e = self.e
        small: Value | None = None
        for slope in grad:
            here = e.compare("ole", e.intrinsic("fabs", slope), self.tol)
            small = here if small is None else e.logic("and", small, here)
        assert small is not None
        e.add_line(f"br i1 {small.text}, label %converged, label %onward")
        e.label("onward")

    def _finite_step(self, x: Sequence[Value], new: Sequence[Value]) -> None:
        e = self.e
        good = finite(e, new)
        e.add_line(f"br i1 {good.text}, label %moved, label %nonfinite.step")
        e.label("moved")
        if self.settles:
            still = e.compare("oge", self.tol, e.number(0.0))
            for old, now in zip(x, new, strict=True):
                still = e.logic("and", still, e.compare("oeq", old, now))
            e.add_line(f"br i1 {still.text}, label %stuck, label %commit")
            e.label("commit")

    def _exits(self) -> None:
        e = self.e
        exits = [("done", Code.DONE), ("converged", Code.CONVERGED)]
        exits += [("nonfinite.loss", Code.NONFINITE_LOSS), ("nonfinite.step", Code.NONFINITE_STEP)]
        if self.settles:
            exits.append(("stuck", Code.STUCK))
        for label, code in exits:
            e.label(label)
            e.add_line(f"store i64 {int(code)}, ptr %code")
            e.add_line("br label %leave")
        e.label("leave")
        for name, count in (("x", self.params), ("s", self.states)):
            for k in range(count):
                store(e, e.emit(f"load double, ptr %{name}.{k}"), f"%{name}", k)
        for name, index in _COUNTERS:
            store(e, e.emit(f"load i64, ptr %{name}"), "%k", index, "i64")
        store(e, e.emit("load double, ptr %best"), "%f", BEST)
        result = e.emit("load i64, ptr %code")
        e.add_line(f"ret i64 {result.text}")


def assignments(
    e: Emitter, program: Program, known: dict[Node, Value], skip: Sequence[str] = ()
) -> list[Value]:
    """The outputs of a program whose inputs are known, without those in `skip`."""
    wanted = {k: node for k, node in program.outputs.items() if k not in skip}
    used = live(program, wanted.values())
    for block in program.blocks:
        for symbol, expression in block.assignments:
            if symbol in used:
                known[symbol] = e.node(expression, known)
    return [known[n] if n in known else e.number(float_of(n) or 0.0) for n in wanted.values()]


def live(program: Program, nodes: Iterable[Node]) -> set[Name]:
    """The symbols that these expressions of the program need."""
    needed = set().union(*map(names_in, nodes))
    for block in reversed(program.blocks):
        for symbol, expression in reversed(block.assignments):
            if symbol in needed:
                needed |= names_in(expression)
    return needed


def names_in(expression: Node) -> set[Name]:
    """The symbols that an expression reads."""
    found: set[Name] = set()
    stack = [expression]
    while stack:
        node = stack.pop()
        if isinstance(node, Name):
            found.add(node)
        stack.extend(node.args)
    return found


def finite(e: Emitter, values: Sequence[Value]) -> Value:
    """Whether all are finite: x - x is 0 for every finite x and NaN for the others."""
    total = e.sub(values[0], values[0])
    for value in values[1:]:
        total = e.add(total, e.sub(value, value))
    return e.compare("oeq", total, e.number(0.0))


def load(e: Emitter, pointer: str, index: int, kind: str = "double") -> Value:
    """One element of an array."""
    at = e.emit(f"getelementptr {kind}, ptr {pointer}, i64 {index}")
    return e.emit(f"load {kind}, ptr {at.text}")


def store(e: Emitter, value: Value, pointer: str, index: int, kind: str = "double") -> None:
    """One element of an array changed."""
    at = e.emit(f"getelementptr {kind}, ptr {pointer}, i64 {index}")
    e.add_line(f"store {kind} {value.text}, ptr {at.text}")
