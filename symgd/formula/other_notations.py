"""What to write in place of the notation of other languages: where a text failed to parse.

Nothing here accepts a text. A known shape (lambda x: ..., f(x) = ..., a if c else b, np.exp, ...)
makes the message of its error; characters and words have a table each, functions and the letters
of rules those of `symgd.formula.other_names`.
"""

from __future__ import annotations

import re

from symgd.formula.other_names import function_meaning

_LOOKED_AT = 500  # characters of a text in which a shape is looked for
_QUOTED = 60  # characters of the text that a hint repeats

_MODULES = "np|numpy|jnp|math|cmath|torch|tf|scipy|special|stats|sp|sympy|F|nn|K|ops|Math|std"
_ONLY = "write only the expression"

# Shape, the group whose beginning the error points at, sentence, hint (over the groups).
SHAPES: tuple[tuple[re.Pattern[str], str, str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), place, sentence, hint)
    for pattern, place, sentence, hint in (
        (r"\s*[^~=<>]*[\w)\]`]\s*(?P<at>~)(?P<body>.+)", "at",
         "'~' is not part of a formula: a model has = and all its parameters",
         "write for example y = a*x + b"),
        (r"\s*(?P<at>lambda)\b[^:=]*:(?P<body>.+)", "at",
         "a formula is written without lambda", "write {body}"),
        (r"\s*(?P<at>def)\s[^:]*:(?:\s*return\b)?(?P<body>.+)", "at",
         "'def' is a reserved word: a formula is one expression", "write {body}"),
        (r"\s*(?P<at>return)\b(?P<body>.+)", "at",
         "'return' is a reserved word: a formula is one expression", "write {body}"),
        (r"[\w(, )]*?(?P<at>[-=]>|[→↦])(?P<body>.*[^\W\d].*)", "at",
         "a formula is written without an arrow", "write {body}"),
        (r".*?(?P<at>=[<>])", "at",
         "'{at}' is not part of a formula", "in a condition write <= or >="),
        (r"\s*(?P<at>minimi[sz]e)\s+(?P<body>.+)", "at",
         "a loss is written without a verb", "write {body}"),
        (r"(?:.*[(\[,])?(?P<a>[^()\[\],]+?)\s(?P<at>mod)\s(?P<b>[^()\[\],]+)", "at",
         "mod is a function of two arguments", "write mod({a}, {b})"),
        (r"\s*(?P<at>if)\b(?P<c>.+?):(?P<a>.+?)\belse\b(?P<b>.+)", "at",
         "'if' is a reserved word, not a variable", "write where({c}, {a}, {b})"),
        (r"(?P<a>[^=<>]+)\s(?P<at>if)\b(?P<c>.+?)\belse\b(?P<b>.+)", "at",
         "'if' is a reserved word, not a variable", "write where({c}, {a}, {b})"),
        (r"(?P<c>[^?]*[<>=][^?]*)(?P<at>\?)(?P<a>[^:]+):(?P<b>.+)", "at",
         "'?' is not part of a formula", "write where({c}, {a}, {b})"),
        (r"\s*(?P<at>[^\W\d]\w*\s*\([^()=<>]*\)\s*:?=)(?!=)(?P<body>.+)", "at",
         "a loss is written without a name and arguments before it", "write {body}"),
        (r"[^=<>]*?(?P<at>(?:\*\*|//|[-+*/^])=)(?!=)(?P<body>.+)", "at",
         "'{at}' assigns, and a loss is one expression",
         "write only the expression; only a rule assigns: theta = theta - lr*g"),
        (r"\s*[^\W\d]\w*\s*(?P<at>:?=)(?!=)(?P<body>.+)", "at",
         "'{at}' is not part of a formula: a loss is one expression, only a rule assigns",
         "write {body}"),
        (r"(?P<a>[^=<>!(]*\w[^=<>!(]*?)\s*(?P<at>=)(?!=)(?P<body>.+)", "at",
         "'=' is not part of a formula: a loss is one expression, only a rule assigns",
         "for an equation, write ({a} - ({body}))^2"),
        (rf".*?(?<!\w)(?P<at>(?:{_MODULES})\s*\.(?:\w+\.)*)\s*(?P<body>[^\W\d]\w*)", "at",
         "functions are written without a module", "write {body}, not {at}{body}"),
        (r".*?(?P<x>[^\W\d]\w*)(?P<at>\.)(?P<body>[^\W\d]\w*)\(\)", "at",
         "'.' is not part of a formula: there are no methods", "write {body}({x})"),
        (r".*?(?P<at>(?<!\.)\.)(?P<body>[^\W\d]\w*)\(", "at",
         "'.' is not part of a formula: there are no methods", "write {body}(...)"),
    )
)  # fmt: skip


def known_shape(text: str) -> tuple[int, str, str] | None:
    """(column, sentence, hint) of a text in the notation of another language, or None."""
    head = text[:_LOOKED_AT]
    for pattern, place, sentence, hint in SHAPES:
        if (found := pattern.match(head)) is None:
            continue
        parts = {name: part.strip(" \t\r\n,:") for name, part in found.groupdict().items()}
        parts["at"] = found["at"].strip()
        short = len(text) <= _LOOKED_AT and sum(map(len, parts.values())) <= _QUOTED
        hint_text = hint.format(**parts) if short or "{" not in hint else _ONLY
        if "module" in sentence:
            hint_text = function_meaning(parts["body"]) or hint_text
        return found.start(place), sentence.format(**parts), hint_text
    return None


# -- characters -----------------------------------------------------------------------------

#: Hints for characters that are not part of the language.
CHARACTERS = {
    "=": "a loss is one expression; only a rule assigns (name = expression)",
    "!": "there is no factorial; write gamma(n + 1)",
    "[": "there are no lists or subscripts; use names such as x1, x2",
    "]": "there are no lists or subscripts; use names such as x1, x2",
    "{": "use round parentheses",
    "}": "use round parentheses",
    ".": "there are no attributes; a decimal number needs a digit",
    ";": "write one expression",
    ":": "a range is written i=1..n",
    "&": "write and between two conditions",
    "~": "write -x for the negative, not before a condition",
    "\\": "formulas are not LaTeX; write sqrt(x), x/y, alpha",
    "$": "formulas are not LaTeX; write the formula without $",
    "'": "a text in quotes stands only beside == or !=",
    '"': "a text in quotes stands only beside == or !=",
    "#": "a formula holds no comments",
    "@": "write dot(a, b) or matmul(A, b)[i] of arrays, or x1*y1 + x2*y2",
    "?": "a choice is written where(condition, a, b)",
    "∞": "infinity is not a number that a loss can use",
    "∑": "write sum(x[i], i=1..n), or sum(...) over the rows of data",
    "Σ": "write sum(x[i], i=1..n), or sum(...) over the rows of data",
    "∏": "write prod(x[i], i=1..n), or the factors joined by *",
    "∇": "in a rule the gradient is g; a loss is differentiated for you",
    "∂": "a loss is differentiated for you; in a rule the gradient is g",
    "∫": "there are no integrals",
    "∛": "write cbrt(x)",
    "∗": "write *",
    "•": "write *",
    "±": "write + or -",
    "‖": "write hypot(x, y) for a length, |x| for a magnitude",
    "…": "write every term out, or sum(x[i], i=1..9)",
    "½": "write 0.5",
    "¼": "write 0.25",
    "¾": "write 0.75",
    "←": "a line of a rule is name = expression",
    "→": "a loss is one expression",
    "\u00a0": "it is a no-break space; type a plain space",
    "\ufeff": "it is an invisible byte order mark; delete it",
}
_SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")
_PERCENTAGE = re.compile(r"(?P<number>[0-9][0-9_.eE]*)\s*$")


def character_hint(text: str, at: int) -> str:
    """What to write in place of the character at this position, or ""."""
    char = text[at]
    if char == "%":
        return _percent_hint(text, at)
    if char == "." and text[at + 1 : at + 2] == ".":
        return "write every term out, or sum(x[i], i=1..9)"
    if char == "=" and text[:at].count("(") > text[:at].count(")"):
        return "in a condition write =="
    if char == "!" and text[at + 1 : at + 2].strip():
        return "write not before a condition"
    if char in "₀₁₂₃₄₅₆₇₈₉":
        return f"write the number after the name: x{char.translate(_SUBSCRIPTS)}"
    if char == "'" and text[max(0, at - 1) : at].isalnum():
        return "a loss is differentiated for you; another name is x1 or x_new"
    return CHARACTERS.get(char, "")


def _percent_hint(text: str, at: int) -> str:
    """A percentage where no operand follows, else the rest of a division."""
    before = _PERCENTAGE.search(text[max(0, at - 40) : at])
    after = text[at + 1 :].lstrip()[:1]
    operand = bool(after) and (after.isalnum() or after in "(_.|√")
    if before is not None and not operand:
        return f"a percentage is written as a fraction: {before['number']}/100"
    return "there is no remainder operator; write mod(x, n)"


# -- words ----------------------------------------------------------------------------------

_CHOICE = "a choice is written where(condition, a, b)"
_LOOPS = "there are no loops; write sum(x[i], i=1..n), or sum(...) over the rows of data"
WORDS = {
    **dict.fromkeys(("if", "else", "elif"), _CHOICE),
    **dict.fromkeys(("for", "in", "while"), _LOOPS),
    **dict.fromkeys(("def", "return", "class", "import", "from"), _ONLY),
    **dict.fromkeys(("inf", "infinity", "Infinity", "oo", "zoo"), CHARACTERS["∞"]),
    **dict.fromkeys(("nan", "NaN"), "nan is not a number that a loss can use"),
    **dict.fromkeys(("true", "True", "false", "False"), "a condition is a comparison: x > 0"),
    "is": "write == in a condition",
}


def word_hint(word: str) -> str:
    """What to write in place of a reserved word."""
    return WORDS.get(word, "choose another name")
