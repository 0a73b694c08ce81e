"""Arrow IPC files (Feather), Arrow streams and ORC files by pyarrow, batch by batch.

None of them has checksums: what is cut off or makes no sense is refused, but a flipped bit of a
number is another number. No more is in memory than the wanted columns of one batch, or stripe, as
they were written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from symgd._locks import cached_property
from symgd.data.arrow import need_arrow, settle_batch
from symgd.data.files import File
from symgd.data.select_columns import check_names
from symgd.data.source import Block, Pick
from symgd.errors import DataError, excerpt

_CELLS = 1 << 17  # of a block
_DAMAGED = "it is damaged or cut off; write it again, or fetch it again"
_END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"

Batches = Iterator[tuple[Any, float]]  # RecordBatches, each with how much of the file is read


@dataclass(frozen=True)
class Kind:
    """How files of a kind are read.

    name: for messages. look: an open file -> (its schema, about how many rows it has, None for
    unknown). batches: an open file, its size and the wanted columns' numbers -> batches that have
    these columns, maybe others.
    """

    name: str
    look: Callable[[Any], tuple[Any, int | None]]
    batches: Callable[[Any, int, Sequence[int]], Batches]


class StoredSource:
    """A file of one of the kinds."""

    in_memory = False

    def __init__(self, file: File, kind: Kind) -> None:
        need_arrow(file.label, f"reading {kind.name}s")
        self._file = file
        self._kind = kind
        self.label = file.label
        with self._opened() as stream:
            schema, self._rows = kind.look(stream)
            self.names = tuple(schema.names)
            self._row_bytes = max(1, sum(map(_width, schema.types)))
        check_names(self.names, self.label)

    @cached_property
    def remarks(self) -> tuple[str, ...]:
        """What may be missing: a stream needs no end, and one cut between batches has none."""
        if self._kind is not ARROW_STREAM:
            return ()
        with self._file.open() as stream:
            stream.seek(max(0, self._file.size - len(_END_OF_STREAM)))
            if stream.read() == _END_OF_STREAM:
                return ()
        return (f"{self.label} does not end as an Arrow stream does: its last rows may be missing",)

    def about(self) -> int:
        """Of an Arrow file: if all batches are as long as the first."""
        if self._rows is not None:
            return self._rows
        return self._file.size // self._row_bytes

    def blocks(self, picks: Sequence[Pick], drop: bool) -> Iterator[Block]:
        before = 0
        wanted = [pick.index for pick in picks]
        names = [self.names[index] for index in wanted]
        rows = max(1 << 10, _CELLS // max(1, len(picks)))
        with self._opened() as stream:
            found = self._kind.batches(stream, self._file.size, sorted(set(wanted)))
            for whole, done in self._checked(found):
                columns = whole.select(names)
                for start in range(0, max(1, columns.num_rows), rows):
                    batch = columns.slice(start, rows)
                    yield replace(settle_batch(batch, picks, self, before, drop), done=done)
                    before += batch.num_rows
        self._file.confirm()

    def _checked(self, batches: Batches) -> Batches:
        for batch, done in batches:
            batch.validate(full=True)  # nothing outside of a batch is ever looked at
            yield batch, min(1.0, done)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        """The open file; what pyarrow says of a damaged one is a DataError."""
        import pyarrow as pa

        with self._file.open() as stream:
            try:
                yield stream
            except DataError:
                raise
            except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
                self._file.confirm()
                reason = excerpt(str(error) or type(error).__name__, 200)
                sentence = f"the {self._kind.name} cannot be read: {reason}"
                raise DataError(sentence, source=self.label, hint=_DAMAGED) from None


def _width(kind: Any) -> int:
    """Bytes of a cell, at least."""
    try:
        return max(1, int(kind.bit_width) // 8)
    except ValueError:  # texts and lists, of any length
        return 4


def _look_at_file(stream: Any) -> tuple[Any, int | None]:
    schema = _file_reader(stream, []).schema  # none: of all
    reader = _file_reader(stream, [0][: len(schema)])
    count = reader.num_record_batches
    return schema, reader.get_batch(0).num_rows * count if count else 0


def _batches_of_file(stream: Any, size: int, wanted: Sequence[int]) -> Batches:
    reader = _file_reader(stream, wanted)
    for k in range(reader.num_record_batches):
        yield reader.get_batch(k), (k + 1) / reader.num_record_batches


def _file_reader(stream: Any, wanted: Sequence[int]) -> Any:
    from pyarrow import ipc

    options = ipc.IpcReadOptions(included_fields=list(wanted), use_threads=False)
    return ipc.open_file(stream, options=options)


def _look_at_stream(stream: Any) -> tuple[Any, int | None]:
    from pyarrow import ipc

    return ipc.open_stream(stream).schema, None


def _batches_of_stream(stream: Any, size: int, wanted: Sequence[int]) -> Batches:
    from pyarrow import ipc

    options = ipc.IpcReadOptions(included_fields=list(wanted), use_threads=False)
    for batch in ipc.open_stream(stream, options=options):
        yield batch, stream.tell() / max(1, size)


def _look_at_orc(stream: Any) -> tuple[Any, int | None]:
    from pyarrow import orc

    file = orc.ORCFile(stream)
    return file.schema, file.nrows


def _batches_of_orc(stream: Any, size: int, wanted: Sequence[int]) -> Batches:
    from pyarrow import orc

    file = orc.ORCFile(stream)
    rows = 0
    for k in range(file.nstripes):
        batch = file.read_stripe(k, columns=list(wanted))
        rows += batch.num_rows
        yield batch, (k + 1) / file.nstripes
    if rows != file.nrows:
        raise ValueError(f"it holds {rows:,} rows, its description says {file.nrows:,}")


ARROW_FILE = Kind("Arrow file", _look_at_file, _batches_of_file)
ARROW_STREAM = Kind("Arrow stream", _look_at_stream, _batches_of_stream)
ORC = Kind("ORC file", _look_at_orc, _batches_of_orc)


def kind_of(file: File, head: bytes) -> Kind | None:
    """The kind of a file that begins like this and is called so, or None."""
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
    """Whether the file ends in ORC and one byte: its beginning may be that of a column's name."""
    with file.open() as stream:
        stream.seek(max(0, file.size - 4))
        return (stream.read(4) or b"").startswith(b"ORC")
