"""Exact conversion of arrays of any type to float64 or float32; missing values."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, time
from functools import partial
from typing import Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd.data.labels import Labels
from symgd.data.parse_cell import MISSING_HINT
from symgd.data.source import Array
from symgd.errors import DataError, excerpt

Mask: TypeAlias = "NDArray[np.bool_]"

_CHUNK = 1 << 20  # rows that are checked at once, to save memory


@dataclass(frozen=True)
class ColumnLocation:
    """The origin of an array, for errors. rows_before: the rows of the column before it."""

    source: str
    column: str
    rows_before: int = 0

    def row_error(self, index: int, sentence: str, hint: str = "", cell: str = "") -> DataError:
        """The error about element `index` of the array."""
        row = self.rows_before + index + 1
        return DataError(sentence, row, self.column, None, self.source, cell or None, hint)

    def column_error(self, sentence: str, hint: str = "") -> DataError:
        """The error about the column as a whole."""
        return DataError(sentence, None, self.column, None, self.source, None, hint)


@dataclass(frozen=True)
class MaskedColumn:
    """values: (rows,) floats. missing: (rows,) bool, or None. location: for errors."""

    values: Array
    missing: Mask | None
    location: ColumnLocation


def convert(values: NDArray[Any], missing: Mask | None, location: ColumnLocation) -> MaskedColumn:
    """The array as floats, exactly. values: (rows,) of any type.

    float64 and float32 stay as they are; bools become 0 and 1. An integer or a wider float that
    float64 cannot represent is a DataError, and so is any other type. Values where `missing` is
    true are ignored.
    """
    if values.ndim == 0:
        name = excerpt(type(values.item()).__name__)
        raise location.column_error(f"one {name} is not a column, which is a 1-D array or a list")
    if values.ndim != 1:
        shape = f"an array of shape {values.shape}"
        raise location.column_error(f"{shape} is not a column, which is 1-D")
    kind = values.dtype.kind
    if kind == "O":
        return _convert_objects(values, missing, location)
    if kind == "f" and values.dtype.itemsize in (4, 8):
        native = values.dtype.newbyteorder("=")
        return MaskedColumn(np.ascontiguousarray(values, dtype=native), missing, location)
    if kind in "fiub":
        return MaskedColumn(_to_float64(values, missing, location), missing, location)
    if not len(values):
        return MaskedColumn(np.empty(0), missing, location)
    first = excerpt(str(values[0] if kind != "M" else _with_minutes(values)[0]))
    if kind in "US":
        raise location.row_error(0, f"'{first}' is text, not a number", _CONVERT_HINT, first)
    type_name = {"M": "a time", "m": "a duration", "c": "complex"}.get(kind, "no number")
    cell = first if kind == "M" else ""
    raise location.row_error(0, f"{first} is {type_name}", "convert it to real numbers", cell)


_CONVERT_HINT = "convert the column to numbers first"


def convert_texts(
    values: NDArray[Any], missing: Mask | None, location: ColumnLocation, labels: Labels
) -> MaskedColumn:
    """The numbers of the texts of an array, (rows,) of strings or objects; blanks are missing."""
    kind = values.dtype.kind
    if values.ndim != 1 or kind not in ("UOiu" if labels.categories else "UOM"):
        raise location.column_error("a column of categories is 1-D and holds texts here")
    texts = []
    for index, value in enumerate(
        (_with_minutes(values).astype(str) if kind == "M" else values).tolist()
    ):
        absent = value is None or type(value).__name__ == "NAType" or value != value
        if absent or (missing is not None and missing[index]):
            texts.append("")
        elif isinstance(value, (str, numbers.Real, date, time)):
            text = str(value).strip()
            texts.append("" if text == "NaT" else text)
        else:
            name = excerpt(type(value).__name__)
            raise location.row_error(index, f"an object of type {name} is no category")
    present = [text for text in texts if text]
    blank = np.array([not text for text in texts])
    found = np.zeros(len(texts))
    try:
        found[~blank] = labels.numbers(present)
    except DataError as error:
        raise _row_of(error, texts, location, labels) from None
    return MaskedColumn(found, blank, location)


def _with_minutes(times: NDArray[Any]) -> NDArray[Any]:
    """Times whose texts have minutes, where they have hours."""
    return times.astype("M8[m]") if np.datetime_data(times.dtype)[0] == "h" else times


def _row_of(
    error: DataError, texts: Sequence[str], location: ColumnLocation, labels: Labels
) -> DataError:
    """The error about the first text that labels refuse, with its row."""
    for index, text in enumerate(texts):
        try:
            labels.numbers([text] if text else [])
        except DataError as found:
            return location.row_error(index, found.message, found.hint, text)
    return error


def _to_float64(values: NDArray[Any], missing: Mask | None, location: ColumnLocation) -> Array:
    """`values` as float64, or the DataError about the first that float64 cannot represent."""
    with np.errstate(over="ignore", invalid="ignore"):
        floats = values.astype(np.float64)
        if values.dtype.kind == "b" or values.dtype.itemsize <= 4:
            return floats
        for start in range(0, len(values), _CHUNK):
            part, converted = values[start : start + _CHUNK], floats[start : start + _CHUNK]
            changed = _is_changed(part, converted)
            if missing is not None:
                changed &= ~missing[start : start + _CHUNK]
            if changed.any():
                index = start + int(np.argmax(changed))
                raise _inexact(values[index], index, location)
    return floats


def _is_changed(values: NDArray[Any], floats: Array) -> Mask:
    """(rows,) bool: where floats differ from values, (rows,) each."""
    if values.dtype.kind == "f":
        return np.asarray((floats.astype(values.dtype) != values) & (values == values))
    info = np.iinfo(values.dtype)
    # 2.0**63 and 2.0**64 overflow when converted back; only a rounded value gives them
    fits = floats < float(info.max) if values.dtype.itemsize == 8 else np.ones(len(floats), bool)
    converted = np.where(fits, floats, 0).astype(values.dtype)
    return np.asarray(~fits | (converted != values))


def _inexact(value: Any, index: int, location: ColumnLocation) -> DataError:
    return location.row_error(
        index,
        f"{excerpt(str(value))} is not a float64: the nearest is {float(value)!r}",
        "convert the column to float64 if that is meant",
        str(value),
    )


def _convert_objects(
    values: NDArray[Any], missing: Mask | None, location: ColumnLocation
) -> MaskedColumn:
    """A column of Python objects."""
    is_missing = np.zeros(len(values), bool) if missing is None else missing.copy()
    floats = np.zeros(len(values))
    for index, value in enumerate(values):
        if value is None or type(value).__name__ == "NAType":  # None, or pandas.NA
            is_missing[index] = True
        elif not is_missing[index]:
            floats[index] = _convert_object(value, index, location)
    return MaskedColumn(floats, is_missing, location)


def _convert_object(value: Any, index: int, location: ColumnLocation) -> float:
    type_name = type(value).__name__
    refuse = partial(location.row_error, index)
    if isinstance(value, (str, bytes)):
        shown = excerpt(value if isinstance(value, str) else repr(value))
        raise refuse(f"'{shown}' is text, not a number", _CONVERT_HINT, shown)
    if isinstance(value, (date, time)):
        raise refuse(f"'{excerpt(str(value))}' is a date, not a number", "", str(value))
    if not isinstance(value, (numbers.Real, np.bool_)) and type_name != "Decimal":
        raise refuse(f"an object of type {excerpt(type_name)} is not a number", _CONVERT_HINT)
    try:
        number = float(value)
    except OverflowError:
        raise refuse(f"{excerpt(str(value))} is too large for a float64") from None
    except ValueError:  # a signaling NaN
        raise refuse(f"{excerpt(str(value))} is not finite") from None
    if _is_integer(value) and math.isfinite(number) and int(value) != number:
        raise _inexact(value, index, location)
    return number


def _is_integer(value: Any) -> bool:
    """Whether a number is written without a fraction, which nothing may round."""
    if type(value).__name__ == "Decimal":
        return bool(value.as_tuple().exponent == 0)
    return isinstance(value, numbers.Rational) and value.denominator == 1


def remove_missing(columns: Sequence[MaskedColumn], drop_missing: bool) -> tuple[list[Array], int]:
    """The columns without missing and non-finite cells, and the number of dropped rows.

    drop_missing: drop rows with such cells; without it the first such cell is a DataError.
    """
    if all(_is_complete(column) for column in columns):
        return [column.values for column in columns], 0
    invalid = [~np.isfinite(column.values) for column in columns]
    for mask, column in zip(invalid, columns, strict=True):
        if column.missing is not None:
            mask |= column.missing
    any_invalid = np.logical_or.reduce(invalid)
    if drop_missing:
        keep = ~any_invalid
        return [column.values[keep] for column in columns], int(any_invalid.sum())
    index = int(np.argmax(any_invalid))
    column = next(c for c, mask in zip(columns, invalid, strict=True) if mask[index])
    if column.missing is not None and column.missing[index]:
        raise column.location.row_error(index, "the cell is empty", MISSING_HINT)
    shown = repr(float(column.values[index]))
    raise column.location.row_error(index, f"{shown} is not finite", MISSING_HINT, shown)


def _is_complete(column: MaskedColumn) -> bool:
    if column.missing is not None and column.missing.any():
        return False
    parts = range(0, len(column.values), _CHUNK)
    return all(np.isfinite(column.values[k : k + _CHUNK]).all() for k in parts)
