"""What to center and scale where a loss is ill-conditioned: tried, with the condition number after.

A column c is replaced in the formula by (c - mean)/sd or by c/sd, a parameter p by s*p. The least
loss must stay what it was: the model is the same in other units.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from symgd.analysis.minima import Minimum, certified_minimum
from symgd.errors import SymgdError
from symgd.model.loss import Loss

ILL = 1e4  # a condition number from which units are worth a change
_ENOUGH = 0.5  # of the condition number: what another replacement must make of it
_MOST_COLUMNS = 8
_MOST_OPERATIONS = 300
_SAME = 1e-6  # of the loss


@dataclass(frozen=True)
class Rescaled:
    """The loss in other units, its minimum, and what stands for what: name -> text."""

    loss: Loss
    minimum: Minimum
    replaced: Mapping[str, str]

    @property
    def condition(self) -> float:
        """The condition number of the Hessian at the minimum."""
        return condition_number(self.minimum)


def condition_number(minimum: Minimum) -> float:
    """Of the Hessian: its largest eigenvalue by its smallest."""
    return minimum.eigenvalues[-1] / minimum.eigenvalues[0]


def rescaled(loss: Loss, minimum: Minimum, constants: Mapping[str, float]) -> Rescaled | None:
    """The replacements that help most, one after another; None where none is worth it."""
    if loss.internals.value_program.operations > _MOST_OPERATIONS:
        return None
    best: Rescaled | None = None
    while True:
        done = best.replaced if best else {}
        limit = _ENOUGH * (best.condition if best else condition_number(minimum))
        found = [
            other
            for name, text in _candidates(loss, minimum)
            if name not in done
            and (other := _tried(loss, minimum, constants, {**done, name: text})) is not None
        ]
        chosen = min(found, key=lambda other: other.condition, default=None)
        if chosen is None or chosen.condition > limit:
            return best
        best = chosen


def _candidates(loss: Loss, minimum: Minimum) -> Iterator[tuple[str, str]]:
    """(name, what stands for it): of every column, or of every parameter where there are none."""
    table = loss.table
    if table is None:
        diagonal = [row[k] for k, row in enumerate(loss.internals.hess_rows(minimum.x))]
        least = min(diagonal)
        for name, entry in zip(loss.params, diagonal, strict=True):
            if 0 < least < entry:
                yield name, f"({math.sqrt(least / entry):.2g}*{name})"
        return
    for name in loss.columns[:_MOST_COLUMNS]:
        column = table.columns[name]
        mean, spread = float(column.mean()), float(column.std())
        if spread > 0 and math.isfinite(spread):
            yield name, f"(({name} - {mean:.4g})/{spread:.4g})".replace("- -", "+ ")
            yield name, f"({name}/{spread:.4g})"


def _tried(
    loss: Loss, minimum: Minimum, constants: Mapping[str, float], replaced: Mapping[str, str]
) -> Rescaled | None:
    text = loss.text
    for name, instead in replaced.items():
        text = re.sub(rf"(?<![\w.]){re.escape(name)}(?!\w)", lambda _, t=instead: t, text)  # type: ignore[misc]
    try:
        other = Loss(text, loss.table, constants=constants)
    except SymgdError:
        return None
    if other.params != loss.params:
        return None
    found = certified_minimum(other, [1.0] * len(loss.params))
    if found is None:
        return None
    gap = abs(other.value(found.x) - loss.value(minimum.x))
    same = gap <= _SAME * (abs(loss.value(minimum.x)) + 1e-9)
    return Rescaled(other, found, dict(replaced)) if same else None
