"""The command `symgd explain`: derivatives, critical points, convexity, stable learning rates."""

from typing import Annotated

from symgd.cli.console import emit
from symgd.cli.formats import Format, read_format
from symgd.cli.option_values import integer, read_arrays, read_formula
from symgd.cli.options import format_option, loss_argument, option
from symgd.cli.progress import with_progress
from symgd.cli.terminal import emit_report, has_unicode, terminal_width, write_row_remarks


def explain(
    loss: Annotated[list[str] | None, loss_argument("explain")] = None,
    lr: Annotated[str, option("lr", "The learning rate to judge.")] = "0.2",
    start: Annotated[str, option("start", "Where to look first: a number, or x=1,y=2.")] = "1",
    rule: Annotated[str, option("rule", "A name or equations.")] = "gd",
    assignments: Annotated[list[str] | None, option("set")] = None,
    steps: Annotated[bool, option("steps-of-derivation")] = False,
    certify: Annotated[bool, option("certify")] = False,
    form: Annotated[str, format_option("explain")] = Format.terminal.value,
    data: Annotated[str | None, option("data")] = None,
    drop_missing: Annotated[bool, option("drop-missing")] = False,
    seed: Annotated[str, option("seed", "Draws random starts.")] = "0",
    size: Annotated[list[str] | None, option("size")] = None,
    shape: Annotated[list[str] | None, option("shape")] = None,
    vector: Annotated[list[str] | None, option("vector")] = None,
    bound: Annotated[list[str] | None, option("bound")] = None,
    quiet: Annotated[bool, option("quiet", "No remarks.")] = False,
) -> None:
    """Explain a loss: gradient, Hessian, critical points, convexity, stable learning rates."""
    kind = read_format("explain", form)
    formula = read_formula(loss or [], data)
    from symgd.descent import explain
    from symgd.model.arguments import parse_assignments
    from symgd.model.bounds import parse_bounds

    with with_progress(data, quiet or kind is not Format.terminal) as source:
        explanation = explain.explain(
            formula,
            rule=rule,
            lr=lr,
            start=start,
            set=parse_assignments(assignments or []),
            data=source,
            drop_missing=drop_missing,
            seed=integer("--seed", seed, minimum=0),
            **read_arrays(size, shape, vector),
            certify=certify,
            bounds=parse_bounds(bound or []),
        )
    from symgd.report import explain as report
    from symgd.report import export

    if kind is Format.json:
        document = explanation.to_dict()
        if steps:
            document["derivation"] = [
                {"rule": s.rule, "param": s.param, "step": s.text, "result": s.result}
                for s in explanation.derivation
            ]
        emit([export.dump(document)])
    elif kind is Format.latex:
        emit(report.as_latex(explanation, steps=steps))
    else:
        width = terminal_width()
        emit_report(report.report(explanation, steps=steps, width=width, pretty=has_unicode()))
    if not quiet:
        write_row_remarks(explanation.loss)
