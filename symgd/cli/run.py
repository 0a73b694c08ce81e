"""The command `symgd run`, the default: descend on a loss and report."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from symgd.cli.colors import Painter, verdict_painter
from symgd.cli.console import OutputError, emit, write_message
from symgd.cli.formats import Format, read_format
from symgd.cli.option_values import (
    figure_size,
    integer,
    positive,
    read_arrays,
    read_formula,
    read_history,
)
from symgd.cli.options import HELP, format_option, loss_argument, option
from symgd.cli.progress import run_progress, with_progress
from symgd.cli.terminal import (
    configure_logging,
    emit_report,
    enable_garbage_collection,
    exit_code,
    has_unicode,
    terminal_width,
    write_row_remarks,
)
from symgd.names import escape

if TYPE_CHECKING:
    from symgd.model.arguments import BackendName
    from symgd.model.result import Result


def run(
    loss: Annotated[list[str] | None, loss_argument("minimize")] = None,
    lr: Annotated[str | None, option("lr", f"{HELP['lr']} [0.2]")] = None,
    steps: Annotated[str | None, option("steps", f"{HELP['steps']} [20]")] = None,
    start: Annotated[str, option("start")] = "1",
    rule: Annotated[str | None, option("rule", f"{HELP['rule']} [gd]")] = None,
    method: Annotated[str | None, option("method")] = None,
    assignments: Annotated[list[str] | None, option("set")] = None,
    tol: Annotated[str | None, option("tol")] = None,
    every: Annotated[str | None, option("every")] = None,
    history: Annotated[str | None, option("history")] = None,
    form: Annotated[str, format_option("run")] = Format.table.value,
    check: Annotated[bool, option("check")] = False,
    backend: Annotated[str, option("backend")] = "auto",
    plot: Annotated[str | None, option("plot")] = None,
    figsize: Annotated[str | None, option("figsize")] = None,
    page: Annotated[str | None, option("html")] = None,
    quiet: Annotated[bool, option("quiet")] = False,
    verbose: Annotated[bool, option("verbose")] = False,
    data: Annotated[str | None, option("data")] = None,
    drop_missing: Annotated[bool, option("drop-missing")] = False,
    batch: Annotated[str | None, option("batch")] = None,
    seed: Annotated[str, option("seed")] = "0",
    size: Annotated[list[str] | None, option("size")] = None,
    shape: Annotated[list[str] | None, option("shape")] = None,
    vector: Annotated[list[str] | None, option("vector")] = None,
    bound: Annotated[list[str] | None, option("bound")] = None,
    subject_to: Annotated[list[str] | None, option("subject-to")] = None,
    starts: Annotated[str | None, option("starts")] = None,
    within: Annotated[str | None, option("within")] = None,
) -> None:
    """Descend on a loss, and say how it went."""
    configure_logging(verbose)
    kind = read_format("run", form)
    stride = None if every is None else integer("--every", every, minimum=1)
    number_of_steps = None if steps is None else integer("--steps", steps, minimum=0)
    tolerance = None if tol is None else positive("--tol", tol)
    from symgd.report.output_files import check_page, check_picture

    inches = figure_size(figsize)
    picture_path = None if plot is None else check_picture(plot)
    page_path = None if page is None else check_page(page)
    formula = read_formula(loss or [], data)
    from symgd.descent.descend import descend
    from symgd.model.arguments import parse_assignments
    from symgd.model.bounds import parse_bounds

    enable_garbage_collection()
    asked: dict[str, Any] = {"lr": lr, "steps": number_of_steps, "rule": rule, "method": method}
    silent = quiet or kind not in (Format.table, Format.plain)
    heading = _print_heading if kind is Format.table else None
    with with_progress(data, silent) as source, run_progress(silent, heading) as shown:
        result = descend(
            formula,
            start=start,
            **{k: v for k, v in asked.items() if v is not None},
            set=parse_assignments(assignments or []),
            tol=tolerance,
            backend=cast("BackendName", backend),
            data=source,
            drop_missing=drop_missing,
            batch=None if batch is None else integer("--batch", batch, minimum=1),
            seed=integer("--seed", seed, minimum=0),
            **read_arrays(size, shape, vector),
            bounds=parse_bounds(bound or []),
            subject_to=subject_to or [],
            starts=None if starts is None else integer("--starts", starts, minimum=1),
            within=within,
            history=read_history(history),
            every=stride,
        )
    _write(result, kind, stride, quiet, headed=shown.headed)
    if picture_path is not None:
        result.plot(picture_path, inches)
    if page_path is not None:
        result.to_html(page_path)
    if not quiet:
        _write_remarks(result, kind, stride, unchecked=check and tol is None and method is None)
    diverging = result.verdict.kind in ("diverging", "nonfinite")
    raise typer.Exit(exit_code(result.status.value, check, diverging))


def _write_remarks(result: "Result", kind: Format, stride: int | None, unchecked: bool) -> None:
    write_row_remarks(result.loss)
    for remark in _remarks(result, kind, stride):
        write_message(remark)
    if result.verdict.advice:
        write_message(escape(result.verdict.advice), "hint")
    if unchecked:
        write_message("without --tol no run counts as converged")


def _print_heading(heading: Any) -> None:
    """What a report says before the steps, while a long run takes them."""
    from symgd.report.table import echo

    emit_report([*echo(heading, pretty=has_unicode()), ""])


def _write(
    result: "Result", form: Format, every: int | None, quiet: bool, headed: bool = False
) -> None:
    """Print it; where that fails, the error holds its last lines. headed: without its heading."""
    try:
        lines = _result(result, form, every, quiet, headed)
        if form is Format.table:
            emit_report(lines, None if quiet else _painter(result))
        else:
            emit(lines)
    except OutputError as error:
        from symgd.report.table import final_lines

        error.final_lines = "\n".join(final_lines(result))
        raise


def _painter(result: "Result") -> Painter:
    return verdict_painter(escape(result.verdict.sentence), result.verdict.kind)


def _result(
    result: "Result", form: Format, every: int | None, quiet: bool, headed: bool
) -> Iterable[str]:
    """The lines of a descent in a format."""
    from symgd.report import export, table

    if form is Format.table:
        width = terminal_width()
        if quiet:
            return table.final_lines(result, width=width)
        if headed:
            return table.body(result, every=every, width=width)
        return table.report(result, every=every, width=width, pretty=has_unicode())
    if form is Format.plain:
        return export.last(result) if quiet else export.plain(result, every=every)
    writers = {Format.json: export.as_json, Format.jsonl: export.jsonl, Format.csv: export.as_csv}
    return writers[form](result, every=every)


def _remarks(result: "Result", form: Format, every: int | None) -> Iterator[str]:
    """Remarks on the computation, and for formats without the verdict on its end."""
    loss: Any = result.loss
    if loss.table is not None and loss.internals.reduced:
        yield "sufficient statistics: moments of the data stand for its rows in every step"
    if form is not Format.table:
        if result.status.value in ("diverged", "nonfinite", "interrupted", "stalled", "saddle"):
            yield escape(result.message)
        kept, last = len(result.history), result.history.last_step()
        if result.history.thinned and every is None:
            what = f"{kept:,} of {last + 1:,} rows"
            yield f"the history of a long run is thinned: {what} (--history all keeps them)"
