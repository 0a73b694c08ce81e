"""Run a NestProgram in machine code: compile it once, bind it to sizes and data, call it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any

from symgd._threads import default_threads, run_in_threads
from symgd.backends.native.elementary import calls_python_back
from symgd.backends.native.jit import (
    Module,
    compile_alone,
    fused,
    interrupted,
    lanes,
    remembered,
    vector_symbol,
)
from symgd.backends.native.nests.nest_binding import LINE, Binding
from symgd.backends.native.nests.nest_code import nest_module
from symgd.backends.native.nests.nest_places import COUNTERS, Slots
from symgd.backends.native.nests.nest_plan import plan
from symgd.backends.native.vectors.vector_emit import Vectors
from symgd.backends.native.vectors.vector_math import OWN
from symgd.backends.nests import NestProgram
from symgd.formula.nodes import Name

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_STOP = 1 << 40  # a chunk beyond the last
_ARGUMENTS = 4


class NativeNests:
    """The machine code of a nest program, for all sizes."""

    def __init__(self, program: NestProgram) -> None:
        self.program = program
        self.module, self.slots = remembered(("nests", program.key), lambda: _compiled(program))
        operations = [o for nest in program.nests for o in nest.body]
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
    """Machine code, sizes and data: a function of x that fills out."""

    def __init__(self, function: NativeNests, binding: Binding, data: Mapping[str, Any]) -> None:
        import numpy as np

        self.binding = binding
        self.columns: list[Any] = []  # machine code holds their addresses
        for name, cells in data.items():
            binding.addresses[name] = self._address(cells)
        slots = function.slots
        own = slots.numbers.items()
        self.addressed = [(name, place) for (what, *_, name), place in own if what == "address"]
        self.slots = np.zeros(slots.first + len(slots.numbers), dtype=np.int64)
        for (method, *arguments), place in slots.numbers.items():
            self.slots[place] = getattr(binding, method)(*arguments)
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4, ctypes.c_int64)
        self._runner = kind(_in_threads(function.module, binding))
        self.slots[0] = ctypes.cast(self._runner, ctypes.c_void_p).value or 0
        self._call = function.module.function("evaluate", _ARGUMENTS)
        self._spare: list[_Room] = []  # those that no other thread is using

    def evaluate(self, x: NDArray[np.float64], out: NDArray[np.float64]) -> None:
        """Put the outputs at x into out, contiguous float64 arrays."""
        try:
            room = self._spare.pop()
        except IndexError:
            room = _Room(self)
        self._call(x.ctypes.data, *room.addresses, out.ctypes.data)
        self._spare.append(room)
        interrupted.check()

    def see(self, data: Mapping[str, Any]) -> None:
        """Go over other columns from here on, of the same lengths. Not beside a call."""
        self.columns = []
        for name, cells in data.items():
            self.binding.addresses[name] = self._address(cells)
        for slots in (self.slots, *(room.slots for room in self._spare)):
            for name, place in self.addressed:
                slots[place] = self.binding.addresses[name]

    def _address(self, cells: Any) -> int:
        """The address of a column, or of the addresses of several."""
        import numpy as np

        if isinstance(cells, np.ndarray):
            cells = np.require(cells, np.float64, ["C", "A"])
        else:
            cells = np.array([self._address(column) for column in cells], dtype=np.int64)
        self.columns.append(cells)
        return int(cells.ctypes.data)


class _Room:
    """What a call changes: w and c."""

    def __init__(self, bound: BoundNests) -> None:
        import numpy as np

        room = np.empty(bound.binding.room_for_all + LINE)
        self.work = room[-(room.ctypes.data // 8) % LINE :]
        self.slots = bound.slots.copy()
        self.addresses = (self.work.ctypes.data, self.slots.ctypes.data)


def _in_threads(module: Module, binding: Binding) -> Callable[[int, int, int, int, int], int]:
    """What machine code calls to run a pass in several threads."""
    threads = cache(binding.threads)

    def run(x: int, w: int, c: int, out: int, stage: int) -> int:
        entry = module.function(f"pass{stage}", _ARGUMENTS + 1)
        numbers = count()

        def work() -> None:
            entry(x, w, c, out, next(numbers))

        def halt() -> None:
            ctypes.c_int64.from_address(c + 8 * (COUNTERS + stage)).value = _STOP

        spin = module.function("spin", 1)
        try:
            run_in_threads(work, threads(stage), halt, spin)
        except BaseException as error:
            interrupted.error = error
        return 0

    return run


def _compiled(program: NestProgram) -> tuple[Module, Slots]:
    vectors = Vectors(frozenset(OWN), vector_symbol, fused())
    text, slots = nest_module(plan(program), max(lanes(), 2), vectors)
    return compile_alone(text, speed=2, has_vectors=True), slots
