"""Objects that hold columns: mappings of arrays, structured arrays, frames, Arrow tables.

Frames are known by what they can do, so that no library is imported for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgd.data.arrow import ArrowSource, need_arrow
from symgd.data.conversion import Column, Mask, Place, convert, settle
from symgd.data.select_columns import check_names
from symgd.data.source import Block, Pick, Source
from symgd.errors import DataError, excerpt

Values = tuple[NDArray[Any], Mask | None]


def open_object(data: Any) -> Source:
    """The source for an object that holds columns, or the DataError that it is none."""
    label = _label(data)
    if isinstance(data, Mapping):
        return MemorySource(label, list(data), lambda key: _array(data[key]))
    if isinstance(data, np.ndarray) and data.dtype.names:
        return MemorySource(label, list(data.dtype.names), lambda name: _array(data[name]))
    if hasattr(data, "num_rows") and hasattr(data, "__arrow_c_stream__"):
        import pyarrow as pa

        return ArrowSource(pa.table(data), label)
    if hasattr(data, "collect"):  # a lazy frame
        raise DataError("it is not computed yet", source=label, hint="pass data.collect()")
    if hasattr(data, "__getitem__") and not callable(getattr(data, "columns", callable)):
        return MemorySource(label, list(data.columns), lambda key: _series(data[key]))
    if hasattr(data, "__arrow_c_stream__"):
        need_arrow(label, "reading it through Arrow's interface")
        return _stream(data, label)
    if hasattr(data, "__dataframe__"):
        need_arrow(label, "reading it through the frames' interface")
        from pyarrow.interchange import from_dataframe

        return ArrowSource(from_dataframe(data), label)
    raise _no_table(label)


def _stream(data: Any, label: str) -> Source:
    """What gives itself as Arrow's stream of batches; a single column does that, too."""
    import pyarrow as pa

    try:
        return ArrowSource(pa.table(data), label)
    except pa.ArrowInvalid:
        raise _no_table(label) from None


def _no_table(label: str) -> DataError:
    hint = 'pass a path, a dict of columns such as {"x": [1, 2], "y": [3, 4]}, a structured '
    hint += "array, a data frame or an Arrow table"
    return DataError("this is not a table", source=label, hint=hint)


def _label(data: Any) -> str:
    kind = type(data)
    package = "" if kind.__module__ == "builtins" else kind.__module__.partition(".")[0] + " "
    return f"the {excerpt(package + kind.__name__)}"


class MemorySource:
    """Columns that lie in memory. They are not copied unless their type has to change.

    keys: of all columns. get: key -> (array, mask of what is missing or None).
    """

    in_memory = True
    remarks: tuple[str, ...] = ()

    def __init__(self, label: str, keys: Sequence[Any], get: Callable[[Any], Values]) -> None:
        self.label = label
        self._keys = keys
        self._get = get
        # A key that is no string is the name of no column: it cannot stand in a formula.
        self.names = tuple(key.strip() if isinstance(key, str) else "" for key in keys)
        check_names(self.names, label)

    def about(self) -> int:
        return 0

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        columns = [self._column(pick) for pick in picks]
        for column in columns[1:]:
            lengths = len(columns[0].values), len(column.values)
            if lengths[0] != lengths[1]:
                sentence = f"it has {lengths[1]:,} rows, '{excerpt(columns[0].place.column)}' "
                raise column.place.refuse(f"{sentence}has {lengths[0]:,}", "cut them to one length")
        arrays, dropped = settle(columns, drop)
        yield Block(arrays, dropped, 1.0)

    def _column(self, pick: Pick) -> Column:
        place = Place(self.label, self.names[pick.index])
        try:
            values, missing = self._get(self._keys[pick.index])
        except MemoryError:
            raise
        except Exception as error:  # of whatever library: they have no common root
            raise place.refuse(f"it is not an array: {excerpt(str(error), 200)}") from None
        return convert(values, missing, place)


def _array(values: Any) -> Values:
    """Whatever NumPy takes as an array; text in a list stays where it is among the numbers."""
    if isinstance(values, np.ma.MaskedArray):
        return values.data, np.ma.getmaskarray(values)
    if hasattr(values, "to_numpy") and hasattr(values, "__len__"):
        return _series(values)
    array = np.asarray(values)
    if isinstance(values, (list, tuple)) and array.ndim == 1 and _may_be_changed(array):
        array = np.asarray(values, dtype=object)
    return array, None


def _may_be_changed(array: NDArray[Any]) -> bool:
    """Whether NumPy, making an array of a list, may have changed a number: to text, or rounded."""
    kind = array.dtype.kind
    return kind in "US" or (kind == "f" and bool((np.abs(array) > 2.0**53).any()))


def _series(series: Any) -> Values:
    """A column of pandas or polars, or an Arrow array."""
    if not hasattr(series, "to_numpy"):
        return np.asarray(series), None
    if hasattr(series, "null_count"):  # polars, Arrow: nulls, without which integers stay integers
        return _with_nulls(series)
    if hasattr(series, "isna") and not isinstance(getattr(series, "dtype", None), np.dtype):
        return _with_missing(series)
    values = np.asarray(series.to_numpy())
    if values.dtype.kind == "O" and hasattr(series, "isna"):
        return values, np.asarray(series.isna())
    return values, None


def _with_missing(series: Any) -> Values:
    """A column of one of pandas' own types: to_numpy as a whole would round integers beside NA."""
    mask = np.asarray(series.isna(), dtype=bool)
    if not mask.any():
        return _own(series), None
    valid = _own(series[~mask])
    values = np.zeros(len(mask), valid.dtype)
    values[~mask] = valid
    return values, mask


def _own(series: Any) -> NDArray[Any]:
    """The values of a column of pandas without missing ones, in their type."""
    kinds = getattr(series.dtype, "categories", None)
    if kinds is None:
        return np.asarray(series.to_numpy())
    codes = series.cat.codes if hasattr(series, "cat") else series.codes
    found: NDArray[Any] = np.asarray(kinds.to_numpy())[np.asarray(codes)]
    return found


def _with_nulls(series: Any) -> Values:
    nulls = series.null_count
    count = nulls() if callable(nulls) else nulls
    if not count:
        return _numpy(series), None
    mask = _numpy(series.is_null())
    valid = _numpy(series.drop_nulls() if hasattr(series, "drop_nulls") else series.drop_null())
    values = np.zeros(len(mask), valid.dtype)
    values[~mask] = valid
    return values, mask


def _numpy(series: Any) -> NDArray[Any]:
    try:
        return np.asarray(series.to_numpy())
    except ValueError:  # Arrow: to_numpy copies only when it is told so
        return np.asarray(series.to_numpy(zero_copy_only=False))
