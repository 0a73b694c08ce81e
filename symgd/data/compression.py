"""Files compressed with gzip, bzip2 or xz, unpacked while they are read, never on disk.

By the standard library: pyarrow's streams unpack by the same code at the same speed, without xz.
Archives of several parts, one behind the other, are one file; zeros behind the last part are
padding. Checksums are those of the formats, and they are verified.
"""

from __future__ import annotations

import bz2
import io
import lzma
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Protocol

from symgd.data.files import File
from symgd.errors import DataError, excerpt

_PIECE = 1 << 16  # bytes that are read from the archive at a time
_MOST = 1 << 20  # bytes that they may become at a time
_HEAD = 1 << 22  # bytes from which the size of all is estimated
_MOST_MEMORY = 1 << 28  # bytes that an archive of xz may ask for: its largest preset takes 2**26

_DAMAGED = "it is damaged or cut off; write it again, or fetch it again"


class Decompressor(Protocol):
    """bz2's and lzma's own interface."""

    @property
    def eof(self) -> bool: ...
    @property
    def needs_input(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes:
        """No more than max_length bytes of what the data become."""


class _Gzip:
    """zlib, which verifies length and checksum, with the others' interface."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(16 + zlib.MAX_WBITS)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """No more than max_length bytes of what the data become."""
        found = self._zlib.decompress(self._zlib.unconsumed_tail + data, max_length)
        # a full answer may leave more inside of zlib, although it took all of its input
        self.needs_input = not self._zlib.unconsumed_tail and len(found) < max_length
        return found


@dataclass(frozen=True)
class Packing:
    """A format of compressed files: its name, how its files begin, and what unpacks them."""

    name: str
    suffix: str
    magic: re.Pattern[bytes]
    open: Callable[[], Decompressor]


PACKINGS = (
    Packing("gzip", ".gz", re.compile(rb"\x1f\x8b"), _Gzip),
    # "BZh" alone may begin the name of a column; a block follows it, or the end of an empty file
    Packing("bzip2", ".bz2", re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"), bz2.BZ2Decompressor),
    Packing(
        "xz",
        ".xz",
        re.compile(rb"\xfd7zXZ\0"),
        lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, _MOST_MEMORY),
    ),
)

MAGIC = 10  # bytes that tell how a file is compressed


def packing_of(file: File, head: bytes) -> Packing | None:
    """How a file that begins like this is compressed, or None. head: MAGIC bytes or more."""
    for packing in PACKINGS:
        if packing.magic.match(head):
            return packing
        if file.suffix == packing.suffix:
            sentence = f"its name ends in {packing.suffix}, and it is not compressed with "
            hint = f"{_DAMAGED}; or, if it is not compressed, take {packing.suffix} off its name"
            raise DataError(sentence + packing.name, source=file.label, hint=hint)
    return None


class Unpacked(File):
    """What is in a compressed file, like any file, though its size is an estimate.

    A place is sought by unpacking all that comes before it.
    """

    def __init__(self, file: File, packing: Packing) -> None:
        self._file = file
        self._packing = packing
        self.label = file.label
        self.suffix = PurePath(PurePath(file.label).stem).suffix.lower()
        self.size = file.size
        self.last = b""  # byte of the content, once the end was seen
        with self.open() as stream:
            unpacked = len(stream.read(_HEAD) or b"")
            part = stream.packed / max(1, file.size)
        self.size = int(unpacked / min(1.0, max(part, 1e-6)))

    @property
    def ends_line(self) -> bool:
        """Whether the last byte is the end of a line; true as long as nobody has seen it."""
        return self.last in b"\r\n"

    def open(self) -> _Stream:
        """The content from its beginning; DataError where the file is not what it was at first."""
        return _Stream(self, self._file.open(), self._packing)

    def confirm(self) -> None:
        """DataError where the file is not what it was at first: after every pass."""
        self._file.confirm()

    def refuse_magic(self, head: bytes) -> None:
        """Refuse what begins like a file of a known other kind."""
        if head[257:262] == b"ustar":
            raise self._refused("a tar archive; unpack it first")
        if any(packing.magic.match(head) for packing in PACKINGS):
            raise self._refused("compressed once more; unpack it once first")
        if head.startswith((b"PAR1", b"ORC", b"ARROW1")):
            raise self._refused("a table of another kind, which is compressed in itself; unpack it")
        super().refuse_magic(head)

    def _refused(self, what: str) -> DataError:
        sentence = f"what is compressed with {self._packing.name} is no CSV"
        return DataError(sentence, line=1, source=self.label, hint=f"it is {what}")


class _Stream(io.RawIOBase):
    """The content of an archive, in order. packed: how many of its bytes are read."""

    def __init__(self, file: Unpacked, raw: io.RawIOBase, packing: Packing) -> None:
        self._file = file
        self._raw = raw
        self._packing = packing
        self._part = packing.open()  # of an archive that may have several
        self._left = b""  # that is read from the archive and not yet given to the part
        self._place = 0
        self._last = b"\n"
        self.packed = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go on to a place that is not yet passed, or to the end where that comes first."""
        if whence != io.SEEK_SET or offset < self._place:
            raise io.UnsupportedOperation("only forward from the beginning")
        while self._place < offset and self.read(min(_MOST, offset - self._place)):
            pass
        return self._place

    def close(self) -> None:
        self._raw.close()
        super().close()

    def readinto(self, buffer: Any, /) -> int:
        """How many bytes came: as many as there is room for, unless the content ends."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            piece = self._next(min(_MOST, len(view) - filled))
            if not piece:
                self._file.last = self._last
                break
            view[filled : filled + len(piece)] = piece
            filled += len(piece)
            self._last = piece[-1:]
        self._place += filled
        return filled

    def _next(self, most: int) -> bytes:
        """At least one byte and no more than `most`; none at the end."""
        while True:
            if self._part.eof and not self._begin_part():
                return b""
            if self._part.needs_input and not self._left:
                self._left = self._read()
                if not self._left:
                    raise self._damaged("it ends before the end of what is compressed")
            data, self._left = (self._left, b"") if self._part.needs_input else (b"", self._left)
            try:
                found = self._part.decompress(data, most)
            except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
                raise self._damaged(str(error)) from None
            if found:
                return found

    def _begin_part(self) -> bool:
        """Whether another part follows the one that has ended."""
        rest = (self._part.unused_data + self._left).lstrip(b"\0")
        while len(rest) < MAGIC and (more := self._read()):
            rest = (rest + more).lstrip(b"\0")
        if not rest:
            return False
        if not self._packing.magic.match(rest):
            raise self._damaged("something else follows what is compressed")
        self._part, self._left = self._packing.open(), rest
        return True

    def _read(self) -> bytes:
        piece = self._raw.read(_PIECE) or b""
        self.packed += len(piece)
        return piece

    def _damaged(self, reason: str) -> DataError:
        self._file.confirm()  # one that is being written is not damaged
        sentence = f"what is compressed with {self._packing.name} cannot be unpacked: "
        return DataError(sentence + excerpt(reason, 200), source=self._file.label, hint=_DAMAGED)
