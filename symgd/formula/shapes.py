"""The sizes of an indexed formula as numbers: given, or from the data, the start and the ranges."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from symgd import names
from symgd.formula.categories import (
    axis_labels,
    column_name,
    no_category,
    place_of,
)
from symgd.formula.indexed_symbols import Axis, Use
from symgd.formula.indices import Affine, Array, ColumnVector, Count, Index
from symgd.formula.nodes import ROWS, Name
from symgd.formula.shape_checks import ShapeChecks


@dataclass(frozen=True)
class Shapes:
    """sizes: the number that each size is, ROWS included. extents: of each array, by its name."""

    sizes: Mapping[Name, int]
    extents: Mapping[str, tuple[int, ...]]

    def range(self, index: Index) -> range:
        """The values of an index."""
        return range(index.low.at(self.sizes), index.high.at(self.sizes) + 1)

    def count(self, count: Count) -> int:
        """How many values the index of a count takes."""
        return len(self.range(count.index))


@dataclass
class ShapeReader(ShapeChecks):
    """Finds what the formula leaves open."""

    def read(self) -> Shapes:
        """The shapes, or FormulaError."""
        if self.rows is not None:
            self.known[ROWS] = self.rows
        for name, number in self.symbols.given.items():
            if name in self.symbols.sizes:
                self.known[self.symbols.sizes[name]] = number
        self._read_labels()
        for use in self.symbols.uses:
            if use.within is None:
                self.uses[use.axis].append(use)
        for name in self.symbols.arrays:
            self._read_shape(name)
        self._infer_all()
        self._check_known()
        self._check_ranges()
        for use in self.symbols.uses:
            self._check(use)
        return Shapes(dict(self.known), self._shapes())

    def _read_labels(self) -> None:
        """The places of the categories that the formula names."""
        found = axis_labels(self.symbols, self.labels)
        for (axis, label), (symbol, token) in self.symbols.labels.items():
            labels = found.get(axis, ())
            place = place_of(label, labels)
            if place is None:
                raise self._error(token.column, *no_category(label, axis[0], labels))
            self.known[symbol] = place

    def _read_shape(self, name: str) -> None:
        """The lengths that are known of an array before its uses are looked at."""
        array = self.symbols.arrays[name]
        shape = self.symbols.shapes.get(name, ())
        if isinstance(array, ColumnVector):
            shape = (len(self.symbols.vectors[name]),)
        elif not isinstance(array, Array):
            shape = (self.rows or 0,)
        for k, length in enumerate(shape):
            axis = (name, k)
            if isinstance(length, int) or length in self.symbols.given:
                number = length if isinstance(length, int) else self.symbols.given[length]
                self.extents[axis] = number
                self.given.add(axis)
            elif length in self.symbols.sizes:
                self.links[axis] = self.symbols.sizes[length]
            elif length not in {column_name(use) for use in self.uses[axis]}:
                shown = names.escape(length)
                sentence = f"the length {shown} of {names.escape(name)} is not known"
                raise self._error(self._place(axis), sentence, f"give --size {shown}=100")

    def _infer_all(self) -> None:
        """Find all sizes and extents that follow from those that are known."""
        readers: dict[Name, list[Axis]] = defaultdict(list)
        for axis, uses in self.uses.items():
            for use in uses:
                for symbol, _ in use.high.terms:
                    readers[symbol].append(axis)
        for axis, size in self.links.items():
            readers[size].append(axis)
        for key, symbol in self.symbols.sizes.items():
            if isinstance(key, tuple):
                readers[symbol].append(key)
        queue = dict.fromkeys(
            [*self.uses, *(k for k in self.symbols.sizes if isinstance(k, tuple))]
        )
        while queue:
            axis = next(iter(queue))
            del queue[axis]
            found = list(self._infer(axis))
            if not queue and not found:
                found = [*self._infer_from_choices(), *self._infer_from_equals()]
            for symbol in found:
                queue.update(dict.fromkeys(readers[symbol]))

    def _infer(self, axis: Axis) -> Iterator[Name]:
        """The sizes that become known from one axis."""
        own = self.symbols.sizes.get(axis)
        if axis not in self.extents:
            for size in (own, self.links.get(axis)):
                if size in self.known:
                    self.extents[axis] = self.known[size]
        if axis not in self.extents:
            others = [u for u in self.uses[axis] if own is None or own not in dict(u.high.terms)]
            highs = [self._high(use) for use in others]
            if highs and None not in highs:
                self.extents[axis] = max(0, *(high for high in highs if high is not None))
        if axis not in self.extents:
            return
        for size in (own, self.links.get(axis)):
            if size is not None and size not in self.known:
                self.known[size] = self.extents[axis]
                yield size
        if axis in self.given or not isinstance(self.symbols.arrays[axis[0]], Array):
            yield from self._infer_sizes(axis)

    def _infer_sizes(self, axis: Axis) -> Iterator[Name]:
        """A size that is the only unknown one in the greatest subscript of a known axis."""
        offsets: dict[Name, list[int]] = {}
        for use in self.uses[axis]:
            symbol = self._unknown(use.high)
            if use.column is None and symbol is not None:
                rest = use.high - Affine(0, ((symbol, 1),))
                offsets.setdefault(symbol, []).append(rest.at(self.known))
        for symbol, rests in offsets.items():
            self.known[symbol] = self.extents[axis] - max(rests)
            yield symbol

    def _infer_from_choices(self) -> Iterator[Name]:
        """The end of a definition's range from the greatest subscript in the data."""
        for use in self.symbols.uses:
            if use.within is None or use.column is None or use.high.terms:
                continue
            symbol = self._unknown(use.within.high)
            if symbol is not None:
                rest = use.within.high - Affine(0, ((symbol, 1),))
                high = int(self.values(use.column).max()) + use.high.constant
                self.known[symbol] = high - rest.at(self.known)
                yield symbol

    def _infer_from_equals(self) -> Iterator[Name]:
        """The length of an array that an index shares with a definition: v[k]*h[k]."""
        for (_, first), (_, second) in self.symbols.equal:
            for form, other in ((first, second), (second, first)):
                symbol = self._unknown(form)
                if symbol is not None and all(s in self.known for s, _ in other.terms):
                    rest = form - Affine(0, ((symbol, 1),))
                    self.known[symbol] = other.at(self.known) - rest.at(self.known)
                    yield symbol

    def _unknown(self, form: Affine) -> Name | None:
        """The size that alone is not known in a form, once in it."""
        unknown = [(s, k) for s, k in form.terms if s not in self.known]
        return unknown[0][0] if len(unknown) == 1 and unknown[0][1] == 1 else None

    def _high(self, use: Use) -> int | None:
        """The greatest value of a subscript, or None where a size in it is not known."""
        if any(symbol not in self.known for symbol, _ in use.high.terms):
            return None
        if use.column is not None:
            return use.high.at(self.known) + int(self.values(use.column).max())
        high = use.high.at(self.known)
        known = all(symbol in self.known for symbol, _ in use.low.terms)
        empty = known and use.low.at(self.known) > high  # the range of an index
        return 0 if empty else high
