"""Scripts and styles without what only people read: comments, blanks, long private names.

For our own scripts only, which keep to what is assumed here: statements end in a semicolon, no
template within a template, and a name that is private is never spelled like a property.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import product
from string import ascii_letters
from typing import Any

# Strings, templates, and regular expressions where an expression begins.
_KEPT = re.compile(
    r'"(?:\\.|[^"\\\n])*"|`[^`]*`|(?<=[(,] )/(?:\\.|[^/\\\n])+/|(?<=\()/(?:\\.|[^/\\\n])+/'
)
_HOLE = re.compile(r"\$\{([^}]*)\}")
_BLANK = re.compile(r" *(\+\+|--|=>|[{}()\[\];,:?=<>*/%&|!]) *")
_SIGN = re.compile(r"(?<![+-]) *([+-]) *(?![+-])")
_NAME = re.compile(r"(?<![\w$])(?<!(?<!\.\.)\.)[A-Za-z]\w*")  # but for a spread, no property
_PROPERTY = re.compile(r"(?<!\.\.)\.([A-Za-z]\w*)|([A-Za-z]\w*)(?=\s*:)")
_FIELD = re.compile(r"(?<!\.\.)\.([A-Za-z]\w*)")
_LISTED = re.compile(r"\{([\w\s,]+)\}")  # { rows, why }: names and properties at once
# Our own properties; none is one of the browser's or of JavaScript's that the scripts use.
_FIELDS = tuple(
    """
    axes constants gradient hyper linear loss minimum norm observed params predicted rows rule rules
    runs shown spans stale states steps whole
    """.split()  # noqa: SIM905
)
_SHORT_FIELDS = {name: f"_{letter}" for name, letter in zip(_FIELDS, ascii_letters, strict=False)}
_KNOWN = frozenset(
    """
    break case catch const continue default do else false finally for function if in instanceof let
    new null of return switch this throw true try typeof undefined var void while Array Boolean
    Infinity Math NaN Number Object Set String URLSearchParams clearInterval clearTimeout document
    encodeURIComponent getComputedStyle history location parseInt requestAnimationFrame setInterval
    setTimeout window await async
    """.split()  # noqa: SIM905 - a list literal would take five times the lines
)


def small_script(source: str) -> str:
    """JavaScript with fewer characters that does the same."""
    lines = (line.strip() for line in source.splitlines())
    text = "\n".join(_together(line for line in lines if line and not line.startswith("//")))
    out = _shortened(text, _short_names(text) | _SHORT_FIELDS)
    for end in (";\n", "{\n", "}\n"):
        out = out.replace(end, end[0])
    return "let M=Math;" + out.replace(";}", "}")


def _together(lines: Iterable[str]) -> Iterator[str]:
    """The lines; declarations that follow each other, each alone on its line, become one."""
    held = ""
    for line in lines:
        word, _, rest = line.partition(" ")
        single = word in ("const", "let") and line.count(";") == 1 and line.endswith(";")
        if single and held:
            held = f"{held[:-1]}, {rest}"
            continue
        yield from [held] if held else []
        held = line if single else ""
        yield from [] if single else [line]
    yield from [held] if held else []


def small_style(source: str) -> str:
    """CSS with fewer characters."""
    text = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL))
    text = re.sub(r" *([{};,]) *|(?<=:) ", lambda m: m.group(1) or "", text)
    return text.replace(";}", "}").strip()


def small_keys(value: Any) -> Any:
    """JSON data whose keys are spelled as `small_script` spells the properties."""
    if isinstance(value, dict):
        return {_SHORT_FIELDS.get(key, key): small_keys(item) for key, item in value.items()}
    return [small_keys(item) for item in value] if isinstance(value, (list, tuple)) else value


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """(whether it is code, the piece): strings, templates and regular expressions are not."""
    end = 0
    for match in _KEPT.finditer(text):
        yield True, text[end : match.start()]
        yield False, match.group()
        end = match.end()
    yield True, text[end:]


def _code(text: str) -> str:
    """The code of the text, that in the holes of templates included."""
    pieces: list[str] = []
    for code, piece in _parts(text):
        if code:
            pieces.append(piece)
        elif piece[0] == "`":
            pieces += map(_code, _HOLE.findall(piece))
    return "\n".join(pieces)


def _short_names(text: str) -> dict[str, str]:
    """A name of two letters for every longer private one, the frequent ones first."""
    code = _code(text)
    public = {name for pair in _PROPERTY.findall(code) for name in pair}
    public |= {name for group in _LISTED.findall(code) for name in re.findall(r"\w+", group)}
    counts = Counter(_NAME.findall(code))
    taken = counts.keys() | _KNOWN
    fresh = (a + b for a, b in product(ascii_letters, repeat=2) if a + b not in taken)
    private = [n for n, _ in counts.most_common() if len(n) > 2 and n not in public | _KNOWN]
    return dict(zip(private, fresh, strict=False))


def _renamed(code: str, short: dict[str, str]) -> str:
    code = _NAME.sub(lambda m: short.get(m.group(), m.group()), code)
    return _FIELD.sub(lambda m: "." + _SHORT_FIELDS.get(m[1], m[1]), code)


def _shortened(text: str, short: dict[str, str]) -> str:
    """The text with its code shortened: strings stay, and templates but for their holes."""
    out = []
    for code, piece in _parts(text):
        if code:
            piece = _squeezed(_renamed(piece, short))
        elif piece[0] == "`":
            piece = _HOLE.sub(lambda m: "${" + _shortened(m[1], short) + "}", piece)
        out.append(piece)
    return "".join(out)


def _squeezed(code: str) -> str:
    code = _SIGN.sub(r"\1", _BLANK.sub(r"\1", code))
    code = re.sub(r"\bconst\b(?=[ {\[])", "let", re.sub(r"\bMath\b", "M", code))
    code = re.sub(r"\bwindow\.|(?<![\w.])0(?=\.\d)", "", code)
    return re.sub(r"(?<!\w)\((\w+)\)=>", r"\1=>", code)
