"""The command `symgd play`: write the live page of a loss, and open it in a browser."""

from __future__ import annotations

from typing import Annotated

from symgd.cli.console import write_message
from symgd.cli.option_values import integer, read_formula
from symgd.cli.options import loss_argument, option

_FILE = "symgd-playground.html"


def play(
    loss: Annotated[list[str] | None, loss_argument("begin with")] = None,
    lr: Annotated[str, option("lr")] = "0.2",
    steps: Annotated[str, option("steps")] = "20",
    start: Annotated[str, option("start")] = "1",
    rule: Annotated[str, option("rule")] = "gd",
    assignments: Annotated[list[str] | None, option("set")] = None,
    data: Annotated[str | None, option("data")] = None,
    output: Annotated[str, option("output")] = _FILE,
    no_open: Annotated[bool, option("no-open")] = False,
) -> None:
    """Open a playground: a page in which you type losses, rules and learning rates."""
    from symgd.report.output_files import check_page

    path = check_page(output)
    formula = read_formula(loss or [], data)
    count = integer("--steps", steps, minimum=0)
    from symgd.descent.descend import descend
    from symgd.model.arguments import parse_assignments

    given = parse_assignments(assignments or [])
    result = descend(formula, start=start, lr=lr, steps=count, rule=rule, set=given, data=data)
    result.to_html(path)
    address = path.resolve().as_uri()
    if no_open or not _opens(address):
        write_message(f"open it in a browser: {address}")


def _opens(address: str) -> bool:
    """Whether a browser was found and asked to show this address."""
    import webbrowser

    try:
        return webbrowser.open(address)
    except webbrowser.Error:
        return False
