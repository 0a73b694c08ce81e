"""Pieces of CSV by NumPy, where there is no Arrow: loadtxt, as strict as the exact reader."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

import numpy as np

from symgd.data.csv_fast import Parsed, Parser, has_long_lines
from symgd.data.header import Header
from symgd.data.source import Pick

_PIECE = 1 << 18  # a call of NumPy's costs 0.03 ms, and what is parsed then stays in the cache

# Of these loadtxt takes some for spaces, and the exact reader none; quotes are its own to read.
_ODD = bytes(set(range(32)) - set(b"\t\n")) + b'"\x7f'
_OTHER_SPACE = re.compile(r"[^\S \t\n]")


def parser(header: Header, picks: Sequence[Pick]) -> Parser:
    """One thread: loadtxt lets no other run."""
    wanted = list(dict.fromkeys(pick.index for pick in picks))
    return Parser(partial(_parse, header, wanted), _PIECE, 1)


def _parse(header: Header, wanted: list[int], buffer: bytearray, stop: int) -> Parsed | None:
    """What the piece, the first bytes of the buffer, holds; None: the exact reader has to look.

    wanted: the columns' numbers, each once.
    """
    piece = buffer[:stop]
    if b"\r" in piece:
        piece = piece.replace(b"\r\n", b"\n")
    if not piece.endswith(b"\n"):
        piece += b"\n"
    if not piece.strip() or has_long_lines(buffer, stop) or not _is_plain(piece):
        return None
    width = len(header.names)
    everything = len(wanted) == width  # loadtxt itself then counts the cells of every row
    if not everything and not _is_regular(piece, header):
        return None
    try:
        lines = piece.decode("utf-8").split("\n")
        lines.pop()
        if not piece.isascii() and any(map(_OTHER_SPACE.search, lines)):
            return None
        columns = None if everything else wanted
        values = np.loadtxt(
            lines, comments=None, delimiter=header.delimiter, usecols=columns, ndmin=2
        )
    except ValueError:
        return None
    if values.shape != (len(lines), len(wanted)) or not np.isfinite(values).all():
        return None
    found = np.ascontiguousarray(values.T)
    return [([found[k] for k in (wanted if everything else range(len(wanted)))], 0)]


def _is_plain(piece: bytearray) -> bool:
    return len(piece.translate(None, _ODD)) == len(piece)


def _is_regular(piece: bytearray, header: Header) -> bool:
    """Whether every line has as many cells as the header."""
    characters = np.frombuffer(piece, np.uint8)
    ends = characters == ord("\n")
    marks = characters[ends | (characters == ord(header.delimiter))]
    width = len(header.names)
    regular = len(marks) == width * np.count_nonzero(ends)
    return bool(regular and (marks[width - 1 :: width] == ord("\n")).all())
