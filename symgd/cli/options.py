"""The options that several commands have, each declared once."""

from __future__ import annotations

from typing import Annotated, Any

import typer


def formula_to(verb: str) -> Any:
    """The argument LOSS of a command that does this to it: a `list[str] | None`."""
    return typer.Argument(
        metavar="LOSS",
        show_default=False,
        help=f"The formula to {verb}, in quotes. Without it, theta**2; - reads it from stdin.",
    )


Steps = Annotated[str, typer.Option("--steps", "-n", metavar="INT", help="How many steps to take.")]
Assignments = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter or a constant; repeatable."),
]
Tolerance = Annotated[
    str | None, typer.Option("--tol", metavar="FLOAT", help="Stop when max|gradient| <= tol.")
]
Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="FILE", show_default=False, help="Rows for sum(...) and mean(...)."
    ),
]
DropMissing = Annotated[
    bool, typer.Option("--drop-missing", help="Skip rows with missing cells, and count them.")
]
Seed = Annotated[str, typer.Option("--seed", metavar="INT", help="Draws the batches.")]
Check = Annotated[
    bool, typer.Option("--check", help="Exit 3 if not converged, 4 if diverged or non-finite.")
]
