"""`symgd fit MODEL DATA`: parse the options, call `fit`, print the result. No mathematics."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symgd.cli.console import complain, emit
from symgd.cli.formats import Format, read_format
from symgd.cli.option_values import whole
from symgd.cli.options import format_of, option
from symgd.cli.progress import shown
from symgd.cli.terminal import about_rows, emit_report, terminal_width
from symgd.errors import ArgumentError
from symgd.names import escape

if TYPE_CHECKING:
    from symgd.fits.fit_result import FitResult


def fit(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            show_default=False,
            help='"y = a*exp(-b*x) + c", or a loss such as "sum(...)" that is -log L.',
        ),
    ],
    data: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            show_default=False,
            help="A CSV, Parquet, Feather or ORC file, or - for standard input.",
        ),
    ],
    start: Annotated[
        str | None, option("start", "One number for all, or a=1,b=0.1; what is left out is found.")
    ] = None,
    weight: Annotated[str | None, option("weight")] = None,
    sigma: Annotated[str | None, option("sigma")] = None,
    absolute: Annotated[bool, option("absolute")] = False,
    loss: Annotated[str | None, option("loss")] = None,
    fixed: Annotated[list[str] | None, option("fix")] = None,
    tied: Annotated[list[str] | None, option("tie")] = None,
    bound: Annotated[list[str] | None, option("bound")] = None,
    method: Annotated[str, option("method")] = "lm",
    steps: Annotated[str | None, option("steps", "Iterations at most.")] = None,
    lr: Annotated[str | None, option("lr", "Learning rate of a rule.")] = None,
    batch: Annotated[str | None, option("batch", "Rows of each step of a rule.")] = None,
    seed: Annotated[str, option("seed")] = "0",
    drop_missing: Annotated[bool, option("drop_missing")] = False,
    backend: Annotated[str, option("backend", "What runs over the rows.")] = "auto",
    threads: Annotated[str | None, option("threads")] = None,
    predict: Annotated[str | None, option("predict")] = None,
    plot: Annotated[
        str | None,
        option("plot", "Draw data, model and residuals: .png or .svg (needs matplotlib)."),
    ] = None,
    form: Annotated[str, format_of("fit")] = Format.table.value,
    check: Annotated[bool, option("check")] = False,
    quiet: Annotated[bool, option("quiet", "No remarks.")] = False,
) -> None:
    """Fit a formula to data: parameters with standard errors."""
    kind = read_format("fit", form)
    gc.freeze()  # the modules stay; the fit's own garbage is collected as usual
    gc.enable()
    from symgd.fits.fit import fit as run
    from symgd.model.arguments import parse_assignments

    picture = None
    if plot is not None:
        from symgd.report.output_files import check_picture
        from symgd.report.plot import check_fit

        picture = check_picture(plot)
        check_fit(picture)
    with shown(data, quiet or kind not in (Format.table, Format.plain)) as source:
        result = run(
            model,
            source,
            start=start,
            weight=weight,
            sigma=sigma,
            loss=loss,
            fixed=parse_assignments(fixed or []),
            tied=_pairs("--tie", tied or []),
            bounds={name: _bounds(text) for name, text in _pairs("--bound", bound or []).items()},
            method=method,
            steps=None if steps is None else whole("--steps", steps, least=1),
            lr=lr,
            batch=None if batch is None else whole("--batch", batch, least=1),
            seed=whole("--seed", seed, least=0),
            absolute_sigma=absolute,
            drop_missing=drop_missing,
            backend=backend,
            threads=None if threads is None else whole("--threads", threads, least=1),
        )
    if kind is Format.table and predict is None:
        from symgd.report.fit import report

        emit_report(report(result, width=terminal_width()))
    else:
        emit(_printed(result, kind) if predict is None else _predicted(result, predict, kind))
    if picture is not None:
        from symgd.report.plot import plot_fit

        plot_fit(result, picture)
    if not quiet:
        for remark in about_rows(result.names, result.columns, result.table):
            complain(remark)
        if kind is not Format.table or predict is not None:
            remarks = [] if result.status.value == "converged" else [escape(result.message)]
            for remark in [*remarks, *result.warnings]:
                complain(remark)
    raise typer.Exit(_exit_code(result, check))


def _pairs(option: str, items: Sequence[str]) -> dict[str, str]:
    """["b=2*a"] as {"b": "2*a"}."""
    found: dict[str, str] = {}
    for item in items:
        name, equals, text = item.partition("=")
        if not equals or not name.strip() or not text.strip():
            raise ArgumentError(f"{option}: '{escape(item)}' is not NAME=...")
        if name.strip() in found:
            raise ArgumentError(f"{option}: '{escape(name.strip())}' is given twice")
        found[name.strip()] = text.strip()
    return found


def _bounds(text: str) -> tuple[float | None, float | None]:
    from symgd.model.arguments import parse_number

    low, colon, high = text.partition(":")
    if not colon:
        raise ArgumentError(f"--bound: '{escape(text)}' is not LOW:HIGH; either may be empty")
    least = parse_number(low, "the lower bound") if low.strip() else None
    return least, parse_number(high, "the upper bound") if high.strip() else None


def _printed(result: FitResult, form: Format) -> Iterable[str]:
    from symgd.report.export import dump, record
    from symgd.report.step_table import number

    if form in (Format.json, Format.jsonl):
        return [dump(result.to_dict())]
    if form is Format.plain:
        return [" ".join(number(value) for value in result.theta.values())]
    rows: list[Any] = [record(["name", "value", "stderr"])]
    for name, estimate in result.params.items():
        error = "" if estimate.stderr is None else number(estimate.stderr)
        rows.append(f"{record([name])},{number(estimate.value)},{error}")
    return rows


def _predicted(result: FitResult, data: str, form: Format) -> Iterable[str]:
    from symgd.report.export import dump
    from symgd.report.step_table import number

    values = result.predict(data).tolist()
    if form in (Format.json, Format.jsonl):
        return [dump({"predicted": values})]
    return [*(["predicted"] if form is Format.csv else []), *map(number, values)]


def _exit_code(result: FitResult, check: bool) -> int:
    status = result.status.value
    if status == "interrupted":
        return 130
    if not check or status == "converged":
        return 0
    return 4 if status in ("diverged", "nonfinite") else 3
