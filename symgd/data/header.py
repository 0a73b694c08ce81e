"""The first line of a text table: its encoding, what separates its cells, the columns' names."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

from symgd.data import parse_cell
from symgd.data.files import File
from symgd.data.select_columns import check_names
from symgd.errors import DataError, excerpt

MOST_LINE = 1 << 20  # characters of one line

_HEAD = 4 * MOST_LINE + 4  # bytes in which the header and the first row must end
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_DAMAGE = re.compile("[\0\udc80-\udcff]")
_DELIMITERS = ",\t;"  # in the order of preference

_UTF_16_32 = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True)
class Header:
    """names: of the columns, "" where there is none. delimiter: one character.

    offset: bytes, lines: lines that the header and all before it take. row_bytes: about how many
    bytes a row takes.
    """

    names: tuple[str, ...]
    delimiter: str
    offset: int
    lines: int
    row_bytes: float


def read_header(file: File) -> Header:
    """The header of a text file, or the DataError about its first line."""
    with file.open() as stream:
        head = stream.read(_HEAD) or b""
    file.refuse_magic(head)
    for mark, encoding in _UTF_16_32.items():
        if head.startswith(mark):
            sentence = f"the file is {encoding} text, not UTF-8"
            hint = "save the file as UTF-8"
            raise DataError(sentence, line=1, source=file.label, hint=hint)
    start, number = _skip_blank_lines(head)
    lines = _Lines(head, start, number)
    first = next((line for line in lines if line.strip()), "")
    if not first:
        hint = "the first line names the columns, each further line is a row"
        raise DataError("the file is empty", line=1, source=file.label, hint=hint)
    after = lines.offset, lines.number
    second = next((line for line in lines if line.strip()), "")
    delimiter = _delimiter(first, second, file.suffix)
    lines = _Lines(head, start, number, file.label)
    names = tuple(name.strip() for name in _cells(lines, delimiter, file.label))
    _check(names, file.label, after[1])
    return Header(names, delimiter, lines.offset, lines.number, _row_bytes(head[lines.offset :]))


def check_line(line: str, label: str, number: int, header: Header | None = None) -> None:
    """Refuse a line that is too long, that holds NUL, or that was no UTF-8 (surrogate escapes)."""
    if len(line) >= MOST_LINE and not line.endswith("\n"):
        sentence = f"the line is longer than {MOST_LINE:,} characters"
        raise DataError(sentence, line=number, source=label, hint="is this a table?")
    found = _DAMAGE.search(line)
    if found is None:
        return
    sentence, hint = f"character {found.start() + 1} of the line is ", "save the file as UTF-8"
    if found.group() != "\0":
        sentence += f"the byte 0x{ord(found.group()) - 0xDC00:02x}, which is not UTF-8"
    elif len(line) > 3 and line.count("\0") * 3 >= len(line):
        sentence = "the file seems to be UTF-16 text, not UTF-8"
    else:
        sentence, hint = sentence + "NUL", "the file is damaged, or is no text"
    column = column_at(line, found.start(), header) if header else None
    raise DataError(sentence, None, column, number, label, None, hint)


def column_at(line: str, place: int, header: Header) -> str | None:
    """The name of the column in which character `place` of the first line of a row stands.

    Where the quotes of the line cannot be read, that is the column with the first bad one.
    """
    mark = re.escape(header.delimiter)
    cell = re.compile(rf'(?:"(?:[^"]|"")*"|(?!")[^{mark}\n]*)(?:{mark}|\n|\Z)')
    index = start = 0
    while (found := cell.match(line, start)) and start < found.end() <= place:
        start = found.end()
        index += 1
    return header.names[min(index, len(header.names) - 1)] or None


def why_unreadable(error: str, several_lines: bool) -> tuple[str, str]:
    """(sentence, hint) for what the csv module says of a row. several_lines: it spans them."""
    twice = 'write " twice for a quote inside a quoted cell'
    if "unexpected end" in error or ("field larger" in error and several_lines):
        return "a quote is opened in this row and not closed", twice
    if "field larger" in error:
        return f"a cell is longer than {csv.field_size_limit():,} characters", ""
    if "expected after" in error:
        return "a closing quote is followed by more than the next cell", twice
    return f"the row cannot be read: {error}", ""


class _Lines(Iterator[str]):
    """The lines of `head` as text that ends in LF, checked where there is a label to blame.

    offset, number: bytes and lines given so far.
    """

    def __init__(self, head: bytes, start: int, number: int, label: str | None = None) -> None:
        self._head = head
        self._label = label
        self.offset = start
        self.number = number

    def __next__(self) -> str:
        if self.offset >= len(self._head):
            raise StopIteration
        found = _LINE.match(self._head, self.offset)
        assert found is not None
        self.offset = found.end()
        self.number += 1
        line = found.group().decode("utf-8", "surrogateescape")
        ended = line.endswith(("\r", "\n"))
        line = line.rstrip("\r\n") + ("\n" if ended else "")
        if self._label is not None:
            check_line(line, self._label, self.number)
        return line


def _skip_blank_lines(head: bytes) -> tuple[int, int]:
    """(the place of the first line that is not blank, how many lines are before it)."""
    start = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    blank = re.compile(rb"[ \t\r\n]*(?:[\r\n]|\Z)").match(head, start)
    if blank is None:
        return start, 0
    found = blank.group()
    return blank.end(), found.count(b"\n") + found.count(b"\r") - found.count(b"\r\n")


def _delimiter(first: str, second: str, suffix: str) -> str:
    """What separates the cells of the header line.

    A tab in a .tsv file; else the one candidate that stands in the header, outside quotes; of
    several, the first with which the first row has as many cells as the header.
    """
    bare = re.sub(r'"[^"]*("|$)', "", first)
    if suffix in (".tsv", ".tab") and "\t" in bare:
        return "\t"
    there = [d for d in _DELIMITERS if d in bare]
    fitting = [d for d in there if _count(first, d) == _count(second, d)]
    return (fitting or there or [","])[0]


def _count(line: str, delimiter: str) -> int:
    return re.sub(r'"[^"]*("|$)', "", line).count(delimiter)


def _cells(lines: _Lines, delimiter: str, label: str) -> list[str]:
    try:
        for row in csv.reader(lines, delimiter=delimiter, strict=True):
            if any(cell.strip() for cell in row):
                return row
    except csv.Error as error:
        sentence, hint = why_unreadable(str(error), lines.number > 1)
        raise DataError(sentence, line=1, source=label, hint=hint) from None
    return []


def _check(names: tuple[str, ...], label: str, line: int) -> None:
    if not any(names) or all(isinstance(parse_cell.read(name), float) for name in names if name):
        shown = excerpt(", ".join(names)) or "nothing"
        raise DataError(
            f"the columns have no names: the first line holds {shown}",
            line=line,
            source=label,
            hint="write the names of the columns in the first line",
        )
    if names[0].startswith("sep=") and not any(names[1:]):
        hint = f"delete line {line}, which is for a spreadsheet"
        raise DataError("this line does not name the columns", line=line, source=label, hint=hint)
    check_names(names, label, line)


def _row_bytes(rows: bytes) -> float:
    sample = rows[: 1 << 16]
    return max(2.0, len(sample) / max(1, sample.count(b"\n") + sample.count(b"\r")))
