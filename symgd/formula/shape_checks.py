"""Checks of the shapes of an indexed formula: lengths, ranges and subscripts, with their places."""

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
)
from symgd.formula.indexed_symbols import Axis, IndexedSymbols, Use, written
from symgd.formula.indices import Affine, Array, Index, Size
from symgd.formula.nodes import Name, Node

ELEMENTS = 10**8  # of all parameter arrays together, and values of an index
TERMS = 10**12  # of sums inside of each other


@dataclass
class ShapeChecks:
    """What is known of the shapes of a formula, and its checks. text: of the formula, for messages.

    rows: of the data, None without any. values: the whole numbers in a column that is a subscript.
    labels: the texts of those that hold texts, by column.
    known: the numbers found so far. extents: those of axes; given: the axes whose length is fixed
    by the user or the data, so that no use may be beyond it.
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
        if column in self.labels and (low or high):
            sentence = f"{column} holds texts, and there is nothing to add to a category"
            raise self._error(use.token.column, sentence, f"write {shown}[{column}]")
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
