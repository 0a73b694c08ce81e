"""The arguments of a descent, checked before anything runs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symgd import names
from symgd.errors import ArgumentError, FormulaError
from symgd.formula.evaluate import evaluate_all
from symgd.formula.nodes import float_of
from symgd.formula.parse import Formula, parameter_name, parse
from symgd.model.checks import to_count, to_finite, to_float
from symgd.model.rules import Rule, find_rule


class UsualRate(float):
    """A default, which is told from an equal number that is given."""


class UsualSteps(int):
    """The same of a number of steps."""


class UsualRule(str):
    """The same of the name of a rule."""


LR, STEPS, RULE = UsualRate(0.2), UsualSteps(20), UsualRule("gd")

Start = float | str | Mapping[str, float] | Sequence[float]


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
) -> Arguments:
    """The arguments in the form that the engine takes, or a SymgdError."""
    checked, certificate = to_count(steps, "steps", 0), _tolerance(tol)
    if given is not None and not isinstance(given, Mapping):
        raise ArgumentError(f"set is a mapping of names to numbers, not {type(given).__name__}")
    numbers = _numbers(given or {})
    return Arguments(find_rule(rule), _schedule(lr), checked, certificate, numbers, method)


def resolve(arguments: Arguments) -> dict[str, float]:
    """The values of the hyperparameters, then of the other constants of the schedule."""
    rule, given = arguments.rule, arguments.given
    if arguments.method is not None:
        return {}
    values = rule.resolve({n: v for n, v in given.items() if n in rule.hyperparameters})
    values |= arguments.schedule.resolve(given)
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


def parse_number(text: str, what: str) -> float:
    """A finite number from text, or ArgumentError that names `what`."""
    shown, value = names.escape(text.strip()), _constant(text)
    if value is None:
        raise ArgumentError(f"{what} is '{shown}', which is not a number")
    if not math.isfinite(value):
        raise ArgumentError(f"{what} is '{shown}'; it must be finite")
    return value


def _constant(text: str) -> float | None:
    """The value of a number or a formula without variables (1/3, 2*pi); None for anything else."""
    try:
        return float(text.replace("−", "-"))
    except ValueError:
        pass
    try:
        formula = parse(text)
    except FormulaError:
        return None
    if formula.variables:
        return None
    [root] = formula.graph.fold([formula.root])
    return float_of(root)


def _tolerance(tol: float | None) -> float | None:
    if tol is None:
        return None
    value = to_float(tol, "tol")
    if not (math.isfinite(value) and value >= 0):
        raise ArgumentError(f"tol is {tol!r}; it must be a number, 0 or more")
    return value


def _numbers(given: Mapping[str, float]) -> dict[str, float]:
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


@dataclass(frozen=True)
class Schedule:
    """The learning rate: a number, a formula of t and named constants, or the line search."""

    text: str
    value: float | None = None
    formula: Formula | None = None

    @property
    def shown(self) -> float | str:
        """A number, or what was typed."""
        return self.text if self.value is None else self.value

    @property
    def auto(self) -> bool:
        """Whether a line search chooses it."""
        return self.value is None and self.formula is None

    @property
    def names(self) -> tuple[str, ...]:
        """The constants of the formula."""
        return tuple(n for n in self.formula.variables if n != "t") if self.formula else ()

    def check(self, steps: int, values: Mapping[str, float]) -> None:
        """See that the formula is a rate, finite and not below 0, at the steps to be taken.

        All of the first thousand are checked, then a thinning sample: where a
        formula fails, it fails early or for good.
        """
        if self.formula is None:
            return
        t = 1
        while t <= steps:
            rate = self.at(t, values)
            if not (math.isfinite(rate) and rate >= 0):
                shown = names.escape(self.text)
                raise ArgumentError(
                    f"the learning rate {shown} is {rate!r} at step {t}; "
                    "it must be a number, 0 or more, at every step"
                )
            t = t + 1 if t < 1000 or t == steps else min(steps, t + t // 100)

    def at(self, t: int, values: Mapping[str, float]) -> float:
        """The learning rate of step t, of a formula. values: of its constants."""
        assert self.formula is not None
        known = {s: values[n] for n, s in self.formula.variables.items() if n != "t"}
        if (time := self.formula.variables.get("t")) is not None:
            known[time] = float(t)
        return float(evaluate_all([self.formula.root], known)[id(self.formula.root)])

    def resolve(self, given: Mapping[str, float]) -> dict[str, float]:
        """The values of `names`, or ArgumentError."""
        for name in self.names:
            if name not in given:
                shown = names.escape(name)
                raise ArgumentError(
                    f"unknown name '{shown}' in the learning rate '{names.escape(self.text)}'; "
                    f"it is a formula of t; give other names with --set {shown}=..."
                )
        return {name: given[name] for name in self.names}


def _schedule(lr: float | str) -> Schedule:
    if not isinstance(lr, str):
        return Schedule(repr(lr), value=_rate(to_float(lr, "the learning rate"), repr(lr)))
    text = lr.strip()
    if not text:
        raise ArgumentError("no learning rate was given; it is a number, a formula of t, or auto")
    if text.lower() == "auto":
        return Schedule("auto")
    if (value := _constant(text)) is not None:
        return Schedule(text, value=_rate(value, text))
    formula = parse(text)
    if "t" not in formula.variables and len(formula.variables) == 1 and formula.root.is_Atom:
        shown = names.escape(text)
        raise ArgumentError(
            f"the learning rate is '{shown}', which is not a number; "
            "give a number, a formula of t such as 0.1/(1+t/100), or auto"
        )
    return Schedule(text, formula=formula)


def _rate(value: float, text: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ArgumentError(
            f"the learning rate is {names.escape(text)}; it must be a number above 0"
        )
    return value
