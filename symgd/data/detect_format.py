"""The kind of a file, by how it begins and by the end of its name, and the source that reads it."""

from __future__ import annotations

import os

from symgd.data.compression import MAGIC, CompressedFile, compression_of
from symgd.data.files import open_file
from symgd.data.source import Source


def open_path(path: str | os.PathLike[str]) -> Source:
    """The source for the file at `path`; "-" is standard input."""
    file = open_file(path)
    with file.open() as stream:
        head = stream.read(MAGIC) or b""
    from symgd.data.parquet import MAGIC as PARQUET
    from symgd.data.parquet import ParquetSource

    named = file.suffix in (".parquet", ".pq")
    if named or (head.startswith(PARQUET) and not _is_text(head[len(PARQUET) :])):
        return ParquetSource(file)
    from symgd.data.arrow_files import StoredSource, kind_of

    if (kind := kind_of(file, head)) is not None:
        return StoredSource(file, kind)
    from symgd.data.csv import CsvSource

    compression = compression_of(file, head)
    return CsvSource(file if compression is None else CompressedFile(file, compression))


def _is_text(rest: bytes) -> bool:
    """Whether a header goes on like this: PAR1 may begin the name of a column, too."""
    return bool(rest) and (rest[0] in b"\t\r\n" or 32 <= rest[0] < 127)
