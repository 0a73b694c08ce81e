"""A path or standard input -> a seekable file that can be read repeatedly."""

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
from symgd.errors import DataError, excerpt

_MOST_PIPE_BYTES = 1 << 34  # bytes that are copied from a pipe to a temporary file, at most

DAMAGED = "it is damaged or cut off; write it again, or fetch it again"  # the advice

#: First bytes of formats that are not text -> advice.
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
    """A data file, opened again for every pass.

    label: its name in messages. suffix: of its name, in lower case. stream: opens it. stat_file:
    returns its (bytes, time of the last change), or raises OSError.
    """

    def __init__(
        self,
        label: str,
        suffix: str,
        stream: Callable[[], io.RawIOBase],
        stat_file: Callable[[], tuple[int, int]],
    ) -> None:
        self.label = label
        self.suffix = suffix
        self._stream, self._read_state = stream, stat_file
        self._state = self._stat()
        self.size = self._state[0]

    @property
    def ends_line(self) -> bool:
        """Whether its last byte ends a line; true for an empty file."""
        return self.tail(1) in b"\r\n"

    def tail(self, size: int) -> bytes:
        """Its last bytes."""
        with self.open() as stream:
            stream.seek(max(0, self.size - size))
            return stream.read(size) or b""

    def open(self) -> io.RawIOBase:
        """The file from its beginning; DataError if it has changed since it was opened."""
        stream = self._stream()
        if self._stat() != self._state:
            stream.close()
            raise self.change_error()
        return stream

    def check_unchanged(self) -> None:
        """DataError if the file has changed since it was opened; called after every pass."""
        if self._stat() != self._state:
            raise self.change_error()

    def change_error(self) -> DataError:
        """The error about a file that has changed."""
        hint = "let nothing write to it while it is used"
        return DataError("the file changed while it was read", source=self.label, hint=hint)

    def refuse_magic(self, head: bytes) -> None:
        """DataError if the file begins like a known format that is not text."""
        for magic, advice in _MAGIC.items():
            if head.startswith(magic):
                raise self.format_error(advice)
        if head[257:262] == b"ustar" and b"\0" in head[:257]:
            raise self.format_error("it is a tar archive; unpack it first")

    def format_error(self, advice: str) -> DataError:
        """The error about a file in another format."""
        sentence = "this is no table that can be read"
        return DataError(sentence, line=1, source=self.label, hint=advice)

    def _stat(self) -> tuple[int, int]:
        try:
            return self._read_state()
        except OSError as error:
            raise read_error(self.label, error) from None


class _FileStream(io.FileIO):
    """A file whose OSErrors are DataErrors."""

    def __init__(self, path: Path, label: str) -> None:
        self._label = label
        try:
            super().__init__(path)
        except OSError as error:
            raise read_error(label, error) from None

    def read(self, size: int | None = -1, /) -> bytes:
        try:
            return super().read(size) or b""
        except OSError as error:
            raise read_error(self._label, error) from None

    def readinto(self, buffer: Any, /) -> int:
        try:
            return super().readinto(buffer) or 0
        except OSError as error:
            raise read_error(self._label, error) from None


def open_file(path: str | os.PathLike[str]) -> File:
    """The file at `path`; "-" is standard input. A pipe is first copied to a temporary file."""
    text = os.fspath(path)
    if text == "-":
        return _standard_input()
    if "\0" in text:
        raise DataError("the path holds a NUL character", source=text)
    try:
        mode = os.stat(text).st_mode
        if stat.S_ISFIFO(mode):
            with open(text, "rb") as pipe:
                return _spool_stream(pipe, text)
    except (OSError, UnicodeError) as error:
        raise read_error(text, error) from None
    if stat.S_ISDIR(mode):
        hint = "name a file in it"
        raise DataError("this is a directory, not a file", source=text, hint=hint)
    if not stat.S_ISREG(mode):
        raise DataError("this is a device, not a file", source=text)
    suffix = Path(text).suffix.lower()
    return File(text, suffix, partial(_FileStream, Path(text), text), partial(_file_state, text))


def open_stream(stream: Any) -> File:
    """The rest of an open file, binary or text, as a file."""
    name = getattr(stream, "name", None)
    label = name if isinstance(name, str) else f"the {excerpt(type(stream).__name__)}"
    try:
        content = stream.read()
    except (OSError, ValueError) as error:
        raise read_error(label, error) from None
    if not isinstance(content, (str, bytes)):
        raise DataError("its read() gives neither text nor bytes", source=label)
    data = content.encode("utf-8", "surrogateescape") if isinstance(content, str) else content
    return _spool_stream(io.BytesIO(data), label)


def _spool_stream(stream: BinaryIO, label: str) -> File:
    """A temporary copy of the rest of the stream; DataError if it is too large."""
    try:
        copy = Spool(stream, _MOST_PIPE_BYTES)
    except OverflowError:
        sentence = f"more than {_MOST_PIPE_BYTES:,} bytes came in"
        hint = "write them to a file first"
        raise DataError(sentence, source=label, hint=hint) from None
    return File(label, "", copy.open, lambda: (copy.size, 0))


def _file_state(path: str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def read_error(label: str, error: Exception) -> DataError:
    """The error about a file that the operating system cannot read."""
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
        return _spooled_input(stream, label)
    except OSError as error:
        raise read_error(label, error) from None


@lru_cache(maxsize=1)
def _spooled_input(stream: BinaryIO, label: str) -> File:
    """Standard input can be read only once: its copy is kept."""
    return _spool_stream(stream, label)
