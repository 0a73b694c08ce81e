"""Parquet files, streamed: no more than some row groups' pages are in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from symgd.data.arrow import need_arrow, settle_batch
from symgd.data.files import File
from symgd.data.select_columns import check_names
from symgd.data.source import Block, Pick
from symgd.errors import DataError, excerpt

MAGIC = b"PAR1"

_CELLS = 1 << 17  # of a batch
_MOST_FOOTER = 1 << 28  # bytes of a string in the file's description, and its lists' entries


class ParquetSource:
    """A Parquet file. Checksums of its pages are verified where it has them."""

    in_memory = False
    remarks: tuple[str, ...] = ()

    def __init__(self, file: File) -> None:
        need_arrow(file.label, "reading Parquet")
        self._file = file
        self.label = file.label
        with self._opened() as parquet:
            self._rows = parquet.metadata.num_rows
            self.names = tuple(parquet.schema_arrow.names)
        check_names(self.names, self.label)

    def about(self) -> int:
        return int(self._rows)

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        before = 0
        with self._opened() as parquet:
            for batch in self._batches(parquet, picks):
                block = settle_batch(batch, picks, self, before, drop)
                before += batch.num_rows
                yield replace(block, done=min(1.0, before / max(1, self._rows)))
        self._file.confirm()
        if before != self._rows:
            sentence = f"the file holds {before:,} rows, its description says {self._rows:,}"
            raise DataError(sentence, source=self.label, hint=_DAMAGED)

    def _batches(self, parquet: Any, picks: Sequence[Pick]) -> Iterator[Any]:
        """RecordBatches whose columns are those of the picks, in their order."""
        wanted = [self.names[pick.index] for pick in picks]
        rows = max(1 << 10, _CELLS // max(1, len(picks)))
        # one thread: with more, whole columns of pages are decoded at once
        for batch in parquet.iter_batches(rows, columns=wanted, use_threads=False):
            # A name of a nested field reads like that of a column: `a.b`.
            places = [k for k, name in enumerate(batch.schema.names) if name in set(wanted)]
            by_name = {batch.schema.names[k]: k for k in places}
            yield batch.select([by_name[name] for name in wanted])

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The file as pyarrow's ParquetFile; what pyarrow says of a damaged one is a DataError."""
        import pyarrow as pa
        from pyarrow import parquet

        with self._file.open() as stream:
            try:
                yield parquet.ParquetFile(
                    stream,
                    buffer_size=1 << 20,
                    pre_buffer=False,  # it would keep all row groups in memory until the end
                    page_checksum_verification=True,
                    thrift_string_size_limit=_MOST_FOOTER,
                    thrift_container_size_limit=_MOST_FOOTER,
                )
            except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
                sentence = f"the Parquet file cannot be read: {excerpt(str(error), 200)}"
                raise DataError(sentence, source=self.label, hint=_DAMAGED) from None


_DAMAGED = "it is damaged or cut off; write it again, or fetch it again"
