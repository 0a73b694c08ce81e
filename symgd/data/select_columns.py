"""The columns of a table source by the names in a formula."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from symgd.data.source import SelectedColumn
from symgd.errors import DataError, excerpt
from symgd.names import canonical

_LISTED = 12  # names that an error lists


def select_columns(
    requested: Iterable[str] | None, names: Sequence[str], source: str
) -> list[SelectedColumn]:
    """The columns of the requested names, each once, in that order; None: all with a name.

    A name matches exactly, or else by its canonical spelling: `θ` is "theta", as in formulas.
    """
    if requested is None:
        return [SelectedColumn(index, name) for index, name in enumerate(names) if name]
    if isinstance(requested, str):
        requested = [requested]
    return [SelectedColumn(_find(name, names, source), name) for name in dict.fromkeys(requested)]


def check_names(names: Sequence[str], source: str, line: int | None = None) -> None:
    """DataError if two columns have the same name."""
    for name, count in Counter(names).items():
        if name and count > 1:
            places = [str(k + 1) for k, other in enumerate(names) if other == name]
            sentence = f"{count} columns have this name (numbers {_enumerate(places)})"
            hint = "give every column a name of its own"
            raise DataError(sentence, column=name, line=line, source=source, hint=hint)


def refuse_names(names: Sequence[str] | None, source: str) -> None:
    """DataError if names are given to a table whose columns have names."""
    if names is not None:
        raise DataError("its columns have names already: leave --columns out", source=source)


def check_width(names: Sequence[str], width: int, source: str) -> None:
    """DataError if there are not as many names as columns."""
    if len(names) != width:
        raise DataError(f"{len(names)} names are given to {width} columns", source=source)


def _find(name: str, names: Sequence[str], source: str) -> int:
    matches = [k for k, other in enumerate(names) if other and _spelling(other) == _spelling(name)]
    exact = [k for k in matches if names[k] == name]
    if len(exact) == 1:
        return exact[0]
    if len(matches) > 1:
        listed = _enumerate([f"'{excerpt(names[k])}'" for k in matches])
        sentence, hint = f"{listed} are one name in a formula", "rename one of the columns"
        raise DataError(sentence, column=name, source=source, hint=hint)
    if not matches:
        shown = [f"'{excerpt(other, 40)}'" for other in names if other]
        verb = "is" if len(shown) == 1 else "are"
        sentence = f"there is no column '{excerpt(name)}'; there {verb} {_enumerate(shown)}"
        raise DataError(sentence, source=source, hint=_advice(name, names))
    return matches[0]


def _spelling(name: str) -> str:
    return canonical(unicodedata.normalize("NFC", name.strip()))


def _advice(name: str, names: Sequence[str]) -> str:
    """The existing name closest to `name`, or a remark on the delimiter, or ""."""
    by_folded_name: dict[str, str] = {}
    for other in names[:10_000]:
        if other and len(other) < 200:
            by_folded_name.setdefault(other.casefold(), other)
            by_folded_name.setdefault(other.lstrip("# \t").split(" (")[0].casefold(), other)
    close = difflib.get_close_matches(name[:200].casefold(), list(by_folded_name), n=1, cutoff=0.6)
    if close:
        return f"did you mean '{excerpt(by_folded_name[close[0]])}'?"
    if len(names) != 1 or not (len(names[0].split()) > 1 or "|" in names[0]):
        return ""
    mark = "spaces" if len(names[0].split()) > 1 else "|"
    return f"cells are separated by commas, semicolons or tabs, not by {mark}"


def _enumerate(items: Sequence[str]) -> str:
    if len(items) > _LISTED:
        return ", ".join(items[:_LISTED]) + f", … ({len(items):,} in all)"
    if len(items) > 1:
        return ", ".join(items[:-1]) + " and " + items[-1]
    return items[0] if items else "none with a name"
