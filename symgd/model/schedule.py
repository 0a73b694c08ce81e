"""The learning rate: a number, a formula of t, a named schedule, one per parameter, or auto."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symgd import names
from symgd.errors import ArgumentError, FormulaError
from symgd.formula.evaluate import evaluate_all
from symgd.formula.graph import Graph
from symgd.formula.nodes import Node, float_of
from symgd.formula.parse import Formula, parameter_name, parse
from symgd.model.checks import to_float
from symgd.model.schedules import expanded


@dataclass(frozen=True)
class Schedule:
    """The learning rate. own: that of each parameter or array by name, 0 where it is held."""

    text: str
    value: float | None = None
    formula: Formula | None = None
    own: tuple[tuple[str, Schedule], ...] = ()

    @property
    def shown(self) -> float | str:
        """A number, or what was typed."""
        return self.text if self.value is None else self.value

    @property
    def auto(self) -> bool:
        """Whether a line search chooses it."""
        return self.takes_number and self.value is None

    @property
    def takes_number(self) -> bool:
        """Whether it is one number, an input of a step."""
        return self.formula is None and not self.own

    @property
    def varies(self) -> bool:
        """Whether it depends on t."""
        return self.formula is not None or any(one.varies for _, one in self.own)

    @property
    def names(self) -> tuple[str, ...]:
        """The constants of the formulas."""
        formulas = [s.formula for s in (self, *(one for _, one in self.own)) if s.formula]
        return tuple(dict.fromkeys(n for f in formulas for n in f.variables if n != "t"))

    @property
    def own_values(self) -> dict[str, float]:
        """The numbers among the rates of single parameters, by a name that no text can have."""
        return {f"lr[{n}]": one.value for n, one in self.own if one.value is not None}

    @property
    def held(self) -> tuple[str, ...]:
        """The parameters of rate 0."""
        return tuple(n for n, one in self.own if one.value == 0)

    def rate_of(self, param: str) -> str:
        """The name in `own` that a parameter or element goes by, or ArgumentError."""
        known = dict(self.own)
        for name in (param, param.partition("[")[0]):
            if name in known:
                return name
        shown = names.escape(param)
        raise ArgumentError(
            f"the learning rates name no rate of {shown}; add {shown}=0.1, or {shown}=0 to hold it"
        )

    def numbers(self, params: Sequence[str]) -> tuple[float, ...]:
        """The rate of each parameter, () where it is one for all or a formula."""
        if not self.own or self.varies:
            return ()
        known = dict(self.own)
        return tuple(known[self.rate_of(param)].value or 0.0 for param in params)

    def check_names(self, params: Sequence[str]) -> None:
        """See that each parameter has a rate, and each rate a parameter."""
        if not self.own:
            return
        used = {self.rate_of(param) for param in params}
        for name, _ in self.own:
            if name not in used:
                what = "the loss has no parameter"
                raise ArgumentError(names.unknown(what, name, params))

    def nodes(
        self, graph: Graph, shared: Mapping[str, Node], params: Sequence[str]
    ) -> Node | list[Node]:
        """The rate as a node, or that of each parameter. shared: t, lr and constants by name."""
        if self.own:
            one = {n: s._node(graph, shared, f"lr[{n}]") for n, s in self.own}
            return [one[self.rate_of(param)] for param in params]
        return self._node(graph, shared, "lr")

    def _node(self, graph: Graph, shared: Mapping[str, Node], name: str) -> Node:
        if self.formula is None:
            return shared[name]
        places = {symbol: shared[n] for n, symbol in self.formula.variables.items()}
        return graph.replace([self.formula.root], places)[0]

    def check(self, steps: int, values: Mapping[str, float]) -> None:
        """See that the formula is a rate, finite and not below 0, at the steps to be taken.

        All of the first thousand are checked, then a thinning sample: where a
        formula fails, it fails early or for good.
        """
        for _, one in self.own:
            one.check(steps, values)
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


def read_schedule(lr: float | str) -> Schedule:
    """The learning rate as it was given, or ArgumentError."""
    if not isinstance(lr, str):
        return Schedule(repr(lr), value=_rate(to_float(lr, "the learning rate"), repr(lr)))
    text = lr.strip()
    if not text:
        raise ArgumentError("no learning rate was given; it is a number, a formula of t, or auto")
    if text.lower() == "auto":
        return Schedule("auto")
    if _OWN.match(text):
        return _read_own(text)
    text = expanded(text)
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


_OWN = re.compile(r"\s*[^\W\d]\w*\s*(\[[^\]]*\])?\s*=(?!=)")


def _read_own(text: str) -> Schedule:
    """x=0.1, y=0.01/t as the rates of single parameters."""
    found: dict[str, Schedule] = {}
    for piece in names.split_outside(text, ","):
        left, equals, right = piece.partition("=")
        if not equals or not right.strip():
            raise ArgumentError(
                f"'{names.escape(piece.strip())}' is no rate of a parameter; write x=0.1,y=0.01"
            )
        name = parameter_name(left)
        if name in found:
            raise ArgumentError(f"the rate of {names.escape(name)} is given twice")
        held = _constant(right) == 0
        found[name] = Schedule("0", value=0.0) if held else read_schedule(right)
        if found[name].auto:
            raise ArgumentError("auto is one rate for all parameters: write --lr auto")
    if all(one.value == 0 for one in found.values()):
        raise ArgumentError("every learning rate is 0: no parameter would move")
    return Schedule(text, own=tuple(found.items()))


def _rate(value: float, text: str) -> float:
    if not (math.isfinite(value) and value > 0):
        raise ArgumentError(
            f"the learning rate is {names.escape(text)}; it must be a number above 0"
        )
    return value


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
