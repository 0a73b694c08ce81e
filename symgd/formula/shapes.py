"""The sizes of an indexed formula as numbers: given, or from the data, the start and the ranges."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from symgd import names
from symgd.errors import FormulaError
from symgd.formula.indexed_symbols import Axis, IndexedSymbols, Use
from symgd.formula.indices import Affine, Array, ColumnVector, Count, Index, Size
from symgd.formula.nodes import ROWS, Name, Node

ELEMENTS = 10**8  # of all parameter arrays together


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

    rows: of the data, None without any. greatest: the greatest value of a column that is a
    subscript. known: the numbers found so far. extents: those of axes; given: the axes whose length
    somebody gave, so that no use may be beyond it.
    """

    text: str
    symbols: IndexedSymbols
    rows: int | None = None
    greatest: Callable[[Node], int] = lambda column: 0
    known: dict[Name, int] = field(default_factory=dict)
    extents: dict[Axis, int] = field(default_factory=dict)
    given: set[Axis] = field(default_factory=set)

    def read(self, sizes: Mapping[str, int]) -> Shapes:
        """The shapes, or FormulaError. sizes: those given, by name."""
        if self.rows is not None:
            self.known[ROWS] = self.rows
        for name, number in sizes.items():
            self.known[self.symbols.size(name)] = number
        for name, array in self.symbols.arrays.items():
            shape = self.symbols.shapes.get(name, ())
            if isinstance(array, ColumnVector):
                shape = (len(self.symbols.vectors[name]),)
            elif not isinstance(array, Array):
                shape = (self.rows or 0,)
            for axis, extent in enumerate(shape):
                if not isinstance(extent, str) or extent in sizes:
                    number = sizes[extent] if isinstance(extent, str) else extent
                    self.extents[name, axis] = number
                    self.given.add((name, axis))
        while self._infer():
            pass
        self._check_known()
        for use in self.symbols.uses:
            self._check(use)
        for index, token in self.symbols.nonempty:
            if index.high.at(self.known) < index.low.at(self.known):
                sentence = f"this is the {token.text} of nothing: its range is empty"
                raise self._error(token.column, sentence, "begin the range before its end")
        extents = {name: self._shape(name) for name in self.symbols.arrays}
        own = [n for n, array in self.symbols.arrays.items() if isinstance(array, Array)]
        elements = sum(math.prod(extents[name]) for name in own)
        if elements > ELEMENTS:
            sentence = f"{elements:,} elements are too many (limit elements={ELEMENTS:,})"
            raise self._error(0, sentence, "")
        return Shapes(dict(self.known), extents)

    def _infer(self) -> bool:
        """One round; whether it found anything."""
        before = len(self.known) + len(self.extents)
        for key, symbol in self.symbols.sizes.items():
            if isinstance(key, tuple) and key in self.extents:
                self.known.setdefault(symbol, self.extents[key])
            elif isinstance(key, tuple) and symbol in self.known:
                self.extents[key] = self.known[symbol]
        for axis in dict.fromkeys(use.axis for use in self.symbols.uses):
            uses = [use for use in self.symbols.uses if use.axis == axis]
            if axis in self.extents:
                self._infer_sizes(axis, uses)
            else:
                self._infer_extent(axis, uses)
        return len(self.known) + len(self.extents) > before

    def _infer_extent(self, axis: Axis, uses: list[Use]) -> None:
        """The length of an axis: the greatest subscript, once all are known."""
        own = self.symbols.sizes.get(axis)
        others = [use for use in uses if own is None or own not in dict(use.high.terms)]
        highs = [self._high(use) for use in others]
        found = [high for high in highs if high is not None]
        if found and len(found) == len(highs):
            self.extents[axis] = max(0, *found)

    def _infer_sizes(self, axis: Axis, uses: list[Use]) -> None:
        """A size that is the only unknown one in the greatest subscript of a known axis."""
        offsets: dict[Name, list[int]] = {}
        for use in uses:
            unknown = [(s, k) for s, k in use.high.terms if s not in self.known]
            if use.column is None and len(unknown) == 1 and unknown[0][1] == 1:
                symbol = unknown[0][0]
                rest = use.high - Affine(0, ((symbol, 1),))
                offsets.setdefault(symbol, []).append(rest.at(self.known))
        for symbol, rests in offsets.items():
            if axis in self.given or not isinstance(self.symbols.arrays[axis[0]], Array):
                self.known[symbol] = self.extents[axis] - max(rests)

    def _high(self, use: Use) -> int | None:
        """The greatest value of a subscript, or None where a size in it is not known."""
        if any(symbol not in self.known for symbol, _ in use.high.terms):
            return None
        return use.high.at(self.known) + (self.greatest(use.column) if use.column else 0)

    def _check_known(self) -> None:
        for key, symbol in self.symbols.sizes.items():
            if symbol in self.known:
                if self.known[symbol] < 0:
                    sentence = f"{names.escape(symbol.text)} is {self.known[symbol]}"
                    raise self._error(self._column(key), sentence, "a size is 0 or more")
                continue
            if isinstance(key, str):
                shown = names.escape(key)
                sentence, hint = f"{shown} is not known", f"give --size {shown}=100"
            else:
                shown = names.escape(key[0])
                sentence = f"the length of {shown} is not known"
                hint = f"write a range (i=1..n), or give --shape {shown}=100"
            raise self._error(self._column(key), sentence, hint)
        for name in self.symbols.arrays:
            self._shape(name)

    def _shape(self, name: str) -> tuple[int, ...]:
        axes = sorted({use.axis[1] for use in self.symbols.uses if use.axis[0] == name})
        return tuple(self.extents[name, axis] for axis in axes)  # all of them: every use has all

    def _column(self, key: str | Axis) -> int:
        """Where a name stands first in the text."""
        name = key if isinstance(key, str) else key[0]
        uses = [use.token.column for use in self.symbols.uses if use.axis[0] == name]
        return min(uses) if uses else max(0, self._find(name))

    def _find(self, name: str) -> int:
        dots = self.text.find("..")
        return self.text.find(name, max(0, dots)) if dots >= 0 else self.text.find(name)

    def _check(self, use: Use) -> None:
        """See that a subscript stays within its array."""
        name, _ = use.axis
        low, high = use.low.at(self.known), self._high(use)
        assert high is not None
        if use.column is None and high < low:
            return  # of an empty range
        shown, extent = names.escape(name), self.extents[use.axis]
        usual = self.symbols.arrays[name]
        if low < 1 and use.column is None:
            sentence = f"{shown}[{written(use.low)}] is read: subscripts begin at 1"
            raise self._error(use.token.column, sentence, "begin the range later")
        beyond = self._beyond_size(use) if use.axis not in self.given else None
        if high > extent or beyond is not None:
            end = written(use.high) if use.column is None else str(high)
            last = beyond or str(extent)
            sentence = f"this reaches {shown}[{end}], and the last is {shown}[{last}]"
            hint = "end the range earlier, for example i=1..n-1"
            if use.column is not None:
                hint = f"give --size or --shape so that {shown} is long enough"
            elif not isinstance(usual, Array):
                hint = "end the range earlier, or leave it out"
            raise self._error(use.token.column, sentence, hint)

    def _beyond_size(self, use: Use) -> str | None:
        """The size n where a subscript goes up to n + 1 or more, which nobody means."""
        terms = use.high.terms
        alone = len(terms) == 1 and terms[0][1] == 1 and isinstance(terms[0][0], Size)
        if use.column is None and alone and use.high.constant > 0:
            key = terms[0][0].text
            return key if not key.startswith("#") else None
        return None

    def _error(self, column: int, sentence: str, hint: str) -> FormulaError:
        return FormulaError(self.text, column, sentence, hint)


def written(form: Affine) -> str:
    """An affine form as people write it: n - 1, 2*n."""
    parts = [
        f"{'-' if k < 0 else '+'} {'' if abs(k) == 1 else f'{abs(k)}*'}{names.escape(s.text)}"
        for s, k in form.terms
    ]
    if form.constant or not parts:
        parts.append(f"{'-' if form.constant < 0 else '+'} {abs(form.constant)}")
    text = " ".join(parts)
    return text[2:] if text.startswith("+ ") else "-" + text[2:]
