"""Numbers as people write them: with decimal commas, with digits in groups of three."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from functools import cache
from typing import NamedTuple

from symgd._numpy import NDArray, np
from symgd.data.labels import Labels
from symgd.data.parse_cell import parse
from symgd.errors import DataError, excerpt

_SPACES = " \u00a0\u2009\u202f"  # also those that are not broken, or thin
_WRITTEN = re.compile(
    rf"[+-]?(?=[^,.'{_SPACES}]*[,.'{_SPACES}])[0-9]*[0-9.,'{_SPACES}]*[0-9][.,]?([eE][+-]?[0-9]+)?"
)


class Style(NamedTuple):
    """How numbers are written: the decimal mark, and what groups digits, "" for nothing."""

    decimal: str
    group: str

    @cache  # noqa: B019 - there are eight
    def pattern(self) -> re.Pattern[str]:
        """A number in this style."""
        grouped = rf"[0-9]{{1,3}}(?:[{re.escape(self.group)}][0-9]{{3}})+|" if self.group else ""
        mark = re.escape(self.decimal)
        whole = rf"(?:(?:{grouped}[0-9]+)(?:{mark}[0-9]*)?|{mark}[0-9]+)"
        return re.compile(rf"[+-]?{whole}(?:[eE][+-]?[0-9]+)?")

    def plain(self, text: str) -> str:
        """The number as Python writes it."""
        for mark in self.group:
            text = text.replace(mark, "")
        return text.replace(self.decimal, ".")

    def __str__(self) -> str:
        marks = {",": "commas", ".": "points", "'": "apostrophes", _SPACES: "spaces"}
        decimal = "decimal commas" if self.decimal == "," else ""
        group = f"{marks[self.group]} that group digits" if self.group else ""
        return " and ".join(filter(None, [decimal, group]))


#: The simplest first; the second of two that give the same numbers is not needed.
STYLES = tuple(
    Style(decimal, group)
    for decimal, groups in ((",", ("", ".", _SPACES, "'")), (".", (",", _SPACES, "'")))
    for group in groups
)

_ANY_STYLE = re.compile("|".join(style.pattern().pattern for style in STYLES))


def is_written_number(cell: str) -> bool:
    """Whether a cell is a number in one of the styles."""
    text = cell.strip()
    return bool(_WRITTEN.fullmatch(text)) and bool(_ANY_STYLE.fullmatch(text))


def has_decimal_comma(cell: str, decimal_comma: bool | None) -> bool:
    """Whether a cell has a decimal comma and no other reading, or that is the one to be taken."""
    text = cell.strip()
    groups = Style(".", ",").pattern().fullmatch(text)
    plain = bool(Style(",", "").pattern().fullmatch(text)) and "," in text
    return plain and (bool(decimal_comma) or not groups)


class WrittenNumbers(Labels):
    """The texts of columns of numbers; all columns of a table share one style, which they show.

    decimal_comma: which of two readings, 1,234 as 1.234 or 1234, is taken; None: neither.
    """

    categories = False

    def __init__(self, source: str, decimal_comma: bool | None) -> None:
        super().__init__()
        self._source = source
        self._decimal_comma = decimal_comma
        self._style = Style(".", "")

    def check(self, text: str) -> None:
        if not _ANY_STYLE.fullmatch(text) and not isinstance(parse(text), float):
            raise DataError(f"'{excerpt(text)}' is not a number")

    def remark(self, name: str) -> str:
        return f"{self._source}: numbers have {self._style}"

    def settle(self, used: Collection[float] | None = None) -> NDArray[np.float64]:
        """(K + 1,): the number that each text writes."""
        if self._settled:
            return self._values()
        texts = [text for text, k in self._numbers.items() if used is None or k in used]
        self._style = self._found_style(texts)
        for text in self._numbers:
            value = parse(self._style.plain(text))
            self._numbers[text] = value if isinstance(value, float) else np.nan
        self._settled = True
        return self._values()

    def _values(self) -> NDArray[np.float64]:
        return np.array([0.0, *self._numbers.values()])

    def _found_style(self, texts: Sequence[str]) -> Style:
        possible = [s for s in STYLES if all(map(s.pattern().fullmatch, texts))]
        if not possible:
            return self._refuse(texts)
        marks = set("".join(texts))
        seen = (Style(s.decimal, s.group if marks & set(s.group) else "") for s in possible)
        possible = list(
            dict.fromkeys(s if s.decimal in marks else Style(".", s.group) for s in seen)
        )
        if len(possible) == 1:
            return possible[0]
        telling = next((t for t in texts if len({s.plain(t) for s in possible}) > 1), None)
        if telling is None:
            shown = (s for s in possible if any(s.decimal in text for text in texts))
            return next(shown, possible[-1])
        if self._decimal_comma is not None:
            mark = "," if self._decimal_comma else "."
            return next(s for s in possible if s.decimal == mark)
        readings = " or ".join(sorted({s.plain(telling) for s in possible}))
        hint = "no other number tells; write the decimal comma as a point, or no mark in groups"
        raise DataError(f"'{telling}' is {readings}", source=self._source, hint=hint)

    def _refuse(self, texts: Sequence[str]) -> Style:
        """The error about texts that no style has in common."""
        first = texts[0]
        styles = [s for s in STYLES if s.pattern().fullmatch(first)]
        other = next(
            (t for t in texts if not any(s.pattern().fullmatch(t) for s in styles)), texts[-1]
        )
        sentence = f"'{excerpt(first)}' and '{excerpt(other)}' are not written in one style"
        hint = "write every number with a decimal point, and digits without groups"
        raise DataError(sentence, source=self._source, hint=hint)
