"""Arrow arrays -> floats; pyarrow's tables, and what gives itself as one, as sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symgd.data.conversion import Column, Mask, Place, convert, settle
from symgd.data.select_columns import check_names
from symgd.data.source import Block, Pick
from symgd.errors import DataError, excerpt

_WHAT = "convert it to numbers"


def need_arrow(label: str, what: str) -> None:
    """Import pyarrow, or say how to get it. what: for what it is needed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        hint = 'install it with: pip install "symgd[data]"'
        raise DataError(f"{what} needs pyarrow", source=label, hint=hint) from None


def convert_arrow(array: Any, place: Place) -> Column:
    """A pyarrow Array as floats, no number changed; nulls are missing."""
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind):
        return convert_arrow(array.dictionary_decode(), place)
    if pa.types.is_run_end_encoded(kind):
        from pyarrow.compute import run_end_decode

        return convert_arrow(run_end_decode(array), place)
    if pa.types.is_null(kind):
        return Column(np.zeros(len(array)), np.ones(len(array), bool), place)
    missing = missing_in(array)
    if pa.types.is_decimal(kind):
        floats = [0.0 if value is None else float(value) for value in array.to_pylist()]
        return Column(np.array(floats, np.float64), missing, place)
    if str(kind) not in _TYPES:
        raise _no_number(array, place)
    return convert(values_of(array), missing, place)


#: Arrow's types of numbers -> NumPy's.
_TYPES = {"double": "f8", "float": "f4", "halffloat": "f2", "bool": "?"} | {
    f"{sign}int{8 * size}": f"{sign or 'i'}{size}" for sign in ("", "u") for size in (1, 2, 4, 8)
}


def values_of(array: Any) -> NDArray[Any]:
    """The numbers of an Array, anything at its nulls, without a copy.

    By its buffers: to_numpy would import pandas wherever it is installed, 30 MB and 0.4 s.
    """
    data = array.buffers()[1]
    if data is None or not len(array):
        return np.zeros(len(array), _TYPES[str(array.type)])
    if str(array.type) == "bool":
        return _bits(data, array.offset, len(array))
    start, stop = array.offset, array.offset + len(array)
    return np.frombuffer(data, _TYPES[str(array.type)])[start:stop]


def missing_in(array: Any) -> Mask | None:
    """(rows,) bool, true where the Array is null; None where it nowhere is."""
    if not array.null_count:
        return None
    return ~_bits(array.buffers()[0], array.offset, len(array))


def _bits(data: Any, offset: int, length: int) -> Mask:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little", count=offset + length)
    return bits[offset:].view(np.bool_)


def _no_number(array: Any, place: Place) -> DataError:
    """The error about a column of text, times, lists, ..."""
    index = next((k for k in range(len(array)) if array[k].is_valid), 0)
    shown = excerpt(str(array[index])) if len(array) else ""
    sentence = f"'{shown}' is not a number: the column's type is {excerpt(str(array.type))}"
    return place.error(index, sentence, _WHAT, shown)


def settle_batch(batch: Any, picks: Sequence[Pick], source: Any, before: int, drop: bool) -> Block:
    """The wanted columns of a RecordBatch. batch: its columns are the picks', in their order."""
    columns = [
        convert_arrow(array, Place(source.label, source.names[pick.index], before))
        for array, pick in zip(batch.columns, picks, strict=True)
    ]
    arrays, dropped = settle(columns, drop)
    return Block(arrays, dropped, 1.0)


class ArrowSource:
    """A pyarrow Table."""

    in_memory = True
    remarks: tuple[str, ...] = ()

    def __init__(self, table: Any, label: str) -> None:
        self._table = table
        self.label = label
        self.names = tuple(table.column_names)
        check_names(self.names, label)

    def about(self) -> int:
        return int(self._table.num_rows)

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        before = 0
        chosen = self._table.select([pick.index for pick in picks])
        for batch in chosen.to_batches():
            yield settle_batch(batch, picks, self, before, drop)
            before += batch.num_rows
