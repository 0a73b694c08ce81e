"""Emit the loop around the steps of one descent: recording, tests of convergence, the ring.

The interface with the caller: k[T] is the first step, on return the step reached; k[END] the end
(exclusive). f[TOL]: the tolerance, negative for none; f[BEST]: the least loss so
far, of step k[BEST_T]. rows: for each k[STRIDE]-th step, first the step k[NEXT], [loss, |g|, x..];
k[ROWS] counts them. ring: x of step t at t % SLOTS, for the verdict and the best point; that of the
last RING steps is right. The order of tests is that of `symgd.descent.kernel.StepKernel`.

A step compares its number only with %stop, the next recorded or the last step; %careful is then
true, and further tests follow after the step.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from enum import IntEnum

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.translate import Emitter, Value

RING = 48
SLOTS = RING + 1  # one for the step that turns out not to be finite
T, END, NEXT, STRIDE, ROWS, BEST_T = range(6)  # k
TOL, BEST = range(2)  # f
_COUNTERS = (("t.now", T), ("next", NEXT), ("rows.used", ROWS))


class Code(IntEnum):
    """Why the loop ended."""

    DONE = 0
    CONVERGED = 1
    NONFINITE_LOSS = 2
    NONFINITE_STEP = 3
    STUCK = 4


class DescentLoop(ABC):
    """Collects the code of a loop. settles: a step that moves nothing ends it.

    tol: f[TOL], once `begin` has read it.
    """

    tol: Value

    def __init__(self, params: int, settles: bool) -> None:
        self.params, self.settles = params, settles
        self.e = FunctionEmitter()

    def begin(self) -> None:
        """Load the arguments of the caller."""
        e = self.e
        for name, index in _COUNTERS:
            e.add_line(f"%{name} = alloca i64")
            value = load(e, "%k", index, "i64")
            e.add_line(f"store i64 {value.text}, ptr %{name}")
        for name, index in (("end", END), ("stride", STRIDE)):
            e.add_line(f"%{name}.at = getelementptr i64, ptr %k, i64 {index}")
            e.add_line(f"%{name} = load i64, ptr %{name}.at")
        e.add_line("%end.t = sub i64 %end, 1")
        e.add_line("%stop = alloca i64")
        self._stop_at(e.emit("load i64, ptr %next"))
        e.add_line("%careful = alloca i1")
        e.add_line("store i1 false, ptr %careful")
        e.add_line(f"%best.t = getelementptr i64, ptr %k, i64 {BEST_T}")
        e.add_line("%best.loss = alloca double")
        e.add_line("%code = alloca i64")
        best, self.tol = load(e, "%f", BEST), load(e, "%f", TOL)
        e.add_line(f"store double {best.text}, ptr %best.loss")

    def head(self) -> Value:
        """The head of the loop: the step to take; of none, the end at once."""
        e = self.e
        first = e.emit("load i64, ptr %t.now")
        more = e.emit(f"icmp slt i64 {first.text}, %end")
        e.add_line(f"br i1 {more.text}, label %loop, label %done")
        e.label("loop")
        return e.emit("load i64, ptr %t.now")

    def close(self, following: Value) -> None:
        """The end of the loop, which the last step leaves, and of the function."""
        e = self.e
        e.add_line(f"store i64 {following.text}, ptr %t.now")
        more = e.emit(f"icmp slt i64 {following.text}, %end")
        e.add_line(f"br i1 {more.text}, label %loop, label %done")
        exits = [("done", Code.DONE), ("converged", Code.CONVERGED)]
        exits += [("nonfinite.loss", Code.NONFINITE_LOSS), ("nonfinite.step", Code.NONFINITE_STEP)]
        if self.settles:
            exits.append(("stuck", Code.STUCK))
        for label, code in exits:
            e.label(label)
            e.add_line(f"store i64 {int(code)}, ptr %code")
            e.add_line(f"br label %{'leave' if code is Code.DONE else 'back'}")
        e.label("back")
        self.back()
        e.add_line("br label %leave")
        e.label("leave")
        self.leave()
        for name, index in _COUNTERS:
            store(e, e.emit(f"load i64, ptr %{name}"), "%k", index, "i64")
        store(e, e.emit("load double, ptr %best.loss"), "%f", BEST)
        e.add_line(f"ret i64 {e.emit('load i64, ptr %code').text}")

    def ask(self, condition: Value, leave: str, stay: str, holds: bool = False) -> None:
        """Leave by an exit where the condition is what `holds` says; else go on at a new label."""
        yes, no = (leave, stay) if holds else (stay, leave)
        self.e.add_line(f"br i1 {condition.text}, label %{yes}, label %{no}")
        self.e.label(stay)

    def record(self, t: Value, loss: Value) -> None:
        """A row of the history where one is due, x in the ring, and whether it is the best."""
        e = self.e
        stops = e.emit(f"icmp eq i64 {t.text}, " + e.emit("load i64, ptr %stop").text)
        e.add_line(f"br i1 {stops.text}, label %stops, label %recorded")
        e.label("stops")
        last = e.emit(f"icmp eq i64 {t.text}, %end.t")
        before = e.emit("load i1, ptr %careful")
        e.add_line(f"store i1 {e.logic('or', before, last).text}, ptr %careful")
        due = e.emit(f"icmp eq i64 {t.text}, " + e.emit("load i64, ptr %next").text)
        e.add_line(f"br i1 {due.text}, label %row, label %recorded")
        e.label("row")
        used = e.emit("load i64, ptr %rows.used")
        start = e.emit(f"mul i64 {used.text}, {self.params + 2}")
        row = e.emit(f"getelementptr double, ptr %rows, i64 {start.text}")
        store(e, loss, row.text, 0)
        store(e, self.norm(), row.text, 1)
        self.put_x(e.emit(f"getelementptr double, ptr {row.text}, i64 2").text)
        after = e.emit(f"add i64 {used.text}, 1")
        e.add_line(f"store i64 {after.text}, ptr %rows.used")
        later = e.emit(f"add i64 {t.text}, %stride")
        e.add_line(f"store i64 {later.text}, ptr %next")
        self._stop_at(later)
        e.add_line("br label %recorded")
        e.label("recorded")
        better = e.compare("olt", loss, e.emit("load double, ptr %best.loss"))
        likely = e.likely(better)
        e.add_line(f"br i1 {likely.text}, label %better, label %worse")
        e.label("better")
        e.add_line(f"store double {loss.text}, ptr %best.loss")
        # volatile: else it would be a register, copied to another one at every step
        e.add_line(f"store volatile i64 {t.text}, ptr %best.t")
        e.add_line("br label %compared")
        e.label("worse")
        best = e.emit("load volatile i64, ptr %best.t")
        age = e.emit(f"sub i64 {t.text}, {best.text}")
        full = e.emit(f"icmp eq i64 {age.text}, {RING}")
        e.add_line(f"br i1 {full.text}, label %keep, label %compared")
        e.label("keep")
        self.keep_best(best)
        e.add_line("br label %compared")
        e.label("compared")

    def slot(self, t: Value) -> Value:
        """The place of step t in the ring."""
        e = self.e
        place = e.emit(f"srem i64 {t.text}, {SLOTS}")
        start = e.emit(f"mul i64 {place.text}, {self.params}")
        return e.emit(f"getelementptr double, ptr %ring, i64 {start.text}")

    def _stop_at(self, due: Value) -> None:
        """The step that has more to do than others: one with a row, or the last."""
        first = self.e.emit(f"icmp slt i64 {due.text}, %end.t").text
        stop = self.e.emit(f"select i1 {first}, i64 {due.text}, i64 %end.t")
        self.e.add_line(f"store i64 {stop.text}, ptr %stop")

    # -- what differs ---------------------------------------------------------------------

    @abstractmethod
    def norm(self) -> Value:
        """|g| at x."""

    @abstractmethod
    def put_x(self, pointer: str) -> None:
        """Write the x of this step there."""

    @abstractmethod
    def back(self) -> None:
        """The step is not taken: x is what it was before."""

    @abstractmethod
    def keep_best(self, t: Value) -> None:
        """Copy the x of step t, whose loss is the least so far: the ring is about to forget it."""

    @abstractmethod
    def leave(self) -> None:
        """Write down what is not in memory, on the way out."""


def load(e: Emitter, pointer: str, index: int, kind: str = "double") -> Value:
    """One element of an array."""
    at = e.emit(f"getelementptr {kind}, ptr {pointer}, i64 {index}")
    return e.emit(f"load {kind}, ptr {at.text}")


def store(e: Emitter, value: Value, pointer: str, index: int, kind: str = "double") -> None:
    """One element of an array changed."""
    at = e.emit(f"getelementptr {kind}, ptr {pointer}, i64 {index}")
    e.add_line(f"store {kind} {value.text}, ptr {at.text}")


def store_all(e: Emitter, values: Sequence[Value], pointer: str) -> None:
    """The first elements of an array changed."""
    for k, value in enumerate(values):
        store(e, value, pointer, k)
