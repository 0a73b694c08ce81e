"""The options of the command line, each declared once."""

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import typer

from symgd.cli.formats import FORMATS


def _complete_rule(incomplete: str) -> list[str]:
    from symgd.model.catalogue import CATALOGUE

    done, plus, last = incomplete.rpartition("+")
    return [done + plus + name for name in CATALOGUE if name.startswith(last)]


def _complete_rate(incomplete: str) -> list[str]:
    from symgd.model.schedules import SCHEDULES

    return _beginning(incomplete, ["auto", *(f"{name}(" for name in SCHEDULES)])


def _complete_family(incomplete: str) -> list[str]:
    from symgd.fits.families import FAMILIES

    return _beginning(incomplete, FAMILIES)


def complete_file(incomplete: str) -> list[str]:
    """The files and folders whose paths begin like this; folders end in a slash."""
    import os

    folder, name = os.path.split(incomplete)
    try:
        with os.scandir(folder or ".") as entries:
            found = [(e.name, e.is_dir()) for e in entries if e.name.startswith(name)]
    except OSError:
        return []
    shown = [(n, d) for n, d in sorted(found) if name.startswith(".") or not n.startswith(".")]
    return [os.path.join(folder, n) + ("/" if is_dir else "") for n, is_dir in shown]


def completion(names: Iterable[str]) -> Callable[[str], list[str]]:
    """What completes these names."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(incomplete, names)

    return complete


def _beginning(incomplete: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if name.startswith(incomplete)]


class Option(NamedTuple):
    """An option: its help, its value ("" for a flag), its short spelling and its completion."""

    help: str
    metavar: str = ""
    short: str = ""
    complete: Callable[[str], list[str]] | None = None


_FILE, _INT, _TEXT = "FILE", "INT", "TEXT"

#: Every option by its long spelling without the dashes.
OPTIONS = {
    "absolute-sigma": Option("--sigma (or --weight) is known, not only up to a factor."),
    "backend": Option("What runs the steps.", "auto|lambdify|native"),
    "batch": Option("Take each step on so many rows.", _INT),
    "bound": Option("Keep it there: x=0:1, or x=0: with one end; repeatable.", "NAME=LOW:HIGH"),
    "certify": Option("Prove rates for which gradient descent from --start descends."),
    "check": Option("Exit 3 if not converged, 4 if diverged or non-finite."),
    "columns": Option("Names of the columns of a file without a header.", "x,y,.."),
    "data": Option("Rows for sum(...) and mean(...).", _FILE),
    "derived": Option("Report it with an error, as half=ln(2)/k; repeatable.", "NAME=FORMULA"),
    "drop-missing": Option("Skip rows with missing cells, and count them."),
    "every": Option("Print each n-th step only.", _INT),
    "family": Option(
        "The law of y about the model, in place of squares.",
        "poisson|gamma|..",
        "",
        _complete_family,
    ),
    "figsize": Option("Of the picture, in inches, as 8x6.", "WxH"),
    "fix": Option("Hold a parameter there; repeatable.", "NAME=VALUE"),
    "history": Option("Rows of the path to keep, where it is long, or all.", "all|N"),
    "html": Option("Write a live page with sliders: .html.", _FILE),
    "loss": Option('In place of r**2, as "huber(r, 1)"; r: residual, or residual/sigma.', _TEXT),
    "lr": Option(
        "A number, a formula of t and n, cosine(0.1), x=0.1,y=0.01, or auto.",
        _TEXT,
        "-l",
        _complete_rate,
    ),
    "method": Option("A solver in place of rule and lr.", "auto|newton|lbfgs|tr|lm", "-m"),
    "no-open": Option("Write the page only, and say where it is."),
    "output": Option("Where to write the page.", _FILE, "-o"),
    "plot": Option("Draw a picture: .png, .svg, .pdf or .gif (needs matplotlib).", _FILE),
    "predict": Option("Print the fitted model at the rows of FILE instead.", _FILE),
    "profile": Option("95 % intervals by the profile of squares or likelihood."),
    "quiet": Option("Print the last theta only, and no remarks.", short="-q"),
    "rows": Option("Print residual, leverage and Cook's distance of each row instead."),
    "rule": Option(
        "A name (see symgd rules), several as clip_norm+adam, or equations.",
        _TEXT,
        "-r",
        _complete_rule,
    ),
    "seed": Option("Draws batches, random starts and the random numbers of rules.", _INT),
    "set": Option("A hyperparameter or a constant; repeatable.", "NAME=VALUE"),
    "shape": Option("Lengths of an array's axes, as U=user,f; repeatable.", "NAME=N,.."),
    "sigma": Option("Standard deviations: weights 1/sigma**2.", _TEXT),
    "size": Option("Of indexed formulas, as n=1000; repeatable.", "NAME=N"),
    "start": Option(
        "One number for all, or x=-1.2,y=1; arrays: x[i]=i/10, W~normal(0,1).", _TEXT, "-s"
    ),
    "starts": Option("Begin at so many points, and solve from the best.", _INT),
    "steps": Option("How many steps to take.", _INT, "-n"),
    "steps-of-derivation": Option("Show which rule of calculus is used where."),
    "subject-to": Option("A constraint: x + y <= 1, x = y^2; repeatable.", _TEXT),
    "threads": Option("Of machine code, at most; else all.", _INT),
    "tie": Option("Give a parameter by others, as b=2*a; repeatable.", "NAME=FORMULA"),
    "tol": Option("Stop when max|gradient| <= tol.", "FLOAT"),
    "vector": Option("Columns that are X[1], X[2], ..; repeatable.", "X=COLUMN,.."),
    "within": Option("The box of --starts: -5:5, or x=-5:5,y=0:1.", "LOW:HIGH"),
    "verbose": Option("Say on stderr what runs the steps, and why.", short="-v"),
    "weight": Option("Weights: a column or a formula.", _TEXT),
}


#: The helps, for options that show another default.
HELP = {name: declared.help for name, declared in OPTIONS.items()}


def option(name: str, help: str = "", metavar: str = "") -> Any:  # noqa: A002 - Typer's name
    """The option of this name. help, metavar: if they differ in a command."""
    declared = OPTIONS[name]
    return typer.Option(
        f"--{name}",
        *filter(None, [declared.short]),
        metavar=metavar or declared.metavar or None,
        help=help or declared.help,
        autocompletion=declared.complete or _completion_of(declared.metavar),
    )


def _completion_of(metavar: str) -> Callable[[str], list[str]] | None:
    """That of files, and of the words of a metavar such as auto|native."""
    if metavar == _FILE:
        return complete_file
    words = [word for word in metavar.split("|") if word.islower()]
    return completion(words) if "|" in metavar else None


def format_option(command: str) -> Any:
    """The option --format with the formats of a command."""
    formats = FORMATS[command]

    help_text, shown = "How to print it.", "|".join(formats)
    return typer.Option(
        "--format", metavar=shown, help=help_text, autocompletion=completion(formats)
    )


def loss_argument(verb: str) -> Any:
    """The argument LOSS, a `list[str] | None`. verb: what the command does to it."""
    return typer.Argument(
        metavar="LOSS",
        show_default=False,
        help=f"The formula to {verb}, in quotes. Without it, theta**2; - reads it from stdin.",
    )
