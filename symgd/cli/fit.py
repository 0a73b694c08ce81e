"""`symgd fit MODEL DATA`: parse the options, call `fit`, print the result. No mathematics."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from symgd.cli.console import complain, emit
from symgd.cli.option_values import whole
from symgd.cli.options import Check, DropMissing, Seed
from symgd.cli.progress import shown
from symgd.cli.terminal import about_rows, emit_report, terminal_width
from symgd.errors import ArgumentError
from symgd.names import escape

if TYPE_CHECKING:
    from symgd.fits.fit_result import FitResult

_FORMATS = ("table", "plain", "json", "jsonl", "csv")


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
        str | None,
        typer.Option(
            "--start",
            "-s",
            metavar="TEXT",
            show_default=False,
            help="One number for all, or a=1,b=0.1; what is left out is found.",
        ),
    ] = None,
    weight: Annotated[
        str | None,
        typer.Option(metavar="TEXT", show_default=False, help="Weights: a column or a formula."),
    ] = None,
    sigma: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", show_default=False, help="Standard deviations: weights 1/sigma**2."
        ),
    ] = None,
    absolute: Annotated[
        bool,
        typer.Option(
            "--absolute-sigma", help="--sigma (or --weight) is known, not only up to a factor."
        ),
    ] = False,
    loss: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            show_default=False,
            help='In place of r**2, as "huber(r, 1)"; r: residual, or residual/sigma.',
        ),
    ] = None,
    fixed: Annotated[
        list[str] | None,
        typer.Option("--fix", metavar="NAME=VALUE", help="Hold a parameter there; repeatable."),
    ] = None,
    tied: Annotated[
        list[str] | None,
        typer.Option(
            "--tie",
            metavar="NAME=FORMULA",
            help="Give a parameter by others, as b=2*a; repeatable.",
        ),
    ] = None,
    bound: Annotated[
        list[str] | None,
        typer.Option(
            "--bound", metavar="NAME=LOW:HIGH", help="As a=0:10, or a=0: with one end; repeatable."
        ),
    ] = None,
    method: Annotated[
        str,
        typer.Option(
            "--method",
            "-m",
            metavar="TEXT",
            help="lm (Newton's where it is no least squares), or a rule (see symgd rules).",
        ),
    ] = "lm",
    steps: Annotated[
        str | None,
        typer.Option(
            "--steps", "-n", metavar="INT", show_default=False, help="Iterations at most."
        ),
    ] = None,
    lr: Annotated[
        str | None,
        typer.Option(
            "--lr", "-l", metavar="TEXT", show_default=False, help="Learning rate of a rule."
        ),
    ] = None,
    batch: Annotated[
        str | None,
        typer.Option(
            "--batch", metavar="INT", show_default=False, help="Rows of each step of a rule."
        ),
    ] = None,
    seed: Seed = "0",
    drop_missing: DropMissing = False,
    backend: Annotated[
        str, typer.Option(metavar="auto|lambdify|native", help="What runs over the rows.")
    ] = "auto",
    threads: Annotated[
        str | None,
        typer.Option(metavar="INT", show_default=False, help="Of machine code, at most; else all."),
    ] = None,
    predict: Annotated[
        str | None,
        typer.Option(
            "--predict",
            metavar="FILE",
            show_default=False,
            help="Print the fitted model at the rows of FILE instead.",
        ),
    ] = None,
    plot: Annotated[
        str | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            show_default=False,
            help="Draw data, model and residuals: .png or .svg (needs matplotlib).",
        ),
    ] = None,
    form: Annotated[
        str, typer.Option("--format", metavar="|".join(_FORMATS), help="How to print it.")
    ] = "table",
    check: Check = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No remarks.")] = False,
) -> None:
    """Fit a formula to data: parameters with standard errors."""
    gc.freeze()  # the modules stay; the fit's own garbage is collected as usual
    gc.enable()
    from symgd.fits.fit import fit as run
    from symgd.model.arguments import parse_assignments

    if form not in _FORMATS:
        raise ArgumentError(f"--format: '{escape(form)}' is none of {', '.join(_FORMATS)}")
    picture = None
    if plot is not None:
        from symgd.report.output_files import check_picture
        from symgd.report.plot import check_fit

        picture = check_picture(plot)
        check_fit(picture)
    with shown(data, quiet or form not in ("table", "plain")) as source:
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
    if form == "table" and predict is None:
        from symgd.report.fit import report

        emit_report(report(result, width=terminal_width()))
    else:
        emit(_printed(result, form) if predict is None else _predicted(result, predict, form))
    if picture is not None:
        from symgd.report.plot import plot_fit

        plot_fit(result, picture)
    if not quiet:
        for remark in about_rows(result.names, result.columns, result.table):
            complain(remark)
        if form != "table" or predict is not None:
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


def _printed(result: FitResult, form: str) -> Iterable[str]:
    from symgd.report.export import dump, record
    from symgd.report.step_table import number

    if form in ("json", "jsonl"):
        return [dump(result.to_dict())]
    if form == "plain":
        return [" ".join(number(value) for value in result.theta.values())]
    rows: list[Any] = [record(["name", "value", "stderr"])]
    for name, estimate in result.params.items():
        error = "" if estimate.stderr is None else number(estimate.stderr)
        rows.append(f"{record([name])},{number(estimate.value)},{error}")
    return rows


def _predicted(result: FitResult, data: str, form: str) -> Iterable[str]:
    from symgd.report.export import dump
    from symgd.report.step_table import number

    values = result.predict(data).tolist()
    if form in ("json", "jsonl"):
        return [dump({"predicted": values})]
    return [*(["predicted"] if form == "csv" else []), *map(number, values)]


def _exit_code(result: FitResult, check: bool) -> int:
    status = result.status.value
    if status == "interrupted":
        return 130
    if not check or status == "converged":
        return 0
    return 4 if status in ("diverged", "nonfinite") else 3
