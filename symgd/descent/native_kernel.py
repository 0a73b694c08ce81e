"""The kernels that run whole chunks of steps in machine code."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from symgd._numpy import np
from symgd.backends.native.array_module import ArrayProgram, compile_arrays
from symgd.backends.native.array_steps import array_loop
from symgd.backends.native.descent_loop import BEST, BEST_T, RING, ROWS, T
from symgd.backends.native.jit import Module, compile_alone, compile_module, interrupted, remembered
from symgd.backends.native.postponed_interrupts import interrupts_postponed
from symgd.backends.native.register_steps import step_loop
from symgd.backends.native.search_steps import RESTARTED, array_search_loop, line_search_loop
from symgd.backends.program import Program
from symgd.backends.step_checks import Stop, is_recorded
from symgd.descent.array_rule import ArrayRule
from symgd.descent.kernel import Run
from symgd.model.loss import Loss

if TYPE_CHECKING:
    from symgd.backends.native.nests.nest_machine import BoundNests

_ROWS = 4096  # rows of the history per call,
_NUMBERS = 4_000_000  # or fewer, so many numbers
_NANOSECONDS = 50e6  # about how long a call may last: Ctrl-C waits for its end


class _CompiledKernel:
    """What both kernels share: calls of limited length, and their log messages.

    The history, best point and last points are those that StepKernel records.
    """

    count: int
    states: int
    tail: tuple[float, ...]
    nanoseconds: float  # of one step
    evaluate: Callable[..., list[float]]
    module: Module
    more: tuple[array[float], ...] = ()  # further arguments of the machine code
    paced = True  # a call ends soon by itself
    settles = False  # as of `StepKernel`
    searches = False  # whether a line search finds the learning rates

    def advance(self, run: Run, count: int) -> Stop | None:
        """Up to `count` steps, as many as a call may take; the reason if it ended earlier."""
        stride, width = run.history.stride, self.count + 2
        rows = max(1, min(_ROWS, _NUMBERS // width))
        now = min(count, max(1, int(_NANOSECONDS / self.nanoseconds)), stride * rows)
        first, due = run.t, -(-run.t // stride) * stride
        buffers = _Buffers(
            k=array("q", [first, first + now, due, stride, 0, -1, run.restarted]),
            f=array("d", [-1.0 if run.tol is None else run.tol, run.best_loss]),
            x=array("d", run.x),
            s=array("d", run.state or [0.0]),
            h=array("d", (run.lr, *self.tail) if self.searches else self.tail or (0.0,)),
            rows=array("d", bytes(8 * width * (now // stride + 2))),
            ring=array("d", bytes(8 * self.count * RING)),
            best=array("d", bytes(8 * self.count)),
        )
        with self.entered() as own:
            last = [buffer.buffer_info()[0] for buffer in self.more]
            addresses = (*buffers.addresses(), *own, *last)
            code = self.module.function("run", len(addresses))(*addresses)
            with interrupts_postponed():  # all of it or nothing, also where `entered` ends in one
                run.x, run.state = buffers.x.tolist(), buffers.s.tolist()[: self.states]
                run.t = buffers.k[T]
                if self.searches:
                    run.lr, run.restarted = buffers.h[0], buffers.k[RESTARTED]
                self._record(run, buffers, range(first, run.t + is_recorded(code)))
        interrupted.check()
        return Stop(code) if code else None

    @contextmanager
    def entered(self) -> Iterator[Sequence[int]]:
        """The addresses of what the function of loss and gradient works on, if it is another."""
        yield ()

    def _record(self, run: Run, buffers: _Buffers, seen: range) -> None:
        """What the code noted of the points of these steps."""
        if buffers.k[ROWS]:
            run.history.extend(buffers.rows, buffers.k[ROWS])
        if buffers.k[BEST_T] >= 0:
            run.best_loss, run.best_t = buffers.f[BEST], buffers.k[BEST_T]
            run.best_x = buffers.best.tolist()
        for t in seen[-RING:]:
            at = (t % RING) * self.count
            run.tail.append((t, buffers.ring[at : at + self.count].tolist()))
        if seen:
            t, x = run.tail[-1]
            run.loss, *run.grad = self.evaluate(*x)
            run.last = (t, x, run.loss, run.grad)


class _Buffers(NamedTuple):
    """The first arguments of the code; see `symgd.backends.native.register_steps`."""

    k: array[int]
    f: array[float]
    x: array[float]
    s: array[float]
    h: array[float]
    rows: array[float]
    ring: array[float]
    best: array[float]

    def addresses(self) -> list[int]:
        """Of all, as the code takes them."""
        return [buffer.buffer_info()[0] for buffer in self]


def _loop(emit: Callable[..., str], program: Program, *settings: int) -> Module:
    """The loop around a program, which is emitted once: in its place the cache keeps it alive."""
    key = (emit.__name__, id(program), *settings)
    return remembered(key, lambda: (program, compile_module(emit(program, *settings))))[1]


class NativeKernel(_CompiledKernel):
    """The steps of a loss of few parameters, everything in registers.

    program: of `symgd.descent.step_program.step_program`.
    """

    def __init__(
        self, loss: Loss, program: Program, count: int, tail: tuple[float, ...], settles: bool
    ) -> None:
        self.count, self.tail, self.evaluate = count, tail, loss.internals.evaluate
        self.states = len(program.inputs) - count - 1 - len(tail)
        self.nanoseconds, self.settles = 5 + program.cost, settles
        self.module = _loop(step_loop, program, count, self.states, settles)


class NativeLineSearch(NativeKernel):
    """The same with the learning rates of a line search."""

    searches = True

    def __init__(self, loss: Loss, program: Program, count: int, tail: tuple[float, ...]) -> None:
        self.count, self.tail, self.evaluate = count, tail, loss.internals.evaluate
        self.states = len(program.inputs) - count - 2 - len(tail)
        self.nanoseconds = 15 + 5 * program.cost
        self.module = _loop(line_search_loop, program, count, self.states)


@dataclass(frozen=True)
class CompiledGradient:
    """Loss and gradient in machine code.

    machine: (x, w, c, out) -> int64 writes [loss, g..] to out. at: the same in Python, for single
    numbers. cost: as of `Program`.
    """

    machine: ArrayProgram | BoundNests
    at: Callable[..., list[float]]
    cost: float

    @classmethod
    def written_out(cls, loss: Loss) -> CompiledGradient:
        """Of a loss of many parameters, without data."""
        made = compile_arrays(loss.internals.program)
        return cls(made, made.at, loss.internals.program.cost)

    @classmethod
    def over_rows(cls, loss: Loss, machine: BoundNests) -> CompiledGradient:
        """Of a loss over a table that is in memory."""
        inner = loss.internals
        assert inner.rows is not None

        def at(*x: float) -> list[float]:
            out = np.empty(1 + len(x))
            machine.evaluate(np.array(x, dtype=np.float64), out)
            return out.tolist()

        return cls(machine, at, inner.program.cost * inner.rows.table.rows)


class ArrayKernel(_CompiledKernel):
    """The steps of a loss of many parameters or rows: its gradient compiled, the rule in loops.

    rule: plain, as `ArrayRule` calls it.
    """

    def __init__(
        self,
        loss: Loss,
        rule: ArrayRule,
        tail: tuple[float, ...],
        settles: bool,
        gradient: CompiledGradient,
    ) -> None:
        self._prepare(loss, rule, tail, gradient)
        self.settles = settles
        singles, bounded = rule.rule.one_number, loss.internals.box is not None
        size, address = self.count, gradient.machine.address
        source = array_loop(rule.program, address, size, singles, settles, bounded)
        self.module = remembered(("array loop", source), lambda: compile_alone(source))

    def _prepare(
        self, loss: Loss, rule: ArrayRule, tail: tuple[float, ...], gradient: CompiledGradient
    ) -> None:
        """All but the code."""
        self.gradient, self.evaluate = gradient, gradient.at
        self.count, self.tail = len(loss.params), tail
        self.states = sum(rule.rule.widths(self.count))
        self.nanoseconds = 100 + gradient.cost + rule.program.cost * self.count
        box = loss.internals.box
        sizes = (1 + self.count, self.count + self.states)
        out, new = (array("d", bytes(8 * size)) for size in sizes)
        low, high = ((), ()) if box is None else (box.low, box.high)
        self.more = (out, new, array("d", low), array("d", high))

    @contextmanager
    def entered(self) -> Iterator[Sequence[int]]:
        with self.gradient.machine.entered() as (_, work, constants):
            yield work, constants


class NativeArraySearch(ArrayKernel):
    """The same with the learning rates of a line search."""

    searches = True

    def __init__(
        self, loss: Loss, rule: ArrayRule, tail: tuple[float, ...], gradient: CompiledGradient
    ) -> None:
        self._prepare(loss, rule, tail, gradient)
        self.nanoseconds *= 4
        self.more = (*self.more, array("d", bytes(8 * (1 + self.count))))
        singles, bounded = rule.rule.one_number, loss.internals.box is not None
        size, address = self.count, gradient.machine.address
        source = array_search_loop(rule.program, address, size, singles, bounded)
        self.module = remembered(("array search", source), lambda: compile_alone(source))
