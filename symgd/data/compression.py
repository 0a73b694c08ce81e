"""CSV compressed with gzip, bzip2 or xz: decompressed while it is read, never on disk.

Several compressed streams one behind the other are one file; zeros behind the last are padding.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import PurePath
from typing import Any, NamedTuple

from symgd.data.files import File
from symgd.errors import DataError, excerpt

MAGIC = 10  # bytes that tell how a file is compressed

_PIECE = 1 << 16  # compressed bytes that are read at a time
_MOST = 1 << 20  # decompressed bytes at a time, at most
_HEAD = 1 << 22  # decompressed bytes from which the size of all is estimated
_MOST_MEMORY = 1 << 28  # bytes for an xz decoder: the largest preset takes 2**26
_HINT = "it is damaged or cut off; write it again, or fetch it again"


class Compression(NamedTuple):
    """A format: how its files begin, and what decompresses them piece by piece."""

    name: str
    suffix: str
    magic: re.Pattern[bytes]
    pieces: Callable[[io.RawIOBase, re.Pattern[bytes]], Iterator[bytes]]


def compression_of(file: File, head: bytes) -> Compression | None:
    """How a file that begins like this is compressed, or None. head: MAGIC bytes or more."""
    for found in COMPRESSIONS:
        if found.magic.match(head):
            return found
        if file.suffix == found.suffix:
            sentence = f"its name ends in {found.suffix}, and it is not compressed with "
            hint = f"{_HINT}; or, if it is not compressed, take {found.suffix} off its name"
            raise DataError(sentence + found.name, source=file.label, hint=hint)
    return None


def _gzip(raw: io.RawIOBase, _: re.Pattern[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=raw) as stream:
        yield from iter(partial(stream.read, _MOST), b"")


def _bzip2_or_xz(
    new: Callable[[], Any], raw: io.RawIOBase, magic: re.Pattern[bytes]
) -> Iterator[bytes]:
    """BZ2File and LZMAFile would take a damaged second stream for the end, and much memory."""
    rest = b""
    while True:
        while len(rest) < MAGIC and (more := raw.read(_PIECE)):
            rest = (rest + more).lstrip(b"\0")
        if not rest:
            return
        if not magic.match(rest):
            raise ValueError("something else follows what is compressed")
        stream = new()
        while not stream.eof:
            if stream.needs_input and not rest and not (rest := raw.read(_PIECE)):
                raise EOFError("it ends before the end of what is compressed")
            yield stream.decompress(rest, _MOST)
            rest = b""
        rest = stream.unused_data.lstrip(b"\0")


_xz = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _MOST_MEMORY)
COMPRESSIONS = (
    Compression("gzip", ".gz", re.compile(rb"\x1f\x8b"), _gzip),
    # "BZh" alone may begin the name of a column; a block follows it, or the end of an empty file
    Compression(
        "bzip2",
        ".bz2",
        re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
        partial(_bzip2_or_xz, bz2.BZ2Decompressor),
    ),
    Compression("xz", ".xz", re.compile(rb"\xfd7zXZ\0"), partial(_bzip2_or_xz, _xz)),
)


class CompressedFile(File):
    """What is in a compressed file, like any file, though its size is an estimate.

    last: byte of the content, once its end was seen.
    """

    def __init__(self, file: File, compression: Compression) -> None:
        self._file = file
        self.compression = compression
        self.label = file.label
        self.suffix = PurePath(PurePath(file.label).stem).suffix.lower()
        self.last = b""
        with self.open() as content:
            size = len(content.read(_HEAD) or b"")
            self.size = size * max(1, file.size) // max(1, content.raw.tell())

    @property
    def ends_line(self) -> bool:
        """Whether the last byte is the end of a line; true as long as nobody has seen it."""
        return self.last in b"\r\n"

    def open(self) -> _Content:
        """The content from its beginning; DataError where the file is not what it was at first."""
        return _Content(self, self._file.open())

    def confirm(self) -> None:
        """DataError where the file is not what it was at first: after every pass."""
        self._file.confirm()

    def refuse_magic(self, head: bytes) -> None:
        """Refuse what begins like a file of a known other kind."""
        super().refuse_magic(head)
        if any(known.magic.match(head) for known in COMPRESSIONS):
            raise self.refused("it is compressed once more; unpack it once first")
        if head.startswith((b"PAR1", b"ORC", b"ARROW1")):
            raise self.refused("it is a table of another kind, compressed in itself; unpack it")


class _Content(io.RawIOBase):
    """The decompressed bytes, in order. raw: the compressed file."""

    def __init__(self, file: CompressedFile, raw: io.RawIOBase) -> None:
        self._file = file
        self.raw = raw
        self._pieces = file.compression.pieces(raw, file.compression.magic)
        self._piece = memoryview(b"")  # decompressed and not yet read
        self._place = 0
        self._last = b"\n"

    def readable(self) -> bool:
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
        self.raw.close()
        super().close()

    def readinto(self, buffer: Any, /) -> int:
        """How many bytes came: as many as there is room for, unless the content ends."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view) and (self._piece or self._next()):
            count = min(len(self._piece), len(view) - filled)
            view[filled : filled + count] = self._piece[:count]
            self._piece = self._piece[count:]
            filled += count
        self._place += filled
        return filled

    def _next(self) -> bool:
        """Whether there is another piece."""
        name, label = self._file.compression.name, self._file.label
        try:
            piece = next(filter(None, self._pieces), b"")
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
            self._file.confirm()  # a file that is being written is not damaged
            if "Memory usage limit" in str(error):
                sentence = f"to unpack what is compressed with {name} needs too much memory"
                hint = f"more than {_MOST_MEMORY >> 20} MB; unpack it first"
                raise DataError(sentence, source=label, hint=hint) from None
            sentence = f"what is compressed with {name} cannot be unpacked: "
            raise DataError(sentence + excerpt(str(error), 200), source=label, hint=_HINT) from None
        if piece:
            self._piece, self._last = memoryview(piece), piece[-1:]
        else:
            self._file.last = self._last
        return bool(piece)
