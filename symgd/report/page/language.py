"""The language of formulas as the page's engine reads it: Python's own tables, as JSON values.

The engine (`engine/*.js`) holds no list of functions, words, rules or schedules of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from math import isfinite
from typing import Any

from symgd import names
from symgd.analysis.verdicts.sentences import OUTCOMES, PARTS
from symgd.backends import javascript
from symgd.formula import other_names, other_notations
from symgd.formula.functions.derivatives import DERIVATIVES
from symgd.formula.functions.function import Function
from symgd.formula.functions.table import CALLABLE, FUNCTIONS, POWERS, VARIABLES
from symgd.formula.rule_functions import RULE_FUNCTIONS
from symgd.formula.tokens import Limits
from symgd.model.catalogue import CATALOGUE
from symgd.model.schedules import SCHEDULES

#: The modules of the engine, each of which uses those before it.
MODULES = (
    "tables",
    "numbers",
    "tokens",
    "graph",
    "parser",
    "machine",
    "gradient",
    "stable",
    "random",
    "rule",
    "properties",
)

_LONGEST = 1500  # characters of a formula of the table
_BLANKS = re.compile(" +")
_CALLED = re.compile(r"\b([a-z_]\w*)\(")


@cache
def language() -> Mapping[str, Any]:
    """Everything that the engine knows of the language, by name."""
    known = computable()
    return {
        "functions": {n: _row(row) for n, row in FUNCTIONS.items() if n in known},
        "derivatives": {n: _row(row) for n, row in DERIVATIVES.items() if n in known},
        "missing": [n for n, row in CALLABLE.items() if row.name not in known],
        "aliases": {
            n: row.name for n, row in CALLABLE.items() if n != row.name and row.name in known
        },
        "powers": {n: power.exponent for n, power in POWERS.items()},
        "variables": sorted(VARIABLES),
        "ruleFunctions": {n: function.arguments for n, function in RULE_FUNCTIONS.items()},
        "limits": asdict(Limits()),
        "greek": {"".join(names.GREEK): " ".join(names.GREEK.values())},
        "reserved": " ".join(sorted(names.RESERVED)),
        "characters": other_notations.CHARACTERS,
        "words": _lines(other_notations.WORDS),
        "shapes": [
            [pattern.pattern.replace("(?P<", "(?<"), sentence, hint]
            for pattern, _, sentence, hint in other_notations.SHAPES
        ],
        "otherNames": _lines(other_names.FUNCTIONS),
        "rules": [
            [entry.name, entry.kind, _BLANKS.sub(" ", entry.text), dict(entry.defaults)]
            for entry in CATALOGUE.values()
        ],
        "schedules": {n: [entry.text, dict(entry.constants)] for n, entry in SCHEDULES.items()},
        "outcomes": OUTCOMES,
        "parts": PARTS,
    }


def _lines(table: Mapping[str, str]) -> str:
    """Lines `name name ...: value` of a table by name."""
    names_of: dict[str, list[str]] = {}
    for name, value in table.items():
        names_of.setdefault(value, []).append(name)
    return "\n".join(f"{' '.join(found)}: {value}" for value, found in names_of.items())


def computable() -> set[str]:
    """The functions that JavaScript has or that formulas make of such ones."""
    rows = {**FUNCTIONS, **DERIVATIVES}
    known = {n for n in rows if n in javascript.written()} | {"where"}
    while True:
        more = {
            n
            for n, row in rows.items()
            if n not in known
            and 0 < len(row.formula) <= _LONGEST
            and set(_CALLED.findall(row.formula)) <= {*known, "sqrt", "and", "or"}
        }
        if not more:
            return known
        known |= more


def _row(row: Function) -> dict[str, Any]:
    """What the engine reads of a row; what is left out is usual: one argument, no bound, ..."""
    low, high = row.range
    found = {
        "derivative": row.derivative,
        "arity": row.arity if row.arity != (1, 1) else None,
        "formula": "" if row.name in javascript.written() else row.formula,
        "defaults": row.defaults,
        "selects": row.selects,
        "pairwise": row.pairwise,
        "shared": dict(row.shared),
        "two": row.two_argument_derivatives,
        "finite": row.finite_everywhere,
        "kink": bool(row.kink),
        "monotone": row.monotone,
        "order": row.order,
    }
    ends = {"low": low, "high": high}
    return {k: v for k, v in found.items() if v} | {k: v for k, v in ends.items() if isfinite(v)}


def engine_source() -> str:
    """The source of the engine: the tables, the functions of JavaScript, the modules in order."""
    folder = files("symgd.report.page") / "engine"
    functions = javascript.written()
    called = ",".join(n for n in {**FUNCTIONS, **DERIVATIVES} if n in functions)
    parts = [
        f"const T = {script_json(language())};",
        *functions.values(),
        f"const LIBRARY = {{{called}}};",
        *((folder / f"{name}.js").read_text("utf-8") for name in MODULES),
    ]
    return "\n".join(parts)


def script_json(value: Any) -> str:
    """JSON that is safe inside a script: ASCII, without the characters that could end it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
