"""The header of a CSV file: encoding, delimiter, column names."""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from symgd.data.files import File
from symgd.data.layout import COMMENT, SPACES, TextLine, find_layout, spaced
from symgd.data.select_columns import check_names
from symgd.errors import DataError

MOST_LINE = 1 << 20  # characters of one line

_HEAD_BYTES = 4 * MOST_LINE + 4  # bytes in which the header and the first row must end
_SAMPLE = 1 << 16  # bytes from which the length of a row is estimated
_BLANK_LINES = re.compile(rb"(?:[ \t]*[\r\n])+")
_LINE = re.compile(rb"[^\r\n]*(?:\r\n|\r|\n|\Z)")
_DAMAGED = re.compile("[\0\udc80-\udcff]")
_SPREADSHEET = re.compile(r"sep=(.)")
_LINES = 12  # from which the layout is found

_UTF_16_32 = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


@dataclass(frozen=True)
class Header:
    """names: of the columns, "" for a column without one. delimiter: " " for any number of spaces.

    offset, lines: the bytes and lines up to the rows. row_bytes: the estimated bytes of a row.
    remark: on how the header was read, or "".
    """

    names: tuple[str, ...]
    delimiter: str
    offset: int
    lines: int
    row_bytes: float
    remark: str = ""


def read_header(file: File, names: Sequence[str] | None = None) -> Header:
    """The header of a CSV file, or the DataError about its first line.

    names: of the columns, in place of those in the file.
    """
    with file.open() as stream:
        head = stream.read(_HEAD_BYTES) or b""
    file.refuse_magic(head)
    for mark, encoding in _UTF_16_32.items():
        if head.startswith(mark):
            sentence = f"the file is {encoding} text, not UTF-8"
            hint = "save the file as UTF-8"
            raise DataError(sentence, line=1, source=file.label, hint=hint)
    begin = len(codecs.BOM_UTF8) if head.startswith(codecs.BOM_UTF8) else 0
    comments, lines, delimiter = _first_lines(head, begin)
    if not lines and not comments:
        hint = "the first line names the columns, each further line is a row"
        raise DataError("the file is empty", line=1, source=file.label, hint=hint)
    layout = find_layout(comments, lines or comments[-1:], file.suffix, names, delimiter)
    if layout.names is None:
        assert layout.header is not None
        place = layout.header.begin, layout.header.number - 1
        cells, offset, number = _cells(head, *place, layout.delimiter, file.label)
    else:
        cells, offset, number = layout.names, begin, 0
    if layout.rows is not None:
        offset, number = layout.rows.begin, layout.rows.number - 1
    found = tuple(name.strip() for name in cells)
    _check_header(found, file.label, layout.header.number if layout.header else 1)
    sample = head[offset : offset + _SAMPLE]
    row_bytes = max(2.0, len(sample) / max(1, count_line_ends(sample)))
    return Header(found, layout.delimiter, offset, number, row_bytes, layout.remark)


def _first_lines(head: bytes, begin: int) -> tuple[list[TextLine], list[TextLine], str | None]:
    """(the comments before the table, its first lines, the delimiter that a spreadsheet names)."""
    comments, lines, delimiter = list[TextLine](), list[TextLine](), None
    number = 0
    while begin < len(head) and len(lines) < _LINES:
        if blank := _BLANK_LINES.match(head, begin):  # there may be millions
            begin, number = blank.end(), number + count_line_ends(blank.group())
            continue
        text, end = _line(head, begin)
        number += 1
        named = None if lines or comments else _SPREADSHEET.fullmatch(text.strip())
        if named is not None:
            delimiter = named[1]
        elif text.strip():
            is_comment = COMMENT.match(text) is not None
            if not (is_comment and lines):
                (comments if is_comment else lines).append(TextLine(text, begin, end, number))
        begin = end
    return comments, lines, delimiter


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


def _line(head: bytes, offset: int) -> tuple[str, int]:
    """(the line at an offset as text that ends in LF, the offset of its end)."""
    match = _LINE.match(head, offset)
    assert match is not None
    line = match.group().decode("utf-8", "surrogateescape")
    text = line.rstrip("\r\n")
    return text + "\n" * (text != line), match.end()


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
            yield spaced(line, delimiter)

    try:
        rows = csv.reader(
            lines(), delimiter=delimiter, strict=True, skipinitialspace=delimiter == SPACES
        )
        cells = next(rows, [])
    except csv.Error as error:
        sentence, hint = csv_error_message(str(error), number > 1)
        raise DataError(sentence, line=1, source=label, hint=hint) from None
    return cells, offset, number


def _check_header(names: tuple[str, ...], label: str, line: int) -> None:
    if not any(names):
        sentence = "the columns have no names: the first line holds nothing"
        hint = "write the names of the columns in the first line"
        raise DataError(sentence, line=line, source=label, hint=hint)
    check_names(names, label, line)
