"""Parquet files by pyarrow, batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from symgd.data.arrow import convert_batch, need_arrow
from symgd.data.files import File
from symgd.data.select_columns import check_names
from symgd.data.source import Block, SelectedColumn
from symgd.errors import DataError, excerpt

MAGIC = b"PAR1"

_CELLS = 1 << 17  # of a batch
_MOST_FOOTER = 1 << 28  # bytes of a string, and entries of a list, in the footer


class ParquetSource:
    """A Parquet file as a table source; page checksums are verified where it has them."""

    in_memory = False
    remarks: tuple[str, ...] = ()

    def __init__(self, file: File) -> None:
        need_arrow(file.label, "reading Parquet")
        self._file = file
        self.label = file.label
        with self._open() as parquet:
            self._rows = parquet.metadata.num_rows
            self.names = tuple(parquet.schema_arrow.names)
        check_names(self.names, self.label)

    def estimated_rows(self) -> int:
        return int(self._rows)

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        rows_before = 0
        with self._open() as parquet:
            for batch in self._batches(parquet, selected):
                block = convert_batch(batch, selected, self, rows_before, drop_missing)
                rows_before += batch.num_rows
                yield replace(block, progress=min(1.0, rows_before / max(1, self._rows)))
        self._file.check_unchanged()
        if rows_before != self._rows:
            sentence = f"the file holds {rows_before:,} rows, its description says {self._rows:,}"
            raise DataError(sentence, source=self.label, hint=_DAMAGED)

    def _batches(self, parquet: Any, selected: Sequence[SelectedColumn]) -> Iterator[Any]:
        """RecordBatches with the selected columns, in their order."""
        wanted = [self.names[column.index] for column in selected]
        rows = max(1 << 10, _CELLS // max(1, len(selected)))
        # with several threads whole columns of pages would be decoded at once
        for batch in parquet.iter_batches(rows, columns=wanted, use_threads=False):
            # a nested field may have the name of a column: `a.b`
            places = [k for k, name in enumerate(batch.schema.names) if name in set(wanted)]
            by_name = {batch.schema.names[k]: k for k in places}
            yield batch.select([by_name[name] for name in wanted])

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The file as a pyarrow ParquetFile; errors of pyarrow within are DataErrors."""
        import pyarrow as pa
        from pyarrow import parquet

        with self._file.open() as stream:
            try:
                yield parquet.ParquetFile(
                    stream,
                    buffer_size=1 << 20,
                    pre_buffer=False,  # would keep all row groups in memory
                    page_checksum_verification=True,
                    thrift_string_size_limit=_MOST_FOOTER,
                    thrift_container_size_limit=_MOST_FOOTER,
                )
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                sentence = f"the Parquet file cannot be read: {excerpt(str(error), 200)}"
                raise DataError(sentence, source=self.label, hint=_DAMAGED) from None


_DAMAGED = "it is damaged or cut off; write it again, or fetch it again"
