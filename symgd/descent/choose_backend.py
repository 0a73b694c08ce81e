"""Which kernel runs a descent: Python for short ones, machine code for long ones.

Compiling costs tens of milliseconds, a step in Python a few microseconds. What is chosen depends
on the number of steps and operations alone, never on a clock or on what the process has imported,
so that a run is reproducible.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from symgd._locks import cached_property
from symgd.backends.dispatch import (
    AUTO,
    BACKENDS,
    COMPILE,
    COMPILER,
    REFERENCE,
    compiled,
    may_compile,
)
from symgd.backends.lambdified import compile_scalar
from symgd.backends.program import Program
from symgd.backends.step_checks import Stop
from symgd.descent.array_rule import ArrayRule
from symgd.descent.kernel import Kernel, Run, StepKernel
from symgd.descent.step_program import is_large, settles, step_program
from symgd.model.arguments import Arguments
from symgd.model.loss import Loss

log = logging.getLogger("symgd")

#: Typical times in nanoseconds, on the slow side for compiling, as measured by benchmarks/steps.py.
_STEP, _STEP_OPERATION = 1200, 30
_COMPILE_OPERATION = 60_000
_TRIAL = 8  # the part of the break-even that runs in Python first: many runs stop early


@dataclass(frozen=True)
class DescentTask:
    """The steps of one descent.

    values: of the hyperparameters, and of what lr's formula names. runs: how many descents of this
    length are about to be made, for which code is compiled once.
    """

    loss: Loss
    arguments: Arguments
    values: Mapping[str, float]
    runs: int = 1

    @property
    def program(self) -> Program:
        """The program of one step: loss, rule and learning rate in one."""
        rule, schedule = self.arguments.rule, self.arguments.schedule

        def make() -> Program:
            return step_program(self.loss, rule, schedule, list(self.values))

        return self.loss.internals.kept(("step", *self._key), make)

    @property
    def function(self) -> Callable[..., list[float]]:
        """The program in Python: floats -> floats; it raises where one is not finite."""
        key = ("lambdify", *self._key)
        return self.loss.internals.kept(key, lambda: compile_scalar(self.program))

    @property
    def _key(self) -> tuple[Any, ...]:
        """What the program depends on: no value of lr or of a hyperparameter."""
        schedule = self.arguments.schedule
        rate = None if schedule.takes_number else schedule.text
        return (self.arguments.rule.text, rate, *self.values)

    @property
    def tail(self) -> tuple[float, ...]:
        """The last inputs of the program: lr where it is a number, then `values`."""
        lr = self.arguments.schedule.value
        return (*(() if lr is None else (lr,)), *self.values.values())

    @cached_property
    def large(self) -> bool:
        """Whether it runs over arrays rather than in registers."""
        return is_large(self.loss, self.arguments.rule)


def _lambdified(work: DescentTask) -> Kernel:
    count = len(work.loss.params)
    return StepKernel(work.program, count, work.tail, settles(work.arguments), work.function)


def _native(work: DescentTask) -> Kernel:
    from symgd.descent.native_kernel import ArrayKernel, CompiledGradient, NativeKernel

    loss, arguments, settled = work.loss, work.arguments, settles(work.arguments)
    if work.large:
        part = ArrayRule(arguments, work.values, dict.fromkeys(loss.params, 1))
        if part.plain:
            written = CompiledGradient.written_out(loss)
            return ArrayKernel(loss, part, work.tail, settled, written)
        from symgd.backends.native.array_module import compile_arrays

        step = compile_arrays(work.program).at  # all of a step as one function
        return StepKernel(work.program, len(loss.params), work.tail, settled, step)
    return NativeKernel(loss, work.program, len(loss.params), work.tail, settled)


#: By the name of the backend, what makes its kernel.
KERNELS: dict[str, Callable[[DescentTask], Kernel]] = {"lambdify": _lambdified, "native": _native}


def break_even(operations: int) -> int:
    """The number of steps from which compiling pays."""
    compiling = COMPILE + _COMPILE_OPERATION * operations
    return compiling // (_STEP + _STEP_OPERATION * operations)


@dataclass
class LateKernel:
    """Begins with one kernel and goes on with a faster one after `after` steps."""

    first: Kernel
    after: int
    second: Callable[[], Kernel | None]
    paced = True  # the first calls are short

    @property
    def settles(self) -> bool:
        """As of the kernel that runs."""
        return getattr(self.first, "settles", False)

    def advance(self, run: Run, count: int) -> Stop | None:
        if run.t < self.after:
            return self.first.advance(run, min(count, self.after - run.t))
        if self.after >= 0:
            log.info("machine code from step %d on", run.t)
            self.first, self.after = self.second() or self.first, -1
        return self.first.advance(run, count)


def choose(backend: str, work: DescentTask) -> Kernel:
    """The kernel for this work; backend: a row of BACKENDS, or auto.

    Where machine code is unavailable, Python runs the steps and the log says why. A large loss
    is compiled at once: a step of it in Python takes as long as its compilation.
    """

    def fast() -> Kernel | None:
        return compiled(lambda: KERNELS[COMPILER](work), requested=backend != AUTO)

    if backend != AUTO or work.large:
        kernel = fast() if may_compile(backend) else None
        if kernel is not None:
            log.info("machine code runs the steps")
        return kernel or KERNELS[REFERENCE](work)
    return late(KERNELS[REFERENCE](work), fast, work)


def late(first: Kernel, fast: Callable[[], Kernel | None], work: DescentTask) -> Kernel:
    """The kernel in Python, followed by machine code in a run that is long enough for it."""
    least = break_even(work.loss.internals.program.operations) // work.runs
    if work.arguments.steps <= least:
        log.info("Python runs the steps; compiling pays from %d steps on", least)
        return first
    return LateKernel(first, least // _TRIAL, fast)


assert set(KERNELS) == set(BACKENDS)
