"""Arrow arrays -> floats; pyarrow's tables, and what gives itself as one, as sources."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from symgd.data.bind import check_names
from symgd.data.numbers import Column, Place, convert, settle
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
    missing = np.asarray(array.is_null()) if array.null_count else None
    if pa.types.is_null(kind):
        return Column(np.zeros(len(array)), np.ones(len(array), bool), place)
    if pa.types.is_float32(kind) or pa.types.is_float64(kind):
        return Column(array.to_numpy(zero_copy_only=False), missing, place)
    if pa.types.is_decimal(kind):
        values = np.array([float(v) for v in array.fill_null(0).to_pylist()], np.float64)
        return Column(values, missing, place)
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_float16(kind):
        filled = array if missing is None else array.fill_null(False if kind == "bool" else 0)
        return convert(filled.to_numpy(zero_copy_only=False), missing, place)
    raise _no_number(array, place)


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
