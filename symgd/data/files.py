"""A path or standard input -> a file that can be read from any place, as often as wanted."""

from __future__ import annotations

import io
import os
import stat
import sys
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO

from symgd.data.spool import Spool
from symgd.errors import DataError

_MOST_INPUT = 1 << 34  # bytes that are taken from a pipe: they are kept in a temporary file

# First bytes of formats that are no text, and what to do about them.
_MAGIC: dict[bytes, str] = {
    b"\x28\xb5\x2f\xfd": "it is compressed with zstd; unpack it, or compress it with gzip",
    b"PK\x03\x04": "it is a ZIP archive or a spreadsheet; save it as CSV",
    b"\xd0\xcf\x11\xe0": "it is an old spreadsheet; save it as CSV",
    b"\x89HDF": "it is an HDF5 file; save it as CSV or Parquet",
    b"FEA1": "it is a Feather file of version 1; save it as version 2 or Parquet",
    b"\x93NUMPY": "it is a NumPy array; save it as CSV with the columns' names",
    b"Obj\x01": "it is an Avro file; save it as Parquet",
    b'{"': "it is JSON; save the table as CSV",
    b"[{": "it is JSON; save the table as CSV",
    b"SQLite format 3": "it is a database; save the table as CSV",
    b"%PDF": "it is a PDF; save the table as CSV",
}


class File:
    """A file with data, opened anew for every pass.

    label: how messages call it. suffix: of its name, in lower case. stream: opens it at its
    beginning. look: its (bytes, time of the last change), OSError where it is gone.
    """

    def __init__(
        self,
        label: str,
        suffix: str,
        stream: Callable[[], io.RawIOBase],
        look: Callable[[], tuple[int, int]],
    ) -> None:
        self.label = label
        self.suffix = suffix
        self._stream, self._state_now = stream, look
        self._state = self._look()
        self.size = self._state[0]

    @property
    def ends_line(self) -> bool:
        """Whether its last byte is the end of a line; so is an empty file."""
        with self.open() as stream:
            stream.seek(max(0, self.size - 1))
            return (stream.read(1) or b"\n") in b"\r\n"

    def open(self) -> io.RawIOBase:
        """The file from its beginning; DataError where it is not what it was at first."""
        stream = self._stream()
        if self._look() != self._state:
            stream.close()
            raise self.changed()
        return stream

    def confirm(self) -> None:
        """DataError where the file is not what it was at first: after every pass."""
        if self._look() != self._state:
            raise self.changed()

    def changed(self) -> DataError:
        """The error about a file that is another than at first."""
        hint = "let nothing write to it while it is used"
        return DataError("the file changed while it was read", source=self.label, hint=hint)

    def refuse_magic(self, head: bytes) -> None:
        """Refuse what begins like a file of a known other kind."""
        for magic, advice in _MAGIC.items():
            if head.startswith(magic):
                raise self.refused(advice)
        if head[257:262] == b"ustar" and b"\0" in head[:257]:
            raise self.refused("it is a tar archive; unpack it first")

    def refused(self, advice: str) -> DataError:
        """The error about what is no table."""
        sentence = "this is no table that can be read"
        return DataError(sentence, line=1, source=self.label, hint=advice)

    def _look(self) -> tuple[int, int]:
        try:
            return self._state_now()
        except OSError as error:
            raise unreadable(self.label, error) from None


class _Stream(io.FileIO):
    """A file whose failures are `DataError`s, wherever it is read."""

    def __init__(self, path: Path, label: str) -> None:
        self._label = label
        try:
            super().__init__(path)
        except OSError as error:
            raise unreadable(label, error) from None

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size) or b""
        except OSError as error:
            raise unreadable(self._label, error) from None

    def readinto(self, buffer: Any, /) -> int:
        try:
            return super().readinto(buffer) or 0
        except OSError as error:
            raise unreadable(self._label, error) from None


def open_file(path: str | os.PathLike[str]) -> File:
    """The file at `path`; "-" is standard input. A pipe is first copied to a temporary file."""
    text = os.fspath(path)
    if text == "-":
        return _standard_input()
    if "\0" in text:
        raise DataError("the path holds a NUL character", source=text)
    try:
        mode = os.stat(text).st_mode
    except (OSError, UnicodeError) as error:
        raise unreadable(text, error) from None
    if stat.S_ISDIR(mode):
        hint = "name a file in it"
        raise DataError("this is a directory, not a file", source=text, hint=hint)
    if stat.S_ISFIFO(mode):
        try:
            with open(text, "rb") as pipe:
                return spooled(pipe, text)
        except OSError as error:
            raise unreadable(text, error) from None
    if not stat.S_ISREG(mode):
        raise DataError("this is a device, not a file", source=text)
    suffix = Path(text).suffix.lower()
    return File(text, suffix, partial(_Stream, Path(text), text), partial(_state, text))


def spooled(stream: BinaryIO, label: str) -> File:
    """The rest of the stream, kept while it is used; DataError where there is too much of it."""
    try:
        copy = Spool(stream, _MOST_INPUT)
    except OverflowError:
        sentence = f"more than {_MOST_INPUT:,} bytes came in"
        hint = "write them to a file first"
        raise DataError(sentence, source=label, hint=hint) from None
    return File(label, "", copy.open, lambda: (copy.size, 0))


def _state(path: str) -> tuple[int, int]:
    found = os.stat(path)
    return found.st_size, found.st_mtime_ns


def unreadable(label: str, error: Exception) -> DataError:
    """The error about a file that the system does not give."""
    if isinstance(error, FileNotFoundError):
        return DataError("there is no such file", source=label)
    reason = error.strerror if isinstance(error, OSError) else ""
    return DataError(f"the file cannot be read: {reason or type(error).__name__}", source=label)


def _standard_input() -> File:
    label = "standard input"
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:
        raise DataError("there is none", source=label)
    try:
        return _taken(stream, label)
    except OSError as error:
        raise unreadable(label, error) from None


@lru_cache(maxsize=1)
def _taken(stream: BinaryIO, label: str) -> File:
    """What comes in by standard input comes once, and may be asked for again."""
    return spooled(stream, label)
