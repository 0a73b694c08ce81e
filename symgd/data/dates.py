"""Dates and times as numbers since the first one: days, or seconds where there are times."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import date
from typing import NamedTuple

from symgd._numpy import NDArray, np
from symgd.data.labels import Labels
from symgd.errors import DataError, excerpt

_DAY = 86_400 * 10**9  # nanoseconds
_MONTHS = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905
_TIME = (
    r"(?P<h>\d{1,2}):(?P<min>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)? ?(?P<half>[AaPp][Mm])?"
)
_ZONE = r"(?P<zone> ?(?:Z|UTC|[+-]\d\d:?\d\d))?"
_DATES = (
    r"(?P<y>\d{4})(?P<mark>[-/.])(?P<m>\d{1,2})(?:(?P=mark)(?P<d>\d{1,2}))?",
    r"(?P<one>\d{1,2})(?P<mark>[-/.])(?P<two>\d{1,2})(?P=mark)(?P<y>\d{4})",
    r"(?P<d>\d{1,2})[- ](?P<month>[A-Za-z]{3})[a-z]*\.?[- ](?P<y>\d{4})",
)
_PATTERNS = [re.compile(rf"{day}(?:[T ]+{_TIME}{_ZONE})?") for day in _DATES]
_PATTERNS.append(re.compile(_TIME))


class Origin(NamedTuple):
    """What numbers count from. start: nanoseconds since the year 0. unit: days or seconds."""

    start: int
    unit: str
    text: str


def is_date(cell: str) -> bool:
    """Whether a cell is a date, a time, or both."""
    return _match(cell) is not None


class Dates(Labels):
    """The texts of a column of dates. origin: what they count from; None: the first of them."""

    categories = False

    def __init__(self, name: str, origin: Origin | None = None) -> None:
        super().__init__()
        self._name = name
        self.origin = origin

    def check(self, text: str) -> None:
        if not is_date(text):
            raise DataError(f"'{excerpt(text)}' is not a date")

    def remark(self, name: str) -> str:
        assert self.origin is not None
        return f"{name} is read as {self.origin.unit} since {self.origin.text}"

    def settle(self, used: Collection[float] | None = None) -> NDArray[np.float64]:
        """(K + 1,): the days or seconds of each text since the origin."""
        if not self._settled:
            texts = [text for text, k in self._numbers.items() if used is None or k in used]
            day_first = _day_first(self._name, texts)
            times = {text: self._nanoseconds(text, day_first) for text in self._numbers}
            if self.origin is None and texts:
                first = min(texts, key=times.__getitem__)
                midnights = times[first] > 0 and all(time % _DAY == 0 for time in times.values())
                shown = re.sub(r"([T ]00:00(:00)?)?(\.0+)?$", "", first) if midnights else first
                self.origin = Origin(times[first], "days" if midnights else "seconds", shown)
            for text, time in times.items():
                self._numbers[text] = self._since(time)
            self._settled = True
        return np.array([0.0, *self._numbers.values()])

    def _since(self, time: int) -> float:
        start, unit, _ = self.origin or Origin(0, "days", "")
        return (time - start) / (_DAY if unit == "days" else 10**9)

    def _nanoseconds(self, text: str, day_first: bool) -> int:
        found = _match(text)
        assert found is not None
        parts = found.groupdict()
        try:
            return _day(parts, day_first) * _DAY + _time(parts)
        except ValueError as error:
            sentence = f"'{excerpt(text)}' is no date: {error}"
            raise DataError(sentence, column=self._name) from None


def _match(cell: str) -> re.Match[str] | None:
    text = cell.strip()
    if not text[:1].isdigit() or len(text) > 60:
        return None
    return next((found for p in _PATTERNS if (found := p.fullmatch(text))), None)


def _day(parts: dict[str, str | None], day_first: bool) -> int:
    """The day of a date, counted from the year 1; 0 for a time alone."""
    year = parts.get("y")
    if year is None:
        return 0
    if month := parts.get("month"):
        if month.lower() not in _MONTHS:
            raise ValueError(f"there is no month {month}")
        return date(int(year), _MONTHS.index(month.lower()) + 1, int(parts["d"] or 1)).toordinal()
    if one := parts.get("one"):
        day, month_ = (one, parts["two"]) if day_first else (parts["two"], one)
        return date(int(year), int(month_ or 1), int(day or 1)).toordinal()
    return date(int(year), int(parts["m"] or 1), int(parts["d"] or 1)).toordinal()


def _time(parts: dict[str, str | None]) -> int:
    """The nanoseconds since midnight, of UTC where there is a time zone."""
    hour, minute, second = (int(parts.get(name) or 0) for name in ("h", "min", "s"))
    if half := parts.get("half"):
        if not 1 <= hour <= 12:
            raise ValueError("the hour goes from 1 to 12")
        hour = hour % 12 + (12 if half.lower() == "pm" else 0)
    if hour > 24 or minute > 59 or second > 60:
        raise ValueError("there is no such time")
    zone = (parts.get("zone") or "").strip(" ZUTC").replace(":", "")
    shift = (int(zone[1:3]) * 60 + int(zone[3:5])) * (-1 if zone[0] == "-" else 1) if zone else 0
    fraction = int((parts.get("f") or "0").ljust(9, "0"))
    return ((hour * 60 + minute - shift) * 60 + second) * 10**9 + fraction


def _day_first(name: str, texts: Collection[str]) -> bool:
    """Whether 1/2/2024 is in February; DataError where the dates do not tell, or zones differ."""
    marks, largest, zoned = set(), [0, 0], set()
    for text in texts:
        found = _match(text)
        assert found is not None
        parts = found.groupdict()
        zoned.add(bool(parts.get("zone")))
        if parts.get("one"):
            marks.add(parts["mark"])
            largest = [max(largest[0], int(parts["one"])), max(largest[1], int(parts["two"]))]
    hint = "write dates as 2024-02-01"
    if len(zoned) > 1:
        raise DataError("some times have a time zone, others have none", column=name, hint=hint)
    if not marks or marks == {"."}:
        return True
    if largest[0] > 12:
        return True
    if largest[1] > 12:
        return False
    raise DataError("the dates do not tell day from month", column=name, hint=hint)
