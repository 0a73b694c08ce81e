"""Conversion of Arrow arrays to floats, and pyarrow Tables as table sources."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from symgd._numpy import NDArray, np
from symgd.data.conversion import ColumnLocation, Mask, MaskedColumn, convert, remove_missing
from symgd.data.labels import Labels
from symgd.data.parse_cell import is_missing
from symgd.data.select_columns import check_names
from symgd.data.source import Block, SelectedColumn, TableSource
from symgd.errors import DataError, excerpt, import_problem

_HINT = "convert it to numbers"


def need_arrow(label: str, what: str) -> None:
    """Import pyarrow, or raise DataError. what: the purpose, for the message."""
    if problem := import_problem("pyarrow", '"symgd[data]"'):
        raise DataError(f"{what} needs pyarrow{problem}", source=label)


def convert_arrow(
    array: Any, location: ColumnLocation, labels: Labels | None = None
) -> MaskedColumn:
    """A pyarrow Array as floats, exactly; nulls are missing. labels: of one of texts."""
    import pyarrow as pa

    dtype = array.type
    if labels is not None:
        texts = dtype.value_type if pa.types.is_dictionary(dtype) else dtype
        if labels.categories and str(texts) not in ("string", "large_string", "string_view"):
            sentence = f"the type of a column of categories is text here, not {excerpt(str(dtype))}"
            raise location.column_error(sentence)
        return MaskedColumn(*text_numbers(array, labels), location)
    if pa.types.is_dictionary(dtype):
        return convert_arrow(array.dictionary_decode(), location)
    if pa.types.is_run_end_encoded(dtype):
        from pyarrow.compute import run_end_decode

        return convert_arrow(run_end_decode(array), location)
    if pa.types.is_null(dtype):
        return MaskedColumn(np.zeros(len(array)), np.ones(len(array), bool), location)
    missing = null_mask(array)
    if pa.types.is_decimal(dtype):
        return convert(np.array(array.to_pylist(), object), missing, location)
    if str(dtype) not in _TYPES:
        raise _not_numeric(array, location)
    return convert(numpy_values(array), missing, location)


def text_numbers(array: Any, labels: Labels) -> tuple[NDArray[np.float64], Mask | None]:
    """The numbers of the texts of an Array, (rows,), and where they are missing."""
    import pyarrow as pa

    if not pa.types.is_dictionary(array.type):
        array = array.cast(pa.string()).dictionary_encode()
    texts = [(text or "").strip(" \t") for text in array.dictionary.to_pylist()]
    places, missing = numpy_values(array.indices), null_mask(array.indices)
    places = places if missing is None else np.where(missing, 0, places)
    used = np.zeros(max(1, len(texts)), bool)  # a dictionary may hold more than there is
    used[places if missing is None else places[~missing]] = True
    numbers, empty = np.zeros(len(used)), np.ones(len(used), bool)
    wanted = [k for k, text in enumerate(texts) if used[k] and not is_missing(text)]
    numbers[wanted], empty[wanted] = labels.numbers([texts[k] for k in wanted]), False
    blank = empty[places] if missing is None else missing | empty[places]
    return numbers[places], blank if blank.any() else None


#: Arrow's numeric types -> NumPy's.
_TYPES = {"double": "f8", "float": "f4", "halffloat": "f2", "bool": "?"} | {
    f"{sign}int{8 * size}": f"{sign or 'i'}{size}" for sign in ("", "u") for size in (1, 2, 4, 8)
}


def numpy_values(array: Any) -> NDArray[Any]:
    """The numbers of an Array, (rows,), arbitrary at its nulls, without a copy.

    It reads the buffers, because to_numpy imports pandas where it is installed: 30 MB and 0.4 s.
    """
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros(len(array), _TYPES[str(array.type)])
    if str(array.type) == "bool":
        return _bits(data, array.offset, len(array))
    start, stop = array.offset, array.offset + len(array)
    return np.frombuffer(data, _TYPES[str(array.type)])[start:stop]


def null_mask(array: Any) -> Mask | None:
    """(rows,) bool, true where the Array is null; None if it has no nulls."""
    if not array.null_count:
        return None
    return ~_bits(array.buffers()[0], array.offset, len(array))


def _bits(data: Any, offset: int, length: int) -> Mask:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=offset + length)
    return bits[offset:].view(np.bool_)


def _not_numeric(array: Any, location: ColumnLocation) -> DataError:
    """The error about a column of text, times, lists, ..."""
    index = next((k for k in range(len(array)) if array[k].is_valid), 0)
    shown = excerpt(str(array[index])) if len(array) else ""
    sentence = f"'{shown}' is not a number: the column's type is {excerpt(str(array.type))}"
    return location.row_error(index, sentence, _HINT, shown)


def convert_batches(
    batches: Iterable[tuple[Any, float]],
    selected: Sequence[SelectedColumn],
    source: TableSource,
    drop_missing: bool,
) -> Iterator[Block]:
    """The blocks of RecordBatches, each with the fraction of the source that is read.

    Their columns are the selected ones in their order.
    """
    rows_before = 0
    names = [source.names[column.index] for column in selected]
    for batch, progress in batches:
        columns = [
            convert_arrow(array, ColumnLocation(source.label, name, rows_before), one.labels)
            for array, name, one in zip(batch.columns, names, selected, strict=True)
        ]
        arrays, dropped = remove_missing(columns, drop_missing)
        yield Block(arrays, dropped, min(1.0, progress))
        rows_before += batch.num_rows


class ArrowSource:
    """A pyarrow Table as a table source."""

    in_memory = True
    decimal_comma = None
    remarks: tuple[str, ...] = ()

    def __init__(self, table: Any, label: str) -> None:
        self._table = table
        self.label = label
        self.names = tuple(table.column_names)
        check_names(self.names, label)

    def estimated_rows(self) -> int:
        return int(self._table.num_rows)

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        chosen = self._table.select([column.index for column in selected])
        batches = ((batch, 1.0) for batch in chosen.to_batches())
        return convert_batches(batches, selected, self, drop_missing)
