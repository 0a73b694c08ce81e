"""The docstrings as reStructuredText: they are plain prose where arguments stand as `name: ...`."""

import inspect
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from sphinx.application import Sphinx

_NAMES = re.compile(r"(?:^|(?<=[.;:,)] ))((?:[a-z_]\w*, )*[a-z_]\w*): ")


def _known(what: str, found: Any) -> set[str]:
    """Names that a docstring may explain: parameters, fields, attributes, columns of what it is."""
    names = set(dir(found)) if what in ("class", "exception") else set()
    if what in ("class", "exception"):
        names |= {n for base in found.__mro__ for n in getattr(base, "__annotations__", {})}
    with suppress(TypeError, ValueError):  # what has no signature
        names |= set(inspect.signature(found).parameters)
    return names


def _escaped(text: str) -> str:
    """Plain text; what stands in single backquotes is code."""
    parts = text.split("`")
    plain = [re.sub(r"([\\*|]|_(?=\W|$))", r"\\\1", part) for part in parts]
    if len(parts) % 2 == 0:
        return re.sub("`", r"\\`", "`".join(plain))
    return "``".join(part if i % 2 else plain[i] for i, part in enumerate(parts))


def _paragraph(text: str, known: set[str]) -> Iterator[str]:
    """One paragraph: prose, then a list entry for each explained name."""
    places = [m for m in _NAMES.finditer(text) if known.issuperset(m[1].split(", "))]
    ends = [*(m.start() for m in places[1:]), len(text)]
    before = text[: places[0].start()].strip() if places else text
    if before:
        yield from [_escaped(before), ""]
    for match, end in zip(places, ends, strict=False):
        names = ", ".join(f"``{name}``" for name in match[1].split(", "))
        yield f"* {names}: {_escaped(text[match.end() : end].strip())}"
    yield ""


def rewrite(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    """Replace the lines of a docstring by reStructuredText."""
    known, result = _known(what, found), []
    for block in re.split(r"\n\s*\n", "\n".join(lines).strip("\n")):
        examples = block.find(">>> ")
        prose = block if examples < 0 else block[:examples]
        if prose.strip():
            result += _paragraph(" ".join(prose.split()), known)
        if examples >= 0:
            result += [*block[examples:].splitlines(), ""]
    lines[:] = result


def setup(app: Sphinx) -> dict[str, bool]:
    """Rewrite each docstring as it is read."""
    app.connect("autodoc-process-docstring", rewrite)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
