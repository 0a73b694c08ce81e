"""What is asked of `descend`, in groups, and read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from symgd.backends.dispatch import check_backend
from symgd.descent.engine import Step
from symgd.descent.many_starts import Within
from symgd.descent.methods import MOST, TOLERANCE, check_method
from symgd.errors import ArgumentError
from symgd.model.arguments import LR, RULE, STEPS, Arguments, Start, read_arguments
from symgd.model.bounds import BoundsByName
from symgd.model.checks import to_count
from symgd.model.history import ALL
from symgd.model.rules import Rule
from symgd.names import escape


class DescentPlan(NamedTuple):
    """How to descend."""

    lr: float | str
    steps: int
    rule: str | Rule
    method: str | None
    set: Mapping[str, float] | None
    tol: float | None
    seed: int
    callback: Callable[[Step], object] | None
    backend: str
    advise: bool
    history: int | str | None
    every: int | None


class DescentDomain(NamedTuple):
    """Where to begin, and where the parameters may be."""

    start: Start
    bounds: BoundsByName | None
    subject_to: str | Sequence[str]
    starts: int | None
    within: Within | None


class DescentRows(NamedTuple):
    """The rows of a loss over data."""

    data: Any
    drop_missing: bool
    batch: int | None


def read_plan(plan: DescentPlan, domain: DescentDomain, rows: DescentRows) -> Arguments:
    """The checked arguments; constraints and many starts go with a solver."""
    lr, steps, rule, method, tol = plan.lr, plan.steps, plan.rule, plan.method, plan.tol
    check_backend(plan.backend)
    if plan.callback is not None and not callable(plan.callback):
        raise ArgumentError(f"callback is not a function but {type(plan.callback).__name__}")
    _check_history(plan)
    if domain.subject_to and method not in (None, "auto", "newton", "tr"):
        raise ArgumentError(f"constraints are kept by the method tr, not by {method}")
    who = f"method {method}"
    if domain.subject_to or domain.starts:
        who, method = "subject_to" if domain.subject_to else "starts", method or "auto"
    if method is not None:
        check_method(method, who, lr is not LR, rule is not RULE, rows.batch is not None)
        steps, tol = MOST if steps is STEPS else steps, TOLERANCE if tol is None else tol
    return read_arguments(lr, steps, rule, plan.set, tol, method, plan.seed)


def _check_history(plan: DescentPlan) -> None:
    if plan.every is not None:
        to_count(plan.every, "every", 1)
    if isinstance(plan.history, str) and plan.history != ALL:
        raise ArgumentError(f"history is a number of rows or '{ALL}', not '{escape(plan.history)}'")
    if plan.history is not None and plan.history != ALL:
        to_count(plan.history, "history", 2)
