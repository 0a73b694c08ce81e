"""Which backend runs a descent: Python for short ones, machine code for long ones.

Compiling costs tens of milliseconds, a step in Python a few microseconds. What is
chosen depends on the number of steps and operations alone, never on a clock, so that a run is
reproducible.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass

from symgd.backends.dispatch import COMPILE, IMPORT, compiled
from symgd.descent.kernel import Kernel, Run, Stop

log = logging.getLogger("symgd")

#: Typical times in nanoseconds, on the slow side for compiling, as measured by benchmarks/steps.py.
_STEP, _STEP_OPERATION = 1200, 30
_COMPILE_OPERATION = 60_000
_TRIAL = 8  # the part of the break-even that runs in Python first: many runs stop early


def break_even(operations: int) -> int:
    """The number of steps from which compiling pays."""
    compiling = COMPILE + _COMPILE_OPERATION * operations
    if "llvmlite" not in sys.modules:
        compiling += IMPORT
    return compiling // (_STEP + _STEP_OPERATION * operations)


@dataclass
class LateKernel:
    """Begins with one kernel and goes on with a faster one after `after` steps."""

    first: Kernel
    after: int
    second: Callable[[], Kernel | None]

    def advance(self, run: Run, count: int) -> Stop | None:
        """Up to `count` steps, or fewer and the reason."""
        if run.t < self.after:
            return self.first.advance(run, min(count, self.after - run.t))
        if self.after >= 0:
            log.info("machine code from step %d on", run.t)
            self.first, self.after = self.second() or self.first, -1
        return self.first.advance(run, count)


def choose(
    backend: str,
    steps: int,
    operations: int,
    slow: Callable[[], Kernel],
    fast: Callable[[], Kernel],
) -> Kernel:
    """The kernel for so many steps of so many operations.

    backend: auto, lambdify or native. slow, fast: make the kernel of Python and of machine code.
    Where there is no machine code to be had, Python it is, and the log says why.
    """
    if backend == "native":
        kernel = compiled(fast)
        if kernel is not None:
            log.info("machine code runs the steps")
        return kernel or slow()
    least = break_even(operations)
    if backend == "lambdify" or steps <= least:
        log.info("Python runs the steps; compiling pays from %d steps on", least)
        return slow()
    return LateKernel(slow(), least // _TRIAL, lambda: compiled(fast))
