"""The numbers that the machine code of loop nests reads: sizes, strides, rooms, chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import accumulate
from math import prod

from symgd._threads import worthwhile
from symgd.backends.native.nests.nest_parts import NestLoop, Sink
from symgd.backends.native.nests.nest_places import Home, Slots
from symgd.backends.native.nests.nest_plan import Pass
from symgd.backends.native.nests.nest_ranges import Ranges
from symgd.backends.numpy_rows import BLOCK
from symgd.backends.program import Load, Subscript
from symgd.formula.indices import Affine, Index
from symgd.formula.nodes import Name

_CACHE = 64 * 1024 // 8  # doubles of a strip
_LONGEST, _LANES = 1024, 64  # elements of a strip, and a multiple of every vector
_NANOSECONDS = 0.15  # of an iteration, for each unit of its cost
_CHUNKS = 64
LINE = 8  # doubles of a line of the cache, and of the widest register
_PRIVATE = 1 << 22  # doubles of the sums of all chunks
_SHARE = 16  # iterations for each element of a chunk's sums


class Binding(Ranges):
    """Sizes and extents for one module: the methods are the slots.

    sizes: of each `Size`, and `ROWS`. extents: of arrays. offsets: of parameters in x. places: of
    outputs and gradients in out. threads: how many may run, at most.
    """

    def __init__(
        self,
        slots: Slots,
        sizes: Mapping[Name, int],
        extents: Mapping[str, Sequence[int]],
        offsets: Mapping[str, int],
        places: Mapping[str, int],
        threads: int,
    ) -> None:
        super().__init__(slots.plan, sizes)
        self.slots, self.extents, self.offsets, self.places = slots, extents, offsets, places
        self.most = threads
        self.addresses: dict[str, int] = {}
        self.offset, self.output = offsets.__getitem__, places.__getitem__
        self.address = self.addresses.__getitem__
        self._shapes: dict[Home, list[int]] = {}

    # -- places ---------------------------------------------------------------------------

    def start(self, home: Home, constants: Sequence[Affine]) -> int:
        """The place of an element without what its indices add. constants: of the subscripts."""
        origins, strides = self._origins(home), self._strides(home)
        away = sum(
            (self.affine(c) - o) * s for c, o, s in zip(constants, origins, strides, strict=False)
        )
        return self._base(home) + away

    def step(self, home: Home, terms: Sequence[tuple[int, int]]) -> int:
        strides = self._strides(home)
        return sum(factor * strides[-1 - axis] for axis, factor in terms)

    def room(self, home: Home) -> int:
        return prod(self._shape(home))

    def extent(self, target: str, axis: int) -> int:
        return self.extents[target.removeprefix("g_")][axis]

    def cleared(self, target: str) -> int:
        """How many entries of a gradient must be set to 0: none if the first sink writes all."""
        if target not in self.places:
            return 0
        shape = self.extents[target.removeprefix("g_")]
        if target in self.plan.covered:
            _, sink = self.plan.covered[target]
            pairs = zip(sink.first.place, shape, strict=True)
            if all(self._covers(sink, s, extent) for s, extent in pairs):
                return 0
        return prod(shape)

    def _covers(self, sink: Sink, subscript: Subscript, extent: int) -> bool:
        """Whether a sink writes every element of an axis; its loop may have other shifts, too."""
        assert isinstance(subscript, Affine)
        if not subscript.indices:
            return extent == 1
        (index,) = subscript.indices
        if subscript != Affine(0, ((index, 1),)):
            return False
        shifts = [dict(part.shifts).get(index, Affine()) for part in sink.parts]
        return self.lowest(index, shifts) == 1 and self.beyond(index, shifts) == extent + 1

    def _base(self, home: Home) -> int:
        kind, name = home[0], home[-1]
        if kind == "x":
            return self.offsets[name]
        if kind == "out":
            return self.places[name]
        if kind == "full":
            return self._full[name]
        return _starts(self._strip_rooms(home[1]))[name] if kind == "strip" else 0

    def _shape(self, home: Home) -> list[int]:
        if home not in self._shapes:
            self._shapes[home] = self._shape_of(home)
        return self._shapes[home]

    def _shape_of(self, home: Home) -> list[int]:
        axes = self.slots.axes(home)
        if axes is None:
            shape = self.extents[home[1].removeprefix("g_") if home[0] == "out" else home[1]]
            return list(shape[:1] if home[1] in self.slots.vectors else shape)
        if home[0] == "private":
            target = self._sink(home).target
            return [self.count(a) if isinstance(a, Index) else self.extent(target, a) for a in axes]
        strip = self._pass(home[1]).index if home[0] == "strip" else None
        lengths = [
            self._strip_length(home[1]) if a == strip else self.count(a)
            for a in axes
            if isinstance(a, Index)
        ]
        if home[0] == "strip" and lengths and axes[-1] != strip:
            lengths[-1] += -lengths[-1] % _LANES + _LANES  # room for the lanes beyond the end
        return lengths

    def _origins(self, home: Home) -> list[int]:
        """The value of each index at the beginning; of the strip index 0: the code subtracts it."""
        axes = self.slots.axes(home)
        if axes is None:
            return [1] * len(self._shape(home))
        strip = self._pass(home[1]).index if home[0] == "strip" else None
        return [1 if isinstance(a, int) else 0 if a == strip else self.affine(a.low) for a in axes]

    def _strides(self, home: Home) -> list[int]:
        shape = self._shape(home)
        return [prod(shape[k + 1 :]) for k in range(len(shape))]

    # -- sums of chunks -------------------------------------------------------------------

    def direct(self, home: Home) -> int:
        """Whether the only chunk adds to the target itself: their orders in memory are equal."""
        sink, target = self._sink(home), ("out", self._sink(home).target)
        if self.chunks(home[1]) > 1 or sink.target in self.plan.axes:
            return 0
        own = [_alone(k, s) for k, s in enumerate(sink.first.store.subscripts)]
        is_whole = self._shape(home) == self._shape(target) and set(self._origins(home)) <= {1}
        return int(is_whole and own == list(self.slots.axes(home) or ()))

    def direct_place(self, home: Home) -> int:
        return self._base(("out", self._sink(home).target))

    def privates(self, stage: int) -> int:
        """Where the sums of the first chunk begin in w; passes use the same."""
        return sum(self.room(("full", name)) for name in self.plan.axes)

    def privates_room(self, stage: int) -> int:
        """The room for the sums of a chunk."""
        return sum(map(self.private_room, self._privates(stage)))

    def private(self, home: Home) -> int:
        """Where a sum begins among those of its chunk."""
        before = self._privates(home[1])
        return sum(map(self.private_room, before[: before.index(home)]))

    def private_room(self, home: Home) -> int:
        return 0 if self.direct(home) else self.room(home)

    @property
    def order_of_sums(self) -> list[int]:
        """The places of the outputs among the sums of the first pass, if these are all numbers."""
        stage = self.plan.stages[0]
        summed = [s.target for _, s in stage.summed] if isinstance(stage, Pass) else []
        outputs = [*self.plan.program.outputs.values()]
        return [summed.index(str(o)) for o in outputs] if {*outputs} == {*summed} else []

    def _privates(self, stage: int) -> list[Home]:
        return [("private", stage, n) for n, _ in self._pass(stage).summed]

    def _sink(self, home: Home) -> Sink:
        return self._pass(home[1]).sinks[home[2]][1]

    # -- strips, chunks, threads ----------------------------------------------------------

    def strip(self, stage: int) -> int:
        """How many values of the strip index: what is read and kept for them fits the cache."""
        return self._strips[stage]

    def chunk(self, stage: int) -> int:
        """How many values of the strip index: it depends on sizes, not on threads."""
        return self._chunks[stage][0]

    def chunks(self, stage: int) -> int:
        return self._chunks[stage][1]

    @cached_property
    def _strips(self) -> dict[int, int]:
        found = {}
        for k in self._passes:
            one = self._pass(k)
            kept = list(one.strip_temporaries.values())
            for part in (part for loop in one.loops for part in loop.parts):
                for load in part.steps.values():
                    if isinstance(load, Load) and load.array not in one.strip_temporaries:
                        kept.append(tuple(part.place_varies(load.subscripts)))
            each = sum(
                prod(self.count(i) for i in own if i != one.index)
                for own in dict.fromkeys(kept)
                if one.index in own
            )
            length = min(_LONGEST, max(1, _CACHE // max(1, each)))
            step = _LANES if any(loop.vector == one.index for loop in one.loops) else 1
            if one.is_plain:  # strips fill a block
                length = 1 << length.bit_length() - 1
            found[k] = max(step, length - length % step)
        return found

    @cached_property
    def _chunks(self) -> dict[int, tuple[int, int]]:
        """The size of a chunk, and how many there are."""
        found = {}
        for k in self._passes:
            one, strip = self._pass(k), self.strip(k)
            total = self.beyond_all(k) - self.first(k)
            room = max(1, sum(map(self.room, self._privates(k))))
            work = sum(map(self._times, one.loops))
            most = min(_CHUNKS, _PRIVATE // room, work // (_SHARE * room))
            strips = max(1, -(-total // strip))
            size = strip * -(-strips // (1 if one.is_serial else max(1, most)))
            if one.is_plain:
                size = max(strip, BLOCK)
            found[k] = size, max(1, -(-total // size))
        return found

    def threads(self, stage: int) -> int:
        loops = self._pass(stage).loops
        work = sum(loop.cost * self._times(loop) for loop in loops)
        return min(self.chunks(stage), worthwhile(self.most, _NANOSECONDS * work))

    @cached_property
    def most_threads(self) -> int:
        return max(map(self.threads, self._passes), default=1)

    def _times(self, loop: NestLoop) -> int:
        return prod(map(self.count, loop.order))

    # -- rooms ----------------------------------------------------------------------------

    @cached_property
    def _full(self) -> dict[str, int]:
        """Where each temporary begins in w."""
        names = sorted(self.plan.axes, key=lambda name: bool(self.plan.axes[name]))
        return _starts({name: self.room(("full", name)) for name in names})

    @cached_property
    def _passes(self) -> list[int]:
        return [k for k, stage in enumerate(self.plan.stages) if isinstance(stage, Pass)]

    def scratch(self, stage: int) -> int:
        """Where the strip's temporaries of the first thread begin; passes use the same."""
        rooms = [self.chunks(k) * self.privates_room(k) for k in self._passes]
        return _rounded(self.privates(stage) + max(rooms, default=0))

    def scratch_room(self, stage: int) -> int:
        """The room for a thread."""
        return max((sum(self._strip_rooms(k).values()) for k in self._passes), default=0)

    @property
    def room_for_all(self) -> int:
        """The doubles of w."""
        return 1 + self.scratch(0) + self.most_threads * self.scratch_room(0)

    def _strip_rooms(self, stage: int) -> dict[str, int]:
        names = self._pass(stage).strip_temporaries
        return {name: _rounded(self.room(("strip", stage, name))) for name in names}

    def _strip_length(self, stage: int) -> int:
        """Of a strip's temporary, with the lanes beyond the end."""
        length = self.strip(stage) + self.halo_before(stage) + self.halo_after(stage)
        return _rounded(length) + _LANES


def _rounded(length: int) -> int:
    """A length after which a line of the cache begins: vectors across two take twice as long."""
    return length + -length % LINE


def _starts(rooms: Mapping[str, int]) -> dict[str, int]:
    """Where each begins if they stand one after the other."""
    return dict(zip(rooms, accumulate(rooms.values(), initial=0), strict=False))


def _alone(place: int, subscript: Subscript) -> object:
    """The axis that a subscript is, if it is one without more."""
    if not isinstance(subscript, Affine):
        return place
    return next((i for i in subscript.indices if subscript == Affine(0, ((i, 1),))), None)
