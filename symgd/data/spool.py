"""What a pipe held, in a temporary file without a name: it cannot outlive the process.

The operating system frees such a file when its last descriptor is closed, however the process
ends; on Windows it is deleted then.
"""

from __future__ import annotations

import io
import os
import tempfile
import weakref
from threading import Lock
from typing import Any, BinaryIO

_PIECE = 1 << 20


class Spool:
    """A copy of the rest of a stream. size: bytes. OverflowError where there are more than most."""

    def __init__(self, stream: BinaryIO, most: int) -> None:
        self._copy = tempfile.TemporaryFile(prefix="symgd-", buffering=0)  # noqa: SIM115
        weakref.finalize(self, self._copy.close)
        self._lock = Lock()
        self.size = 0
        while piece := stream.read(_PIECE):
            left = memoryview(piece)
            while left:
                left = left[self._copy.write(left) :]
            self.size += len(piece)
            if self.size > most:
                raise OverflowError

    def open(self) -> io.RawIOBase:
        """The copy from its beginning, with a position of its own."""
        return _Pass(self)

    def read_at(self, place: int, size: int) -> bytes:
        """Up to so many bytes from there. Any thread may ask, and a child process."""
        if hasattr(os, "pread"):
            return os.pread(self._copy.fileno(), size, place)
        with self._lock:  # Windows
            self._copy.seek(place)
            return self._copy.read(size)


class _Pass(io.RawIOBase):
    def __init__(self, spool: Spool) -> None:
        self._spool = spool
        self._place = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self._spool.size}
        place = origin[whence] + offset
        if place < 0:
            raise ValueError("a place before the beginning")
        self._place = place
        return place

    def readinto(self, buffer: Any, /) -> int:
        view = memoryview(buffer).cast("B")
        found = self._spool.read_at(self._place, len(view))
        view[: len(found)] = found
        self._place += len(found)
        return len(found)
