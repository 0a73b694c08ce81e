"""The iterate that a rule reports in place of theta: `report x`."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from symgd._numpy import NDArray, np
from symgd.backends.compiler import compile_program
from symgd.backends.lambdified import compile_array
from symgd.model.bounds import ParameterBox
from symgd.model.rules import Rule


def reported(
    rule: Rule, x: Sequence[float], state: Sequence[float], values: Mapping[str, float]
) -> NDArray[np.float64]:
    """What the rule reports after a step, (P,). state: all states, one after the other."""
    formula = rule.reported
    assert formula is not None
    now: dict[str, object] = {"theta": np.asarray(x, dtype=np.float64), **values}
    flat, first = np.asarray(state, dtype=np.float64), 0
    for name, width in zip(rule.state, rule.widths(len(x)), strict=True):
        now[name], first = flat[first : first + width], first + width
    known = {symbol: now[n] for n, symbol in formula.variables.items() if n in now}
    with np.errstate(all="ignore"):
        program = compile_program([*known], {"reported": formula.root})
        [found] = compile_array(program)(*known.values())
    return np.broadcast_to(found, len(x)).astype(np.float64)


class Evaluated(Protocol):
    """A problem: its bounds and the loss."""

    @property
    def box(self) -> ParameterBox | None: ...
    @property
    def evaluate(self) -> Callable[..., list[float]]: ...


def reported_point(
    rule: Rule,
    x: Sequence[float],
    state: Sequence[float],
    values: Mapping[str, float],
    problem: Evaluated,
) -> tuple[list[float], float, list[float]] | None:
    """The same in the bounds with its loss and gradient; None where nothing finite is reported."""
    if rule.reported is None:
        return None
    point = reported(rule, x, state, values).tolist()
    point = point if problem.box is None else problem.box.clip(point)
    value, *slope = problem.evaluate(*point)
    return (point, value, slope) if math.isfinite(value) else None
