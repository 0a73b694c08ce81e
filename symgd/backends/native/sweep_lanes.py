"""Emit a sweep: many descents at once, one in each SIMD lane, group after group of lanes.

    int64 sweep(int64 *k, double *u, double *w, double *x, double *s, double *before, int64 *code,
                int64 *steps, double *theta, double *out)
    int64 look(int64 *k, double *x, double *theta, double *out)

`sweep` advances packs of groups, pack < k[LAST], from step k[T] to k[END], and then calls `look`.
Threads may run it concurrently with the same arguments: each fetches the next k[SHARE] packs from
the counter k[NEXT], until none is left, or until it has processed k[TURN] or a few more and returns
MORE, to be called again. Both functions add NONFINITE to the result if a loss or |g| is not finite.
u: the tolerance, then the values of lr and hyperparameters that all descents share. w: those that
each has of its own, (group, value, lane). x, s, before: theta, the rule's state and the theta
before, (group, value, lane), changed in place. code: a `Stop` or RUNNING, steps: where a descent
stopped, (group, lane). Where the loss is not finite, x is the last theta where it
was, and before the one where it is not. `look` writes x as theta, (group, lane, value), and [loss,
|g|, g..] there as out, (value, group, lane), of groups k[FIRST] to k[LAST] out of k[GROUPS].
`sweep` is written in `symgd.backends.native.lane_packs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.inline_functions import hypot
from symgd.backends.native.ir import Integer, Value
from symgd.backends.native.jit import fused, pointers
from symgd.backends.program import Program

FIRST, LAST, GROUPS = range(3)  # k of `look`
NEXT, T, END, SHARE, TURN = (FIRST, *range(3, 7))  # k of `sweep`, beside LAST and GROUPS
NONFINITE, MORE = 1, 2  # what is returned
LOOK = ("k", "x", "theta", "out")


@dataclass(frozen=True)
class Lanes:
    """What the code is made for.

    program: of `symgd.descent.step_program.step_program`. own: which of the tail values each lane
    has of its own. has_tol: whether there is a tolerance. lanes: of a group. pack: how many
    groups advance together: while one waits for a result, the others work. box: where no |theta|
    is larger, loss and gradient are finite; 0: unknown.
    """

    program: Program
    params: int
    states: int
    own: tuple[bool, ...]
    settles: bool
    has_tol: bool
    lanes: int
    pack: int
    box: float


class LaneArrays:
    """Access to arrays of vectors, for both functions."""

    def __init__(self, what: Lanes) -> None:
        self.what, self.e = what, FunctionEmitter(what.lanes, fused=fused())

    def load(self, array: str, group: Value, count: int, element: str = "double") -> list[Value]:
        """The `count` vectors of one group of an array (group, count, lane)."""
        e, lanes = self.e, self.what.lanes
        base = e.at(array, e.integer("mul", group, count * lanes), element)
        return [e.load(base, k * lanes, element, wide=True) for k in range(count)]

    def store(
        self, values: Sequence[Value], array: str, group: Value, element: str = "double"
    ) -> None:
        """Change those vectors."""
        e, lanes = self.e, self.what.lanes
        base = e.at(array, e.integer("mul", group, len(values) * lanes), element)
        for k, value in enumerate(values):
            e.store(e.spread(value, element), base, k * lanes, element)

    def k(self, index: int) -> Value:
        """One of the kernel's integers."""
        return self.e.load("%k", index, "i64")

    def any(self, condition: Value) -> Value:
        """Whether it holds in any lane."""
        e, lanes = self.e, self.what.lanes
        bits = e.emit(f"bitcast {e.type(True, 'i1')} {e.spread(condition, 'i1').text} to i{lanes}")
        return e.emit(f"icmp ne i{lanes} {bits.text}, 0")


class Look(LaneArrays):
    """The function `look`."""

    def text(self) -> str:
        e, what = self.e, self.what
        names = [n for n in what.program.outputs if n == "loss" or n.startswith("d/d")]
        failed, groups = e.variable("i1", Value("false")), self.k(GROUPS)
        with e.for_range(self.k(LAST), self.k(FIRST)) as group:
            x = self.load("%x", group, what.params)
            known: dict[str, Value] = dict(zip(what.program.names, x, strict=False))
            loss, *grad = e.outputs(what.program, known, names)
            norm = hypot(e, *grad)
            bad = e.negated(e.all_finite([loss, norm]))
            failed.set(e.logic("or", failed.get(), self.any(bad)))
            for k, value in enumerate([loss, norm, *grad]):
                self.store([value], "%out", e.integer("add", e.integer("mul", groups, k), group))
            self._store_rows(x, group)
        result = e.emit(f"zext i1 {failed.get().text} to i64")
        return e.define(f"i64 @look({pointers(LOOK)})", f"i64 {result.text}")

    def _store_rows(self, x: Sequence[Value], group: Integer) -> None:
        """Theta of each lane in a row of its own."""
        e, what = self.e, self.what
        rows = e.at("%theta", e.integer("mul", group, what.lanes * what.params))
        for lane in range(what.lanes):
            for k, value in enumerate(x):
                e.store(e.lane(value, lane), rows, lane * what.params + k)
