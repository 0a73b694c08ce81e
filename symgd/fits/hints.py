"""What the names in a model suggest: a column misspelled, a product without *, quotes left out."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace

from symgd import names
from symgd.errors import FormulaError

_QUOTED = re.compile(r"`[^`]*`")
_EULER = re.compile(r"(?<![\w.])e(?![\w(])(?!\s*(?:\^|\*\*))")


def quote_columns(error: FormulaError, columns: Iterable[str]) -> FormulaError:
    """The error with the hint to write a column in back quotes, if it stands in the text bare."""
    bare = bare_columns(error.text, columns)
    if not bare:
        return error
    return replace(error, hint=f"write `{names.escape(bare[0])}`, in back quotes, for the column")


def bare_columns(text: str, columns: Iterable[str]) -> list[str]:
    """The columns that need back quotes and stand in the text without, the longest first."""
    unquoted = _QUOTED.sub(" ", text)
    odd = [c for c in columns if not names.is_variable(c) and not c.isdecimal() and len(c) > 1]
    found = [c for c in odd if re.search(rf"(?<!\w){re.escape(c)}(?!\w)", unquoted)]
    return sorted(found, key=len, reverse=True)


def check_sides(
    text: str,
    left: Collection[str],
    right: Collection[str],
    params: Sequence[str],
    all_: Sequence[str],
) -> None:
    """FormulaError for a model of a column by itself, or of no column where one seems meant.

    left, right: the columns on either side. params: the names that are none. all_: of the data.
    """
    at = text.find("=") + 1
    if len(left) == 1 and set(left) <= set(right):
        (name,) = left
        shown = names.escape(name)
        place = at + max(0, text[at:].find(name))
        hint = "the model of a column is made from other columns"
        raise FormulaError(text, place, f"{shown} stands on both sides", hint)
    if not right:
        meant = dict(_meant(params, [c for c in all_ if c not in left]))
        for name, hint in meant.items():
            place = at + max(0, text[at:].find(name))
            raise FormulaError(text, place, "there is no column on the right side", hint)


def name_remarks(
    text: str, params: Sequence[str], read: Collection[str], all_: Sequence[str]
) -> list[str]:
    """Sentences about parameters that may be meant as columns, and about e.

    params: all parameters. read: the columns in the model. all_: those of the data.
    """
    unread = [c for c in all_ if c not in read]
    found = [f"{names.escape(p)} is a parameter; {h}" for p, h in _meant(params, unread, read)]
    for name in bare_columns(text, unread):
        shown = names.escape(name)
        found.append(f"{shown} was read as a formula; the column is written `{shown}`")
    if "e" not in params and "e" not in read and _EULER.search(_QUOTED.sub(" ", text)):
        found.append("e is Euler's number 2.718...; with --start e=1 it is a parameter")
    return found


def _meant(
    params: Sequence[str], unread: Sequence[str], read: Collection[str] = ()
) -> Iterator[tuple[str, str]]:
    """(parameter, what may have been meant by it): a product with a column, or a column.

    In a model that reads columns sx is the s of x, unless there is an s.
    """
    known = {*params, *unread, *read} if len(read) > 1 else None
    for name in params:
        plain = name.partition("[")[0]
        near = next((c for c in unread if _is_near(plain, c)), None)
        product = _product(plain, [*unread, *read], known)
        if near is not None:
            yield name, f"did you mean the column {names.escape(near)}?"
        elif product is not None:
            yield name, f"did you mean {product}?"


def _is_near(name: str, column: str) -> bool:
    """Whether a name differs from that of a column by case, _, or one letter of five or more."""
    one, other = (text.casefold().replace("_", "") for text in (name, column))
    if one == other:
        return True
    return min(len(one), len(other)) > 4 and bool(names.suggest(one, [other], 0.85))


def _product(name: str, columns: Sequence[str], known: Collection[str] | None) -> str | None:
    """The product of one letter and a column, where the name is both without a sign.

    known: what the letter may be; None: any.
    """

    def fits(letter: str) -> bool:
        return letter.isalpha() and (known is None or letter in known)

    for column in columns:
        if name == f"{name[:1]}{column}" and fits(name[:1]):
            return f"{name[0]}*{column}"
        if name == f"{column}{name[-1:]}" and fits(name[-1:]):
            return f"{column}*{name[-1]}"
    return None
