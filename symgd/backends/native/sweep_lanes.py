"""Emit a sweep: many descents at once, one in each SIMD lane, group after group of lanes.

    int64 sweep(int64 *k, double *u, double *w, double *x, double *s, double *before, int64 *code,
                int64 *steps, double *theta, double *out)
    int64 look(int64 *k, double *x, double *theta, double *out)

`sweep` advances packs of groups, pack < k[LAST], from step k[T] to k[END], and then calls `look`.
Threads may run it concurrently with the same arguments: each fetches the next k[SHARE] packs from
the counter k[NEXT], until none is left, or until it has processed k[TURN] or a few more and returns
MORE, to be called again. Both functions add TROUBLE to the result if a loss or |g| is not finite.
u: the tolerance, then the values of lr and hyperparameters that all descents share. w: those that
each has of its own, (group, value, lane). x, s, before: theta, the rule's state and the theta
before, (group, value, lane), changed in place. code: a `Code`, DONE as long as it goes on, steps:
where a descent stopped, (group, lane). Where the loss is not finite, x is the last theta where it
was, and before the one where it is not. `look` writes x as theta, (group, lane, value), and [loss,
|g|, g..] there as out, (value, group, lane), of groups k[FIRST] to k[LAST] out of k[GROUPS].
`sweep` is written in `symgd.backends.native.unrolled_lanes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.inline_functions import hypot
from symgd.backends.native.register_steps import finite, run_program
from symgd.backends.native.translate import Value
from symgd.backends.program import Program

FIRST, LAST, GROUPS = range(3)  # k of `look`
NEXT, T, END, SHARE, TURN = (FIRST, *range(3, 7))  # k of `sweep`, beside LAST and GROUPS
TROUBLE, MORE = 1, 2  # what is returned


@dataclass(frozen=True)
class Lanes:
    """What the code is made for.

    program: of `symgd.descent.step_program.step_program`. own: which of the tail values each lane
    has of its own. certificate: whether there is a tolerance. lanes: of a group. pack: how many
    groups advance together: while one waits for a result, the others work. box: where no |theta|
    is larger, loss and gradient are finite; 0: unknown.
    """

    program: Program
    params: int
    states: int
    own: tuple[bool, ...]
    settles: bool
    certificate: bool
    lanes: int
    pack: int
    box: float


class Writer:
    """What both functions need: arrays of vectors, counters, blocks."""

    def __init__(self, what: Lanes) -> None:
        self.what, self.e = what, FunctionEmitter(what.lanes)
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


class Look(Writer):
    """The function `look`."""

    def text(self) -> str:
        e, what = self.e, self.what
        e.label("entry")
        e.add_line("%group = alloca i64")
        e.add_line("%good = alloca i1")
        e.add_line("store i1 true, ptr %good")
        first, last = self.k(FIRST), self.k(LAST)
        group = self.open("group", first.text, last)
        x = self.load("%x", group, what.params)
        known: dict[str, Value] = dict(zip(what.program.names, x, strict=False))
        names = [n for n in what.program.outputs if n == "loss" or n.startswith("d/d")]
        rest = [n for n in what.program.outputs if n not in names]
        loss, *grad = run_program(e, what.program, known, skip=rest)
        norm = hypot(e, *grad)
        bad = e.negated(finite(e, [e.spread(loss), e.spread(norm)]))
        none = e.logic("xor", self.any(bad), Value("true"))
        so_far = e.logic("and", none, e.emit("load i1, ptr %good"))
        e.add_line(f"store i1 {so_far.text}, ptr %good")
        groups = self.k(GROUPS)
        for k, value in enumerate([loss, norm, *grad]):
            before = e.emit(f"mul i64 {groups.text}, {k}")
            self.store([value], "%out", e.emit(f"add i64 {before.text}, {group.text}"))
        self._rows(x, group)
        self.close("group")
        some = e.logic("xor", e.emit("load i1, ptr %good"), Value("true"))
        e.add_line(f"ret i64 {e.emit(f'zext i1 {some.text} to i64').text}")
        head = (
            "define i64 @look(ptr noalias %k, ptr noalias %x, ptr noalias %theta, "
            "ptr noalias %out) {"
        )
        return "\n".join([head, *e.lines, "}"])

    def _rows(self, x: Sequence[Value], group: Value) -> None:
        """Theta of each lane in a row of its own."""
        e, what = self.e, self.what
        first = e.emit(f"mul i64 {group.text}, {what.lanes * what.params}")
        for lane in range(what.lanes):
            for k, value in enumerate(x):
                kind = e.type(True)
                one = e.emit(f"extractelement {kind} {value.text}, i32 {lane}")
                place = e.emit(f"add i64 {first.text}, {lane * what.params + k}")
                at = e.emit(f"getelementptr double, ptr %theta, i64 {place.text}")
                e.add_line(f"store double {one.text}, ptr {at.text}")
