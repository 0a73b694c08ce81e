"""Which machine runs a program: NumPy or Python for little work, machine code for much.

Compiling costs tens of milliseconds, a million rows in NumPy a few milliseconds per operation.
What is chosen depends on the number of rows, passes and operations alone, never on a clock.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Sequence
from typing import TypeVar

from symgd.backends.numpy_rows import BLOCK, RowFunction, Source, compile_rows
from symgd.backends.program import Program

Made = TypeVar("Made")

log = logging.getLogger("symgd")

#: Typical times in nanoseconds, on the slow side for compiling, as measured by benchmarks/steps.py.
IMPORT, COMPILE = 60_000_000, 25_000_000
#: Of loops over rows: a row by unit of Program.cost, an operation on a block in NumPy.
_ROW_COST, _BLOCK_OPERATION, _COMPILE_VECTORS = 0.7, 1000, 500_000


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
    compiling = COMPILE + _COMPILE_VECTORS * program.operations
    if "llvmlite" not in sys.modules:
        compiling += IMPORT
    blocks = -(-rows // BLOCK)
    one = _ROW_COST * rows * program.cost + _BLOCK_OPERATION * blocks * program.operations
    return passes * one > compiling
