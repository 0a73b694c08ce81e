"""The grid of runs whose verdicts are checked: losses, rules, rates, schedules and lengths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """A run: the loss, its minima, and the arguments of `descend`."""

    loss: str
    minima: tuple[tuple[float, ...], ...]
    arguments: dict[str, Any]
    steps: int

    @property
    def name(self) -> str:
        """What was run, on one line."""
        given = ", ".join(f"{k}={v}" for k, v in self.arguments.items())
        return f"{self.loss}  {given}, steps={self.steps}"


#: loss -> (its minima, start, a rate well inside the stable range of gd)
LOSSES: dict[str, tuple[tuple[tuple[float, ...], ...], str, float]] = {
    "theta**2": (((0.0,),), "1", 0.2),
    "(x-3)^2+10*(y+1)^2": (((3.0, -1.0),), "0", 0.03),
    "x^2+100*y^2": (((0.0, 0.0),), "1", 0.004),
    "(1-x)^2+100*(y-x^2)^2": (((1.0, 1.0),), "x=-1.2,y=1", 0.001),
    "log(cosh(x))": (((0.0,),), "5", 0.1),
    "sqrt(1+(x-2)^2)": (((2.0,),), "-4", 0.3),
    "exp(x)-2*x": (((math.log(2.0),),), "3", 0.1),
    "x-log(x)": (((1.0,),), "4", 0.2),
    "cosh(x-1)+y^2/50": (((1.0, 0.0),), "3", 0.1),
    "x^2+y^2+z^2+x*y+y*z": (((0.0, 0.0, 0.0),), "x=1,y=-2,z=3", 0.1),
    "x^4-2*x^2": (((1.0,), (-1.0,)), "0.1", 0.05),
    "1-exp(-x^2)": (((0.0,),), "1.5", 0.2),
    "huber(x-1,0.5)+0.1*y^2": (((1.0, 0.0),), "6", 0.3),
    "x^4+y^2": ((), "1", 0.05),
    "abs(x)": (((0.0,),), "1", 0.03),
    "(x*y-1)^2": ((), "x=2,y=1", 0.05),
    "x^2-y^2/100": ((), "x=1,y=0.001", 0.1),
    "exp(-x)": ((), "0", 0.5),
    "x+sin(x)/2": ((), "0", 0.2),
}
#: loss -> the same, and its bounds; worked out by hand by the signs of the gradient at them
IN_BOUNDS: dict[str, tuple[tuple[tuple[float, ...], ...], str, float, dict[str, Any]]] = {
    "(x-3)^2+10*(y+1)^2+x*y": (((1.0, -1.05),), "0", 0.03, {"x": (None, 1)}),
    "x^2+x": (((0.0,),), "4", 0.1, {"x": (0, None)}),
    "(1-x)^2+100*(y-x^2)^2": (((0.5, 0.25),), "x=-1.2,y=1", 0.001, {"x": (-2, 0.5)}),
    "exp(x)-2*x": (((1.0,),), "3", 0.1, {"x": (1, 4)}),
    "x^4-2*x^2": (((0.5,), (-1.0,)), "0.1", 0.05, {"x": (-3, 0.5)}),
    "cosh(x-1)+y^2/50": (((1.0, 2.0),), "3", 0.1, {"y": (2, None)}),
    "x^2+y^2+z^2+x*y+y*z": (((-0.5, 0.0, 0.5),), "x=-1,y=-2,z=3", 0.1,
                            {"x": (None, -0.5), "z": (0.5, None)}),
    "exp(-x)": (((3.0,),), "0", 0.5, {"x": (None, 3)}),
    "abs(x)": (((0.25,),), "1", 0.03, {"x": (0.25, None)}),
    "x+sin(x)/2": (((-2.0,),), "2", 0.2, {"x": (-2, None)}),
    "x^2-y^2/100": (((0.0, 2.0),), "x=1,y=0.001", 0.1, {"y": (0, 2)}),
    "log(cosh(x))": (((0.0,),), "5", 0.1, {"x": (0, None)}),
}  # fmt: skip
RULES = ("gd", "momentum", "nesterov", "adam", "rmsprop", "adagrad", "signsgd", "rprop", "lion")
FACTORS = (0.01, 0.3, 1.0, 3.0, 12.0)  # times the rate of the loss
LENGTHS = (5, 20, 100, 1000)
SCHEDULES = ("{lr}/t", "{lr}/sqrt(t)", "{lr}*0.97^t", "{lr}/(1+t/50)", "{lr}*(1+cos(pi*t/1000))/2",
             "auto")  # fmt: skip


def grid() -> Iterator[Case]:
    """Every case: constant rates by every rule, schedules by gd and momentum; some in bounds."""
    for loss, (minima, start, lr) in LOSSES.items():
        for rule in RULES:
            for factor in FACTORS:
                for steps in LENGTHS:
                    yield Case(loss, minima, _given(start, lr * factor, rule), steps)
        for schedule in SCHEDULES:
            for rule in ("gd", "momentum"):
                for steps in LENGTHS:
                    yield Case(loss, minima, _given(start, schedule.format(lr=lr), rule), steps)
    for loss, (minima, start, lr, bounds) in IN_BOUNDS.items():
        for rule in RULES:
            for factor in FACTORS:
                for steps in LENGTHS[1::2]:
                    given = _given(start, lr * factor, rule) | {"bounds": bounds}
                    yield Case(loss, minima, given, steps)
        for schedule in SCHEDULES:
            given = _given(start, schedule.format(lr=lr), "gd") | {"bounds": bounds}
            yield Case(loss, minima, given, LENGTHS[2])


def _given(start: str, lr: float | str, rule: str) -> dict[str, Any]:
    rate = lr if isinstance(lr, str) else float(f"{lr:.3g}")
    return {"start": start, "lr": rate, "rule": rule}
