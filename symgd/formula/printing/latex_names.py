"""Print names in LaTeX math mode, escaped: no user text becomes a command."""

from __future__ import annotations

from symgd import names

_LETTERS = frozenset(names.GREEK.values()) - {"omicron"}
_SPECIAL = {
    "\\": r"\backslash{}", "{": r"\{", "}": r"\}", "_": r"\_", "$": r"\$", "%": r"\%",
    "&": r"\&", "#": r"\#", "^": r"\^{}", "~": r"\~{}", "<": r"\lt{}", ">": r"\gt{}",
}  # fmt: skip
_CAPITALS = frozenset(
    {"Gamma", "Delta", "Theta", "Lambda", "Xi", "Pi", "Sigma", "Upsilon", "Phi", "Psi", "Omega"}
)


def latex_name(name: str, index: str = "") -> str:
    r"""A name: theta_1 is \theta_{1}, x2 is x_{2}, long names upright; index: row subscript."""
    head, mark, tail = name.partition("_")
    digits = head[len(head.rstrip("0123456789")) :]
    stem = head[: len(head) - len(digits)] if digits else head
    under = ",".join(filter(None, [digits, escape(tail) if mark else "", index]))
    if stem in _LETTERS:
        core = _greek(stem)
    elif len(stem) == 1 and stem.isalpha() and stem.isascii():
        core = stem
    else:
        return rf"\mathrm{{{escape(name)}}}" + (f"_{{{index}}}" if index else "")
    return f"{core}_{{{under}}}" if under else core


def _greek(spelled: str) -> str:
    upright = spelled[0].isupper() and spelled not in _CAPITALS
    return rf"\mathrm{{{spelled[0]}}}" if upright else rf"\{spelled}"


def escape(text: str) -> str:
    """`text` with LaTeX's special characters escaped."""
    return "".join(_SPECIAL.get(c, c) for c in names.escape(text))
