"""compare: the same loss under a grid of learning rates, rules and starts."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sympy

from symgd.analysis.sharpness import along
from symgd.descent.descend import descend
from symgd.descent.loss_argument import ArraysGiven, at_start, loss_of, within
from symgd.descent.methods import check_method
from symgd.descent.rate_map import FEWEST, End, RateMap, Runs, rate_map
from symgd.descent.sweep import sweep
from symgd.errors import ArgumentError, excerpt
from symgd.model.arguments import RULE, STEPS, Start
from symgd.model.bounds import BoundsByName
from symgd.model.loss import Loss
from symgd.model.present import Paged
from symgd.model.progress_meter import Meter
from symgd.model.result import Result, Status
from symgd.model.rules import Rule
from symgd.model.schedule import parse_number
from symgd.names import counted, escape, split_outside

RATES = (0.001, 0.2, 10.0)
_MOST = 10_000  # runs in one call

Rates = float | str | Sequence[float | str]
Rules = str | Rule | Sequence[str | Rule]


@dataclass(frozen=True, repr=False)
class Comparison(Paged):
    """The runs of a grid, in the order rule, start, learning rate.

    runs: the Results, each computed on first access. maps: where the learning rates were
    given as a range, final loss against learning rate for each rule and start; else (). planned:
    how many runs were asked for, of which Ctrl-C may have left only the first.
    """

    loss: Loss
    runs: Sequence[Result]
    maps: tuple[RateMap, ...] = ()
    planned: int = 0

    def __repr__(self) -> str:
        return f"<Comparison of {counted(len(self.runs), 'run')} on {excerpt(self.loss.text)}>"

    @property
    def ranged(self) -> bool:
        """Whether the learning rates were given as a range."""
        return bool(self.maps)

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C came before all runs had ended."""
        ended = len(self.runs) >= self.planned
        return not ended or any(run.status is Status.INTERRUPTED for run in self.runs[-1:])

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON: {"loss", "runs"}, each run without its history.

        sharpness: of each run at some steps, where the rates are not a range.
        """
        left_out = ("history", "loss")
        runs = [{k: v for k, v in r.to_dict().items() if k not in left_out} for r in self.runs]
        if not self.ranged:
            for data, run in zip(runs, self.runs, strict=True):
                data["sharpness"] = [{"t": t, "value": v} for t, v in along(self.loss, run.history)]
        return {"loss": self.loss.text, "params": list(self.loss.params), "runs": runs}


def compare(
    loss: str | sympy.Expr | Callable[..., Any] | Loss = "theta**2",
    *,
    lr: Rates = RATES,
    rule: Rules = RULE,
    method: str | Sequence[str] | None = None,
    start: Start | Sequence[Start] = 1.0,
    steps: int = STEPS,
    set: Mapping[str, float] | None = None,  # noqa: A002 - as on the command line
    tol: float | None = None,
    data: Any = None,
    drop_missing: bool = False,
    seed: int = 0,
    sizes: Mapping[str, int] | None = None,
    shapes: Mapping[str, Sequence[int | str]] | None = None,
    vectors: Mapping[str, Sequence[str]] | None = None,
    bounds: BoundsByName | None = None,
) -> Comparison:
    """The runs of every rule from every start with every learning rate.

    lr: learning rates, or a text of them with commas; "1e-4..10:200" is 200 of them, evenly spaced
    by their logarithms. rule: catalogue names or equations; a text of names may have commas.
    method: solvers in place of rules and rates, as for `descend`. start: one start, or a list of
    texts or mappings. set: hyperparameters and constants, each
    given to the rules that have it. data, drop_missing: the rows of sum(...) and mean(...), bounds:
    those of the parameters, as for `descend`; so are seed, sizes, shapes and vectors.

    >>> [run.verdict.kind for run in compare("theta**2", lr=[0.001, 0.2, 10]).runs]
    ['slow', 'converging', 'diverging']
    """
    methods = _methods(method, lr is not RATES, rule is not RULE)
    rates, ranged = _rates(lr)
    rules = [] if methods else _rules(rule)
    starts = _starts(start)
    count = (len(methods) or len(rates) * len(rules)) * len(starts)
    if count > _MOST:
        raise ArgumentError(f"{count:,} runs are more than {_MOST:,}")
    given = set or {}
    taken = {name for one in rules for name in one.hyperparameters}
    constants = {n: v for n, v in given.items() if n not in taken}
    arrays = ArraysGiven(sizes, shapes, vectors)
    loss = loss_of(loss, rules, constants, starts, bounds, data, drop_missing, arrays)
    if loss.arrays is not None:
        starts = [at_start(loss, one, seed)[1] for one in starts]
        loss = loss.by_elements
    loss = within(loss, bounds)
    if methods:
        found = _until_interrupted(_solver_runs(loss, methods, starts, steps, tol))
        return Comparison(loss, found, planned=count)
    runs = run_grid(loss, rates, rules, starts, steps, given, tol)
    if not ranged:
        return Comparison(loss, _until_interrupted(runs), planned=count)
    maps = _maps(runs, [float(r) for r in rates], rules, starts, steps, given, tol)
    return Comparison(loss, runs, tuple(maps))


def _until_interrupted(runs: Runs) -> tuple[Result, ...]:
    """The runs; after Ctrl-C those until then, if there are any."""
    done: list[Result] = []
    meter = Meter(len(runs), "runs")
    try:
        for k in range(len(runs)):
            with meter.part(k):
                done.append(runs[k])
            meter.tell(k + 1)
            if done[k].status is Status.INTERRUPTED:
                break
    except KeyboardInterrupt:
        if not done:
            raise
    return tuple(done)


def _methods(method: str | Sequence[str] | None, lr: bool, rule: bool) -> list[str]:
    """The names of the solvers; [] where rules run."""
    if method is None:
        return []
    found = [part.strip() for part in method.split(",")] if isinstance(method, str) else [*method]
    for one in found or [""]:
        check_method(one, f"method {one}", lr, rule)
    return found


def _solver_runs(
    loss: Loss,
    methods: Sequence[str],
    starts: Sequence[Start],
    steps: int,
    tol: float | None,
) -> Runs:
    """One Result for each solver and start, in that order of nesting."""
    shared: dict[str, Any] = {"steps": steps, "tol": tol}
    return Runs(
        [
            partial(descend, loss, start=start, **{"method": method, **shared})
            for method in methods
            for start in starts
        ]
    )


def _maps(
    runs: Runs,
    rates: Sequence[float],
    rules: Sequence[Rule],
    starts: Sequence[Start],
    steps: int,
    given: Mapping[str, float],
    tol: float | None,
) -> Iterator[RateMap]:
    first = 0
    for rule in rules:
        own = {n: v for n, v in given.items() if n in rule.hyperparameters}
        for start in starts:
            some = Runs(runs.makers[first : first + len(rates)])
            loss = some[0].loss
            assert isinstance(loss, Loss)
            ends = _ends_of(loss, rates, rule, start, steps=steps, set=own, tol=tol)
            yield rate_map(rates, steps, some, ends)
            first += len(rates)


def run_grid(
    loss: Loss,
    rates: Sequence[float | str],
    rules: Sequence[Rule],
    starts: Sequence[Start],
    steps: int,
    given: Mapping[str, float],
    tol: float | None,
) -> Runs:
    """One Result for each rule, start and learning rate, in that order of nesting."""
    return Runs(
        [
            partial(
                descend,
                loss,
                start=start,
                lr=lr,
                steps=steps,
                rule=rule,
                set={n: v for n, v in given.items() if n in rule.hyperparameters},
                tol=tol,
                advise=False,
            )
            for rule in rules
            for start in starts
            for lr in rates
        ]
    )


def _rates(lr: Rates) -> tuple[list[float | str], bool]:
    if isinstance(lr, (int, float)):
        return [lr], False
    if isinstance(lr, str) and ".." in lr:
        return [*_range(lr)], True
    rates: list[float | str]
    separator = ";" if isinstance(lr, str) and "=" in lr else ","  # x=0.1,y=0.01; x=1,y=0.1
    rates = [*split_outside(lr, separator)] if isinstance(lr, str) else list(lr)
    if not rates:
        raise ArgumentError("no learning rate was given")
    return rates, False


def _range(text: str) -> list[float]:
    """The 200 numbers of `1e-4..10:200`, evenly spaced by their logarithms."""
    first, _, rest = text.partition("..")
    last, _, number = rest.partition(":")
    low = parse_number(first, "the first learning rate")
    high = parse_number(last, "the last learning rate")
    count = parse_number(number or "50", "the number of learning rates")
    if not (0 < low < high and count == int(count) and 2 <= count <= _MOST):
        raise ArgumentError(
            f"'{escape(text)}' is no range of learning rates; write for example 1e-4..10:200"
        )
    step = math.log(high / low) / (count - 1)
    inner = [low * math.exp(k * step) for k in range(1, int(count) - 1)]
    return [low, *inner, high]


def _rules(rule: Rules) -> list[Rule]:
    from symgd.model.rules import find_rule

    if isinstance(rule, Rule):
        return [rule]
    if isinstance(rule, str):
        rule = [rule] if "=" in rule else [p.strip() for p in rule.split(",") if p.strip()]
    found = [find_rule(r) for r in rule]
    if not found:
        raise ArgumentError("no rule was given")
    return found


def _starts(start: Start | Sequence[Start]) -> list[Start]:
    inner = (str, Mapping, list, tuple)
    if isinstance(start, (list, tuple)) and start and isinstance(start[0], inner):
        return list(start)
    return [start]  # type: ignore[list-item]


def _ends_of(
    loss: Loss, rates: Sequence[float], rule: Rule, start: Any, **options: Any
) -> list[End] | None:
    """How a run with each rate ends, all at once in machine code; None where that does not pay."""
    if len(rates) < FEWEST or loss.internals.rows is not None or not loss.params:
        return None
    grid = sweep(loss, lr=list(rates), rule=rule, start=start, **options)
    return list(zip(grid.value.tolist(), grid.lost.tolist(), strict=True))
