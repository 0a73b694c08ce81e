"""A table source with one more column, an array in memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from symgd._numpy import np
from symgd.data.conversion import ColumnLocation, convert, remove_missing
from symgd.data.source import Array, Block, SelectedColumn, TableSource
from symgd.errors import DataError


class AddedColumn:
    """The source with a last column `name` of these values, (rows,), none of them missing."""

    def __init__(self, source: TableSource, name: str, values: Any) -> None:
        self._source = source
        location = ColumnLocation(f"the {name}", name)
        found = convert(np.asarray(values), None, location)
        self._values: Array = remove_missing([found], drop_missing=False)[0][0]
        self.names = (*source.names, name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        """Those of the source; DataError if it has another number of rows, or drops some."""
        place = len(self.names) - 1
        others = [column for column in selected if column.index != place]
        at = next((k for k, column in enumerate(selected) if column.index == place), None)
        # where only the added column is read, another one counts the rows
        counted = others or [SelectedColumn(0, self._source.names[0])]
        row, total = 0, len(self._values)
        for block in self._source.blocks(counted, drop_missing):
            rows = len(block.arrays[0])
            if block.dropped and at is not None:
                hint = "give them as a column of the data"
                raise DataError("rows are left out, and an array goes by rows", hint=hint)
            arrays = list(block.arrays) if others else []
            if at is not None:
                arrays.insert(at, self._values[row : row + rows])
            row += rows
            if row > total:
                break
            yield replace(block, arrays=arrays)
        if at is not None and row != total:
            sentence = f"the {self.names[-1]} has {total:,} numbers, the data have "
            raise DataError(f"{sentence}{'more' if row > total else f'{row:,}'} rows")
