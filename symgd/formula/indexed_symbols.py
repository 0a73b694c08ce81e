"""The arrays, sizes and indices of an indexed formula."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from symgd import names
from symgd.formula.indices import Affine, Array, ColumnVector, DataArray, Index, Size
from symgd.formula.nodes import ROWS, Name, Node
from symgd.formula.tokens import Token

ArraySymbol = Array | DataArray | ColumnVector

#: An axis of an array: (name, from 0).
Axis = tuple[str, int]


@dataclass(frozen=True)
class Use:
    """A subscript of an array in the formula: the least and greatest value that it takes.

    axis: of which array. token: for messages. column: what is read from the data, else None; then
    low and high are offsets to the values of it. within: the index of the definition that has this
    subscript; None for an array.
    """

    axis: Axis
    token: Token
    low: Affine
    high: Affine
    column: Node | None = None
    within: Index | None = None


#: A name of an array, and the length of one of its axes.
Length = tuple[Token, Affine]


@dataclass
class IndexedSymbols:
    """What the names with subscripts, and in ranges, stand for.

    vectors: name -> the columns of the data that are one vector; numbered: those that nobody asked
    for. shapes: name -> the length of each axis, as far as it was given: a number, a size, or a
    column that is its subscript. given: the sizes by name. arrays: those read so far, by name.
    sizes: by name; of an axis, by (name, axis). places: of the named ones in the text. uses: the
    subscripts. equal: lengths that must be the same. nests: the indices that are open at once, with
    the first name for messages. nonempty: the indices of reductions that have no value over
    nothing, with their name. labels: subscripts that are names of categories, by axis and name.
    same: axes with the same places: of a
    definition, and of an array in it that has its index.
    """

    vectors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    numbered: Collection[str] = ()
    given: Mapping[str, int] = field(default_factory=dict)
    shapes: Mapping[str, Sequence[int | str]] = field(default_factory=dict)
    arrays: dict[str, ArraySymbol] = field(default_factory=dict)
    sizes: dict[str | Axis, Name] = field(default_factory=dict)
    places: dict[str, int] = field(default_factory=dict)
    indices: dict[tuple[Affine, Affine, int], Index] = field(default_factory=dict)
    uses: list[Use] = field(default_factory=list)
    equal: list[tuple[Length, Length]] = field(default_factory=list)
    nests: dict[frozenset[Index], Token] = field(default_factory=dict)
    nonempty: list[tuple[Index, Token]] = field(default_factory=list)
    labels: dict[tuple[Axis, str], tuple[Name, Token]] = field(default_factory=dict)
    same: dict[tuple[Axis, Axis], None] = field(default_factory=dict)

    def array(self, name: str, column: str | None) -> ArraySymbol:
        """The array of this name. column: the column of the data that it is, if there is one."""
        if name not in self.arrays:
            k = len(self.arrays)
            if name in self.vectors:
                self.arrays[name] = ColumnVector(f"v{k}", name)
            elif column is not None:
                self.arrays[name] = DataArray(f"d{k}", column)
            else:
                self.arrays[name] = Array(f"a{k}", name)
        return self.arrays[name]

    def columns_read(self) -> list[str]:
        """The columns of the data that are read by position, or as elements of a vector."""
        found: list[str] = []
        for name, array in self.arrays.items():
            if isinstance(array, ColumnVector):
                found += self.vectors[name]
            elif isinstance(array, DataArray):
                found.append(array.text)
        return found

    def size(self, key: str | Axis, place: int = 0) -> Name:
        """The symbol of a size, or of the extent of an axis. place: where it stands in the text."""
        if key not in self.sizes:
            text = key if isinstance(key, str) else f"#{key[0]}.{key[1]}"
            self.sizes[key] = Size(f"n{len(self.sizes)}", text)
            if isinstance(key, str):
                self.places[key] = place
        return self.sizes[key]

    def label(self, axis: Axis, token: Token) -> Name:
        """The symbol of the place of a category on an axis."""
        key = (axis, token.text)
        if key not in self.labels:
            self.labels[key] = Size(f"nl{len(self.labels)}", token.text), token
        return self.labels[key][0]

    def extent(self, name: str, axis: int) -> Affine:
        """How long an axis of an array is."""
        if isinstance(self.arrays.get(name), DataArray):
            return Affine(0, ((ROWS, 1),))
        return Affine(0, ((self.size((name, axis)), 1),))

    def index(self, text: str, low: Affine, high: Affine, opened: Sequence[Index]) -> Index:
        """The index of this range inside the reductions over `opened`."""
        depth = sum(1 for other in opened if (other.low, other.high) == (low, high))
        key = (low, high, depth)
        if key not in self.indices:
            self.indices[key] = Index(f"i{len(self.indices)}", text, low, high)
        return self.indices[key]


def hull(bound: Affine) -> tuple[Affine, Affine]:
    """The least and greatest value of an affine form, in sizes alone."""
    low = high = Affine(bound.constant)
    for symbol, factor in bound.terms:
        if isinstance(symbol, Index):
            ends = (symbol.low * factor, symbol.high * factor)
            low, high = low + ends[factor < 0], high + ends[factor > 0]
        else:
            term = Affine(0, ((symbol, factor),))
            low, high = low + term, high + term
    return low, high


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
