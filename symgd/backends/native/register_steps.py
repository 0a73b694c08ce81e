"""Emit a whole descent of few parameters: loss, rule and loop, all in registers.

    int64 run(int64 *k, double *f, double *x, double *s, double *h, double *rows, double *ring,
              double *best)

x and s: theta and the rule's state, changed in place. h: the values of lr and the hyperparameters.
All else is described in `symgd.backends.native.descent_loop`.
"""

from __future__ import annotations

from symgd.backends.native.bias_corrections import all_one, bias_corrections
from symgd.backends.native.descent_loop import DescentLoop
from symgd.backends.native.inline_functions import hypot
from symgd.backends.native.ir import Value, set_all
from symgd.backends.native.jit import pointers, source
from symgd.backends.program import Program

ARGUMENTS = ("k", "f", "x", "s", "h", "rows", "ring", "best")


def step_loop(program: Program, params: int, states: int, settles: bool) -> str:
    """The module of a descent; program: of `symgd.descent.step_program.step_program`."""
    loop = RegisterLoop(program, params, states, settles)
    return source([loop.write(f"i64 @run({pointers(ARGUMENTS)})")], loop.e.declared)


class RegisterLoop(DescentLoop):
    """theta, gradient, new: values of the IR, one for each number."""

    theta: list[Value]
    gradient: list[Value]
    new: list[Value]

    def __init__(self, program: Program, params: int, states: int, settles: bool) -> None:
        super().__init__(params, settles)
        self.program, self.states = program, states
        t, *tail = program.names[params + states :]
        self.corrections = bias_corrections(program, t, tail)

    def begin(self) -> None:
        e = self.e
        arrays = [("%x", k) for k in range(self.params)] + [("%s", k) for k in range(self.states)]
        self.moving = {place: e.variable(value=e.load(*place)) for place in arrays}
        tail = self.program.names[len(arrays) + 1 :]
        self.tail = [e.load("%h", k) for k in range(len(tail))]
        self.corrected = e.variable("i1", Value("false"))  # whether all corrections are 1

    def evaluate(self, t: Value) -> None:
        e = self.e
        inputs = [variable.get() for variable in self.moving.values()]
        number = e.emit(f"sitofp i64 {e.integer('add nsw', t, 1).text} to double")
        values = zip(self.program.names, [*inputs, number, *self.tail], strict=True)
        self.theta, self.known = inputs[: self.params], dict(values)
        self.loss, *self.gradient = self._outputs(slice(len(inputs), None))

    def propose(self, t: Value) -> None:
        e, part = self.e, slice(0, len(self.moving))
        if not self.corrections:
            self.new = self._outputs(part)
            return
        results, known = [e.variable() for _ in self.moving], self.known
        with e.if_else(self.corrected.get()) as otherwise:
            self.known = known | {c.result: e.number(1.0) for c in self.corrections}
            set_all(results, self._outputs(part))
            otherwise()
            self.known = known
            e.run(self.corrections, known)
            self.corrected.set(all_one(e, self.corrections, known))
            set_all(results, self._outputs(part))
        self.new = [result.get() for result in results]

    def _outputs(self, part: slice) -> list[Value]:
        """Some of the outputs of the program, without |g|."""
        names = [name for name in self.program.outputs if name != "|g|"][part]
        return self.e.outputs(self.program, self.known, names)

    def value_is_finite(self) -> Value:
        return self.e.all_finite([self.loss, *self.gradient])

    def gradient_is_small(self) -> Value:
        return self.e.all_small(self.gradient, self.tol)

    def step_is_finite(self) -> Value:
        return self.e.all_finite(self.new[: self.params])

    def step_is_zero(self) -> Value:
        return self.e.all_equal(self.theta, self.new[: self.params])

    def gradient_norm(self) -> Value:
        return hypot(self.e, *self.gradient)

    def store_theta(self, pointer: str) -> None:
        for k, value in enumerate(self.theta):
            self.e.store(value, pointer, k)

    def commit(self) -> None:
        set_all(self.moving.values(), self.new)

    def end(self) -> None:
        for (pointer, k), variable in self.moving.items():
            self.e.store(variable.get(), pointer, k)
