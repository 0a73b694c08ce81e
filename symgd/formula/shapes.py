"""The sizes of an indexed formula as numbers: given, or from the data, the start and the ranges."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.categories import (
    Extent,
    axis_labels,
    column_name,
    listed,
    no_category,
    place_of,
)
from symgd.formula.indexed_symbols import Axis, IndexedSymbols, Use
from symgd.formula.indices import Affine, Array, ColumnVector, Count, Index, Size
from symgd.formula.nodes import ROWS, Name, Node

ELEMENTS = 10**8  # of all parameter arrays together, and values of an index
TERMS = 10**12  # of sums inside of each other


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
class ShapeReader:
    """Finds what the formula leaves open. text: of the formula, for messages.

    rows: of the data, None without any. values: the whole numbers in a column that is a subscript.
    labels: the texts of those that hold texts, by column.
    known: the numbers found so far. extents: those of axes; given: the axes whose length somebody
    gave, so that no use may be beyond it.
    """

    text: str
    symbols: IndexedSymbols
    rows: int | None = None
    values: Callable[[Node], Any] = lambda column: column
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    known: dict[Name, int] = field(default_factory=dict)
    extents: dict[Axis, int] = field(default_factory=dict)
    given: set[Axis] = field(default_factory=set)
    uses: dict[Axis, list[Use]] = field(default_factory=lambda: defaultdict(list))
    links: dict[Axis, Name] = field(default_factory=dict)  # axes that are as long as a size

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

    # -- what follows from what -----------------------------------------------------------------

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

    # -- checks -----------------------------------------------------------------------------------

    def _check_known(self) -> None:
        for key, symbol in self.symbols.sizes.items():
            shown = names.escape(key if isinstance(key, str) else key[0])
            if symbol in self.known:
                if self.known[symbol] < 0:
                    sentence = f"{shown} is {self.known[symbol]} here"
                    raise self._error(self._place(key), sentence, "a size is 0 or more")
                continue
            sentence, hint = f"{shown} is not known", f"give --size {shown}=100"
            if not isinstance(key, str):
                sentence = f"the length of {shown} is not known"
                hint = f"write a range (i=1..n), or give --shape {shown}=100"
            raise self._error(self._place(key), sentence, hint)

    def _check_ranges(self) -> None:
        """See that lengths agree, and that no range is empty or too long."""
        for (one, length), (other, second) in self.symbols.equal:
            counts = length.at(self.known), second.at(self.known)
            if counts[0] != counts[1]:
                shown = [
                    f"{names.escape(token.text)} has {names.counted(count, 'element')}"
                    for token, count in zip((one, other), counts, strict=True)
                ]
                hint = f"write the range of the index: 1..{min(counts)}"
                raise self._error(other.column, " and ".join(shown), hint)
        for nest, token in self.symbols.nests.items():
            counts_ = [self._count(index) for index in nest]
            if counts_ and max(counts_) > ELEMENTS:
                sentence = f"an index takes {_shown(max(counts_))} values"
                hint = f"at most {ELEMENTS:,} are possible (limit elements)"
                raise self._error(token.column, sentence, hint)
            if math.prod(counts_) > TERMS:
                sentence = f"sums inside of each other have {_shown(math.prod(counts_))} terms"
                hint = f"at most {TERMS:,} are possible (limit terms)"
                raise self._error(token.column, sentence, hint)
        for index, token in self.symbols.nonempty:
            if not self._count(index):
                sentence = f"this is the {token.text} of nothing: its range is empty"
                raise self._error(token.column, sentence, "begin the range before its end")

    def _count(self, index: Index) -> int:
        return max(0, index.high.at(self.known) - index.low.at(self.known) + 1)

    def _shapes(self) -> dict[str, tuple[int, ...]]:
        """The extents of every array."""
        found = {}
        labels = axis_labels(self.symbols, self.labels)
        for name in self.symbols.arrays:
            axes = sorted(axis for axis in self._axes(name))
            found[name] = tuple(self._extent(axis, labels.get(axis, ())) for axis in axes)
        own = [n for n, array in self.symbols.arrays.items() if isinstance(array, Array)]
        elements = {name: math.prod(found[name]) for name in own}
        if sum(elements.values()) > ELEMENTS:
            largest = max(elements, key=lambda name: elements[name])
            sentence = f"{_shown(sum(elements.values()))} elements are too many"
            hint = f"at most {ELEMENTS:,} are possible (limit elements)"
            raise self._error(self._place((largest, 0)), sentence, hint)
        return found

    def _extent(self, axis: Axis, labels: Sequence[str]) -> int:
        """The length of an axis, with labels where it has just as many."""
        length = self.extents[axis]
        return Extent(labels) if labels and len(labels) == length else length

    def _axes(self, name: str) -> Iterator[Axis]:
        k = 0
        while (name, k) in self.uses:  # all of them: every use has all
            yield name, k
            k += 1

    def _check(self, use: Use) -> None:
        """See that a subscript stays within its array, or its definition."""
        name, _ = use.axis
        first, last = 1, self.extents.get(use.axis, 0)
        if use.within is not None:
            first, last = use.within.low.at(self.known), use.within.high.at(self.known)
        shown = names.escape(name)
        if use.column is not None:
            self._check_column(use, shown, first, last)
            return
        low, high = use.low.at(self.known), use.high.at(self.known)
        if high < low:
            return  # of an empty range
        if low < first:
            begin = f"{shown}[{self._written(use.low)}]"
            sentence = f"this reaches {begin}, and the first is {shown}[{first}]"
            hint = "subscripts begin there: begin the range later"
            raise self._error(use.token.column, sentence, hint)
        beyond = self._beyond_size(use) if use.axis not in self.given else None
        if high > last or beyond is not None:
            end = f"{shown}[{self._written(use.high)}]"
            sentence = f"this reaches {end}, and the last is {shown}[{beyond or last}]"
            hint = "end the range earlier, for example i=1..n-1"
            if not isinstance(self.symbols.arrays.get(name), Array):
                hint = "end the range earlier, or leave it out"
            raise self._error(use.token.column, sentence, hint)

    def _check_column(self, use: Use, shown: str, first: int, last: int) -> None:
        """See that the subscripts in the data stay within the array."""
        values, column = self.values(use.column), names.escape(column_name(use))
        low, high = use.low.at(self.known), use.high.at(self.known)
        for row, offset in ((int(values.argmin()), low), (int(values.argmax()), high)):
            value = int(values[row])
            if first <= value + offset <= last:
                continue
            where = f"{column} is {value} in row {row + 1}"
            if value + offset < first:
                sentence = f"{where}, and the first is {shown}[{first}]"
                hint = f"for numbers from {value} on, write {column} + {first - value}"
            elif column in self.labels:
                count = f"{len(self.labels[column]):,} categories"
                sentence = f"{column} has {count}, and {shown} is {shown}[{first}..{last}]"
                hint = f"they are {listed(self.labels[column])}"
            elif use.within is not None:
                sentence = f"{where}, and the last is {shown}[{last}]"
                hint = f"extend the range of {shown} in its definition"
            else:
                sentence = f"{where}, and the last is {shown}[{last}]"
                hint = f"give --size or --shape so that {shown} is long enough"
            raise self._error(use.token.column, sentence, hint)

    def _beyond_size(self, use: Use) -> str | None:
        """The size n where a subscript goes up to n + 1 or more, which nobody means."""
        terms = use.high.terms
        alone = len(terms) == 1 and terms[0][1] == 1 and isinstance(terms[0][0], Size)
        if alone and use.within is None and use.high.constant > 0:
            key = terms[0][0].text
            return key if not key.startswith("#") else None
        return None

    # -- messages ---------------------------------------------------------------------------------

    def _written(self, form: Affine) -> str:
        """An affine form as people write it; as a number where it holds an unnamed length."""
        hidden = any(symbol.text.startswith("#") for symbol, _ in form.terms)
        return str(form.at(self.known)) if hidden else written(form)

    def _place(self, key: str | Axis) -> int:
        """Where a size or an array stands first in the text."""
        if isinstance(key, tuple):
            key = key if self.uses.get(key) else (key[0], 0)
            uses = self.uses.get(key)
            return uses[0].token.column if uses else max(0, self.text.find(key[0]))
        return self.symbols.places.get(key, 0)

    def _error(self, column: int, sentence: str, hint: str) -> FormulaError:
        return FormulaError(self.text, column, sentence, hint)


def _shown(number: int) -> str:
    """A number, or its magnitude where it has many digits."""
    if number < 10**15:
        return f"{number:,}"
    return f"about 10^{round((number.bit_length() - 1) * math.log10(2))}"


def written(form: Affine) -> str:
    """An affine form as people write it: n - 1, 2*n."""
    parts = [
        f"{'-' if k < 0 else '+'} {'' if abs(k) == 1 else f'{abs(k)}*'}{names.escape(s.text)}"
        for s, k in sorted(form.terms, key=lambda term: term[1] < 0)
    ]
    if form.constant or not parts:
        parts.append(f"{'-' if form.constant < 0 else '+'} {abs(form.constant)}")
    text = " ".join(parts)
    return text[2:] if text.startswith("+ ") else "-" + text[2:]
