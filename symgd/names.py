"""Names: what a variable may be called, its one canonical spelling, and how it is shown.

A user's name occurs only here and in printed output. SymPy, its printers and
generated code see `p0`, `p1`, ... (`symgd.formula.nodes.Name`).
"""

from __future__ import annotations

import difflib
import keyword
import re
import unicodedata
from collections.abc import Collection, Iterable

_SPELLED = """
alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau
upsilon phi chi psi omega
""".split()  # noqa: SIM905 - a list literal would say less in 24 lines
_LETTERS = "αβγδεζηθικλμνξοπρστυφχψω"

#: Greek letter -> its spelling. The symbol variants ϑ ϕ ϵ ϱ are the same names.
GREEK: dict[str, str] = {
    **dict(zip(_LETTERS, _SPELLED, strict=True)),
    **{a.upper(): b.capitalize() for a, b in zip(_LETTERS, _SPELLED, strict=True)},
    "ϑ": "theta",
    "ϕ": "phi",
    "ϵ": "epsilon",
    "ϱ": "rho",
    "ς": "sigma",
}

#: Names that would read as a value, a statement or an object of Python, and are refused.
RESERVED: frozenset[str] = frozenset(
    {*keyword.kwlist, "inf", "infinity", "Infinity", "nan", "NaN", "oo", "zoo"}
    | {"true", "false", "null"}
) - {"lambda"}

_GREEK_HEAD = re.compile(rf"([{''.join(GREEK)}])(?=$|[0-9_])")
_PI_BESIDE_LETTER = re.compile(r"[^\W\d_]π|π[^\W\d_]")


def canonical(name: str) -> str:
    """The one spelling of a name: `θ` and `theta` are "theta", `λ_1` is "lambda_1"."""
    return _GREEK_HEAD.sub(lambda m: GREEK[m.group(1)], name, count=1)


def is_name_start(char: str) -> bool:
    """Whether a name may begin with this character (a letter of any script, or `_`)."""
    return char == "_" or unicodedata.category(char)[0] == "L" or char in GREEK


def is_name_char(char: str) -> bool:
    """Whether a name may go on with this character (letter, mark, decimal digit, `_`)."""
    return char == "_" or unicodedata.category(char) in _NAME_CATEGORIES


_NAME_CATEGORIES = {"Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Nd"}


def why_not_a_name(name: str, limit: int = 200) -> tuple[str, str] | None:
    """Why `name` cannot be a variable, as (sentence, hint), or None when it can."""
    if len(name) > limit:
        return f"a name of {len(name)} characters is too long (limit {limit})", "shorten it"
    if name in RESERVED:
        return f"'{name}' is a reserved word, not a variable", "choose another name"
    if name.startswith("__"):
        return f"'{escape(name)}' is not a variable: names do not begin with '__'", ""
    if "ª" in name or "º" in name or "µ" in name:
        plain = unicodedata.normalize("NFKC", name)
        return f"'{escape(name)}' looks like '{plain}' but is another character", f"write {plain}"
    if _PI_BESIDE_LETTER.search(name):
        product = re.sub(r"\*+", "*", name.replace("π", "*π*")).strip("*")
        single = re.sub("_+", "_", name.replace("π", "_pi_")).strip("_")
        sentence = f"'{escape(name)}' has two readings: a product with π, and one name"
        return sentence, f"write {escape(product)}, or {escape(single)} for the name"
    bare = "".join("a" if c in GREEK else c for c in name)
    folded = unicodedata.normalize("NFKC", bare)
    if folded != bare:
        plain = unicodedata.normalize("NFKC", name)
        sentence = f"'{escape(name)}' holds a character that only looks like '{escape(plain)}'"
        return sentence, f"write {escape(plain)}"
    return None


def is_variable(name: str) -> bool:
    """Whether `name` can be typed as a name, without back quotes."""
    if not name or not is_name_start(name[0]) or not all(map(is_name_char, name)):
        return False
    return why_not_a_name(name) is None


def natural(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sort key that puts x2 before x10."""
    parts = re.split(r"(\d+)", name)
    return tuple((0, int(p)) if p.isdecimal() else (1, p) for p in parts if p)


def escape(text: str) -> str:
    """`text` with everything that a terminal would obey or hide written as an escape."""
    return "".join(
        c
        if c.isprintable() and unicodedata.category(c) not in {"Cf", "Co", "Cn", "Cs"}
        else c.encode("unicode_escape").decode("ascii")
        for c in text
    )


def split_outside(text: str, separators: str) -> list[str]:
    """The pieces of a text at these characters, outside of brackets; blank ones are left out."""
    pieces, depth = [""], 0
    for char in text:
        depth += (char in "([") - (char in ")]")
        if char in separators and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += char
    return [piece.strip() for piece in pieces if piece.strip()]


def counted(count: int, noun: str) -> str:
    """The count with its noun, singular or plural: 1 row, 1,000 rows."""
    return f"{count:,} {noun}" if abs(count) == 1 else f"{count:,} {noun}s"


def suggest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The words "did you mean 'beta1'?" when another known name is near, else ""."""
    near = nearest(name, known, cutoff)
    return f"did you mean '{escape(near)}'?" if near else ""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The known name, another one, that is nearest; "" where none is near.

    cutoff: the similarity by which a name is near, of difflib; letters that changed places are.
    """
    others = [k for k in known if k != name]
    moved = [k for k in others if sorted(k) == sorted(name)]
    near = moved or difflib.get_close_matches(name, others, n=1, cutoff=cutoff)
    return near[0] if near else ""


def unknown(what: str, name: str, known: Collection[str]) -> str:
    """The message for a name that is none of the known ones: `what` 'name'; a hint."""
    hint = suggest(name, known) or f"it has {escape(', '.join(known)) or 'none'}"
    return f"{what} '{escape(name)}'; {hint}"
