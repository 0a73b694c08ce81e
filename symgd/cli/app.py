"""The Typer application with its commands.

Expensive modules are imported inside the command that needs them: `symgd --version` loads neither
SymPy nor NumPy.
"""

from __future__ import annotations

from typing import Annotated

import typer

from symgd._version import __version__
from symgd.cli.command_group import DefaultGroup
from symgd.cli.compare import compare
from symgd.cli.console import emit
from symgd.cli.explain import explain
from symgd.cli.fit import fit
from symgd.cli.listings import functions, rules, schedules
from symgd.cli.play import play
from symgd.cli.run import run

HELP = "Type a loss. Get its exact gradient, a descent, and the reason why it did what it did."

EXAMPLES = """
\b
Examples:
  symgd                         theta**2, learning rate 0.2, 20 steps from 1
  symgd "theta**2" --lr 0.001   too low: what do you notice?
  symgd "theta**2" --lr 10      too high
  symgd "(1-x)^2 + 100*(y-x^2)^2" -s x=-1.2,y=1 -r adam -l 0.02 -n 5000
  symgd "(x-2)^2 + y^2" --bound x=0:1 --tol 1e-6
  symgd "theta**4" --rule "v = 0.9*v + g; theta = theta - lr*v"
  echo "x^2 + y^2" | symgd - --format csv
"""

#: Examples of each command, shown below its help.
EXAMPLES_OF = {
    "run": """
  symgd "theta**2" --lr 0.001
  symgd run "(1-x)^2 + 100*(y-x^2)^2" -s x=-1.2,y=1 -r adam -l 0.02 -n 5000 --every 500
  symgd "(1-x)^2 + 100*(y-x^2)^2" -s x=-1.2,y=1 --method auto -q
  symgd "mean((y - a*x - b)^2)" --data points.csv -l 0.1 -n 300 --plot fit.png
""",
    "fit": """
  symgd fit "y = a*exp(-b*x) + c" points.csv
  symgd fit "y = a*x + b" points.csv --sigma dy
  symgd fit "y = a*x + b" points.csv --loss "huber(r, 1)"
  symgd fit "y = a*x" points.csv --bound a=0: --plot f.svg
  symgd fit "y = exp(a*x)" counts.csv --family poisson
""",
    "compare": """
  symgd compare "theta**2" --lr 0.001,0.2,10
  symgd compare "x^2 + 10*y^2" -r gd,momentum,adam -l 0.05 --plot runs.svg
  symgd compare "theta**2" --lr 1e-4..10:200
  symgd compare "(1-x)^2 + 100*(y-x^2)^2" --method newton,lbfgs -s x=-1.2,y=1
""",
    "explain": """
  symgd explain "x^4 - x^2"
  symgd explain "(1-x)^2 + 100*(y-x^2)^2" --lr 0.001 -r momentum
  symgd explain "x^2 + 10*y^2" --certify --format json
""",
    "play": """
  symgd play
  symgd play "x^2 - y^2 + y^4/4" -s x=1,y=0.001 -n 80
  symgd play "mean((y - a*x - b)^2)" --data points.csv -o fit.html --no-open
""",
    "rules": """
  symgd rules
  symgd rules adam
  symgd rules --format json
""",
    "schedules": """
  symgd schedules cosine
""",
    "functions": """
  symgd functions --format csv
""",
}


def _epilog(name: str) -> str:
    return f"\b\nExamples:{EXAMPLES_OF[name]}"


app = typer.Typer(
    cls=DefaultGroup,
    help=HELP,
    epilog=EXAMPLES,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        emit([f"symgd {__version__}"])
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            callback=_print_version,
            is_eager=True,
            show_default=False,
            help="Show the version and exit.",
        ),
    ] = False,
) -> None:
    """Accept the options before any command."""


app.command(
    short_help="Descend on a loss (the command when none is named).", epilog=_epilog("run")
)(run)
app.command(
    short_help="Fit a formula to data: parameters with standard errors.", epilog=_epilog("fit")
)(fit)
app.command(short_help="The catalogue of update rules, or one of them.", epilog=_epilog("rules"))(
    rules
)
app.command(
    short_help="Named learning-rate schedules, or one of them.", epilog=_epilog("schedules")
)(schedules)
app.command(short_help="The functions that a formula may use.", epilog=_epilog("functions"))(
    functions
)
app.command(
    short_help="Critical points, convexity, stable learning rates.", epilog=_epilog("explain")
)(explain)
app.command(short_help="Learning rates, rules and starts side by side.", epilog=_epilog("compare"))(
    compare
)
app.command(
    short_help="A page in which you type losses, rules and learning rates.", epilog=_epilog("play")
)(play)
