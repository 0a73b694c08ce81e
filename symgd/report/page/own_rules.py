"""The rules of a page's runs, and whether the page's engine can run them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from symgd import names
from symgd.formula.functions.table import BY_CLASS
from symgd.model.result import Result
from symgd.model.rules import Rule
from symgd.report.page.language import computable

_BLANKS = re.compile(" +")


def rules_of(runs: Sequence[Result]) -> list[Rule]:
    """The distinct rules of the runs; the page has those of the catalogue anyway."""
    own: dict[str, Rule] = {}
    for run in runs:
        assert run.rule is not None
        text = str(run.rule)
        if text not in own:
            taken = {rule.name for rule in own.values()}
            name = run.rule.name if run.rule.name not in taken else f"custom {len(own) + 1}"
            values = {n: run.hyperparameters[n] for n in run.rule.hyperparameters}
            own[text] = Rule(text, values, name)
    return [*own.values()]


def rule_data(rule: Rule) -> dict[str, Any]:
    """A rule as the page reads it: its name, text, and values of hyperparameters."""
    lines = [_BLANKS.sub(" ", line) for line in str(rule).splitlines()]
    return {
        "name": names.escape(rule.name),
        "text": "\n".join(lines),
        "values": dict(rule.defaults),
    }


def why_not(rule: Rule) -> str:
    """Why the engine cannot run a rule, or ""."""
    if rule.own_rates:
        return "Each parameter has its own learning rate: this page shows the run that Python made."
    if rule.reported is not None:
        return "The rule reports another point than theta: this page shows the run of theta."
    rows = [BY_CLASS[node.func] for node in rule.nodes if node.func in BY_CLASS]
    missing = sorted({row.name for row in rows} - computable())
    if missing:
        return f"JavaScript has no {', '.join(missing)}: this page shows runs that Python made."
    return ""
