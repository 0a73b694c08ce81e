"""symgd run: descend on a loss, and say how it went. The command when none is named."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symgd.cli.command_group import REMARK
from symgd.cli.console import OutputError, complain, emit
from symgd.cli.formats import Format, read_format
from symgd.cli.option_values import positive, read_formula, whole
from symgd.cli.options import format_of, formula_to, option
from symgd.cli.progress import shown
from symgd.cli.terminal import about_rows, emit_report, has_unicode, listen, terminal_width
from symgd.names import escape

if TYPE_CHECKING:
    from symgd.model.result import Result


def run(
    ctx: typer.Context,
    loss: Annotated[list[str] | None, formula_to("minimize")] = None,
    lr: Annotated[str, option("lr")] = "0.2",
    steps: Annotated[str, option("steps")] = "20",
    start: Annotated[str, option("start")] = "1",
    rule: Annotated[str, option("rule")] = "gd",
    assignments: Annotated[list[str] | None, option("set")] = None,
    tol: Annotated[str | None, option("tol")] = None,
    every: Annotated[str | None, option("every")] = None,
    form: Annotated[str, format_of("run")] = Format.table.value,
    check: Annotated[bool, option("check")] = False,
    backend: Annotated[str, option("backend")] = "auto",
    plot: Annotated[str | None, option("plot")] = None,
    page: Annotated[str | None, option("html")] = None,
    quiet: Annotated[bool, option("quiet")] = False,
    verbose: Annotated[bool, option("verbose")] = False,
    data: Annotated[str | None, option("data")] = None,
    drop_missing: Annotated[bool, option("drop_missing")] = False,
    batch: Annotated[str | None, option("batch")] = None,
    seed: Annotated[str, option("seed")] = "0",
) -> None:
    """Descend on a loss, and say how it went."""
    listen(verbose)
    kind = read_format("run", form)
    each = None if every is None else whole("--every", every, least=1)
    number_of_steps = whole("--steps", steps, least=0)
    tolerance = None if tol is None else positive("--tol", tol)
    from symgd.report import output_files

    picture = None if plot is None else output_files.check_picture(plot)
    live = None if page is None else output_files.check_page(page)
    formula = read_formula(loss or [], data)
    from symgd.descent.descend import descend
    from symgd.model.arguments import parse_assignments
    from symgd.report import table

    gc.freeze()  # the modules stay; the descent's own garbage is collected as usual
    gc.enable()
    with shown(data, quiet or kind not in (Format.table, Format.plain)) as source:
        result = descend(
            formula,
            start=start,
            lr=lr,
            steps=number_of_steps,
            rule=rule,
            set=parse_assignments(assignments or []),
            tol=tolerance,
            backend=backend,
            data=source,
            drop_missing=drop_missing,
            batch=None if batch is None else whole("--batch", batch, least=1),
            seed=whole("--seed", seed, least=0),
        )
    try:
        (emit_report if kind is Format.table else emit)(_result(result, kind, each, quiet))
    except OutputError as error:
        error.rescued = "\n".join(table.final(result))
        raise
    if picture is not None:
        from symgd.report.plot import plot as draw

        draw(result, picture)
    if live is not None:
        result.to_html(live)
    if not quiet:
        for remark in _about_rows(result.loss):
            complain(remark)
        for remark in _remarks(result, kind):
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
    writers = {Format.json: export.as_json, Format.jsonl: export.jsonl, Format.csv: export.as_csv}
    return writers[form](result, every=every)


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
    if loss.internals.reduced:
        yield "sufficient statistics: moments of the data stand for its rows in every step"


def _exit_code(result: Result, check: bool) -> int:
    status, verdict = result.status.value, result.verdict.kind
    if status == "interrupted":
        return 130
    if not check or status == "converged":
        return 0
    bad = status in ("diverged", "nonfinite") or verdict in ("diverging", "nonfinite")
    return 4 if bad else 3
