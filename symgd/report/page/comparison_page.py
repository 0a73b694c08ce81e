"""The content of the live page of a comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symgd.model.result import Result
from symgd.report.page.page_data import Content, live_content, rules_of, shared_data, why_recorded
from symgd.report.page.recorded_runs import loss_samples, recorded_runs

MOST_RUNS = 30


def content_of_several(runs: Sequence[Result], labels: Sequence[str]) -> Content:
    """The content of the page of several runs of one loss. labels: one per run."""
    reason = next(filter(None, map(why_recorded, runs)), "")
    if not reason and len({run.lr if isinstance(run.lr, str) else "" for run in runs}) > 1:
        reason = "The learning rates have different formulas: these are the runs that Python made."
    compared: list[dict[str, Any]] = [{"name": label} for label in labels]
    if reason:
        shared = shared_data(runs)
        data = shared | {"why": reason, "compared": compared} | recorded_runs(runs)
        return Content(data | loss_samples(runs[0].loss, shared["spans"]), {})
    texts = [str(rule) for rule in rules_of(runs)]
    for entry, run in zip(compared, runs, strict=True):
        entry["rule"] = texts.index(str(run.rule))
        entry["lr"] = run.lr if isinstance(run.lr, (int, float)) else None
        entry["start"] = list(run.start.values())
        entry["hyper"] = [run.hyperparameters[name] for name in run.rule.hyperparameters]
    content = live_content(runs)
    return Content(content.data | {"compared": compared}, content.functions)
