"""The IR of a whole descent of few parameters: loss, rule and loop, everything in registers.

    int64 run(int64 *k, double *f, double *x, double *s, double *h, double *rows, double *ring)

advances from step k[T] to step k[END] and returns a `Code`; x and s (theta and the rule's state)
are changed in place. h: the values of lr and the hyperparameters. The x of the least loss follows
from f[BEST_X] on. The rest is told in `symgd.backends.native.descent_loop`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from symgd.backends.native.descent_loop import RING, DescentLoop, T, load, store, store_all
from symgd.backends.native.emit import Emitter, Value
from symgd.backends.native.forms import hypot
from symgd.backends.native.machine import source
from symgd.backends.native.powers import Powers
from symgd.nodes import Name, Node, float_of
from symgd.program import Program

BEST_X = 2  # f


def step_loop(program: Program, params: int, states: int, settles: bool) -> str:
    """The module of the descent of one step program of `symgd.descent.step_program`."""
    return _Loop(program, params, states, settles).text()


class _Loop(DescentLoop):
    """x, grad: where the descent is, as values of the IR."""

    x: list[Value]
    grad: list[Value]

    def __init__(self, program: Program, params: int, states: int, settles: bool) -> None:
        super().__init__(params, settles)
        self.program, self.states = program, states
        t, *tail = program.inputs[params + states :]
        self.powers = Powers(self.e, program, t, tail)

    def text(self) -> str:
        e = self.e
        self._entry()
        t = self.head()
        following = e.emit(f"add nsw i64 {t.text}, 1")
        loss, new, state = self._step(following)
        self.ask(finite(e, [loss, *self.grad]), "nonfinite.loss", "finite")
        self.record(t, loss)
        self.ask(self._small(), "converged", "onward", holds=True)
        self.ask(finite(e, new), "nonfinite.step", "moved")
        if self.settles:
            self.ask(self._still(new), "stuck", "commit", holds=True)
        for k, value in enumerate(new):
            e.add_line(f"store double {value.text}, ptr %x.{k}")
        for k, value in enumerate(state):
            e.add_line(f"store double {value.text}, ptr %s.{k}")
        self.close(following)
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
        self.begin()
        first = load(e, "%k", T, "i64")
        place = e.emit(f"srem i64 {first.text}, {RING}")
        e.add_line("%place = alloca i64")
        e.add_line(f"store i64 {place.text}, ptr %place")
        tail = self.program.inputs[self.params + self.states + 1 :]
        self.tail = {symbol: load(e, "%h", k) for k, symbol in enumerate(tail)}
        self.powers.begin(self.tail.__getitem__, e.emit(f"add i64 {first.text}, 1"))
        if self.powers.corrections:
            e.add_line("%late = alloca i1")
            e.add_line("store i1 false, ptr %late")
            for k in range(len(self.program.outputs)):
                e.add_line(f"%out.{k} = alloca double")

    def _step(self, following: Value) -> tuple[Value, list[Value], list[Value]]:
        """(loss, next x, next state) as values of the IR."""
        e, inputs = self.e, self.program.inputs
        x = [e.emit(f"load double, ptr %x.{k}") for k in range(self.params)]
        state = [e.emit(f"load double, ptr %s.{k}") for k in range(self.states)]
        t = e.emit(f"sitofp i64 {following.text} to double")
        known: dict[Node, Value] = dict(zip(inputs, [*x, *state, t], strict=False)) | self.tail
        if self.powers.corrections:
            out = self._early_or_late(known, t)
        else:
            out = self._out(known | self.powers.values(t))
            self.powers.advance()
        end = self.params + self.states
        self.x, self.grad = x, out[end + 1 :]
        return out[end], out[: self.params], out[self.params : end]

    def _out(self, known: dict[Node, Value]) -> list[Value]:
        return assignments(self.e, self.program, known, skip=("|g|",))

    def _early_or_late(self, known: dict[Node, Value], t: Value) -> list[Value]:
        """The outputs by two ways: once all corrections are 1, they and their powers are left out.

        A division by 1 takes as long as any other, and the next step waits for it.
        """
        e, corrections = self.e, self.powers.corrections
        is_late = e.emit("load i1, ptr %late")
        e.add_line(f"br i1 {is_late.text}, label %late.step, label %early.step")
        e.label("early.step")
        early = known | self.powers.values(t)
        self.powers.advance()
        early |= {node: e.node(node, early) for node in corrections}
        e.add_line(f"store i1 {self.powers.gone(early).text}, ptr %late")
        self._leave_out(self._out(early))
        e.label("late.step")
        found = self._out(known | dict.fromkeys(corrections, e.number(1.0)))
        self._leave_out(found)
        e.label("stepped")
        return [e.emit(f"load double, ptr %out.{k}") for k in range(len(found))]

    def _leave_out(self, values: Sequence[Value]) -> None:
        for k, value in enumerate(values):
            self.e.add_line(f"store double {value.text}, ptr %out.{k}")
        self.e.add_line("br label %stepped")

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
        still = e.compare("oge", self.tol, e.number(0.0))
        for old, now in zip(self.x, new, strict=True):
            still = e.logic("and", still, e.compare("oeq", old, now))
        return still

    # -- what is recorded -----------------------------------------------------------------

    def norm(self) -> Value:
        return hypot(self.e, *self.grad)

    def put_x(self, pointer: str) -> None:
        store_all(self.e, self.x, pointer)

    def remember(self, t: Value) -> None:
        e = self.e
        place = e.emit("load i64, ptr %place")
        at = e.emit(f"mul i64 {place.text}, {self.params}")
        self.put_x(e.emit(f"getelementptr double, ptr %ring, i64 {at.text}").text)
        after = e.emit(f"add i64 {place.text}, 1")
        around = e.emit(f"icmp eq i64 {after.text}, {RING}")
        wrapped = e.emit(f"select i1 {around.text}, i64 0, i64 {after.text}")
        e.add_line(f"store i64 {wrapped.text}, ptr %place")

    def keep_best(self) -> None:
        self.put_x(self.e.emit(f"getelementptr double, ptr %f, i64 {BEST_X}").text)

    def leave(self) -> None:
        e = self.e
        for name, count in (("x", self.params), ("s", self.states)):
            for k in range(count):
                store(e, e.emit(f"load double, ptr %{name}.{k}"), f"%{name}", k)


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
