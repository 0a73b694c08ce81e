"""Emit a whole descent of few parameters: loss, rule and loop, all in registers.

    int64 run(int64 *k, double *f, double *x, double *s, double *h, double *rows, double *ring)

advances from step k[T] to step k[END] and returns a `Code`; x and s (theta and the rule's state)
are changed in place. h: the values of lr and the hyperparameters. The x of the least loss is
copied to f[BEST_X] onward when the ring is about to overwrite it. All else is described in
`symgd.backends.native.descent_loop`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from symgd.backends.native.bias_corrections import all_one, bias_corrections
from symgd.backends.native.descent_loop import SLOTS, DescentLoop, T, load, store, store_all
from symgd.backends.native.inline_functions import hypot
from symgd.backends.native.jit import fused, source
from symgd.backends.native.translate import Emitter, Value
from symgd.backends.operations import Operand, live
from symgd.backends.program import Program

BEST_X = 2  # f


def step_loop(program: Program, params: int, states: int, settles: bool) -> str:
    """The module of a descent; program: of `symgd.descent.step_program.step_program`."""
    return _Loop(program, params, states, settles).text()


class _Loop(DescentLoop):
    """at: where in the ring the x of the step is; grad: its gradient, as values of the IR."""

    at: Value
    grad: list[Value]

    def __init__(self, program: Program, params: int, states: int, settles: bool) -> None:
        super().__init__(params, settles)
        self.program, self.states = program, states
        t, *tail = program.names[params + states :]
        self.corrections = bias_corrections(program, t, tail)
        outputs = list(program.outputs.values())
        slopes = outputs[len(outputs) - params :]
        pairs = zip(outputs, slopes, strict=False)
        self.implied = [implies_finite(program, *pair) for pair in pairs]

    def text(self) -> str:
        e = self.e
        self._entry()
        t = self.head()
        self.at = e.emit("load ptr, ptr %ring.at")
        following = e.emit(f"add nsw i64 {t.text}, 1")
        loss, new, state = self._step(following)
        checked = [g for g, implied in zip(self.grad, self.implied, strict=True) if not implied]
        sound = finite(e, [loss, *checked, *new])  # one test in the usual case
        e.add_line(f"br i1 {sound.text}, label %finite, label %doubt")
        e.label("doubt")
        good = finite(e, [*self.grad, loss])
        e.add_line("store i1 true, ptr %careful")
        e.add_line(f"br i1 {good.text}, label %finite, label %nonfinite.loss")
        e.label("finite")
        self.record(t, loss)
        careful = e.emit("load i1, ptr %careful")
        e.add_line(f"br i1 {careful.text}, label %asked, label %onward")
        e.label("onward")
        self._commit(new, state)
        e.add_line(f"store i64 {following.text}, ptr %t.now")
        e.add_line("br label %loop")
        e.label("asked")
        self._ask_with_tol(self._small, "converged", "unfinished")
        self.ask(sound, "nonfinite.step", "moved")
        if self.settles:
            self._ask_with_tol(lambda: self._still(new), "stuck", "moving")
        self._commit(new, state)
        self.close(following)
        head = (
            "define i64 @run(ptr noalias %k, ptr noalias %f, ptr noalias %x, ptr noalias %s, "
            "ptr noalias %h, ptr noalias %rows, ptr noalias %ring) {"
        )
        whole = "\n".join([head, *e.lines, "}"])
        return source([whole], e.declared)

    # -- parts ----------------------------------------------------------------------------

    def _entry(self) -> None:
        e = self.e
        e.label("entry")
        for name, count, kind in (("x", self.params, "double"), ("s", self.states, "double")):
            for k in range(count):
                e.add_line(f"%{name}.{k} = alloca {kind}")
                value = load(e, f"%{name}", k)
                e.add_line(f"store double {value.text}, ptr %{name}.{k}")
        self.begin()
        e.add_line(f"%watched = fcmp oge double {self.tol.text}, {e.number(0.0).text}")
        e.add_line("store i1 %watched, ptr %careful")
        first = load(e, "%k", T, "i64")
        end = e.emit(f"getelementptr double, ptr %ring, i64 {SLOTS * self.params}")
        # volatile: else it would be computed anew at every step
        e.add_line("%ring.end.at = alloca ptr")
        e.add_line(f"store volatile ptr {end.text}, ptr %ring.end.at")
        e.add_line("%ring.end = load volatile ptr, ptr %ring.end.at")
        e.add_line("%ring.at = alloca ptr")
        e.add_line(f"store ptr {self.slot(first).text}, ptr %ring.at")
        tail = self.program.names[self.params + self.states + 1 :]
        self.tail = {name: load(e, "%h", k) for k, name in enumerate(tail)}
        if self.corrections:
            e.add_line("%late = alloca i1")
            e.add_line("store i1 false, ptr %late")
            for k in range(len(self.program.outputs)):
                e.add_line(f"%out.{k} = alloca double")

    def _step(self, following: Value) -> tuple[Value, list[Value], list[Value]]:
        """(loss, next x, next state) as values of the IR."""
        e, inputs = self.e, self.program.names
        x = [e.emit(f"load double, ptr %x.{k}") for k in range(self.params)]
        store_all(e, x, self.at.text)
        state = [e.emit(f"load double, ptr %s.{k}") for k in range(self.states)]
        t = e.emit(f"sitofp i64 {following.text} to double")
        known: dict[str, Value] = dict(zip(inputs, [*x, *state, t], strict=False)) | self.tail
        out = self._early_or_late(known) if self.corrections else self._out(known)
        end = self.params + self.states
        self.grad = out[end + 1 :]
        return out[end], out[: self.params], out[self.params : end]

    def _out(self, known: dict[str, Value]) -> list[Value]:
        return run_program(self.e, self.program, known, skip=("|g|",))

    def _early_or_late(self, known: dict[str, Value]) -> list[Value]:
        """The outputs by two ways: once all corrections are 1, they and their powers are left out.

        A division by 1 takes as long as any other, and the next step waits for it.
        """
        e, corrections = self.e, self.corrections
        is_late = e.emit("load i1, ptr %late")
        e.add_line(f"br i1 {is_late.text}, label %late.step, label %early.step")
        e.label("early.step")
        early = dict(known)
        e.run(corrections, early)
        e.add_line(f"store i1 {all_one(e, corrections, early).text}, ptr %late")
        self._leave_out(self._out(early))
        e.label("late.step")
        found = self._out(known | dict.fromkeys([c.result for c in corrections], e.number(1.0)))
        self._leave_out(found)
        e.label("stepped")
        return [e.emit(f"load double, ptr %out.{k}") for k in range(len(found))]

    def _leave_out(self, values: Sequence[Value]) -> None:
        for k, value in enumerate(values):
            self.e.add_line(f"store double {value.text}, ptr %out.{k}")
        self.e.add_line("br label %stepped")

    def _commit(self, new: Sequence[Value], state: Sequence[Value]) -> None:
        """The step is taken."""
        e = self.e
        after = e.emit(f"getelementptr double, ptr {self.at.text}, i64 {self.params}")
        around = e.emit(f"icmp eq ptr {after.text}, %ring.end")
        wrapped = e.emit(f"select i1 {around.text}, ptr %ring, ptr {after.text}")
        e.add_line(f"store ptr {wrapped.text}, ptr %ring.at")
        for name, values in (("x", new), ("s", state)):
            for k, value in enumerate(values):
                e.add_line(f"store double {value.text}, ptr %{name}.{k}")

    def _ask_with_tol(self, condition: Callable[[], Value], leave: str, stay: str) -> None:
        """Leave where the condition holds, which costs nothing where there is no tolerance."""
        e = self.e
        e.add_line(f"br i1 %watched, label %{stay}.asked, label %{stay}")
        e.label(f"{stay}.asked")
        self.ask(condition(), leave, stay, holds=True)

    def _small(self) -> Value:
        """max|g| <= tol."""
        e = self.e
        small = Value("true")
        for slope in self.grad:
            here = e.compare("ole", e.intrinsic("fabs", slope), self.tol)
            small = e.logic("and", small, here)
        return small

    def _still(self, new: Sequence[Value]) -> Value:
        e = self.e
        still = Value("true")
        for old, now in zip(self._before(), new, strict=True):
            still = e.logic("and", still, e.compare("ueq", old, now))  # none is NaN here
        return still

    # -- what is recorded -----------------------------------------------------------------

    def norm(self) -> Value:
        return hypot(self.e, *self.grad)

    def put_x(self, pointer: str) -> None:
        store_all(self.e, self._before(), pointer)

    def _before(self) -> list[Value]:
        """The x of this step, from the ring: so no register keeps it longer than the step does."""
        return self._numbers(self.at)

    def _numbers(self, place: Value) -> list[Value]:
        return [load(self.e, place.text, k) for k in range(self.params)]

    def keep_best(self, t: Value) -> None:
        kept = self.e.emit(f"getelementptr double, ptr %f, i64 {BEST_X}")
        store_all(self.e, self._numbers(self.slot(t)), kept.text)

    def back(self) -> None:
        for k, value in enumerate(self._before()):
            self.e.add_line(f"store double {value.text}, ptr %x.{k}")

    def leave(self) -> None:
        e = self.e
        for name, count in (("x", self.params), ("s", self.states)):
            for k in range(count):
                store(e, e.emit(f"load double, ptr %{name}.{k}"), f"%{name}", k)


def run_program(
    e: Emitter, program: Program, known: dict[str, Value], skip: Sequence[str] = ()
) -> list[Value]:
    """The outputs of a program whose inputs are known, without those in `skip`."""
    wanted = [operand for name, operand in program.outputs.items() if name not in skip]
    e.run(live(program.body, wanted, known), known)
    return [e.operand(operand, known) for operand in wanted]


def implies_finite(program: Program, step: Operand, slope: Operand) -> bool:
    """Whether a finite step proves that the slope is finite."""
    definitions = {o.result: o for o in program.body}
    stack, seen = [step], set[Operand]()
    while stack:
        operand = stack.pop()
        if operand == slope and isinstance(operand, str):
            return True
        if operand not in seen:
            seen.add(operand)
            if operand in definitions:
                stack.extend(definitions[operand].spreads)
    return False


def finite(e: Emitter, values: Sequence[Value]) -> Value:
    """Whether all are finite: 0*x is 0 for every finite x and NaN for the others."""
    zero = e.number(0.0)
    total = e.mul(values[0], zero)
    for value in values[1:]:
        if fused():
            total = e.intrinsic("fma", value, zero, total)
        else:
            total = e.add(total, e.mul(value, zero))
    return e.compare("ord", total, total)
