"""Elements: the numbers of a point by name, those of arrays also as arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from symgd._numpy import np
from symgd.formula.categories import Extent, element_name, place_of


def element_names(name: str, shape: Sequence[int]) -> Iterator[str]:
    """`w[1,1]`, `w[1,2]`, ... row-major, or `a[north]`, ...; the name itself for a number."""
    for place in subscripts(shape):
        yield element_name(name, shape, place) if place else name


def subscripts(shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """(1, 1), (1, 2), ... row-major, one at a time: itertools.product keeps all ranges."""
    if not shape:
        yield ()
        return
    first, *rest = shape
    for k in range(1, first + 1):
        for inner in subscripts(rest):
            yield (k, *inner)


def place_on_axis(subscript: str, extent: int) -> int | None:
    """The place of an element from 0, by its number or label; None for any other name."""
    place = place_of(subscript, extent.labels) if isinstance(extent, Extent) else None
    if place is None:
        return int(subscript) - 1 if subscript.isdecimal() else None
    return place - 1


_SHOWN = 20  # elements that a repr has all of


class Elements(dict[str, float]):
    """Name -> number; an element of an array is `w[2]`, and the name `w` gives the whole array.

    shapes: of the arrays, by name.

    >>> point = Elements({"b": 0.5, "w[1]": 1.0, "w[2]": 2.0}, {"w": (2,)})
    >>> point["w"], point["w[2]"]
    (array([1., 2.]), 2.0)
    """

    def __init__(
        self,
        numbers: Mapping[str, float] | Iterable[tuple[str, float]],
        shapes: Mapping[str, tuple[int, ...]],
    ) -> None:
        super().__init__(numbers)
        self.shapes = shapes

    def __missing__(self, name: str) -> Any:
        shape = self.shapes[name]  # KeyError, as of every dictionary
        values = [self[element] for element in element_names(name, shape)]
        return np.array(values, dtype=np.float64).reshape(shape)

    def __repr__(self) -> str:
        if len(self) <= _SHOWN:
            return super().__repr__()
        with np.printoptions(threshold=_SHOWN):
            return repr(self.by_array())

    def __reduce__(self) -> tuple[type[Elements], tuple[dict[str, float], dict[str, Any]]]:
        return Elements, (dict(self), dict(self.shapes))

    def by_array(self) -> dict[str, Any]:
        """The numbers by name, and the arrays by theirs; in order."""
        found: dict[str, Any] = {}
        elements = {e: name for name, s in self.shapes.items() for e in element_names(name, s)}
        for name, value in self.items():
            array = elements.get(name)
            if array is None:
                found[name] = value
            elif array not in found:
                found[array] = self.__missing__(array)
        return found


def named(
    params: Sequence[str], values: Iterable[float], shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, float]:
    """The values by parameter. shapes: of the arrays whose elements the parameters are."""
    numbers = {name: float(value) for name, value in zip(params, values, strict=True)}
    return Elements(numbers, shapes) if shapes else numbers


def nested(point: Mapping[str, Any]) -> Mapping[str, Any]:
    """The point as plain data: arrays as nested lists, or by the labels of their places."""
    shapes: Mapping[str, tuple[int, ...]] = {}
    if isinstance(point, Elements):
        shapes, point = point.shapes, point.by_array()
    lists = {k: v if isinstance(v, float) else v.tolist() for k, v in point.items()}
    return {k: _by_label(v, shapes.get(k, ())) for k, v in lists.items()}


def in_order(values: Any, shape: Sequence[int]) -> Any:
    """Values by label, as `nested` gives them, as a nested list; KeyError where one lacks."""
    if not shape or not isinstance(values, (Mapping, list, tuple)):
        return values
    if isinstance(values, Mapping):
        values = [values[label] for label in getattr(shape[0], "labels", ())]
    return [in_order(part, shape[1:]) for part in values]


def _by_label(values: Any, shape: Sequence[int]) -> Any:
    if not shape or not any(isinstance(extent, Extent) for extent in shape):
        return values
    parts = [_by_label(part, shape[1:]) for part in values]
    first = shape[0]
    return dict(zip(first.labels, parts, strict=True)) if isinstance(first, Extent) else parts
