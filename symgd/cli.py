"""The command line: parse the options, call the API, print what comes back. No mathematics.

Whatever is heavy is imported inside the command that needs it: `symgd --version` loads neither
SymPy nor NumPy.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

import symgd
from symgd._console import OutputError, complain, emit
from symgd._group import REMARK, DefaultGroup
from symgd.commands.compare import compare
from symgd.commands.explain import explain
from symgd.commands.fit import fit
from symgd.commands.options import (
    about_rows,
    has_unicode,
    listen,
    positive,
    read_formula,
    start_painter,
    terminal_width,
    whole,
)
from symgd.errors import ArgumentError
from symgd.names import escape, suggest

if TYPE_CHECKING:
    from symgd.catalogue import Entry
    from symgd.result import Result

HELP = "Type a loss. Get its exact gradient, a descent, and the reason why it did what it did."

EXAMPLES = """
\b
Examples:
  symgd                         theta**2, learning rate 0.2, 20 steps from 1
  symgd "theta**2" --lr 0.001   too low: what do you notice?
  symgd "theta**2" --lr 10      too high
  symgd "(1-x)^2 + 100*(y-x^2)^2" -s x=-1.2,y=1 -r adam -l 0.02 -n 5000
  symgd "theta**4" --rule "v = 0.9*v + g; theta = theta - lr*v"
  echo "x^2 + y^2" | symgd - --format csv
"""

app = typer.Typer(
    cls=DefaultGroup,
    help=HELP,
    epilog=EXAMPLES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


class Format(StrEnum):
    """How a result is printed."""

    table = "table"
    plain = "plain"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


FORMAT = Annotated[
    Format,
    typer.Option("--format", metavar="table|plain|json|jsonl|csv", help="How to print it."),
]


DATA = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="FILE", show_default=False, help="Rows for sum(...) and mean(...)."
    ),
]
DROP_MISSING = Annotated[
    bool, typer.Option("--drop-missing", help="Skip rows with missing cells, and count them.")
]
BATCH = Annotated[
    str | None,
    typer.Option(
        "--batch", metavar="INT", show_default=False, help="Take each step on so many rows."
    ),
]
SEED = Annotated[str, typer.Option("--seed", metavar="INT", help="Draws the batches.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        emit([f"symgd {symgd.__version__}"])
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            callback=_print_version,
            is_eager=True,
            show_default=False,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Take the options that stand before any command."""


def _complete_rule(incomplete: str) -> list[str]:
    from symgd.catalogue import CATALOGUE

    done, plus, last = incomplete.rpartition("+")
    return [done + plus + name for name in CATALOGUE if name.startswith(last)]


@app.command(short_help="Descend on a loss (the command when none is named).")
def run(
    ctx: typer.Context,
    loss: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="LOSS",
            show_default=False,
            help="The formula to minimize, in quotes. Without it, theta**2; - reads it from stdin.",
        ),
    ] = None,
    lr: Annotated[
        str,
        typer.Option("--lr", "-l", metavar="TEXT", help="A number, a formula of t, or auto."),
    ] = "0.2",
    steps: Annotated[
        str, typer.Option("--steps", "-n", metavar="INT", help="How many steps to take.")
    ] = "20",
    start: Annotated[
        str,
        typer.Option("--start", "-s", metavar="TEXT", help="One number for all, or x=-1.2,y=1."),
    ] = "1",
    rule: Annotated[
        str,
        typer.Option(
            "--rule",
            "-r",
            metavar="TEXT",
            help="A name (see symgd rules), several as clip_norm+adam, or equations.",
            autocompletion=_complete_rule,
        ),
    ] = "gd",
    assignments: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="NAME=VALUE",
            help="A hyperparameter or a constant; repeatable.",
        ),
    ] = None,
    tol: Annotated[
        str | None,
        typer.Option(metavar="FLOAT", help="Stop when max|gradient| <= tol."),
    ] = None,
    every: Annotated[
        str | None, typer.Option(metavar="INT", help="Print each n-th step only.")
    ] = None,
    form: FORMAT = Format.table,
    check: Annotated[
        bool,
        typer.Option(
            "--check",
            help="Exit 3 if not converged, 4 if diverged or non-finite.",
        ),
    ] = False,
    backend: Annotated[
        str, typer.Option(metavar="auto|lambdify|native", help="What runs the steps.")
    ] = "auto",
    plot: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Draw a picture: .png, .svg or .gif (needs matplotlib)."),
    ] = None,
    page: Annotated[
        str | None,
        typer.Option("--html", metavar="FILE", help="Write a live page with sliders: .html."),
    ] = None,
    quiet: Annotated[
        bool,
        typer.Option("--quiet", "-q", help="Print the last theta only, and no remarks."),
    ] = False,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", "-v", help="Say on stderr what runs the steps, and why."),
    ] = False,
    data: DATA = None,
    drop_missing: DROP_MISSING = False,
    batch: BATCH = None,
    seed: SEED = "0",
) -> None:
    """Descend on a loss, and say how it went."""
    listen(verbose)
    each = None if every is None else whole("--every", every, least=1)
    number_of_steps = whole("--steps", steps, least=0)
    tolerance = None if tol is None else positive("--tol", tol)
    from symgd.report import files

    picture = None if plot is None else files.check_picture(plot)
    live = None if page is None else files.check_page(page)
    painter = start_painter(ctx, picture)
    formula = read_formula(loss or [])
    from symgd.arguments import parse_assignments
    from symgd.descent import descend
    from symgd.report import table

    gc.freeze()  # the modules stay; the descent's own garbage is collected as usual
    gc.enable()
    result = descend(
        formula,
        start=start,
        lr=lr,
        steps=number_of_steps,
        rule=rule,
        set=parse_assignments(assignments or []),
        tol=tolerance,
        backend=backend,
        data=data,
        drop_missing=drop_missing,
        batch=None if batch is None else whole("--batch", batch, least=1),
        seed=whole("--seed", seed, least=0),
    )
    try:
        emit(_result(result, form, each, quiet))
    except OutputError as error:
        error.rescued = "\n".join(table.final(result))
        raise
    if picture is not None:
        from symgd.report.plot import plot as draw

        draw(result, picture, painter)
    if live is not None:
        result.to_html(live)
    if not quiet:
        for remark in _about_rows(result.loss):
            complain(remark)
        for remark in _remarks(result, form):
            complain(remark)
        if result.verdict.advice:
            complain(escape(result.verdict.advice))
        if ctx.meta.get(REMARK):
            complain(ctx.meta[REMARK])
        if check and tol is None:
            complain("without --tol no run counts as converged")
    raise typer.Exit(_exit_code(result, check))


def _result(result: Result, form: Format, every: int | None, quiet: bool) -> Iterable[str]:
    """The lines of a descent in the format that was asked for."""
    from symgd.report import export, table

    if form is Format.table:
        width = terminal_width()
        if quiet:
            return table.final(result, width=width)
        return table.report(result, every=every, width=width, pretty=has_unicode())
    if form is Format.plain:
        return export.last(result) if quiet else export.plain(result, every=every)
    writer = {Format.json: export.as_json, Format.jsonl: export.jsonl, Format.csv: export.as_csv}
    return writer[form](result, every=every)


def _remarks(result: Result, form: Format) -> Iterator[str]:
    """What a reader of bare numbers would otherwise not learn."""
    if form is Format.table:
        return
    if result.status.value in ("diverged", "nonfinite", "interrupted", "stalled", "saddle"):
        yield escape(result.message)
    steps = [row[0] for row in result.history.rows()]
    if len(steps) <= steps[-1]:
        yield f"the history of a long run is thinned: {len(steps):,} of {steps[-1] + 1:,} rows"


def _about_rows(loss: Any) -> Iterator[str]:
    table = getattr(loss, "table", None)
    if table is None:
        return
    yield from about_rows(loss.params, loss.columns, table)
    if loss.reduced:
        yield "sufficient statistics: moments of the data stand for its rows in every step"


def _exit_code(result: Result, check: bool) -> int:
    status, verdict = result.status.value, result.verdict.kind
    if status == "interrupted":
        return 130
    if not check or status == "converged":
        return 0
    bad = status in ("diverged", "nonfinite") or verdict in ("diverging", "nonfinite")
    return 4 if bad else 3


app.command("fit", short_help="Fit a formula to data: parameters with standard errors.")(fit)


@app.command(short_help="The catalogue of update rules, or one of them.")
def rules(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this one's equations.")
    ] = None,
    form: FORMAT = Format.table,
) -> None:
    """List the catalogue of update rules, or show the equations and the source of one."""
    from symgd.catalogue import CATALOGUE
    from symgd.report import export, table

    if name is not None and name not in CATALOGUE:
        hint = suggest(name, CATALOGUE) or "'symgd rules' lists the catalogue"
        raise ArgumentError(f"'{escape(name)}' is not in the catalogue; {hint}")
    entries = list(CATALOGUE.values()) if name is None else [CATALOGUE[name]]
    if form is not Format.table:
        emit(export.records([_row(entry) for entry in entries], form.value))
    elif name is not None:
        emit(table.listing(_described(CATALOGUE[name]), terminal_width()))
    else:
        emit(table.listing(_catalogue(entries), terminal_width()))


def _catalogue(entries: list[Entry]) -> Iterator[tuple[str, dict[str, str]]]:
    titles = {
        "rule": "Rules: symgd LOSS --rule NAME",
        "prefix": "Before a rule: symgd LOSS --rule NAME+gd",
        "suffix": "After a rule: symgd LOSS --rule gd+NAME",
    }
    for kind, title in titles.items():
        yield title, {f"  {e.name}": e.title for e in entries if e.kind == kind}


def _described(entry: Entry) -> Iterator[tuple[str, dict[str, str]]]:
    yield f"{entry.name} ({entry.kind})\n{entry.title}", {}
    yield "\n".join(f"  {line}" for line in entry.text.splitlines()), {}
    rows = {"defaults": _listed(entry.defaults), "usual lr": repr(entry.lr)}
    rows |= {"source": entry.source, "note": entry.note}
    yield "", {key: text for key, text in rows.items() if text}


def _listed(defaults: Mapping[str, float]) -> str:
    return ", ".join(f"{name} = {value!r}" for name, value in defaults.items())


def _row(entry: Entry) -> dict[str, Any]:
    row = {"name": entry.name, "kind": entry.kind, "title": entry.title, "text": entry.text}
    return {
        **row,
        "defaults": dict(entry.defaults),
        "lr": entry.lr,
        "source": entry.source,
        "note": entry.note,
    }


@app.command(short_help="The functions that a formula may use.")
def functions(form: FORMAT = Format.table) -> None:
    """List the functions that a formula may use, and what they do at their kinks."""
    from symgd.functions import FUNCTIONS
    from symgd.report import export, table

    listed = _SQRT | {
        f.name: {
            "name": f.name,
            "signature": f.signature,
            "aliases": list(f.aliases),
            "doc": f.doc,
            "kink": f.kink,
        }
        for f in FUNCTIONS.values()
    }
    rows = list(listed.values())
    if form is Format.table:
        texts = {row["signature"]: _explained(row) for row in rows}
        emit(table.listing([("", texts)], terminal_width()))
    else:
        emit(export.records(rows, form.value))


# A spelling of a power, so it has no row of its own among the functions.
_SQRT: dict[str, dict[str, Any]] = {
    "sqrt": {
        "name": "sqrt",
        "signature": "sqrt(x)",
        "aliases": ["√x"],
        "doc": "square root, x**(1/2)",
        "kink": "",
    }
}


def _explained(row: Mapping[str, Any]) -> str:
    also = f" (also {', '.join(row['aliases'])})" if row["aliases"] else ""
    return "; ".join(part for part in (row["doc"] + also, row["kink"]) if part)


app.command("explain", short_help="Critical points, convexity, stable learning rates.")(explain)
app.command("compare", short_help="Learning rates, rules and starts side by side.")(compare)
