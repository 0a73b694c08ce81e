"""THE table of backends, and the automatic choice of the one that runs loops over rows.

Compiling costs tens of milliseconds, a million rows in NumPy a few milliseconds per operation.
The choice depends only on the number of rows, passes and operations, never on measured time or on
what the process has imported or compiled before: NumPy and machine code agree to rounding only, and
a call must give the same bits wherever it is made.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from symgd.backends.numpy_rows import BLOCK, RowFunction, Source, compile_rows
from symgd.backends.program import Program
from symgd.errors import ArgumentError
from symgd.names import escape

Made = TypeVar("Made")

log = logging.getLogger("symgd")

#: Typical times in nanoseconds, on the slow side for compiling, as measured by benchmarks/steps.py.
COMPILE = 60_000_000  # 25, or 85 where llvmlite is yet to be imported: at most 35 ms are lost
#: Of loops over rows: a row by unit of Program.cost, an operation on a block in NumPy.
_ROW_COST, _BLOCK_OPERATION, _COMPILE_VECTORS = 0.7, 1000, 500_000


def _native_rows(program: Program, threads: int | None) -> RowFunction:
    from symgd.backends.native.row_blocks import compile_native

    return compile_native(program, threads)


def _no_machine_code() -> str:
    try:
        from symgd.backends.native import jit
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return _first_line(error)
    return jit.unavailable()


@dataclass(frozen=True)
class Backend:
    """A machine that runs programs. Kernels of descents: `symgd.descent.choose_backend`.

    name: as the user writes it. unavailable: why it cannot run on this machine, or "". rows:
    (program, threads) -> a function over rows; threads: the maximum number, None: the number of
    processors. compiles: whether compilation takes tens of milliseconds, which "auto" considers.
    """

    name: str
    unavailable: Callable[[], str]
    rows: Callable[[Program, int | None], RowFunction]
    compiles: bool = False


BACKENDS = {
    backend.name: backend
    for backend in (
        Backend("lambdify", str, lambda program, threads: compile_rows(program)),
        Backend("native", _no_machine_code, _native_rows, compiles=True),
    )
}
AUTO = "auto"  # the table's first where work is little, its compiler where that pays
REFERENCE, COMPILER = "lambdify", "native"


def check_backend(name: object) -> None:
    """ArgumentError where no backend has this name; a warning where it cannot run here."""
    choices = (AUTO, *BACKENDS)
    if name not in choices:
        raise ArgumentError(f"there is no backend '{escape(str(name))}'; use {', '.join(choices)}")
    if name != AUTO and (reason := BACKENDS[str(name)].unavailable()):
        _warn(reason)


def may_compile(name: str) -> bool:
    """Whether the backend requested by this name may compile."""
    return name == AUTO or BACKENDS[name].compiles


def machine_code() -> bool:
    """Whether machine code can be made here."""
    return not BACKENDS[COMPILER].unavailable()


def compiled(make: Callable[[], Made], requested: bool = False) -> Made | None:
    """What `make` makes of machine code, or None and a line in the log.

    requested: machine code was requested by name, so that the line is a warning, the first time.
    """
    reason = BACKENDS[COMPILER].unavailable()
    if not reason:
        try:
            return make()
        except (ImportError, OSError, RuntimeError, AttributeError) as error:
            reason = _first_line(error)
    if requested:
        _warn(reason)
    else:
        log.info(_INSTEAD, reason)
    return None


_INSTEAD = "no machine code (%s); Python's lambdified functions run instead"


@cache
def _warn(reason: str) -> None:
    """Say once in a process why the requested backend does not run."""
    log.warning(_INSTEAD, reason)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"


def choose_rows(
    name: str, program: Program, rows: int, passes: int, threads: int | None = None
) -> RowFunction:
    """The program with loops over rows as a function, compiled when it is first called.

    passes: how often it is about to run over about so many rows. threads: of machine code, at
    most; None: all processors. The sums of the two kinds agree to rounding.
    """
    made: list[RowFunction] = []

    def make() -> RowFunction:
        if machine_rows(name, program, rows, passes):
            requested = name == COMPILER
            found = compiled(lambda: BACKENDS[COMPILER].rows(program, threads), requested)
            if found is not None:
                return found
        return BACKENDS[REFERENCE].rows(program, threads)

    def run(values: Sequence[float], source: Source) -> list[float]:
        if not made:
            made.append(make())
        return made[0](values, source)

    return run


def machine_rows(name: str, program: Program, rows: int, passes: int) -> bool:
    """Whether machine code goes over the rows for the backend of this name, where there is some."""
    return rows_pay(program, rows, passes) if name == AUTO else BACKENDS[name].compiles


def rows_pay(program: Program, rows: int, passes: int) -> bool:
    """Whether machine code pays for so many passes over so many rows.

    Programs with functions that call back into Python for every element are left to NumPy.
    """
    from symgd.backends.native.elementary import calls_python_back

    if any(map(calls_python_back, program.body)):
        return False
    compiling = COMPILE + _COMPILE_VECTORS * program.operations
    blocks = -(-rows // BLOCK)
    one = _ROW_COST * rows * program.cost + _BLOCK_OPERATION * blocks * program.operations
    return passes * one > compiling
