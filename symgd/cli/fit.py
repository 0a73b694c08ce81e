"""The command `symgd fit`: parameters of a formula with standard errors."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, cast

import typer

from symgd.cli.colors import verdict_painter
from symgd.cli.console import emit, write_message
from symgd.cli.formats import Format, read_format
from symgd.cli.option_values import figure_size, integer, pairs, read_arrays, split_names
from symgd.cli.options import complete_file, format_option, option
from symgd.cli.progress import run_progress, with_progress
from symgd.cli.terminal import emit_report, enable_garbage_collection, exit_code, row_remarks
from symgd.errors import ArgumentError
from symgd.names import escape

if TYPE_CHECKING:
    from pathlib import Path

    from symgd.fits.fit_result import FitResult
    from symgd.model.arguments import BackendName


Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        show_default=False,
        help='"y = a*exp(-b*x) + c", or a loss such as "sum(...)" that is -log L.',
    ),
]
Data = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        show_default=False,
        autocompletion=complete_file,
        help="A CSV, Parquet, Feather or ORC file, or - for standard input.",
    ),
]
Start = Annotated[
    str | None, option("start", "One number for all, or a=1,b=0.1; what is left out is found.")
]
Method = Annotated[
    str | None, option("method", "A solver; [lm], Newton's where it is no least squares.")
]
Plot = Annotated[str | None, option("plot", "Draw data, model, residuals: .png, .svg, .pdf.")]


def fit(
    model: Model,
    data: Data,
    start: Start = None,
    columns: Annotated[str | None, option("columns")] = None,
    weight: Annotated[str | None, option("weight")] = None,
    sigma: Annotated[str | None, option("sigma")] = None,
    absolute: Annotated[bool, option("absolute-sigma")] = False,
    loss: Annotated[str | None, option("loss")] = None,
    family: Annotated[str | None, option("family")] = None,
    fixed: Annotated[list[str] | None, option("fix")] = None,
    tied: Annotated[list[str] | None, option("tie")] = None,
    bound: Annotated[list[str] | None, option("bound")] = None,
    method: Method = None,
    rule: Annotated[str | None, option("rule", "A rule in place of a solver.")] = None,
    steps: Annotated[str | None, option("steps", "Iterations at most.")] = None,
    lr: Annotated[str | None, option("lr", "Learning rate of a rule.")] = None,
    batch: Annotated[str | None, option("batch", "Rows of each step of a rule.")] = None,
    seed: Annotated[str, option("seed")] = "0",
    drop_missing: Annotated[bool, option("drop-missing")] = False,
    backend: Annotated[str, option("backend", "What runs over the rows.")] = "auto",
    threads: Annotated[str | None, option("threads")] = None,
    size: Annotated[list[str] | None, option("size")] = None,
    shape: Annotated[list[str] | None, option("shape")] = None,
    vector: Annotated[list[str] | None, option("vector")] = None,
    predict: Annotated[str | None, option("predict")] = None,
    rows: Annotated[bool, option("rows")] = False,
    derived: Annotated[list[str] | None, option("derived")] = None,
    profile: Annotated[bool, option("profile")] = False,
    plot: Plot = None,
    figsize: Annotated[str | None, option("figsize")] = None,
    form: Annotated[str, format_option("fit")] = Format.table.value,
    check: Annotated[bool, option("check")] = False,
    quiet: Annotated[bool, option("quiet", "No remarks.")] = False,
) -> None:
    """Fit a formula to data: parameters with standard errors."""
    kind = read_format("fit", form)
    enable_garbage_collection()
    from symgd.fits.fit import fit as run
    from symgd.model.arguments import parse_assignments
    from symgd.model.bounds import parse_bounds

    if rows and predict is not None:
        raise ArgumentError("--rows and --predict print something else each: give one of them")
    inches = figure_size(figsize)
    picture_path = None if plot is None else _check_picture(plot)
    silent = quiet or kind not in (Format.table, Format.plain)
    names = split_names(columns)
    with with_progress(data, silent, names=names) as source, run_progress(silent):
        result = run(
            model,
            source,
            start=start,
            weight=weight,
            sigma=sigma,
            loss=loss,
            family=family,
            fixed=parse_assignments(fixed or []),
            tied=pairs("--tie", tied or [], "NAME=..."),
            bounds=parse_bounds(bound or []),
            derived=pairs("--derived", derived or [], "NAME=FORMULA"),
            method=method,
            rule=rule,
            steps=None if steps is None else integer("--steps", steps, minimum=1),
            lr=lr,
            batch=None if batch is None else integer("--batch", batch, minimum=1),
            seed=integer("--seed", seed, minimum=0),
            absolute_sigma=absolute,
            drop_missing=drop_missing,
            backend=cast("BackendName", backend),
            threads=None if threads is None else integer("--threads", threads, minimum=1),
            **read_arrays(size, shape, vector),
        )
    _print(result, kind, rows, predict, profile)
    if picture_path is not None:
        result.plot(picture_path, inches)
    reported = kind is Format.table and not rows and predict is None
    for remark in () if quiet else _remarks(result, reported):
        write_message(remark)
    raise typer.Exit(exit_code(result.status.value, check))


def _print(
    result: "FitResult", kind: Format, rows: bool, predict: str | None, profile: bool
) -> None:
    from symgd.cli import fit_output as output

    if rows:
        emit(output.row_lines(result, kind))
    elif predict is not None:
        emit(output.prediction_lines(result, predict, kind))
    else:
        painter = verdict_painter(escape(result.message), result.status.value)
        emit_report(output.result_lines(result, kind, profile), painter)


def _check_picture(plot: str) -> "Path":
    from symgd.report.output_files import check_picture
    from symgd.report.plot import check_fit

    path = check_picture(plot)
    check_fit(path)
    return path


def _remarks(result: "FitResult", reported: bool) -> Iterator[str]:
    """Remarks for stderr. reported: whether the report has the status and the warnings."""
    yield from row_remarks(result.names, result.columns, result.table)
    if not reported:
        if result.status.value != "converged":
            yield escape(result.message)
        yield from result.warnings
