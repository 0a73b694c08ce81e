"""Parquet, Arrow IPC (Feather), Arrow stream and ORC files by pyarrow, batch by batch.

Only Parquet has checksums, of its pages, which are verified where they are: another file that is
truncated or inconsistent is refused, but a flipped bit in a number is not detected. Only the
selected columns of one batch or stripe are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from symgd._locks import cached_property
from symgd.data.arrow import convert_batches, need_arrow
from symgd.data.files import DAMAGED, File
from symgd.data.select_columns import check_names
from symgd.data.source import Block, SelectedColumn
from symgd.errors import DataError, excerpt

_CELLS = 1 << 17  # of a block
_MOST_FOOTER = 1 << 28  # bytes of a string, and entries of a list, in the footer of Parquet

Batches = Iterator[tuple[Any, float]]  # RecordBatches, each with the fraction of the file read


@dataclass(frozen=True)
class ArrowFormat:
    """How to read a file format.

    name: for messages. read_schema: an open file -> (its schema, an estimate of its rows or None).
    batches: an open file, its size and the indices of columns -> batches with at least these.
    end: the last bytes of a complete file, if it may lack them.
    """

    name: str
    read_schema: Callable[[Any], tuple[Any, int | None]]
    batches: Callable[[Any, int, Sequence[int]], Batches]
    end: bytes = b""


class ArrowFileSource:
    """A file in one of these formats as a table source."""

    in_memory = False
    decimal_comma = None

    def __init__(self, file: File, arrow_format: ArrowFormat) -> None:
        need_arrow(file.label, f"reading {arrow_format.name}s")
        self._file = file
        self._format = arrow_format
        self.label = file.label
        with self._open() as stream:
            schema, self._rows = arrow_format.read_schema(stream)
            self.names = tuple(schema.names)
            self._row_bytes = max(1, sum(map(_cell_bytes, schema.types)))
        check_names(self.names, self.label)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """A warning for a stream without the optional end marker, which may be truncated."""
        if self._file.tail(len(self._format.end)) == self._format.end:
            return ()
        return (f"{self.label} does not end as an Arrow stream does: its last rows may be missing",)

    def estimated_rows(self) -> int:
        """An Arrow file is assumed to have batches of equal length."""
        return self._file.size // self._row_bytes if self._rows is None else self._rows

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        indices = [column.index for column in selected]
        names = [self.names[index] for index in indices]
        with self._open() as stream:
            batches = self._format.batches(stream, self._file.size, sorted(set(indices)))
            yield from convert_batches(_slices(batches, names), selected, self, drop_missing)
        self._file.check_unchanged()

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The open file; errors of pyarrow within are DataErrors."""
        import pyarrow as pa

        with self._file.open() as stream:
            try:
                yield stream
            except DataError:
                raise
            except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
                self._file.check_unchanged()
                reason = excerpt(str(error) or type(error).__name__, 200)
                sentence = f"the {self._format.name} cannot be read: {reason}"
                raise DataError(sentence, source=self.label, hint=DAMAGED) from None


def _slices(batches: Batches, names: Sequence[str]) -> Batches:
    """The columns of these names, some rows at a time."""
    rows = max(1 << 10, _CELLS // max(1, len(names)))
    for batch, progress in batches:
        batch.validate(full=True)  # no offset may point outside the batch
        columns = batch.select(names)
        for start in range(0, max(1, columns.num_rows), rows):
            yield columns.slice(start, rows), progress


def _cell_bytes(dtype: Any) -> int:
    """A lower bound of the bytes of a cell."""
    try:
        return max(1, int(dtype.bit_width) // 8)
    except ValueError:  # variable length
        return 4


def _file_schema(stream: Any) -> tuple[Any, int | None]:
    schema = _file_reader(stream, []).schema  # of all columns
    reader = _file_reader(stream, [0][: len(schema)])
    count = reader.num_record_batches
    return schema, reader.get_batch(0).num_rows * count if count else 0


def _file_batches(stream: Any, size: int, wanted: Sequence[int]) -> Batches:
    reader = _file_reader(stream, wanted)
    for k in range(reader.num_record_batches):
        yield reader.get_batch(k), (k + 1) / reader.num_record_batches


def _file_reader(stream: Any, wanted: Sequence[int]) -> Any:
    from pyarrow import ipc

    options = ipc.IpcReadOptions(included_fields=list(wanted), use_threads=False)
    return ipc.open_file(stream, options=options)


def _stream_schema(stream: Any) -> tuple[Any, int | None]:
    from pyarrow import ipc

    return ipc.open_stream(stream).schema, None


def _stream_batches(stream: Any, size: int, wanted: Sequence[int]) -> Batches:
    from pyarrow import ipc

    options = ipc.IpcReadOptions(included_fields=list(wanted), use_threads=False)
    for batch in ipc.open_stream(stream, options=options):
        yield batch, stream.tell() / max(1, size)


def _orc_schema(stream: Any) -> tuple[Any, int | None]:
    from pyarrow import orc

    file = orc.ORCFile(stream)
    return file.schema, file.nrows


def _orc_batches(stream: Any, size: int, wanted: Sequence[int]) -> Batches:
    from pyarrow import orc

    file = orc.ORCFile(stream)
    stripes = (file.read_stripe(k, columns=list(wanted)) for k in range(file.nstripes))
    return _counted(stripes, file.nrows)


def _parquet_schema(stream: Any) -> tuple[Any, int | None]:
    file = _parquet_file(stream)
    return file.schema_arrow, file.metadata.num_rows


def _parquet_batches(stream: Any, size: int, wanted: Sequence[int]) -> Batches:
    file = _parquet_file(stream)
    names = [file.schema_arrow.names[index] for index in wanted]
    rows = max(1 << 10, _CELLS // max(1, len(wanted)))
    # with several threads whole columns of pages would be decoded at once
    batches = file.iter_batches(rows, columns=names, use_threads=False)
    return _counted(batches, file.metadata.num_rows)


def _parquet_file(stream: Any) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(
        stream,
        buffer_size=1 << 20,
        pre_buffer=False,  # would keep all row groups in memory
        page_checksum_verification=True,
        thrift_string_size_limit=_MOST_FOOTER,
        thrift_container_size_limit=_MOST_FOOTER,
    )


def _counted(batches: Iterable[Any], rows: int) -> Batches:
    """The batches of a file that tells the number of its rows, which is checked."""
    rows_read = 0
    for batch in batches:
        rows_read += batch.num_rows
        yield batch, rows_read / max(1, rows)
    if rows_read != rows:
        raise ValueError(f"it holds {rows_read:,} rows, its description says {rows:,}")


ARROW_FILE = ArrowFormat("Arrow file", _file_schema, _file_batches)
ARROW_STREAM = ArrowFormat(
    "Arrow stream", _stream_schema, _stream_batches, end=b"\xff\xff\xff\xff\0\0\0\0"
)
ORC = ArrowFormat("ORC file", _orc_schema, _orc_batches)
PARQUET = ArrowFormat("Parquet file", _parquet_schema, _parquet_batches)
