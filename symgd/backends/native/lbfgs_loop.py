"""Emit the limited-memory BFGS method of `symgd.solvers.lbfgs`, decision by decision.

    int64 run(int64 *k, double *f, double *x, double *g, double *low, double *high, double *rows,
              double *w, double *c, ..work space)

One machine code serves every loss: k[FUNCTION] is the address of the function (x, w, c, out) that
puts value and gradient into out. k[COUNT]: the points to make; k[MADE] were made, each a row
[value, gradient.., x..]. x, g: the point and its [value, gradient..], changed in place. low, high:
bounds, infinite where there are none. The function returns an `End` by number, 0 to go on.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from symgd.backends.native.elementary import FunctionEmitter
from symgd.backends.native.ir import Value, Variable
from symgd.backends.native.jit import fused, pointers, source
from symgd.backends.step_checks import CURVATURE, DECREASE, ROUNDING, TRIALS
from symgd.backends.step_checks import PAIRS as MOST
from symgd.backends.step_checks import STILL as MOST_STILL

FUNCTION, PARAMS, COUNT, MADE, PAIRS, NEXT, STILL = range(7)  # k
TOL, LEAST = range(2)  # f
#: Work space, as long as pairs*parameters, parameters, 1 + parameters, pairs. steps, changes: the
#: last pairs of steps and changes of the gradient, in a ring. slope: the gradient where no bound
#: holds. step, new, there: of a trial the step, the point, its value and gradient; best: the last
#: trial that was low enough. products: of the pairs; weights: what one loop leaves to the other.
PAIRS_WORK = ("steps", "changes")
POINT_WORK = ("slope", "way", "step", "new", "best")
VALUE_WORK = ("there", "there_best")
RING_WORK = ("products", "weights")
ARGUMENTS = (
    *("k", "f", "x", "g", "low", "high", "rows", "w", "c"),
    *(*PAIRS_WORK, *POINT_WORK, *VALUE_WORK, *RING_WORK),
)
SMALL, SETTLED, BLOCKED = 1, 2, 3


def lbfgs_loop() -> str:
    """The module."""
    loop = LbfgsLoop()
    return source([_dot(), _add(), loop.write()], loop.e.declared)


def _dot() -> str:
    """The sum of products of two arrays, in any order, so that LLVM makes vectors of it."""
    e = FunctionEmitter()
    total = e.variable(value=e.number(0.0))
    with e.for_range(Value("%n")) as i:
        new = e.mul(e.load("%a", i), e.load("%b", i))
        total.set(e.emit(f"fadd reassoc double {total.get().text}, {new.text}"))
    head = "internal double @dot(ptr %a, ptr %b, i64 %n) noinline"
    return e.define(head, f"double {total.get().text}")


def _add() -> str:
    """Add a multiple of an array to another."""
    e = FunctionEmitter()
    with e.for_range(Value("%n")) as i:
        more = e.mul(Value("%factor"), e.load("%b", i))
        e.store(e.add(e.load("%a", i), more), "%a", i)
    arguments = "ptr noalias %a, double %factor, ptr noalias %b, i64 %n"
    return e.define(f"internal i64 @add({arguments}) noinline")


class LbfgsLoop:
    """The steps of one call."""

    def __init__(self) -> None:
        self.e = FunctionEmitter(fused=fused())

    def write(self) -> str:
        """The text of the function."""
        e = self.e
        self.count = e.load("%k", PARAMS, "i64")
        self.tol = e.load("%f", TOL)
        self.pairs = e.variable("i64", e.load("%k", PAIRS, "i64"))
        self.place = e.variable("i64", e.load("%k", NEXT, "i64"))
        self.still = e.variable("i64", e.load("%k", STILL, "i64"))
        self.least = e.variable(value=e.load("%f", LEAST))
        self.made, self.code = e.variable("i64", 0), e.variable("i64", 0)
        wanted = e.load("%k", COUNT, "i64")
        with e.while_loop(lambda: e.icmp("slt", self.made.get(), wanted)):
            self._step()
        e.label("leave")
        for place, kept in ((MADE, self.made), (PAIRS, self.pairs), (NEXT, self.place),
                            (STILL, self.still)):  # fmt: skip
            e.store(kept.get(), "%k", place, "i64")
        e.store(self.least.get(), "%f", LEAST)
        head = f"i64 @run({pointers(ARGUMENTS)})"
        return e.define(head, f"i64 {self.code.get().text}")

    def _step(self) -> None:
        """One point more, or none where the pairs are forgotten."""
        e, zero = self.e, self.e.number(0.0)
        steepest = e.variable(value=zero)
        with e.for_range(self.count) as i:
            slope = self._free(e.load("%g", e.integer("add", i, 1)), i)
            e.store(slope, "%slope", i)
            steepest.set(e.intrinsic("maximum", steepest.get(), e.intrinsic("fabs", slope)))
        with e.if_then(e.compare("ole", steepest.get(), self.tol)):
            self._end(SMALL)
        self._direction()
        with e.if_then(e.negated(e.compare("olt", self._dot("%way", "%slope"), zero))):
            self.pairs.set(0)
            self._each("%way", lambda i: e.neg(e.load("%slope", i)))
        found = self._search()
        none = e.icmp("eq", found.get(), 0)
        with e.if_then(e.logic("and", none, e.icmp("eq", self.pairs.get(), 0))):
            self._end(BLOCKED)
        with e.if_else(none) as otherwise:
            self.pairs.set(0)  # once more along the gradient
            otherwise()
            self._take()

    def _end(self, code: int) -> None:
        self.code.set(code)
        self.e.goto("leave")

    def _free(self, g: Value, i: Value) -> Value:
        """The gradient's part of parameter i, 0 where a bound holds it."""
        e, x, zero = self.e, self.e.load("%x", i), self.e.number(0.0)
        for bound, beyond, outward in (("%low", "ole", "oge"), ("%high", "oge", "ole")):
            at = e.compare(beyond, x, e.load(bound, i))
            g = e.select(e.logic("and", at, e.compare(outward, g, zero)), zero, g)
        return g

    def _direction(self) -> None:
        """Minus the approximate inverse Hessian times the slope, by two loops over the pairs."""
        e = self.e
        self._each("%way", lambda i: e.neg(e.load("%slope", i)))
        with e.for_range(self.pairs.get()) as back:
            place = self._slot(e.integer("sub", e.integer("sub", self.place.get(), back), 1))
            step, change = self._pair(place)
            weight = e.div(self._dot(step, "%way"), e.load("%products", place))
            e.store(weight, "%weights", place)
            self._add(e.neg(weight), change)
        with e.if_then(e.icmp("sgt", self.pairs.get(), 0)):
            last = self._slot(e.integer("sub", self.place.get(), 1))
            change = self._pair(last)[1]
            factor = e.div(e.load("%products", last), self._dot(change, change))
            self._each("%way", lambda i: e.mul(e.load("%way", i), factor))
        with e.for_range(self.pairs.get()) as k:
            first = e.integer("sub", self.place.get(), self.pairs.get())
            place = self._slot(e.integer("add", first, k))
            step, change = self._pair(place)
            back_weight = e.div(self._dot(change, "%way"), e.load("%products", place))
            weight = e.load("%weights", place)
            self._add(e.sub(weight, back_weight), step)
        zero = e.number(0.0)

        def where_free(i: Value) -> Value:
            held = e.compare("oeq", e.load("%slope", i), zero)
            return e.select(held, zero, e.load("%way", i))

        self._each("%way", where_free)

    def _slot(self, place: Value) -> Value:
        """A place in the ring."""
        return self.e.integer("srem", self.e.integer("add", place, MOST), MOST)

    def _pair(self, place: Value) -> tuple[str, str]:
        first = self.e.integer("mul", place, self.count)
        return self.e.at("%steps", first), self.e.at("%changes", first)

    def _search(self) -> Variable:
        """A point along the way that satisfies the conditions of Wolfe; 0 where there is none."""
        e = self.e
        low, high = e.variable(value=e.number(0.0)), e.variable(value=e.number(math.inf))
        length, found = e.variable(value=e.number(1.0)), e.variable("i64", 0)
        with e.if_then(e.icmp("eq", self.pairs.get(), 0)):
            length.set(self._first())
        value = e.load("%g", 0)
        noise = e.mul(e.number(ROUNDING), e.intrinsic("fabs", value))
        accepted, over = e.fresh_label("accepted"), e.fresh_label("over")
        with e.for_range(TRIALS):
            expected, after, finite = self._trial(length.get())
            new = e.load("%there", 0)
            fall = e.mul(e.number(DECREASE), expected)
            gained = e.compare("ole", new, e.add(value, fall))
            turned = e.mul(e.number(2 * DECREASE - 1), expected)
            level = e.logic("and", e.compare("ole", new, e.add(value, noise)),
                            e.compare("ole", after, turned))  # fmt: skip
            good = e.logic("and", finite, e.compare("olt", expected, e.number(0.0)))
            good = e.logic("and", good, e.logic("or", gained, level))
            with e.if_else(good) as otherwise:
                steep = e.compare("olt", after, e.mul(e.number(CURVATURE), expected))
                with e.if_then(e.negated(steep)):
                    found.set(1)
                    e.goto(accepted)
                low.set(length.get())
                found.set(1)
                e.copy("%best", "%new", self._bytes(0))
                e.copy("%there_best", "%there", self._bytes(1))
                otherwise()
                high.set(length.get())
            open_ended = e.compare("oeq", high.get(), e.number(math.inf))
            middle = e.mul(e.number(0.5), e.add(low.get(), high.get()))
            length.set(e.select(open_ended, e.mul(e.number(2.0), low.get()), middle))
            width, least = e.sub(high.get(), low.get()), e.mul(e.number(1e-16), high.get())
            shut = e.logic("and", e.negated(open_ended), e.compare("ole", width, least))
            with e.if_then(e.logic("or", shut, e.negated(e.all_finite([length.get()])))):
                e.goto(over)
        e.label(over)
        with e.if_then(e.icmp("eq", found.get(), 1)):
            e.copy("%new", "%best", self._bytes(0))
            e.copy("%there", "%there_best", self._bytes(1))
        e.label(accepted)
        return found

    def _first(self) -> Value:
        """The first length: a tenth of the parameters' size."""
        e, one = self.e, self.e.number(1.0)
        size = e.intrinsic("maximum", one, e.intrinsic("sqrt", self._dot("%x", "%x")))
        steep = e.intrinsic("sqrt", self._dot("%slope", "%slope"))
        return e.intrinsic("minimum", one, e.div(e.mul(e.number(0.1), size), steep))

    def _trial(self, length: Value) -> tuple[Value, Value, Value]:
        """The gradients here and there times the step, and whether all there is finite."""
        e = self.e

        def point(i: Value) -> Value:
            x = e.add(e.load("%x", i), e.mul(length, e.load("%way", i)))
            for bound, beyond in (("%low", "olt"), ("%high", "ogt")):
                x = e.select(e.compare(beyond, x, e.load(bound, i)), e.load(bound, i), x)
            e.store(e.sub(x, e.load("%x", i)), "%step", i)
            return x

        self._each("%new", point)
        target = e.emit(f"inttoptr i64 {e.load('%k', FUNCTION, 'i64').text} to ptr").text
        e.add_line(f"call i64 {target}(ptr %new, ptr %w, ptr %c, ptr %there)")
        grad, there = e.at("%g", 1), e.at("%there", 1)
        expected, after = self._dot(grad, "%step"), self._dot(there, "%step")
        zero = e.number(0.0)
        nothing = self._sum(lambda i: e.mul(e.load(there, i), zero))
        return expected, after, e.all_finite([e.load("%there", 0), nothing])

    def _take(self) -> None:
        """Keep the pair, move to the new point, write its row."""
        e = self.e
        step, change = self._pair(self.place.get())
        self._each(step, lambda i: e.sub(e.load("%new", i), e.load("%x", i)))
        grad, there = e.at("%g", 1), e.at("%there", 1)
        self._each(change, lambda i: e.sub(e.load(there, i), e.load(grad, i)))
        product = self._dot(step, change)
        norms = e.mul(*(e.intrinsic("sqrt", self._dot(a, a)) for a in (step, change)))
        with e.if_then(e.compare("ogt", product, e.mul(e.number(1e-12), norms))):
            e.store(product, "%products", self.place.get())
            self.place.set(self._slot(e.integer("add", self.place.get(), 1)))
            self.pairs.set(e.least(e.integer("add", self.pairs.get(), 1), MOST))
        size = e.intrinsic("sqrt", self._dot(there, there))
        value, new = e.load("%g", 0), e.load("%there", 0)
        noise = e.mul(e.number(ROUNDING), e.intrinsic("fabs", value))
        lower = e.compare("olt", new, e.sub(value, noise))
        flatter = e.compare("olt", size, e.mul(e.number(0.5), self.least.get()))
        more = e.integer("add", self.still.get(), 1)
        falls = e.logic("or", lower, flatter)
        self.still.set(e.select(falls, Value("0"), more, "i64"))
        self.least.set(e.intrinsic("minimum", self.least.get(), size))
        e.copy("%x", "%new", self._bytes(0))
        e.copy("%g", "%there", self._bytes(1))
        width = e.integer("add", e.integer("mul", self.count, 2), 1)
        row = e.at("%rows", e.integer("mul", self.made.get(), width))
        e.copy(row, "%g", self._bytes(1))
        e.copy(e.at(row, e.integer("add", self.count, 1)), "%x", self._bytes(0))
        self.made.set(e.integer("add", self.made.get(), 1))
        with e.if_then(e.icmp("eq", self.still.get(), MOST_STILL)):
            self._end(SETTLED)

    # -- arrays ---------------------------------------------------------------------------

    def _bytes(self, more: int) -> Value:
        return self.e.integer("mul", self.e.integer("add", self.count, more), 8)

    def _each(self, array: str, element: Callable[[Value], Value]) -> None:
        with self.e.for_range(self.count) as i:
            self.e.store(element(i), array, i)

    def _add(self, factor: Value, array: str) -> None:
        """Add a multiple of an array to the way."""
        arguments = f"ptr %way, double {factor.text}, ptr {array}, i64 {self.count.text}"
        self.e.emit(f"call i64 @add({arguments})")

    def _dot(self, a: str, b: str) -> Value:
        return self.e.emit(f"call double @dot(ptr {a}, ptr {b}, i64 {self.count.text})")

    def _sum(self, term: Callable[[Value], Value]) -> Value:
        e = self.e
        total = e.variable(value=e.number(0.0))
        with e.for_range(self.count) as i:
            total.set(e.add(total.get(), term(i)))
        return total.get()
