"""Emit a descent of many parameters: a compiled gradient, and the rule in loops over arrays.

    int64 run(int64 *k, double *f, double *x, double *s, double *h, double *rows, double *ring,
              double *w, double *c, double *out, double *new, double *best)

As `symgd.backends.native.register_steps`, for arrays of any length: the code does not grow with it.
s: the state arrays of the rule, concatenated. out: [loss, g..]; new: work space for the next theta
and state. best: the theta of the least loss, copied when the ring is about to overwrite it; until
then k[BEST_T] is its step in the ring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from symgd.backends.native.descent_loop import DescentLoop, load
from symgd.backends.native.inline_functions import hypot
from symgd.backends.native.jit import source
from symgd.backends.native.register_steps import run_program
from symgd.backends.native.translate import Value
from symgd.backends.operations import Operand, live
from symgd.backends.program import Program

ARGUMENTS = ("k", "f", "x", "s", "h", "rows", "ring", "w", "c", "out", "new", "best")


def array_loop(rule: Program, evaluate: int, params: int, states: int, settles: bool) -> str:
    """The module. rule: of `rule_program`; evaluate: the address of `large.Large`'s function."""
    return _Loop(rule, evaluate, params, states, settles).text()


class _Loop(DescentLoop):
    def __init__(
        self, rule: Program, evaluate: int, params: int, states: int, settles: bool
    ) -> None:
        super().__init__(params, settles)
        self.rule, self.evaluate, self.states = rule, evaluate, states
        self.loops = 0

    def text(self) -> str:
        e = self.e
        self._entry()
        t = self.head()
        self.put_x(self.slot(t).text)
        e.add_line(
            f"call i64 inttoptr (i64 {self.evaluate} to ptr)(ptr %x, ptr %w, ptr %c, ptr %out)"
        )
        e.add_line("%slope = getelementptr double, ptr %out, i64 1")
        loss = load(e, "%out", 0)
        good = self._all("%slope", self.params, lambda g, _: self._finite(g))
        self.ask(e.logic("and", good, self._finite(loss)), "nonfinite.loss", "finite")
        self.record(t, loss)
        small = self._all("%slope", self.params, self._below)
        self.ask(small, "converged", "onward", holds=True)
        following = e.emit(f"add nsw i64 {t.text}, 1")
        self._rule(following)
        good = self._all("%new", self.params, lambda x, _: self._finite(x))
        self.ask(good, "nonfinite.step", "moved")
        if self.settles:
            still = self._all("%new", self.params, self._unmoved)
            asked = e.logic("and", still, e.compare("oge", self.tol, e.number(0.0)))
            self.ask(asked, "stuck", "commit", holds=True)
        self._copy("%new", "%x", self.params)
        if self.states:
            later = e.emit(f"getelementptr double, ptr %new, i64 {self.params}")
            self._copy(later.text, "%s", self.params * self.states)
        self.close(following)
        arguments = ", ".join(f"ptr noalias %{a}" for a in ARGUMENTS)
        return source(
            [f"define i64 @run({arguments}) {{\n" + "\n".join([*e.lines, "}"])], e.declared
        )

    # -- parts ----------------------------------------------------------------------------

    def _entry(self) -> None:
        e = self.e
        e.label("entry")
        for name, kind in (("i", "i64"), ("flag", "i64"), ("sum", "double")):
            e.add_line(f"%{name} = alloca {kind}")
        self.begin()
        tail = self.rule.names[2 + self.states + 1 :]
        self.tail = {n: load(e, "%h", k) for k, n in enumerate(tail)}

    def norm(self) -> Value:
        return self._norm("%slope")

    def put_x(self, pointer: str) -> None:
        self._copy("%x", pointer, self.params)

    def keep_best(self, t: Value) -> None:
        self._copy(self.slot(t).text, "%best", self.params)

    def back(self) -> None:
        """x has not been changed yet."""

    def leave(self) -> None:
        """All is in memory."""

    def _rule(self, following: Value) -> None:
        """theta and state after the step, into %new; first the norms over whole arrays."""
        e = self.e
        t = e.emit(f"sitofp i64 {following.text} to double")
        known = self.tail | {self.rule.names[2 + self.states]: t}
        for operation in self.rule.body:
            if operation.name == "norm":
                known[operation.result] = self._norm_of(operation.arguments[0], known)
        i = self._open()
        values = run_program(e, self.rule, known | self._elements(i))
        for k, value in enumerate(values):
            self._put(value, "%new", i, k * self.params)
        self._close(self.params)

    def _elements(self, i: Value) -> dict[str, Value]:
        """theta, g and the states of parameter i."""
        theta, slope, *states = self.rule.names[: 2 + self.states]
        found = {theta: self._get("%x", i), slope: self._get("%slope", i)}
        return found | {s: self._get("%s", i, k * self.params) for k, s in enumerate(states)}

    def _norm_of(self, operand: Operand, known: Mapping[str, Value]) -> Value:
        """The Euclidean norm of a number of each parameter, put into %new on the way."""
        i = self._open()
        here = {**known, **self._elements(i)}
        self.e.run(live(self.rule.body, [operand], here), here)
        self._put(self.e.operand(operand, here), "%new", i)
        self._close(self.params)
        return self._norm("%new")

    def _norm(self, array: str) -> Value:
        """The norm; of arrays whose squares overflow or vanish, scaled by their largest element."""
        e, number = self.e, self.loops
        total = self._sum(array, lambda x: e.mul(x, x))
        low = e.compare("ogt", total, e.number(1e-280))
        usual = e.logic("and", low, e.compare("olt", total, e.number(1e300)))
        plain = e.intrinsic("sqrt", total)
        e.add_line(f"store double {plain.text}, ptr %sum")
        e.add_line(f"br i1 {usual.text}, label %normed{number}, label %scaled{number}")
        e.label(f"scaled{number}")
        e.add_line("store double 0.0, ptr %sum")
        i = self._open()
        before = e.emit("load double, ptr %sum")
        after = hypot(e, before, self._get(array, i))
        e.add_line(f"store double {after.text}, ptr %sum")
        self._close(self.params)
        e.add_line(f"br label %normed{number}")
        e.label(f"normed{number}")
        return e.emit("load double, ptr %sum")

    # -- loops over arrays ----------------------------------------------------------------

    def _open(self) -> Value:
        e = self.e
        self.loops += 1
        e.add_line("store i64 0, ptr %i")
        e.add_line(f"br label %array{self.loops}")
        e.label(f"array{self.loops}")
        return e.emit("load i64, ptr %i")

    def _close(self, count: int) -> None:
        e = self.e
        after = e.emit(f"add nuw nsw i64 {e.emit('load i64, ptr %i').text}, 1")
        e.add_line(f"store i64 {after.text}, ptr %i")
        more = e.emit(f"icmp slt i64 {after.text}, {count}")
        e.add_line(f"br i1 {more.text}, label %array{self.loops}, label %after{self.loops}")
        e.label(f"after{self.loops}")

    def _get(self, array: str, i: Value, offset: int = 0) -> Value:
        return self.e.emit(f"load double, ptr {self._at(array, i, offset).text}")

    def _put(self, value: Value, array: str, i: Value, offset: int = 0) -> None:
        at = self._at(array, i, offset)
        self.e.add_line(f"store double {value.text}, ptr {at.text}")

    def _at(self, array: str, i: Value, offset: int) -> Value:
        index = self.e.emit(f"add nsw i64 {i.text}, {offset}") if offset else i
        return self.e.emit(f"getelementptr double, ptr {array}, i64 {index.text}")

    def _copy(self, origin: str, target: str, count: int) -> None:
        size = 8 * count
        self.e.declared.add("declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)")
        self.e.add_line(
            f"call void @llvm.memcpy.p0.p0.i64(ptr {target}, ptr {origin}, i64 {size}, i1 false)"
        )

    def _sum(self, array: str, term: Callable[[Value], Value]) -> Value:
        e = self.e
        e.add_line("store double 0.0, ptr %sum")
        i = self._open()
        before = e.emit("load double, ptr %sum")
        one = term(self._get(array, i))
        after = e.emit(f"fadd reassoc double {before.text}, {one.text}")
        e.add_line(f"store double {after.text}, ptr %sum")
        self._close(self.params)
        return e.emit("load double, ptr %sum")

    def _all(self, array: str, count: int, holds: Callable[[Value, Value], Value]) -> Value:
        """Whether `holds(element, index)` for every element; no element is skipped."""
        e = self.e
        e.add_line("store i64 0, ptr %flag")
        i = self._open()
        good = holds(self._get(array, i), i)
        failed = e.emit(f"zext i1 {e.negated(good).text} to i64")
        before = e.emit("load i64, ptr %flag")
        both = e.emit(f"or i64 {before.text}, {failed.text}")
        e.add_line(f"store i64 {both.text}, ptr %flag")
        self._close(count)
        return e.emit(f"icmp eq i64 {e.emit('load i64, ptr %flag').text}, 0")

    def _finite(self, x: Value) -> Value:
        return self.e.compare("oeq", self.e.sub(x, x), self.e.number(0.0))

    def _below(self, slope: Value, _: Value) -> Value:
        return self.e.compare("ole", self.e.intrinsic("fabs", slope), self.tol)

    def _unmoved(self, new: Value, i: Value) -> Value:
        return self.e.compare("oeq", new, self._get("%x", i))
