"""The format of a file by its first bytes and its suffix -> its table source."""

from __future__ import annotations

import os

from symgd.data.compression import MAGIC, CompressedFile, compression_of
from symgd.data.files import open_file
from symgd.data.source import TableSource


def open_path(path: str | os.PathLike[str]) -> TableSource:
    """The table source for the file at `path`; "-" is standard input."""
    file = open_file(path)
    with file.open() as stream:
        head = stream.read(MAGIC) or b""
    from symgd.data.parquet import MAGIC as PARQUET
    from symgd.data.parquet import ParquetSource

    has_suffix = file.suffix in (".parquet", ".pq")
    if has_suffix or (head.startswith(PARQUET) and not _is_text(head[len(PARQUET) :])):
        return ParquetSource(file)
    from symgd.data.arrow_files import ArrowFileSource, arrow_format_of

    if (arrow_format := arrow_format_of(file, head)) is not None:
        return ArrowFileSource(file, arrow_format)
    from symgd.data.csv import CsvSource

    compression = compression_of(file, head)
    return CsvSource(file if compression is None else CompressedFile(file, compression))


def _is_text(rest: bytes) -> bool:
    """Whether a CSV header may continue like this: PAR1 may begin a column name, too."""
    return bool(rest) and (rest[0] in b"\t\r\n" or 32 <= rest[0] < 127)
