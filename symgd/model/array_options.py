"""What was given of the arrays of a loss: sizes, shapes, and columns that are vectors."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from symgd import names
from symgd.errors import ArgumentError
from symgd.formula.indexed_symbols import IndexedSymbols
from symgd.formula.symbol_table import Columns
from symgd.model.checks import to_count


@dataclass(frozen=True)
class ArrayOptions:
    """What was given of arrays: sizes and shapes by name, columns that are one vector by name."""

    sizes: Mapping[str, int] = field(default_factory=dict)
    shapes: Mapping[str, tuple[int | str, ...]] = field(default_factory=dict)
    vectors: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        sizes: Mapping[str, int],
        shapes: Mapping[str, Sequence[int | str]],
        vectors: Mapping[str, Sequence[str]],
    ) -> ArrayOptions:
        """The options, checked, names in their canonical spelling."""

        def length(value: int | str, name: str) -> int | str:
            return value if isinstance(value, str) else to_count(value, f"a length of {name}", 0)

        def axes(shape: int | str | Sequence[int | str], name: str) -> tuple[int | str, ...]:
            one = isinstance(shape, (int, str)) or not hasattr(shape, "__iter__")
            listed = [shape] if one else list(shape)  # type: ignore[arg-type]
            if not listed:
                raise ArgumentError(f"the shape of {name} has no axis")
            return tuple(length(v, name) for v in listed)  # type: ignore[arg-type]

        for what, given in {"sizes": sizes, "shapes": shapes, "vectors": vectors}.items():
            if not isinstance(given, Mapping):
                raise ArgumentError(f"{what} go by names, as in sizes={{'n': 100}}")
        named = {names.canonical(str(k)): v for k, v in sizes.items()}
        found = cls(
            {k: to_count(v, f"the size {names.escape(k)}", 0) for k, v in named.items()},
            {names.canonical(str(k)): axes(v, names.escape(str(k))) for k, v in shapes.items()},
            {
                names.canonical(str(k)): (v,) if isinstance(v, str) else tuple(v)
                for k, v in vectors.items()
            },
        )
        for name, own in found.vectors.items():
            if not own:
                raise ArgumentError(f"the vector {names.escape(name)} has no column")
        return found

    @property
    def words(self) -> list[str]:
        """The same as options of the command line."""
        found = [f"--size {name}={number}" for name, number in self.sizes.items()]
        for option, given in (("--shape", self.shapes), ("--vector", self.vectors)):
            for name, parts in given.items():
                value = f"{name}={','.join(map(str, parts))}"
                found.append(f"{option} {shlex.quote(names.escape(value))}")
        return found

    def symbols(self, columns: Columns | None) -> IndexedSymbols:
        """The symbols of a formula over these columns."""
        numbered = {} if columns is None else numbered_vectors(columns)
        vectors = numbered | {
            names.canonical(name): list(own) for name, own in self.vectors.items()
        }
        for own in vectors.values():
            for name in own:
                if columns is None or name not in columns.symbols:
                    near = "there are no data" if columns is None else columns.near(name)
                    shown = names.escape(name)
                    raise ArgumentError(f"there is no column '{shown}' for a vector; {near}")
        return IndexedSymbols(vectors, set(numbered) - set(self.vectors), self.sizes, self.shapes)

    def check_used(self, text: str, indexed: IndexedSymbols | None) -> None:
        """ArgumentError for a size, shape or vector that the formula does not have."""
        lengths = {axis for shape in self.shapes.values() for axis in shape}
        arrays = {} if indexed is None else indexed.arrays
        sizes = {} if indexed is None else indexed.sizes
        used: dict[str, tuple[Mapping[str, object], set[object]]] = {
            "size": (self.sizes, {*lengths, *(k for k in sizes if isinstance(k, str))}),
            "array": (self.shapes, set(arrays)),
            "vector": (self.vectors, set(arrays)),
        }
        for what, (given, found) in used.items():
            for name in given:
                if name not in found:
                    shown = names.escape(name)
                    raise ArgumentError(f"the loss has no {what} '{shown}': {text[:60]}")


def numbered_vectors(columns: Iterable[str]) -> dict[str, list[str]]:
    """The vectors among columns named X1, X2, ..., Xn without gaps, n >= 2, by X."""
    listed = list(columns)
    known = set(listed)
    found: dict[str, list[str]] = {}
    for name in listed:
        stem = name[:-1]
        if name.endswith("1") and stem and not stem[-1:].isdigit() and stem not in known:
            members = [name]
            while f"{stem}{len(members) + 1}" in known:
                members.append(f"{stem}{len(members) + 1}")
            if len(members) > 1 and names.is_variable(stem):
                found[names.canonical(stem)] = members
    return found
