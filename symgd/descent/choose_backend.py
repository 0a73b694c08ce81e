"""Which backend runs a descent: Python for short ones, machine code for long ones.

Compiling costs tens of milliseconds, a step in Python a few microseconds, a million rows in NumPy
a few milliseconds per operation. What is chosen depends on the number of steps, rows and
operations alone, never on a clock, so that a run is reproducible.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from symgd.backends.numpy_rows import BLOCK, RowFunction, Source, compile_rows
from symgd.backends.program import Program
from symgd.descent.kernel import Kernel, Run, Stop

Made = TypeVar("Made")

log = logging.getLogger("symgd")

#: Typical times in nanoseconds, on the slow side for compiling, as measured by benchmarks/steps.py.
_STEP, _STEP_OPERATION = 1200, 30
_IMPORT, _COMPILE, _COMPILE_OPERATION = 60_000_000, 25_000_000, 60_000
#: The same for loops over rows: a row by unit of Program.cost, an operation on a block in NumPy.
_ROW_COST, _BLOCK_OPERATION, _COMPILE_VECTORS = 0.7, 1000, 500_000
_TRIAL = 8  # the part of the break-even that runs in Python first: many runs stop early


def break_even(operations: int) -> int:
    """The number of steps from which compiling pays."""
    compiling = _COMPILE + _COMPILE_OPERATION * operations
    if "llvmlite" not in sys.modules:
        compiling += _IMPORT
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


def compiled(fast: Callable[[], Made]) -> Made | None:
    """What `fast` makes of machine code, or None and a line in the log."""
    try:
        from symgd.backends.native import jit

        reason = jit.unavailable()
        if not reason:
            return fast()
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    log.info("no machine code (%s); Python's lambdified functions run instead", reason)
    return None


def choose_rows(
    backend: str, program: Program, rows: int, passes: int, threads: int | None = None
) -> RowFunction:
    """The program with loops over rows as a function, compiled when it is first called.

    passes: how often it is about to run over about so many rows. threads: of machine code, at
    most; None: all processors. The sums of the two kinds agree to rounding.
    """
    made: list[RowFunction] = []

    def native() -> RowFunction:
        from symgd.backends.native.row_blocks import compile_native

        return compile_native(program, threads)

    def run(values: Sequence[float], source: Source) -> list[float]:
        if not made:
            wanted = backend == "native" or (backend == "auto" and rows_pay(program, rows, passes))
            made.append((compiled(native) if wanted else None) or compile_rows(program))
        return made[0](values, source)

    return run


def rows_pay(program: Program, rows: int, passes: int) -> bool:
    """Whether machine code pays for so many passes over so many rows.

    Functions that it would have to ask Python for, number by number, are left to NumPy.
    """
    from symgd.backends.native.elementary import asks_python

    if any(asks_python(node) for node in program.nodes):
        return False
    compiling = _COMPILE + _COMPILE_VECTORS * program.operations
    if "llvmlite" not in sys.modules:
        compiling += _IMPORT
    blocks = -(-rows // BLOCK)
    one = _ROW_COST * rows * program.cost + _BLOCK_OPERATION * blocks * program.operations
    return passes * one > compiling
