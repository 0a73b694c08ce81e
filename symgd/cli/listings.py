"""The commands `symgd rules` and `symgd functions`: the tables of rules and functions."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symgd.cli.console import emit
from symgd.cli.formats import Format, read_format
from symgd.cli.options import format_option
from symgd.cli.terminal import emit_report, terminal_width
from symgd.errors import ArgumentError
from symgd.names import escape, suggest

if TYPE_CHECKING:
    from symgd.model.catalogue import Entry


def _complete_entry(incomplete: str) -> list[str]:
    from symgd.model.catalogue import CATALOGUE

    return [name for name in CATALOGUE if name.startswith(incomplete)]


def _complete_schedule(incomplete: str) -> list[str]:
    from symgd.model.schedules import SCHEDULES

    return [name for name in SCHEDULES if name.startswith(incomplete)]


def rules(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show this one's equations.",
            autocompletion=_complete_entry,
        ),
    ] = None,
    form: Annotated[str, format_option("rules")] = Format.table.value,
) -> None:
    """List the catalogue of update rules, or show the equations and the source of one."""
    kind = read_format("rules", form)
    from symgd.model.catalogue import CATALOGUE
    from symgd.report import export, table

    if name is not None and name not in CATALOGUE:
        hint = suggest(name, CATALOGUE) or "'symgd rules' lists the catalogue"
        raise ArgumentError(f"'{escape(name)}' is not in the catalogue; {hint}")
    entries = list(CATALOGUE.values()) if name is None else [CATALOGUE[name]]
    if kind is not Format.table:
        keys = ("name", "kind", "title", "text", "defaults", "lr", "source", "note")
        emit(
            export.records([{k: getattr(entry, k) for k in keys} for entry in entries], kind.value)
        )
    elif name is not None:
        emit_report(table.definition_list(_entry_sections(CATALOGUE[name]), terminal_width()))
    else:
        emit_report(table.definition_list(_catalogue(entries), terminal_width()))


def _catalogue(entries: "list[Entry]") -> Iterator[tuple[str, dict[str, str]]]:
    titles = {
        "rule": "Rules: symgd LOSS --rule NAME",
        "prefix": "Before a rule: symgd LOSS --rule NAME+gd",
        "suffix": "After a rule: symgd LOSS --rule gd+NAME",
    }
    from symgd.formula.rule_functions import RULE_FUNCTIONS

    for kind, title in titles.items():
        yield title, {f"  {e.name}": e.title for e in entries if e.kind == kind}
    own = {f"  {name}({row.arguments})": row.meaning for name, row in RULE_FUNCTIONS.items()}
    yield "In equations, beside those of `symgd functions`", own


def _entry_sections(entry: "Entry") -> Iterator[tuple[str, dict[str, str]]]:
    yield f"{entry.name} ({entry.kind})\n{entry.title}", {}
    yield "\n".join(f"  {line}" for line in entry.text.splitlines()), {}
    defaults = ", ".join(f"{name} = {value!r}" for name, value in entry.defaults.items())
    rows = {"defaults": defaults, "usual lr": repr(entry.lr), "source": entry.source}
    yield "", {key: text for key, text in (rows | {"note": entry.note}).items() if text}


def schedules(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Show this one's formula.",
            autocompletion=_complete_schedule,
        ),
    ] = None,
    form: Annotated[str, format_option("schedules")] = Format.table.value,
) -> None:
    """List the named learning-rate schedules with their formulas, or show one."""
    kind = read_format("schedules", form)
    from symgd.model.schedules import SCHEDULES
    from symgd.report import export, table

    if name is not None and name not in SCHEDULES:
        hint = suggest(name, SCHEDULES) or "'symgd schedules' lists them"
        hint = "it is a suffix: symgd rules plateau" if name == "plateau" else hint
        raise ArgumentError(f"'{escape(name)}' is no schedule; {hint}")
    entries = list(SCHEDULES.values()) if name is None else [SCHEDULES[name]]
    if kind is not Format.table:
        keys = ("name", "call", "title", "text", "source")
        rows = [{k: getattr(entry, k) for k in keys} for entry in entries]
        emit(export.records(rows, kind.value))
        return
    sections = [(f"{e.call}\n{e.title}", {"  lr": e.text, "  source": e.source}) for e in entries]
    if name is None:
        late = {"  plateau": 'Where the loss stops falling: a suffix, --rule "adam+plateau".'}
        sections.append(("By the loss", late))
    emit_report(table.definition_list(sections, terminal_width()))


def functions(form: Annotated[str, format_option("functions")] = Format.table.value) -> None:
    """List the functions that a formula may use, and what they do at their kinks."""
    kind = read_format("functions", form)
    from symgd.formula.functions.table import FUNCTIONS, POWERS
    from symgd.report import export, table

    rows = [
        _function(name, name + power.signature, [power.also] if power.also else [], power.doc, "")
        for name, power in POWERS.items()
    ]
    rows += [_function(f.name, f.signature, f.aliases, f.doc, f.kink) for f in FUNCTIONS.values()]
    if kind is Format.table:
        texts = {row["signature"]: _function_text(row) for row in rows}
        emit_report(table.definition_list([("", texts)], terminal_width()))
    else:
        emit(export.records(rows, kind.value))


def _function(
    name: str, signature: str, aliases: Sequence[str], doc: str, kink: str
) -> dict[str, Any]:
    return {"name": name, "signature": signature, "aliases": aliases, "doc": doc, "kink": kink}


def _function_text(row: Mapping[str, Any]) -> str:
    also = f" (also {', '.join(row['aliases'])})" if row["aliases"] else ""
    return "; ".join(part for part in (row["doc"] + also, row["kink"]) if part)
