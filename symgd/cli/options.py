"""The options of the command line, each declared once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer

from symgd.cli.formats import FORMATS


def _complete_rule(incomplete: str) -> list[str]:
    from symgd.model.catalogue import CATALOGUE

    done, plus, last = incomplete.rpartition("+")
    return [done + plus + name for name in CATALOGUE if name.startswith(last)]


@dataclass(frozen=True)
class Declaration:
    """The flags and the help of an option. metavar: "" for a flag without a value."""

    flags: tuple[str, ...]
    metavar: str
    help: str
    complete: Callable[[str], list[str]] | None = None


_FILE, _INT, _TEXT = "FILE", "INT", "TEXT"

OPTIONS = {
    "absolute": Declaration(
        ("--absolute-sigma",), "", "--sigma (or --weight) is known, not only up to a factor."
    ),
    "backend": Declaration(("--backend",), "auto|lambdify|native", "What runs the steps."),
    "batch": Declaration(("--batch",), _INT, "Take each step on so many rows."),
    "bound": Declaration(
        ("--bound",), "NAME=LOW:HIGH", "As a=0:10, or a=0: with one end; repeatable."
    ),
    "check": Declaration(("--check",), "", "Exit 3 if not converged, 4 if diverged or non-finite."),
    "data": Declaration(("--data",), _FILE, "Rows for sum(...) and mean(...)."),
    "derivation": Declaration(
        ("--steps-of-derivation",), "", "Show which rule of calculus is used where."
    ),
    "drop_missing": Declaration(
        ("--drop-missing",), "", "Skip rows with missing cells, and count them."
    ),
    "every": Declaration(("--every",), _INT, "Print each n-th step only."),
    "fix": Declaration(("--fix",), "NAME=VALUE", "Hold a parameter there; repeatable."),
    "html": Declaration(("--html",), _FILE, "Write a live page with sliders: .html."),
    "loss": Declaration(
        ("--loss",), _TEXT, 'In place of r**2, as "huber(r, 1)"; r: residual, or residual/sigma.'
    ),
    "lr": Declaration(("--lr", "-l"), _TEXT, "A number, a formula of t, or auto."),
    "method": Declaration(
        ("--method", "-m"),
        _TEXT,
        "lm (Newton's where it is no least squares), or a rule (see symgd rules).",
    ),
    "plot": Declaration(
        ("--plot",), _FILE, "Draw a picture: .png, .svg or .gif (needs matplotlib)."
    ),
    "predict": Declaration(
        ("--predict",), _FILE, "Print the fitted model at the rows of FILE instead."
    ),
    "quiet": Declaration(("--quiet", "-q"), "", "Print the last theta only, and no remarks."),
    "rule": Declaration(
        ("--rule", "-r"),
        _TEXT,
        "A name (see symgd rules), several as clip_norm+adam, or equations.",
        _complete_rule,
    ),
    "seed": Declaration(("--seed",), _INT, "Draws the batches."),
    "set": Declaration(("--set",), "NAME=VALUE", "A hyperparameter or a constant; repeatable."),
    "sigma": Declaration(("--sigma",), _TEXT, "Standard deviations: weights 1/sigma**2."),
    "start": Declaration(("--start", "-s"), _TEXT, "One number for all, or x=-1.2,y=1."),
    "steps": Declaration(("--steps", "-n"), _INT, "How many steps to take."),
    "threads": Declaration(("--threads",), _INT, "Of machine code, at most; else all."),
    "tie": Declaration(
        ("--tie",), "NAME=FORMULA", "Give a parameter by others, as b=2*a; repeatable."
    ),
    "tol": Declaration(("--tol",), "FLOAT", "Stop when max|gradient| <= tol."),
    "verbose": Declaration(("--verbose", "-v"), "", "Say on stderr what runs the steps, and why."),
    "weight": Declaration(("--weight",), _TEXT, "Weights: a column or a formula."),
}


def option(name: str, help: str = "", metavar: str = "") -> Any:  # noqa: A002 - Typer's name
    """The option of this name. help, metavar: if they differ in a command."""
    declared = OPTIONS[name]
    return typer.Option(
        *declared.flags,
        metavar=metavar or declared.metavar or None,
        help=help or declared.help,
        autocompletion=declared.complete,
    )


def format_option(command: str) -> Any:
    """The option --format with the formats of a command."""
    formats = FORMATS[command]

    def complete(incomplete: str) -> list[str]:
        return [name for name in formats if name.startswith(incomplete)]

    return typer.Option(
        "--format", metavar="|".join(formats), help="How to print it.", autocompletion=complete
    )


def loss_argument(verb: str) -> Any:
    """The argument LOSS, a `list[str] | None`. verb: what the command does to it."""
    return typer.Argument(
        metavar="LOSS",
        show_default=False,
        help=f"The formula to {verb}, in quotes. Without it, theta**2; - reads it from stdin.",
    )
