"""The learning-rate map: final loss against learning rate, from one start by one rule."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from symgd.model.result import Result

FEWEST = 40  # runs from which machine code for all of them at once pays
_DIGITS = 1e-16  # of the largest loss: what is smaller is drawn at the bottom
_TRIES = 5  # runs whose verdict is searched for the limit of stability

End = tuple[float, bool]  # the last finite loss, and whether the run left the numbers after it


class Runs(Sequence[Result]):
    """The Results of many runs, each computed on first access."""

    def __init__(self, makers: Sequence[Callable[[], Result]]) -> None:
        self.makers = makers
        self._made: dict[int, Result] = {}

    def __len__(self) -> int:
        return len(self.makers)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[k] for k in range(*index.indices(len(self)))]
        k = range(len(self))[index]
        if k not in self._made:
            self._made[k] = self.make(k)
        return self._made[k]

    def make(self, k: int) -> Result:
        """One of them."""
        return self.makers[k]()


@dataclass(frozen=True)
class RateMap:
    """rates: ascending, (K,). losses: (K,), inf where a run left the numbers.

    first: the loss at the start. limit: the least upper bound of the stable learning rates at the
    minimum that the best run nears, None where none is known. best: the index of the least loss,
    and run that run.
    """

    run: Result
    steps: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    first: float
    limit: float | None
    best: int

    @property
    def shown(self) -> list[float]:
        """The losses as they are drawn: inf beyond a thousand times the start, no tiny ones."""
        cap = 1e3 * abs(self.first) if self.first else math.inf
        floor = _DIGITS * max((v for v in self.losses if v <= cap), default=0.0)
        return [max(v, floor) if v <= cap else math.inf for v in self.losses]


def rate_map(
    rates: Sequence[float],
    steps: int,
    runs: Sequence[Result],
    ends: Sequence[End] | None,
) -> RateMap:
    """The map of runs that differ in their learning rates. ends: how they ended, if known."""
    if ends is None:
        ends = [(run.value, run.lost) for run in runs]
    found = [math.inf if lost or not math.isfinite(loss) else loss for loss, lost in ends]
    order = sorted(range(len(runs)), key=lambda k: found[k])
    limits = (runs[k].verdict.lr_max for k in order[:_TRIES])
    first = runs[order[0]]
    return RateMap(
        run=runs[order[0]],
        steps=steps,
        rates=tuple(rates),
        losses=tuple(found),
        first=first.history.loss_at(0),
        limit=next((limit for limit in limits if limit is not None), None),
        best=order[0],
    )
