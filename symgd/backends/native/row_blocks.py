"""Run loops over rows in machine code, with blocks of rows distributed over threads.

As in `symgd.backends.numpy_rows`, each loop computes the sums of every block of rows, which are
added exactly (math.fsum), so the result does not depend on the number of threads. The machine code
fetches blocks itself, so a pass costs each thread one or a few calls, independent of the number of
rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from math import nan
from typing import TYPE_CHECKING, Any

import numpy as np

from symgd._threads import run_in_threads, worthwhile
from symgd.backends.native.jit import (
    compile_module,
    fused,
    interrupted,
    lanes,
    vector_symbol,
)
from symgd.backends.native.row_loop import ARGUMENTS, BLOCK, NEXT, RowLoop, row_module
from symgd.backends.native.vectors.vector_emit import Vectors
from symgd.backends.native.vectors.vector_math import OWN
from symgd.backends.numpy_rows import RowFunction, Source, compile_rows, peak, total
from symgd.backends.program import Loop, Program, names_read

if TYPE_CHECKING:
    from numpy.typing import NDArray

_WIDE, _NARROW = np.dtype(np.float64), np.dtype(np.float32)
_MANY = 120  # operations of a row from which vectors as wide as two registers gain nothing
_OWN = frozenset(OWN)
_NANOSECONDS = 0.15  # for a row, for each unit of its cost
_TURN = (
    40_000_000  # rows times cost after which machine code returns: the caller may be interrupted
)
_SHARES = 16  # times that a thread takes blocks; neighboring blocks are read faster
_COPIED = 1 << 22  # bytes of columns in another layout that are copied at a time
_STOP = 1 << 40  # a block beyond the last one of any table


def compile_native(program: Program, threads: int | None = None) -> RowFunction:
    """`symgd.backends.numpy_rows.compile_rows` in machine code.

    threads: how many, at most; None: $SYMGD_THREADS, or as many as this process may use.
    """
    return compile_rows(program, lambda loop: NativeLoop(loop, threads))


class NativeLoop:
    """A loop over rows, compiled for columns of doubles and, when they come, of single floats."""

    def __init__(self, loop: Loop, threads: int | None = None) -> None:
        self.loop, self.threads = loop, threads
        self.inputs = names_read(loop)
        self.columns = [c.text for c in loop.columns]
        self.results = [name for name, _ in loop.sums]
        row = Program((), (loop,), {})
        self.operations, self.cost = 1 + row.operations, 1 + row.cost
        self._functions: dict[tuple[bool, ...], Callable[..., int]] = {}
        self.calls_python = False
        self._function((False,) * len(self.columns))  # raises here if it cannot be compiled

    def _function(self, narrow: tuple[bool, ...]) -> Callable[..., int]:
        if narrow not in self._functions:
            width = lanes() * (1 if self.operations > _MANY else 2)
            vectors = Vectors(_OWN, vector_symbol, fused())
            what = RowLoop(self.loop, tuple(self.inputs), narrow, max(width, 2), vectors)
            module = compile_module(row_module(what))
            self._functions[narrow] = module.function("rows", ARGUMENTS)
            self.calls_python = module.calls_python
        return self._functions[narrow]

    def run(self, values: Sequence[float], source: Source) -> Iterable[float]:
        """The sums over all rows."""
        numbers = array("d", values or [0.0])
        found = array("d")
        for rows in source.blocks():
            arrays = [rows[name] for name in self.columns]
            count = len(arrays[0] if arrays else next(iter(rows.values())))
            found += self._piece(arrays, count, numbers)
        width = len(self.results)
        return map(peak if self.loop.peaks else total, (found[k::width] for k in range(width)))

    def _piece(
        self, arrays: Sequence[NDArray[Any]], count: int, numbers: array[float]
    ) -> array[float]:
        """The sums of the first block of these rows, those of the second, and so on."""
        narrow = tuple(a.dtype == _NARROW for a in arrays)
        function = self._function(narrow)
        out = array("d", [nan]) * (-(-count // BLOCK) * len(self.results))
        threads = worthwhile(
            1 if self.calls_python else self.threads, _NANOSECONDS * self.cost * count
        )
        step = count
        if not all(map(_is_contiguous, arrays, narrow)):
            step = BLOCK * max(threads, _COPIED // (8 * BLOCK * len(arrays)))
        for first in range(0, count, max(step, 1)):
            stop = min(first + step, count)
            parts = [_contiguous(a[first:stop], n) for a, n in zip(arrays, narrow, strict=True)]
            turn = max(1, _TURN // (BLOCK * self.cost))
            share = (stop - first) // (BLOCK * threads * _SHARES)
            k = array("q", [stop - first, turn, 0, max(1, min(share, turn))])
            places = array("Q", [_address(p) for p in parts] or [0])
            pointers = [p.buffer_info()[0] for p in (k, places, numbers, out)]
            pointers[-1] += 8 * (first // BLOCK) * len(self.results)
            _run(function, pointers, k, threads, (parts, places, numbers, out))
        return out


def _run(
    function: Callable[..., int],
    pointers: Sequence[int],
    k: array[int],
    threads: int,
    pointed: tuple[object, ...],
) -> None:
    """Call the machine code in as many threads until no block is left.

    pointed: the arrays behind the pointers. They live as long as a thread runs, even if the
    caller, interrupted twice, no longer waits.
    """

    def work(alive: object = (pointed, k)) -> None:
        while function(*pointers):
            interrupted.check()
        interrupted.check()

    def halt() -> None:
        k[NEXT] = _STOP

    run_in_threads(work, threads, halt)


def _contiguous(cells: NDArray[Any], narrow: bool) -> NDArray[Any]:
    """The cells as a contiguous array of the type that machine code reads; a view if possible."""
    if _is_contiguous(cells, narrow):
        return cells
    return np.require(cells, _NARROW if narrow else _WIDE, ["C", "A"])


def _is_contiguous(cells: NDArray[Any], narrow: bool) -> bool:
    flags = cells.flags
    kind = _NARROW if narrow else _WIDE
    return bool(cells.dtype == kind and flags.c_contiguous and flags.aligned)


def _address(cells: NDArray[Any]) -> int:
    return int(cells.__array_interface__["data"][0])  # faster than cells.ctypes.data
