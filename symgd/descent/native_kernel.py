"""The kernels that run whole chunks of steps in machine code."""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from collections.abc import Callable
from dataclasses import dataclass

from symgd.backends.native import descent_loop, register_steps
from symgd.backends.native.array_module import compile_large
from symgd.backends.native.array_steps import array_loop
from symgd.backends.native.descent_loop import RING, SLOTS, Code
from symgd.backends.native.jit import compile_alone, compile_module, interrupted
from symgd.backends.native.postponed_interrupts import interrupts_postponed
from symgd.backends.program import Program
from symgd.descent.kernel import Run, Stop
from symgd.model.loss import Loss

_STOP = {
    Code.DONE: None,
    Code.CONVERGED: Stop.CONVERGED,
    Code.NONFINITE_LOSS: Stop.NONFINITE_LOSS,
    Code.NONFINITE_STEP: Stop.NONFINITE_STEP,
    Code.STUCK: Stop.STUCK,
}
_ROWS = 4096  # rows of the history per call,
_NUMBERS = 4_000_000  # or fewer, so many numbers
_NANOSECONDS = 50e6  # about how long a call may last: Ctrl-C waits for its end


class _Compiled(ABC):
    """What both kernels share: calls of limited length, and their log messages.

    The history, best point and last points are those that StepKernel records.
    """

    count: int
    states: int
    tail: tuple[float, ...]
    nanoseconds: float  # of one step
    evaluate: Callable[..., list[float]]

    @abstractmethod
    def call(self, call: _Call) -> Code:
        """Run the machine code on these buffers."""

    def advance(self, run: Run, count: int) -> Stop | None:
        """Up to `count` steps, as many as a call may take; the reason if it ended earlier."""
        stride, width = run.history.stride, self.count + 2
        rows = max(1, min(_ROWS, _NUMBERS // width))
        now = min(count, max(1, int(_NANOSECONDS / self.nanoseconds)), stride * rows)
        first, due = run.t, -(-run.t // stride) * stride
        call = _Call(
            k=array("q", [first, first + now, due, stride, 0, -RING - 1]),
            f=array("d", [-1.0 if run.tol is None else run.tol, run.best_loss]),
            x=array("d", run.x),
            s=array("d", run.state or [0.0]),
            h=array("d", self.tail or (0.0,)),
            rows=array("d", bytes(8 * width * (now // stride + 2))),
            ring=array("d", bytes(8 * self.count * SLOTS)),
        )
        code = self.call(call)
        with interrupts_postponed():  # all of it or nothing
            run.x, run.state = call.x.tolist(), call.s.tolist()[: self.count * self.states]
            run.t = call.k[descent_loop.T]
            seen = run.t + (code not in (Code.DONE, Code.NONFINITE_LOSS))
            self._record(run, call, range(first, seen))
        interrupted.check()
        return _STOP[code]

    def _record(self, run: Run, call: _Call, seen: range) -> None:
        """What the code noted of the points of these steps."""
        if call.k[descent_loop.ROWS]:
            run.history.extend(call.rows, call.k[descent_loop.ROWS])
        if call.k[descent_loop.BEST_T] >= 0:
            run.best_loss, run.best_t = call.f[descent_loop.BEST], call.k[descent_loop.BEST_T]
            run.best_x = self._best(call, seen)
        for t in seen[-RING:]:
            run.tail.append((t, call.point(t, self.count)))
        if seen:
            t, x = run.tail[-1]
            run.loss, *run.grad = self.evaluate(*x)
            run.last = (t, x, run.loss, run.grad)

    def _best(self, call: _Call, seen: range) -> list[float]:
        """The best point of the call: still in the ring, or copied from there."""
        t = call.k[descent_loop.BEST_T]
        return call.point(t, self.count) if t in seen[-RING:] else self.kept(call)

    @abstractmethod
    def kept(self, call: _Call) -> list[float]:
        """The point that was copied from the ring."""


@dataclass
class _Call:
    """The buffers of one call; see `symgd.backends.native.register_steps`."""

    k: array[int]
    f: array[float]
    x: array[float]
    s: array[float]
    h: array[float]
    rows: array[float]
    ring: array[float]

    def point(self, t: int, params: int) -> list[float]:
        """The point of step t, one of the last RING."""
        at = (t % SLOTS) * params
        return self.ring[at : at + params].tolist()

    def addresses(self) -> list[int]:
        """Of the buffers, in the order of the code's arguments."""
        buffers = (self.k, self.f, self.x, self.s, self.h, self.rows, self.ring)
        return [b.buffer_info()[0] for b in buffers]


def _takes_roots(program: Program) -> bool:
    """Whether it is worth the time to look for numbers that one instruction can compute.

    Roots and divisions of several parameters gain by it. What else a rule does gains less than the
    numbers lose on their way into a vector and out of it, and so do two roots.
    """
    return any(operation.name == "sqrt" for operation in program.body)


class NativeKernel(_Compiled):
    """The steps of a loss of few parameters, everything in registers.

    program: of `symgd.descent.step_program.step_program`.
    """

    def __init__(
        self, loss: Loss, program: Program, count: int, tail: tuple[float, ...], settles: bool
    ) -> None:
        self.count, self.tail, self.evaluate = count, tail, loss.internals.evaluate
        self.states = (len(program.inputs) - count - 1 - len(tail)) // count
        self.nanoseconds = 5 + program.cost
        source = register_steps.step_loop(program, count, self.states * count, settles)
        self.module = compile_module(source, neighbors=count > 2 and _takes_roots(program))

    def call(self, call: _Call) -> Code:
        """Run the machine code on these buffers."""
        call.f.extend([0.0] * self.count)
        return Code(self.module.function("run", 7)(*call.addresses()))

    def kept(self, call: _Call) -> list[float]:
        """The point that was copied from the ring."""
        return call.f[register_steps.BEST_X : register_steps.BEST_X + self.count].tolist()


class ArrayKernel(_Compiled):
    """The steps of a loss of many parameters: its gradient compiled, the rule in loops.

    rule: of `symgd.descent.step_program.rule_program`.
    """

    def __init__(
        self, loss: Loss, rule: Program, states: int, tail: tuple[float, ...], settles: bool
    ) -> None:
        self.large = compile_large(loss.program)
        self.count, self.tail, self.states = len(loss.params), tail, states
        self.evaluate = self.large.at
        self.nanoseconds = 100 + loss.program.cost + rule.cost * self.count
        source = array_loop(rule, self.large.address, self.count, states, settles)
        self.module = compile_alone(source)
        self.out = array("d", bytes(8 * (1 + self.count)))
        self.work = array("d", bytes(8 * max(1, self.large.layout.work)))
        self.new = array("d", bytes(8 * self.count * (1 + states)))
        self.copied = array("d", bytes(8 * self.count))

    def call(self, call: _Call) -> Code:
        """Run the machine code on these buffers."""
        more = (self.work, self.large.constants, self.out, self.new, self.copied)
        addresses = [*call.addresses(), *(b.buffer_info()[0] for b in more)]
        return Code(self.module.function("run", 12)(*addresses))

    def kept(self, call: _Call) -> list[float]:
        """The point that was copied from the ring."""
        return self.copied.tolist()
