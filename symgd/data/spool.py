"""The content of a pipe in an anonymous temporary file, which cannot outlive the process.

The operating system frees the file when its last descriptor is closed, however the process ends;
on Windows it deletes it then.
"""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from threading import Lock
from typing import Any, BinaryIO

_CHUNK = 1 << 20


class Spool:
    """A copy of the rest of a stream. size: bytes; OverflowError if it exceeds `limit`."""

    def __init__(self, stream: BinaryIO, limit: int) -> None:
        self._copy = tempfile.TemporaryFile(prefix="symgd-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._copy.close)
        self._lock = Lock()
        self.size = 0
        while chunk := stream.read(_CHUNK):
            remaining = memoryview(chunk)
            while remaining:
                remaining = remaining[self._copy.write(remaining) :]
            self.size += len(chunk)
            if self.size > limit:
                raise OverflowError

    def open(self) -> io.RawIOBase:
        """A stream over the copy, with its own position."""
        return _SpoolReader(self)

    def read_at(self, position: int, size: int) -> bytes:
        """Up to `size` bytes at `position`; safe for threads and child processes."""
        if hasattr(os, "pread"):
            return os.pread(self._copy.fileno(), size, position)
        with self._lock:  # Windows
            self._copy.seek(position)
            return self._copy.read(size)


class _SpoolReader(io.RawIOBase):
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._spool.size}
        position = origin[whence] + offset
        if position < 0:
            raise ValueError("a place before the beginning")
        self._position = position
        return position

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        data = self._spool.read_at(self._position, len(view))
        view[: len(data)] = data
        self._position += len(data)
        return len(data)
