"""The limited-memory BFGS method in machine code, for losses that are machine code themselves."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import cache
from typing import Protocol

from symgd._numpy import np
from symgd.backends.native import lbfgs_loop as loop
from symgd.backends.native.jit import Module, compile_alone
from symgd.backends.step_checks import PAIRS
from symgd.solvers.objectives import Box, End, Iterate, Iteration

_POINTS, _NUMBERS = 64, 2_000_000  # of one call, or so many numbers in its rows
_SECONDS = 0.02  # a call that takes longer is the last of several points: Ctrl-C waits for its end
_ENDS = {loop.SMALL: End.SMALL, loop.SETTLED: End.SETTLED, loop.BLOCKED: End.BLOCKED}


class NativeGradient(Protocol):
    """A loss in machine code: (x, w, c, out) -> int64 puts value and gradient into out."""

    def entered(self) -> AbstractContextManager[tuple[int, int, int]]:
        """The addresses of the function, w and c, for as long as it may be called."""


def iterate(
    code: NativeGradient, start: Iterate, box: Box | None = None, tol: float = 0.0
) -> Iteration:
    """The points of `symgd.solvers.lbfgs.iterate`, which are made several at a time."""
    yield start
    count = len(start.x)
    points = max(1, min(_POINTS, _NUMBERS // (2 * count)))
    open_ended = np.full(count, np.inf)
    f, x, g = np.array([tol, np.inf]), start.x.copy(), np.array([start.value, *start.gradient])
    k = np.array([0, count, min(4, points), 0, 0, 0, 0], dtype=np.int64)
    rows = np.empty((points, 1 + 2 * count))
    low, high = (-open_ended, open_ended) if box is None else (box.low, box.high)
    room = [np.empty(PAIRS * count) for _ in loop.PAIRS_WORK]
    room += [np.empty(count) for _ in loop.POINT_WORK]
    room += [np.empty(1 + count) for _ in loop.VALUE_WORK]
    room += [np.empty(PAIRS) for _ in loop.RING_WORK]
    before, after = (
        [a.ctypes.data for a in part] for part in ((k, f, x, g, low, high, rows), room)
    )
    run = _module().function("run", len(loop.ARGUMENTS))
    ended = 0
    while not ended:
        with code.entered() as (k[loop.FUNCTION], work, constants):
            began = time.perf_counter()
            ended = run(*before, work, constants, *after)
        for row in rows[: k[loop.MADE]].copy():
            yield Iterate(row[1 + count :], float(row[0]), row[1 : 1 + count])
        short = time.perf_counter() - began < _SECONDS
        k[loop.COUNT] = min(points, 2 * int(k[loop.COUNT])) if short else 1
    return _ENDS[ended]


@cache
def _module() -> Module:
    return compile_alone(loop.lbfgs_loop(), speed=2)
