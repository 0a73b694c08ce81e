"""The layout of a text table: what separates its cells, its comments, the line of its names."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from symgd.data.dates import is_date
from symgd.data.parse_cell import is_missing, parse
from symgd.data.select_columns import check_width
from symgd.data.written_numbers import is_written_number

SPACES = " "  # the delimiter of a table whose cells any number of spaces and tabs separate

COMMENT = re.compile(r"[ \t]*(?:#|%|//)[#%/]*")
_DELIMITERS = ",\t;|"  # in the order of preference
_QUOTED = re.compile(r'"[^"]*("|$)')
_UNIT = re.compile(r"[(\[].*[)\]]")


class TextLine(NamedTuple):
    """A line without its end; its bytes begin at `begin`, those of the next one at `end`."""

    text: str
    begin: int
    end: int
    number: int


class TextLayout(NamedTuple):
    """delimiter: one character. names: of the columns, if no line of the table holds them.

    header: the line of the names, or None. rows: where the rows begin. remark: for the user.
    """

    delimiter: str
    names: list[str] | None
    header: TextLine | None
    rows: TextLine | None
    remark: str = ""


def find_layout(
    comments: Sequence[TextLine],
    lines: Sequence[TextLine],
    suffix: str,
    names: Sequence[str] | None,
    delimiter: str | None,
) -> TextLayout:
    """The layout of a table. comments: the lines before `lines`, its first ones, 1 or more.

    names: of the columns, delimiter: between cells, where they are given.
    """
    first = lines[0]
    delimiter = delimiter or _delimiter(lines, suffix)
    cells = split(first.text, delimiter)
    if names is not None:
        check_width(names, len(cells), "--columns")
        is_row = is_data(cells)
        remark = "" if is_row else f"the names in line {first.number} were replaced"
        begin = first if is_row else (lines[1] if len(lines) > 1 else None)
        return TextLayout(delimiter, list(names), first, begin or first, remark)
    if is_data(cells) or any(map(_is_number, cells)):
        found = _commented_names(comments, delimiter, len(cells), is_data(cells))
        if found is not None:
            return TextLayout(delimiter, found, None, first)
    if is_data(cells):
        found = [f"x{k}" for k in range(1, len(cells) + 1)]
        listed = ", ".join(found[:3]) + (", ..." if len(found) > 3 else "")
        remark = f"there is no line of names: the columns are {listed} (--columns names them)"
        return TextLayout(delimiter, found, None, first, remark)
    if len(lines) > 2 and _are_units(split(lines[1].text, delimiter), lines[2].text, delimiter):
        remark = f"line {lines[1].number} was taken for units: {lines[1].text.strip()}"
        return TextLayout(delimiter, None, first, lines[2], remark)
    return TextLayout(delimiter, None, first, None)


def split(line: str, delimiter: str) -> list[str]:
    """The cells of a line, without spaces around them."""
    rows = csv.reader([spaced(line, delimiter)], delimiter=delimiter, skipinitialspace=True)
    try:
        return [cell.strip() for cell in next(rows, [])]
    except csv.Error:
        return []


def spaced(line: str, delimiter: str) -> str:
    """A line whose cells single delimiters, or spaces, separate."""
    return line.replace("\t", " ").strip() if delimiter == SPACES else line


def without_comment(line: str, delimiter: str) -> str:
    """A row without the comment at its end, which only a table separated by spaces may have."""
    if delimiter != SPACES or "#" not in line or '"' in line:
        return line
    return re.split("[ \t]#", line, maxsplit=1)[0] + "\n"


def is_data(cells: Sequence[str]) -> bool:
    """Whether the cells are numbers or dates, some of them possibly missing."""
    return any(map(_is_number, cells)) and all(is_missing(c) or _is_number(c) for c in cells)


def _is_number(cell: str) -> bool:
    return isinstance(parse(cell), float) or is_written_number(cell) or is_date(cell)


def _delimiter(lines: Sequence[TextLine], suffix: str) -> str:
    """The delimiter with which all lines have the same number of cells, most of them numbers."""
    unquoted = _QUOTED.sub("", lines[0].text)
    if suffix in (".tsv", ".tab") and "\t" in unquoted:
        return "\t"

    def score(delimiter: str) -> tuple[bool, float]:
        table = [split(line.text, delimiter) for line in lines]
        rows = table[1:] or table
        cells = [cell for row in rows for cell in row]
        even = len(table[0]) > 1 and all(len(row) == len(table[0]) for row in table)
        return even, sum(map(_is_number, cells)) / max(1, len(cells)) if even else 0.0

    candidates = [d for d in _DELIMITERS if d in unquoted]
    if all(len(_QUOTED.sub("_", line.text).split()) > 1 for line in lines):
        candidates.append(SPACES)
    return max(candidates, key=score, default=",")


def _commented_names(
    comments: Sequence[TextLine], delimiter: str, width: int, only_numbers: bool
) -> list[str] | None:
    """The names in the last comment that has as many as there are columns, units aside."""
    fitting = []
    for line in reversed(comments):
        text = COMMENT.sub("", line.text, count=1).strip()
        for names in _splits(text, delimiter, only_numbers):
            if len(names) == width and all(names) and len(set(names)) == width:
                fitting.append(names)
                break
    named = (names for names in fitting if not all(map(_UNIT.fullmatch, names)))
    return next(named, None)


def _splits(text: str, delimiter: str, only_numbers: bool) -> Iterator[list[str]]:
    yield split(text, delimiter)
    if only_numbers:
        yield from (split(text, other) for other in (*_DELIMITERS, SPACES))
        yield re.split(r"\s{2,}|\t", text)


def _are_units(cells: Sequence[str], next_line: str, delimiter: str) -> bool:
    """Whether no cell of a row is a number, and those of the next one are."""
    row = split(next_line, delimiter)
    no_numbers = any(cells) and not any(c and (is_missing(c) or _is_number(c)) for c in cells)
    return no_numbers and len(row) == len(cells) and is_data(row)
