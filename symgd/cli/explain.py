"""symgd explain: the formulas, the critical points, convexity, and what the rule does there."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from symgd.cli.console import emit
from symgd.cli.option_values import read_formula
from symgd.cli.options import Assignments, Data, DropMissing, formula_to
from symgd.cli.progress import shown
from symgd.cli.terminal import emit_report, has_unicode, tell_rows, terminal_width


class Format(StrEnum):
    """How an explanation is printed."""

    terminal = "terminal"
    latex = "latex"
    json = "json"


def explain(
    loss: Annotated[list[str] | None, formula_to("explain")] = None,
    lr: Annotated[
        str, typer.Option("--lr", "-l", metavar="TEXT", help="The learning rate to judge.")
    ] = "0.2",
    start: Annotated[
        str,
        typer.Option(
            "--start", "-s", metavar="TEXT", help="Where to look first: a number, or x=1,y=2."
        ),
    ] = "1",
    rule: Annotated[
        str, typer.Option("--rule", "-r", metavar="TEXT", help="A name or equations.")
    ] = "gd",
    assignments: Assignments = None,
    steps: Annotated[
        bool,
        typer.Option("--steps-of-derivation", help="Show which rule of calculus is used where."),
    ] = False,
    form: Annotated[
        Format, typer.Option("--format", metavar="terminal|latex|json", help="How to print it.")
    ] = Format.terminal,
    data: Data = None,
    drop_missing: DropMissing = False,
) -> None:
    """Explain a loss: gradient, Hessian, critical points, convexity, stable learning rates."""
    formula = read_formula(loss or [], data)
    from symgd.descent import explain
    from symgd.model.arguments import parse_assignments

    with shown(data, form is not Format.terminal) as source:
        found = explain.explain(
            formula,
            rule=rule,
            lr=lr,
            start=start,
            set=parse_assignments(assignments or []),
            data=source,
            drop_missing=drop_missing,
        )
    from symgd.report import explain as report
    from symgd.report import export

    if form is Format.json:
        whole = found.to_dict()
        if steps:
            whole["derivation"] = [
                {"rule": s.rule, "param": s.param, "step": s.text, "result": s.result}
                for s in found.derivation
            ]
        emit([export.dump(whole)])
    elif form is Format.latex:
        emit(report.as_latex(found, steps=steps))
    else:
        lines = report.report(found, steps=steps, width=terminal_width(), pretty=has_unicode())
        emit_report(lines)
    tell_rows(found.loss)
