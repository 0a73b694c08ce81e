"""Arrow IPC files (Feather), Arrow streams and ORC files by pyarrow, batch by batch.

None of them has checksums: a truncated or inconsistent file is refused, but a flipped bit in a
number is not detected. Only the selected columns of one batch or stripe are in memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from symgd._locks import cached_property
from symgd.data.arrow import convert_batch, need_arrow
from symgd.data.files import File
from symgd.data.select_columns import check_names
from symgd.data.source import Block, SelectedColumn
from symgd.errors import DataError, excerpt

_CELLS = 1 << 17  # of a block
_DAMAGED = "it is damaged or cut off; write it again, or fetch it again"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"

Batches = Iterator[tuple[Any, float]]  # RecordBatches, each with the fraction of the file read


@dataclass(frozen=True)
class ArrowFormat:
    """How to read a file format.

    name: for messages. read_schema: an open file -> (its schema, an estimate of its rows or None).
    batches: an open file, its size and the indices of columns -> batches with at least these.
    """

    name: str
    read_schema: Callable[[Any], tuple[Any, int | None]]
    batches: Callable[[Any, int, Sequence[int]], Batches]


class ArrowFileSource:
    """An Arrow or ORC file as a table source."""

    in_memory = False

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
        if self._format is not ARROW_STREAM:
            return ()
        with self._file.open() as stream:
            stream.seek(max(0, self._file.size - len(_END_OF_STREAM)))
            if stream.read() == _END_OF_STREAM:
                return ()
        return (f"{self.label} does not end as an Arrow stream does: its last rows may be missing",)

    def estimated_rows(self) -> int:
        """An Arrow file is assumed to have batches of equal length."""
        if self._rows is not None:
            return self._rows
        return self._file.size // self._row_bytes

    def blocks(self, selected: Sequence[SelectedColumn], drop_missing: bool) -> Iterator[Block]:
        rows_before = 0
        wanted = [column.index for column in selected]
        names = [self.names[index] for index in wanted]
        rows = max(1 << 10, _CELLS // max(1, len(selected)))
        with self._open() as stream:
            batches = self._format.batches(stream, self._file.size, sorted(set(wanted)))
            for whole, progress in self._validated(batches):
                columns = whole.select(names)
                for start in range(0, max(1, columns.num_rows), rows):
                    batch = columns.slice(start, rows)
                    yield replace(
                        convert_batch(batch, selected, self, rows_before, drop_missing),
                        progress=progress,
                    )
                    rows_before += batch.num_rows
        self._file.check_unchanged()

    def _validated(self, batches: Batches) -> Batches:
        for batch, progress in batches:
            batch.validate(full=True)  # no offset may point outside the batch
            yield batch, min(1.0, progress)

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
                raise DataError(sentence, source=self.label, hint=_DAMAGED) from None


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
    rows = 0
    for k in range(file.nstripes):
        batch = file.read_stripe(k, columns=list(wanted))
        rows += batch.num_rows
        yield batch, (k + 1) / file.nstripes
    if rows != file.nrows:
        raise ValueError(f"it holds {rows:,} rows, its description says {file.nrows:,}")


ARROW_FILE = ArrowFormat("Arrow file", _file_schema, _file_batches)
ARROW_STREAM = ArrowFormat("Arrow stream", _stream_schema, _stream_batches)
ORC = ArrowFormat("ORC file", _orc_schema, _orc_batches)


def arrow_format_of(file: File, head: bytes) -> ArrowFormat | None:
    """The format of a file by its first bytes and its suffix, or None."""
    if head.startswith(b"ARROW1\0\0"):
        return ARROW_FILE
    if head.startswith(b"\xff\xff\xff\xff") or file.suffix == ".arrows":
        return ARROW_STREAM
    if file.suffix == ".orc" or (head.startswith(b"ORC") and _ends_as_orc(file)):
        return ORC
    if file.suffix in (".feather", ".arrow", ".ipc"):
        file.refuse_magic(head)
        return ARROW_FILE
    return None


def _ends_as_orc(file: File) -> bool:
    """Whether the file ends in ORC and a byte: a CSV header may begin with ORC, too."""
    with file.open() as stream:
        stream.seek(max(0, file.size - 4))
        return (stream.read(4) or b"").startswith(b"ORC")
