"""Run a NestProgram in machine code: compile it once, bind it to sizes and data, call it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cache, cached_property
from itertools import count
from typing import Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd._threads import default_threads, run_in_threads
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

Floats: TypeAlias = "NDArray[np.float64]"

_STOP = 1 << 40  # a chunk beyond the last
_ARGUMENTS = 4


class NativeNests:
    """The machine code of a nest program, for all sizes. narrow: the data that are float32."""

    def __init__(self, program: NestProgram, narrow: frozenset[str] = frozenset()) -> None:
        self.program, self.narrow = program, narrow
        key = ("nests", program.key, narrow)
        self.module, self.slots = remembered(key, lambda: _compiled(program, narrow))

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
        most = 1 if self.module.calls_python else threads or default_threads()
        return BoundNests(self, Binding(self.slots, sizes, extents, offsets, places, most), data)


class BoundNests:
    """Machine code, sizes and data: a function of x that fills out."""

    def __init__(self, function: NativeNests, binding: Binding, data: Mapping[str, Any]) -> None:
        self.binding, self.narrow = binding, function.narrow
        self.columns: list[Any] = []  # machine code holds their addresses
        for name, cells in data.items():
            binding.addresses[name] = self._address(cells, name in function.narrow)
        slots = function.slots
        own = slots.numbers.items()
        self.addressed = {name: place for (what, *_, name), place in own if what == "address"}
        self.slots = np.zeros(slots.first + len(slots.numbers), dtype=np.int64)
        for (method, *arguments), place in slots.numbers.items():
            self.slots[place] = getattr(binding, method)(*arguments)
        #: what threads may still use when the caller, interrupted twice, no longer waits for them
        self._used: dict[int, Any] = {}
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, *[ctypes.c_void_p] * 4, ctypes.c_int64)
        self._runner = kind(_in_threads(function.module, binding, self._used))
        self.slots[0] = ctypes.cast(self._runner, ctypes.c_void_p).value or 0
        self._call = function.module.function("evaluate", _ARGUMENTS)
        self.address = function.module.address("evaluate")
        self._spare: list[_Room] = []  # those that no other thread is using

    def evaluate(self, x: Floats, out: Floats) -> None:
        """Put the outputs at x into out, contiguous float64 arrays."""
        room = self._room()
        self._run(room, x, out)
        self._spare.append(room)
        interrupted.check()

    @contextmanager
    def entered(self, *used: Any) -> Iterator[tuple[int, int, int]]:
        """The addresses of the function, w and c, for other machine code that calls it.

        used: what it works on, which threads may use as long as they run.
        """
        room = self._room()
        work, slots = room.addresses
        self._used[slots] = (self, room, used)
        try:
            yield self.address, work, slots
        finally:
            del self._used[slots]
        self._spare.append(room)
        interrupted.check()

    def chunk_sums(self, x: Floats, data: Mapping[str, Any]) -> Floats:
        """(chunks, outputs): what the first pass, of numbers, sums over each of its chunks.

        data: other columns, contiguous, of the same length and type as those that were bound.
        """
        room = self._room()
        for name, cells in data.items():
            room.slots[self.addressed[name]] = cells.__array_interface__["data"][0]
        first, shape, order = self._sums
        sums = room.work[first : first + shape[0] * shape[1]].reshape(shape)
        sums.fill(np.nan)
        self._run(room, x, np.empty(shape[1]), data)
        found: Floats = sums[:, order]
        self._spare.append(room)
        interrupted.check()
        return found

    @cached_property
    def _sums(self) -> tuple[int, tuple[int, int], list[int]]:
        """Where the sums of the chunks of the first pass are, and the place of each output."""
        binding = self.binding
        shape = binding.chunks(0), binding.privates_room(0)
        return binding.privates(0), shape, binding.order_of_sums

    def _room(self) -> _Room:
        try:
            return self._spare.pop()
        except IndexError:
            return _Room(self)

    def _run(self, room: _Room, x: Floats, out: Floats, *more: Any) -> None:
        work, slots = room.addresses
        self._used[slots] = (self, room, x, out, more)
        try:
            self._call(x.ctypes.data, work, slots, out.ctypes.data)
        finally:
            del self._used[slots]

    def see(self, data: Mapping[str, Any]) -> None:
        """Go over other columns from here on, of the same lengths. Not beside a call."""
        self.columns = []
        for name, cells in data.items():
            self.binding.addresses[name] = self._address(cells, name in self.narrow)
        for slots in (self.slots, *(room.slots for room in self._spare)):
            for name, place in self.addressed.items():
                slots[place] = self.binding.addresses[name]

    def _address(self, cells: Any, narrow: bool) -> int:
        """The address of a column, or of the addresses of several."""
        if isinstance(cells, np.ndarray):
            cells = np.require(cells, np.float32 if narrow else np.float64, ["C", "A"])
        else:
            cells = np.array([self._address(column, narrow) for column in cells], dtype=np.int64)
        self.columns.append(cells)
        return int(cells.ctypes.data)


class _Room:
    """What a call changes: w and c."""

    def __init__(self, bound: BoundNests) -> None:
        room = np.empty(bound.binding.room_for_all + LINE)
        self.work = room[-(room.ctypes.data // 8) % LINE :]
        self.slots = bound.slots.copy()
        self.addresses = (self.work.ctypes.data, self.slots.ctypes.data)


def _in_threads(
    module: Module, binding: Binding, used: Mapping[int, Any]
) -> Callable[[int, int, int, int, int], int]:
    """What machine code calls to run a pass in several threads.

    used: by the address c, what a call uses: it lives as long as a thread runs.
    """
    threads = cache(binding.threads)

    def run(x: int, w: int, c: int, out: int, stage: int) -> int:
        entry = module.function(f"pass{stage}", _ARGUMENTS + 1)
        numbers = count()

        def work(alive: Any = used[c]) -> None:
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


def _compiled(program: NestProgram, narrow: Set[str]) -> tuple[Module, Slots]:
    vectors = Vectors(frozenset(OWN), vector_symbol, fused())
    slots = Slots(plan(program), narrow)
    text = nest_module(slots, max(lanes(), 2), vectors)
    return compile_alone(text, speed=2, has_vectors=True), slots
