"""The kind of a file, by how it begins and by the end of its name, and the source that reads it."""

from __future__ import annotations

import os

from symgd.data.files import open_file
from symgd.data.packed import MAGIC, Unpacked, packing_of
from symgd.data.source import Source


def open_path(path: str | os.PathLike[str]) -> Source:
    """The source for the file at `path`; "-" is standard input."""
    file = open_file(path)
    with file.open() as stream:
        head = stream.read(MAGIC) or b""
    from symgd.data.parquet import MAGIC as PARQUET
    from symgd.data.parquet import ParquetSource

    if head.startswith(PARQUET) or file.suffix in (".parquet", ".pq"):
        return ParquetSource(file)
    from symgd.data.csv import CsvSource

    packing = packing_of(file, head)
    return CsvSource(file if packing is None else Unpacked(file, packing))
