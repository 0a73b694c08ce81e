"""Arrays of any type -> float64 or float32, exactly, with what is missing refused or dropped."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgd.data.source import Array
from symgd.errors import DataError, excerpt

Mask = NDArray[np.bool_]

_SLICE = 1 << 20  # rows that are looked at in one go: a mask of all rows would cost memory

_DROP = "fill it in, or skip such rows with --drop-missing (drop_missing=True)"


@dataclass(frozen=True)
class Place:
    """Where an array comes from. before: how many rows of the column come before it."""

    source: str
    column: str
    before: int = 0

    def error(self, index: int, sentence: str, hint: str = "", cell: str = "") -> DataError:
        """The error about element `index` of the array."""
        row = self.before + index + 1
        return DataError(sentence, row, self.column, None, self.source, cell or None, hint)

    def refuse(self, sentence: str, hint: str = "") -> DataError:
        """The error about the column as a whole."""
        return DataError(sentence, None, self.column, None, self.source, None, hint)


@dataclass(frozen=True)
class Column:
    """values: (rows,) floats; missing: (rows,) bool, or None; place: for the errors."""

    values: Array
    missing: Mask | None
    place: Place


def convert(values: NDArray[Any], missing: Mask | None, place: Place) -> Column:
    """The array as floats, no number changed. values: (rows,) of any type.

    float64 and float32 stay as they are; bools are 0 and 1; an integer, or a wider float, that
    float64 cannot hold is an error, and so is whatever is no number. What stands where `missing`
    is true does not matter.
    """
    if values.ndim == 0:
        what = excerpt(type(values.item()).__name__)
        raise place.refuse(f"one {what} is not a column, which is a 1-D array or a list")
    if values.ndim != 1:
        raise place.refuse(f"an array of shape {values.shape} is not a column, which is 1-D")
    kind = values.dtype.kind
    if kind == "O":
        return _objects(values, missing, place)
    if kind == "f" and values.dtype.itemsize in (4, 8):
        native = values.dtype.newbyteorder("=")
        return Column(np.ascontiguousarray(values, dtype=native), missing, place)
    if kind in "fiub":
        return Column(_exact(values, missing, place), missing, place)
    if not len(values):
        return Column(np.empty(0), missing, place)
    if kind in "US":
        raise place.error(0, f"'{excerpt(str(values[0]))}' is text, not a number", _AS_FLOAT)
    what = {"M": "a time", "m": "a duration", "c": "complex"}.get(kind, "no number")
    raise place.error(0, f"{excerpt(str(values[0]))} is {what}", "convert it to real numbers")


_AS_FLOAT = "convert the column to numbers first"


def _exact(values: NDArray[Any], missing: Mask | None, place: Place) -> Array:
    """`values` as float64, each number unchanged, or the error about the first that cannot be."""
    with np.errstate(over="ignore", invalid="ignore"):
        floats = values.astype(np.float64)
        if values.dtype.kind == "b" or values.dtype.itemsize <= 4:
            return floats
        for start in range(0, len(values), _SLICE):
            part, back = values[start : start + _SLICE], floats[start : start + _SLICE]
            wrong = _differs(part, back)
            if missing is not None:
                wrong &= ~missing[start : start + _SLICE]
            if wrong.any():
                index = start + int(np.argmax(wrong))
                raise _inexact(values[index], index, place)
    return floats


def _differs(values: NDArray[Any], floats: Array) -> Mask:
    """Where the floats are not the values. (rows,) each."""
    if values.dtype.kind == "f":
        return np.asarray((floats.astype(values.dtype) != values) & (values == values))
    info = np.iinfo(values.dtype)
    # 2.0**63 and 2.0**64 do not go back: a value that was rounded up to them is not there.
    fits = floats < float(info.max) if values.dtype.itemsize == 8 else np.ones(len(floats), bool)
    back = np.where(fits, floats, 0).astype(values.dtype)
    return np.asarray(~fits | (back != values))


def _inexact(value: Any, index: int, place: Place) -> DataError:
    return place.error(
        index,
        f"{excerpt(str(value))} is not a float64: the nearest is {float(value)!r}",
        "convert the column to float64 if that is meant",
        str(value),
    )


def _objects(values: NDArray[Any], missing: Mask | None, place: Place) -> Column:
    """A column of Python objects, one by one."""
    gone = np.zeros(len(values), bool) if missing is None else missing.copy()
    floats = np.zeros(len(values))
    for index, value in enumerate(values):
        if value is None or type(value).__name__ == "NAType":  # None, or pandas.NA
            gone[index] = True
        elif not gone[index]:
            floats[index] = _object(value, index, place)
    return Column(floats, gone, place)


def _object(value: Any, index: int, place: Place) -> float:
    kind = type(value).__name__
    if isinstance(value, (str, bytes)):
        shown = excerpt(value if isinstance(value, str) else repr(value))
        raise place.error(index, f"'{shown}' is text, not a number", _AS_FLOAT, shown)
    is_number = isinstance(value, (numbers.Real, np.bool_)) or kind == "Decimal"
    if not is_number:
        raise place.error(index, f"an object of type {excerpt(kind)} is not a number", _AS_FLOAT)
    try:
        number = float(value)
    except OverflowError:
        raise place.error(index, f"{excerpt(str(value))} is too large for a float64") from None
    except ValueError:  # a signalling NaN
        raise place.error(index, f"{excerpt(str(value))} is not finite") from None
    if isinstance(value, numbers.Integral) and int(value) != number:
        raise _inexact(value, index, place)
    return number


def settle(columns: Sequence[Column], drop: bool) -> tuple[list[Array], int]:
    """The columns without missing and non-finite cells, and how many rows were dropped for them.

    drop: leave such rows out of every column; without it the first such cell is the error.
    """
    if all(_is_whole(column) for column in columns):
        return [column.values for column in columns], 0
    bad = [_bad(column) for column in columns]
    anywhere = np.logical_or.reduce(bad)
    if drop:
        keep = ~anywhere
        return [column.values[keep] for column in columns], int(anywhere.sum())
    index = int(np.argmax(anywhere))
    column = next(c for c, mask in zip(columns, bad, strict=True) if mask[index])
    if column.missing is not None and column.missing[index]:
        raise column.place.error(index, "the cell is empty", _DROP)
    shown = repr(float(column.values[index]))
    raise column.place.error(index, f"{shown} is not finite", _DROP, shown)


def _is_whole(column: Column) -> bool:
    if column.missing is not None and column.missing.any():
        return False
    parts = range(0, len(column.values), _SLICE)
    return all(np.isfinite(column.values[k : k + _SLICE]).all() for k in parts)


def _bad(column: Column) -> Mask:
    bad: Mask = ~np.isfinite(column.values)
    return bad if column.missing is None else bad | column.missing
