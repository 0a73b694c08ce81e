"""Emit one loop nest of a pass for the values of its strip index that belong to a strip."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial, reduce

from symgd.backends.native.ir import Integer, Value, Variable
from symgd.backends.native.nests.nest_parts import Kind, NestLoop, NestPart, Shifts, Sink, Step
from symgd.backends.native.nests.nest_places import NOTHING, ElementPlace, Home, NestEmitter
from symgd.backends.native.nests.nest_plan import Pass
from symgd.backends.operations import Operand
from symgd.backends.program import Load
from symgd.formula.indices import Affine, Index


@dataclass
class View:
    """What is known of the iteration of the parts that have equal shifts.

    values: the indices; of the vector index that of the first lane. mask: the lanes whose indices
    are in their ranges; None: all. known: the numbers by name, for each nest.
    """

    values: dict[Index, Value] = field(default_factory=dict)
    inside: Value | None = None
    mask: Value | None = None
    known: dict[int, dict[str, Value]] = field(default_factory=dict)

    def copy(self) -> View:
        """A view for an inner loop."""
        known = {nest: dict(names) for nest, names in self.known.items()}
        return View(dict(self.values), self.inside, self.mask, known)


class LoopWriter:
    """stage: the number of the pass. private: the homes of the sums of this chunk, by sink.

    shared: the scalars. ends: the values of the strip index where the strip begins and ends.
    """

    def __init__(
        self,
        e: NestEmitter,
        stage: int,
        loop: NestLoop,
        private: Mapping[int, Home],
        shared: Mapping[str, Value],
        ends: tuple[Value, Value],
    ) -> None:
        self.e, self.stage, self.loop, self.private = e, stage, loop, private
        self.shared, self.ends = shared, ends
        self.elements: dict[Index, Value] = {}  # where the loops are: of the targets
        self.totals: dict[int, Variable] = {}  # by part
        self.left = Value("0")  # elements from the first lane to the end
        self.rest: Value | None = None  # the lanes that are before the end
        one = e.slots.plan.stages[stage]
        self.is_masked = loop.is_masked(one.strip_temporaries if isinstance(one, Pass) else ())
        stored: set[Operand] = {p.store.value for p in loop.parts}
        self.read = stored.union(*(o.names for o in loop.operations))

    def write(self) -> None:
        """The loops."""
        self._level(0, {part.shifts: View() for part in self.loop.parts})

    # -- loops ----------------------------------------------------------------------------

    def _level(self, depth: int, views: Mapping[Shifts, View]) -> None:
        """What depends on the indices of the first loops only, and the loops inside."""
        e, order = self.e, self.loop.order
        for part in self.loop.parts:
            self._compute(part, views[part.shifts], frozenset(order[:depth]))
        if depth == len(order):
            self._add(views)
            return
        due = [s for s in self.loop.sinks if s.depth == depth]
        for sink in due:
            for part in sink.parts:
                nothing = e.number(NOTHING[part.store.mode])
                self.totals[id(part)] = e.variable(value=nothing, wide=True)
        index = order[depth]
        first, stop = self._range(index)
        is_vector = index == self.loop.vector
        with e.for_range(stop, first, e.lanes if is_vector else 1) as at:
            self.elements[index] = at
            if not is_vector:
                self._enter(depth, views)
            elif not self.is_masked:
                self._enter(depth, views, is_whole=True)
            elif not self.loop.is_heavy or len(order) == 1:
                with e.if_else(self._is_whole(index, at, stop)) as otherwise:
                    self._enter(depth, views, is_whole=True)
                    otherwise()
                    self._cut(at, stop)
                    self._enter(depth, views)
            else:
                self._cut(at, stop)
                self._enter(depth, views)
        for sink in due:
            self._flush(sink, views, {id(p): self.totals[id(p)].get() for p in sink.parts})

    def _enter(self, depth: int, views: Mapping[Shifts, View], is_whole: bool = False) -> None:
        """The body of a loop. is_whole: all lanes of the vector are in the range of every part."""
        inner = {shifts: view.copy() for shifts, view in views.items()}
        index = self.loop.order[depth]
        if is_whole:
            self.rest = None
        for shifts, view in inner.items():
            self._set(index, dict(shifts).get(index, Affine()), view, is_whole)
        self._level(depth + 1, inner)

    def _is_whole(self, index: Index, at: Value, stop: Value) -> Value:
        """Whether the vector that begins here is in the range of every part."""
        e, shifts = self.e, self.loop.shifts(index)
        end = e.integer("add", at, e.lanes)
        found = e.icmp("sle", end, stop)
        if len(shifts) > 1:
            begins = e.icmp("sge", at, e.slot("lowest_of_all", index, shifts))
            ends = e.icmp("sle", end, e.slot("beyond_of_all", index, shifts))
            found = e.logic("and", found, e.logic("and", begins, ends))
        return found

    def _cut(self, at: Value, stop: Value) -> None:
        """Note which lanes are before the end."""
        self.left = self.e.integer("sub", stop, at)
        self.rest = self.e.icmp("slt", self.e.lane_numbers, self.left)

    def _range(self, index: Index) -> tuple[Value, Value]:
        """The first element, and that after the last, of all parts."""
        e, shifts = self.e, self.loop.shifts(index)
        first, stop = e.slot("lowest", index, shifts), e.slot("beyond", index, shifts)
        if index == e.strip_index:
            begin, end = self.ends
            first = e.select(e.icmp("slt", first, begin), begin, first, "i64")
            stop = e.least(stop, end)
        return first, stop

    def _set(self, index: Index, shift: Affine, view: View, is_whole: bool) -> None:
        """Give an index its value in a view: the element minus the shift."""
        e, at = self.e, self.elements[index]
        value = at if shift == Affine() else e.integer("sub", at, e.affine(shift))
        checked = len(self.loop.shifts(index)) > 1 and not is_whole
        low, high = e.affine(index.low), e.affine(index.high)
        if index == self.loop.vector:
            view.mask = self.rest
            if checked:
                place = e.integer("add", e.integer("sub", value, low), e.lane_numbers)
                view.mask = e.icmp("ult", place, e.slot("count", index))
            if view.inside:
                within = e.spread(view.inside, "i1")
                view.mask = e.logic("and", view.mask, within) if view.mask else within
        elif checked:
            within = e.logic("and", e.icmp("sge", value, low), e.icmp("sle", value, high))
            view.inside = e.logic("and", view.inside, within) if view.inside else within
            value = e.select(e.icmp("slt", value, low), low, value, "i64")
            value = e.least(value, high)  # where it is not inside: any element that there is
        view.values[index] = value
        if index.name not in self.read:
            return
        number = e.emit(f"sitofp i64 {value.text} to double")
        if index == self.loop.vector:
            lanes = ", ".join(f"double {float(k)}" for k in range(e.lanes))
            number = e.add(number, Value(f"<{lanes}>", True))
        for nest in {id(part.nest) for part in self.loop.parts}:
            view.known.setdefault(nest, dict(self.shared))[index.name] = number

    # -- values ---------------------------------------------------------------------------

    def _compute(self, part: NestPart, view: View, bound: frozenset[Index]) -> None:
        """The loads and operations of a part that depend on these indices only."""
        known = view.known.setdefault(id(part.nest), dict(self.shared))
        for name, step in part.steps.items():
            if name not in known and part.varies[name] <= bound:
                known[name] = self._step(step, view, known)

    def _step(self, step: Step, view: View, known: Mapping[str, Value]) -> Value:
        e = self.e
        if not isinstance(step, Load):
            return e.apply(step.name, [e.operand(a, known) for a in step.arguments])
        home = e.slots.loaded(step.array, self.stage)
        place = e.place(home, step.subscripts, view.values, known, self.loop.vector)
        has_room = home[0] == "strip" and place.neighbors
        is_shifted = len(self.loop.shifts(self.loop.vector)) > 1
        return e.read(place, None if has_room and not is_shifted else view.mask)

    def _value(self, part: NestPart, views: Mapping[Shifts, View]) -> Value:
        return self.e.operand(part.store.value, views[part.shifts].known[id(part.nest)])

    # -- sums and stores ------------------------------------------------------------------

    def _add(self, views: Mapping[Shifts, View]) -> None:
        """The values of one iteration, to the sums of the inner loops or to the targets."""
        e, order = self.e, self.loop.order
        for sink in self.loop.sinks:
            terms = {id(part): self._value(part, views) for part in sink.parts}
            if sink.depth == len(order):
                self._flush(sink, views, terms)
                continue
            for part in sink.parts:
                total, mask = self.totals[id(part)], views[part.shifts].mask
                before = total.get()
                new = e.combine(part.store.mode, before, e.spread(terms[id(part)]))
                if order.index(self.loop.vector) >= sink.depth and mask:
                    new = e.select(mask, new, before)
                total.set(new)

    def _flush(self, sink: Sink, views: Mapping[Shifts, View], totals: Mapping[int, Value]) -> None:
        """Add what the parts of a sink found to its target."""
        inside, mask = self._own(sink, views)
        if inside is None:
            self._write(sink, views, totals, mask)
            return
        with self.e.if_then(inside):
            self._write(sink, views, totals, mask)

    def _own(self, sink: Sink, views: Mapping[Shifts, View]) -> tuple[Value | None, Value | None]:
        """Whether the iteration, and which lanes, belong to a sink: other parts may reach further.

        None: they do, and all of them. An element between those of two parts belongs to it.
        """
        e = self.e
        if len(sink.parts) == 1:
            view = views[sink.first.shifts]
            return view.inside, view.mask
        inside, mask = None, self.rest
        for index in self.loop.order[: sink.depth]:
            shifts = tuple(dict.fromkeys(dict(p.shifts).get(index, Affine()) for p in sink.parts))
            is_vector = index == self.loop.vector
            if {*shifts} == {*self.loop.shifts(index)} or (is_vector and self.rest is None):
                continue
            lowest, beyond = e.slot("lowest", index, shifts), e.slot("beyond", index, shifts)
            place = e.integer("sub", self.elements[index], lowest)
            if is_vector:
                place = e.integer("add", place, e.lane_numbers)
            found = e.icmp("ult", place, e.integer("sub", beyond, lowest))
            before = mask if is_vector else inside
            found = found if before is None else e.logic("and", before, found)
            inside, mask = (inside, found) if is_vector else (found, mask)
        return inside, mask

    def _write(
        self,
        sink: Sink,
        views: Mapping[Shifts, View],
        totals: Mapping[int, Value],
        mask: Value | None,
    ) -> None:
        e, mode, view = self.e, sink.first.store.mode, views[sink.first.shifts]
        is_wide = self.loop.vector in self.loop.order[: sink.depth]
        values = []
        for part in sink.parts:
            value = e.spread(totals[id(part)])
            if is_wide and len(sink.parts) > 1:
                inside = views[part.shifts].mask or Value("true")
                value = e.select(inside, value, e.number(NOTHING[mode]))
            values.append(value if is_wide else self._folded(mode, value))
        value = reduce(partial(e.combine, mode), values)
        home = self._home(sink)
        elements = self.elements if sink.first.kind is Kind.OWNED else view.values
        known = view.known.get(id(sink.first.nest), {})
        vector = self.loop.vector if is_wide else None
        place = e.place(home, sink.first.place, elements, known, vector)
        if is_wide and not place.neighbors:
            self._one_by_one(mode, value, place, sink.assigns, mask)
            return
        if home[0] == "strip":
            mask = None  # there is room for the lanes beyond the end
        if not sink.assigns:
            value = e.combine(mode, e.read(place, mask), value)
        e.write(value, place, mask)

    def _home(self, sink: Sink) -> Home:
        if sink.first.kind is Kind.STRIP:
            return ("strip", self.stage, sink.target)
        return self.private.get(id(sink)) or self.e.slots.stored(sink.target)

    def _folded(self, mode: str, value: Value) -> Value:
        """All lanes in one number, halves to halves."""
        e = self.e
        whole = lanes = e.lanes
        while lanes > 1:
            kind, lanes = f"<{lanes} x double>", lanes // 2
            halves = []
            for first in (0, lanes):
                picked = ", ".join(f"i32 {k}" for k in range(first, first + lanes))
                halves.append(e.emit(f"shufflevector {kind} {value.text}, {kind} poison, "
                                     f"<{lanes} x i32> <{picked}>", True))  # fmt: skip
            e.lanes = lanes
            value = e.combine(mode, *halves)
        e.lanes = whole
        return e.emit(f"extractelement <1 x double> {value.text}, i32 0")

    def _one_by_one(
        self, mode: str, value: Value, place: ElementPlace, assigns: bool, mask: Value | None
    ) -> None:
        """Change the targets of the lanes in turn: two lanes may have the same."""
        e = self.e
        numbers, places = e.variable(wide=True), e.variable("i64", wide=True)
        numbers.set(value)
        places.set(place.offset)
        flags = None
        if mask is not None and mask is not self.rest:
            flags = e.variable("i64", wide=True)
            bits, longs = e.type(True, "i1"), e.type(True, "i64")
            flags.set(e.emit(f"zext {bits} {e.spread(mask, 'i1').text} to {longs}", True))

        def add(lane: Integer) -> None:
            at, new = e.load(places.pointer, lane, "i64"), e.load(numbers.pointer, lane)
            if not assigns:
                new = e.combine(mode, e.load(place.base, at), new)
            e.store(new, place.base, at)

        if self.rest is None:  # written out, so that LLVM keeps the lanes in registers
            for lane in range(e.lanes):
                add(lane)
            return
        with e.for_range(e.least(self.left, e.lanes)) as number:
            if flags is None:
                add(number)
                return
            with e.if_then(e.icmp("ne", e.load(flags.pointer, number, "i64"), 0)):
                add(number)
