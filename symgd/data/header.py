"""The header of a CSV file: encoding, delimiter, column names."""

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

_HEAD_BYTES = 4 * MOST_LINE + 4  # bytes in which the header and the first row must end
_SAMPLE = 1 << 16  # bytes from which the length of a row is estimated
_BLANK_LINES = re.compile(rb"[ \t\r\n]*(?:[\r\n]|\Z)")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_QUOTED = re.compile(r'"[^"]*("|$)')
_DAMAGED = re.compile("[\0\udc80-\udcff]")
_DELIMITERS = ",\t;"  # in the order of preference

_UTF_16_32 = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True)
class Header:
    """names: of the columns, "" for a column without one. delimiter: one character.

    offset, lines: the bytes and lines up to the end of the header. row_bytes: the estimated bytes
    of a row.
    """

    names: tuple[str, ...]
    delimiter: str
    offset: int
    lines: int
    row_bytes: float


def read_header(file: File) -> Header:
    """The header of a CSV file, or the DataError about its first line."""
    with file.open() as stream:
        head = stream.read(_HEAD_BYTES) or b""
    file.refuse_magic(head)
    for mark, encoding in _UTF_16_32.items():
        if head.startswith(mark):
            sentence = f"the file is {encoding} text, not UTF-8"
            hint = "save the file as UTF-8"
            raise DataError(sentence, line=1, source=file.label, hint=hint)
    begin = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    begin, lines_before = _skip_blank_lines(head, begin, 0)
    header_line, end, number = _next_line(head, begin, lines_before)
    if not header_line:
        hint = "the first line names the columns, each further line is a row"
        raise DataError("the file is empty", line=1, source=file.label, hint=hint)
    first_row, _, _ = _next_line(head, end, number)
    delimiter = _delimiter(header_line, first_row, file.suffix)
    cells, offset, lines = _cells(head, begin, lines_before, delimiter, file.label)
    names = tuple(name.strip() for name in cells)
    _check_header(names, file.label, number)
    sample = head[offset : offset + _SAMPLE]
    row_bytes = max(2.0, len(sample) / max(1, count_line_ends(sample)))
    return Header(names, delimiter, offset, lines, row_bytes)


def refuse_damaged_line(line: str, label: str, number: int, header: Header | None = None) -> None:
    """DataError if a line is too long, contains NUL, or is not UTF-8 (has surrogate escapes)."""
    if len(line) >= MOST_LINE and not line.endswith("\n"):
        sentence = f"the line is longer than {MOST_LINE:,} characters"
        raise DataError(sentence, line=number, source=label, hint="is this a table?")
    match = _DAMAGED.search(line)
    if match is None:
        return
    sentence, hint = f"character {match.start() + 1} of the line is ", "save the file as UTF-8"
    if match.group() != "\0":
        sentence += f"the byte 0x{ord(match.group()) - 0xDC00:02x}, which is not UTF-8"
    elif len(line) > 3 and line.count("\0") * 3 >= len(line):
        sentence = "the file seems to be UTF-16 text, not UTF-8"
    else:
        sentence, hint = sentence + "NUL", "the file is damaged, or is no text"
    column = column_of_character(line, match.start(), header) if header else None
    raise DataError(sentence, None, column, number, label, None, hint)


def column_of_character(line: str, position: int, header: Header) -> str | None:
    """The name of the column with character `position` of the first line of a row.

    If the quotes are malformed, it is the column with the first malformed one.
    """
    mark = re.escape(header.delimiter)
    cell = re.compile(rf'(?:"(?:[^"]|"")*"|(?!")[^{mark}\n]*)(?:{mark}|\n|\Z)')
    index = offset = 0
    while (match := cell.match(line, offset)) and offset < match.end() <= position:
        offset = match.end()
        index += 1
    return header.names[min(index, len(header.names) - 1)] or None


def csv_error_message(error: str, several_lines: bool) -> tuple[str, str]:
    """(sentence, hint) for an error of the csv module. several_lines: the row has several."""
    twice = 'write " twice for a quote inside a quoted cell'
    if "unexpected end" in error or ("field larger" in error and several_lines):
        return "a quote is opened in this row and not closed", twice
    if "field larger" in error:
        return f"a cell is longer than {csv.field_size_limit():,} characters", ""
    if "expected after" in error:
        return "a closing quote is followed by more than the next cell", twice
    return f"the row cannot be read: {error}", ""


def count_line_ends(data: bytes) -> int:
    """The number of LF, CRLF and CR."""
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


def _skip_blank_lines(head: bytes, offset: int, number: int) -> tuple[int, int]:
    """(the offset of the next line that is not blank, the lines before it)."""
    blank = _BLANK_LINES.match(head, offset)
    return (blank.end(), number + count_line_ends(blank.group())) if blank else (offset, number)


def _next_line(head: bytes, offset: int, number: int) -> tuple[str, int, int]:
    """(the next line that is not blank, or "", the offset of its end, its number)."""
    line = ""
    while not line.strip() and offset < len(head):
        offset, number = _skip_blank_lines(head, offset, number)
        line, offset, number = *_line(head, offset), number + 1
    return line if line.strip() else "", offset, number


def _line(head: bytes, offset: int) -> tuple[str, int]:
    """(the line at an offset as text that ends in LF, the offset of its end)."""
    match = _LINE.match(head, offset)
    assert match is not None
    line = match.group().decode("utf-8", "surrogateescape")
    text = line.rstrip("\r\n")
    return text + "\n" * (text != line), match.end()


def _delimiter(header_line: str, first_row: str, suffix: str) -> str:
    """The delimiter: a tab in a .tsv file, else the candidate in the header outside quotes.

    Of several candidates, the first with which the first row has as many cells as the header.
    """
    unquoted = _QUOTED.sub("", header_line)
    if suffix in (".tsv", ".tab") and "\t" in unquoted:
        return "\t"
    candidates = [d for d in _DELIMITERS if d in unquoted]
    row = _QUOTED.sub("", first_row)
    consistent = [d for d in candidates if unquoted.count(d) == row.count(d)]
    return (consistent or candidates or [","])[0]


def _cells(
    head: bytes, offset: int, number: int, delimiter: str, label: str
) -> tuple[list[str], int, int]:
    """(the cells of the header, the offset of its end, the lines up to there)."""

    def lines() -> Iterator[str]:
        nonlocal offset, number
        while offset < len(head):
            line, offset = _line(head, offset)
            number += 1
            refuse_damaged_line(line, label, number)
            yield line

    try:
        rows = csv.reader(lines(), delimiter=delimiter, strict=True)
        cells = next((row for row in rows if any(cell.strip() for cell in row)), [])
    except csv.Error as error:
        sentence, hint = csv_error_message(str(error), number > 1)
        raise DataError(sentence, line=1, source=label, hint=hint) from None
    return cells, offset, number


def _check_header(names: tuple[str, ...], label: str, line: int) -> None:
    if not any(names) or all(isinstance(parse_cell.parse(name), float) for name in names if name):
        shown = excerpt(", ".join(names)) or "nothing"
        sentence = f"the columns have no names: the first line holds {shown}"
        hint = "write the names of the columns in the first line"
        raise DataError(sentence, line=line, source=label, hint=hint)
    if names[0].startswith("sep=") and not any(names[1:]):
        hint = f"delete line {line}, which is for a spreadsheet"
        raise DataError("this line does not name the columns", line=line, source=label, hint=hint)
    check_names(names, label, line)
