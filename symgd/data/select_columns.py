"""The names that a formula wants -> columns of a source."""

from __future__ import annotations

import difflib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from symgd.data.source import Pick
from symgd.errors import DataError, excerpt
from symgd.names import canonical

_LISTED = 12  # names that an error lists


def bind(wanted: Iterable[str] | None, names: Sequence[str], source: str) -> list[Pick]:
    """The columns of the wanted names, each once, in that order; all named ones for None.

    A name is found as it is written, or else by its spelling: `θ` is "theta" as in formulas.
    """
    if wanted is None:
        return [Pick(index, name) for index, name in enumerate(names) if name]
    if isinstance(wanted, str):
        wanted = [wanted]
    return [Pick(_find(name, names, source), name) for name in dict.fromkeys(wanted)]


def check_names(names: Sequence[str], source: str, line: int | None = None) -> None:
    """Refuse a name that stands above two columns. Columns without a name cannot be reached."""
    for name, count in Counter(names).items():
        if name and count > 1:
            places = [str(k + 1) for k, other in enumerate(names) if other == name]
            raise DataError(
                f"{count} columns have this name (numbers {_list(places)})",
                column=name,
                line=line,
                source=source,
                hint="give every column a name of its own",
            )


def _find(name: str, names: Sequence[str], source: str) -> int:
    alike = [k for k, other in enumerate(names) if other and _spelling(other) == _spelling(name)]
    exact = [k for k in alike if names[k] == name]
    if len(exact) == 1:
        return exact[0]
    if len(alike) > 1:
        both = _list([f"'{excerpt(names[k])}'" for k in alike])
        raise DataError(
            f"{both} are one name in a formula",
            column=name,
            source=source,
            hint="rename one of the columns",
        )
    if not alike:
        shown = _list([f"'{excerpt(other, 40)}'" for other in names if other])
        raise DataError(
            f"there is no column '{excerpt(name)}'; there {_is_or_are(names)} {shown}",
            column=None,
            source=source,
            hint=_advice(name, names),
        )
    return alike[0]


def _spelling(name: str) -> str:
    return canonical(unicodedata.normalize("NFC", name.strip()))


def _is_or_are(names: Sequence[str]) -> str:
    return "is" if sum(map(bool, names)) == 1 else "are"


def _advice(name: str, names: Sequence[str]) -> str:
    near = _near(name, names)
    if near:
        return f"did you mean '{excerpt(near)}'?"
    if len(names) == 1 and len(names[0].split()) > 1:
        return "cells are separated by commas, semicolons or tabs, not by spaces"
    if len(names) == 1 and "|" in names[0]:
        return "cells are separated by commas, semicolons or tabs, not by |"
    return ""


def _near(name: str, names: Sequence[str]) -> str:
    """The existing name that may have been meant, or ""."""
    folded: dict[str, str] = {}
    for other in names[:10_000]:
        if other and len(other) < 200:
            folded.setdefault(other.casefold(), other)
            folded.setdefault(other.lstrip("# \t").split(" (")[0].casefold(), other)
    found = difflib.get_close_matches(name[:200].casefold(), list(folded), n=1, cutoff=0.6)
    return folded[found[0]] if found else ""


def _list(items: Sequence[str]) -> str:
    if len(items) > _LISTED:
        return ", ".join(items[:_LISTED]) + f", … ({len(items):,} in all)"
    if len(items) > 1:
        return ", ".join(items[:-1]) + " and " + items[-1]
    return items[0] if items else "none with a name"
