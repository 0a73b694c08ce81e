"""The command `symgd compare`: a grid of learning rates, rules and starts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

from symgd.cli.colors import table_painter
from symgd.cli.console import emit, write_message
from symgd.cli.formats import Format, read_format
from symgd.cli.option_values import (
    figure_size,
    integer,
    positive,
    read_arrays,
    read_formula,
)
from symgd.cli.options import HELP, format_option, loss_argument, option
from symgd.cli.progress import run_progress, with_progress
from symgd.cli.terminal import (
    emit_report,
    enable_garbage_collection,
    has_unicode,
    terminal_width,
    write_row_remarks,
)

if TYPE_CHECKING:
    from symgd.descent.compare import Comparison


def compare(
    loss: Annotated[list[str] | None, loss_argument("minimize")] = None,
    lr: Annotated[
        str | None, option("lr", "0.001,0.2,10 or 1e-4..10:200 for a map.", "LIST")
    ] = None,
    rule: Annotated[
        list[str] | None,
        option("rule", "gd,momentum,adam or equations; repeatable. [gd]", "LIST"),
    ] = None,
    method: Annotated[
        str | None, option("method", "Solvers in place of rules, as newton,lbfgs.", "LIST")
    ] = None,
    start: Annotated[list[str] | None, option("start", "As for run; repeatable. [1]")] = None,
    steps: Annotated[str | None, option("steps", f"{HELP['steps']} [20]")] = None,
    assignments: Annotated[list[str] | None, option("set")] = None,
    tol: Annotated[str | None, option("tol")] = None,
    form: Annotated[str, format_option("compare")] = Format.table.value,
    plot: Annotated[
        str | None, option("plot", "Draw all runs in one picture: .png, .svg, .pdf or .gif.")
    ] = None,
    figsize: Annotated[str | None, option("figsize")] = None,
    page: Annotated[str | None, option("html", "Write a live page of the runs: .html.")] = None,
    data: Annotated[str | None, option("data")] = None,
    drop_missing: Annotated[bool, option("drop-missing")] = False,
    seed: Annotated[str, option("seed", "Draws random starts.")] = "0",
    size: Annotated[list[str] | None, option("size")] = None,
    shape: Annotated[list[str] | None, option("shape")] = None,
    vector: Annotated[list[str] | None, option("vector")] = None,
    bound: Annotated[list[str] | None, option("bound")] = None,
    quiet: Annotated[bool, option("quiet", "No remarks.")] = False,
) -> None:
    """Run a grid of learning rates, rules and starts, and put the ends side by side."""
    kind = read_format("compare", form)
    from symgd.report import output_files

    inches = figure_size(figsize)
    picture_path = None if plot is None else output_files.check_picture(plot)
    page_path = None if page is None else output_files.check_page(page)
    formula = read_formula(loss or [], data)
    count = None if steps is None else integer("--steps", steps, minimum=0)
    tolerance = None if tol is None else positive("--tol", tol)
    from symgd.descent import compare
    from symgd.model.arguments import parse_assignments
    from symgd.model.bounds import parse_bounds
    from symgd.report.plot import check_comparison, plot_comparison

    enable_garbage_collection()
    asked: dict[str, Any] = {"lr": lr, "steps": count, "method": method, "rule": _rules(rule or [])}
    silent = quiet or kind is not Format.table
    with with_progress(data, silent) as source, run_progress(silent):
        comparison = compare.compare(
            formula,
            **{k: v for k, v in asked.items() if v is not None},
            start=start or ["1"],
            set=parse_assignments(assignments or []),
            tol=tolerance,
            data=source,
            drop_missing=drop_missing,
            seed=integer("--seed", seed, minimum=0),
            **read_arrays(size, shape, vector),
            bounds=parse_bounds(bound or []),
        )
    if picture_path is not None:
        check_comparison(comparison, picture_path)
    _write(comparison, kind)
    if picture_path is not None:
        plot_comparison(comparison, picture_path, inches)
    if page_path is not None:
        comparison.to_html(page_path)
    if not quiet:
        write_row_remarks(comparison.loss)
        if comparison.interrupted:
            done = f"{len(comparison.runs):,} of {comparison.planned:,} runs"
            write_message(f"interrupted: {done}; the last one shows its best point so far")


def _write(comparison: "Comparison", kind: Format) -> None:
    from symgd.report import compare as report

    if kind is Format.table:
        lines = report.report(comparison, width=terminal_width(), pretty=has_unicode())
        kinds = set() if comparison.ranged else {run.verdict.kind for run in comparison.runs}
        emit_report(lines, table_painter(kinds))
        return
    writers = {
        Format.json: report.as_json,
        Format.jsonl: report.as_jsonl,
        Format.csv: report.as_csv,
    }
    emit(writers[kind](comparison))


def _rules(texts: Sequence[str]) -> list[str] | None:
    """The rules of these texts: names between commas, or the equations of one."""
    parts = [part for text in texts for part in ([text] if "=" in text else text.split(","))]
    return [part.strip() for part in parts if part.strip()] or None
