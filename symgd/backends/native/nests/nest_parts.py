"""The parts of loop nests in machine code: a store each; and the loops that parts share.

A nest is split by its stores. A gradient whose subscripts are shifted indices, g[i+1], is computed
by *owner*: a loop over its elements t evaluates the nest at i = t - 1, so that no two iterations,
vectors or threads write to one element. Stores of equal indices share one loop.
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from graphlib import TopologicalSorter
from typing import TypeAlias

from symgd.backends.operations import Operation
from symgd.backends.program import Load, Nest, Store, Subscript
from symgd.formula.functions.table import ELEMENTARY
from symgd.formula.indices import Affine, Index

Step: TypeAlias = "Load | Operation"
Shifts: TypeAlias = "tuple[tuple[Index, Affine], ...]"

_FEW = 12  # operations, of which four registers at a time are computed
_MANY = 40  # operations that fill the registers


class Kind(Enum):
    """Who writes to the target of a store."""

    STRIP = "a temporary that only the strip sees"
    OWNED = "each element belongs to one value of the strip index"
    SUMMED = "summed over the strip index: a copy for each chunk, added up at the end"
    SCATTERED = "anything else: one thread"


@dataclass(frozen=True)
class NestPart:
    """One store of a nest. shifts: of an owned target, its element minus the index.

    The element of g[a*i + c] is counted by t where a*t is the subscript up to a constant, so that
    g[2*i - 1] and g[2*i] belong to one value of i, and g[2*i + 1] to the next.
    """

    nest: Nest
    store: Store
    kind: Kind
    shifts: Shifts = ()

    @cached_property
    def steps(self) -> dict[str, Step]:
        """What the store needs, by name, in order of evaluation."""
        made: dict[str, Step] = {**self.nest.loads, **{o.result: o for o in self.nest.body}}
        graph: dict[str, list[str]] = {}
        wanted = [n for n in (self.store.value, *self.store.subscripts) if n in made]
        while wanted:
            name = wanted.pop()
            if isinstance(name, str) and name not in graph:
                graph[name] = [n for n in _read(made[name]) if n in made]
                wanted += graph[name]
        return {name: made[name] for name in TopologicalSorter(graph).static_order()}

    @property
    def places(self) -> list[tuple[str, tuple[Subscript, ...]]]:
        """What is loaded and stored, with its subscripts."""
        loads = [s for s in self.steps.values() if isinstance(s, Load)]
        found = [(load.array, load.subscripts) for load in loads]
        return [*found, (self.store.target, self.store.subscripts)]

    @cached_property
    def varies(self) -> dict[str, frozenset[Index]]:
        """The indices on which each step depends."""
        own = {index.name: index for index in self.nest.indices}
        found = {name: frozenset({index}) for name, index in own.items()}
        for name, step in self.steps.items():
            read = [found.get(n, frozenset()) for n in _read(step)]
            if isinstance(step, Load):
                read += [frozenset(s.indices) for s in step.subscripts if isinstance(s, Affine)]
            found[name] = frozenset[Index]().union(*read)
        return found

    @cached_property
    def place(self) -> tuple[Subscript, ...]:
        """The subscripts of the target, of an owned one in terms of its elements."""
        shifts = dict(self.shifts)
        return tuple(
            s - sum((shifts[i] * f for i, f in s.terms if i in shifts), Affine())
            if isinstance(s, Affine)
            else s
            for s in self.store.subscripts
        )

    @cached_property
    def is_injective(self) -> bool:
        """Whether each index of the target is alone in a subscript: no two iterations share one."""
        found = [s.indices if isinstance(s, Affine) else (s, s) for s in self.store.subscripts]
        flat = [i for own in found for i in own]
        return all(len(own) <= 1 for own in found) and len(set(flat)) == len(flat)

    @cached_property
    def target_indices(self) -> frozenset[Index]:
        """The indices on which the place in the target depends."""
        return self.place_varies(self.store.subscripts)

    def place_varies(self, subscripts: Iterable[Subscript]) -> frozenset[Index]:
        """The indices on which subscripts depend."""
        parts = (
            frozenset(s.indices) if isinstance(s, Affine) else self.varies[s] for s in subscripts
        )
        return frozenset[Index]().union(*parts)


@dataclass
class Sink:
    """Parts that add to one element of a target.

    depth: how many loops are around the store. assigns: it is the first, and covers its elements.
    """

    parts: list[NestPart]
    depth: int
    assigns: bool = False

    @property
    def first(self) -> NestPart:
        """One part, for what they have in common."""
        return self.parts[0]

    @property
    def target(self) -> str:
        """What is written."""
        return self.first.store.target


@dataclass
class NestLoop:
    """Parts with equal indices in one loop nest.

    vector: the index whose values are the lanes. order: all indices, outermost first.
    """

    indices: tuple[Index, ...]
    vector: Index
    parts: list[NestPart]
    order: tuple[Index, ...] = ()
    sinks: list[Sink] = field(default_factory=list)

    def arrange(self) -> None:
        """Choose the order: what no target has inside, so that registers hold the sums."""
        others = [i for i in self.indices if i != self.vector]
        outer = [i for i in others if any(i in p.target_indices for p in self.parts)]
        inner = [i for i in others if i not in outer]
        is_outer = any(self.vector in p.target_indices for p in self.parts)
        middle = [self.vector, *inner] if is_outer else [*inner, self.vector]
        self.order = (*outer, *middle)
        groups: dict[object, Sink] = {}
        for part in self.parts:
            depth = max((self.order.index(i) + 1 for i in part.target_indices), default=0)
            key: object = id(part)
            if part.kind is Kind.OWNED:
                key = (part.store.target, part.place)
            groups.setdefault(key, Sink([], depth)).parts.append(part)
        self.sinks = list(groups.values())

    @cached_property
    def operations(self) -> list[Operation]:
        """The operations of all parts."""
        own = {id(o): o for p in self.parts for o in p.steps.values()}
        return [o for o in own.values() if isinstance(o, Operation)]

    @cached_property
    def is_heavy(self) -> bool:
        """Whether its vectors have work enough that masks hardly count."""
        return len(self.operations) > _MANY or any(o.cost >= ELEMENTARY for o in self.operations)

    @cached_property
    def registers(self) -> int:
        """How many registers of lanes a vector has."""
        if self.is_heavy:
            return 2 if len(self.order) == 1 and len(self.operations) <= 120 else 1
        is_sum = len(self.order) > 1 and len(self.operations) <= _FEW
        is_long = self.vector == self.indices[0] or self.vector != self.order[-1]
        return 4 if is_sum and is_long else 2

    def is_masked(self, local: Container[str]) -> bool:
        """Whether lanes beyond the end would do harm.

        local: the strip's temporaries, where there is room for them.
        """
        for part in self.parts:
            for array, subscripts in part.places:
                if array not in local and self.vector in part.place_varies(subscripts):
                    return True
            if self.vector not in part.target_indices:
                return True
        return False

    @property
    def cost(self) -> int:
        """Of one iteration, in multiplications."""
        own = [o.cost for p in self.parts for o in p.steps.values() if isinstance(o, Operation)]
        return 1 + sum(own)

    def shifts(self, index: Index) -> tuple[Affine, ...]:
        """The different shifts of the parts along an index."""
        return self._shifts[index]

    @cached_property
    def _shifts(self) -> dict[Index, tuple[Affine, ...]]:
        own = [dict(part.shifts) for part in self.parts]
        return {
            index: tuple(dict.fromkeys(one.get(index, Affine()) for one in own))
            for index in self.indices
        }


def contiguous(part: NestPart, subscripts: tuple[Subscript, ...], index: Index) -> bool:
    """Whether the next value of an index is the next place, in the order of memory."""
    *before, last = subscripts
    if index in part.place_varies(before) or not isinstance(last, Affine):
        return False
    return dict(last.terms).get(index) == 1


def _read(step: Step) -> list[str]:
    if isinstance(step, Operation):
        return step.names
    return [s for s in step.subscripts if isinstance(s, str)]
