"""The arguments of a descent, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from symgd import names
from symgd._numpy import NDArray, np
from symgd.errors import ArgumentError, FormulaError
from symgd.formula.parse import parameter_name
from symgd.model.checks import to_count, to_finite, to_float
from symgd.model.rules import Rule, find_rule
from symgd.model.schedule import Schedule, parse_number, read_schedule


class UsualRate(float):
    """A default, distinct from an equal number that the caller gave."""


class UsualSteps(int):
    """The same of a number of steps."""


class UsualRule(str):
    """The same of the name of a rule."""


LR, STEPS, RULE = UsualRate(0.2), UsualSteps(20), UsualRule("gd")

Array: TypeAlias = "NDArray[np.float64]"
Named: TypeAlias = "Mapping[str, float] | Mapping[str, float | str | Array]"
Start: TypeAlias = "float | str | Array | Sequence[float] | Named"
BackendName: TypeAlias = Literal["auto", "lambdify", "native"]
Method: TypeAlias = Literal["auto", "newton", "lbfgs", "tr", "lm"]


@dataclass(frozen=True)
class Arguments:
    """What every descent takes, checked. given: hyperparameters and constants by name.

    method: a solver, for which rule and schedule say nothing.
    """

    rule: Rule
    schedule: Schedule
    steps: int
    tol: float | None
    given: Mapping[str, float]
    method: str | None = None
    seed: int = 0

    @property
    def known(self) -> frozenset[str]:
        """The names that the rule and the learning rate can take."""
        if self.method is not None:
            return frozenset()
        return frozenset({*self.rule.hyperparameters, *self.schedule.names})

    @property
    def others(self) -> dict[str, float]:
        """What was given under other names."""
        return {name: v for name, v in self.given.items() if name not in self.known}


def read_arguments(
    lr: float | str,
    steps: int,
    rule: str | Rule,
    given: Mapping[str, float] | None,
    tol: float | None,
    method: str | None = None,
    seed: int = 0,
) -> Arguments:
    """The arguments in the form that the engine takes, or a SymgdError."""
    checked, certificate = to_count(steps, "steps", 0), _tolerance(tol)
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError(f"set is a mapping of names to numbers, not {type(given).__name__}")
    schedule, found = read_schedule(lr), find_rule(rule)
    if schedule.own:
        found = replace(found, own_rates=True)
    number = to_count(seed, "seed", 0)
    numbers = _numbers(given or {})
    return Arguments(found, schedule, checked, certificate, numbers, method, number)


def resolve(arguments: Arguments) -> dict[str, float]:
    """The values of the hyperparameters, then of the other constants of the schedule.

    n is the planned number of steps, and seed that of the random numbers, unless they are given.
    """
    if arguments.method is not None:
        return {}
    rule, own = arguments.rule, {"n": float(arguments.steps), "seed": float(arguments.seed)}
    read = {*rule.hyperparameters, *arguments.schedule.names}
    given = {n: v for n, v in own.items() if n in read and n not in rule.defaults}
    given |= arguments.given
    values = rule.resolve({n: v for n, v in given.items() if n in rule.hyperparameters})
    values |= arguments.schedule.resolve(given) | arguments.schedule.own_values
    arguments.schedule.check(arguments.steps, values)
    return values


def parse_assignments(items: Sequence[str]) -> dict[str, float]:
    """["a=1", "b=2.5"] as {"a": 1.0, "b": 2.5}, names in their canonical spelling."""
    values: dict[str, float] = {}
    for item in items:
        left, equals, right = item.partition("=")
        if not equals or not left.strip() or not right.strip():
            raise ArgumentError(f"'{names.escape(item)}' is not NAME=VALUE")
        try:
            name = parameter_name(left)
        except FormulaError as error:
            shown = names.escape(left.strip())
            raise ArgumentError(f"'{shown}' is not a name: {error.sentence}") from None
        if name in values:
            raise ArgumentError(f"'{names.escape(name)}' is given twice")
        values[name] = parse_number(right, f"the value of {names.escape(name)}")
    return values


def _tolerance(tol: float | None) -> float | None:
    if tol is None:
        return None
    value = to_float(tol, "tol")
    if not (math.isfinite(value) and value >= 0):
        raise ArgumentError(f"tol is {tol!r}; it must be a number, 0 or more")
    return value


def _numbers(given: Mapping[str, Any]) -> dict[str, float]:
    return {
        names.canonical(str(name)): to_finite(value, f"'{names.escape(str(name))}'")
        for name, value in given.items()
    }


def read_start(start: Start) -> tuple[float | dict[str, float] | list[float], tuple[str, ...]]:
    """The start as a number, a list or a mapping, and the names that it mentions."""
    if isinstance(start, str):
        text = start.strip()
        if "=" in text:
            start = parse_assignments([p for p in text.replace(";", ",").split(",") if p.strip()])
        elif "," in text:
            start = [parse_number(p, "the start") for p in text.split(",")]
        else:
            start = parse_number(text, "the start")
    if isinstance(start, Mapping):
        point = {names.canonical(str(k)): v for k, v in start.items()}
        return _numbers(point), tuple(point)
    if isinstance(start, (int, float)):
        return _coordinate(start), ()
    try:
        values = list(start)
    except TypeError:
        return _coordinate(start), ()
    return [_coordinate(v) for v in values], ()


def _coordinate(value: Any) -> float:
    return to_finite(value, "the start", "which is not a number")
