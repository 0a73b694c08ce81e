"""The values of a pack, groups of SIMD lanes that advance together, during a block of steps."""

from __future__ import annotations

from collections.abc import Sequence

from symgd.backends.native.lane_steps import Stepper
from symgd.backends.native.sweep_lanes import Lanes
from symgd.backends.native.translate import Value


class Packed(Stepper):
    """Theta, state and theta before of every member of a pack, in memory that is its own."""

    def __init__(self, what: Lanes) -> None:
        super().__init__(what)
        self.members = range(what.pack)

    @property
    def moving(self) -> tuple[tuple[str, int], ...]:
        """What a lane carries from step to step, and the theta before."""
        params, states = self.what.params, self.what.states
        return ("x", params), ("s", states), ("before", params)

    def reserve(self) -> None:
        """Room for the numbers of each member and for which of its lanes have not stopped."""
        e = self.e
        wide, masks = e.type(True), e.type(True, "i64")
        for m in self.members:
            e.add_line(f"%mask.{m} = alloca {masks}")
            for name, count in self.moving:
                for k in range(count):
                    e.add_line(f"%{name}.{m}.{k} = alloca {wide}")

    def take(self) -> None:
        """Theta and state of the pack."""
        for m in self.members:
            group = self.group(m)
            for name, count in self.moving:
                if count:
                    self.keep(name, m, self.load(f"%{name}", group, count))

    def accept(self, names: Sequence[str]) -> None:
        """What the block has come to is where the lanes are that have not stopped."""
        e, bits = self.e, self.e.type(True, "i64")
        none = e.spread(Value("0"), "i64")
        for m in self.members:
            group = self.group(m)
            mask = e.emit(f"load {bits}, ptr %mask.{m}", True)
            active = e.emit(f"icmp ne {bits} {mask.text}, {none.text}", True)
            for name, count in self.moving:
                if not count or name not in names:
                    continue
                old = self.load(f"%{name}", group, count)
                new = self.local(name, m)
                kept = [e.select(active, a, b) for a, b in zip(new, old, strict=True)]
                self.store(kept, f"%{name}", group)

    def local(self, name: str, m: int) -> list[Value]:
        """Where member m is by now."""
        count = dict(self.moving)[name]
        wide = self.e.type(True)
        return [self.e.emit(f"load {wide}, ptr %{name}.{m}.{k}", True) for k in range(count)]

    def keep(self, name: str, m: int, values: Sequence[Value]) -> None:
        """Member m has come to `values`."""
        for k, value in enumerate(values):
            text = self.e.spread(value).text
            self.e.add_line(f"store {self.e.type(True)} {text}, ptr %{name}.{m}.{k}")
