"""The values that indices take, for given sizes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from symgd.backends.native.nests.nest_plan import Pass, Plan
from symgd.formula.indices import Affine, Count, Index
from symgd.formula.nodes import Name


class Ranges:
    """sizes: of each `Size`, and `ROWS`."""

    def __init__(self, plan: Plan, sizes: Mapping[Name, int]) -> None:
        self.plan, self.sizes = plan, sizes

    def affine(self, what: Affine) -> int:
        return what.at(self.sizes)

    def size(self, name: Name) -> int:
        return self.count(name.index) if isinstance(name, Count) else self.sizes[name]

    def count(self, index: Index) -> int:
        return max(0, self.affine(index.high) - self.affine(index.low) + 1)

    def lowest(self, index: Index, shifts: Sequence[Affine]) -> int:
        """The first element that an index reaches by one of these shifts."""
        return self.affine(index.low) + min(map(self.affine, shifts))

    def beyond(self, index: Index, shifts: Sequence[Affine]) -> int:
        """The element after the last."""
        if not self.count(index):
            return self.lowest(index, shifts)
        return self.affine(index.high) + max(map(self.affine, shifts)) + 1

    def lowest_of_all(self, index: Index, shifts: Sequence[Affine]) -> int:
        """The first element that an index reaches by all of these shifts."""
        return self.affine(index.low) + max(map(self.affine, shifts))

    def beyond_of_all(self, index: Index, shifts: Sequence[Affine]) -> int:
        """The element after the last of them."""
        return self.affine(index.high) + min(map(self.affine, shifts)) + 1

    def first(self, stage: int) -> int:
        """The first value of the strip index in a pass."""
        one = self._pass(stage)
        return min(self.lowest(one.index, loop.shifts(one.index)) for loop in one.loops)

    def beyond_all(self, stage: int) -> int:
        """The value of the strip index after the last."""
        one = self._pass(stage)
        return max(self.beyond(one.index, loop.shifts(one.index)) for loop in one.loops)

    def halo_before(self, stage: int) -> int:
        return max([0, *map(self.affine, self._pass(stage).halo)])

    def halo_after(self, stage: int) -> int:
        return max([0, *(-self.affine(shift) for shift in self._pass(stage).halo)])

    def _pass(self, stage: int) -> Pass:
        found = self.plan.stages[stage]
        assert isinstance(found, Pass)
        return found
