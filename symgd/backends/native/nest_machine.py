"""Run a NestProgram in machine code: compile it once, bind it to sizes and data, call it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from symgd._threads import default_threads, run_in_threads
from symgd.backends.native.elementary import calls_python_back
from symgd.backends.native.jit import (
    Module,
    compile_module,
    fused,
    interrupted,
    lanes,
    remembered,
    vector_symbol,
)
from symgd.backends.native.nest_binding import Binding
from symgd.backends.native.nest_code import nest_module
from symgd.backends.native.nest_places import COUNTERS, Slots
from symgd.backends.native.nest_plan import plan
from symgd.backends.native.vector_emit import Vectors
from symgd.backends.native.vector_math import OWN
from symgd.backends.nests import NestProgram
from symgd.formula.nodes import Name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STOP = 1 << 40  # a chunk beyond the last
_ARGUMENTS = 4


class NestFunction:
    """The machine code of a program, for all sizes."""

    def __init__(self, module: Module, slots: Slots) -> None:
        self.module, self.slots = module, slots
        operations = [o for nest in slots.plan.program.nests for o in nest.body]
        self.calls_python = any(map(calls_python_back, operations))

    def bind(
        self,
        sizes: Mapping[Name, int],
        extents: Mapping[str, Sequence[int]],
        data: Mapping[str, Any],
        offsets: Mapping[str, int],
        places: Mapping[str, int],
        threads: int | None = None,
    ) -> BoundNests:
        """The function for these sizes and data.

        sizes: of `Size`s and of `ROWS`. extents: of every array, by identifier; of data with the
        rows first. data: arrays of float64, contiguous; of a vector of columns a sequence of them.
        offsets: where scalars and arrays of parameters begin in x. places: where each output, and
        the gradient of each array as "g_" + identifier, begins in out. threads: at most.
        """
        most = 1 if self.calls_python else threads or default_threads()
        return BoundNests(self, Binding(self.slots, sizes, extents, offsets, places, most), data)


class BoundNests:
    """Machine code and the arrays that it needs: w, c of

        int64 evaluate(double *x, double *w, int64 *c, double *out)

    It lives as long as machine code that has its address runs. One call at a time.
    """

    def __init__(
        self, function: NestFunction, binding: Binding, data: Mapping[str, Any]
    ) -> None:
        import numpy as np

        self.function, self.binding = function, binding
        self.columns: list[Any] = []
        for name, cells in data.items():
            binding.addresses[name] = self._address(cells)
        slots = function.slots
        self.slots = np.zeros(slots.first + len(slots.numbers), dtype=np.int64)
        for (method, *arguments), place in slots.numbers.items():
            self.slots[place] = getattr(binding, method)(*arguments)
        self.work = np.empty(binding.room_for_all)
        self.address = function.module.address("evaluate")
        self._call = function.module.function("evaluate", _ARGUMENTS)
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4, ctypes.c_int64)
        self._threads = kind(self._run)  # machine code holds its address
        self.slots[0] = ctypes.cast(self._threads, ctypes.c_void_p).value or 0

    def evaluate(self, x: NDArray[np.float64], out: NDArray[np.float64]) -> None:
        """Put the outputs at x into out."""
        self._call(x.ctypes.data, self.work.ctypes.data, self.slots.ctypes.data, out.ctypes.data)
        interrupted.check()

    def _address(self, cells: Any) -> int:
        """The address of a column, or of the addresses of several."""
        import numpy as np

        if not isinstance(cells, np.ndarray):
            cells = np.array([self._address(column) for column in cells], dtype=np.int64)
        elif cells.dtype != np.float64 or not cells.flags.c_contiguous:
            cells = np.ascontiguousarray(cells, dtype=np.float64)
        self.columns.append(cells)
        return int(cells.ctypes.data)

    def _run(self, x: int, w: int, c: int, out: int, stage: int) -> int:
        """A pass in several threads: machine code calls this."""
        entry = self.function.module.function(f"pass{stage}", _ARGUMENTS + 1)
        numbers = count()

        def work() -> None:
            entry(x, w, c, out, next(numbers))

        def halt() -> None:
            self.slots[COUNTERS + stage] = _STOP

        try:
            run_in_threads(work, self.binding.threads(stage), halt)
        except BaseException as error:
            interrupted.error = error
        return 0


def compile_native_nests(program: NestProgram) -> NestFunction:
    """The machine code of a program, from the cache where it was compiled before."""
    return remembered(("nests", program.key), lambda: _compile(program))


def _compile(program: NestProgram) -> NestFunction:
    vectors = Vectors(frozenset(OWN), vector_symbol, fused())
    text, slots = nest_module(plan(program), max(lanes(), 2), vectors)
    return NestFunction(compile_module(text), slots)


_Call = Callable[..., int]
