"""The table source for any object, by its type; for a file, by its first bytes and its suffix."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from symgd.data.compression import MAGIC, CompressedFile, compression_of
from symgd.data.files import File, open_file, open_stream
from symgd.data.select_columns import check_names, refuse_names
from symgd.data.source import TableSource

if TYPE_CHECKING:
    from symgd.data.arrow_files import ArrowFormat


def open_source(source: Any, names: Sequence[str] | None = None) -> TableSource:
    """A table source, whose `names` are known and whose rows are not yet read.

    source, names: as for `read_table`, which accepts the result, too.
    """
    if names is not None:
        check_names(names, "the names of the columns")
    if hasattr(source, "blocks") and hasattr(source, "estimated_rows"):
        opened: TableSource = source
        return opened
    if not isinstance(source, (str, os.PathLike)) and not hasattr(source, "read"):
        from symgd.data.in_memory import open_object

        return open_object(source, names)
    file = open_stream(source) if hasattr(source, "read") else open_file(source)
    with file.open() as stream:
        head = stream.read(MAGIC) or b""
    if (arrow_format := _arrow_format(file, head)) is not None:
        refuse_names(names, file.label)
        from symgd.data.arrow_files import ArrowFileSource

        return ArrowFileSource(file, arrow_format)
    from symgd.data.csv import CsvSource

    compression = compression_of(file, head)
    return CsvSource(file if compression is None else CompressedFile(file, compression), names)


def _arrow_format(file: File, head: bytes) -> ArrowFormat | None:
    """The format of a file that pyarrow reads, or None. A CSV header may begin with PAR1 or ORC."""
    from symgd.data.arrow_files import ARROW_FILE, ARROW_STREAM, ORC, PARQUET

    is_parquet = head.startswith(b"PAR1") and not (head[4:] and _is_text(head[4]))
    if file.suffix in (".parquet", ".pq") or is_parquet:
        return PARQUET
    if head.startswith(b"ARROW1\0\0"):
        return ARROW_FILE
    if head.startswith(b"\xff\xff\xff\xff") or file.suffix == ".arrows":
        return ARROW_STREAM
    if file.suffix == ".orc" or (head.startswith(b"ORC") and file.tail(4).startswith(b"ORC")):
        return ORC
    if file.suffix in (".feather", ".arrow", ".ipc"):
        file.refuse_magic(head)
        return ARROW_FILE
    return None


def _is_text(byte: int) -> bool:
    return byte in b"\t\r\n" or 32 <= byte < 127
