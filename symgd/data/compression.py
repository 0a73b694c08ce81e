"""CSV compressed with gzip, bzip2 or xz, decompressed in memory while it is read.

Concatenated compressed streams are one file; zeros after the last one are padding.
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

from symgd.data.files import DAMAGED, File
from symgd.errors import DataError, excerpt

MAGIC = 10  # first bytes that identify the compression

_CHUNK = 1 << 16  # compressed bytes that are read at a time
_MOST_DECOMPRESSED = 1 << 20  # decompressed bytes at a time, at most
_HEAD = 1 << 22  # decompressed bytes from which the total size is estimated
_MOST_MEMORY = 1 << 28  # bytes for an xz decoder: the largest preset takes 2**26


class Compression(NamedTuple):
    """A compression format. magic: its first bytes. decompress: yields decompressed chunks."""

    name: str
    suffix: str
    magic: re.Pattern[bytes]
    decompress: Callable[[io.RawIOBase, re.Pattern[bytes]], Iterator[bytes]]


def compression_of(file: File, head: bytes) -> Compression | None:
    """The compression of a file, or None. head: its first MAGIC bytes or more."""
    for compression in COMPRESSIONS:
        if compression.magic.match(head):
            return compression
        if file.suffix == compression.suffix:
            sentence = f"its name ends in {compression.suffix}, and it is not compressed with "
            hint = f"{DAMAGED}; or, if it is not compressed, take {compression.suffix} off its name"
            raise DataError(sentence + compression.name, source=file.label, hint=hint)
    return None


def _gzip(raw: io.RawIOBase, _: re.Pattern[bytes]) -> Iterator[bytes]:
    with gzip.GzipFile(fileobj=raw) as stream:
        yield from iter(partial(stream.read, _MOST_DECOMPRESSED), b"")


def _bzip2_or_xz(
    new_decompressor: Callable[[], Any], raw: io.RawIOBase, magic: re.Pattern[bytes]
) -> Iterator[bytes]:
    """BZ2File and LZMAFile would end silently at a damaged second stream, and limit no memory."""
    data = b""
    while True:
        while len(data) < MAGIC and (read := raw.read(_CHUNK)):
            data = (data + read).lstrip(b"\0")
        if not data:
            return
        if not magic.match(data):
            raise ValueError("something else follows what is compressed")
        stream = new_decompressor()
        while not stream.eof:
            if stream.needs_input and not data and not (data := raw.read(_CHUNK)):
                raise EOFError("it ends before the end of what is compressed")
            yield stream.decompress(data, _MOST_DECOMPRESSED)
            data = b""
        data = stream.unused_data.lstrip(b"\0")


_new_xz_decompressor = partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _MOST_MEMORY)
COMPRESSIONS = (
    Compression("gzip", ".gz", re.compile(rb"\x1f\x8b"), _gzip),
    # "BZh" alone may begin a column name; a block header or the end of an empty file follows it
    Compression(
        "bzip2",
        ".bz2",
        re.compile(rb"BZh[1-9](1AY&SY|\x17rE8P\x90)"),
        partial(_bzip2_or_xz, bz2.BZ2Decompressor),
    ),
    Compression(
        "xz", ".xz", re.compile(rb"\xfd7zXZ\0"), partial(_bzip2_or_xz, _new_xz_decompressor)
    ),
)


class CompressedFile(File):
    """A compressed file with the interface of its content; its size is an estimate.

    last_byte: of the content; b"" until its end has been read.
    """

    def __init__(self, file: File, compression: Compression) -> None:
        self._file = file
        self.compression = compression
        self.label = file.label
        self.suffix = PurePath(PurePath(file.label).stem).suffix.lower()
        self.last_byte = b""
        with self.open() as content:
            size = len(content.read(_HEAD) or b"")
            self.size = size * max(1, file.size) // max(1, content.raw.tell())

    @property
    def ends_line(self) -> bool:
        """Whether the last byte ends a line; true until the end has been read."""
        return self.last_byte in b"\r\n"

    def open(self) -> _ForwardStream:
        """The content from its beginning; DataError if the file has changed since it was opened."""
        raw = self._file.open()
        return _ForwardStream(raw, self._decompress(raw))

    def _decompress(self, raw: io.RawIOBase) -> Iterator[bytes]:
        """The content in pieces that are not empty, or DataError."""
        name, piece = self.compression.name, b"\n"
        try:
            for piece in filter(None, self.compression.decompress(raw, self.compression.magic)):
                yield piece
        except (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError) as error:
            self.check_unchanged()  # a change explains the error better
            if "Memory usage limit" in str(error):
                sentence = f"to unpack what is compressed with {name} needs too much memory"
                hint = f"more than {_MOST_MEMORY >> 20} MB; unpack it first"
                raise DataError(sentence, source=self.label, hint=hint) from None
            reason = excerpt(str(error), 200)
            sentence = f"what is compressed with {name} cannot be unpacked: {reason}"
            raise DataError(sentence, source=self.label, hint=DAMAGED) from None
        self.last_byte = piece[-1:]

    def check_unchanged(self) -> None:
        """DataError if the file has changed since it was opened; called after every pass."""
        self._file.check_unchanged()

    def refuse_magic(self, head: bytes) -> None:
        """DataError if the content begins like a known format that is not text."""
        super().refuse_magic(head)
        if any(other.magic.match(head) for other in COMPRESSIONS):
            raise self.format_error("it is compressed once more; unpack it once first")
        if head.startswith((b"PAR1", b"ORC", b"ARROW1")):
            raise self.format_error(
                "it is a table of another kind, compressed in itself; unpack it"
            )


class _ForwardStream(io.RawIOBase):
    """The bytes of pieces that are not empty, in order. raw: closed with it."""

    def __init__(self, raw: io.RawIOBase, pieces: Iterator[bytes]) -> None:
        self.raw = raw
        self._pieces = pieces
        self._unread = memoryview(b"")  # of the current piece
        self._position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Read forward to a position, or to the end if that comes first."""
        if whence != io.SEEK_SET or offset < self._position:
            raise io.UnsupportedOperation("only forward from the beginning")
        while self.read(min(_MOST_DECOMPRESSED, offset - self._position)):
            pass
        return self._position

    def close(self) -> None:
        self.raw.close()
        super().close()

    def readinto(self, buffer: Any, /) -> int:
        """The number of bytes read: the size of the buffer, unless the content ends."""
        view = memoryview(buffer).cast("B")
        filled = 0
        while filled < len(view):
            self._unread = self._unread or memoryview(next(self._pieces, b""))
            if not self._unread:
                break
            part = self._unread[: len(view) - filled]
            view[filled : filled + len(part)] = part
            filled += len(part)
            self._unread = self._unread[len(part) :]
        self._position += filled
        return filled
