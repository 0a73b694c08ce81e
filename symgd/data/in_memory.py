"""Table sources in memory: mappings of arrays, structured arrays, data frames, Arrow tables.

Data frames are recognized by their methods, so that no library is imported for them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from symgd._numpy import NDArray, np
from symgd.data.arrow import ArrowSource, need_arrow
from symgd.data.conversion import (
    ColumnLocation,
    Mask,
    MaskedColumn,
    convert,
    convert_texts,
    remove_missing,
)
from symgd.data.select_columns import check_names, check_width, refuse_names
from symgd.data.source import Block, SelectedColumn, TableSource
from symgd.errors import DataError, excerpt

ArrayAndMask: TypeAlias = "tuple[NDArray[Any], Mask | None]"


def open_object(data: Any, names: Sequence[str] | None = None) -> TableSource:
    """The table source for an object with columns, or DataError. names: of a 2-D array's."""
    label = _label(data)
    if isinstance(data, (list, tuple)) and data and all(isinstance(r, (list, tuple)) for r in data):
        data = np.array(data, dtype=object)
    if isinstance(data, np.ndarray) and data.ndim == 2 and not data.dtype.names:
        found = [f"x{k + 1}" for k in range(data.shape[1])] if names is None else list(names)
        check_width(found, data.shape[1], label)
        return MemorySource(label, found, lambda name: _as_array(data[:, found.index(name)]))
    refuse_names(names, label)
    if isinstance(data, Mapping):
        return MemorySource(label, list(data), lambda key: _as_array(data[key]))
    if isinstance(data, np.ndarray) and data.dtype.names:
        return MemorySource(label, list(data.dtype.names), lambda name: _as_array(data[name]))
    if hasattr(data, "num_rows") and hasattr(data, "__arrow_c_stream__"):
        need_arrow(label, "reading it through Arrow's interface")
        import pyarrow as pa

        return ArrowSource(pa.table(data), label)
    if hasattr(data, "collect"):  # a lazy frame
        raise DataError("it is not computed yet", source=label, hint="pass data.collect()")
    if hasattr(data, "__getitem__") and not callable(getattr(data, "columns", callable)):
        return _frame(data, label)
    if hasattr(data, "__arrow_c_stream__"):
        need_arrow(label, "reading it through Arrow's interface")
        return _stream(data, label)
    if hasattr(data, "__dataframe__"):
        need_arrow(label, "reading it through the frames' interface")
        from pyarrow.interchange import from_dataframe

        return ArrowSource(from_dataframe(data), label)
    raise _not_a_table(label)


def _frame(data: Any, label: str) -> TableSource:
    """A data frame; the named levels of its index are columns, too."""
    columns = list(data.columns)
    levels = [n for n in getattr(getattr(data, "index", None), "names", ()) if n is not None]
    index = {name: data.index.get_level_values(name) for name in levels if name not in columns}

    def read(key: Any) -> ArrayAndMask:
        return _series_values(index[key] if key in index else data[key])

    return MemorySource(label, [*columns, *index], read)


def _name(key: Any) -> str:
    """The name of a column in formulas; "" for one that cannot be used in them.

    Of several levels, ("pos", "x"), the parts are joined: pos_x.
    """
    if isinstance(key, tuple) and all(isinstance(part, str) for part in key):
        return "_".join(part.strip() for part in key if part.strip())
    return key.strip() if isinstance(key, str) else ""


def _stream(data: Any, label: str) -> TableSource:
    """An object with Arrow's stream interface, which a single column has, too."""
    import pyarrow as pa

    try:
        return ArrowSource(pa.table(data), label)
    except pa.ArrowInvalid:
        raise _not_a_table(label) from None


def _not_a_table(label: str) -> DataError:
    hint = 'pass a path, a dict of columns such as {"x": [1, 2], "y": [3, 4]}, a structured '
    hint += "array, a data frame or an Arrow table"
    return DataError("this is not a table", source=label, hint=hint)


def _label(data: Any) -> str:
    cls = type(data)
    package = "" if cls.__module__ == "builtins" else cls.__module__.partition(".")[0] + " "
    return f"the {excerpt(package + cls.__name__)}"


class MemorySource:
    """Columns in memory, which are not copied unless their type must change.

    keys: of all columns. read: key -> (array, mask of missing values or None).
    """

    in_memory = True
    decimal_comma = None
    remarks: tuple[str, ...] = ()

    def __init__(
        self, label: str, keys: Sequence[Any], read: Callable[[Any], ArrayAndMask]
    ) -> None:
        self.label = label
        self._keys = keys
        self._read = read
        self.names = tuple(map(_name, keys))
        check_names(self.names, label)

    def estimated_rows(self) -> int:
        return 0

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        columns = [self._column(column) for column in selected]
        for column in columns[1:]:
            lengths = len(columns[0].values), len(column.values)
            if lengths[0] != lengths[1]:
                sentence = f"it has {lengths[1]:,} rows, '{excerpt(columns[0].location.column)}' "
                raise column.location.column_error(
                    f"{sentence}has {lengths[0]:,}", "cut them to one length"
                )
        arrays, dropped = remove_missing(columns, drop_missing)
        yield Block(arrays, dropped, 1.0)

    def _column(self, column: SelectedColumn) -> MaskedColumn:
        location = ColumnLocation(self.label, self.names[column.index])
        try:
            values, missing = self._read(self._keys[column.index])
        except MemoryError:
            raise
        except Exception as error:  # of any library
            raise location.column_error(f"it is not an array: {excerpt(str(error), 200)}") from None
        if column.labels is not None:
            return convert_texts(values, missing, location, column.labels)
        return convert(values, missing, location)


def _as_array(values: Any) -> ArrayAndMask:
    """An array by NumPy; a list that NumPy would change becomes an array of objects."""
    if isinstance(values, np.ma.MaskedArray):
        return values.data, np.ma.getmaskarray(values)
    if hasattr(values, "to_numpy") and hasattr(values, "__len__"):
        return _series_values(values)
    array = np.asarray(values)
    if isinstance(values, (list, tuple)) and array.ndim == 1 and _may_have_changed(array):
        array = np.asarray(values, dtype=object)
    return array, None


def _may_have_changed(array: NDArray[Any]) -> bool:
    """Whether np.asarray of a list may have changed a number: to text, or by rounding."""
    kind = array.dtype.kind
    return kind in "US" or (kind == "f" and bool((np.abs(array) > 2.0**53).any()))


def _series_values(series: Any) -> ArrayAndMask:
    """A column of pandas or polars, or an Arrow array, as (array, mask).

    The to_numpy of all values would round integers beside missing ones.
    """
    if not hasattr(series, "to_numpy"):
        return np.asarray(series), None
    if hasattr(series, "null_count"):  # polars, Arrow
        nulls = series.null_count
        if not (nulls() if callable(nulls) else nulls):
            return _to_numpy(series), None
        valid = series.drop_nulls() if hasattr(series, "drop_nulls") else series.drop_null()
        return _spread(_to_numpy(valid), _to_numpy(series.is_null()))
    if not hasattr(series, "isna"):
        return np.asarray(series.to_numpy()), None
    if isinstance(getattr(series, "dtype", None), np.dtype):
        values = np.asarray(series.to_numpy())
        return values, np.asarray(series.isna()) if values.dtype.kind == "O" else None
    mask = np.asarray(series.isna(), dtype=bool)  # a pandas extension type
    if not mask.any():
        return _values_of_valid(series), None
    return _spread(_values_of_valid(series[~mask]), mask)


def _spread(valid: NDArray[Any], mask: Mask) -> ArrayAndMask:
    """A column by its values that are not missing. mask: true where one is missing."""
    values = np.zeros(len(mask), valid.dtype)
    values[~mask] = valid
    return values, mask


def _values_of_valid(series: Any) -> NDArray[Any]:
    """The values of a pandas column without missing values, in their own type."""
    categories = getattr(series.dtype, "categories", None)
    if categories is None:
        return np.asarray(series.to_numpy())
    codes = series.cat.codes if hasattr(series, "cat") else series.codes
    values: NDArray[Any] = np.asarray(categories.to_numpy())[np.asarray(codes)]
    return values


def _to_numpy(series: Any) -> NDArray[Any]:
    try:
        return np.asarray(series.to_numpy())
    except ValueError:  # Arrow's to_numpy copies only with this option
        return np.asarray(series.to_numpy(zero_copy_only=False))
