"""Run a NestProgram in machine code: compile it once, bind it to sizes and data, call it."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from functools import cached_property
from typing import Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd._threads import begin_in_thread, default_threads
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
from symgd.backends.native.nests.nest_places import Slots
from symgd.backends.native.nests.nest_plan import plan
from symgd.backends.native.nests.nest_team import CALL, RUN, TEAM, team
from symgd.backends.native.vectors.vector_emit import Vectors
from symgd.backends.native.vectors.vector_math import OWN
from symgd.backends.nests import NestProgram
from symgd.formula.nodes import Name

Floats: TypeAlias = "NDArray[np.float64]"

_ARGUMENTS = 4
_REST = 5e-5  # seconds to wait for a member of the team that another process keeps from running


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
        self._call = function.module.function("evaluate", _ARGUMENTS)
        self.run_stage = function.module.function("run_stage", _ARGUMENTS + 2)
        self.address = function.module.address("evaluate")
        self._spare: list[_Room] = []  # those that no other thread is using

    def evaluate(self, x: Floats, out: Floats) -> None:
        """Put the outputs at x into out, contiguous float64 arrays."""
        room = self._room()
        self._run(room, x, out)
        self._spare.append(room)

    @contextmanager
    def entered(self) -> Iterator[tuple[int, int, int]]:
        """The addresses of the function, w and c, for other machine code that calls it."""
        room = self._room()
        yield self.address, *room.addresses
        interrupted.check()
        self._spare.append(room)

    def chunk_sums(self, x: Floats, data: Mapping[str, Any]) -> Floats:
        """(chunks, outputs): what the first pass, of numbers, sums over each of its chunks.

        data: other columns, contiguous, of the same length and type as those that were bound.
        """
        room = self._room()
        for name, cells in data.items():
            room.slots[self.addressed[name]] = _begin(cells)
        first, shape, order = self._sums
        sums = room.work[first : first + shape[0] * shape[1]].reshape(shape)
        sums.fill(np.nan)
        self._run(room, x, np.empty(shape[1]))
        found: Floats = sums[:, order]
        self._spare.append(room)
        return found

    @cached_property
    def _sums(self) -> tuple[int, tuple[int, int], list[int]]:
        """Where the sums of the chunks of the first pass are, and the place of each output."""
        binding = self.binding
        shape = binding.chunks(0), binding.privates_room(0)
        return binding.privates(0), shape, binding.order_of_sums

    def _room(self) -> _Room:
        try:
            room = self._spare.pop()
        except IndexError:
            return _Room(self)
        return room if room.process == os.getpid() else _Room(self)

    def _run(self, room: _Room, x: Floats, out: Floats) -> None:
        self._call(_begin(x), *room.addresses, _begin(out))
        interrupted.check()

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
    """What a call changes: w and c. process: that whose threads may be members of its team."""

    def __init__(self, bound: BoundNests) -> None:
        room = np.empty(bound.binding.room_for_all + LINE)
        self.work = room[-(room.ctypes.data // 8) % LINE :]
        self.slots = bound.slots.copy()
        self.addresses = (self.work.ctypes.data, self.slots.ctypes.data)
        self.process = os.getpid()
        if bound.binding.most_threads > 1:
            self._form_team(bound.run_stage)

    def _form_team(self, run_stage: Callable[..., int]) -> None:
        kind = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_int64)
        self._summon = kind(_summons(run_stage, self.work, self.slots))
        self.slots[TEAM], self.slots[RUN] = team().address, _address(run_stage)
        self.slots[CALL] = _address(self._summon)


def _begin(cells: Any) -> int:
    """The address of the first element, in half the time that `ctypes.data` takes."""
    return cells.__array_interface__["data"][0]  # type: ignore[no-any-return]


def _address(function: Any) -> int:
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _summons(run_stage: Callable[..., int], work: Floats, slots: Any) -> Callable[[int], int]:
    """What machine code calls to have more threads in the team of this w and c, or to wait.

    run_stage: held as long as a thread may call it.
    """

    def stay(alive: object = run_stage) -> None:
        team().member(work.ctypes.data, slots.ctypes.data)

    def summon(missing: int) -> int:
        began = 0
        try:
            if not missing:
                time.sleep(_REST)
            for _ in range(missing):
                began += 1  # before it is so: one too many idles, one too few shares its scratch
                begin_in_thread(stay)
        except RuntimeError:  # no more threads for this process, or none at its end
            began -= 1
        except BaseException as error:
            interrupted.error = error
        return began

    return summon


def _compiled(program: NestProgram, narrow: Set[str]) -> tuple[Module, Slots]:
    vectors = Vectors(frozenset(OWN), vector_symbol, fused())
    slots = Slots(plan(program), narrow)
    text = nest_module(slots, max(lanes(), 2), vectors)
    return compile_alone(text, speed=2, has_vectors=True), slots
