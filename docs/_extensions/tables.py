"""The tables of the package as Markdown: a line `{{ rules }}` of a page becomes the catalogue."""

import json
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from typer.main import get_command
from typer.testing import CliRunner

from symgd.analysis.verdicts.sentences import OUTCOMES
from symgd.cli.app import app as command_line
from symgd.descent.methods import METHODS
from symgd.formula.functions.table import FUNCTIONS, POWERS, VARIABLES
from symgd.formula.rule_functions import RULE_FUNCTIONS
from symgd.model.catalogue import CATALOGUE
from symgd.model.rule_entries.catalogue_entry import Entry
from symgd.model.schedules import SCHEDULES

_ROOT = Path(__file__).parents[2]
_SCHEMAS = _ROOT / "docs" / "schemas" / "outputs.json"


def _table(head: str, rows: Iterable[Iterable[str]]) -> str:
    """A table of Markdown; head: the titles of its columns, separated by |."""
    cells = [[cell.replace("|", "\\|") for cell in row] for row in rows]
    rule = "|".join("---" for _ in head.split("|"))
    return "\n".join([f"| {head} |", f"|{rule}|", *(f"| {' | '.join(row)} |" for row in cells)])


def _code(texts: Iterable[str]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


def _prose(text: str) -> str:
    """Text with its addresses as links, and nothing else that Markdown would read."""
    text = re.sub(r"([\\*_<>$\[\]`{}])", r"\\\1", text)
    return re.sub(r"https?://[^\s;,]*[^\s;,.)]", lambda m: f"<{m[0].replace(chr(92), '')}>", text)


def functions() -> str:
    """Every function that a formula may call."""
    rows = [(f"`{name}{p.signature}`", _prose(p.doc), _code([p.also] if p.also else []), "")
            for name, p in POWERS.items()]  # fmt: skip
    rows += [(f"`{f.signature}`", _prose(f.doc), _code(f.aliases), _prose(f.kink))
             for f in FUNCTIONS.values()]  # fmt: skip
    return _table("call|value|also|derivative at kinks and jumps", rows)


def variables() -> str:
    """Names that are functions only before a parenthesis."""
    return _code(sorted(VARIABLES, key=str.casefold))


def rule_functions() -> str:
    """Functions that only rules have."""
    return _table(
        "call|meaning",
        ((f"`{name}({f.arguments})`", _prose(f.meaning)) for name, f in RULE_FUNCTIONS.items()),
    )


def _entry(entry: Entry) -> str:
    defaults = _code(f"{name} = {value!r}" for name, value in entry.defaults.items())
    usual = f"Usual learning rate `{entry.lr!r}`" if entry.kind == "rule" else ""
    facts = "; ".join(filter(None, [usual, f"defaults {defaults}" if defaults else ""]))
    return "\n\n".join(
        filter(
            None,
            [
                f"### {_prose(entry.name)}",
                _prose(entry.title),
                f"```\n{entry.text}\n```",
                facts + "." if facts else "",
                f"*Source:* {_prose(entry.source)}",
                f"*Where others differ:* {_prose(entry.note)}" if entry.note else "",
            ],
        )
    )


def rules() -> str:
    """The catalogue: an overview, then the equations of each entry."""
    titles = {"rule": "Rules", "prefix": "Prefixes", "suffix": "Suffixes"}
    parts = []
    for kind, title in titles.items():
        entries = [e for e in CATALOGUE.values() if e.kind == kind]
        parts += [f"## {title}", *map(_entry, entries)]
    return "\n\n".join(parts)


def overview() -> str:
    """The names of the catalogue with their titles."""
    rows = ((f"[`{e.name}`](#{e.name.replace('_', '-')})", e.kind, _prose(e.title))
            for e in CATALOGUE.values())  # fmt: skip
    return _table("name|kind|what it is", rows)


def schedules() -> str:
    """The named learning-rate schedules."""
    rows = ((f"`{s.call}`", _prose(s.title), f"`{s.text}`", _prose(s.source))
            for s in SCHEDULES.values())  # fmt: skip
    return _table("call|what it does|formula|source", rows)


def methods() -> str:
    """The solvers."""
    return _table("name|what it does", ((f"`{n}`", _prose(m.text)) for n, m in METHODS.items()))


def outcomes() -> str:
    """The kinds of verdicts and their sentences."""
    return _table("kind|sentence", ((f"`{kind}`", f"`{text}`") for kind, text in OUTCOMES.values()))


def schemas() -> str:
    """What `--format json` prints: a table of keys for each command."""
    parts, known = [], json.loads(_SCHEMAS.read_text("utf-8"))["$defs"]
    for name, schema in known.items():
        found = schema.get("items", schema)
        rows = [
            (f"`{key}`", _type(value), value.get("description") or _described(value, known))
            for key, value in found.get("properties", {}).items()
        ]
        parts += [
            f"## {name}",
            schema["description"],
            _table("key|type|meaning", rows) if rows else "",
        ]
    return "\n\n".join(filter(None, parts))


def _described(schema: dict[str, Any], known: dict[str, Any]) -> str:
    name = schema.get("$ref", "").rpartition("/")[2]
    return str(known[name]["description"]) if name else ""


def _type(schema: dict[str, Any]) -> str:
    """The type that a schema allows, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.replace('_', '-')})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    names = schema.get("type", "any")
    text = " or ".join([names] if isinstance(names, str) else names)
    return f"{text} of {_type(schema['items'])}" if schema.get("items") else text


def examples() -> str:
    """The scripts of `examples/`, whole."""
    paths = sorted((_ROOT / "examples").glob("*.py"))
    include = "```{literalinclude} ../../examples/%s\n:language: python\n```"
    return "\n\n".join(f"## {path.stem}\n\n{include % path.name}" for path in paths)


def tour() -> str:
    """The notebook `docs/tour.ipynb`, without its title: its texts, its code, what that shows."""
    parts = []
    for cell in json.loads((_ROOT / "docs" / "tour.ipynb").read_text("utf-8"))["cells"][1:]:
        source = "".join(cell["source"])
        parts.append(source if cell["cell_type"] == "markdown" else f"```python\n{source}\n```")
        parts += map(_shown, cell.get("outputs", ()))
    return "\n\n".join(parts)


def _shown(output: dict[str, Any]) -> str:
    data = output.get("data", {})
    if "text/html" in data:
        return "```{raw} html\n" + "".join(data["text/html"]) + "\n```"
    text = "".join(data.get("text/plain", output.get("text", output.get("traceback", ""))))
    return "```text\n" + re.sub(r"\x1b\[[0-9;]*m", "", text).rstrip() + "\n```"


def commands() -> str:
    """What `--help` prints, of every command."""
    runner, parts = CliRunner(env={"COLUMNS": "88"}), []
    for name in ["", *get_command(command_line).commands]:
        words = [*name.split(), "--help"]
        result = runner.invoke(command_line, words, prog_name="symgd")
        title = f"## `{f'symgd {name}'.rstrip()}`"
        parts.append(f"{title}\n\n```\n{result.stdout.strip()}\n```")
    return "\n\n".join(parts)


_ALL = (
    functions,
    variables,
    rule_functions,
    rules,
    overview,
    schedules,
    methods,
    commands,
    outcomes,
    schemas,
    examples,
    tour,
)
TABLES: dict[str, Callable[[], str]] = {f.__name__: f for f in _ALL}


def _fill(app: Sphinx, docname: str, source: list[str]) -> None:
    source[0] = re.sub(r"\{\{ (\w+) \}\}", lambda m: TABLES[m[1]](), source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Fill the tables into the pages as they are read."""
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
